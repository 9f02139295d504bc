"""What batching costs when nobody else is there: one earn at a time, with and without the queue.

`python -m tests.bench.idle` runs in the environment of points, reads its orders from stdin.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any
from uuid import UUID, uuid4

import uvloop
from redis.asyncio import Redis

from services.chassis.clock import BusinessClock, SystemClock
from services.chassis.postgres import create_pool, in_transaction
from services.points.domain.earning import Earn, Till
from services.points.domain.ids import AccountId, ChainId, SalonId
from services.points.domain.ledger import Actor, ActorKind
from services.points.settings import Settings
from services.points.usecases import deps as tools
from services.points.usecases.earn_batch import earn_batch
from services.points.usecases.earn_items import arrival
from services.points.usecases.earn_queue import EarnQueue
from tests.bench.measures import at


async def main(orders: dict[str, Any]) -> dict[str, Any]:
    """Medians of both ways, taken in turns so that neither has the better moment."""
    settings = Settings()
    pool = await create_pool(settings.database_url, size_max=2, name="bench idle", plans_once=True)
    clock = BusinessClock(SystemClock(), pool)
    await clock.load()
    redis = Redis.from_url(settings.redis_url)
    deps = tools.assemble(
        pool=pool,
        clock=clock,
        redis=redis,
        secret=settings.secret_key.get_secret_value(),
    )
    queue = EarnQueue(deps)
    times: dict[str, list[float]] = {"with": [], "without": []}
    for number in range(orders["earns"]):
        way = "with" if number % 2 else "without"
        earn = _earn(orders, number)
        arrived = arrival(deps, earn)
        begun = time.perf_counter()
        if way == "with":
            await queue.count([arrived])
        else:
            await in_transaction(pool, lambda conn, one=arrived: earn_batch(deps, conn, [one]))  # type: ignore[misc]
        times[way].append(time.perf_counter() - begun)
    await pool.close()
    await redis.aclose()
    medians = {way: at(sorted(taken), 0.5) * 1e3 for way, taken in times.items()}
    return {**medians, "accepted": orders["earns"]}


def _earn(orders: dict[str, Any], number: int) -> Earn:
    return Earn(
        idempotency_key=str(uuid4()),
        chain_id=ChainId(UUID(orders["chain_id"])),
        account_id=AccountId(UUID(orders["accounts"][number % len(orders["accounts"])])),
        member_id=None,
        program_id=None,
        salon_id=SalonId(UUID(orders["location_id"])),
        actor=Actor(kind=ActorKind.API_KEY, id=str(uuid4())),
        session_id="",
        occurred_at=None,
        origin=Till(points=1),
    )


if __name__ == "__main__":
    uvloop.install()
    sys.stdout.write(json.dumps(asyncio.run(main(json.load(sys.stdin)))))
