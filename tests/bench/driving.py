"""The platform driven over HTTP: what to send, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import asyncpg

from tests.bench import processors, relay
from tests.bench.measures import Measure, measure
from tests.bench.places import account_id
from tests.bench.platform import Platform, World
from tests.bench.process import child
from tests.bench.sizes import Size

CONNECTIONS = 64
# Beyond this share of a processor the driver takes from the platform what it should measure.
DRIVER_CPU_MAX = 0.25

# What the driver does under which name, on what, with how many connections.
ACCUMULATE, HOT, SINGLE, HALF = "accumulate", "hot", "single", "half"
READ, PAIRS, SLOW = "read", "pairs", "accumulate_slow"
EARNING: Final = (ACCUMULATE, HOT, SINGLE, HALF, SLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """Every answer of one run: seconds it took, and when it came after the warm-up."""

    times: list[float]
    moments: list[float]
    seconds: float
    answers: Mapping[str, int]
    driver_cpu: float
    # The end of the warm-up, as Unix time.
    counted_from: float

    def between(self, start: float, end: float) -> Measure:
        """What was answered from one moment after the warm-up until another."""
        start, end = max(0.0, start), min(self.seconds, end)
        times = [
            taken
            for taken, moment in zip(self.times, self.moments, strict=True)
            if start <= moment < end
        ]
        found = measure(times, rate=len(times) / (end - start) if end > start else 0.0)
        return replace(found, answers=self.answers, driver_cpu=self.driver_cpu)

    @property
    def whole(self) -> Measure:
        """All of it."""
        return self.between(0.0, self.seconds)


class Drives:
    """Drives the platform, and remembers what must be found in its books."""

    def __init__(
        self,
        stack: Platform,
        world: World,
        size: Size,
        conn: asyncpg.Connection[asyncpg.Record],
    ) -> None:
        self.stack = stack
        self.world = world
        self.size = size
        self.conn = conn
        # Earns, and takes with their uses, that were told to their callers; warm-ups too.
        self.accepted = 0
        self.used = 0

    async def run(self, name: str, *, seconds: float, rate: float = 0.0) -> Driven:
        """Drive for so long, in an open loop where there is a rate."""
        kind = ACCUMULATE if name in EARNING else name
        host, port = self.stack.host_port
        accounts = {PAIRS: self.world.members, HOT: [account_id(1)]}.get(name, [])
        orders = {
            "host": host,
            "port": port,
            "token": self.world.chain.api_key,
            "kind": kind,
            "accounts": accounts,
            "places": self.world.accounts,
            "location_id": self.world.chain.salon_id,
            "definition_id": self.world.definition_id,
            "connections": 1 if name == SINGLE else CONNECTIONS,
            "seconds": seconds,
            "warm_up_seconds": self.size.warm_up_seconds,
            "rate": rate,
        }
        said = await asyncio.to_thread(child, "tests.bench.driver", orders)
        right = said["answers"].get("200", 0)
        if kind == ACCUMULATE:
            self.accepted += right
        elif kind == PAIRS:
            self.used += right
        return Driven(
            times=[micros / 1e6 for micros in said["times_us"]],
            moments=[micros / 1e6 for micros in said["moments_us"]],
            seconds=seconds,
            answers=said["answers"],
            driver_cpu=said["driver_cpu"],
            counted_from=said["counted_from"],
        )

    async def drive(self, name: str, *, rate: float = 0.0) -> Measure:
        """One measurement; its events have left before the next one begins."""
        seconds = self.size.short_seconds if name == SINGLE else self.size.seconds
        lags = self.stack.lags()
        before = processors.seconds(self.stack.layout.run)
        driven = await self.run(name, seconds=seconds, rate=rate)
        after = processors.seconds(self.stack.layout.run)
        taken = driven.whole
        print(f"  {name}: {taken.rate:,.0f} a second", flush=True)
        if await relay.drained(self.conn) is None:
            print("  the outbox did not drain in time; the next figure has company", flush=True)
        count = sum(driven.answers.values())
        return replace(
            taken,
            cpu_us=processors.microseconds_each(before, after, count=count),
            lag_p99_s=await relay.lag_p99(self.conn, before=lags, after=self.stack.lags()),
        )
