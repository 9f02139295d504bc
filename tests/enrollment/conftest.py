"""An enrollment service on engines of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from redis.asyncio import Redis

from deploy.local.databases import DatabaseUrls
from services.chassis.clock import FixedClock, SystemClock
from services.chassis.postgres import Pool, create_pool
from services.chassis.runner import open_redis
from tests import engines
from tests.enrollment.house import House


@pytest.fixture(scope="session")
async def urls(postgres: engines.Postgres) -> DatabaseUrls:
    """One database for all of these tests; each makes chains of its own."""
    return await postgres.create_database("enrollment")


@pytest.fixture(scope="session")
async def pool(urls: DatabaseUrls) -> AsyncIterator[Pool]:
    """A pool with the service's own rights."""
    opened = await create_pool(urls.service_url, size_max=10, name="test")
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of this worker's Redis."""
    client = open_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
async def house(pool: Pool, redis: Redis) -> AsyncIterator[House]:
    """The service on real time."""
    opened = House(pool=pool, redis=redis, clock=SystemClock())
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> FixedClock:
    """Time that stands still until a test moves it."""
    return FixedClock(datetime.now(UTC))


@pytest.fixture
async def timed(pool: Pool, redis: Redis, clock: FixedClock) -> AsyncIterator[House]:
    """The service on the test's own time."""
    opened = House(pool=pool, redis=redis, clock=clock)
    await opened.open()
    yield opened
    await opened.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Chain A, where Alice is a member and Bob works, and chain B, which is Charlie's."""

    a: pb.CreateChainResponse
    b: pb.CreateChainResponse


@pytest.fixture
async def neighbours(house: House) -> Neighbours:
    """Two chains that must never see anything of each other's."""
    return Neighbours(a=await house.chain("Chez Alice"), b=await house.chain("Charlie Coiffure"))
