"""Points on real engines: one database for the session, chains of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from loyalty.points.v1.points_pb2_grpc import PointsServiceStub
from redis.asyncio import Redis

from deploy.local.databases import DatabaseUrls
from services.chassis import grpc_client
from services.chassis.clock import BusinessClock, FixedClock
from services.chassis.grpc_server import GrpcServer
from services.chassis.postgres import Pool, create_pool
from services.chassis.runner import open_redis
from services.points import rpc
from services.points.usecases import deps as tools
from services.points.usecases.earn_queue import EarnQueue
from tests.engines import Postgres
from tests.points.house import SECRET, START, House
from tests.points.till import SPEND_1, Till

# What it asserts is told with its values.
pytest.register_assert_rewrite("tests.points.walk")


@pytest.fixture(scope="session")
async def points_urls(postgres: Postgres) -> DatabaseUrls:
    """The addresses of the points database."""
    return await postgres.create_database("points")


@pytest.fixture(scope="session")
async def points_pool(points_urls: DatabaseUrls) -> AsyncIterator[Pool]:
    """The points database, with the rights of the service's own role."""
    pool = await create_pool(points_urls.service_url, size_max=8, name="points-tests")
    yield pool
    await pool.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client as the service has it."""
    client = open_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def house(points_pool: Pool, redis: Redis) -> AsyncIterator[House]:
    """The points service over its own wire, with chain A open for business."""
    clock = FixedClock(START)
    deps = tools.assemble(pool=points_pool, clock=BusinessClock(clock), redis=redis, secret=SECRET)
    queue = EarnQueue(deps)
    server = GrpcServer("127.0.0.1:0")
    server.register(rpc.register(deps, queue), rpc.STATUS)
    await server.start()
    channel = grpc_client.channel(f"127.0.0.1:{server.port}", deadline_seconds=30)
    house = House(deps=deps, queue=queue, stub=PointsServiceStub(channel), clock=clock)
    await house.open()
    yield house
    await channel.close(None)
    await server.stop(0)
    await queue.drain()


@pytest.fixture
async def till(house: House) -> Till:
    """A till in Alice's salon, where a dollar is a point."""
    till = Till(house=house)
    await till.rules(SPEND_1)
    return till
