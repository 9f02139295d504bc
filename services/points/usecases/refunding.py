"""Refunds and exchanges as tills ask for them: once by key and by id, or only looked at (N5)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from services.chassis import idempotency
from services.chassis.errors import InvariantViolated
from services.chassis.postgres import Connection, in_transaction
from services.points import metrics
from services.points.domain.refunds import (
    AmountRefund,
    Change,
    Exchange,
    FullRefund,
    ItemRefund,
)
from services.points.usecases import requests, sale_changes
from services.points.usecases.deps import Deps
from services.points.usecases.sale_changes import (
    Asked,
    Changed,
    CountedMeanwhile,
    SaleExchange,
    SaleRefund,
)

T = TypeVar("T")


class _Previewed(Exception):
    """Carries what a dry run found out of its transaction, which is rolled back with it."""

    def __init__(self, changed: Changed) -> None:
        super().__init__("a dry run writes nothing")
        self.changed = changed


async def refund_sale(deps: Deps, asked: SaleRefund) -> Changed:
    """Refund a sale, or say what that would do. Repeatable by its key and by the change's id (R35).

    Locks the key, the sale's account, then the sale. A sale of nobody moves no point, and is
    nobody's from then on (SQ-45). Refuses with SaleUnknown, SaleOpen, ChangeReused,
    CurrencyForeign, OccurredTooEarly, OccurredInFuture, and what `refunds.effect` refuses.
    """
    meaning = (str(asked.sale_id), asked.refund, asked.currency, asked.occurred_at)
    return await _carry_out(deps, asked, operation="refund_sale", meaning=meaning)


async def exchange_sale(deps: Deps, asked: SaleExchange) -> Changed:
    """Exchange lines of a sale for others, by the terms of the sale (SQ-43, SQ-44).

    As `refund_sale` otherwise; refuses with BalanceTooLarge and what `sales.lines_of` does too.
    """
    meaning = (
        str(asked.sale_id),
        asked.change_id,
        asked.returned,
        asked.added,
        asked.occurred_at,
    )
    return await _carry_out(deps, asked, operation="exchange_sale", meaning=meaning)


async def _carry_out(
    deps: Deps, asked: Asked, *, operation: str, meaning: tuple[object, ...]
) -> Changed:
    if asked.dry_run:
        return await _previewed(deps, asked)
    claim = requests.claim(
        deps,
        chain_id=asked.chain_id,
        operation=operation,
        key=asked.idempotency_key,
        meaning=meaning,
    )

    async def work(conn: Connection) -> tuple[Changed, bool]:
        done: list[Changed] = []

        async def once() -> bytes:
            done.append(await sale_changes.carry_out(deps, conn, asked))
            return json.dumps([done[0].balance, done[0].repeated]).encode()

        balance, repeated = json.loads(await idempotency.once(conn, claim, once))
        if done:
            return done[0], not repeated
        told = await sale_changes.told(conn, asked, balance=balance)
        return replace(told, repeated=repeated), False

    changed, first = await _in_order(deps, work)
    if first:
        metrics.SALES_CHANGED_TOTAL.labels(_kind(changed.change.change)).inc()
    return changed


async def _previewed(deps: Deps, asked: Asked) -> Changed:
    """The very change, written and rolled back: so its numbers are those of the real one."""

    async def work(conn: Connection) -> None:
        changed = await sale_changes.carry_out(deps, conn, asked)
        raise _Previewed(replace(changed, entries=()))

    try:
        await _in_order(deps, work)
    except _Previewed as previewed:
        return previewed.changed
    raise InvariantViolated("a dry run ended without its numbers")


async def _in_order(deps: Deps, work: Callable[[Connection], Awaitable[T]]) -> T:
    """One transaction, and another where the sale got its account in the middle of the first."""
    try:
        return await in_transaction(deps.pool, work)
    except CountedMeanwhile:
        return await in_transaction(deps.pool, work)


def _kind(change: Change) -> str:
    match change:
        case FullRefund():
            return "full"
        case ItemRefund():
            return "items"
        case AmountRefund():
            return "amount"
        case Exchange():
            return "exchange"
