"""Entries of the ledger for those who read: newest first, filtered, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from services.chassis.postgres import Connection
from services.points.domain.history import EntryQuery
from services.points.domain.ids import AccountId
from services.points.domain.ledger import Entry
from services.points.storage.ledger import ENTRY_COLUMNS, entry_of

# Before and after everything that ever happens.
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)
_END = (_LATEST, UUID(int=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statements:
    """The same lists in one of two orders of time."""

    of_chain: str
    of_accounts: str
    of_sale: str


def _statements(moment: str, order_of_account: str) -> _Statements:
    """Constant text; every value is a parameter. The bounds of time are always there: with "IS NULL
    OR" a prepared plan could not use the index for them."""
    entry = f"{ENTRY_COLUMNS}, account.member_id, account.program_id"
    filters = f"""
        posting.chain_id = $1
        AND {moment} >= $4 AND {moment} < $5
        AND ({moment}, posting.id) < ($6, $7::uuid)
        AND ($2::text[] IS NULL OR posting.kind = ANY($2))
        AND ($3::uuid[] IS NULL OR posting.salon_id = ANY($3))
    """
    newest = f"ORDER BY {moment} DESC, posting.id DESC LIMIT $8"
    join = "JOIN account ON account.chain_id = posting.chain_id AND account.id = posting.account_id"
    return _Statements(
        of_chain=f"SELECT {entry} FROM posting {join} WHERE {filters} {newest}",  # noqa: S608
        # Each account's newest by its own index, then the newest of all of them.
        of_accounts=f"""
            SELECT {entry}
            FROM unnest($9::uuid[]) AS asked (id)
            JOIN account ON account.chain_id = $1 AND account.id = asked.id
            CROSS JOIN LATERAL (
                SELECT {ENTRY_COLUMNS} FROM posting
                WHERE posting.account_id = asked.id AND {filters}
                ORDER BY {order_of_account}
                LIMIT $8
            ) AS posting
            {newest}
        """,  # noqa: S608
        # A sale has few entries, which its own index finds.
        of_sale=f"""
            SELECT {entry} FROM posting {join}
            WHERE {filters} AND posting.sale_id = $10
                AND ($9::uuid[] IS NULL OR posting.account_id = ANY($9))
            {newest}
        """,  # noqa: S608
    )


_BY_OCCURRENCE = _statements("posting.occurred_at", "posting.occurred_at DESC, posting.id DESC")
# An account's entries are recorded under its lock, one sequence after the other.
_BY_RECORDING = _statements("posting.recorded_at", "posting.sequence DESC")


async def entries(
    conn: Connection, query: EntryQuery, *, account_ids: Sequence[AccountId] | None
) -> list[Entry]:
    """Entries by (occurred_at, id) descending, of a sale, of some accounts or of the chain.

    Or by (recorded_at, id), where that is asked for.
    """
    statements = _BY_RECORDING if query.by_recording else _BY_OCCURRENCE
    before_time, before_id = query.before or _END
    arguments = [
        query.chain_id,
        None if query.kinds is None else [kind.value for kind in query.kinds],
        query.salon_ids,
        query.from_time or _EARLIEST,
        query.to_time or _LATEST,
        before_time,
        before_id,
        query.limit,
    ]
    if query.sale_id is not None:
        rows = await conn.fetch(statements.of_sale, *arguments, account_ids, query.sale_id)
    elif account_ids is None:
        rows = await conn.fetch(statements.of_chain, *arguments)
    else:
        rows = await conn.fetch(statements.of_accounts, *arguments, account_ids)
    return [entry_of(row) for row in rows]
