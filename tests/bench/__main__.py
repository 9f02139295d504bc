"""`make bench`: rounds of yardstick and platform in turns, gates after each, a table and JSON."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from deploy.local.layout import ROOT
from tests.bench import ending, gates, platform, processors, report, yardstick
from tests.bench.flush import Flush
from tests.bench.measures import Measure, measure
from tests.bench.platform import Platform, World, account_id
from tests.bench.process import child

CONNECTIONS = 64
# Ids that the driver draws from; the accounts behind them are spread over the whole table.
SAMPLE = 20_000

# What the driver does under which name, on what, with how many connections.
ACCUMULATE, HOT, SINGLE = "accumulate", "hot", "single"
READ, PAIRS, SLOW = "read", "pairs", "accumulate_slow"
EARNING = (ACCUMULATE, HOT, SINGLE, SLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything."""

    accounts: int
    few_accounts: int
    rounds: int
    seconds: int
    idle_earns: int


QUICK = Size(accounts=20_000, few_accounts=2_000, rounds=2, seconds=3, idle_earns=400)
FULL = Size(accounts=1_000_000, few_accounts=10_000, rounds=5, seconds=10, idle_earns=2_000)


class Bench:
    """The measurements of one run."""

    def __init__(
        self,
        stack: Platform,
        world: World,
        size: Size,
        flush: Flush,
        conn: asyncpg.Connection[asyncpg.Record],
    ) -> None:
        self._stack = stack
        self._world = world
        self._size = size
        self._flush = flush
        self._conn = conn
        # Earns that were told to their callers, those of the warm-ups too.
        self.accepted = 0

    def _accounts(self, count: int) -> list[str]:
        return [account_id(n) for n in range(1, count + 1, max(1, count // SAMPLE))]

    async def drive(self, name: str, *, accounts: int | None = None) -> Measure:
        """One measurement over HTTP; its events have left before the next one begins."""
        among = self._accounts(accounts or self._world.accounts)
        kind = ACCUMULATE if name in EARNING else name
        host, port = self._stack.host_port
        orders = {
            "host": host,
            "port": port,
            "token": self._world.chain.api_key,
            "kind": kind,
            "accounts": self._world.members if name in (READ, PAIRS) else among,
            "location_id": self._world.chain.salon_id,
            "definition_id": self._world.definition_id,
            "connections": 1 if name == SINGLE else CONNECTIONS,
            "seconds": self._size.seconds,
        }
        if name == HOT:
            orders["accounts"] = among[:1]
        before = processors.seconds(self._stack.layout.run)
        said = await asyncio.to_thread(child, "tests.bench.driver", orders)
        after = processors.seconds(self._stack.layout.run)
        counts = said["statuses"]
        if kind == ACCUMULATE:
            self.accepted += counts.get("200", 0)
        taken = measure(said["times"], rate=len(said["times"]) / self._size.seconds)
        print(f"  {name}: {taken.rate:,.0f} a second", flush=True)
        if await platform.drained(self._conn) is None:
            print("  the outbox did not drain in time; the next figure has company", flush=True)
        return Measure(
            rate=taken.rate,
            p50_ms=taken.p50_ms,
            p99_ms=taken.p99_ms,
            statuses=counts,
            driver_cpu=said["driver_cpu"],
            cpu_us=processors.microseconds_each(before, after, count=sum(counts.values())),
        )

    async def _yardstick(self, script: str, clients: int) -> Measure:
        seconds = self._size.seconds
        return await yardstick.run(
            self._stack, self._world, script, clients=clients, seconds=seconds
        )

    async def idle(self) -> dict[str, float]:
        """One earn at a time, with and without the service's queue."""
        orders = {
            "chain_id": self._world.chain_id,
            "location_id": self._world.chain.salon_id,
            "accounts": self._accounts(self._world.accounts)[:100],
            "earns": self._size.idle_earns,
        }
        said = await asyncio.to_thread(child, "tests.bench.idle", orders, self._stack.env("points"))
        self.accepted += said["accepted"]
        await platform.drained(self._conn)
        return {way: said[way] for way in ("with", "without")}

    async def few(self) -> dict[str, list[Measure]]:
        """Earns and reads while there are few accounts, some times."""
        found: dict[str, list[Measure]] = {ACCUMULATE: [], READ: []}
        for _ in range(max(2, self._size.rounds // 2)):
            for name, measures in found.items():
                measures.append(await self.drive(name, accounts=self._size.few_accounts))
        return found

    async def round(self) -> dict[str, Measure]:
        """Yardstick and platform in turns."""
        taken = {
            "pgbench_8": await self._yardstick("earn", 8),
            ACCUMULATE: await self.drive(ACCUMULATE),
            "pgbench_64": await self._yardstick("earn", 64),
            HOT: await self.drive(HOT),
            READ: await self.drive(READ),
            "pgbench_pairs": await self._yardstick("pairs", 8),
            PAIRS: await self.drive(PAIRS),
            SINGLE: await self.drive(SINGLE),
        }
        if self._flush.works:
            with self._flush.slow():
                taken["pgbench_slow"] = await self._yardstick("earn", 64)
                taken[SLOW] = await self.drive(SLOW)
        return taken


async def main() -> int:
    """All rounds; 1 when a gate failed in any."""
    size = QUICK if os.environ.get("QUICK", "0") not in ("", "0") else FULL
    begun = time.monotonic()
    flush = Flush(platform.data_folder())
    flush.build()
    with flush.preloaded():
        stack = await asyncio.to_thread(platform.start)
    async with contextlib.AsyncExitStack() as ends:
        ends.push_async_callback(asyncio.to_thread, platform.stop, stack.layout)
        conn = await asyncpg.connect(stack.admin_url())
        ends.push_async_callback(conn.close)
        run = await _measure(stack, size, flush, conn)
    run = run.after(seconds=time.monotonic() - begun)
    print(report.summary(run))
    path = report.keep(run, size=_recorded(size, flush))
    print(f"\n{run.seconds:.0f} s; written to {path.relative_to(ROOT)}")
    return int(run.broken)


async def _measure(
    stack: Platform, size: Size, flush: Flush, conn: asyncpg.Connection[asyncpg.Record]
) -> report.Run:
    world = await platform.people(stack, accounts=size.few_accounts)
    bench = Bench(stack, world, size, flush, conn)
    few = await bench.few()
    await platform.load(stack, world, accounts=size.accounts)
    await yardstick.prepare(stack, world)
    rounds: list[report.Round] = []
    for number in range(1, size.rounds + 1):
        measures = await bench.round()
        idle = await bench.idle()
        faults = await gates.broken(stack, conn, measures, accepted=bench.accepted)
        rounds.append(report.Round(measures=measures, idle=idle, faults=faults))
        print(report.one(number, rounds[-1]), flush=True)
    ended = await ending.measure(stack, world, accounts=size.accounts)
    print(report.of_ending(ended), flush=True)
    return report.Run(rounds=rounds, few=few, ending=ended)


def _recorded(size: Size, flush: Flush) -> Mapping[str, Any]:
    """The size for the record."""
    return {**asdict(size), "connections": CONNECTIONS, "emulated_flush": flush.works}


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
