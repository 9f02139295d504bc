"""What has fallen due by itself: accounts with lots that have ended, or with a yearly check.

Pages are told by their last row, so that a sweep goes on where it was, whatever was done since.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from services.chassis.postgres import Connection
from services.points.domain.ids import AccountId, ChainId


class DueKind(StrEnum):
    """What falls due."""

    EXPIRY = "expiry"
    TIERS = "tiers"


# Table, moment, and which rows wait: each as its partial index says.
_SOURCES = {
    DueKind.EXPIRY: ("lot", "expires_at", "remaining > 0 AND expires_at IS NOT NULL"),
    DueKind.TIERS: ("tier_standing", "kept_until", "kept_until IS NOT NULL"),
}

_OF_ALL = {
    kind: f"""
    SELECT DISTINCT {moment} AS due_at, chain_id, account_id FROM {table}
    WHERE {waits} AND {moment} <= $1
      AND ({moment}, chain_id, account_id) > ($2, $3::uuid, $4::uuid)
    ORDER BY {moment}, chain_id, account_id
    LIMIT $5
    """  # noqa: S608
    for kind, (table, moment, waits) in _SOURCES.items()
}
# A chain by itself is read in the order of its accounts: it has no index of its own by moment.
_OF_CHAIN = {
    kind: f"""
    SELECT DISTINCT account_id FROM {table}
    WHERE {waits} AND chain_id = $1 AND {moment} <= $2 AND account_id > $3::uuid
    ORDER BY account_id
    LIMIT $4
    """  # noqa: S608
    for kind, (table, moment, waits) in _SOURCES.items()
}
_EARLIEST = {
    kind: f"SELECT min({moment}) FROM {table} WHERE {waits}"  # noqa: S608
    for kind, (table, moment, waits) in _SOURCES.items()
}

_START = datetime(1, 1, 2, tzinfo=UTC)
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAccount:
    """An account of which something fell due, and when; a chain's own pages do not say when."""

    due_at: datetime = _START
    chain_id: ChainId
    account_id: AccountId

    @property
    def name(self) -> tuple[ChainId, AccountId]:
        """Chain and account."""
        return (self.chain_id, self.account_id)


async def due_accounts(
    conn: Connection, kind: DueKind, *, by: datetime, after: DueAccount | None, limit: int
) -> list[DueAccount]:
    """The next accounts of any chain of which something is due, longest due first."""
    place = (after.due_at, after.chain_id, after.account_id) if after else (_START, _FIRST, _FIRST)
    rows = await conn.fetch(_OF_ALL[kind], by, *place, limit)
    return [
        DueAccount(
            due_at=row["due_at"],
            chain_id=ChainId(row["chain_id"]),
            account_id=AccountId(row["account_id"]),
        )
        for row in rows
    ]


async def due_accounts_of(
    conn: Connection,
    kind: DueKind,
    chain_id: ChainId,
    *,
    by: datetime,
    after: DueAccount | None,
    limit: int,
) -> list[DueAccount]:
    """The next accounts of one chain of which something is due, in order of id."""
    place = after.account_id if after else _FIRST
    rows = await conn.fetch(_OF_CHAIN[kind], chain_id, by, place, limit)
    return [DueAccount(chain_id=chain_id, account_id=AccountId(row["account_id"])) for row in rows]


async def earliest(conn: Connection, kind: DueKind) -> datetime | None:
    """When something falls due next, or did; None: nothing ever will."""
    found: datetime | None = await conn.fetchval(_EARLIEST[kind])
    return found


async def earliest_of(conn: Connection, kind: DueKind, chain_id: ChainId) -> datetime | None:
    """The same of one chain."""
    found: datetime | None = await conn.fetchval(f"{_EARLIEST[kind]} AND chain_id = $1", chain_id)
    return found


async def chains_ahead(conn: Connection) -> list[ChainId]:
    """Chains whose business time is ahead of real time."""
    rows = await conn.fetch("SELECT chain_id FROM business_clock WHERE offset_microseconds > 0")
    return [ChainId(row["chain_id"]) for row in rows]
