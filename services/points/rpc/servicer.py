"""The servicer of points: each method reads its request, calls one use case, writes its answer."""

from __future__ import annotations

from services.points.rpc.accounts import AccountsServicer
from services.points.rpc.catalog import CatalogServicer
from services.points.rpc.earning import EarningServicer
from services.points.rpc.paying import PayingServicer
from services.points.rpc.programs import ProgramsServicer
from services.points.rpc.promotions import PromotionsServicer
from services.points.rpc.sales import SalesServicer


class PointsServicer(
    ProgramsServicer,
    CatalogServicer,
    PromotionsServicer,
    SalesServicer,
    EarningServicer,
    PayingServicer,
    AccountsServicer,
):
    """`loyalty.points.v1.PointsService`, put together from its parts."""
