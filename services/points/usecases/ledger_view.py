"""A member's ledger: "balance 57 = 120 earned - 50 taken - 13 expired", line by line (N3)."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.postgres import ACQUIRE_TIMEOUT_SECONDS
from services.points.domain import expiry
from services.points.domain.errors import AccountUnknown, NumberOutOfRange
from services.points.domain.ids import AccountId, ChainId
from services.points.domain.ledger import BALANCE_MAX, Entry
from services.points.storage import account_views as view_rows
from services.points.storage import ledger_view as ledger_rows
from services.points.storage.ledger_view import Brought, Taken, Total
from services.points.usecases.accounts import checked_limit
from services.points.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One entry with what it took from earlier ones, and what is left of what it brought."""

    entry: Entry
    taken: tuple[Taken, ...]
    # None: no points came by it.
    brought: Brought | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerView:
    """Some lines of an account, newest first, and the sums that make its balance.

    The sums are of all entries. What has ended and is not posted yet is `overdue`.
    """

    totals: tuple[Total, ...]
    lines: tuple[LedgerLine, ...]
    more: bool
    balance: int
    overdue: int


async def get_ledger(
    deps: Deps,
    *,
    chain_id: ChainId,
    account_id: AccountId,
    before_sequence: int,
    limit: int,
) -> LedgerView:
    """An account's ledger as of one moment; `before_sequence` 0 begins with the newest entry.

    Refuses with AccountUnknown or NumberOutOfRange.
    """
    limit = checked_limit(limit)
    if not 0 <= before_sequence <= BALANCE_MAX:
        raise NumberOutOfRange(field="before_sequence", minimum=0, maximum=BALANCE_MAX)
    now = deps.clock.now(chain_id)
    async with (
        deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        rows = await view_rows.account_rows(conn, chain_id, [account_id])
        if not rows:
            raise AccountUnknown
        totals = await ledger_rows.totals(conn, chain_id, account_id)
        page = await ledger_rows.page(
            conn,
            chain_id,
            account_id,
            before_sequence=before_sequence or None,
            limit=limit + 1,
        )
        ids = [entry.posting.id for entry in page[:limit]]
        brought = await ledger_rows.brought(conn, chain_id, ids)
        taken = await ledger_rows.taken(conn, chain_id, ids)
    lines = [
        LedgerLine(
            entry=entry,
            taken=tuple(taken.get(entry.posting.id, ())),
            brought=brought.get(entry.posting.id),
        )
        for entry in page[:limit]
    ]
    return LedgerView(
        totals=tuple(totals),
        lines=tuple(lines),
        more=len(page) > limit,
        balance=rows[0].account.balance,
        overdue=expiry.ended_points(rows[0].endings, now=now),
    )
