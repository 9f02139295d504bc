"""The outbox's way to the broker: how fast it empties, and how late an event leaves (P16)."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping

import asyncpg

DRAIN_SECONDS_MAX = 60.0
# Of the events that wait, the relay publishes as many as it can in this time.
RATE_SECONDS = 15.0

_WAITING = "SELECT EXISTS (SELECT FROM public.outbox_waiting)"
# Also what was published before and is published again.
_PUBLISHED = "SELECT coalesce(sum(next_offset), 0)::bigint FROM public.published_position"
_AGES = """
SELECT extract(epoch FROM clock_timestamp() - recorded_at)::float8 AS age
FROM public.outbox_waiting JOIN public.outbox USING (id) WHERE replayed_at IS NULL
"""


async def lag_p99(
    conn: asyncpg.Connection[asyncpg.Record],
    *,
    before: Mapping[float, float],
    after: Mapping[float, float],
) -> float:
    """How many seconds events waited, read off the relay's own counts of then and now.

    From the beginning of the transaction that wrote an event until the broker had it; those that
    still wait do so till now. As `histogram_quantile` has it: on a straight line within a bucket.
    """
    ages = [row["age"] for row in await conn.fetch(_AGES)]
    counts = {
        bound: count - before.get(bound, 0.0) + sum(age <= bound for age in ages)
        for bound, count in after.items()
    }
    return quantile(counts, share=0.99)


def quantile(counts: Mapping[float, float], *, share: float) -> float:
    """Where this share is reached of what is counted up to each bound; 0 where nothing is.

    What lies beyond the last bound is said to lie at it.
    """
    wanted = share * counts.get(math.inf, 0.0)
    start, below = 0.0, 0.0
    for bound, count in sorted(counts.items()):
        if math.isinf(bound) or not wanted:
            break
        if count >= wanted:
            return start + (bound - start) * (wanted - below) / (count - below)
        start, below = bound, count
    return start if wanted else 0.0


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
