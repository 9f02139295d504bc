"""Finishing what was interrupted between a reward and points, whoever began it (ADR 0006)."""

from __future__ import annotations

import asyncio

import structlog

from services.chassis.errors import InvariantViolated, RemoteRefusal, Unavailable
from services.chassis.postgres import Connection, in_transaction
from services.rewards.domain.errors import NotFound
from services.rewards.domain.settlements import LEASE_SECONDS, Settlement, SettlementKind
from services.rewards.metrics import (
    SETTLEMENTS_OLDEST_SECONDS,
    SETTLEMENTS_OPEN,
    SETTLEMENTS_TOTAL,
)
from services.rewards.storage import settlements
from services.rewards.usecases.deps import Deps
from services.rewards.usecases.placing import settle_apply, settle_remove
from services.rewards.usecases.settling import settle_take, settle_undo, settle_void

log = structlog.get_logger(__name__)

# So many at once share the lease's time without being a load to the points service.
BATCH_SIZE_MAX = 20


async def settle_due(deps: Deps) -> int:
    """Finish what was interrupted: every settlement that nobody is at; how many were tried."""

    async def work(conn: Connection) -> list[Settlement]:
        number, age = await settlements.measure_open(conn)
        SETTLEMENTS_OPEN.set(number)
        SETTLEMENTS_OLDEST_SECONDS.set(age)
        if not number:
            return []
        return await settlements.lease_due(conn, limit=BATCH_SIZE_MAX, lease_seconds=LEASE_SECONDS)

    due = await in_transaction(deps.pool, work)
    await asyncio.gather(*(_settle(deps, settlement) for settlement in due))
    return len(due)


async def _settle(deps: Deps, settlement: Settlement) -> None:
    outcome = "settled"
    try:
        match settlement.kind:
            case SettlementKind.TAKE:
                await settle_take(deps, settlement)
            case SettlementKind.VOID | SettlementKind.VOID_KEPT:
                await settle_void(deps, settlement)
            case SettlementKind.UNDO:
                await settle_undo(deps, settlement)
            case SettlementKind.APPLY:
                await settle_apply(deps, settlement)
            case SettlementKind.REMOVE:
                await settle_remove(deps, settlement)
    except Unavailable:
        outcome = "unknown"
    except (RemoteRefusal, NotFound):
        outcome = "refused"
    except InvariantViolated:
        outcome = "refused"
        log.exception("settlement_refused", reward_id=str(settlement.reward_id))
    SETTLEMENTS_TOTAL.labels(settlement.kind.value, outcome).inc()
    log.info(
        "settlement_tried",
        reward_id=str(settlement.reward_id),
        chain_id=str(settlement.chain_id),
        kind=settlement.kind.value,
        attempts=settlement.attempts,
        outcome=outcome,
    )
