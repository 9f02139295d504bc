"""`make bench`: everything in its order, a table of each part, the goals, and JSON.

`QUICK=1` measures little of everything; `ONLY=soak` (or fanout, rounds, linearity, ending, with
commas between them) some parts by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import asyncpg

from deploy.local.layout import ROOT
from tests.bench import (
    driving,
    ending,
    fanout,
    linearity,
    platform,
    report,
    rounds,
    sizes,
    soak,
    yardstick,
)
from tests.bench.driving import Drives
from tests.bench.flush import Flush
from tests.bench.goals import Run
from tests.bench.linearity import Linearity
from tests.bench.platform import Platform
from tests.bench.rounds import Round
from tests.bench.sizes import Size


async def main() -> int:
    """All that is asked for; 1 when a gate failed in any."""
    size = sizes.of()
    begun = time.monotonic()
    flush = Flush(platform.data_folder())
    flush.build()
    with flush.preloaded():
        stack = await asyncio.to_thread(platform.start)
    async with contextlib.AsyncExitStack() as ends:
        ends.push_async_callback(asyncio.to_thread, platform.stop, stack.layout)
        conn = await asyncpg.connect(stack.admin_url(), command_timeout=600)
        ends.push_async_callback(conn.close)
        run = await _measure(stack, size, flush, conn)
    run = run.after(seconds=time.monotonic() - begun)
    print(report.summary(run))
    path = report.keep(run, size=_recorded(size, flush))
    print(f"\n{run.seconds:.0f} s; written to {path.relative_to(ROOT)}")
    return int(bool(run.faults))


async def _measure(
    stack: Platform, size: Size, flush: Flush, conn: asyncpg.Connection[asyncpg.Record]
) -> Run:
    begun = time.monotonic()
    world = await platform.people(stack, accounts=size.few_accounts)
    drives = Drives(stack, world, size, conn)
    sent = await fanout.measure(stack, size) if sizes.FANOUT in size.parts else None
    if sent:
        _say(report.of_fanout(sent), begun)
    taken: list[Round] = []
    if set(size.parts) - {sizes.FANOUT}:
        await platform.load(stack, world, accounts=size.accounts)
    # Early: a stack that has measured for minutes has more to write back than one just started.
    linear = await _linearity(drives, flush) if sizes.LINEARITY in size.parts else None
    if linear:
        _say(report.of_linearity(linear), begun)
    if {sizes.ROUNDS, sizes.ENDING} & set(size.parts):
        await yardstick.prepare(stack, world)
    if sizes.ROUNDS in size.parts:
        async for number, one in rounds.several(drives, flush, begun=begun):
            taken.append(one)
            _say(report.of_round(number, one), begun)
    soaked = await soak.measure(drives) if sizes.SOAK in size.parts else None
    if soaked:
        _say(report.of_soak(soaked), begun)
    ended = await ending.measure(drives) if sizes.ENDING in size.parts else None
    if ended:
        _say(report.of_ending(ended), begun)
    return Run(
        fanout=sent,
        rounds=taken,
        linearity=linear,
        soak=soaked,
        ending=ended,
        replays=stack.replays(),
    )


async def _linearity(drives: Drives, flush: Flush) -> Linearity:
    """Both stacks' PostgreSQL behind the same library, which delays nothing here."""
    with flush.preloaded():
        return await linearity.measure(drives)


def _say(part: str, begun: float) -> None:
    print(f"{part}\n  after {time.monotonic() - begun:.0f} s", flush=True)


def _recorded(size: Size, flush: Flush) -> Mapping[str, Any]:
    """The size for the record."""
    return {
        **asdict(size),
        "connections": driving.CONNECTIONS,
        "emulated_flush": flush.works,
        "postgres": platform.POSTGRES,
    }


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except sizes.SizeUnknown as unknown:
        sys.exit(str(unknown))
