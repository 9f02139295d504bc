"""Twilio's webhooks from the gateway's door to the database: one effect, or none."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loyalty.messaging.v1 import messaging_pb2_grpc
from twilio.request_validator import RequestValidator

from services.messaging import rpc
from services.messaging.domain.chain import ChainId
from services.messaging.domain.consent import Channel
from tests.gateway.test_twilio_webhooks import PUBLIC_URL, TOKEN, post
from tests.messaging.conftest import PHONE, SHARED_NUMBER, MessagingHarness
from tests.messaging.wire import serving

SMS, STATUS = "/webhooks/twilio/sms", "/webhooks/twilio/status"


@pytest.fixture
async def door(messaging: MessagingHarness) -> AsyncIterator[Any]:
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        yield messaging_pb2_grpc.MessagingServiceStub(channel)


def text(message_id: str, body: str) -> dict[str, str]:
    return {"MessageSid": message_id, "From": PHONE, "To": SHARED_NUMBER, "Body": body}


def told(message_id: str, status: str) -> dict[str, str]:
    return {"MessageSid": message_id, "MessageStatus": status, "ErrorCode": ""}


async def member(messaging: MessagingHarness) -> tuple[ChainId, str]:
    """A live chain whose welcome has left, with Twilio's id of it."""
    chain_id = await messaging.chain(sandbox=False)
    await messaging.enroll(chain_id, grants=[Channel.SMS], phone_verified=True)
    await messaging.drain()
    found: str = await messaging.pool.fetchval("SELECT provider_message_id FROM delivery")
    return chain_id, found


async def test_texts_five_times_over_have_one_effect_each(
    messaging: MessagingHarness, door: Any
) -> None:
    """LS-77, LS-79: STOP, then YES; late copies, at once and shuffled, do nothing."""
    chain_id, _ = await member(messaging)
    stop, yes = text("SM1", "STOP"), text("SM2", "OUI")
    await asyncio.gather(*(post(door, SMS, stop) for _ in range(5)))
    assert await messaging.granted(chain_id) is False
    await asyncio.gather(*(post(door, SMS, yes) for _ in range(5)))
    again = [stop, yes] * 5
    random.Random(4).shuffle(again)
    answers = await asyncio.gather(*(post(door, SMS, one) for one in again))
    assert {one.status_code for one in answers} == {200}
    assert await messaging.granted(chain_id) is True
    assert await messaging.acts(chain_id) == [
        ("SMS", True, "ENROLLMENT"),
        ("SMS", False, "SMS_STOP"),
        ("SMS", True, "SMS_YES"),
    ]
    await messaging.drain()
    assert len(messaging.twilio.taken) == 3


async def test_statuses_five_times_over_and_out_of_order_move_it_once(
    messaging: MessagingHarness, door: Any
) -> None:
    """LS-60: whichever end comes first stays; one event tells of it."""
    chain_id, message_id = await member(messaging)
    said = ["queued", "sent", "sending"] * 5
    random.Random(4).shuffle(said)
    for status in ["delivered", *said, "delivered", "failed"]:
        answer = await post(door, STATUS, told(message_id, status))
        assert answer.status_code == 204
    assert await messaging.states(chain_id) == [("DELIVERED", "")]
    events = await messaging.told(chain_id)
    assert [one for one in events if one[1] in {"DELIVERED", "FAILED"}] == [
        ("delivery.delivered", "DELIVERED")
    ]


@pytest.mark.parametrize("other", [SMS + "?a=1", STATUS, SMS + "/", "/webhooks/twilio/SMS"])
async def test_a_signature_for_another_of_our_addresses_has_no_effect(
    messaging: MessagingHarness, door: Any, other: str
) -> None:
    """LS-79: nor a bad one; five times each, and the true one works afterwards."""
    chain_id, _ = await member(messaging)
    stop = text("SM1", "STOP")
    elsewhere = RequestValidator(TOKEN).compute_signature(PUBLIC_URL + other, stop)
    for signature in (elsewhere, "bad") * 5:
        assert (await post(door, SMS, stop, signature=signature)).status_code == 403
    assert await messaging.granted(chain_id) is True
    assert await messaging.pool.fetchval("SELECT count(*) FROM inbound_sms") == 0
    assert (await post(door, SMS, stop)).status_code == 200
    assert await messaging.granted(chain_id) is False
