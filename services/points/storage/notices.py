"""Which points that end were told of, and on which day each chain was looked at last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from services.chassis.postgres import Connection
from services.points.domain.chains import UNHEARD
from services.points.domain.ids import AccountId, ChainId, MemberId, ProgramId
from services.points.domain.warnings import EndingPoints

_FIRST = UUID(int=0)

# The last usable day of a lot, on the calendar of its own salon (D8), as `expiry.last_day` says.
_LAST_DAY = """
((lot.expires_at - interval '1 microsecond')
    AT TIME ZONE coalesce(salon.time_zone, chain.home_time_zone, 'UTC'))::date
"""
_LOTS = """
FROM lot
LEFT JOIN salon ON salon.chain_id = lot.chain_id AND salon.id = lot.salon_id
LEFT JOIN chain ON chain.chain_id = lot.chain_id
"""

# The instants are those of one midnight around the world: each is a look into the index of ends.
_ENDING = f"""
SELECT ending.account_id, member_id, program_id, balance, last_day, points, expires_at
FROM (
    SELECT lot.account_id, {_LAST_DAY} AS last_day, sum(lot.remaining)::bigint AS points,
           min(lot.expires_at) AS expires_at
    {_LOTS}
    WHERE lot.chain_id = $1 AND lot.remaining > 0 AND lot.expires_at = ANY($2::timestamptz[])
      AND lot.account_id > $3
    GROUP BY lot.account_id, last_day
    ORDER BY lot.account_id, last_day
    LIMIT $4
) AS ending
JOIN account ON account.chain_id = $1 AND account.id = ending.account_id
ORDER BY ending.account_id, last_day
"""  # noqa: S608

_DUE_CHAINS = """
SELECT chain.chain_id FROM chain
LEFT JOIN expiry_watch USING (chain_id)
LEFT JOIN business_clock USING (chain_id)
WHERE expiry_watch.day IS NULL OR expiry_watch.day < (
    ($1::timestamptz + coalesce(offset_microseconds, 0) * interval '1 microsecond')
        AT TIME ZONE home_time_zone)::date
ORDER BY chain.chain_id
"""

# Last days of a chain's open lots of which nobody has told: few, for lots end with months.
_UNTOLD = f"""
SELECT DISTINCT {_LAST_DAY} AS last_day
{_LOTS}
WHERE lot.chain_id = $1 AND lot.remaining > 0 AND lot.expires_at > $2
ORDER BY last_day
LIMIT 200
"""


async def due_chains(conn: Connection, *, real_now: datetime) -> list[ChainId]:
    """Chains on whose calendar a day has begun since they were looked at."""
    rows = await conn.fetch(_DUE_CHAINS, real_now)
    return [ChainId(row["chain_id"]) for row in rows]


async def home_zone_name(conn: Connection, chain_id: ChainId) -> str:
    """The chain's home zone."""
    found: str | None = await conn.fetchval(
        "SELECT home_time_zone FROM chain WHERE chain_id = $1", chain_id
    )
    return found or UNHEARD.home_time_zone


async def looked(conn: Connection, chain_id: ChainId) -> date | None:
    """The last day on which a chain was looked at."""
    found: date | None = await conn.fetchval(
        "SELECT day FROM expiry_watch WHERE chain_id = $1", chain_id
    )
    return found


async def note_look(conn: Connection, chain_id: ChainId, day: date) -> None:
    """Note that a chain was looked at; an earlier day changes nothing."""
    await conn.execute(
        """
        INSERT INTO expiry_watch AS kept (chain_id, day) VALUES ($1, $2)
        ON CONFLICT (chain_id) DO UPDATE SET day = excluded.day WHERE kept.day < excluded.day
        """,
        chain_id,
        day,
    )


async def ending(
    conn: Connection,
    chain_id: ChainId,
    *,
    instants: Sequence[datetime],
    after: AccountId | None,
    limit: int,
) -> list[EndingPoints]:
    """Points of a chain that end at one of these instants, in order of account.

    The last account of a full page may have more: the next page begins with it again.
    """
    rows = await conn.fetch(_ENDING, chain_id, instants, after or _FIRST, limit)
    return [
        EndingPoints(
            chain_id=chain_id,
            account_id=AccountId(row["account_id"]),
            member_id=MemberId(row["member_id"]),
            program_id=ProgramId(row["program_id"]),
            points=row["points"],
            balance=row["balance"],
            last_day=row["last_day"],
            expires_at=row["expires_at"],
        )
        for row in rows
    ]


async def note(
    conn: Connection, chain_id: ChainId, found: Sequence[EndingPoints], *, missed: bool
) -> set[tuple[AccountId, date]]:
    """Note that these are told of, or were missed; those that were not noted before."""
    rows = await conn.fetch(
        """
        INSERT INTO expiry_notice (chain_id, account_id, last_day, missed)
        SELECT $1, account_id, last_day, $4
        FROM unnest($2::uuid[], $3::date[]) AS told (account_id, last_day)
        ORDER BY account_id, last_day
        ON CONFLICT DO NOTHING
        RETURNING account_id, last_day
        """,
        chain_id,
        [each.account_id for each in found],
        [each.last_day for each in found],
        missed,
    )
    return {(AccountId(row["account_id"]), row["last_day"]) for row in rows}


async def last_days(conn: Connection, chain_id: ChainId, *, now: datetime) -> list[date]:
    """The last days of what a chain's members hold, soonest first."""
    return [row["last_day"] for row in await conn.fetch(_UNTOLD, chain_id, now)]


async def missed_since(conn: Connection, since: datetime) -> int:
    """How many accounts' warnings were missed since a moment."""
    found: int = await conn.fetchval(
        "SELECT count(*) FROM expiry_notice WHERE missed AND recorded_at > $1", since
    )
    return found
