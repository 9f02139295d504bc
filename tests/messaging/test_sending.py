"""Sending: who gets what, once, at the right moment, whatever dies on the way (ADR 0009)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.chassis.postgres import in_transaction
from services.chassis.signing import Sealer
from services.messaging.domain import errors
from services.messaging.domain.chain import Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import ATTEMPTS_MAX, CHAIN_WAIT_MAX, LEASE
from services.messaging.domain.provider import Accepted
from services.messaging.usecases import contacts, journal, outcomes, sending
from services.messaging.usecases.sending import Claimed
from tests.messaging.conftest import EMAIL, NOW, PHONE, SECRET, MessagingHarness


async def claim(messaging: MessagingHarness) -> Claimed:
    """Take the next delivery as a process does that is about to die."""
    taken = await sending.claim_next(messaging.deps)
    assert isinstance(taken, Claimed)
    return taken


# -- the welcome -----------------------------------------------------------------------------


async def test_a_member_who_joins_by_phone_gets_one_welcome_by_sms(
    messaging: MessagingHarness,
) -> None:
    """SQ-27: confirms the enrolment, with a link; LS-60: by the channel by which she joined."""
    chain_id = await messaging.chain(slug="salon-meche")
    await messaging.enroll(chain_id, email=EMAIL)
    await messaging.drain()
    (message,) = await messaging.mailbox(chain_id)
    assert (message.channel, message.recipient) == (Channel.SMS, PHONE)
    assert "inscrit" in message.body
    assert "https://fidelite.example.ca/m/salon-meche" in message.body
    assert await messaging.states(chain_id) == [("SENT", "")]
    assert ("delivery.sent", "SENT") in await messaging.told(chain_id)


async def test_a_member_who_joins_by_email_gets_one_welcome_by_email(
    messaging: MessagingHarness,
) -> None:
    """SQ-27, LS-60: one e-mail, no SMS; in her language."""
    chain_id = await messaging.chain()
    await messaging.enroll(
        chain_id, phone="", email=EMAIL, registered_by=Channel.EMAIL, language=Language.EN
    )
    await messaging.drain()
    (message,) = await messaging.mailbox(chain_id)
    assert (message.channel, message.recipient) == (Channel.EMAIL, EMAIL)
    assert message.subject == "Welcome to Salon Mèche"


async def test_the_chains_language_counts_where_she_chose_none(
    messaging: MessagingHarness,
) -> None:
    chain_id = await messaging.chain(language=Language.EN)
    await messaging.enroll(chain_id, language=None)
    await messaging.drain()
    (message,) = await messaging.mailbox(chain_id)
    assert "enrolled" in message.body


async def test_a_language_that_is_said_after_she_joined_is_the_one_of_her_welcome(
    messaging: MessagingHarness,
) -> None:
    """D20: a till enrols by phone alone, and says who she is a moment later."""
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id, language=Language.FR)
    await messaging.tell_contact(replace(member, language=Language.EN, version=2))
    await messaging.drain()
    (message,) = await messaging.mailbox(chain_id)
    assert "enrolled" in message.body


async def test_a_later_change_of_her_contact_welcomes_nobody_again(
    messaging: MessagingHarness,
) -> None:
    """SQ-31: changes are not told by themselves."""
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id)
    await messaging.tell_contact(replace(member, given_name="Alice", version=2))
    for _ in range(3):
        await messaging.tell_contact(member, enrolled_now=True)
    await messaging.drain()
    assert len(await messaging.mailbox(chain_id)) == 1


async def test_a_welcome_is_no_use_a_day_later(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id)
    messaging.clock.advance(timedelta(hours=25))
    await messaging.drain()
    assert await messaging.states(chain_id) == [("EXPIRED", "too_late")]
    assert await messaging.mailbox(chain_id) == []


async def test_stop_between_queueing_and_sending_blocks_the_welcome(
    messaging: MessagingHarness,
) -> None:
    """D18: consent is asked at the moment of sending."""
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id, grants=[Channel.SMS])
    await messaging.text("STOP", chain_id=chain_id)
    await messaging.drain()
    kinds = [one.kind for one in await messaging.mailbox(chain_id)]
    assert kinds == ["KEYWORD_ANSWER"]
    assert ("BLOCKED", "stopped") in await messaging.states(chain_id)
    assert ("delivery.blocked", "BLOCKED") in await messaging.told(chain_id)


async def test_a_contact_that_comes_before_its_chain_waits_for_it(
    messaging: MessagingHarness,
) -> None:
    """The two travel on two topics."""
    chain_id = await messaging.chain(known=False)
    await messaging.enroll(chain_id)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("QUEUED", "chain_unknown")]
    await messaging.tell_chain(chain_id)
    messaging.clock.advance(timedelta(seconds=2))
    await messaging.drain()
    assert len(await messaging.mailbox(chain_id)) == 1
    (entry,) = await messaging.entries(chain_id)
    assert entry.attempts == 1


async def test_a_chain_that_never_comes_ends_the_wait(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain(known=False)
    await messaging.enroll(chain_id)
    messaging.clock.advance(CHAIN_WAIT_MAX)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("FAILED", "chain_unknown")]


async def test_an_erased_member_gets_nothing_and_no_event_brings_her_back(
    messaging: MessagingHarness,
) -> None:
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id)
    await messaging.drain()
    await in_transaction(
        messaging.pool, lambda conn: contacts.forget_contact(conn, chain_id, member.member_id)
    )
    await messaging.tell_contact(
        replace(member, version=9), enrolled_now=True, grants=[Channel.SMS]
    )
    row = await messaging.pool.fetchrow(
        "SELECT phone, email, given_name FROM contact WHERE member_id = $1", member.member_id
    )
    assert row is not None
    assert set(row.values()) == {""}
    assert await messaging.acts(chain_id) == []


# -- the one-time code -----------------------------------------------------------------------


async def test_a_code_is_opened_only_into_the_message(messaging: MessagingHarness) -> None:
    """D34: sent once, though told three times; afterwards not even its sealed bytes remain."""
    chain_id = await messaging.chain()
    wanted = await messaging.request_code(chain_id, code="482913")
    for _ in range(2):
        await messaging.tell_code(wanted)
    sealed = await messaging.pool.fetchval("SELECT sealed_code FROM delivery")
    assert b"482913" not in sealed
    await messaging.drain()
    (message,) = await messaging.mailbox(chain_id)
    assert "482913" in message.body
    assert await messaging.pool.fetchval("SELECT sealed_code FROM delivery") is None
    everything = await messaging.pool.fetch("SELECT params::text, reason FROM delivery")
    assert "482913" not in str(everything)


async def test_a_code_reaches_her_in_spite_of_a_stop(messaging: MessagingHarness) -> None:
    """D18: security class."""
    chain_id = await messaging.chain()
    await messaging.text("STOP", chain_id=chain_id)
    await messaging.request_code(chain_id, code="482913")
    await messaging.drain()
    assert any("482913" in one.body for one in await messaging.mailbox(chain_id))


async def test_a_late_code_is_never_sent(messaging: MessagingHarness) -> None:
    """Also one that waited in the queue past its end, or came out of a replayed outbox."""
    chain_id = await messaging.chain()
    await messaging.request_code(chain_id, minutes=-1)
    waited = await messaging.request_code(chain_id, minutes=10)
    messaging.clock.advance(timedelta(minutes=10))
    await messaging.tell_code(waited)
    await messaging.drain()
    assert await messaging.mailbox(chain_id) == []
    assert await messaging.states(chain_id) == [("EXPIRED", "too_late")] * 2
    assert await messaging.pool.fetchval("SELECT count(sealed_code) FROM delivery") == 0


async def test_a_code_that_we_did_not_seal_is_not_sent(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain()
    other = Sealer(SECRET + "x", "one-time-code").seal(b"482913")
    await messaging.request_code(chain_id, sealed_code=other)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("FAILED", "code_unreadable")]


# -- live chains and their carriers ----------------------------------------------------------


async def test_a_live_chains_sms_leaves_through_twilio(messaging: MessagingHarness) -> None:
    """From the platform's shared number (D26), and never into the mailbox."""
    chain_id = await messaging.chain(sandbox=False)
    await messaging.enroll(chain_id)
    await messaging.drain()
    (sms,) = messaging.twilio.taken
    assert (sms["to"], sms["from"]) == (PHONE, "+15145550100")
    assert await messaging.pool.fetchval("SELECT count(*) FROM sandbox_message") == 0
    row = await messaging.pool.fetchrow(
        "SELECT provider, provider_message_id FROM delivery WHERE chain_id = $1", chain_id
    )
    assert row is not None
    assert (row["provider"], row["provider_message_id"]) == ("twilio", sms["sid"])
    with pytest.raises(errors.NotFound):
        await messaging.mailbox(chain_id)


async def test_a_live_chains_email_leaves_through_smtp(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain(sandbox=False, name="Salon « Été », inc.")
    await messaging.enroll(chain_id, phone="", email=EMAIL, registered_by=Channel.EMAIL)
    await messaging.drain()
    (mail,) = messaging.smtp.taken
    assert mail["To"] == EMAIL
    assert "no-reply@meche.example" in mail["From"]
    assert "Été" in mail["From"]
    assert mail["Subject"] == "Bienvenue chez Salon « Été », inc."
    assert "récompenses" in mail.get_content()
    assert mail["Auto-Submitted"] == "auto-generated"


async def test_a_live_chain_without_carrier_fails_and_says_why(
    messaging: MessagingHarness,
) -> None:
    bare = messaging.without_carriers()
    chain_id = await bare.chain(sandbox=False)
    await bare.enroll(chain_id)
    await bare.drain()
    assert await bare.states(chain_id) == [("FAILED", "no_provider")]
    assert ("delivery.failed", "FAILED") in await bare.told(chain_id)


async def test_a_sandbox_chain_needs_no_carrier(messaging: MessagingHarness) -> None:
    bare = messaging.without_carriers()
    chain_id = await bare.chain()
    await bare.enroll(chain_id)
    await bare.request_code(chain_id, channel=Channel.EMAIL, address=EMAIL)
    await bare.drain()
    assert {one.channel for one in await bare.mailbox(chain_id)} == {Channel.SMS, Channel.EMAIL}
    assert messaging.twilio.requests == []


# -- retries ---------------------------------------------------------------------------------


async def test_a_busy_provider_delays_and_does_not_double(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain(sandbox=False)
    messaging.twilio.script.extend(["429", "401"])
    await messaging.enroll(chain_id)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("QUEUED", "provider_busy")]
    messaging.clock.advance(timedelta(seconds=59))
    await messaging.drain()
    assert len(messaging.twilio.requests) == 1
    messaging.clock.advance(timedelta(seconds=1))
    await messaging.drain()
    assert await messaging.states(chain_id) == [("QUEUED", "provider_refuses_credentials")]
    messaging.clock.advance(timedelta(seconds=10))
    await messaging.drain()
    assert await messaging.states(chain_id) == [("SENT", "")]
    assert len(messaging.twilio.taken) == 1
    outcomes_written = await messaging.pool.fetch(
        "SELECT number, outcome FROM delivery_attempt ORDER BY number"
    )
    assert [tuple(row.values()) for row in outcomes_written] == [
        (1, "try_later"),
        (2, "try_later"),
        (3, "accepted"),
    ]


async def test_retries_end(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain(sandbox=False)
    messaging.twilio.script.extend(["429"] * (ATTEMPTS_MAX + 5))
    await messaging.enroll(chain_id)
    for _ in range(ATTEMPTS_MAX + 5):
        await messaging.drain()
        messaging.clock.advance(timedelta(minutes=20))
    assert await messaging.states(chain_id) == [("FAILED", "provider_busy")]
    assert len(messaging.twilio.requests) == ATTEMPTS_MAX


async def test_a_permanent_refusal_ends_at_once(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain(sandbox=False)
    messaging.twilio.script.append("400 21610")
    await messaging.enroll(chain_id)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("FAILED", "twilio_21610")]
    assert len(messaging.twilio.requests) == 1


async def test_stop_between_two_attempts_blocks_the_second(messaging: MessagingHarness) -> None:
    """D18: asked again at each attempt."""
    chain_id = await messaging.chain(sandbox=False)
    messaging.twilio.script.append("429")
    await messaging.enroll(chain_id)
    await messaging.drain()
    await messaging.text("STOP")
    messaging.clock.advance(timedelta(minutes=5))
    await messaging.drain()
    assert (await messaging.states(chain_id))[0] == ("BLOCKED", "stopped")


# -- crash points ----------------------------------------------------------------------------


async def test_a_crash_before_the_hand_over_sends_once_after_a_lookup(
    messaging: MessagingHarness,
) -> None:
    chain_id = await messaging.chain(sandbox=False)
    await messaging.enroll(chain_id)
    await claim(messaging)
    await messaging.drain()
    assert messaging.twilio.requests == []

    messaging.clock.advance(LEASE)
    await messaging.drain()
    assert messaging.twilio.requests == ["GET", "POST"]
    assert await messaging.states(chain_id) == [("SENT", "")]
    assert len(messaging.twilio.taken) == 1


async def test_a_crash_after_the_hand_over_is_found_and_not_sent_again(
    messaging: MessagingHarness,
) -> None:
    chain_id = await messaging.chain(sandbox=False)
    await messaging.enroll(chain_id)
    await sending.hand_over(messaging.deps, await claim(messaging))

    messaging.clock.advance(LEASE)
    await messaging.drain()
    assert messaging.twilio.requests == ["POST", "GET"]
    assert await messaging.states(chain_id) == [("SENT", "")]
    (sms,) = messaging.twilio.taken
    assert await messaging.pool.fetchval("SELECT provider_message_id FROM delivery") == sms["sid"]


@pytest.mark.parametrize("fault", ["take and drop", "take and 503", "garbage"])
async def test_a_lost_answer_is_looked_up_and_not_sent_again(
    messaging: MessagingHarness, fault: str
) -> None:
    chain_id = await messaging.chain(sandbox=False)
    messaging.twilio.script.append(fault)
    await messaging.enroll(chain_id)
    await messaging.drain()
    assert [one[0] for one in await messaging.states(chain_id)] == ["SENDING"]
    messaging.clock.advance(LEASE)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("SENT", "")]
    assert len(messaging.twilio.taken) == 1


@pytest.mark.parametrize("fault", ["drop", "500"])
async def test_a_message_that_never_arrived_is_sent_again_after_the_lookup(
    messaging: MessagingHarness, fault: str
) -> None:
    chain_id = await messaging.chain(sandbox=False)
    messaging.twilio.script.append(fault)
    await messaging.enroll(chain_id)
    await messaging.drain()
    messaging.clock.advance(LEASE)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("SENT", "")]
    assert len(messaging.twilio.taken) == 1


async def test_an_earlier_message_with_the_same_words_is_not_taken_for_this_one(
    messaging: MessagingHarness,
) -> None:
    chain_id = await messaging.chain(sandbox=False)
    await messaging.enroll(chain_id)
    await messaging.drain()
    messaging.clock.advance(timedelta(minutes=5))
    await messaging.text("HELP")
    await messaging.drain()
    messaging.clock.advance(timedelta(minutes=5))
    messaging.twilio.script.append("drop")
    await messaging.text("HELP")
    await messaging.drain()
    messaging.clock.advance(LEASE)
    await messaging.drain()
    helps = [one for one in messaging.twilio.taken if "fidélité" in one["body"]]
    assert len(helps) == 2


async def test_a_provider_that_answers_no_lookup_leaves_the_outcome_unknown(
    messaging: MessagingHarness,
) -> None:
    chain_id = await messaging.chain(sandbox=False)
    messaging.twilio.script.append("take and drop")
    messaging.twilio.lookups_fail = True
    await messaging.enroll(chain_id)
    for _ in range(15):
        await messaging.drain()
        messaging.clock.advance(LEASE)
    assert await messaging.states(chain_id) == [("UNKNOWN", "answer_lost")]
    assert messaging.twilio.requests.count("POST") == 1
    assert ("delivery.failed", "UNKNOWN") in await messaging.told(chain_id)


@pytest.mark.parametrize("fault", ["take and drop", "drop at data"])
async def test_a_mail_whose_answer_was_lost_stays_unknown_and_is_not_sent_again(
    messaging: MessagingHarness, fault: str
) -> None:
    """SMTP cannot be asked: rather none than two."""
    chain_id = await messaging.chain(sandbox=False)
    messaging.smtp.script.append(fault)
    await messaging.enroll(chain_id, phone="", email=EMAIL, registered_by=Channel.EMAIL)
    await messaging.drain()
    messaging.clock.advance(LEASE)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("UNKNOWN", "answer_lost")]
    assert len(messaging.smtp.taken) == (1 if fault == "take and drop" else 0)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("rcpt 550", ("FAILED", "smtp_550")),
        ("data 554", ("FAILED", "smtp_554")),
        ("rcpt 451", ("QUEUED", "smtp_451")),
        ("data 452", ("QUEUED", "smtp_452")),
        ("mail 421", ("QUEUED", "smtp_421")),
        ("greet 554", ("QUEUED", "provider_refuses_credentials")),
    ],
)
async def test_a_mail_servers_refusals_are_told_apart(
    messaging: MessagingHarness, fault: str, state: tuple[str, str]
) -> None:
    chain_id = await messaging.chain(sandbox=False)
    messaging.smtp.script.append(fault)
    await messaging.enroll(chain_id, phone="", email=EMAIL, registered_by=Channel.EMAIL)
    await messaging.drain()
    assert await messaging.states(chain_id) == [state]
    assert messaging.smtp.taken == []


@pytest.mark.parametrize("handed_over", [False, True])
async def test_a_crash_beside_the_mailbox_leaves_one_message(
    messaging: MessagingHarness, handed_over: bool
) -> None:
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id)
    taken = await claim(messaging)
    if handed_over:
        await sending.hand_over(messaging.deps, taken)
    messaging.clock.advance(LEASE)
    await messaging.drain()
    assert len(await messaging.mailbox(chain_id)) == 1
    assert await messaging.states(chain_id) == [("SENT", "")]


async def test_a_code_is_not_sent_late_because_of_a_crash(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain(sandbox=False)
    await messaging.request_code(chain_id, minutes=0.2)
    await claim(messaging)
    messaging.clock.advance(LEASE)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("EXPIRED", "too_late")]
    assert messaging.twilio.taken == []


async def test_a_process_that_slept_through_its_lease_does_not_send(
    messaging: MessagingHarness,
) -> None:
    chain_id = await messaging.chain(sandbox=False)
    await messaging.enroll(chain_id)
    sleeper = await claim(messaging)
    messaging.clock.advance(LEASE)
    await messaging.drain()
    outcome = await sending.hand_over(messaging.deps, sleeper)
    await outcomes.record_outcome(
        messaging.deps, sleeper.delivery, outcome, provider=sleeper.provider.name
    )
    assert len(messaging.twilio.taken) == 1
    assert await messaging.states(chain_id) == [("SENT", "")]


async def test_a_late_answer_does_not_overwrite_what_came_after(
    messaging: MessagingHarness,
) -> None:
    chain_id = await messaging.chain(sandbox=False)
    await messaging.enroll(chain_id)
    sleeper = await claim(messaging)
    messaging.clock.advance(LEASE)
    await messaging.drain()
    await outcomes.record_outcome(
        messaging.deps,
        sleeper.delivery,
        Accepted(provider_message_id="SM-late"),
        provider="twilio",
    )
    kept = await messaging.pool.fetchval("SELECT provider_message_id FROM delivery")
    assert kept == messaging.twilio.taken[0]["sid"]
    assert len([one for one in await messaging.told(chain_id) if one[1] == "SENT"]) == 1


async def test_ten_senders_at_once_send_each_message_once(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain(sandbox=False)
    for number in range(40):
        await messaging.enroll(chain_id, phone=f"+151455501{number:02}")
    await asyncio.gather(*(messaging.drain() for _ in range(10)))
    phones = [one["to"] for one in messaging.twilio.taken]
    assert len(phones) == 40
    assert len(set(phones)) == 40


# -- the journal -----------------------------------------------------------------------------


async def test_the_journal_lists_newest_first_and_only_ones_own(
    messaging: MessagingHarness,
) -> None:
    """Neither addresses nor words; Charlie's chain sees nothing of Alice's."""
    alice_chain, charlie_chain = await messaging.chain(), await messaging.chain()
    alice = await messaging.enroll(alice_chain)
    await messaging.request_code(alice_chain)
    await messaging.drain()
    kinds = [one.kind.value for one in await messaging.entries(alice_chain)]
    assert kinds == ["ONE_TIME_CODE", "WELCOME"]
    hers = await journal.list_deliveries(
        messaging.deps, alice_chain, member_id=alice.member_id, before_sequence=None, limit=10
    )
    assert [one.kind.value for one in hers] == ["WELCOME"]
    assert await messaging.entries(charlie_chain) == []
    assert await messaging.mailbox(charlie_chain) == []
    stolen = await journal.list_deliveries(
        messaging.deps, charlie_chain, member_id=alice.member_id, before_sequence=None, limit=10
    )
    assert stolen == []


async def test_the_mailbox_is_dated_by_the_chains_own_time(messaging: MessagingHarness) -> None:
    """api.md 3: a message of a walk through time stands on its own day."""
    chain_id = await messaging.chain()
    messaging.deps.clock.put_offset(chain_id, timedelta(days=100))
    await messaging.enroll(chain_id)
    await messaging.drain()
    (message,) = await messaging.mailbox(chain_id)
    assert message.created_at == NOW + timedelta(days=100)


async def test_no_event_of_ours_holds_an_address_or_a_name(messaging: MessagingHarness) -> None:
    """house.md 7: canaries put through every flow are found in no outbox row."""
    chain_id = await messaging.chain()
    member = await messaging.enroll(
        chain_id, email=EMAIL, given_name="Canarie", grants=[Channel.SMS, Channel.EMAIL]
    )
    await messaging.request_code(chain_id, code="482913")
    await messaging.text("STOP", chain_id=chain_id)
    await messaging.text("STOP", chain_id=chain_id, phone="+15145550155")
    await messaging.drain()
    rows = await messaging.pool.fetch("SELECT key, subject, payload FROM outbox")
    assert len(rows) >= 6
    everything = b" ".join(
        row["key"].encode() + row["subject"].encode() + row["payload"] for row in rows
    )
    for canary in (PHONE, "5145550155", EMAIL, "Canarie", "482913"):
        assert canary.encode() not in everything
    assert str(member.member_id).encode() in everything
