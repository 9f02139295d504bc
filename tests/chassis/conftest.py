"""A database with the plumbing's tables, and clients of the run's engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from deploy.local.databases import DatabaseUrls
from services.chassis.postgres import Pool, create_pool
from services.chassis.runner import open_redis
from tests import engines


@pytest.fixture
async def urls(postgres: engines.Postgres) -> DatabaseUrls:
    """A database of this test's own, with nothing but the plumbing's tables."""
    return await postgres.create_database("chassis")


@pytest.fixture
async def pool(urls: DatabaseUrls) -> AsyncIterator[Pool]:
    """A pool with the service's own rights."""
    opened = await create_pool(urls.service_url, size_max=10, name="test")
    yield opened
    await opened.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """An emptied Redis."""
    client = open_redis(redis_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def chain() -> UUID:
    """A chain that no other test knows."""
    return uuid4()
