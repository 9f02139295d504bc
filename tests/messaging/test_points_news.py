"""What members are told of their points, and what of them is kept (ADR 0016)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from loyalty.events.v1 import messaging_events_pb2
from loyalty.events.v1 import points_events_pb2 as facts

from services.chassis.postgres import Connection, in_transaction
from services.messaging import consumers
from services.messaging.domain.chain import ChainId, Language, MemberId
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import FIRST_POINTS_WAIT
from services.messaging.domain.message_settings import ReceiptMode
from services.messaging.domain.segments import measured
from services.messaging.domain.standing import MemberAccount
from services.messaging.storage import standings
from services.messaging.usecases import contacts, preferences
from services.messaging.usecases.contacts import ContactNews
from services.messaging.usecases.preferences import SettingsChange
from tests.messaging.conftest import EMAIL, PHONE, MessagingHarness, contact_of
from tests.messaging.ledger import Ledger, a_member, regular


async def read(ledger: Ledger) -> list[tuple[str, str]]:
    """Kind and words of what was sent since the welcome, oldest first."""
    await ledger.messaging.drain()
    sent = await ledger.messaging.mailbox(ChainId(ledger.chain_id))
    return [(one.kind.value, one.body) for one in reversed(sent) if one.kind.value != "WELCOME"]


async def change(ledger: Ledger, **words: Any) -> None:
    await preferences.update_settings(
        ledger.messaging.deps, SettingsChange(chain_id=ChainId(ledger.chain_id), **words)
    )


# -- receipts --------------------------------------------------------------------------------


async def test_enrolment_with_its_first_point_is_one_message(messaging: MessagingHarness) -> None:
    """SQ-27: one SMS with "inscrit", "1 point" and the link, when a tablet enrols and earns."""
    chain_id = await messaging.chain()
    contact = contact_of(
        chain_id=chain_id, phone=PHONE, registered_by=Channel.SMS, language=Language.FR
    )
    await tell_enrolled(messaging, contact, source="TABLET")
    assert await messaging.drain() == 0
    ledger = Ledger(messaging=messaging, chain_id=chain_id, member_id=contact.member_id)
    await ledger.program()
    await ledger.earn(1)
    await messaging.drain()
    (message,) = await messaging.mailbox(chain_id)
    assert message.kind.value == "WELCOME"
    for word in ("inscrit", "1 point", "/m/salon-"):
        assert word in message.body


async def tell_enrolled(messaging: MessagingHarness, contact: Any, *, source: str) -> None:
    news = ContactNews(
        contact=contact,
        enrolled_now=True,
        enrollment_source=source,
        first_grants=[],
        at=messaging.clock.now(),
    )

    async def work(conn: Connection) -> None:
        await contacts.take_contact(messaging.deps, conn, news)

    await in_transaction(messaging.pool, work)


async def test_points_that_arrive_before_the_contact_are_told_in_the_welcome(
    messaging: MessagingHarness,
) -> None:
    """SQ-27: contact and points travel on two topics; either may come first."""
    chain_id = await messaging.chain()
    contact = contact_of(
        chain_id=chain_id, phone=PHONE, registered_by=Channel.SMS, language=Language.EN
    )
    ledger = Ledger(messaging=messaging, chain_id=chain_id, member_id=contact.member_id)
    await ledger.program()
    fact = await ledger.earn(1)
    await ledger.tell("points.earned", fact)
    assert await messaging.entries(chain_id) == []
    await tell_enrolled(messaging, contact, source="TILL")
    await messaging.drain()
    (message,) = await messaging.mailbox(chain_id)
    assert (message.kind.value, "1 point" in message.body) == ("WELCOME", True)


async def test_an_enrolment_without_points_is_confirmed_after_a_moment(
    messaging: MessagingHarness,
) -> None:
    """SQ-27: "le cas échéant": no first point, no word of it."""
    chain_id = await messaging.chain()
    contact = contact_of(chain_id=chain_id, phone=PHONE, registered_by=Channel.SMS)
    await tell_enrolled(messaging, contact, source="TILL")
    messaging.clock.advance(FIRST_POINTS_WAIT)
    await messaging.drain()
    (message,) = await messaging.mailbox(chain_id)
    assert "inscrit" in message.body
    assert "point" not in message.body.replace("Vos points", "")


async def test_first_points_after_the_welcome_confirm_the_enrolment_too(
    messaging: MessagingHarness,
) -> None:
    """SQ-27, D20: the first receipt says "inscrit", the points and the link; the next ones not."""
    ledger = await a_member(messaging)
    await ledger.earn(1)
    await ledger.earn(2)
    (_, first), (_, second) = await read(ledger)
    for word in ("inscrit", "1 point", "?s=receipt"):
        assert word in first
    assert "inscrit" not in second
    assert "2 points" in second
    assert "Solde: 3" in second


async def test_a_sale_is_receipted_once_with_all_its_points(messaging: MessagingHarness) -> None:
    """SQ-62: sale 42 → "42 points" and the balance, promotion included. SQ-63: the link."""
    ledger = await regular(messaging)
    fact = await ledger.sale(40, promotion=2)
    await ledger.tell("sale.counted", fact)
    _, (kind, body) = await read(ledger)
    assert kind == "RECEIPT"
    for word in ("42 points", "Solde: 46", "/m/salon-"):
        assert word in body


async def test_a_sale_that_earned_nothing_has_no_receipt(messaging: MessagingHarness) -> None:
    """SQ-62: ineligible → no line."""
    ledger = await regular(messaging)
    await ledger.sale(0)
    assert len(await read(ledger)) == 1


async def test_the_chain_chooses_when_receipts_go_out(messaging: MessagingHarness) -> None:
    """D20: always, first only, never."""
    ledger = await a_member(messaging)
    await change(ledger, receipts=ReceiptMode.FIRST_ONLY)
    await ledger.earn(1)
    await ledger.earn(2)
    assert len(await read(ledger)) == 1
    await change(ledger, receipts=ReceiptMode.NEVER)
    await ledger.earn(1)
    assert len(await read(ledger)) == 1
    await change(ledger, receipts=ReceiptMode.ALWAYS)
    await ledger.earn(1)
    assert len(await read(ledger)) == 2


async def test_a_receipt_goes_where_she_joined_and_in_her_language(
    messaging: MessagingHarness,
) -> None:
    """SQ-27, D18: the channel by which she joined, her own language."""
    ledger = await regular(
        messaging, email=EMAIL, phone="", registered_by=Channel.EMAIL, language=Language.EN
    )
    (message, *_) = await messaging.mailbox(ChainId(ledger.chain_id), to=EMAIL)
    assert message.channel is Channel.EMAIL
    assert message.subject == "Salon Mèche: 4 points"
    assert "You earned 4 points" in message.body


async def test_stop_holds_every_service_message(messaging: MessagingHarness) -> None:
    """D18: consent is asked when it leaves, whatever is queued."""
    ledger = await regular(messaging)
    await messaging.text("STOP", chain_id=ChainId(ledger.chain_id))
    await ledger.earn(1)
    await ledger.adjust(-1)
    await ledger.tier("Or")
    await messaging.drain()
    states = await messaging.states(ChainId(ledger.chain_id))
    assert states[-3:] == [("BLOCKED", "stopped")] * 3


async def test_old_news_is_not_told(messaging: MessagingHarness) -> None:
    """A replay of the whole history tells nobody of visits of last month; copies follow it."""
    ledger = await a_member(messaging)
    fact = ledger.posted(5, source="SCAN")
    messaging.clock.advance(timedelta(days=30))
    await ledger.tell("points.earned", fact)
    assert await read(ledger) == []
    assert await balance_of(ledger) == 5


# -- by hand ---------------------------------------------------------------------------------


async def test_points_taken_by_hand_are_told_and_given_ones_are_not(
    messaging: MessagingHarness,
) -> None:
    """SQ-33, D4: −5 → one, +5 → none. SQ-31: +10 by hand → no message."""
    ledger = await regular(messaging)
    await ledger.adjust(5)
    await ledger.adjust(10)
    fact = await ledger.adjust(-5)
    await ledger.tell("points.adjusted", fact)
    _, (kind, body) = await read(ledger)
    assert kind == "DEDUCTION"
    assert "5 points" in body
    assert "Solde: 14" in body


@pytest.mark.parametrize(
    "kind",
    [
        "points.debited",
        "points.returned",
        "points.promoted",
        "points.refunded",
        "points.expired",
    ],
)
async def test_nothing_else_is_told_by_itself(messaging: MessagingHarness, kind: str) -> None:
    """SQ-31: refunds, rewards and endings are not told by themselves."""
    ledger = await regular(messaging)
    await ledger.tell(kind, ledger.posted(-1 if kind != "points.returned" else 1))
    assert len(await read(ledger)) == 1


# -- tiers -----------------------------------------------------------------------------------


async def test_a_change_of_tier_is_told_once_up_and_down(messaging: MessagingHarness) -> None:
    """SQ-06: crossing → one message; falling back → one; switched off → none."""
    ledger = await regular(messaging)
    up = await ledger.tier("Argent")
    await ledger.tell("tier.changed", up)
    messaging.clock.advance(timedelta(days=1))
    await ledger.tier("Base", risen=False)
    _, (_, rise), (_, fall) = await read(ledger)
    assert "passez au niveau Argent" in rise
    assert "maintenant Base" in fall
    await change(ledger, tier_changes=False)
    messaging.clock.advance(timedelta(days=1))
    await ledger.tier("Argent")
    assert len(await read(ledger)) == 3
    assert await tier_of(ledger) == "Argent"


# -- endings ---------------------------------------------------------------------------------


async def test_points_that_end_are_warned_of_once(messaging: MessagingHarness) -> None:
    """W2, W3, SQ-67: "100 points expirent le 31 janvier 2027", one for an account and last day."""
    ledger = await regular(messaging)
    fact = await ledger.expiring(100, "2027-01-31")
    await ledger.tell("points.expiring", fact)
    await ledger.tell("points.expiring", await ledger.expiring(100, "2027-01-31"))
    _, (kind, body) = await read(ledger)
    assert kind == "EXPIRY_WARNING"
    assert "100 points expirent le 31 janvier 2027" in body
    assert measured(body).segments == 1


async def test_one_point_ends_in_the_singular(messaging: MessagingHarness) -> None:
    """SQ-67: and "aout" keeps the text in GSM-7."""
    ledger = await regular(messaging)
    await ledger.expiring(1, "2027-08-31")
    _, (_, body) = await read(ledger)
    assert "1 point expire le 31 aout 2027" in body


async def test_a_switched_off_or_stopped_warning_is_not_sent(messaging: MessagingHarness) -> None:
    """W10: switched off by the owner, or STOP in force (D18)."""
    ledger = await regular(messaging)
    await change(ledger, expiry_warnings=False)
    await ledger.expiring(100, "2027-01-31")
    await change(ledger, expiry_warnings=True)
    await messaging.text("STOP", chain_id=ChainId(ledger.chain_id))
    await ledger.expiring(100, "2027-02-28")
    warned = [kind for kind, _ in await read(ledger) if kind == "EXPIRY_WARNING"]
    assert warned == []
    assert (await messaging.states(ChainId(ledger.chain_id)))[-1] == ("BLOCKED", "stopped")


# -- e-mail for points -----------------------------------------------------------------------


async def collected(messaging: MessagingHarness, chain_id: ChainId) -> list[int]:
    rows = await messaging.pool.fetch(
        "SELECT payload FROM outbox WHERE chain_id = $1 AND type = 'contact.collected'", chain_id
    )
    parse = messaging_events_pb2.ContactCollected.FromString
    return [parse(row["payload"]).points for row in rows]


async def test_a_new_member_is_offered_points_for_her_email_once(
    messaging: MessagingHarness,
) -> None:
    """SQ-09: on → SMS; she gives it → the bonus once, even if it is changed later."""
    chain_id = await messaging.chain()
    await preferences.update_settings(
        messaging.deps, SettingsChange(chain_id=chain_id, collect_email_points=5)
    )
    alice = await messaging.enroll(chain_id)
    await messaging.tell_contact(alice, enrolled_now=True)
    await messaging.drain()
    (offer, welcome) = await messaging.mailbox(chain_id)
    assert [welcome.kind.value, offer.kind.value] == ["WELCOME", "COLLECT_EMAIL"]
    assert "5 points" in offer.body
    for version, email in enumerate((EMAIL, EMAIL, "alice@example.org"), start=2):
        await messaging.tell_contact(
            contact_of(
                chain_id=chain_id,
                member_id=alice.member_id,
                phone=PHONE,
                email=email,
                version=version,
            )
        )
    assert await collected(messaging, chain_id) == [5]


async def test_nobody_else_is_asked_for_an_email(messaging: MessagingHarness) -> None:
    """SQ-09: off → no SMS; existing client → no SMS; one who gave it at once → no SMS."""
    chain_id = await messaging.chain()
    existing = await messaging.enroll(chain_id)
    await preferences.update_settings(
        messaging.deps, SettingsChange(chain_id=chain_id, collect_email_points=5)
    )
    await messaging.tell_contact(
        contact_of(chain_id=chain_id, member_id=existing.member_id, phone=PHONE, version=2)
    )
    await messaging.enroll(chain_id, email=EMAIL, phone="+15145550124")
    await messaging.enroll(chain_id, email=EMAIL, phone="", registered_by=Channel.EMAIL)
    await messaging.drain()
    assert {one.kind.value for one in await messaging.mailbox(chain_id)} == {"WELCOME"}
    assert await collected(messaging, chain_id) == []


# -- copies ----------------------------------------------------------------------------------


async def balance_of(ledger: Ledger) -> int:
    (account,) = await accounts(ledger)
    return account.balance


async def tier_of(ledger: Ledger) -> str:
    (account,) = await accounts(ledger)
    return account.tier_name


async def accounts(ledger: Ledger) -> list[MemberAccount]:
    async def work(conn: Connection) -> list[MemberAccount]:
        return await standings.accounts_of(conn, ChainId(ledger.chain_id), ledger.member_id)

    return await in_transaction(ledger.messaging.pool, work)


async def test_the_newest_posting_says_the_balance_in_any_order(
    messaging: MessagingHarness,
) -> None:
    ledger = await a_member(messaging)
    first, second = ledger.posted(5, source="SCAN"), ledger.posted(2, source="SCAN")
    for fact in (second, first, second):
        await ledger.tell("points.earned", fact)
    assert await balance_of(ledger) == 7


async def test_an_erased_member_is_told_nothing(messaging: MessagingHarness) -> None:
    ledger = await regular(messaging)

    async def work(conn: Connection) -> None:
        await contacts.forget_contact(conn, ChainId(ledger.chain_id), ledger.member_id)

    await in_transaction(messaging.pool, work)
    await ledger.adjust(-1)
    await ledger.earn(3)
    assert len(await read(ledger)) == 1
    waiting = await messaging.pool.fetchval("SELECT count(*) FROM early_news")
    assert waiting == 0


async def test_charlie_hears_nothing_of_alice(messaging: MessagingHarness) -> None:
    alice = await regular(messaging)
    charlie = await regular(messaging, phone="+15145550199")
    await alice.adjust(-1)
    await messaging.drain()
    hers = await messaging.mailbox(ChainId(charlie.chain_id))
    assert {one.recipient for one in hers} == {"+15145550199"}
    stranger = Ledger(messaging=messaging, chain_id=charlie.chain_id, member_id=MemberId(uuid4()))
    assert await accounts(stranger) == []


# -- many at a time --------------------------------------------------------------------------


async def test_each_receipt_of_a_batch_says_the_balance_after_its_own_sale(
    messaging: MessagingHarness,
) -> None:
    """SQ-62: two sales and a refund of one member arrive in one go."""
    ledger = await regular(messaging)
    await ledger.tell_together(
        [
            *ledger.sale_facts(10, promotion=5),
            *ledger.sale_facts(20),
            ("points.refunded", ledger.posted(-30)),
        ]
    )
    _, (_, one), (_, two) = await read(ledger)
    assert "15 points" in one
    assert "Solde: 19" in one
    assert "20 points" in two
    assert "Solde: 39" in two
    assert await balance_of(ledger) == 9


async def test_a_replayed_sale_in_a_batch_is_told_with_the_balance_that_is_known(
    messaging: MessagingHarness,
) -> None:
    """An older posting moves no balance back, also where its sale is counted only now."""
    ledger = await regular(messaging)
    late = ledger.sale_facts(10)
    newest = ledger.posted(2, source="SCAN", salon_id=ledger.salon_id)
    await ledger.tell("points.earned", newest)
    await ledger.tell_together(late)
    *_, (_, body) = await read(ledger)
    assert "10 points" in body
    assert "Solde: 16" in body
    assert await balance_of(ledger) == 16


async def test_the_first_points_of_a_batch_are_the_first_for_ever(
    messaging: MessagingHarness,
) -> None:
    """D20: of several earns in one go the first is the first, also when they come again."""
    ledger = await a_member(messaging)
    await change(ledger, receipts=ReceiptMode.FIRST_ONLY)
    nothing = ledger.posted(0, source="SCAN", salon_id=ledger.salon_id)
    one, two, three = (ledger.posted(n, source="SCAN") for n in (1, 2, 3))
    told: list[tuple[str, Message]] = [("points.earned", fact) for fact in (nothing, one, two)]
    await ledger.tell_together(told)
    assert [await first_earn(ledger), len(await read(ledger))] == [one.posting_id, 1]
    await ledger.tell_together([("points.earned", three), *reversed(told)])
    assert [await first_earn(ledger), len(await read(ledger))] == [one.posting_id, 1]


async def first_earn(ledger: Ledger) -> str | None:
    found: str | None = await ledger.messaging.pool.fetchval(
        "SELECT first_earn FROM member_standing WHERE chain_id = $1 AND member_id = $2",
        ledger.chain_id,
        ledger.member_id,
    )
    return found


async def test_the_newest_posting_of_a_batch_says_the_balance(messaging: MessagingHarness) -> None:
    ledger = await a_member(messaging)
    first, second, third = (ledger.posted(n, source="SCAN") for n in (5, 2, 1))
    opened = facts.AccountOpened(**ledger.names)
    await ledger.tell_together(
        [
            ("points.earned", second),
            ("account.opened", opened),
            ("points.earned", third),
            ("points.earned", first),
        ]
    )
    assert await balance_of(ledger) == 8


async def test_a_batch_of_everything_leaves_what_one_by_one_leaves(
    messaging: MessagingHarness,
) -> None:
    """Sales, scans, deductions, tiers and warnings of two members, by each receipt mode."""
    for mode in ReceiptMode:
        left = []
        for together in (True, False):
            alice = await a_member(messaging)
            await change(alice, receipts=mode)
            other = await messaging.enroll(ChainId(alice.chain_id), phone="+15145550199")
            mary = Ledger(
                messaging=messaging,
                chain_id=alice.chain_id,
                member_id=other.member_id,
                program_id=alice.program_id,
            )
            told = [
                *alice.sale_facts(12),
                ("points.earned", mary.posted(1, source="SCAN", salon_id=mary.salon_id)),
                ("points.adjusted", alice.posted(-5, reason="ERROR")),
                *mary.sale_facts(0),
                *mary.sale_facts(30, promotion=3),
                ("tier.changed", alice.rising("Or")),
                ("points.expiring", mary.ending(20, "2027-01-31")),
                ("points.earned", alice.posted(2, source="SCAN", salon_id=alice.salon_id)),
            ]
            batches = [told] if together else [[one] for one in told]
            for batch in batches:
                await alice.tell_together(batch)
            left.append(
                [
                    [(kind, body.replace(alice.chain_id.hex[:8], "")) for kind, body in sent]
                    for sent in (await read(alice), await held(alice), await held(mary))
                ]
            )
        assert left[0] == left[1]


async def held(ledger: Ledger) -> list[tuple[str, str]]:
    return [(one.tier_name, str(one.balance)) for one in await accounts(ledger)]


async def test_news_of_a_batch_waits_for_the_contacts_that_are_missing(
    messaging: MessagingHarness,
) -> None:
    """One is known, one is on her way, one was erased."""
    alice = await regular(messaging)
    chain_id = ChainId(alice.chain_id)
    erased = await messaging.enroll(chain_id, phone="+15145550177")
    await messaging.drain()

    async def forget(conn: Connection) -> None:
        await contacts.forget_contact(conn, chain_id, erased.member_id)

    await in_transaction(messaging.pool, forget)
    coming = contact_of(
        chain_id=chain_id, phone="+15145550188", registered_by=Channel.SMS, language=Language.FR
    )
    others = [
        Ledger(messaging=messaging, chain_id=chain_id, member_id=each, program_id=alice.program_id)
        for each in (coming.member_id, erased.member_id)
    ]
    await alice.tell_together(
        [("points.earned", one.posted(7, source="SCAN")) for one in (*others, alice)]
    )
    waiting = await messaging.pool.fetch("SELECT member_id FROM early_news")
    assert [row["member_id"] for row in waiting] == [coming.member_id]
    await tell_enrolled(messaging, coming, source="TILL")
    await messaging.drain()
    sent = await messaging.mailbox(chain_id)
    assert len([one for one in sent if "7 points" in one.body]) == 2
    assert not [one for one in sent if one.recipient == "+15145550177" and "7 points" in one.body]


async def test_earns_that_tell_nothing_read_no_contact_and_no_program(
    messaging: MessagingHarness,
) -> None:
    """With receipts switched off, a thousand earns cost what a few sets of rows cost."""
    ledger = await a_member(messaging)
    await change(ledger, receipts=ReceiptMode.NEVER)
    told = [fact for n in range(50) for fact in ledger.sale_facts(n + 1)]
    asked: list[str] = []
    events = [ledger.event(kind, fact) for kind, fact in told]
    async with messaging.pool.acquire() as conn, conn.transaction():
        with conn.query_logger(lambda query: asked.append(query.query)):
            await consumers.standings(messaging.deps).apply(conn, events)
    assert len(asked) == 3
    assert not [query for query in asked if "contact" in query or "program_copy" in query]
    assert await balance_of(ledger) == sum(range(1, 51))
