"""Redis away: codes are closed, everything else goes on (reliability 2, row 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from loyalty.points.v1 import points_pb2 as pb
from redis.asyncio import Redis

from deploy.local.ports import free_port
from services.chassis.runner import open_redis
from tests.points.house import House, new_id, refusal_of


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    """A client of a Redis that is not there."""
    client = open_redis(f"redis://127.0.0.1:{free_port()}/0")
    yield client
    await client.aclose()


async def test_no_code_is_looked_at_while_redis_is_away(house: House) -> None:
    """Fail closed: wrong tries could not be counted; UNAVAILABLE, worth asking again soon."""
    for code in ("407", "999"):
        refusal = await house.refused(typed_code=pb.TypedCodeOrigin(points_code=code, points=1))
        assert (refusal.code, refusal.retry_after_seconds) == ("codes_unavailable", 5)
    grant = await refusal_of(house.stub.GrantMultiPoint(house.grant_request(5)))
    assert (grant.code, grant.status) == ("codes_unavailable", grpc.StatusCode.UNAVAILABLE)
    assert await house.balance() == 0


async def test_scans_tablet_till_and_rewards_go_on_without_redis(house: House) -> None:
    await house.earn(scan=await house.scan())
    await house.earn(tablet=pb.TabletOrigin())
    await house.earn(till=pb.TillOrigin(points=10))
    await house.adjust(3)
    reward = new_id()
    await house.debit(5, reward_id=reward)
    await house.give_back(reward)
    assert await house.balance() == 15
