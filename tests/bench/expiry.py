"""One sweep for points that end, in a process of its own, as the service does it.

`python -m tests.bench.expiry` runs in the environment of points and prints what it did as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import uvloop
from redis.asyncio import Redis

from services.chassis.clock import BusinessClock, SystemClock
from services.chassis.postgres import create_pool
from services.points.settings import Settings
from services.points.storage.due import DueKind
from services.points.usecases import deps as tools
from services.points.usecases import sweeps


async def main() -> dict[str, Any]:
    """How many accounts, and in how many seconds."""
    settings = Settings()
    pool = await create_pool(settings.database_url, size_max=4, name="bench expiry")
    redis = Redis.from_url(settings.redis_url)
    deps = tools.assemble(
        pool=pool,
        clock=BusinessClock(SystemClock(), pool),
        redis=redis,
        secret=settings.secret_key.get_secret_value(),
    )
    begun = time.perf_counter()
    accounts = await sweeps.sweep(deps, DueKind.EXPIRY)
    seconds = time.perf_counter() - begun
    await pool.close()
    await redis.aclose()
    return {"accounts": accounts, "seconds": seconds, "cpu_seconds": time.process_time()}


if __name__ == "__main__":
    uvloop.install()
    sys.stdout.write(json.dumps(asyncio.run(main())))
