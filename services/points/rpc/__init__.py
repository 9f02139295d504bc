"""The gRPC door of points: proto to use case to proto, and the one table of refusals."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from loyalty.points.v1 import points_pb2_grpc

from services.chassis.grpc_server import RefusalTable
from services.points.domain import errors, sale_errors
from services.points.rpc.servicer import PointsServicer
from services.points.usecases.deps import Deps
from services.points.usecases.earn_queue import EarnQueue

# By class, base classes included: what stands nowhere else is a wrong request.
STATUS: RefusalTable = {
    errors.Refusal: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ChainUnknown: grpc.StatusCode.NOT_FOUND,
    errors.ProgramUnknown: grpc.StatusCode.NOT_FOUND,
    errors.AccountUnknown: grpc.StatusCode.NOT_FOUND,
    errors.SalonUnknown: grpc.StatusCode.NOT_FOUND,
    errors.DebitUnknown: grpc.StatusCode.NOT_FOUND,
    sale_errors.SaleUnknown: grpc.StatusCode.NOT_FOUND,
    sale_errors.PromotionUnknown: grpc.StatusCode.NOT_FOUND,
    errors.ProgramInactive: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ProgramLimit: grpc.StatusCode.FAILED_PRECONDITION,
    errors.SalonInactive: grpc.StatusCode.FAILED_PRECONDITION,
    errors.SalonNotInProgram: grpc.StatusCode.FAILED_PRECONDITION,
    errors.InsufficientPoints: grpc.StatusCode.FAILED_PRECONDITION,
    errors.BalanceBelowZero: grpc.StatusCode.FAILED_PRECONDITION,
    errors.BalanceTooLarge: grpc.StatusCode.FAILED_PRECONDITION,
    sale_errors.PromotionLimit: grpc.StatusCode.FAILED_PRECONDITION,
    sale_errors.PromotionOver: grpc.StatusCode.FAILED_PRECONDITION,
    sale_errors.CatalogObjectUnknown: grpc.StatusCode.NOT_FOUND,
    sale_errors.CatalogVersionStale: grpc.StatusCode.FAILED_PRECONDITION,
    sale_errors.SaleCounted: grpc.StatusCode.FAILED_PRECONDITION,
    sale_errors.SaleOpen: grpc.StatusCode.FAILED_PRECONDITION,
    sale_errors.SaleOfAnother: grpc.StatusCode.FAILED_PRECONDITION,
    sale_errors.SaleElsewhere: grpc.StatusCode.FAILED_PRECONDITION,
    sale_errors.RewardOnAnotherSale: grpc.StatusCode.FAILED_PRECONDITION,
    sale_errors.RewardUndone: grpc.StatusCode.FAILED_PRECONDITION,
    sale_errors.ChangeReused: grpc.StatusCode.FAILED_PRECONDITION,
    sale_errors.TierLimit: grpc.StatusCode.FAILED_PRECONDITION,
    errors.CodesLocked: grpc.StatusCode.FAILED_PRECONDITION,
    errors.CodesUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


def register(deps: Deps, queue: EarnQueue) -> Callable[[grpc.aio.Server], None]:
    """What puts the servicer on a server."""

    def put(server: grpc.aio.Server) -> None:
        servicer = PointsServicer(deps, queue, STATUS)
        points_pb2_grpc.add_PointsServiceServicer_to_server(servicer, server)

    return put
