"""`make bench`: rounds of yardstick and platform in turns, gates after each, a table and JSON."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import asyncpg

from deploy.local.layout import ROOT
from tests.bench import gates, platform, report, yardstick
from tests.bench.measures import Measure, measure
from tests.bench.platform import Platform, World, account_id

CONNECTIONS = 64
# Ids that the driver draws from; the accounts behind them are spread over the whole table.
SAMPLE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything."""

    accounts: int
    rounds: int
    seconds: int
    idle_earns: int


QUICK = Size(accounts=20_000, rounds=2, seconds=5, idle_earns=400)
FULL = Size(accounts=1_000_000, rounds=5, seconds=10, idle_earns=2_000)


def child(module: str, orders: dict[str, Any], env: dict[str, str] | None = None) -> dict[str, Any]:
    """What a process of its own measures."""
    ended = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(orders),
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise RuntimeError(f"{module} failed:\n{ended.stderr}")
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


class Bench:
    """The measurements of one run."""

    def __init__(self, stack: Platform, world: World, size: Size) -> None:
        self._stack = stack
        self._world = world
        self._size = size
        step = max(1, world.accounts // SAMPLE)
        self._accounts = [account_id(n) for n in range(1, world.accounts + 1, step)]

    async def drive(
        self, kind: str, accounts: list[str], connections: int = CONNECTIONS
    ) -> Measure:
        """One measurement over HTTP."""
        host, port = self._stack.host_port
        orders = {
            "host": host,
            "port": port,
            "token": self._world.chain.api_key,
            "kind": kind,
            "accounts": accounts,
            "location_id": self._world.chain.salon_id,
            "definition_id": self._world.definition_id,
            "connections": connections,
            "seconds": self._size.seconds,
        }
        said = await asyncio.to_thread(child, "tests.bench.driver", orders)
        taken = measure(said["times"], rate=len(said["times"]) / self._size.seconds)
        return Measure(
            rate=taken.rate,
            p50_ms=taken.p50_ms,
            p99_ms=taken.p99_ms,
            statuses=said["statuses"],
            accepted=said["statuses"].get("200", 0),
            driver_cpu=said["driver_cpu"],
        )

    async def idle(self) -> dict[str, Any]:
        """One earn at a time, with and without the service's queue."""
        orders = {
            "chain_id": self._world.chain_id,
            "location_id": self._world.chain.salon_id,
            "accounts": self._accounts[:100],
            "earns": self._size.idle_earns,
        }
        return await asyncio.to_thread(child, "tests.bench.idle", orders, self._stack.env("points"))

    async def round(self, conn: asyncpg.Connection[asyncpg.Record]) -> dict[str, Measure]:
        """Yardstick and platform in turns; events drain before the next measurement begins."""

        async def ours(kind: str, accounts: list[str], connections: int = CONNECTIONS) -> Measure:
            taken = await self.drive(kind, accounts, connections)
            print(f"  {kind} × {connections}: {taken.rate:,.0f} a second", flush=True)
            if await platform.drained(conn) is None:
                print("  the outbox did not drain in time; the next figure has company", flush=True)
            return taken

        async def theirs(script: str, clients: int) -> Measure:
            seconds = self._size.seconds
            return await yardstick.run(
                self._stack, self._world, script, clients=clients, seconds=seconds
            )

        return {
            "pgbench_8": await theirs("earn", 8),
            "accumulate": await ours("accumulate", self._accounts),
            "pgbench_64": await theirs("earn", 64),
            "hot": await ours("accumulate", self._accounts[:1]),
            "read": await ours("read", self._world.members),
            "pgbench_pairs": await theirs("pairs", 8),
            "pairs": await ours("pairs", self._world.members),
            "single": await ours("accumulate", self._accounts, 1),
        }


async def main() -> int:
    """All rounds; 1 when a gate failed in any."""
    size = QUICK if os.environ.get("QUICK", "0") not in ("", "0") else FULL
    begun = time.monotonic()
    stack = await asyncio.to_thread(platform.start)
    rounds: list[report.Round] = []
    try:
        world = await platform.people(stack, accounts=size.accounts)
        await yardstick.prepare(stack, world)
        bench = Bench(stack, world, size)
        conn = await asyncpg.connect(stack.admin_url())
        accepted = 0
        for number in range(1, size.rounds + 1):
            measures = await bench.round(conn)
            idle = await bench.idle()
            await platform.drained(conn)
            accepted += idle["accepted"]
            accepted += sum(measures[name].accepted for name in ("accumulate", "hot", "single"))
            faults = await gates.broken(stack, conn, accepted=accepted)
            rounds.append(report.Round(measures=measures, idle=idle, faults=faults))
            print(report.one(number, rounds[-1]), flush=True)
        await conn.close()
    finally:
        await asyncio.to_thread(platform.stop, stack.layout)
    print(report.summary(rounds))
    path = report.keep(rounds, size=vars_of(size), seconds=time.monotonic() - begun)
    print(f"\n{time.monotonic() - begun:.0f} s; written to {path.relative_to(ROOT)}")
    return int(any(round.faults for round in rounds))


def vars_of(size: Size) -> dict[str, int]:
    """The size for the record."""
    return {
        "accounts": size.accounts,
        "rounds": size.rounds,
        "seconds": size.seconds,
        "connections": CONNECTIONS,
    }


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
