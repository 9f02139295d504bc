"""What an earn and a read cost at many accounts and at few (P13): two stacks side by side.

They are driven in turns, within the same minutes of the same machine, and each turn is a ratio of
its own: what else the machine does then changes both.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from tests.bench import gates, platform
from tests.bench.driving import ACCUMULATE, READ, Drives
from tests.bench.measures import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Both stacks, one after the other."""

    many: Mapping[str, Measure]
    few: Mapping[str, Measure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Linearity:
    """All turns, and the gates that failed."""

    turns: Sequence[Turn]
    many_accounts: int
    few_accounts: int
    faults: Sequence[str]


async def measure(drives: Drives) -> Linearity:
    """Start a second stack with few accounts and drive both; it ends with the measurement."""
    size = drives.size
    async with contextlib.AsyncExitStack() as ends:
        stack = await asyncio.to_thread(platform.start, "few")
        ends.push_async_callback(asyncio.to_thread, platform.stop, stack.layout)
        conn = await asyncpg.connect(stack.admin_url(), command_timeout=600)
        ends.push_async_callback(conn.close)
        world = await platform.people(stack, accounts=size.few_accounts)
        few = Drives(stack, world, size, conn)
        for one in (drives, few):
            await one.drive(ACCUMULATE)
        turns = [await _turn(drives, few, number) for number in range(size.turns)]
        faults = [*await _faults(drives, [turn.many for turn in turns])]
        faults += await _faults(few, [turn.few for turn in turns])
    return Linearity(
        turns=turns,
        many_accounts=drives.world.accounts,
        few_accounts=world.accounts,
        faults=faults,
    )


async def _turn(many: Drives, few: Drives, number: int) -> Turn:
    """The same of both, of which the one comes first this time and the other the next."""
    found: dict[Drives, dict[str, Measure]] = {many: {}, few: {}}
    order = [many, few] if number % 2 == 0 else [few, many]
    for name in (ACCUMULATE, READ):
        for one in order:
            found[one][name] = await one.drive(name)
    return Turn(many=found[many], few=found[few])


async def _faults(drives: Drives, driven: Sequence[Mapping[str, Measure]]) -> list[str]:
    wrong = [fault for measures in driven for fault in gates.wrong_answers(measures)]
    return [*wrong, *await gates.books(drives)]
