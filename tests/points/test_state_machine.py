"""Walks at random over earn, adjust, sale, refund, exchange, expire, take and return.

The service on real PostgreSQL and a plain model take the same steps and must agree after each: on
refusals, balance, what ends when, and in the end on every entry and every lot. The seed is
printed; `POINTS_SEED` walks again.
"""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from services.points.storage import checks
from tests.chaos.scale import scaled, show
from tests.points.house import House
from tests.points.walk import Walk

WALKS = 2_000
# Each is another chain: they hide each other's waiting.
AT_ONCE = 8


async def walks(house: House, count: int) -> None:
    """So many walks, several at a time; the first that fails tells its steps."""
    seed = os.environ.get("POINTS_SEED") or str(random.SystemRandom().randrange(10**9))
    show("walks through the ledger", POINTS_SEED=seed, walks=count)
    room = asyncio.Semaphore(AT_ONCE)
    chains: set[str] = set()

    async def walk(number: int) -> None:
        async with room:
            mine = House(deps=house.deps, queue=house.queue, stub=house.stub, clock=house.clock)
            chains.add(mine.chain_id)
            walking = Walk(house=mine, chance=random.Random(f"{seed}/{number}"))
            try:
                await walking.run()
            except Exception as error:
                steps = "\n  ".join(walking.steps)
                error.add_note(f"POINTS_SEED={seed}, walk {number}, now {walking.now}:\n  {steps}")
                raise

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(walk(number))
    async with house.deps.pool.acquire() as conn:
        _, findings = await checks.examine(conn, outbox_kept_days=10_000)
    broken = [b for finding in findings for b in finding.named if b.chain_id in chains]
    assert broken == []


@pytest.mark.timeout(600)
async def test_service_and_model_agree_on_any_walk(house: House) -> None:
    """A tenth of the walks of `make chaos`."""
    await walks(house, WALKS // 10)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
async def test_service_and_model_agree_on_many_walks(house: House) -> None:
    """SQ-30 to SQ-45, SQ-64 to SQ-68, D2 to D14, D35, D37, N3: 2,000 walks of up to fifty steps."""
    count = scaled(WALKS)
    if count <= WALKS // 10:
        pytest.skip("a tenth of them run with the other tests of points")
    await walks(house, count)
