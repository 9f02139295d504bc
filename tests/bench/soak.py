"""A long time at full speed: what is left of the rate, and what becomes of the accounts (P17)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from tests.bench import gates, relay
from tests.bench.driving import ACCUMULATE, Drives
from tests.bench.measures import Measure

# The server keeps the counters of a session back for up to a second.
_TABLE = """
SELECT n_tup_upd AS updates, n_tup_hot_upd AS hot,
       pg_relation_size('public.account') AS bytes,
       pg_total_relation_size('public.account') AS bytes_with_indexes
FROM pg_stat_user_tables WHERE schemaname = 'public' AND relname = 'account'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """Earns for a long time: the beginning, the end, and the table of accounts."""

    seconds: float
    window_seconds: float
    first: Measure
    last: Measure
    # Of the updates of accounts, those that touched no index.
    hot_share: float
    updates: int
    # The table's size afterwards over that before; with its indexes too.
    growth: float
    growth_with_indexes: float
    lag_p99_s: float
    # Until the relay had caught up; None: it had not, in its time.
    drained_seconds: float | None
    faults: Sequence[str]


async def measure(drives: Drives) -> Soak:
    """Earn without a pause, from all connections, then look at the books and at the table."""
    size, conn = drives.size, drives.conn
    lags = drives.stack.lags()
    before = await _table(conn)
    driven = await drives.run(ACCUMULATE, seconds=size.soak_seconds)
    drained = await relay.drained(conn)
    after = await _table(conn)
    updates = after["updates"] - before["updates"]
    window = size.soak_window_seconds
    first, last = (
        driven.between(0.0, window),
        driven.between(size.soak_seconds - window, size.soak_seconds),
    )
    return Soak(
        seconds=size.soak_seconds,
        window_seconds=window,
        first=first,
        last=last,
        hot_share=(after["hot"] - before["hot"]) / max(updates, 1),
        updates=updates,
        growth=after["bytes"] / before["bytes"],
        growth_with_indexes=after["bytes_with_indexes"] / before["bytes_with_indexes"],
        lag_p99_s=await relay.lag_p99(conn, before=lags, after=drives.stack.lags()),
        drained_seconds=drained,
        faults=await gates.broken(drives, {"soak": last}),
    )


async def _table(conn: asyncpg.Connection[asyncpg.Record]) -> asyncpg.Record:
    await conn.execute("SELECT pg_stat_clear_snapshot()")
    row = await conn.fetchrow(_TABLE)
    assert row is not None
    return row
