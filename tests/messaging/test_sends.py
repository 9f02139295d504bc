"""Audiences and messages to many: who is chosen, what leaves, what is told (LS-59 to LS-63)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from loyalty.events.v1 import rewards_events_pb2
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.chassis.postgres import transaction
from services.messaging import consumers, jobs, rpc
from services.messaging.domain.chain import Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.contact import Contact
from services.messaging.domain.send import SendId
from services.messaging.storage import contacts
from services.messaging.usecases import sending, sends
from services.messaging.usecases.sending import Claimed
from tests.messaging.conftest import NOW, PHONE, MessagingHarness
from tests.messaging.to_many import Door, audience, members, offer, report, send, stand, told
from tests.messaging.wire import Fact, consuming, publish, serving, until


@pytest.fixture
async def door(messaging: MessagingHarness) -> AsyncIterator[Door]:
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        yield messaging_pb2_grpc.MessagingServiceStub(channel)


# -- whom ------------------------------------------------------------------------------------


async def test_everybody_is_ticked_by_default_and_pages_follow_each_other(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-59: all of them; D18: those who may not be written to are shown with the reason."""
    chain_id = await messaging.chain()
    known = await members(messaging, chain_id, 5)
    known += await members(messaging, chain_id, 1, grants=[])
    known += await members(messaging, chain_id, 1, phone_verified=False)
    known += await members(messaging, chain_id, 1, phone="", registered_by=None)
    await members(messaging, await messaging.chain(), 2)
    seen: list[pb.AudienceMember] = []
    cursor = ""
    while True:
        page = await door.ListAudience(
            pb.ListAudienceRequest(chain_id=str(chain_id), limit=3, cursor=cursor)
        )
        assert (page.total, page.reachable) == (8, 5)
        seen += page.members
        cursor = page.cursor
        if not cursor:
            break
    assert sorted(one.member_id for one in seen) == sorted(str(one.member_id) for one in known)
    assert sorted(one.barrier for one in seen if one.barrier) == [
        "no_address",
        "no_consent",
        "unverified",
    ]


async def test_each_filter_asks_what_it_says(messaging: MessagingHarness, door: Door) -> None:
    """LS-61: visits, balance, tier, birthday, salon, language, channel; all that is set holds."""
    chain_id = await messaging.chain(language=Language.FR)
    salon, tier = uuid4(), uuid4()
    (alice,) = await members(messaging, chain_id, 1, birthday="1990-03-10", language=Language.EN)
    (bea,) = await members(messaging, chain_id, 1, birthday="12-24", language=None)
    await stand(messaging, alice, balance=57, visited_days_ago=5, salon_id=salon, tier_id=tier)
    await stand(messaging, bea, balance=3, visited_days_ago=90)
    (cora,) = await members(
        messaging,
        chain_id,
        1,
        phone="",
        email="cora@example.com",
        email_verified=True,
        registered_by=Channel.EMAIL,
        grants=[Channel.EMAIL],
    )
    names = {str(alice.member_id): "a", str(bea.member_id): "b", str(cora.member_id): "c"}
    for words, expected in (
        ({}, "abc"),
        ({"visited_within_days": 30}, "a"),
        ({"not_visited_for_days": 30}, "bc"),
        ({"balance_min": 3}, "ab"),
        ({"balance_max": 3}, "bc"),
        ({"balance_min": 3, "balance_max": 3}, "b"),
        ({"tier_ids": [str(tier)]}, "a"),
        ({"birthday_months": [3, 12]}, "ab"),
        ({"salon_ids": [str(salon)]}, "a"),
        ({"languages": [types_pb2.LANGUAGE_FR]}, "bc"),
        ({"channels": [types_pb2.CHANNEL_EMAIL]}, "c"),
        ({"birthday_months": [3], "balance_max": 3}, ""),
    ):
        found = await audience(door, chain_id, **words)
        assert "".join(sorted(names[one.member_id] for one in found.members)) == expected, words
        assert found.total == len(expected)
    with pytest.raises(RemoteRefusal) as refused:
        await audience(door, chain_id, birthday_months=[13])
    assert refused.value.code == "number_out_of_range"


# -- sending ---------------------------------------------------------------------------------


async def test_a_filter_of_six_with_two_ticks_off_sends_four(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-61: the ticks taken off get nothing, nor do those outside of the filter."""
    chain_id = await messaging.chain(slug="salon-s")
    chosen = await members(messaging, chain_id, 6, birthday="03-10")
    await members(messaging, chain_id, 3)
    offer_id = await offer(messaging, chain_id)
    made = await send(
        door,
        chain_id,
        offer_id=str(offer_id),
        filter=pb.AudienceFilter(birthday_months=[3]),
        excluded_member_ids=[str(one.member_id) for one in chosen[:2]],
    )
    assert (made.send.report.chosen, made.send.report.queued) == (4, 4)
    assert made.send.status == pb.SEND_STATUS_SENDING
    await messaging.drain()
    assert await told(messaging, chain_id) == sorted(one.phone for one in chosen[2:])
    done = await report(door, made)
    assert (done.status, done.report.sent) == (pb.SEND_STATUS_DONE, 4)
    body = next(one.body for one in await messaging.mailbox(chain_id) if one.kind == "OFFER")
    link = f"https://fidelite.example.ca/m/salon-s/offers/{offer_id}?s=sms"
    assert "20 % sur la coupe" in body
    assert link in body


async def test_the_channel_follows_the_way_of_joining(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: by phone 1 SMS, 0 e-mail; by e-mail 1 e-mail, 0 SMS; opted out none."""
    chain_id = await messaging.chain()
    both: dict[str, Any] = {
        "phone_verified": True,
        "email_verified": True,
        "grants": [Channel.SMS, Channel.EMAIL],
    }
    await members(messaging, chain_id, 1, phone=PHONE, email="a@example.com", **both)
    await members(
        messaging,
        chain_id,
        1,
        phone="+15145550188",
        email="b@example.com",
        registered_by=Channel.EMAIL,
        **both,
    )
    await members(messaging, chain_id, 1, phone="+15145550189")
    await messaging.text("STOP", chain_id=chain_id, phone="+15145550189")
    made = await send(door, chain_id, offer_id=str(await offer(messaging, chain_id)))
    await messaging.drain()
    assert await told(messaging, chain_id) == sorted([PHONE, "b@example.com"])
    done = (await report(door, made)).report
    assert (done.chosen, done.sent, done.blocked, done.queued) == (3, 2, 1, 0)


async def test_pressing_twice_sends_once(messaging: MessagingHarness, door: Door) -> None:
    """LS-60: the same key, one after the other and at once; another body is refused."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 3)
    offer_id = str(await offer(messaging, chain_id))
    pressed = await asyncio.gather(
        *(send(door, chain_id, key="press", offer_id=offer_id) for _ in range(4))
    )
    assert len({one.send.id for one in pressed}) == 1
    await messaging.drain()
    await send(door, chain_id, key="press", offer_id=offer_id)
    await messaging.drain()
    assert len(await told(messaging, chain_id)) == 3
    with pytest.raises(RemoteRefusal) as refused:
        await send(door, chain_id, key="press", sms_body="{{ chain }}: autre chose")
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"


async def test_only_those_who_are_named_get_it(messaging: MessagingHarness, door: Door) -> None:
    """LS-61, SQ-51: words without an offer; Charlie of chain B is not reached by naming him."""
    chain_id, other = await messaging.chain(), await messaging.chain()
    alice, _ = await members(messaging, chain_id, 2)
    (charlie,) = await members(messaging, other, 1)
    made = await send(
        door,
        chain_id,
        member_ids=[str(alice.member_id), str(charlie.member_id)],
        sms_body="{{ chain }}: notre programme change, {{ name }}.",
    )
    await messaging.drain()
    assert await told(messaging, chain_id, "ANNOUNCEMENT") == [alice.phone]
    assert await told(messaging, other, "ANNOUNCEMENT") == []
    assert (await report(door, made)).report.chosen == 1
    with pytest.raises(RemoteRefusal):
        await door.GetSend(pb.GetSendRequest(chain_id=str(other), send_id=made.send.id))


async def test_impossible_sends_are_refused(messaging: MessagingHarness, door: Door) -> None:
    """LS-67: an offer that is not there; words that say nothing or cannot be rendered."""
    chain_id = await messaging.chain()
    for words, code in (
        ({"offer_id": str(uuid4())}, "offer_not_found"),
        ({}, "words_required"),
        ({"sms_body": "{% for x in y %}"}, "template_invalid"),
    ):
        with pytest.raises(RemoteRefusal) as refused:
            await send(door, chain_id, **words)
        assert refused.value.code == code


async def test_an_offer_that_has_not_begun_is_sent_with_a_warning(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-63: the message goes before the start; the owner is told."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 1)
    offer_id = await offer(messaging, chain_id, start_date=date(2026, 12, 1))
    made = await send(door, chain_id, offer_id=str(offer_id))
    assert list(made.warnings) == ["offer_not_started"]
    await messaging.drain()
    assert len(await told(messaging, chain_id)) == 1


async def test_a_planned_send_goes_out_at_its_time(messaging: MessagingHarness, door: Door) -> None:
    """LS-62: by the chain's business time, to those who are members then; once."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 1)
    offer_id = await offer(messaging, chain_id)
    at = NOW + timedelta(days=10)
    request = pb.CreateSendRequest(
        idempotency_key="plan", chain_id=str(chain_id), offer_id=str(offer_id)
    )
    request.send_at.FromDatetime(at)
    made = await door.CreateSend(request)
    assert (made.send.status, made.send.report.queued) == (pb.SEND_STATUS_SCHEDULED, 0)
    await members(messaging, chain_id, 1)
    source = jobs.due_source(messaging.deps)
    assert await source.run_due(chain_id) == 0
    assert await source.next_due(chain_id) == at
    messaging.clock.set(at)
    for _ in range(2):
        await source.run_due(chain_id)
    assert len(await told(messaging, chain_id)) == 2
    assert await source.next_due(chain_id) is None


async def test_a_stopped_send_lets_nothing_more_leave(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: what has not left does not leave; pressed again it changes nothing."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 4)
    made = await send(door, chain_id, offer_id=str(await offer(messaging, chain_id)))
    await sending.send_next(messaging.deps)
    stop = pb.StopSendRequest(chain_id=str(chain_id), send_id=made.send.id)
    for _ in range(2):
        stopped = (await door.StopSend(stop)).send
        assert (stopped.status, stopped.report.queued) == (pb.SEND_STATUS_STOPPED, 0)
        await messaging.drain()
    assert len(await told(messaging, chain_id)) == 1
    assert (stopped.report.chosen, stopped.report.sent, stopped.report.failed) == (4, 1, 0)


async def test_a_process_that_dies_while_sending_doubles_nothing(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: one delivery for a send and a member, whatever dies between provider and database."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 3)
    made = await send(door, chain_id, offer_id=str(await offer(messaging, chain_id)))
    for _ in range(2):
        taken = await sending.claim_next(messaging.deps)
        assert isinstance(taken, Claimed)
        await sending.hand_over(messaging.deps, taken)
    messaging.clock.advance(timedelta(minutes=1))
    await messaging.drain()
    assert len(await told(messaging, chain_id)) == 3
    assert (await report(door, made)).report.sent == 3


async def test_a_code_does_not_wait_behind_a_message_to_many(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-20: instantly, whatever else is queued."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 3)
    await send(door, chain_id, offer_id=str(await offer(messaging, chain_id)))
    messaging.clock.advance(timedelta(seconds=5))
    await messaging.request_code(chain_id)
    await sending.send_next(messaging.deps)
    assert (await messaging.mailbox(chain_id))[0].kind == "ONE_TIME_CODE"


async def test_a_send_to_many_takes_as_many_statements_as_one_to_few(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-59: queued in one statement, however many are chosen."""

    async def statements(count: int) -> int:
        chain_id = await messaging.chain()
        await members(messaging, chain_id, count)
        request = pb.CreateSendRequest(
            idempotency_key="p", chain_id=str(chain_id), sms_body="{{ chain }}: bonjour"
        )
        request.send_at.FromDatetime(messaging.clock.now() + timedelta(seconds=1))
        made = await door.CreateSend(request)
        messaging.clock.advance(timedelta(seconds=2))
        run: list[str] = []
        async with transaction(messaging.pool) as conn:
            chain = await contacts.find_chain(conn, chain_id)
            assert chain is not None
            with conn.query_logger(lambda record: run.append(record.query)):
                assert await sends.let_next_go(messaging.deps, conn, chain)
        found = await sends.get(messaging.deps, chain_id, SendId(UUID(made.send.id)))
        assert found.report.queued == count
        return len(run)

    assert await statements(2) == await statements(40) <= 4


# -- what came of it -------------------------------------------------------------------------


async def test_a_page_of_sends_reports_each_by_itself(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60, LS-63: one that was stopped, one that left, one that is planned; the newest first."""
    chain_id = await messaging.chain()
    known = await members(messaging, chain_id, 3)
    ids = [str(one.member_id) for one in known]
    stopped = await send(door, chain_id, sms_body="{{ chain }}: un", member_ids=ids)
    await door.StopSend(pb.StopSendRequest(chain_id=str(chain_id), send_id=stopped.send.id))
    await send(door, chain_id, sms_body="{{ chain }}: deux", member_ids=ids[:2])
    await messaging.drain()
    at = NOW + timedelta(days=1)
    await send(door, chain_id, sms_body="{{ chain }}: trois", member_ids=ids[:1], send_at=at)
    page = await door.ListSends(pb.ListSendsRequest(chain_id=str(chain_id)))
    assert [
        (one.report.chosen, one.report.sent, one.report.stopped, one.report.failed)
        for one in page.sends
    ] == [(1, 0, 0, 0), (2, 2, 0, 0), (3, 0, 3, 0)]


async def test_the_report_tells_who_took_and_who_used(
    messaging: MessagingHarness, door: Door, kafka_bootstrap: str
) -> None:
    """LS-60: of those who were sent it; a restored coupon is taken and unused; replays are one."""
    chain_id = await messaging.chain()
    alice, bea, cora = await members(messaging, chain_id, 3)
    (late,) = await members(messaging, chain_id, 1, grants=[])
    offer_id = await offer(messaging, chain_id)
    made = await send(door, chain_id, offer_id=str(offer_id))
    await messaging.drain()

    def fact(member: Contact, kind: str, version: int, reward: UUID) -> Fact:
        payload = rewards_events_pb2.RewardChanged(
            chain_id=str(chain_id),
            reward_id=str(reward),
            member_id=str(member.member_id),
            offer_id=str(offer_id),
            version=version,
        ).SerializeToString()
        at = NOW + timedelta(hours=version)
        return Fact(type=f"reward.{kind}", chain_id=chain_id, key="one", payload=payload, time=at)

    first, second, third, fourth = (uuid4() for _ in range(4))
    facts = [
        fact(alice, "used", 2, first),
        fact(alice, "taken", 1, first),
        fact(bea, "taken", 1, second),
        fact(bea, "used", 2, second),
        fact(bea, "restored", 3, second),
        fact(cora, "voided", 2, third),
        fact(late, "taken", 1, fourth),
    ]
    topic = f"loyalty.t{uuid4().hex[:8]}.v1"
    async with consuming(
        topic=topic,
        handlers=consumers.reward_handlers(),
        pool=messaging.pool,
        bootstrap=kafka_bootstrap,
    ):
        await publish(kafka_bootstrap, topic, [*facts, replace(facts[0], id=uuid4())])

        async def read() -> bool:
            return bool(await messaging.pool.fetchval("SELECT count(*) = 4 FROM offer_coupon"))

        await until(read)
    found = (await report(door, made)).report
    assert (found.sent, found.taken, found.used) == (3, 2, 1)


async def test_sends_are_listed_newest_first_and_deliveries_by_send(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: one page after the other, of one offer too; the journal of one send alone."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 2)
    offer_id = str(await offer(messaging, chain_id))
    made = [
        (await send(door, chain_id, sms_body="{{ chain }}: un")).send.id,
        (await send(door, chain_id, offer_id=offer_id)).send.id,
    ]
    asked = pb.ListSendsRequest(chain_id=str(chain_id), limit=1)
    first = await door.ListSends(asked)
    asked.cursor = first.cursor
    second = await door.ListSends(asked)
    assert [first.sends[0].id, second.sends[0].id, second.cursor] == [*reversed(made), ""]
    of_offer = await door.ListSends(pb.ListSendsRequest(chain_id=str(chain_id), offer_id=offer_id))
    assert [one.id for one in of_offer.sends] == [made[1]]
    queued = await door.ListDeliveries(
        pb.ListDeliveriesRequest(
            chain_id=str(chain_id), send_id=made[0], statuses=[pb.DELIVERY_STATUS_QUEUED]
        )
    )
    assert [one.kind for one in queued.deliveries] == [pb.MESSAGE_KIND_ANNOUNCEMENT] * 2


async def test_sq_51_each_reads_a_message_to_many_in_her_own_language(
    messaging: MessagingHarness, door: Door
) -> None:
    """SQ-51: who chose English reads what was written for her; without such words, the others'."""
    chain_id = await messaging.chain()
    (alice,) = await members(messaging, chain_id, 1)
    (anna,) = await members(messaging, chain_id, 1, language=Language.EN)
    words = {"sms_body": "Salon Mèche: nouveau programme."}
    # Written for one channel, it is said on the other too.
    english = pb.SendWords(email_subject="News", email_body="Salon Mèche: hello.")
    await send(door, chain_id, **words, english=english)
    await send(door, chain_id, **words)
    await messaging.drain()
    read = [
        (one.recipient, one.body.splitlines()[0])
        for one in await messaging.mailbox(chain_id)
        if one.kind == "ANNOUNCEMENT"
    ]

    assert sorted(read) == sorted(
        [
            (alice.phone, "Salon Mèche: nouveau programme. ARRET pour cesser"),
            (alice.phone, "Salon Mèche: nouveau programme. ARRET pour cesser"),
            (anna.phone, "Salon Mèche: hello. STOP to stop"),
            (anna.phone, "Salon Mèche: nouveau programme. STOP to stop"),
        ]
    )


async def test_an_offers_english_words_get_its_link_and_are_checked(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: the usual French words stand where none were written."""
    chain_id = await messaging.chain()
    offer_id = await offer(messaging, chain_id)
    await members(messaging, chain_id, 1)
    (anna,) = await members(messaging, chain_id, 1, language=Language.EN)
    english = pb.SendWords(sms_body="Salon Mèche: {{ offer }} for you.")
    made = await send(door, chain_id, offer_id=str(offer_id), english=english)
    await messaging.drain()
    box = await messaging.mailbox(chain_id)
    bodies = {one.recipient: one.body for one in box if one.kind == "OFFER"}

    assert made.send.english == english
    assert bodies[anna.phone].startswith("Salon Mèche: 20 % sur la coupe for you. https://")


@pytest.mark.parametrize("english", [False, True])
async def test_a_text_that_its_offers_link_makes_too_long_hears_how_long_it_may_be(
    messaging: MessagingHarness, door: Door, english: bool
) -> None:
    """LS-61: as much as it may hold itself, for the link is added to it."""
    chain_id = await messaging.chain()
    offer_id = str(await offer(messaging, chain_id))

    async def wanted(length: int) -> pb.CreateSendResponse:
        body = "x" * length
        if not english:
            return await send(door, chain_id, offer_id=offer_id, sms_body=body)
        return await send(door, chain_id, offer_id=offer_id, english=pb.SendWords(sms_body=body))

    with pytest.raises(RemoteRefusal) as refused:
        await wanted(1_000)
    assert refused.value.code == "template_too_long"
    assert refused.value.field == ("english." if english else "") + "sms_body"
    length_max = int(refused.value.params["length_max"])
    with pytest.raises(RemoteRefusal):
        await wanted(length_max + 1)
    await wanted(length_max)


@pytest.mark.parametrize("field", ["sms_body", "email_subject", "email_body"])
@pytest.mark.parametrize("english", [False, True])
async def test_words_that_do_not_work_are_refused_where_they_were_written(
    messaging: MessagingHarness, door: Door, field: str, english: bool
) -> None:
    """LS-68: words of one channel are said on the other too; its own field is named."""
    chain_id = await messaging.chain()
    good = {} if field == "email_body" else {"email_body": "Salon Mèche: bonjour."}
    words = good | {field: "{{ nobody }}"}
    given: dict[str, Any] = words
    if english:
        given = {"sms_body": "Salon Mèche.", "english": pb.SendWords(**words)}
    with pytest.raises(RemoteRefusal) as refused:
        await send(door, chain_id, **given)
    assert refused.value.code == "template_invalid"
    assert refused.value.field == ("english." if english else "") + field
