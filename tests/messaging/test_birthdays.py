"""Birthday messages: who gets one, on which day, and never twice (LS-64 to LS-70, BD1 to BD3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from loyalty.events.v1 import offers_events_pb2
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc

from services.chassis.errors import RemoteRefusal
from services.chassis.postgres import in_transaction
from services.messaging import consumers, jobs, rpc
from services.messaging.domain import schedule
from services.messaging.domain.chain import ChainId, Language, Plan
from services.messaging.domain.consent import Channel
from services.messaging.domain.offer import OfferCopy, OfferId
from services.messaging.usecases import offers_news, timely
from tests.messaging.conftest import EMAIL, PHONE, MessagingHarness
from tests.messaging.wire import Fact, consuming, publish, serving, until

# 8 in the morning in Toronto, before the messages of the day.
MORNING = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
Door = messaging_pb2_grpc.MessagingServiceStub


@pytest.fixture
async def door(messaging: MessagingHarness) -> AsyncIterator[Door]:
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        yield messaging_pb2_grpc.MessagingServiceStub(channel)


async def schedule_birthday(
    door: Door, chain_id: ChainId, *, key: str = "", **words: Any
) -> pb.ScheduledMessage:
    given: dict[str, Any] = {
        "type": pb.SCHEDULED_MESSAGE_TYPE_BIRTHDAY,
        "sms_body": "{{ chain }}: bonne fête {{ name }}!",
        "enabled": True,
    }
    answer = await door.CreateScheduledMessage(
        pb.CreateScheduledMessageRequest(
            idempotency_key=key or str(uuid4()),
            chain_id=str(chain_id),
            message=pb.ScheduledMessage(**{**given, **words}),
        )
    )
    return answer.message


async def celebrant(
    messaging: MessagingHarness, chain_id: ChainId, birthday: str, **words: Any
) -> None:
    """A member who proved her phone and agreed to texts, unless `words` say otherwise."""
    given: dict[str, Any] = {
        "phone": f"+1514555{1000 + uuid4().int % 9000}",
        "phone_verified": True,
        "birthday": birthday,
        "given_name": "Alice",
        "grants": [Channel.SMS],
    }
    await messaging.enroll(chain_id, **{**given, **words})


async def walk(messaging: MessagingHarness, chain_id: ChainId, until_day: date) -> None:
    """Bring the chain's business time to the end of a day, from due moment to due moment."""
    source = jobs.due_source(messaging.deps)
    end = datetime.combine(until_day, datetime.max.time(), tzinfo=UTC)
    for _ in range(200):
        await source.run_due(chain_id)
        due = await source.next_due(chain_id)
        if due is None or due > end:
            messaging.clock.set(end)
            await source.run_due(chain_id)
            return
        # What was due has just been done: only a later moment can be left.
        assert due > messaging.clock.now()
        messaging.clock.set(due)
    raise AssertionError("the walk does not end")


async def days(messaging: MessagingHarness, chain_id: ChainId) -> list[str]:
    """The days on which birthday messages arrived, in order."""
    found = [one for one in await messaging.mailbox(chain_id) if one.kind == "BIRTHDAY"]
    return [one.created_at.date().isoformat() for one in reversed(found)]


async def offer(messaging: MessagingHarness, chain_id: ChainId, **words: Any) -> OfferId:
    given: dict[str, Any] = {
        "offer_id": OfferId(uuid4()),
        "title": "10 % sur un soin",
        "description": "",
        "exclusion": "",
        "start_date": date(2026, 1, 1),
        "end_date": date(2030, 12, 31),
        "deleted": False,
        "version": 1,
    }
    copy = OfferCopy(chain_id=chain_id, **{**given, **words})
    await in_transaction(messaging.pool, lambda conn: offers_news.take_offer(conn, copy))
    return copy.offer_id


# -- the calendar ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("birthday", "days_before", "leaves"),
    [
        ("03-10", 0, date(2027, 3, 10)),
        ("03-10", 7, date(2027, 3, 3)),
        ("01-05", 10, date(2026, 12, 26)),
        ("02-29", 0, date(2027, 2, 28)),
        ("11-20", 0, date(2026, 11, 20)),
    ],
)
def test_a_message_leaves_so_many_days_before(
    birthday: str, days_before: int, leaves: date
) -> None:
    """LS-66, BD1, BD2, BD3; both directions of the calculation agree."""
    since = date(2026, 11, 20)
    assert schedule.next_day(birthday, days_before=days_before, since=since) == leaves
    found = schedule.birthdays_on(leaves, days_before=days_before)
    assert birthday in found.month_days
    assert found.year == (leaves + timedelta(days=days_before)).year


def test_a_leap_day_is_kept_on_its_own_day_in_leap_years() -> None:
    """BD2: 29 February 2028 itself, 28 February 2027; never both in one year."""
    assert schedule.birthdays_on(date(2028, 2, 28), days_before=0).month_days == ("02-28",)
    assert schedule.birthdays_on(date(2028, 2, 29), days_before=0).month_days == ("02-29",)
    assert schedule.birthdays_on(date(2027, 2, 28), days_before=0).month_days == (
        "02-28",
        "02-29",
    )


# -- who may have one, and what it says ------------------------------------------------------


async def test_birthday_messages_need_essentiel_or_pro(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-64, P3, LS-65."""
    partant = await messaging.chain(plan=Plan.PARTANT)
    with pytest.raises(RemoteRefusal) as refused:
        await schedule_birthday(door, partant)
    assert (refused.value.code, refused.value.status.name) == ("plan_required", "PERMISSION_DENIED")
    for plan in (Plan.ESSENTIEL, Plan.PRO):
        chain_id = await messaging.chain(plan=plan)
        made = await schedule_birthday(door, chain_id)
        assert (made.type, made.held_by_plan) == (pb.SCHEDULED_MESSAGE_TYPE_BIRTHDAY, False)


async def test_a_wrong_message_is_refused(messaging: MessagingHarness, door: Door) -> None:
    """LS-66: -1 days; LS-67: an offer that does not exist, or is another chain's (Charlie's)."""
    chain_id = await messaging.chain(plan=Plan.PRO)
    other = await messaging.chain(plan=Plan.PRO)
    foreign = await offer(messaging, other)
    for words, code in (
        ({"days_before": -1}, "number_out_of_range"),
        ({"offer_id": str(uuid4())}, "offer_not_found"),
        ({"offer_id": str(foreign)}, "offer_not_found"),
        ({"sms_body": "{{ balance }}"}, "template_invalid"),
        ({"email_body": "{{ balance }}"}, "template_invalid"),
        ({"type": 0}, "scheduled_type_invalid"),
    ):
        with pytest.raises(RemoteRefusal) as refused:
            await schedule_birthday(door, chain_id, **words)
        assert refused.value.code == code
    listed = await door.ListScheduledMessages(
        pb.ListScheduledMessagesRequest(chain_id=str(chain_id))
    )
    assert (len(listed.messages), listed.allowed) == (0, True)


async def test_a_message_without_the_salons_name_is_warned_of(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-68: a warning, not an error."""
    chain_id = await messaging.chain(plan=Plan.PRO)
    request = pb.CreateScheduledMessageRequest(
        idempotency_key="one",
        chain_id=str(chain_id),
        message=pb.ScheduledMessage(
            type=pb.SCHEDULED_MESSAGE_TYPE_BIRTHDAY, sms_body="Bonne fête!", enabled=True
        ),
    )
    first = await door.CreateScheduledMessage(request)
    assert "salon_name_missing" in first.warnings
    again = await door.CreateScheduledMessage(request)
    assert again.message.id == first.message.id


# -- on the day ------------------------------------------------------------------------------


async def test_each_birthday_gets_its_message_on_its_own_day(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-70, LS-66, BD2, BD3: two birthdays, two days; next year again; once each."""
    messaging.clock.set(MORNING)
    chain_id = await messaging.chain(plan=Plan.ESSENTIEL)
    await schedule_birthday(door, chain_id)
    await celebrant(messaging, chain_id, "1990-12-03")
    await celebrant(messaging, chain_id, "02-29")
    await walk(messaging, chain_id, date(2028, 3, 1))
    assert await days(messaging, chain_id) == [
        "2026-12-03",
        "2027-02-28",
        "2027-12-03",
        "2028-02-29",
    ]


async def test_days_before_reach_back_over_the_new_year(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-66, BD3: 5 January and ten days: 26 December; moved to 7 days: not twice that year."""
    messaging.clock.set(MORNING)
    chain_id = await messaging.chain(plan=Plan.ESSENTIEL)
    made = await schedule_birthday(door, chain_id, days_before=10)
    await celebrant(messaging, chain_id, "01-05")
    await walk(messaging, chain_id, date(2026, 12, 27))
    await door.UpdateScheduledMessage(
        pb.UpdateScheduledMessageRequest(chain_id=str(chain_id), message_id=made.id, days_before=7)
    )
    await walk(messaging, chain_id, date(2027, 1, 6))
    assert await days(messaging, chain_id) == ["2026-12-26"]


async def test_one_birthday_is_greeted_once_by_many_processes(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-70: a job that runs twice, or in two processes at once, sends one message."""
    chain_id = await messaging.chain(plan=Plan.PRO)
    await schedule_birthday(door, chain_id)
    await celebrant(messaging, chain_id, "11-20")
    queued = await asyncio.gather(*(timely.run_due(messaging.deps, chain_id) for _ in range(6)))
    assert sum(queued) == 1
    await messaging.drain()
    assert len(await days(messaging, chain_id)) == 1


async def test_a_send_that_cannot_be_queued_holds_up_no_birthday(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-70: both fall due together; what a later release wrote into one is not the other's."""
    chain_id = await messaging.chain(plan=Plan.PRO)
    await schedule_birthday(door, chain_id)
    await celebrant(messaging, chain_id, "11-20")
    request = pb.CreateSendRequest(
        idempotency_key="p", chain_id=str(chain_id), sms_body="{{ chain }}: bonjour"
    )
    request.send_at.FromDatetime(messaging.clock.now() + timedelta(seconds=1))
    await door.CreateSend(request)
    await messaging.pool.execute("UPDATE message_send SET audience = '{}'")
    messaging.clock.advance(timedelta(seconds=2))
    await jobs.run_due(messaging.deps)
    await messaging.drain()
    assert await days(messaging, chain_id) == ["2026-11-20"]


async def test_the_channel_follows_words_and_consent(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-68, LS-69: agreed to texts: SMS; to e-mail: one e-mail; to neither: nothing.

    Words that were written for one channel are said on the other.
    """
    chain_id = await messaging.chain(plan=Plan.PRO)
    await schedule_birthday(door, chain_id)
    await celebrant(messaging, chain_id, "11-20", phone=PHONE)
    both: dict[str, Any] = {"email": EMAIL, "email_verified": True}
    await celebrant(
        messaging, chain_id, "11-20", **both, phone="+15145550199", grants=[Channel.EMAIL]
    )
    await celebrant(messaging, chain_id, "11-20", grants=[])
    await celebrant(messaging, chain_id, "11-20", phone_verified=False)
    await timely.run_due(messaging.deps, chain_id)
    await messaging.drain()
    found = [one for one in await messaging.mailbox(chain_id) if one.kind == "BIRTHDAY"]
    assert {(one.channel, one.recipient) for one in found} == {
        (Channel.SMS, PHONE),
        (Channel.EMAIL, EMAIL),
    }
    assert len(found) == 2
    for one in found:
        assert one.body.startswith("Salon Mèche: bonne fête Alice!")
    subjects = {one.subject for one in found if one.channel is Channel.EMAIL}
    assert subjects == {"Joyeux anniversaire de Salon Mèche"}


async def test_a_stop_after_queueing_blocks_the_greeting(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-68, D18: consent is asked at the moment of sending."""
    chain_id = await messaging.chain(plan=Plan.PRO)
    await schedule_birthday(door, chain_id)
    await celebrant(messaging, chain_id, "11-20", phone=PHONE)
    await timely.run_due(messaging.deps, chain_id)
    await messaging.text("STOP", chain_id=chain_id)
    await messaging.drain()
    assert await days(messaging, chain_id) == []
    assert ("BLOCKED", "stopped") in await messaging.states(chain_id)


async def test_an_attached_offer_is_told_with_its_link(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-67, LS-53: the client takes it there; an offer that is gone is not told of."""
    chain_id = await messaging.chain(plan=Plan.PRO, slug="salon-m")
    offer_id = await offer(messaging, chain_id)
    await schedule_birthday(door, chain_id, offer_id=str(offer_id), sms_body="Salon: {{ offer }}")
    await celebrant(messaging, chain_id, "11-20", phone=PHONE)
    await timely.run_due(messaging.deps, chain_id)
    await messaging.drain()
    (message,) = [one for one in await messaging.mailbox(chain_id) if one.kind == "BIRTHDAY"]
    link = f"https://fidelite.example.ca/m/salon-m/offers/{offer_id}?s=sms"
    assert message.body == f"Salon: 10 % sur un soin {link} ARRET pour cesser"


# -- the plan --------------------------------------------------------------------------------


async def test_a_lowered_plan_holds_the_message_and_a_raised_one_catches_up_on_nothing(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-64, P4, P5: kept and held; after the upgrade from the next birthday on."""
    messaging.clock.set(MORNING)
    chain_id = await messaging.chain(plan=Plan.ESSENTIEL)
    await schedule_birthday(door, chain_id)
    await celebrant(messaging, chain_id, "11-23")
    await celebrant(messaging, chain_id, "11-26")
    await messaging.tell_chain(chain_id, plan=Plan.PARTANT, version=2)
    asked = pb.ListScheduledMessagesRequest(chain_id=str(chain_id))
    listed = await door.ListScheduledMessages(asked)
    assert ([one.held_by_plan for one in listed.messages], listed.allowed) == ([True], False)
    await walk(messaging, chain_id, date(2026, 11, 23))
    await messaging.tell_chain(chain_id, plan=Plan.ESSENTIEL, version=3)
    await walk(messaging, chain_id, date(2026, 11, 27))
    assert await days(messaging, chain_id) == ["2026-11-26"]
    assert not (await door.ListScheduledMessages(asked)).messages[0].held_by_plan


async def test_a_resend_after_the_plan_was_lowered_gets_the_first_answer(
    messaging: MessagingHarness, door: Door
) -> None:
    """P4: the owner's answer was lost; her message stands, and is held."""
    chain_id = await messaging.chain(plan=Plan.ESSENTIEL)
    first = await schedule_birthday(door, chain_id, key="k")
    await messaging.tell_chain(chain_id, plan=Plan.PARTANT, version=2)
    again = await schedule_birthday(door, chain_id, key="k")
    assert (again.id, again.held_by_plan) == (first.id, True)


async def test_what_was_queued_does_not_leave_after_the_plan_was_lowered(
    messaging: MessagingHarness, door: Door
) -> None:
    """P4, P7: no right outlives its plan."""
    chain_id = await messaging.chain(plan=Plan.ESSENTIEL)
    await schedule_birthday(door, chain_id)
    await celebrant(messaging, chain_id, "11-20")
    assert await timely.run_due(messaging.deps, chain_id) == 1
    await messaging.tell_chain(chain_id, plan=Plan.PARTANT, version=2)
    await messaging.drain()
    assert await days(messaging, chain_id) == []
    assert ("FAILED", "plan_required") in await messaging.states(chain_id)


async def test_a_deleted_or_disabled_message_greets_nobody(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-70: switched off and on again, it begins with the day; deleted, it is gone."""
    chain_id = await messaging.chain(plan=Plan.PRO)
    made = await schedule_birthday(door, chain_id)
    change = pb.UpdateScheduledMessageRequest(
        chain_id=str(chain_id), message_id=made.id, enabled=False
    )
    await door.UpdateScheduledMessage(change)
    await celebrant(messaging, chain_id, "11-20")
    assert await timely.run_due(messaging.deps, chain_id) == 0
    assert await timely.next_due(messaging.deps, chain_id) is None
    change.enabled = True
    await door.UpdateScheduledMessage(change)
    assert await timely.run_due(messaging.deps, chain_id) == 1
    deletion = pb.DeleteScheduledMessageRequest(chain_id=str(chain_id), message_id=made.id)
    await door.DeleteScheduledMessage(deletion)
    await messaging.drain()
    assert await days(messaging, chain_id) == []
    with pytest.raises(RemoteRefusal) as refused:
        await door.DeleteScheduledMessage(deletion)
    assert refused.value.code == "not_found"


async def test_another_chain_sees_and_changes_nothing(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-65: Charlie's chain B has no message of chain A's."""
    chain_a, chain_b = [await messaging.chain(plan=Plan.PRO) for _ in range(2)]
    made = await schedule_birthday(door, chain_a)
    with pytest.raises(RemoteRefusal):
        await door.DeleteScheduledMessage(
            pb.DeleteScheduledMessageRequest(chain_id=str(chain_b), message_id=made.id)
        )
    await celebrant(messaging, chain_b, "11-20")
    assert await timely.run_due(messaging.deps, chain_b) == 0


async def test_offers_arrive_by_events_and_the_newest_wins(
    messaging: MessagingHarness, kafka_bootstrap: str
) -> None:
    """LS-67: the copy by which an offer can be attached; one without days is a dead letter."""
    chain_id, offer_id = await messaging.chain(plan=Plan.PRO), uuid4()

    def fact(title: str, version: int, start: str = "2026-12-01") -> Fact:
        payload = offers_events_pb2.OfferChanged(
            chain_id=str(chain_id),
            offer_id=str(offer_id),
            title=title,
            start_date=start,
            end_date="2026-12-31",
            version=version,
        ).SerializeToString()
        return Fact(type="offer.changed", chain_id=chain_id, key=str(offer_id), payload=payload)

    topic = f"loyalty.t{uuid4().hex[:8]}.v1"
    told = [fact("Neuf", 2), fact("Vieux", 1), fact("Sans jour", 3, start="")]
    async with consuming(
        topic=topic,
        handlers=consumers.offer_handlers(),
        pool=messaging.pool,
        bootstrap=kafka_bootstrap,
    ):
        await publish(kafka_bootstrap, topic, told)

        async def read() -> bool:
            return bool(await messaging.pool.fetchval("SELECT count(*) FROM dead_letter"))

        await until(read)
    titles = await messaging.pool.fetch("SELECT title FROM offer_copy")
    assert [row["title"] for row in titles] == ["Neuf"]


# -- in two languages ------------------------------------------------------------------------


async def test_a_wish_is_read_in_the_language_that_the_member_chose(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-68, D20: English where something was written in English; else what all read."""
    messaging.clock.set(MORNING)
    chain_id = await messaging.chain(plan=Plan.PRO)
    english = pb.SendWords(sms_body="{{ chain }}: happy birthday {{ name }}!")
    made = await schedule_birthday(door, chain_id, english=english)
    await celebrant(messaging, chain_id, "11-20")
    await celebrant(messaging, chain_id, "11-20", given_name="Anna", language=Language.EN)
    await walk(messaging, chain_id, date(2026, 11, 20))
    wishes = [one.body for one in await messaging.mailbox(chain_id) if one.kind == "BIRTHDAY"]

    assert made.english == english
    assert sorted(wishes) == [
        "Salon Mèche: bonne fête Alice! ARRET pour cesser",
        "Salon Mèche: happy birthday Anna! STOP to stop",
    ]


async def test_english_words_are_changed_one_by_one(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-68: what a change does not name stays; what it empties is read as all read it."""
    chain_id = await messaging.chain(plan=Plan.PRO)
    english = pb.SendWords(sms_body="{{ chain }}: hello", email_subject="Hello")
    made = await schedule_birthday(door, chain_id, english=english)
    changed = await door.UpdateScheduledMessage(
        pb.UpdateScheduledMessageRequest(
            chain_id=str(chain_id),
            message_id=made.id,
            english=pb.WordsChange(sms_body="", email_body="{{ chain }}: cheers"),
        )
    )
    assert changed.message.english == pb.SendWords(
        email_subject="Hello", email_body="{{ chain }}: cheers"
    )
    assert changed.message.sms_body == made.sms_body
    with pytest.raises(RemoteRefusal) as refused:
        await schedule_birthday(door, chain_id, english=pb.SendWords(email_body="{{ balance }}"))
    assert (refused.value.code, refused.value.field) == ("template_invalid", "english.email_body")
