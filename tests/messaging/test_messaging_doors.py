"""Messaging through its doors: events from a real broker, calls through real gRPC, the sender."""

from __future__ import annotations

import asyncio
import logging as python_logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.events.v1 import enrollment_events_pb2 as facts
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc
from loyalty.types.v1 import types_pb2

from services.chassis import logging
from services.chassis.errors import RemoteRefusal
from services.messaging import consumers, jobs, rpc
from services.messaging.domain.chain import ChainId
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import FIRST_POINTS_WAIT
from tests.messaging.conftest import EMAIL, NOW, PHONE, SHARED_NUMBER, MessagingHarness
from tests.messaging.wire import Fact, consuming, publish, serving, until

HERSELF = types_pb2.Actor.KIND_MEMBER


@contextmanager
def logged_as_in_production() -> Iterator[None]:
    """Log as a process does, at its chattiest, for the length of a block."""
    root = python_logging.getLogger()
    handlers, level = root.handlers, root.level
    logging.configure(service="messaging", level="DEBUG")
    try:
        yield
    finally:
        structlog.reset_defaults()
        root.handlers = handlers
        root.setLevel(level)


def stamp(moment: datetime) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(moment)
    return found


def contact_fact(chain_id: UUID, member_id: UUID, /, **words: Any) -> Fact:
    given: dict[str, Any] = {
        "chain_id": str(chain_id),
        "member_id": str(member_id),
        "phone": PHONE,
        "language": types_pb2.LANGUAGE_FR,
        "registered_by": types_pb2.CHANNEL_SMS,
        "version": 1,
        "enrolled_now": True,
        "source": types_pb2.ENROLLMENT_SOURCE_JOIN_QR,
    }
    payload = facts.ContactChanged(**{**given, **words}).SerializeToString()
    return Fact(
        type="contact.changed", chain_id=chain_id, key=str(member_id), payload=payload, time=NOW
    )


def code_fact(messaging: MessagingHarness, chain_id: UUID, /, **words: Any) -> Fact:
    given: dict[str, Any] = {
        "chain_id": str(chain_id),
        "challenge_id": str(uuid4()),
        "channel": types_pb2.CHANNEL_SMS,
        "address": PHONE,
        "sealed_code": messaging.deps.sealer.seal(b"482913"),
        "language": types_pb2.LANGUAGE_FR,
        "expires_at": stamp(NOW + timedelta(minutes=10)),
    }
    payload = facts.CodeRequested(**{**given, **words}).SerializeToString()
    return Fact(
        type="code.requested", chain_id=chain_id, key=str(chain_id), payload=payload, time=NOW
    )


async def consume_contacts(messaging: MessagingHarness, bootstrap: str, told: list[Fact]) -> None:
    """Let the consumer read these events to the end."""
    topic = f"loyalty.t{uuid4().hex[:8]}.v1"
    # One key keeps a test's events on one partition, hence in order; erasure names its member.
    told = [fact if fact.payload is None else in_line(fact) for fact in told]
    async with consuming(
        topic=topic,
        handlers=consumers.contact_handlers(messaging.deps),
        pool=messaging.pool,
        bootstrap=bootstrap,
    ):
        await publish(bootstrap, topic, told)

        async def read() -> bool:
            reached = await messaging.pool.fetchval(
                "SELECT coalesce(sum(next_offset), 0) FROM consumer_position WHERE topic = $1",
                topic,
            )
            return bool(reached >= len(told))

        await until(read)


def in_line(fact: Fact) -> Fact:
    return Fact(
        type=fact.type,
        chain_id=fact.chain_id,
        key="one",
        payload=fact.payload,
        id=fact.id,
        time=fact.time,
    )


async def test_events_told_three_times_make_one_welcome_and_one_code(
    messaging: MessagingHarness, kafka_bootstrap: str
) -> None:
    """SQ-27: also when enrollment tells the same fact under a new event id, as after a restore."""
    chain_id, member_id = await messaging.chain(), uuid4()
    welcome = contact_fact(chain_id, member_id)
    again = contact_fact(chain_id, member_id)
    code = code_fact(messaging, chain_id)
    told = [welcome, code, welcome, again, code, welcome, code, again]
    await consume_contacts(messaging, kafka_bootstrap, told)
    await messaging.drain()
    kinds = sorted(one.kind.value for one in await messaging.mailbox(chain_id))
    assert kinds == ["ONE_TIME_CODE", "WELCOME"]


async def test_the_newest_contact_wins_whatever_the_order(
    messaging: MessagingHarness, kafka_bootstrap: str
) -> None:
    chain_id, member_id = await messaging.chain(), uuid4()
    newest = contact_fact(
        chain_id, member_id, version=3, email="Alice@Example.COM", enrolled_now=False
    )
    older = contact_fact(chain_id, member_id, version=2, phone="+15145550199", enrolled_now=False)
    await consume_contacts(messaging, kafka_bootstrap, [newest, older])
    row = await messaging.pool.fetchrow(
        "SELECT phone, email, version FROM contact WHERE member_id = $1", member_id
    )
    assert row is not None
    assert tuple(row.values()) == (PHONE, EMAIL, 3)


async def test_first_grants_arrive_with_their_evidence(
    messaging: MessagingHarness, kafka_bootstrap: str
) -> None:
    """LS-85, D36: for the address of their own channel."""
    chain_id = await messaging.chain()
    ticked = facts.FirstGrant(
        channel=types_pb2.CHANNEL_EMAIL, wording_version="w3", granted_at=stamp(NOW)
    )
    fact = contact_fact(chain_id, uuid4(), email=EMAIL, first_grants=[ticked])
    await consume_contacts(messaging, kafka_bootstrap, [fact])
    assert await messaging.granted(chain_id, EMAIL) is True
    assert await messaging.granted(chain_id, PHONE) is None


async def test_a_tombstone_erases_the_contact(
    messaging: MessagingHarness, kafka_bootstrap: str
) -> None:
    chain_id, member_id = await messaging.chain(), uuid4()
    await consume_contacts(messaging, kafka_bootstrap, [contact_fact(chain_id, member_id)])
    grave = Fact(type="contact.changed", chain_id=chain_id, key=str(member_id), payload=None)
    await consume_contacts(messaging, kafka_bootstrap, [grave])
    await consume_contacts(
        messaging, kafka_bootstrap, [contact_fact(chain_id, member_id, version=2)]
    )
    row = await messaging.pool.fetchrow("SELECT phone FROM contact WHERE member_id = $1", member_id)
    assert row is not None
    assert row["phone"] == ""


async def test_poison_is_buried_without_a_word_about_anybody(
    messaging: MessagingHarness, kafka_bootstrap: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reliability 21: what the loop logs names fields, never what stood in them."""
    chain_id, canary = await messaging.chain(), "+15145550166"
    good = contact_fact(chain_id, uuid4())
    poison = [
        contact_fact(uuid4(), uuid4(), phone=canary, email="canarie@example.com"),
        contact_fact(chain_id, uuid4(), member_id="canarie", phone=canary),
        contact_fact(chain_id, uuid4(), given_name="Cana\x00rie", phone=canary),
        contact_fact(chain_id, uuid4(), phone=canary, first_grants=[facts.FirstGrant()]),
        code_fact(messaging, chain_id, address=""),
        code_fact(messaging, chain_id, expires_at=None, address=canary),
        Fact(type="code.requested", chain_id=chain_id, key="k", payload=b"\xff\xff" + b"canarie"),
    ]
    stray = [
        Fact(type=one.type, chain_id=chain_id, key=one.key, payload=one.payload) for one in poison
    ]
    with logged_as_in_production():
        await consume_contacts(messaging, kafka_bootstrap, [*stray, good])
        await messaging.drain()

    assert len(await messaging.mailbox(chain_id)) == 1
    reasons = [
        row["reason"] for row in await messaging.pool.fetch("SELECT reason FROM dead_letter")
    ]
    assert len(reasons) == len(poison)
    told = capsys.readouterr().out + " ".join(reasons)
    assert "event_is_a_dead_letter" in told
    for word in (canary, canary[1:], "canarie", "Cana", "482913"):
        assert word not in told


async def test_no_flow_logs_an_address_a_name_or_a_code(
    messaging: MessagingHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reliability 21: also where carriers fail and repeat the number in their answer."""
    chain_id = await messaging.chain(sandbox=False)
    messaging.twilio.script.extend(["400 21211", "drop", "take and 503"])
    messaging.smtp.script.extend(["rcpt 550"])
    with logged_as_in_production():
        await messaging.enroll(chain_id, given_name="Canarie", grants=[Channel.SMS])
        await messaging.enroll(chain_id, phone="", email=EMAIL, registered_by=Channel.EMAIL)
        await messaging.request_code(chain_id, code="482913")
        await messaging.text("STOP Canarie")
        for _ in range(3):
            await messaging.drain()
            messaging.clock.advance(timedelta(minutes=1))
    captured = capsys.readouterr()
    told = captured.out + captured.err
    for canary in (PHONE, PHONE[1:], EMAIL, "Canarie", "482913"):
        assert canary not in told


async def test_chains_are_known_by_their_newest_state(
    messaging: MessagingHarness, kafka_bootstrap: str
) -> None:
    chain_id = await messaging.chain(known=False)
    topic = f"loyalty.t{uuid4().hex[:8]}.v1"

    def told(version: int, name: str) -> Fact:
        payload = facts.ChainChanged(
            chain_id=str(chain_id),
            slug="salon",
            name=name,
            sandbox=True,
            plan=types_pb2.PLAN_PRO,
            home_time_zone="America/Toronto",
            language=types_pb2.LANGUAGE_EN,
            version=version,
        ).SerializeToString()
        return Fact(type="chain.changed", chain_id=chain_id, key="one", payload=payload)

    async with consuming(
        topic=topic,
        handlers=consumers.chain_handlers(messaging.deps),
        pool=messaging.pool,
        bootstrap=kafka_bootstrap,
    ):
        await publish(kafka_bootstrap, topic, [told(2, "Neuf"), told(1, "Vieux"), told(2, "?")])

        async def read() -> bool:
            reached = await messaging.pool.fetchval(
                "SELECT max(next_offset) FROM consumer_position WHERE topic = $1", topic
            )
            return bool(reached == 3)

        await until(read)
    row = await messaging.pool.fetchrow(
        "SELECT name, plan, language FROM chain_copy WHERE chain_id = $1", chain_id
    )
    assert row is not None
    assert tuple(row.values()) == ("Neuf", "PRO", "EN")


# -- the sender ------------------------------------------------------------------------------


async def test_the_sender_wakes_when_something_is_queued_and_ends_in_good_order(
    messaging: MessagingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method: with a poll of a minute, only the notice of the commit can have woken it."""
    monkeypatch.setattr(jobs, "POLL_SECONDS", 60.0)
    chain_id = await messaging.chain()
    woken = asyncio.Event()
    roles = [
        asyncio.create_task(jobs.send_deliveries(messaging.deps, woken)),
        asyncio.create_task(jobs.listen(messaging.deps, woken)),
    ]

    async def listening() -> bool:
        found = await messaging.pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%delivery_queued%'"
        )
        return bool(found)

    await until(listening)
    await messaging.request_code(chain_id)

    async def sent() -> bool:
        return await messaging.states(chain_id) == [("SENT", "")]

    await until(sent, seconds=10)
    for role in roles:
        role.cancel()
    done = await asyncio.gather(*roles, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in done)


async def test_the_sender_wakes_when_what_waited_for_its_moment_is_due(
    messaging: MessagingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method: nobody is told of it a second time, and the next poll is a minute away."""
    monkeypatch.setattr(jobs, "POLL_SECONDS", 60.0)
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id, source="TILL")
    messaging.clock.advance(FIRST_POINTS_WAIT - timedelta(seconds=0.5))
    sender = asyncio.create_task(jobs.send_deliveries(messaging.deps, asyncio.Event()))
    await asyncio.sleep(0.3)
    assert await messaging.states(chain_id) == [("QUEUED", "")]
    messaging.clock.advance(timedelta(seconds=0.5))

    async def sent() -> bool:
        return await messaging.states(chain_id) == [("SENT", "")]

    await until(sent, seconds=10)
    sender.cancel()
    await asyncio.gather(sender, return_exceptions=True)


async def test_a_message_in_hand_is_finished_before_the_process_ends(
    messaging: MessagingHarness,
) -> None:
    chain_id = await messaging.chain(sandbox=False)
    for number in range(20):
        await messaging.enroll(chain_id, phone=f"+151455501{number:02}")
    sender = asyncio.create_task(jobs.send_deliveries(messaging.deps, asyncio.Event()))

    async def begun() -> bool:
        return len(messaging.twilio.taken) >= 3

    await until(begun)
    sender.cancel()
    await asyncio.gather(sender, return_exceptions=True)
    states = [state for state, _ in await messaging.states(chain_id)]
    assert states.count("SENT") == len(messaging.twilio.taken)
    assert "SENDING" not in states


async def test_a_walk_through_time_sends_what_its_chain_has_queued(
    messaging: MessagingHarness,
) -> None:
    """api.md 3: the clock answers when messages lie in the mailbox; other chains' wait."""
    mine, other = await messaging.chain(), await messaging.chain()
    await messaging.enroll(mine)
    await messaging.enroll(other)
    source = jobs.due_source(messaging.deps)
    assert await source.run_due(mine) == 1
    assert await source.run_due(mine) == 0
    assert await source.next_due(mine) is None
    assert len(await messaging.mailbox(mine)) == 1
    assert await messaging.mailbox(other) == []
    assert await messaging.next_due_at() is not None


async def test_the_mailbox_is_read_once_what_is_under_way_has_arrived(
    messaging: MessagingHarness,
) -> None:
    """api.md 3: whoever has just caused a message finds it at the first look."""
    chain_id = await messaging.chain()
    await messaging.request_code(chain_id)
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        ask = pb.ListSandboxMessagesRequest(chain_id=str(chain_id))
        reading = asyncio.ensure_future(stub.ListSandboxMessages(ask))
        await asyncio.sleep(0.1)
        assert not reading.done()
        await messaging.drain()
        assert len((await reading).messages) == 1


# -- gRPC ------------------------------------------------------------------------------------


async def test_the_sandbox_reads_its_mailbox_and_sends_texts(messaging: MessagingHarness) -> None:
    """api.md 3; LS-79: STOP and YES from a phone, filters by address and channel."""
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id, email=EMAIL, grants=[Channel.SMS])
    await messaging.request_code(chain_id, channel=Channel.EMAIL, address=EMAIL)
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)

        async def text(body: str, **words: str) -> str:
            request = pb.ReceiveSmsRequest(
                provider_message_id=str(uuid4()),
                to=SHARED_NUMBER,
                body=body,
                chain_id=str(chain_id),
                **{"from": "514 555-0123", **words},
            )
            return (await stub.ReceiveSms(request)).keyword

        assert [await text(one) for one in ("Arrêt", "YES", "aide", "Allô")] == [
            "stop",
            "start",
            "help",
            "none",
        ]
        await messaging.drain()

        async def read(**words: Any) -> list[pb.SandboxMessage]:
            request = pb.ListSandboxMessagesRequest(chain_id=str(chain_id), **words)
            return list((await stub.ListSandboxMessages(request)).messages)

        assert len(await read()) == 5
        assert {one.to for one in await read(to=" 15145550123")} == {PHONE}
        (mail,) = await read(to="ALICE@example.com")
        assert "482913" in mail.body
        assert [one.to for one in await read(channel=types_pb2.CHANNEL_EMAIL)] == [EMAIL]
        assert len(await read(limit=2)) == 2
        assert await read(to="nobody") == []
        consents = await stub.GetConsents(
            pb.GetConsentsRequest(
                chain_id=str(chain_id), member_id=await a_member(messaging, chain_id)
            )
        )
        sms, email = consents.consents
        assert (sms.granted, sms.source) == (True, "SMS_YES")
        assert (email.granted, email.source) == (False, "")


async def a_member(messaging: MessagingHarness, chain_id: ChainId) -> str:
    return str(
        await messaging.pool.fetchval("SELECT member_id FROM contact WHERE chain_id = $1", chain_id)
    )


@pytest.mark.parametrize(
    "kind",
    [
        types_pb2.Actor.KIND_UNSPECIFIED,
        types_pb2.Actor.KIND_STAFF,
        types_pb2.Actor.KIND_DEVICE,
        types_pb2.Actor.KIND_API_KEY,
        types_pb2.Actor.KIND_OPERATOR,
        types_pb2.Actor.KIND_SYSTEM,
    ],
)
async def test_no_staff_key_tablet_or_operator_changes_consent(
    messaging: MessagingHarness, kind: types_pb2.Actor.Kind.ValueType
) -> None:
    """LS-77: an attempt is refused with 403 and changes nothing; nor does another member's."""
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id, email=EMAIL)
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        for actor in (
            types_pb2.Actor(kind=kind, id=str(member.member_id)),
            types_pb2.Actor(kind=HERSELF, id=str(uuid4())),
        ):
            with pytest.raises(RemoteRefusal) as refused:
                await stub.SetEmailConsent(
                    pb.SetEmailConsentRequest(
                        chain_id=str(chain_id),
                        member_id=str(member.member_id),
                        granted=True,
                        wording_version="w1",
                        actor=actor,
                    )
                )
            assert refused.value.code == "consent_belongs_to_member"
            assert refused.value.status is grpc.StatusCode.PERMISSION_DENIED
    assert await messaging.granted(chain_id, EMAIL) is None


async def test_the_member_herself_ticks_and_unticks_email(messaging: MessagingHarness) -> None:
    """LS-78."""
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id, email=EMAIL)
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        for granted in (True, False):
            answer = await stub.SetEmailConsent(
                pb.SetEmailConsentRequest(
                    chain_id=str(chain_id),
                    member_id=str(member.member_id),
                    granted=granted,
                    wording_version="w1",
                    actor=types_pb2.Actor(kind=HERSELF, id=str(member.member_id)),
                )
            )
            assert answer.consent.granted is granted
            assert answer.consent.source == "CLIENT_APP"
            assert answer.consent.changed_at.ToDatetime(UTC) == NOW


async def test_the_journal_is_read_page_by_page(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain()
    for number in range(7):
        await messaging.enroll(chain_id, phone=f"+1514555010{number}")
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        seen: list[str] = []
        cursor, pages = "", 0
        while True:
            page = await stub.ListDeliveries(
                pb.ListDeliveriesRequest(chain_id=str(chain_id), limit=3, cursor=cursor)
            )
            seen += [one.id for one in page.deliveries]
            cursor, pages = page.cursor, pages + 1
            if not cursor:
                break
    assert pages == 3
    assert len(set(seen)) == 7
    assert {one.status for one in page.deliveries} == {pb.DELIVERY_STATUS_QUEUED}


async def test_every_chain_shows_the_shared_number(messaging: MessagingHarness) -> None:
    """D26, LS-79."""
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        answer = await stub.GetSenderNumber(pb.GetSenderNumberRequest(chain_id=str(uuid4())))
    assert answer.number == SHARED_NUMBER


def inbound(chain_id: str, **words: str) -> pb.ReceiveSmsRequest:
    given = {
        "provider_message_id": "SM1",
        "from": PHONE,
        "to": SHARED_NUMBER,
        "body": "STOP",
        "chain_id": chain_id,
    }
    return pb.ReceiveSmsRequest(**{**given, **words})


async def test_bad_input_is_refused_with_its_field_and_changes_nothing(
    messaging: MessagingHarness,
) -> None:
    """Issue 2, 3: wrong types, huge numbers, negatives, 1 MB strings, emoji, wrong tenant."""
    chain_id = str(await messaging.chain())
    live = str(await messaging.chain(sandbox=False))
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        mailbox, journal = stub.ListSandboxMessages, stub.ListDeliveries
        box, line = pb.ListSandboxMessagesRequest, pb.ListDeliveriesRequest
        text = stub.ReceiveSms
        cases: list[tuple[Any, Any, str, str]] = [
            (mailbox, box(chain_id="x"), "id_invalid", "chain_id"),
            (mailbox, box(chain_id=live), "not_found", "chain_id"),
            (mailbox, box(chain_id=chain_id, limit=-1), "limit_invalid", "limit"),
            (mailbox, box(chain_id=chain_id, limit=2**31 - 1), "limit_invalid", "limit"),
            (journal, line(chain_id=chain_id, cursor="🙂"), "invalid_cursor", "cursor"),
            (journal, line(chain_id=chain_id, cursor="A" * 10_000), "invalid_cursor", "cursor"),
            (journal, line(chain_id=chain_id, cursor="LTE"), "invalid_cursor", "cursor"),
            (journal, line(chain_id=chain_id, member_id="x"), "id_invalid", "member_id"),
            (text, inbound(live), "not_found", "chain_id"),
            (text, inbound(chain_id, **{"from": "🙂"}), "phone_invalid", "from"),
            (text, inbound(chain_id, **{"from": ""}), "phone_invalid", "from"),
            (text, inbound(chain_id, **{"from": "9" * 1_000_000}), "phone_invalid", "from"),
            (
                text,
                inbound(chain_id, provider_message_id=""),
                "provider_message_id_invalid",
                "provider_message_id",
            ),
            (
                text,
                inbound(chain_id, provider_message_id="a\x00b"),
                "provider_message_id_invalid",
                "provider_message_id",
            ),
        ]
        for method, request, code, field in cases:
            with pytest.raises(RemoteRefusal) as refused:
                await method(request)
            assert (refused.value.code, refused.value.field) == (code, field)
        long = inbound(chain_id, body="\x00🙂" * 500_000)
        assert (await stub.ReceiveSms(long)).keyword == "none"
    assert await messaging.pool.fetchval("SELECT count(*) FROM consent_record") == 0
