"""The Redis client of a service process."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from services.chassis.runner import open_redis
from tests.engines import Redis as RedisServer


async def test_a_connection_that_a_restart_cut_is_replaced(tmp_path: Path) -> None:
    """Reliability 5: a Redis that is back is not taken for one that is away; an absent one is."""
    server = RedisServer(tmp_path)
    server.start()
    client = open_redis(server.url)
    try:
        assert await client.ping()
        server.stop()
        with pytest.raises(RedisConnectionError):
            await client.ping()
        server.start()
        assert await client.ping()
        server.stop()
        server.start()
        assert await client.ping()
    finally:
        await client.aclose()
        server.stop()
