"""Rounds of yardstick and platform in turns, gates after each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from tests.bench import gates, relay, yardstick
from tests.bench.driving import ACCUMULATE, HALF, HOT, PAIRS, READ, SINGLE, SLOW, Drives
from tests.bench.flush import Flush
from tests.bench.measures import Measure
from tests.bench.places import account_id
from tests.bench.process import child

# Of the round's own rate, in an open loop: what a caller feels who does not wait for others.
HALF_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: its measures, the queue's cost when idle, and the gates that failed."""

    measures: Mapping[str, Measure]
    # Medians of one earn at a time inside of points, with and without its queue.
    idle_ms: Mapping[str, float]
    # The median of a gRPC call that does nothing.
    echo_ms: float
    # How often events of before were published again meanwhile, which holds up new ones.
    replays: int
    faults: Sequence[str]


async def several(
    drives: Drives, flush: Flush, *, begun: float
) -> AsyncIterator[tuple[int, Round]]:
    """Round after round, as many as there should be or as there is time for."""
    size, longest = drives.size, 0.0
    for number in range(1, size.rounds + 1):
        started = time.monotonic()
        if number > 1 and started - begun + longest > size.rounds_until_seconds:
            print(f"\nno time for more than {number - 1} rounds", flush=True)
            return
        taken = await one(drives, flush)
        longest = max(longest, time.monotonic() - started)
        yield number, taken


async def one(drives: Drives, flush: Flush) -> Round:
    """A round, and what it leaves in the books."""
    before = drives.stack.replays()
    measures = await _measures(drives, flush)
    echo = await asyncio.to_thread(
        child, "tests.bench.echo", {"seconds": drives.size.short_seconds}
    )
    idle = await _idle(drives)
    return Round(
        measures=measures,
        idle_ms=idle,
        echo_ms=echo["p50_ms"],
        replays=drives.stack.replays() - before,
        faults=await gates.broken(drives, measures),
    )


async def _measures(drives: Drives, flush: Flush) -> dict[str, Measure]:
    taken = {
        "pgbench_8": await _yardstick(drives, "earn", 8),
        ACCUMULATE: await drives.drive(ACCUMULATE),
        "pgbench_64": await _yardstick(drives, "earn", 64),
        HOT: await drives.drive(HOT),
        READ: await drives.drive(READ),
        "pgbench_pairs": await _yardstick(drives, "pairs", 8),
        PAIRS: await drives.drive(PAIRS),
        "pgbench_1": await _yardstick(drives, "earn", 1),
        SINGLE: await drives.drive(SINGLE),
    }
    taken[HALF] = await drives.drive(HALF, rate=taken[ACCUMULATE].rate * HALF_SHARE)
    if flush.works:
        with flush.slow():
            taken["pgbench_slow"] = await _yardstick(drives, "earn", 64)
            taken[SLOW] = await drives.drive(SLOW)
    return taken


async def _yardstick(drives: Drives, script: str, clients: int) -> Measure:
    size = drives.size
    seconds = size.short_seconds if clients == 1 else size.seconds
    return await yardstick.run(
        drives.stack, drives.world, script, clients=clients, seconds=int(seconds)
    )


async def _idle(drives: Drives) -> dict[str, float]:
    """One earn at a time, with and without the service's queue."""
    world = drives.world
    orders = {
        "chain_id": world.chain_id,
        "location_id": world.chain.salon_id,
        "accounts": [account_id(place) for place in range(1, 101)],
        "earns": drives.size.idle_earns,
    }
    said = await asyncio.to_thread(child, "tests.bench.idle", orders, drives.stack.env("points"))
    drives.accepted += said["accepted"]
    await relay.drained(drives.conn)
    return {way: said[way] for way in ("with", "without")}
