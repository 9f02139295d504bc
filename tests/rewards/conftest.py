"""Rewards on real engines: one database for the session, a chain of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from loyalty.points.v1.points_pb2_grpc import PointsServiceStub
from loyalty.rewards.v1.rewards_pb2_grpc import RewardsServiceStub
from redis.asyncio import Redis

from services.chassis import grpc_client
from services.chassis.clock import BusinessClock, FixedClock
from services.chassis.grpc_server import GrpcServer
from services.chassis.postgres import Pool, create_pool
from services.chassis.runner import open_redis
from services.points.usecases.deps import assemble
from services.rewards import rpc
from services.rewards.clients import Points
from services.rewards.countdown import Countdowns
from services.rewards.usecases.deps import Deps
from tests.engines import Postgres
from tests.rewards.counter import Counter, Ledger, Line
from tests.rewards.house import START, House
from tests.rewards.till import Till


@pytest.fixture(scope="session")
async def rewards_pool(postgres: Postgres) -> AsyncIterator[Pool]:
    """The rewards database, with the rights of the service's own role."""
    urls = await postgres.create_database("rewards")
    pool = await create_pool(urls.service_url, size_max=12, name="rewards-tests")
    yield pool
    await pool.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client as the service has it."""
    client = open_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def points_address() -> str:
    """Where nobody answers: the points service is away, unless a test brings a real one."""
    return "127.0.0.1:1"


@pytest.fixture
async def points_stub(points_address: str) -> AsyncIterator[PointsServiceStub]:
    """The points service as rewards reaches it."""
    channel = grpc_client.channel(points_address)
    yield PointsServiceStub(channel)
    await channel.close(None)


@pytest.fixture
async def house(
    rewards_pool: Pool, redis: Redis, points_stub: PointsServiceStub
) -> AsyncIterator[House]:
    """The rewards service over its own wire, at a moment that the test moves."""
    clock = FixedClock(START)
    deps = Deps(
        pool=rewards_pool,
        clock=BusinessClock(clock),
        points=Points(points_stub),
        countdowns=Countdowns(redis),
    )
    server = GrpcServer("127.0.0.1:0")
    server.register(rpc.register(deps), rpc.STATUS)
    await server.start()
    channel = grpc_client.channel(f"127.0.0.1:{server.port}")
    yield House(deps=deps, stub=RewardsServiceStub(channel), clock=clock)
    await channel.close(None)
    await server.stop(0)


@pytest.fixture(scope="session")
async def points_pool(postgres: Postgres) -> AsyncIterator[Pool]:
    """The points database, with the rights of that service's own role."""
    urls = await postgres.create_database("points")
    pool = await create_pool(urls.service_url, size_max=8, name="points-for-rewards-tests")
    yield pool
    await pool.close()


@pytest.fixture
async def counter(rewards_pool: Pool, points_pool: Pool, redis: Redis) -> AsyncIterator[Counter]:
    """Rewards and points, each over its own wire, at a moment that the test moves."""
    clock = FixedClock(START)
    business = BusinessClock(clock)
    ledger = Ledger(assemble(pool=points_pool, clock=business, redis=redis, secret="points " * 8))
    await ledger.start()
    line = Line(ledger.stub)
    deps = Deps(pool=rewards_pool, clock=business, points=line, countdowns=Countdowns(redis))
    server = GrpcServer("127.0.0.1:0")
    server.register(rpc.register(deps), rpc.STATUS)
    await server.start()
    channel = grpc_client.channel(f"127.0.0.1:{server.port}")
    made = Counter(
        deps=deps, stub=RewardsServiceStub(channel), clock=clock, ledger=ledger, line=line
    )
    await ledger.know_chain(made.chain_id)
    await ledger.know_salon(made.chain_id, made.salon_id)
    await made.open()
    yield made
    await made.settle()
    await channel.close(None)
    await server.stop(0)
    await ledger.close()


@pytest.fixture
async def till(counter: Counter, points_pool: Pool) -> Till:
    """A till in Alice's salon, with an API key of chain A."""
    return Till(counter=counter, points_pool=points_pool)
