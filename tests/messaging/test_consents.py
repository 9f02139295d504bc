"""Consent by address: first grants, her own tick, STOP and YES (D11, D26, D36; LS-77 to LS-79)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from services.messaging.domain import errors
from services.messaging.domain.chain import PLATFORM, ChainId, Language, MemberId
from services.messaging.domain.consent import Channel
from services.messaging.domain.keywords import Keyword
from services.messaging.usecases import consent
from services.messaging.usecases.consent import SetEmailConsent
from tests.messaging.conftest import EMAIL, NOW, PHONE, MessagingHarness

OTHER_PHONE = "+15145550177"


async def tick(
    messaging: MessagingHarness,
    chain_id: ChainId,
    member_id: MemberId,
    *,
    granted: bool = True,
    by_herself: bool = True,
    wording_version: str = "w7",
) -> bool:
    standing = await consent.set_email_consent(
        messaging.deps,
        SetEmailConsent(
            chain_id=chain_id,
            member_id=member_id,
            granted=granted,
            wording_version=wording_version,
            by_herself=by_herself,
        ),
    )
    return standing.granted


# -- first grants ----------------------------------------------------------------------------


async def test_a_first_grant_is_written_with_its_evidence(messaging: MessagingHarness) -> None:
    """LS-68, LS-85, D36."""
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id, grants=[Channel.SMS])
    row = await messaging.pool.fetchrow(
        "SELECT granted, source, evidence, occurred_at FROM consent_record WHERE chain_id = $1",
        chain_id,
    )
    assert row is not None
    assert (row["granted"], row["source"], row["occurred_at"]) == (True, "ENROLLMENT", NOW)
    assert row["evidence"] == {"wording_version": "w1", "enrollment_source": "JOIN_QR"}
    assert ("consent.changed", "") in await messaging.told(chain_id)


async def test_an_unticked_box_is_no_consent_and_no_refusal(messaging: MessagingHarness) -> None:
    """LS-85: nothing was said, so nothing is written down."""
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id)
    assert await messaging.granted(chain_id) is None
    (found,) = await consent.get_consents(messaging.deps, chain_id, member.member_id)
    assert (found.channel, found.standing) == (Channel.SMS, None)


async def test_a_first_grant_never_overrides_a_withdrawal(messaging: MessagingHarness) -> None:
    """D36: neither a replay, nor an import, nor a new enrolment with that phone."""
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id, grants=[Channel.SMS])
    await messaging.text("STOP", chain_id=chain_id)

    await messaging.tell_contact(member, enrolled_now=True, grants=[Channel.SMS])
    await messaging.enroll(chain_id, grants=[Channel.SMS])

    assert await messaging.granted(chain_id) is False
    assert await messaging.acts(chain_id) == [
        ("SMS", True, "ENROLLMENT"),
        ("SMS", False, "SMS_STOP"),
    ]


async def test_consent_belongs_to_the_address_and_not_to_her_next_phone(
    messaging: MessagingHarness,
) -> None:
    """house.md 4: the new number has said nothing yet."""
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id, grants=[Channel.SMS])
    await messaging.tell_contact(replace(member, phone=OTHER_PHONE, version=2))
    (found,) = await consent.get_consents(messaging.deps, chain_id, member.member_id)
    assert found.standing is None
    assert await messaging.granted(chain_id, PHONE) is True


async def test_the_records_of_consent_cannot_be_changed_by_the_service(
    messaging: MessagingHarness,
) -> None:
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id, grants=[Channel.SMS])
    for statement in ("UPDATE consent_record SET granted = false", "DELETE FROM consent_record"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await messaging.pool.execute(statement)


# -- her own tick ----------------------------------------------------------------------------


async def test_her_tick_gives_and_takes_consent_to_email_at_once(
    messaging: MessagingHarness,
) -> None:
    """LS-78: with time and source CLIENT_APP; unticked is false at once."""
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id, phone="", email=EMAIL, registered_by=Channel.EMAIL)
    assert await tick(messaging, chain_id, member.member_id)
    assert await tick(messaging, chain_id, member.member_id)
    messaging.clock.advance(timedelta(hours=1))
    assert not await tick(messaging, chain_id, member.member_id, granted=False)

    assert await messaging.acts(chain_id) == [
        ("EMAIL", True, "CLIENT_APP"),
        ("EMAIL", False, "CLIENT_APP"),
    ]
    (found,) = await consent.get_consents(messaging.deps, chain_id, member.member_id)
    assert found.standing is not None
    assert found.standing.changed_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("granted", [True, False])
async def test_nobody_but_the_member_changes_her_consent(
    messaging: MessagingHarness, granted: bool
) -> None:
    """LS-77, D11: in neither direction."""
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id, email=EMAIL)
    with pytest.raises(errors.ConsentBelongsToMember):
        await tick(messaging, chain_id, member.member_id, granted=granted, by_herself=False)
    assert await messaging.acts(chain_id) == []


async def test_a_tick_for_email_leaves_sms_as_it_was(messaging: MessagingHarness) -> None:
    """LS-79: ticking a box in the app does not bring SMS back."""
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id, email=EMAIL, grants=[Channel.SMS])
    await messaging.text("STOP", chain_id=chain_id)
    await tick(messaging, chain_id, member.member_id)
    assert await messaging.granted(chain_id, PHONE) is False
    assert await messaging.granted(chain_id, EMAIL) is True


async def test_a_tick_needs_words_an_address_and_a_member(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain()
    member = await messaging.enroll(chain_id)
    with pytest.raises(errors.WordingVersionRequired):
        await tick(messaging, chain_id, member.member_id, wording_version="")
    with pytest.raises(errors.EmailMissing):
        await tick(messaging, chain_id, member.member_id)
    with pytest.raises(errors.MemberUnknown):
        await tick(messaging, chain_id, MemberId(uuid4()))


async def test_charlie_can_neither_see_nor_change_alices_consent(
    messaging: MessagingHarness,
) -> None:
    """Alice is a member of chain A, Charlie's session belongs to chain B."""
    alice_chain, charlie_chain = await messaging.chain(), await messaging.chain()
    alice = await messaging.enroll(alice_chain, email=EMAIL, grants=[Channel.EMAIL])
    assert await consent.get_consents(messaging.deps, charlie_chain, alice.member_id) == []
    with pytest.raises(errors.MemberUnknown):
        await tick(messaging, charlie_chain, alice.member_id, granted=False)
    await messaging.text("STOP", chain_id=charlie_chain)
    assert await messaging.granted(alice_chain, EMAIL) is True
    assert await messaging.granted(alice_chain, PHONE) is None


# -- STOP and YES in the sandbox, where one chain is meant -----------------------------------


async def test_stop_withdraws_and_yes_restores(messaging: MessagingHarness) -> None:
    """LS-77, LS-79: source SMS_STOP, then SMS_YES."""
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id, grants=[Channel.SMS])
    assert await messaging.text(" Arrêt! ", chain_id=chain_id) is Keyword.STOP
    assert await messaging.granted(chain_id) is False
    assert await messaging.text("YES merci", chain_id=chain_id) is Keyword.START
    assert await messaging.granted(chain_id) is True
    assert await messaging.acts(chain_id) == [
        ("SMS", True, "ENROLLMENT"),
        ("SMS", False, "SMS_STOP"),
        ("SMS", True, "SMS_YES"),
    ]


async def test_yes_grants_for_a_member_who_never_ticked(messaging: MessagingHarness) -> None:
    """LS-79."""
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id)
    await messaging.text("OUI", chain_id=chain_id)
    assert await messaging.granted(chain_id) is True


async def test_yes_from_an_unknown_number_has_no_effect(messaging: MessagingHarness) -> None:
    """LS-79: no consent, no answer; also where that number had said STOP."""
    chain_id = await messaging.chain()
    await messaging.text("YES", chain_id=chain_id)
    assert await messaging.granted(chain_id) is None
    assert await messaging.entries(chain_id) == []
    await messaging.text("STOP", chain_id=chain_id)
    await messaging.text("YES", chain_id=chain_id)
    assert await messaging.granted(chain_id) is False


async def test_stop_from_an_unknown_number_holds_when_she_joins_later(
    messaging: MessagingHarness,
) -> None:
    """LS-77, D36: STOP is recorded by address."""
    chain_id = await messaging.chain()
    await messaging.text("STOP", chain_id=chain_id)
    await messaging.drain()
    await messaging.enroll(chain_id, grants=[Channel.SMS])
    await messaging.drain()
    assert await messaging.granted(chain_id) is False
    assert (await messaging.states(chain_id))[-1] == ("BLOCKED", "stopped")


async def test_the_same_text_five_times_has_one_effect_and_one_answer(
    messaging: MessagingHarness,
) -> None:
    """api.md 4: replays by the provider's id; here five at once, with a YES between."""
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id, grants=[Channel.SMS])
    await messaging.drain()
    keywords = await asyncio.gather(
        *(messaging.text("STOP", chain_id=chain_id, message_id="SM1") for _ in range(5))
    )
    await messaging.text("YES", chain_id=chain_id, message_id="SM2")
    assert await messaging.text("STOP", chain_id=chain_id, message_id="SM1") is Keyword.STOP
    await messaging.drain()

    assert set(keywords) == {Keyword.STOP}
    assert await messaging.granted(chain_id) is True
    assert len(await messaging.acts(chain_id)) == 3
    answers = [one for one in await messaging.mailbox(chain_id) if one.kind == "KEYWORD_ANSWER"]
    assert len(answers) == 2


async def test_answers_come_in_the_members_language_and_to_strangers_in_both(
    messaging: MessagingHarness,
) -> None:
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id, language=Language.EN)
    await messaging.enroll(chain_id, phone=OTHER_PHONE, language=None)
    await messaging.text("STOP", chain_id=chain_id)
    await messaging.text("STOP", chain_id=chain_id, phone=OTHER_PHONE)
    await messaging.text("AIDE", chain_id=chain_id, phone="+15145550188")
    await messaging.drain()

    async def answer(phone: str) -> str:
        return next(
            one.body
            for one in await messaging.mailbox(chain_id, to=phone)
            if one.kind == "KEYWORD_ANSWER"
        )

    assert "Reply YES" in await answer(PHONE)
    assert "OUI" not in await answer(PHONE)
    assert "répondez OUI" in await answer(OTHER_PHONE)
    assert "Reply" not in await answer(OTHER_PHONE)
    stranger = await answer("+15145550188")
    assert "ARRET pour cesser" in stranger
    assert "STOP to stop" in stranger
    assert "https://fidelite.example.ca/m/salon-" in stranger


async def test_a_second_stop_changes_nothing_and_is_not_answered(
    messaging: MessagingHarness,
) -> None:
    """Two machines that answer each other would else never end."""
    chain_id = await messaging.chain()
    for _ in range(3):
        await messaging.text("STOP", chain_id=chain_id)
    await messaging.drain()
    assert len(await messaging.mailbox(chain_id)) == 1
    assert len(await messaging.acts(chain_id)) == 1


async def test_a_text_without_a_keyword_has_no_effect(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain()
    await messaging.enroll(chain_id)
    assert await messaging.text("Bonjour", chain_id=chain_id) is Keyword.NONE
    assert await messaging.acts(chain_id) == []


async def test_the_mailbox_of_a_live_chain_takes_no_text(messaging: MessagingHarness) -> None:
    """api.md 3: a live chain answers 404."""
    chain_id = await messaging.chain(sandbox=False)
    with pytest.raises(errors.NotFound):
        await messaging.text("STOP", chain_id=chain_id)


# -- the shared number (D26) -----------------------------------------------------------------


async def live_member(
    messaging: MessagingHarness, *, wrote: bool = True, name: str = "Salon"
) -> ChainId:
    """A live chain with a member who has this phone, and who got her welcome where it `wrote`."""
    chain_id = await messaging.chain(sandbox=False, name=name)
    if wrote:
        await messaging.enroll(chain_id, grants=[Channel.SMS])
        await messaging.drain()
    else:
        await messaging.enroll(
            chain_id, email=f"{uuid4().hex}@example.com", registered_by=Channel.EMAIL
        )
    return chain_id


async def test_stop_to_the_shared_number_stops_every_chain_that_wrote(
    messaging: MessagingHarness,
) -> None:
    """D26: and no other; YES restores those that it stopped."""
    first, second = await live_member(messaging), await live_member(messaging)
    silent = await live_member(messaging, wrote=False)
    sandbox = await messaging.chain()
    await messaging.enroll(sandbox, grants=[Channel.SMS])
    await messaging.drain()

    await messaging.text("STOP")
    assert [await messaging.granted(one) for one in (first, second)] == [False, False]
    assert await messaging.granted(silent) is None
    assert await messaging.granted(sandbox) is True

    await messaging.text("YES")
    assert [await messaging.granted(one) for one in (first, second)] == [True, True]
    assert await messaging.granted(silent) is None
    messaging.twilio.taken.clear()
    await messaging.drain()
    assert len(messaging.twilio.taken) == 2


async def test_yes_restores_only_what_that_stop_silenced(messaging: MessagingHarness) -> None:
    """D26."""
    stopped = await live_member(messaging)
    await messaging.text("STOP")
    later = await messaging.chain(sandbox=False)
    await messaging.enroll(later)
    await messaging.drain()
    await messaging.text("YES")
    assert await messaging.granted(stopped) is True
    assert await messaging.granted(later) is None


async def test_yes_to_the_shared_number_grants_where_one_chain_can_be_meant(
    messaging: MessagingHarness,
) -> None:
    """LS-79, D26: with two it is not clear whom she means, and silence is no consent."""
    only = await live_member(messaging, wrote=False)
    await messaging.text("OUI")
    assert await messaging.granted(only) is True
    first = await live_member(messaging, wrote=False)
    await messaging.text("OUI")
    assert await messaging.granted(first) is None


async def test_stop_from_a_stranger_silences_the_number_for_that_phone(
    messaging: MessagingHarness,
) -> None:
    """LS-77, D26: no chain had written, and none will, until she says YES."""
    await messaging.text("STOP")
    assert await messaging.granted(PLATFORM) is False
    await messaging.drain()
    assert "OUI" in messaging.twilio.taken[0]["body"]
    assert "YES" in messaging.twilio.taken[0]["body"]

    chain_id = await messaging.chain(sandbox=False)
    member = await messaging.enroll(chain_id)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("BLOCKED", "stopped")]

    await messaging.text("YES")
    assert await messaging.granted(PLATFORM) is True
    assert await messaging.granted(chain_id) is True
    assert member.phone == PHONE


async def test_a_text_to_a_number_that_is_not_ours_does_nothing(
    messaging: MessagingHarness,
) -> None:
    chain_id = await live_member(messaging)
    await messaging.text("STOP", number="+15145550999")
    assert await messaging.granted(chain_id) is True


async def test_one_stop_for_many_chains_is_answered_once(messaging: MessagingHarness) -> None:
    """D26: by the platform, for no single chain can speak for the others."""
    await live_member(messaging, name="Un")
    await live_member(messaging, name="Deux")
    messaging.twilio.taken.clear()
    await messaging.text("STOP")
    await messaging.drain()
    (answer,) = messaging.twilio.taken
    assert answer["body"].startswith("Mèche:")


async def test_help_names_the_one_chain_that_is_meant(messaging: MessagingHarness) -> None:
    await live_member(messaging, name="Salon Un")
    messaging.twilio.taken.clear()
    await messaging.text("HELP")
    await messaging.drain()
    (answer,) = messaging.twilio.taken
    assert answer["body"].startswith("Salon Un, fidélité.")
