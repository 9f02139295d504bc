"""Messages to many when something goes wrong on the way (LS-59 to LS-63, ADR 0017)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.chassis.postgres import transaction
from services.messaging import jobs, rpc
from services.messaging.domain.provider import SendOutcome, TryLater, Unclear
from services.messaging.usecases import outcomes, sending, sends
from services.messaging.usecases.sending import Claimed
from tests.messaging.conftest import MessagingHarness
from tests.messaging.to_many import Door, audience, members, offer, report, send, told
from tests.messaging.wire import serving


@pytest.fixture
async def door(messaging: MessagingHarness) -> AsyncIterator[Door]:
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        yield messaging_pb2_grpc.MessagingServiceStub(channel)


async def test_words_that_fit_one_member_only_hold_up_nobody_else(
    messaging: MessagingHarness, door: Door
) -> None:
    """The check tries samples; words that then do not fit fail one message and not the sender."""
    chain_id = await messaging.chain()
    (bob,) = await members(messaging, chain_id, 1, given_name="Bob")
    (alice,) = await members(messaging, chain_id, 1, given_name="Alice", phone="+14385550001")
    words = '{{ chain }}: bonjour{% if name == "Bob" and name > 5 %} Bob{% endif %}'
    made = await send(door, chain_id, sms_body=words)
    await messaging.drain()
    assert await told(messaging, chain_id, "ANNOUNCEMENT") == [alice.phone]
    found = (await report(door, made)).report
    assert (found.sent, found.failed) == (1, 1)
    (failed,) = [one for one in await messaging.entries(chain_id) if one.state == "FAILED"]
    assert (failed.member_id, failed.reason) == (bob.member_id, "no_words")


@pytest.mark.parametrize("outcome", [TryLater(reason="provider_busy"), Unclear(reason="lost")])
async def test_what_a_provider_gives_back_after_the_stop_does_not_leave(
    messaging: MessagingHarness, door: Door, outcome: SendOutcome
) -> None:
    """LS-59, ADR 0017: the owner stops a send while a provider is being asked to take a message."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 1)
    made = await send(door, chain_id, offer_id=str(await offer(messaging, chain_id)))
    taken = await sending.claim_next(messaging.deps)
    assert isinstance(taken, Claimed)
    await door.StopSend(pb.StopSendRequest(chain_id=str(chain_id), send_id=made.send.id))
    await outcomes.record_outcome(messaging.deps, taken.delivery, outcome, provider="twilio")
    messaging.clock.advance(timedelta(hours=1))
    await messaging.drain()
    assert await told(messaging, chain_id) == []
    assert (await messaging.states(chain_id))[-1] == ("EXPIRED", "send_stopped")
    found = (await report(door, made)).report
    assert (found.chosen, found.queued, found.sent, found.failed) == (1, 0, 0, 0)


async def test_a_big_send_is_stopped_at_once_though_a_message_is_held(
    messaging: MessagingHarness, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LS-60: what waits is ended little by little, without waiting for what a sender looks at."""
    monkeypatch.setattr(sends, "STOPPED_AT_ONCE", 2)
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 6)
    made = await send(door, chain_id, sms_body="{{ chain }}: bonjour")
    stop = pb.StopSendRequest(chain_id=str(chain_id), send_id=made.send.id)
    async with transaction(messaging.pool) as conn:
        await conn.execute("SELECT FROM delivery WHERE send_id IS NOT NULL LIMIT 1 FOR UPDATE")
        stopped = (await door.StopSend(stop)).send
    assert (stopped.status, stopped.report.queued) == (pb.SEND_STATUS_STOPPED, 1)
    assert stopped.report.stopped == 5
    await messaging.drain()
    assert (await report(door, made)).report.stopped == 6
    assert await told(messaging, chain_id, "ANNOUNCEMENT") == []


async def test_a_long_stop_leaves_the_rest_to_its_turn(
    messaging: MessagingHarness, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LS-60: the owner has her answer, and nothing leaves."""
    monkeypatch.setattr(sends, "STOPPED_AT_ONCE", 2)
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 6)
    made = await send(door, chain_id, sms_body="{{ chain }}: bonjour")
    monkeypatch.setattr(sends, "OWNER_WAITS_SECONDS_MAX", -1.0)
    stop = pb.StopSendRequest(chain_id=str(chain_id), send_id=made.send.id)
    stopped = (await door.StopSend(stop)).send
    assert (stopped.report.queued, stopped.report.stopped) == (4, 2)
    await messaging.drain()
    assert (await report(door, made)).report.stopped == 6
    assert await told(messaging, chain_id, "ANNOUNCEMENT") == []


async def test_one_chains_trouble_keeps_no_other_chain_waiting(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-62: a send that cannot be queued now is tried again; those of other chains go out."""
    made = []
    for chain_id in sorted([await messaging.chain() for _ in range(3)]):
        await members(messaging, chain_id, 1)
        request = pb.CreateSendRequest(
            idempotency_key="p", chain_id=str(chain_id), sms_body="{{ chain }}: bonjour"
        )
        request.send_at.FromDatetime(messaging.clock.now() + timedelta(seconds=1))
        made.append(await door.CreateSend(request))
    messaging.clock.advance(timedelta(seconds=2))
    first = made[0]
    kept = await messaging.pool.fetchval(
        "SELECT audience FROM message_send WHERE chain_id = $1", UUID(first.send.chain_id)
    )

    async def write(audience: object) -> None:
        await messaging.pool.execute(
            "UPDATE message_send SET audience = $2 WHERE chain_id = $1",
            UUID(first.send.chain_id),
            audience,
        )

    await write({"of": "a later release"})
    await jobs.run_due(messaging.deps)
    states = await messaging.pool.fetch("SELECT state FROM message_send ORDER BY chain_id")
    assert [row["state"] for row in states] == ["SCHEDULED", "SENDING", "SENDING"]
    await write(kept)
    await jobs.run_due(messaging.deps)
    assert (await report(door, first)).status == pb.SEND_STATUS_SENDING


async def test_a_resend_gets_the_first_answer_though_the_offer_is_gone(
    messaging: MessagingHarness, door: Door
) -> None:
    """The owner's answer was lost: what she pressed has happened, and is not refused now."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 1)
    offer_id = await offer(messaging, chain_id, start_date=date(2026, 12, 1))
    first = await send(door, chain_id, key="k", offer_id=str(offer_id))
    assert "offer_not_started" in first.warnings
    await offer(messaging, chain_id, offer_id=offer_id, deleted=True, version=2)
    again = await send(door, chain_id, key="k", offer_id=str(offer_id))
    assert (again.send.id, again.warnings) == (first.send.id, first.warnings)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"languages": [99]}, "languages"),
        ({"languages": [types_pb2.LANGUAGE_UNSPECIFIED]}, "languages"),
        ({"channels": [99]}, "channels"),
    ],
)
async def test_a_filter_that_is_not_understood_is_nobody_and_not_everybody(
    messaging: MessagingHarness, door: Door, words: dict[str, Any], field: str
) -> None:
    """LS-59: a language of a later release must not widen an audience to the whole chain."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 1)
    with pytest.raises(RemoteRefusal) as refused:
        await audience(door, chain_id, **words)
    assert (refused.value.code, refused.value.field) == ("audience_invalid", field)
    with pytest.raises(RemoteRefusal):
        await send(door, chain_id, sms_body="{{ chain }}", filter=pb.AudienceFilter(**words))


@pytest.mark.parametrize("seconds", [2**60, -62135596800, 253402300799])
async def test_a_moment_that_no_calendar_has_is_refused(
    messaging: MessagingHarness, door: Door, seconds: int
) -> None:
    chain_id = await messaging.chain()
    offer_id = str(await offer(messaging, chain_id))
    with pytest.raises(RemoteRefusal) as refused:
        await send(door, chain_id, offer_id=offer_id, send_at=Timestamp(seconds=seconds))
    assert (refused.value.code, refused.value.field) == ("number_out_of_range", "send_at")


async def test_a_send_to_more_than_a_request_has_time_for_goes_out_a_moment_later(
    messaging: MessagingHarness, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LS-60: pressed once, it is neither refused nor lost, nor sent twice by a resend."""
    monkeypatch.setattr(sends, "OWNER_WAITS_SECONDS_MAX", 0.2)
    chain_id = await messaging.chain()
    (alice,) = await members(messaging, chain_id, 1)
    async with transaction(messaging.pool) as conn:
        # As long as this is held, nothing can be queued.
        await conn.execute("LOCK TABLE delivery IN SHARE MODE")
        made = await send(door, chain_id, key="k", sms_body="{{ chain }}: bonjour")
        again = await send(door, chain_id, key="k", sms_body="{{ chain }}: bonjour")
    assert (made.send.status, made.send.report.chosen) == (pb.SEND_STATUS_SCHEDULED, 1)
    assert again.send.id == made.send.id
    await jobs.run_due(messaging.deps)
    await messaging.drain()
    assert await told(messaging, chain_id, "ANNOUNCEMENT") == [alice.phone]
    assert (await report(door, made)).report.sent == 1
