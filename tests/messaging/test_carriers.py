"""The three carriers behind the one port, each against a server that misbehaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from services.messaging.domain.chain import ChainId
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import LEASE, DeliveryId, MessageKind
from services.messaging.domain.provider import (
    Accepted,
    Lookup,
    Outgoing,
    Provider,
    Rejected,
    TryLater,
    Unclear,
)
from services.messaging.providers import smtp, twilio
from services.messaging.providers.mailbox import Mailbox
from services.messaging.providers.smtp import Smtp, SmtpServer
from services.messaging.providers.twilio import Twilio
from tests.messaging.carriers import FakeSmtp, FakeTwilio
from tests.messaging.conftest import EMAIL, NOW, PHONE, SENDER, SHARED_NUMBER, MessagingHarness


def outgoing(channel: Channel = Channel.SMS, **words: Any) -> Outgoing:
    sms = channel is Channel.SMS
    given: dict[str, Any] = {
        "delivery_id": DeliveryId(uuid4()),
        "chain_id": ChainId(uuid4()),
        "kind": MessageKind.WELCOME,
        "channel": channel,
        "to": PHONE if sms else EMAIL,
        "sender": SHARED_NUMBER if sms else SENDER,
        "sender_name": "Salon Mèche",
        "subject": "" if sms else "Bienvenue",
        "body": "Vous voilà inscrit(e) & à l'heure = 100 %!",
        "occurred_at": NOW,
        "first_attempt_at": NOW,
    }
    return Outgoing(**{**given, **words})


@asynccontextmanager
async def on_twilio(**words: str) -> AsyncIterator[tuple[Twilio, FakeTwilio]]:
    async with FakeTwilio().serving() as fake:
        carrier = Twilio(
            **{"account_sid": "AC1", "auth_token": "t0ken", "base_url": fake.url, **words}
        )
        try:
            yield carrier, fake
        finally:
            await carrier.close()


@asynccontextmanager
async def on_smtp(**words: Any) -> AsyncIterator[tuple[Smtp, FakeSmtp]]:
    async with FakeSmtp().serving() as fake:
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": fake.port,
            "username": "",
            "password": "",
            "start_tls": "off",
            "implicit_tls": False,
        }
        yield Smtp(SmtpServer(**{**given, **words})), fake


def test_every_carrier_fills_the_one_port() -> None:
    """mypy holds the shapes; this holds the names that the journal shows."""
    carriers: list[type[Provider]] = [Mailbox, Smtp, Twilio]
    assert sorted(str(one.name) for one in carriers) == ["mailbox", "smtp", "twilio"]


def test_no_carrier_outlasts_the_lease_of_a_delivery() -> None:
    """Else one process could look for a message that another is still handing over."""
    assert max(twilio.TIMEOUT_SECONDS, smtp.TIMEOUT_SECONDS) < LEASE.total_seconds() / 2 + 1


async def test_twilio_gets_the_words_as_they_are() -> None:
    async with on_twilio() as (carrier, fake):
        message = outgoing()
        outcome = await carrier.send(message)
        (taken,) = fake.taken
        assert outcome == Accepted(provider_message_id=taken["sid"])
        assert (taken["to"], taken["from"], taken["body"]) == (
            PHONE,
            SHARED_NUMBER,
            message.body,
        )
        assert await carrier.find(message) == outcome
        assert await carrier.find(replace(message, body="autre")) is Lookup.NOT_THERE
        assert await carrier.find(replace(message, to="+15145550199")) is Lookup.NOT_THERE


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("429", TryLater(reason="provider_busy", retry_after_seconds=60)),
        ("400 21211", Rejected(reason="twilio_21211")),
        ("404", Rejected(reason="twilio_404")),
        ("408", Unclear(reason="twilio_408")),
        ("500", Unclear(reason="twilio_500")),
        ("take and 503", Unclear(reason="twilio_503")),
        ("drop", Unclear(reason="answer_lost")),
        ("take and drop", Unclear(reason="answer_lost")),
        ("garbage", Unclear(reason="answer_unreadable")),
    ],
)
async def test_what_twilio_says_is_told_apart(wish: str, expected: object) -> None:
    """What may have left is never confused with what has not."""
    async with on_twilio() as (carrier, fake):
        fake.script.append(wish)
        assert await carrier.send(outgoing()) == expected


async def test_twilio_out_of_reach_has_certainly_taken_nothing() -> None:
    async with on_twilio() as (_, fake):
        gone = fake.url
    carrier = Twilio(account_sid="AC1", auth_token="t0ken", base_url=gone)
    assert await carrier.send(outgoing()) == TryLater(reason="provider_unreachable")
    assert await carrier.find(outgoing()) is Lookup.TRY_LATER
    await carrier.close()


async def test_wrong_credentials_are_the_operators_fault_and_not_the_messages() -> None:
    async with on_twilio(auth_token="wrong") as (carrier, fake):
        assert await carrier.send(outgoing()) == TryLater(reason="provider_refuses_credentials")
        assert await carrier.find(outgoing()) is Lookup.TRY_LATER
        assert fake.taken == []


async def test_a_mail_carries_its_words_and_its_identity() -> None:
    async with on_smtp() as (carrier, fake):
        message = outgoing(Channel.EMAIL, subject="Été — ✂️", body="Ligne un\n.\nLigne ✂️")
        outcome = await carrier.send(message)
        (mail,) = fake.taken
        assert isinstance(outcome, Accepted)
        assert mail["Subject"] == "Été — ✂️"
        assert mail.get_content().splitlines() == ["Ligne un", ".", "Ligne ✂️"]
        assert mail["Message-ID"] == f"<{message.delivery_id}@meche.example>"
        assert outcome.provider_message_id in mail["Message-ID"]
        assert fake.recipients == [EMAIL]
        assert await carrier.find(message) is Lookup.CANNOT_SAY


async def test_a_mail_server_that_goes_silent_after_data_leaves_the_outcome_unclear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smtp, "COMMAND_TIMEOUT_SECONDS", 0.2)
    async with on_smtp() as (carrier, fake):
        fake.script.append("hang at data")
        assert await carrier.send(outgoing(Channel.EMAIL)) == Unclear(reason="answer_lost")


async def test_without_tls_where_it_is_required_nothing_is_handed_in() -> None:
    async with on_smtp(start_tls="required") as (carrier, fake):
        assert isinstance(await carrier.send(outgoing(Channel.EMAIL)), TryLater)
        assert fake.taken == []
        assert fake.recipients == []


async def test_a_mail_server_out_of_reach_has_taken_nothing() -> None:
    async with on_smtp() as (carrier, _):
        pass
    assert await carrier.send(outgoing(Channel.EMAIL)) == TryLater(reason="provider_unreachable")


@pytest.mark.parametrize(
    "address", ["é@example.com", "a\r\nBcc: b@example.com", "two@example.com, three@example.com"]
)
async def test_an_address_that_no_envelope_can_hold_is_refused(address: str) -> None:
    async with on_smtp() as (carrier, fake):
        outcome = await carrier.send(outgoing(Channel.EMAIL, to=address))
        assert isinstance(outcome, Rejected)
        assert fake.taken == []


async def test_the_mailbox_takes_a_message_once(messaging: MessagingHarness) -> None:
    """api.md 3."""
    chain_id = await messaging.chain()
    box = Mailbox(messaging.pool)
    message = outgoing(chain_id=chain_id)
    assert await box.find(message) is Lookup.NOT_THERE
    first = await box.send(message)
    assert await box.send(message) == first
    assert await box.find(message) == first
    assert len(await messaging.mailbox(chain_id)) == 1
