"""Which message may leave, by class and by what was said about the address (D18, LS-68)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.messaging.domain.consent import (
    Barrier,
    Channel,
    ConsentSource,
    MessageClass,
    Standing,
    may_send,
)
from services.messaging.domain.contact import Contact, joined_by
from services.messaging.domain.delivery import (
    ATTEMPTS_MAX,
    CLASS_OF,
    RETRY_SECONDS_MAX,
    MessageKind,
    retry_at,
)
from tests.messaging.conftest import contact_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
GRANTED = Standing(granted=True, source=ConsentSource.ENROLLMENT, changed_at=NOW)
WITHDRAWN = Standing(granted=False, source=ConsentSource.SMS_STOP, changed_at=NOW)
SECURITY, SERVICE, MARKETING = MessageClass.SECURITY, MessageClass.SERVICE, MessageClass.MARKETING


@pytest.mark.parametrize(
    ("message_class", "standing", "number_stopped", "verified", "barrier"),
    [
        (SECURITY, None, False, False, None),
        (SECURITY, WITHDRAWN, True, False, None),
        (SERVICE, None, False, False, None),
        (SERVICE, GRANTED, False, False, None),
        (SERVICE, WITHDRAWN, False, True, Barrier.STOPPED),
        (SERVICE, None, True, True, Barrier.STOPPED),
        (SERVICE, GRANTED, True, True, Barrier.STOPPED),
        (MARKETING, None, False, True, Barrier.NOT_CONSENTED),
        (MARKETING, GRANTED, False, True, None),
        (MARKETING, GRANTED, False, False, Barrier.NOT_VERIFIED),
        (MARKETING, WITHDRAWN, False, True, Barrier.STOPPED),
        (MARKETING, GRANTED, True, True, Barrier.STOPPED),
        (MARKETING, None, True, False, Barrier.STOPPED),
    ],
)
def test_each_class_asks_its_own_question(
    message_class: MessageClass,
    standing: Standing | None,
    number_stopped: bool,
    verified: bool,
    barrier: Barrier | None,
) -> None:
    """D18, LS-68."""
    found = may_send(
        message_class,
        standing=standing,
        number_stopped=number_stopped,
        contact_verified=verified,
    )
    assert found is barrier


def test_what_concerns_her_goes_to_no_address_that_is_hers_no_more() -> None:
    """D18: a corrected phone; a code still goes where it was asked for."""
    for message_class, barrier in ((SERVICE, Barrier.ADDRESS_CHANGED), (SECURITY, None)):
        assert may_send(message_class, standing=GRANTED, address_changed=True) is barrier


def test_codes_and_answers_are_security_and_the_welcome_is_service() -> None:
    """D18."""
    assert CLASS_OF[MessageKind.ONE_TIME_CODE] is SECURITY
    assert CLASS_OF[MessageKind.KEYWORD_ANSWER] is SECURITY
    assert CLASS_OF[MessageKind.WELCOME] is SERVICE
    assert set(CLASS_OF) == set(MessageKind)


@pytest.mark.parametrize(
    ("contact", "channel"),
    [
        (contact_of(phone="+15145550123", registered_by=Channel.SMS), Channel.SMS),
        (contact_of(email="a@b.ca", registered_by=Channel.EMAIL), Channel.EMAIL),
        (
            contact_of(phone="+15145550123", email="a@b.ca", registered_by=Channel.EMAIL),
            Channel.EMAIL,
        ),
        (contact_of(email="a@b.ca", registered_by=Channel.SMS), Channel.EMAIL),
        (contact_of(phone="+15145550123", email="a@b.ca", registered_by=None), Channel.SMS),
        (contact_of(), None),
    ],
)
def test_messages_take_the_channel_by_which_she_joined(
    contact: Contact, channel: Channel | None
) -> None:
    """LS-60, LS-85, D18."""
    assert joined_by(contact) is channel


def test_only_her_present_address_counts_as_verified() -> None:
    """D18: a verified phone says nothing of the one that she had before."""
    contact = contact_of(phone="+15145550123", phone_verified=True)
    assert contact.is_verified(Channel.SMS, address="+15145550123")
    assert not contact.is_verified(Channel.SMS, address="+15145550199")
    assert not contact.is_verified(Channel.EMAIL, address="")


def test_retries_double_their_pause_up_to_a_limit_and_end() -> None:
    pauses = [retry_at(attempts=number, now=NOW) for number in range(1, ATTEMPTS_MAX + 1)]
    seconds = [(moment - NOW).total_seconds() for moment in pauses if moment]
    assert seconds == [5, 10, 20, 40, 80, 160, RETRY_SECONDS_MAX]
    assert pauses[-1] is None


def test_a_provider_that_asks_for_patience_gets_it_within_reason() -> None:
    assert retry_at(attempts=1, now=NOW, retry_after_seconds=60) == NOW + timedelta(seconds=60)
    assert retry_at(attempts=1, now=NOW, retry_after_seconds=1e9) == NOW + timedelta(seconds=1200)
