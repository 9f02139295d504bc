"""Entries of the ledger for those who read: newest first, filtered, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from services.chassis.postgres import Connection
from services.points.domain.history import EntryQuery
from services.points.domain.ids import AccountId
from services.points.domain.ledger import Entry
from services.points.storage.ledger import ENTRY_COLUMNS, entry_of

# Constant text; every value is a parameter. The bounds of time are always there: with "IS NULL OR"
# a prepared plan could not use the index for them.
_FILTERS = """
    posting.chain_id = $1
    AND posting.occurred_at >= $4 AND posting.occurred_at < $5
    AND (posting.occurred_at, posting.id) < ($6, $7::uuid)
    AND ($2::text[] IS NULL OR posting.kind = ANY($2))
    AND ($3::uuid[] IS NULL OR posting.salon_id = ANY($3))
"""

# Before and after everything that ever happens.
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)
_END = (_LATEST, UUID(int=0))

_OF_CHAIN = f"""
SELECT {ENTRY_COLUMNS}, account.member_id, account.program_id
FROM posting
JOIN account ON account.chain_id = posting.chain_id AND account.id = posting.account_id
WHERE {_FILTERS}
ORDER BY posting.occurred_at DESC, posting.id DESC
LIMIT $8
"""  # noqa: S608

# Each account's newest by its own index, then the newest of all of them.
_OF_ACCOUNTS = f"""
SELECT {ENTRY_COLUMNS}, account.member_id, account.program_id
FROM unnest($9::uuid[]) AS asked (id)
JOIN account ON account.chain_id = $1 AND account.id = asked.id
CROSS JOIN LATERAL (
    SELECT {ENTRY_COLUMNS} FROM posting
    WHERE posting.account_id = asked.id AND {_FILTERS}
    ORDER BY posting.occurred_at DESC, posting.id DESC
    LIMIT $8
) AS posting
ORDER BY posting.occurred_at DESC, posting.id DESC
LIMIT $8
"""  # noqa: S608

# A sale has few entries, which its own index finds.
_OF_SALE = f"""
SELECT {ENTRY_COLUMNS}, account.member_id, account.program_id
FROM posting
JOIN account ON account.chain_id = posting.chain_id AND account.id = posting.account_id
WHERE {_FILTERS} AND posting.sale_id = $10
    AND ($9::uuid[] IS NULL OR posting.account_id = ANY($9))
ORDER BY posting.occurred_at DESC, posting.id DESC
LIMIT $8
"""  # noqa: S608


async def entries(
    conn: Connection, query: EntryQuery, *, account_ids: Sequence[AccountId] | None
) -> list[Entry]:
    """Entries by (occurred_at, id) descending, of a sale, of some accounts or of the chain."""
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
        rows = await conn.fetch(_OF_SALE, *arguments, account_ids, query.sale_id)
    elif account_ids is None:
        rows = await conn.fetch(_OF_CHAIN, *arguments)
    else:
        rows = await conn.fetch(_OF_ACCOUNTS, *arguments, account_ids)
    return [entry_of(row) for row in rows]
