"""Where members stand on the ladders of their programs, and the base points that took them there.

What counts for progress are the base points of earns at their moment, and what refunds and
exchanges made of a sale's base, at the moment of that sale (D14).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import asyncpg

from services.chassis.postgres import Connection
from services.points.domain.chains import UNHEARD
from services.points.domain.ids import AccountId, ChainId, TierId
from services.points.domain.tiers import BasePoints, Standing
from services.points.storage.tier_documents import standing_document, standing_from

AccountName: TypeAlias = tuple[ChainId, AccountId]

# As many rows as were asked for. Years are counted in the chain's home zone.
_STANDINGS = """
SELECT asked.chain_id, asked.account_id, standing.tier_id, standing.threshold,
       standing.entered_at, standing.founded_at, standing.kept_until, standing.before,
       coalesce(chain.home_time_zone, $3) AS time_zone
FROM unnest($1::uuid[], $2::uuid[]) AS asked (chain_id, account_id)
LEFT JOIN tier_standing AS standing
    ON standing.chain_id = asked.chain_id AND standing.account_id = asked.account_id
LEFT JOIN chain ON chain.chain_id = asked.chain_id
"""

# Bounds stand inside, where the indexes are.
_BASE = """
    SELECT posting.occurred_at AS at, posting.points - posting.tier_bonus AS points
    FROM posting
    WHERE posting.chain_id = asked.chain_id AND posting.account_id = asked.account_id
      AND posting.kind = 'earn' AND posting.change_id IS NULL
      AND posting.occurred_at >= asked.since AND posting.occurred_at > asked.after
      AND posting.occurred_at <= asked.until
    UNION ALL
    SELECT change.counts_at, change.base_points
    FROM sale_change AS change
    WHERE change.chain_id = asked.chain_id AND change.account_id = asked.account_id
      AND change.base_points <> 0
      AND change.counts_at >= asked.since AND change.counts_at > asked.after
      AND change.counts_at <= asked.until
"""

_ASKED = """
unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])
    AS asked (chain_id, account_id, since, after, until)
"""

_ENTRIES = f"""
SELECT asked.chain_id, asked.account_id, base.at, base.points
FROM {_ASKED} CROSS JOIN LATERAL ({_BASE}) AS base
"""  # noqa: S608

_SUMS = f"""
SELECT asked.chain_id, asked.account_id, sum(base.points)::bigint AS points
FROM {_ASKED} CROSS JOIN LATERAL ({_BASE}) AS base
GROUP BY asked.chain_id, asked.account_id
"""  # noqa: S608

# A standing is replaced only where it is still the one that was read.
_PUT = """
WITH new AS (
    SELECT chain_id, account_id, tier_id, threshold, entered_at, founded_at, kept_until, before,
           tier_id_read, founded_at_read
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::timestamptz[],
                $6::timestamptz[], $7::timestamptz[], $8::jsonb[], $9::uuid[],
                $10::timestamptz[])
         AS new (chain_id, account_id, tier_id, threshold, entered_at, founded_at, kept_until,
                 before, tier_id_read, founded_at_read)
), replaced AS (
    UPDATE tier_standing AS standing
    SET tier_id = new.tier_id, threshold = new.threshold, entered_at = new.entered_at,
        founded_at = new.founded_at, kept_until = new.kept_until, before = new.before
    FROM new
    WHERE standing.chain_id = new.chain_id AND standing.account_id = new.account_id
      AND standing.tier_id = new.tier_id_read AND standing.founded_at = new.founded_at_read
    RETURNING 1
), added AS (
    INSERT INTO tier_standing (chain_id, account_id, tier_id, threshold, entered_at, founded_at,
                               kept_until, before)
    SELECT chain_id, account_id, tier_id, threshold, entered_at, founded_at, kept_until, before
    FROM new WHERE tier_id_read IS NULL
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM replaced) + (SELECT count(*) FROM added)
"""


# Before and after everything that ever counts.
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is kept of a member on a ladder, None at its foot, and the zone of the chain's years."""

    standing: Standing | None
    zone: ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingChange:
    """A standing in place of the one that was read, None where none was kept."""

    name: AccountName
    read: Standing | None
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Base points of an account from `since` on, later than `after`, up to and with `until`."""

    name: AccountName
    since: datetime
    after: datetime = _EARLIEST
    until: datetime = _LATEST


async def places(conn: Connection, names: Sequence[AccountName]) -> dict[AccountName, Place]:
    """Where members stand; the locks of their accounts cover it."""
    if not names:
        return {}
    rows = await conn.fetch(
        _STANDINGS,
        [chain_id for chain_id, _ in names],
        [account_id for _, account_id in names],
        UNHEARD.home_time_zone,
    )
    return {
        _name(row): Place(
            standing=standing_of(row) if row["tier_id"] else None, zone=ZoneInfo(row["time_zone"])
        )
        for row in rows
    }


async def progress_entries(
    conn: Connection, spans: Sequence[Span]
) -> dict[AccountName, tuple[BasePoints, ...]]:
    """Base points of accounts one by one; one statement for all."""
    if not spans:
        return {}
    rows = await conn.fetch(_ENTRIES, *_span_columns(spans))
    found: dict[AccountName, list[BasePoints]] = {}
    for row in rows:
        found.setdefault(_name(row), []).append(BasePoints(at=row["at"], points=row["points"]))
    return {name: tuple(entries) for name, entries in found.items()}


async def progress_sums(conn: Connection, spans: Sequence[Span]) -> dict[AccountName, int]:
    """Base points of accounts summed; one without any is left out."""
    if not spans:
        return {}
    rows = await conn.fetch(_SUMS, *_span_columns(spans))
    return {_name(row): row["points"] for row in rows}


def _span_columns(spans: Sequence[Span]) -> tuple[list[object], ...]:
    return (
        [span.name[0] for span in spans],
        [span.name[1] for span in spans],
        [span.since for span in spans],
        [span.after for span in spans],
        [span.until for span in spans],
    )


async def put(conn: Connection, changes: Sequence[StandingChange]) -> int:
    """Keep new standings where the ones that were read still stand; returns for how many."""
    if not changes:
        return 0
    standings = [change.standing for change in changes]
    reads = [change.read for change in changes]
    count: int = await conn.fetchval(
        _PUT,
        [change.name[0] for change in changes],
        [change.name[1] for change in changes],
        [standing.tier_id for standing in standings],
        [standing.threshold for standing in standings],
        [standing.entered_at for standing in standings],
        [standing.founded_at for standing in standings],
        [standing.kept_until for standing in standings],
        [standing_document(standing.before) if standing.before else None for standing in standings],
        [read.tier_id if read else None for read in reads],
        [read.founded_at if read else None for read in reads],
    )
    return count


async def drop(conn: Connection, names: Sequence[AccountName]) -> None:
    """Forget where members stood on ladders that are gone."""
    if not names:
        return
    await conn.execute(
        """
        DELETE FROM tier_standing AS standing
        USING unnest($1::uuid[], $2::uuid[]) AS gone (chain_id, account_id)
        WHERE standing.chain_id = gone.chain_id AND standing.account_id = gone.account_id
        """,
        [chain_id for chain_id, _ in names],
        [account_id for _, account_id in names],
    )


def standing_of(row: asyncpg.Record) -> Standing:
    """A standing from a row with its columns."""
    return Standing(
        tier_id=TierId(row["tier_id"]),
        threshold=row["threshold"],
        entered_at=row["entered_at"],
        founded_at=row["founded_at"],
        kept_until=row["kept_until"],
        before=standing_from(row["before"]) if row["before"] else None,
    )


def _name(row: asyncpg.Record) -> AccountName:
    return (ChainId(row["chain_id"]), AccountId(row["account_id"]))
