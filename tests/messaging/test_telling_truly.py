"""What an owner is shown is what leaves; every advertisement says how to stop and who sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
from loyalty.events.v1 import messaging_events_pb2
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.chassis.postgres import in_transaction
from services.messaging import rpc
from services.messaging.domain import segments
from services.messaging.domain.chain import ChainId, Language, Plan
from services.messaging.domain.consent import Channel
from services.messaging.domain.mailbox import SandboxMessage
from services.messaging.domain.offer import OfferId
from services.messaging.usecases import numbers, offers_news, preferences, timely
from services.messaging.usecases.offers_news import CouponNews
from services.messaging.usecases.preferences import SettingsChange
from tests.messaging.conftest import EMAIL, NOW, OPERATOR, PHONE, POSTAL_ADDRESS, MessagingHarness
from tests.messaging.ledger import Ledger
from tests.messaging.test_text_to_join import OWN, leave_pro, pro_chain
from tests.messaging.to_many import members, offer, report, send
from tests.messaging.wire import serving

Door = messaging_pb2_grpc.MessagingServiceStub


@pytest.fixture
async def door(messaging: MessagingHarness) -> AsyncIterator[Door]:
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        yield messaging_pb2_grpc.MessagingServiceStub(channel)


async def four(messaging: MessagingHarness, chain_id: ChainId) -> None:
    """Members by text and by e-mail, of both languages, whom a message may reach."""
    await members(messaging, chain_id, 2, language=Language.FR)
    await members(messaging, chain_id, 1, language=Language.EN)
    await messaging.enroll(
        chain_id,
        phone="",
        email=EMAIL,
        registered_by=Channel.EMAIL,
        email_verified=True,
        grants=[Channel.EMAIL],
        language=Language.EN,
    )
    await messaging.drain()


async def of_kind(
    messaging: MessagingHarness, chain_id: ChainId, kind: str
) -> list[SandboxMessage]:
    return [one for one in await messaging.mailbox(chain_id) if one.kind == kind]


async def previewed(
    door: Door, chain_id: ChainId, kind: pb.MessageKind.ValueType, **words: object
) -> dict[tuple[int, int], pb.ShownMessage]:
    answer = await door.PreviewSend(
        pb.PreviewSendRequest(chain_id=str(chain_id), kind=kind, **words)  # type: ignore[arg-type]
    )
    return {(one.channel, one.language): one for one in answer.messages}


@pytest.mark.parametrize("own", ["", "Salon Mèche: du neuf pour vous!"])
async def test_a_preview_is_word_for_word_what_leaves(
    messaging: MessagingHarness, door: Door, own: str
) -> None:
    """LS-60: title, link in its real form and stop words; whom each version reaches."""
    chain_id = await messaging.chain()
    await four(messaging, chain_id)
    offer_id = await offer(messaging, chain_id, title="Gloss offert")
    words = pb.SendWords(sms_body=own)
    shown = await previewed(
        door, chain_id, pb.MESSAGE_KIND_OFFER, offer_id=str(offer_id), words=words
    )
    await send(door, chain_id, offer_id=str(offer_id), sms_body=own)
    await messaging.drain()
    left = await of_kind(messaging, chain_id, "OFFER")
    by_text = {one.body for one in left if one.channel is Channel.SMS}
    assert by_text == {
        shown[types_pb2.CHANNEL_SMS, language].body
        for language in (types_pb2.LANGUAGE_FR, types_pb2.LANGUAGE_EN)
    }
    for one in shown.values():
        if one.channel == types_pb2.CHANNEL_SMS:
            assert one.segments == segments.measured(one.body).segments
            assert f"/offers/{offer_id}?s=sms" in one.body
    counts = {key: one.reachable for key, one in shown.items()}
    assert counts == {
        (types_pb2.CHANNEL_SMS, types_pb2.LANGUAGE_FR): 2,
        (types_pb2.CHANNEL_SMS, types_pb2.LANGUAGE_EN): 1,
        (types_pb2.CHANNEL_EMAIL, types_pb2.LANGUAGE_FR): 0,
        (types_pb2.CHANNEL_EMAIL, types_pb2.LANGUAGE_EN): 1,
    }


async def test_a_birthday_preview_without_an_offer_names_none(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-67: no offer was chosen; nothing stands in its place."""
    chain_id = await messaging.chain(plan=Plan.ESSENTIEL)
    shown = await previewed(door, chain_id, pb.MESSAGE_KIND_BIRTHDAY)
    assert not [one.body for one in shown.values() if "10 %" in one.body]
    french = shown[types_pb2.CHANNEL_SMS, types_pb2.LANGUAGE_FR].body
    assert french.startswith("Salon Mèche: joyeux anniversaire, Alice! https://")


async def test_every_text_that_advertises_says_how_to_stop_in_her_language(
    messaging: MessagingHarness, door: Door
) -> None:
    """D18: once, also in words of the owner's own; a service message is as it was."""
    chain_id = await messaging.chain()
    await four(messaging, chain_id)
    await send(door, chain_id, sms_body="Salon Mèche: fermé lundi.")
    await send(door, chain_id, sms_body="Salon Mèche: soldes. Répondez ARRET pour arreter.")
    await messaging.drain()
    texts = [
        one.body
        for one in await of_kind(messaging, chain_id, "ANNOUNCEMENT")
        if one.channel is Channel.SMS
    ]
    assert sorted(texts) == sorted(
        [
            *["Salon Mèche: fermé lundi. ARRET pour cesser"] * 2,
            "Salon Mèche: fermé lundi. STOP to stop",
            *["Salon Mèche: soldes. Répondez ARRET pour arreter."] * 3,
        ]
    )


async def test_a_long_text_keeps_its_stop_words(messaging: MessagingHarness, door: Door) -> None:
    chain_id = await messaging.chain()
    shown = await previewed(
        door,
        chain_id,
        pb.MESSAGE_KIND_ANNOUNCEMENT,
        words=pb.SendWords(sms_body="{{ chain }} " + "{{ link }} " * 59),
    )
    body = shown[types_pb2.CHANNEL_SMS, types_pb2.LANGUAGE_FR].body
    assert len(body) == 1530
    assert body.endswith(" ARRET pour cesser")


async def test_an_email_that_advertises_names_its_sender_and_none_leaves_without(
    messaging: MessagingHarness, door: Door
) -> None:
    """Refused with what to do; texts alone need no address; one planned before is held."""
    chain_id = await messaging.chain()
    await four(messaging, chain_id)
    await send(door, chain_id, email_subject="Bonjour", email_body="Du neuf.", sms_body="Du neuf.")
    await messaging.drain()
    (mail,) = [
        one
        for one in await of_kind(messaging, chain_id, "ANNOUNCEMENT")
        if one.channel is Channel.EMAIL
    ]
    assert mail.body.endswith(f"\n\nSalon Mèche, {POSTAL_ADDRESS}")
    planned = await send(
        door, chain_id, sms_body="Plus tard.", send_at=messaging.clock.now() + timedelta(hours=1)
    )
    await messaging.tell_chain(chain_id, version=2, postal_address="")
    with pytest.raises(RemoteRefusal) as refused:
        await send(door, chain_id, sms_body="Du neuf.")
    assert refused.value.code == "postal_address_missing"
    by_text = pb.AudienceFilter(channels=[types_pb2.CHANNEL_SMS])
    assert (await send(door, chain_id, sms_body="Du neuf.", filter=by_text)).send.report.chosen == 3
    assert planned.send.status == pb.SEND_STATUS_SCHEDULED


async def test_a_time_that_is_over_is_refused_and_a_moment_ago_is_now(
    messaging: MessagingHarness, door: Door
) -> None:
    chain_id = await messaging.chain()
    with pytest.raises(RemoteRefusal) as refused:
        await send(door, chain_id, sms_body="Salon Mèche", send_at=NOW - timedelta(days=1))
    assert (refused.value.code, refused.value.field) == ("send_at_past", "send_at")
    made = await send(door, chain_id, sms_body="Salon Mèche", send_at=NOW - timedelta(minutes=2))
    assert made.send.status != pb.SEND_STATUS_SCHEDULED


async def test_an_offer_that_is_over_is_sent_to_nobody(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-52, LS-63: over on the day of sending: refused; not begun: warned of."""
    chain_id = await messaging.chain(plan=Plan.ESSENTIEL)
    over = await offer(messaging, chain_id, end_date=date(2026, 11, 19))
    ends = await offer(messaging, chain_id, end_date=date(2026, 11, 21))
    later = await offer(
        messaging, chain_id, start_date=date(2028, 1, 1), end_date=date(2028, 1, 31)
    )
    for offer_id, send_at in ((over, NOW), (ends, NOW + timedelta(days=3))):
        with pytest.raises(RemoteRefusal) as refused:
            await send(door, chain_id, offer_id=str(offer_id), send_at=send_at)
        assert refused.value.code == "offer_ended"
    assert list((await send(door, chain_id, offer_id=str(later))).warnings) == ["offer_not_started"]

    def birthday(offer_id: OfferId) -> pb.CreateScheduledMessageRequest:
        return pb.CreateScheduledMessageRequest(
            idempotency_key=str(uuid4()),
            chain_id=str(chain_id),
            message=pb.ScheduledMessage(
                type=pb.SCHEDULED_MESSAGE_TYPE_BIRTHDAY, offer_id=str(offer_id), enabled=True
            ),
        )

    with pytest.raises(RemoteRefusal) as refused:
        await door.CreateScheduledMessage(birthday(over))
    assert refused.value.code == "offer_ended"
    answer = await door.CreateScheduledMessage(birthday(later))
    assert list(answer.warnings) == ["offer_not_started"]


async def test_a_report_counts_what_her_receivers_did_since_it_left(
    messaging: MessagingHarness, door: Door
) -> None:
    """ADR 0017: a coupon that was taken and used before the send is not its doing."""
    chain_id = await messaging.chain()
    before, after = await members(messaging, chain_id, 2)
    offer_id = await offer(messaging, chain_id)

    async def coupon(member_id: object, *, days: int, used: bool, version: int) -> None:
        news = CouponNews(
            chain_id=chain_id,
            reward_id=member_id,  # type: ignore[arg-type]
            offer_id=offer_id,
            member_id=member_id,  # type: ignore[arg-type]
            used=used,
            voided=False,
            version=version,
            at=NOW + timedelta(days=days),
        )
        await in_transaction(messaging.pool, lambda conn: offers_news.take_coupon(conn, news))

    await coupon(before.member_id, days=-3, used=False, version=1)
    await coupon(before.member_id, days=-2, used=True, version=2)
    made = await send(door, chain_id, offer_id=str(offer_id))
    await messaging.drain()
    await coupon(after.member_id, days=1, used=False, version=1)
    await coupon(after.member_id, days=2, used=True, version=2)
    found = (await report(door, made)).report
    assert (found.taken, found.used) == (1, 1)


async def test_the_salons_name_is_found_whatever_its_apostrophe(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-68: "L’Atelier" typed with a straight apostrophe is the same name."""
    chain_id = await messaging.chain(name="L’Atelier d’Anne")
    for body in ("L'Atelier d'Anne: du neuf", "L’Atelier d’Anne: du neuf"):
        made = await send(door, chain_id, sms_body=body)
        assert list(made.warnings) == []


# -- an address that is hers -------------------------------------------------------------------


async def test_a_text_from_her_phone_is_told_to_enrollment_once(
    messaging: MessagingHarness,
) -> None:
    """D18: the proof names her phone by a keyed digest; five webhooks tell it once."""
    chain_id = await messaging.chain()
    alice = await messaging.enroll(chain_id)
    for _ in range(5):
        await messaging.text("OUI", chain_id=chain_id, message_id="SM-one")
    rows = await messaging.pool.fetch(
        "SELECT payload FROM outbox WHERE chain_id = $1 AND type = 'contact.proven'", chain_id
    )
    (fact,) = [messaging_events_pb2.ContactProven.FromString(row["payload"]) for row in rows]
    proof = messaging.deps.proofs.read(fact.proof)
    assert proof is not None
    assert proof.member_id == alice.member_id
    assert messaging.deps.proofs.is_of(proof, PHONE)
    assert PHONE.encode() not in rows[0]["payload"]
    await messaging.tell_contact(replace(alice, phone_verified=True, version=2))
    await messaging.text("AIDE", chain_id=chain_id)
    assert [name for name, _ in await messaging.told(chain_id)].count("contact.proven") == 1


async def test_the_welcome_of_an_email_join_asks_her_to_confirm(
    messaging: MessagingHarness,
) -> None:
    """D18: below the words, also a chain's own; not where the address is proven already."""
    chain_id = await messaging.chain()
    alice = await messaging.enroll(
        chain_id, phone="", email=EMAIL, registered_by=Channel.EMAIL, language=Language.FR
    )
    await messaging.enroll(
        chain_id,
        phone="",
        email="sure@example.com",
        email_verified=True,
        registered_by=Channel.EMAIL,
    )
    await messaging.drain()
    mails = {one.recipient: one.body for one in await messaging.mailbox(chain_id)}
    assert "/confirm/" not in mails["sure@example.com"]
    link = mails[EMAIL].partition("Confirmez-la ici\u00a0: ")[2].split()[0]
    assert EMAIL not in link
    proof = messaging.deps.proofs.read(link.rpartition("/")[2])
    assert proof is not None
    assert proof.member_id == alice.member_id


def _texts(messaging: MessagingHarness) -> list[str]:
    return [one["body"] for one in messaging.twilio.taken]


# -- answers -----------------------------------------------------------------------------------


async def test_the_answer_to_the_keyword_is_one_segment(messaging: MessagingHarness) -> None:
    """LS-20: one text, one message paid."""
    await pro_chain(messaging)
    await messaging.text("JOIGNEZ", number=OWN)
    await messaging.drain()
    (text,) = _texts(messaging)
    assert segments.measured(text).segments == 1
    assert text.endswith("ARRET pour cesser.")


async def test_what_nobody_understands_is_answered_once_a_day(
    messaging: MessagingHarness,
) -> None:
    """LS-20: no link; two machines do not talk for ever; who said STOP hears nothing."""
    await pro_chain(messaging, keyword="FIGARO")
    for body in ("bonjour", "allo?", "hello"):
        await messaging.text(body, number=OWN)
    await messaging.drain()
    (answer,) = _texts(messaging)
    assert "FIGARO" in answer
    assert "http" not in answer
    messaging.clock.set(NOW + timedelta(days=1, minutes=1))
    await messaging.text("bonjour", number=OWN)
    await messaging.drain()
    assert len(_texts(messaging)) == 2


async def test_a_poster_of_before_still_answers(messaging: MessagingHarness) -> None:
    """LS-20: the keyword was changed twice; JOIN is JOIGNEZ in English."""
    chain_id = await pro_chain(messaging)
    for keyword in ("FIGARO", "COUPE", "FIGARO"):
        await numbers.set_keyword(messaging.deps, chain_id, keyword, actor=OPERATOR)
    found = [
        await messaging.text(one, number=OWN) for one in ("joignez", "coupe", "figaro", "join")
    ]
    assert [one.value for one in found] == ["join"] * 4


async def test_a_chain_that_left_pro_says_so_without_a_link(messaging: MessagingHarness) -> None:
    """P2: no link; the poster's reader hears where to ask."""
    chain_id = await pro_chain(messaging)
    await leave_pro(messaging, chain_id, Plan.PARTANT)
    await messaging.text("JOIGNEZ", number=OWN)
    await messaging.drain()
    (answer,) = _texts(messaging)
    assert "Demandez au salon" in answer
    assert "http" not in answer


async def test_help_names_the_salon_and_its_phone(messaging: MessagingHarness) -> None:
    """D18, LS-79: whoever texts AIDE learns whom to call."""
    chain_id = await messaging.chain(contact_phone="514 555-0199")
    await messaging.enroll(chain_id)
    await messaging.drain()
    await messaging.text("AIDE", chain_id=chain_id)
    await messaging.drain()
    newest = (await messaging.mailbox(chain_id))[0].body
    assert newest.startswith("Salon Mèche, fidélité. Pour nous joindre: 514 555-0199.")


async def test_quiet_hours_that_end_by_choice_let_go_what_waits(
    messaging: MessagingHarness,
) -> None:
    """W10: it leaves at once, and not in the morning."""
    chain_id = await messaging.chain()
    await preferences.update_settings(
        messaging.deps, SettingsChange(chain_id=chain_id, quiet_from="09:00", quiet_until="20:00")
    )
    await messaging.enroll(chain_id)
    await messaging.drain()
    assert await messaging.mailbox(chain_id) == []
    await preferences.update_settings(
        messaging.deps, SettingsChange(chain_id=chain_id, quiet_from="", quiet_until="")
    )
    await messaging.drain()
    assert [one.kind.value for one in await messaging.mailbox(chain_id)] == ["WELCOME"]


async def test_what_waited_for_the_morning_says_the_balance_of_the_morning(
    messaging: MessagingHarness,
) -> None:
    """SQ-62: she heard of her later balance meanwhile; an old one would contradict it."""
    chain_id = await messaging.chain()
    alice = await messaging.enroll(chain_id)
    await messaging.drain()
    await preferences.update_settings(
        messaging.deps, SettingsChange(chain_id=chain_id, quiet_from="09:00", quiet_until="20:00")
    )
    ledger = Ledger(messaging=messaging, chain_id=chain_id, member_id=alice.member_id)
    await ledger.program()
    await ledger.earn(4)
    await messaging.drain()
    await ledger.tell("points.promoted", ledger.posted(8))
    await preferences.update_settings(
        messaging.deps, SettingsChange(chain_id=chain_id, quiet_from="", quiet_until="")
    )
    await messaging.drain()
    (receipt,) = await of_kind(messaging, chain_id, "RECEIPT")
    assert "vous gagnez 4 points. Solde: 12." in receipt.body


async def test_an_offer_is_judged_on_the_day_of_sending(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-52, LS-67: a wish leaves without an offer that has not begun; a planned send of one that
    was cut short meanwhile leaves to nobody.
    """
    chain_id = await messaging.chain(plan=Plan.ESSENTIEL)
    offer_id = await offer(messaging, chain_id)
    (alice,) = await members(messaging, chain_id, 1, birthday="--11-20")
    await door.CreateScheduledMessage(
        pb.CreateScheduledMessageRequest(
            idempotency_key=str(uuid4()),
            chain_id=str(chain_id),
            message=pb.ScheduledMessage(
                type=pb.SCHEDULED_MESSAGE_TYPE_BIRTHDAY, offer_id=str(offer_id), enabled=True
            ),
        )
    )
    planned = await send(door, chain_id, offer_id=str(offer_id), send_at=NOW + timedelta(days=4))
    await offer(messaging, chain_id, offer_id=offer_id, start_date=date(2026, 11, 22), version=2)
    await timely.run_due(messaging.deps, chain_id)
    await messaging.drain()
    (wish,) = await of_kind(messaging, chain_id, "BIRTHDAY")
    assert wish.recipient == alice.phone
    assert "/offers/" not in wish.body
    await offer(messaging, chain_id, offer_id=offer_id, end_date=date(2026, 11, 23), version=3)
    messaging.clock.set(NOW + timedelta(days=4))
    await timely.run_due(messaging.deps, chain_id)
    await messaging.drain()
    assert await of_kind(messaging, chain_id, "OFFER") == []
    assert (await report(door, planned)).status == pb.SEND_STATUS_STOPPED
