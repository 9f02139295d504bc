"""One account's ledger as it is shown: sums by kind, entries by sequence, lots and their uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.chassis.postgres import Connection
from services.points.domain.ids import AccountId, ChainId, PostingId
from services.points.domain.ledger import Entry, PostingKind
from services.points.storage.ledger import ENTRY_COLUMNS, entry_of

_TOTALS = """
SELECT kind, count(*) AS entries,
       sum(CASE WHEN destination = account_id THEN points ELSE -points END)::bigint AS points
FROM posting WHERE chain_id = $1 AND account_id = $2
GROUP BY kind
"""

_PAGE = f"""
SELECT {ENTRY_COLUMNS}, account.member_id, account.program_id FROM posting
JOIN account ON account.chain_id = posting.chain_id AND account.id = posting.account_id
WHERE posting.chain_id = $1 AND posting.account_id = $2 AND posting.sequence < $3
ORDER BY posting.sequence DESC
LIMIT $4
"""  # noqa: S608

_BROUGHT = """
SELECT posting_id, remaining, expires_at, policy FROM lot
WHERE chain_id = $1 AND posting_id = ANY($2::uuid[])
"""

# What paid a debt as it came was not taken from anything earlier.
_TAKEN = """
SELECT lot_use.posting_id, lot.posting_id AS origin_id, lot_use.points
FROM lot_use
JOIN lot ON lot.chain_id = lot_use.chain_id AND lot.id = lot_use.lot_id
WHERE lot_use.chain_id = $1 AND lot_use.posting_id = ANY($2::uuid[])
  AND lot.posting_id <> lot_use.posting_id
ORDER BY lot_use.posting_id, lot.expires_at, lot.earned_at, lot.id
"""

# Beyond every sequence.
_END = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All that an account gained or lost by one kind of entry."""

    kind: PostingKind
    points: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What is left of the points that an entry brought, and when the rest of them ends."""

    remaining: int
    expires_at: datetime | None
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Points that an entry took from what an earlier one had brought; negative: put back."""

    origin_id: PostingId
    points: int


async def totals(conn: Connection, chain_id: ChainId, account_id: AccountId) -> list[Total]:
    """Sums by kind over the whole account, in the order of the kinds."""
    rows = await conn.fetch(_TOTALS, chain_id, account_id)
    found = {
        PostingKind(row["kind"]): Total(
            kind=PostingKind(row["kind"]), points=row["points"], entries=row["entries"]
        )
        for row in rows
    }
    return [found[kind] for kind in PostingKind if kind in found]


async def page(
    conn: Connection,
    chain_id: ChainId,
    account_id: AccountId,
    *,
    before_sequence: int | None,
    limit: int,
) -> list[Entry]:
    """Entries of an account by sequence descending, those before one."""
    rows = await conn.fetch(
        _PAGE, chain_id, account_id, _END if before_sequence is None else before_sequence, limit
    )
    return [entry_of(row) for row in rows]


async def brought(
    conn: Connection, chain_id: ChainId, posting_ids: Sequence[PostingId]
) -> dict[PostingId, Brought]:
    """The lots that postings opened."""
    rows = await conn.fetch(_BROUGHT, chain_id, posting_ids)
    return {
        PostingId(row["posting_id"]): Brought(
            remaining=row["remaining"], expires_at=row["expires_at"], policy=row["policy"]
        )
        for row in rows
    }


async def taken(
    conn: Connection, chain_id: ChainId, posting_ids: Sequence[PostingId]
) -> dict[PostingId, list[Taken]]:
    """What postings took from lots of earlier ones, in order of consumption."""
    rows = await conn.fetch(_TAKEN, chain_id, posting_ids)
    found: dict[PostingId, list[Taken]] = {}
    for row in rows:
        use = Taken(origin_id=PostingId(row["origin_id"]), points=row["points"])
        found.setdefault(PostingId(row["posting_id"]), []).append(use)
    return found
