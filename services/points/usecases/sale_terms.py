"""The terms that a sale is counted under, which its preview tells as well (SQ-17)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from services.chassis.postgres import Connection
from services.points.domain import kept_sales, promotions
from services.points.domain.ids import ChainId, RewardId
from services.points.domain.kept_sales import KeptSale
from services.points.domain.ledger import Account
from services.points.domain.programs import Program
from services.points.domain.sale_errors import CurrencyForeign
from services.points.domain.terms import SaleReward, SaleTerms
from services.points.storage import catalog as catalog_rows
from services.points.storage import chains as chain_rows
from services.points.storage import promotions as promotion_rows
from services.points.usecases import standings


async def terms_of(
    conn: Connection,
    *,
    program: Program,
    account: Account | None,
    at: datetime,
    zone: ZoneInfo,
    reward_ids: Sequence[RewardId] = (),
) -> SaleTerms:
    """What holds for a sale of this moment in a salon of this zone; writes nothing.

    With an account its tier and what is left of promotions' trigger limits are hers; without one
    there is no tier, and no limit.
    """
    tier, multiplier = None, Decimal(1)
    if account is not None:
        tier, multiplier = await standings.multiplier_of(conn, account, program, at)
    offered = await promotion_rows.open_for(
        conn, program.chain_id, program.id, account.id if account else None, at=at
    )
    refunds = program.refunds
    return SaleTerms(
        program_id=program.id,
        program_version=program.version,
        rules=program.rules,
        tier_id=tier.id if tier else None,
        tier_multiplier=multiplier,
        promotions=promotions.open_to(offered, at=at, zone=zone),
        expiry_policy=program.expiry_policy,
        time_zone=zone.key,
        visit_refund_basis=refunds.visit_refund_basis,
        debt_rule=refunds.debt_rule,
        rewards=tuple(
            SaleReward(reward_id=reward_id, on_refund=refunds.reward_on_refund)
            for reward_id in reward_ids
        ),
    )


async def as_of_count(conn: Connection, kept: KeptSale, *, now: datetime) -> KeptSale:
    """An open sale as it is counted at this moment, with the catalog of now; writes nothing."""
    ids = {line.sold_id for line in kept.sale.lines if line.sold_id}
    known = await catalog_rows.lines_resolved(conn, kept.sale.chain_id, sorted(ids))
    return kept_sales.as_of_count(kept, known, now=now)


async def require_currency(conn: Connection, chain_id: ChainId, currency: str) -> None:
    """Refuses money that is not the chain's (CurrencyForeign).

    A chain whose news has not arrived takes every currency.
    """
    known = (await chain_rows.settings(conn, chain_id)).currency
    if known is not None and currency != known:
        raise CurrencyForeign(currency=known)
