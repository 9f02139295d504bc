"""The outbox's way to the broker: how fast it empties, and how late an event leaves (P16)."""

from __future__ import annotations

import asyncio
import time

import asyncpg

DRAIN_SECONDS_MAX = 60.0
# Of the events that wait, the relay publishes as many as it can in this time.
RATE_SECONDS = 15.0

_WAITING = "SELECT EXISTS (SELECT FROM public.outbox WHERE published_at IS NULL)"
# Also what was published before and is published again.
_PUBLISHED = "SELECT coalesce(sum(next_offset), 0)::bigint FROM public.published_position"
# From the beginning of the transaction that wrote an event to that of the statement that marks it,
# which runs when the broker has it.
_LAG = """
SELECT extract(epoch FROM percentile_disc(0.99) WITHIN GROUP (
           ORDER BY coalesce(published_at, clock_timestamp()) - recorded_at))::float8
FROM public.outbox WHERE id > $1
"""


async def newest(conn: asyncpg.Connection[asyncpg.Record]) -> int:
    """The id of the newest event."""
    return int(await conn.fetchval("SELECT coalesce(max(id), 0) FROM public.outbox"))


async def lag_p99(conn: asyncpg.Connection[asyncpg.Record], *, after: int) -> float:
    """How many seconds events newer than `after` waited; those that still wait do so till now."""
    return float(await conn.fetchval(_LAG, after) or 0.0)


async def drained(
    conn: asyncpg.Connection[asyncpg.Record], *, seconds_max: float = DRAIN_SECONDS_MAX
) -> float | None:
    """Wait until every event has left, so that the next measure stands alone; seconds, or None."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds_max:
        if not await conn.fetchval(_WAITING):
            return time.monotonic() - begun
        await asyncio.sleep(0.1)
    return None


async def rate(conn: asyncpg.Connection[asyncpg.Record]) -> float:
    """Events a second while there are many, or while there are any."""
    before = int(await conn.fetchval(_PUBLISHED))
    begun = time.perf_counter()
    await drained(conn, seconds_max=RATE_SECONDS)
    published = int(await conn.fetchval(_PUBLISHED)) - before
    return published / (time.perf_counter() - begun)
