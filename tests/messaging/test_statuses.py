"""What a provider says later of a message: deliveries move forward only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc

from services.chassis.errors import RemoteRefusal
from services.messaging import rpc
from services.messaging.domain.chain import ChainId
from services.messaging.usecases import outcomes, sending
from services.messaging.usecases.sending import Claimed
from tests.messaging.conftest import MessagingHarness
from tests.messaging.wire import serving

Door = messaging_pb2_grpc.MessagingServiceStub


@pytest.fixture
async def door(messaging: MessagingHarness) -> AsyncIterator[Door]:
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        yield messaging_pb2_grpc.MessagingServiceStub(channel)


async def sent(messaging: MessagingHarness) -> tuple[ChainId, str]:
    """A live chain's welcome that Twilio has taken, with Twilio's id."""
    chain_id = await messaging.chain(sandbox=False)
    await messaging.enroll(chain_id)
    await messaging.drain()
    found: str = await messaging.pool.fetchval(
        "SELECT provider_message_id FROM delivery WHERE chain_id = $1", chain_id
    )
    return chain_id, found


async def say(door: Door, message_id: str, status: str, error_code: str = "") -> bool:
    request = pb.ReceiveStatusRequest(
        provider_message_id=message_id, status=status, error_code=error_code
    )
    return (await door.ReceiveStatus(request)).moved


async def test_a_message_that_arrived_stays_arrived(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: any order, repeated; one event."""
    chain_id, message_id = await sent(messaging)
    said = ["queued", "sent", "delivered", "delivered", "sent", "undelivered", "failed", "?"]
    moved = [await say(door, message_id, one) for one in said]
    assert moved == [one == "delivered" and number == 2 for number, one in enumerate(said)]
    assert await messaging.states(chain_id) == [("DELIVERED", "")]
    assert [one for one in await messaging.told(chain_id) if one[0] == "delivery.delivered"] == [
        ("delivery.delivered", "DELIVERED")
    ]


async def test_a_message_that_did_not_arrive_has_failed(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: with the provider's reason; told at once from many sides, it moves once."""
    chain_id, message_id = await sent(messaging)
    moved = await asyncio.gather(*(say(door, message_id, "undelivered", "30003") for _ in range(5)))
    assert sum(moved) == 1
    assert await messaging.states(chain_id) == [("FAILED", "undelivered_30003")]
    assert ("delivery.failed", "FAILED") in await messaging.told(chain_id)


async def test_a_status_that_comes_before_the_answer_is_not_lost(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: Twilio's callback may overtake what this process is about to write."""
    chain_id = await messaging.chain(sandbox=False)
    await messaging.enroll(chain_id)
    claimed = await sending.claim_next(messaging.deps)
    assert isinstance(claimed, Claimed)
    outcome = await sending.hand_over(messaging.deps, claimed)
    (taken,) = messaging.twilio.taken
    assert await say(door, taken["sid"], "delivered") is False
    await outcomes.record_outcome(
        messaging.deps, claimed.delivery, outcome, provider=claimed.provider.name
    )
    assert await messaging.states(chain_id) == [("DELIVERED", "")]
    assert await messaging.pool.fetchval("SELECT count(*) FROM provider_status") == 0


async def test_a_status_of_nobodys_message_changes_nothing(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: nor does one without an id."""
    chain_id, _ = await sent(messaging)
    assert await say(door, "SMunknown", "delivered") is False
    assert await messaging.states(chain_id) == [("SENT", "")]
    with pytest.raises(RemoteRefusal) as refused:
        await say(door, "", "delivered")
    assert refused.value.code == "provider_message_id_invalid"
