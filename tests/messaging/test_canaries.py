"""A peculiar name, phone and e-mail go through every flow; they stand only where they may."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
import structlog
from loyalty.events.v1 import enrollment_events_pb2 as facts
from loyalty.types.v1 import types_pb2
from prometheus_client import generate_latest

from services.chassis import logging as log_lines
from services.chassis.metrics import REGISTRY
from services.messaging import consumers
from services.messaging.domain.audience import Audience
from services.messaging.domain.chain import ChainId, Plan
from services.messaging.domain.consent import Channel
from services.messaging.domain.contact import Contact
from services.messaging.domain.schedule import ScheduledWords
from services.messaging.usecases import (
    consent,
    numbers,
    schedules,
    sends,
    status,
    statuses,
    timely,
    unsubscribing,
)
from tests.messaging.conftest import OPERATOR, MessagingHarness
from tests.messaging.ledger import Ledger
from tests.messaging.wire import Fact, consuming, publish, until

NAME, DIGITS, MAIL = "Zéphyrine-Quetzal", "14385550987", "zephyrine.quetzal"
PHONE, EMAIL = f"+{DIGITS}", f"{MAIL}@example.org"
CANARIES = (NAME, "Quetzal", "quetzal", DIGITS, "4385550987", MAIL)
WORDS = ScheduledWords(
    sms_body="{{ chain }}: bonjour {{ name }}",
    email_subject="Bonjour",
    email_body="{{ chain }}: bonjour {{ name }}",
)


def found_in(text: str) -> list[str]:
    return [one for one in CANARIES if one in text]


async def join(
    house: MessagingHarness, chain_id: ChainId, channel: Channel, phone: str = PHONE
) -> Contact:
    return await house.enroll(
        chain_id,
        grants=[*Channel],
        given_name=NAME,
        phone=phone,
        email=EMAIL,
        phone_verified=True,
        email_verified=True,
        registered_by=channel,
        birthday="11-20",
    )


async def every_flow(house: MessagingHarness, *, sandbox: bool) -> None:
    """Join, points, code, birthday, send, status, tick, HELP, keyword, bounce, STOP, YES, link."""
    deps = house.deps
    chain_id = await house.chain(sandbox=sandbox, plan=Plan.PRO)
    await numbers.provision_number(
        deps,
        numbers.ProvisionNumber(
            chain_id=chain_id, number="+15145550777", keyword="", actor=OPERATOR
        ),
    )
    number = await numbers.sender_number(deps, chain_id)
    meant = chain_id if sandbox else None
    members = [await join(house, chain_id, Channel.SMS), await join(house, chain_id, Channel.EMAIL)]
    for member in members:
        ledger = Ledger(messaging=house, chain_id=chain_id, member_id=member.member_id)
        await ledger.earn(3)
        await ledger.adjust(-1)
        await ledger.tier("Or")
        await ledger.expiring(1, "2026-12-06")
        await status.send_status(deps, chain_id, member.member_id, idempotency_key=str(uuid4()))
        await consent.set_email_consent(
            deps,
            consent.SetEmailConsent(
                chain_id=chain_id,
                member_id=member.member_id,
                granted=True,
                wording_version="w1",
                by_herself=True,
            ),
        )
    await codes_and_plans(house, chain_id)
    # Whatever can go wrong on the way: refused with the number, cut off, garbled.
    house.twilio.script.extend(["400 21610", "take and drop", "garbage", "take and 503"])
    house.smtp.script.extend(["rcpt 550", "data 451", "take and drop"])
    for body in ("aide", "Joignez", f"{NAME} {PHONE} {EMAIL}"):
        await house.text(body, chain_id=meant, phone=PHONE, number=number)
    for _ in range(6):
        await house.drain()
        house.clock.advance(timedelta(seconds=60))
    await bounces(house)
    for body in ("STOP", "OUI", "STOP"):
        await house.text(body, chain_id=meant, phone=PHONE, number=number)
    mail = await house.pool.fetchval(
        "SELECT id FROM delivery WHERE chain_id = $1 AND channel = 'EMAIL' LIMIT 1", chain_id
    )
    await unsubscribing.unsubscribe(deps, deps.unsubscribe.sign(chain_id.bytes + mail.bytes))
    await house.drain()


async def codes_and_plans(house: MessagingHarness, chain_id: ChainId) -> None:
    """Codes for both addresses, a birthday and a send to everybody."""
    await house.request_code(chain_id, address=PHONE)
    await house.request_code(chain_id, channel=Channel.EMAIL, address=EMAIL)
    await schedules.create(
        house.deps,
        schedules.CreateScheduled(
            idempotency_key=str(uuid4()),
            fingerprint=b"",
            chain_id=chain_id,
            days_before=0,
            offer_id=None,
            words=WORDS,
            enabled=True,
        ),
    )
    assert await timely.run_due(house.deps, chain_id) == 2
    await sends.create(
        house.deps,
        sends.CreateSend(
            idempotency_key=str(uuid4()),
            fingerprint=b"",
            chain_id=chain_id,
            offer_id=None,
            words=WORDS,
            audience=Audience(),
            send_at=None,
        ),
    )


async def bounces(house: MessagingHarness) -> None:
    """The provider could not deliver some of them."""
    for row in await house.pool.fetch(
        "SELECT provider_message_id FROM delivery WHERE provider_message_id <> '' LIMIT 3"
    ):
        await statuses.receive_status(
            house.deps,
            statuses.ReceiveStatus(
                provider_message_id=row["provider_message_id"],
                status="undelivered",
                error_code="30003",
            ),
        )


async def broken_events(house: MessagingHarness, bootstrap: str) -> None:
    """Events with everything personal in them that can never be applied."""
    chain_id = uuid4()
    contact = facts.ContactChanged(
        chain_id=str(uuid4()),
        member_id=NAME,
        phone=PHONE,
        email=EMAIL,
        given_name=NAME,
        enrolled_now=True,
        first_grants=[facts.FirstGrant(channel=types_pb2.CHANNEL_UNSPECIFIED)],
    ).SerializeToString()
    code = facts.CodeRequested(chain_id=str(chain_id), address=PHONE, challenge_id=NAME)
    told = [
        Fact(type="contact.changed", chain_id=chain_id, key=str(uuid4()), payload=contact),
        Fact(type="contact.changed", chain_id=chain_id, key=str(uuid4()), payload=contact[:-3]),
        Fact(
            type="code.requested",
            chain_id=chain_id,
            key=str(uuid4()),
            payload=code.SerializeToString(),
        ),
    ]
    topic = f"loyalty.t{uuid4().hex[:8]}.v1"
    async with consuming(
        topic=topic,
        handlers=consumers.contact_handlers(house.deps),
        pool=house.pool,
        bootstrap=bootstrap,
    ):
        await publish(bootstrap, topic, told)

        async def buried() -> bool:
            count = await house.pool.fetchval("SELECT count(*) FROM dead_letter")
            return bool(count == len(told))

        await until(buried)


@pytest.fixture
def configured() -> Iterator[None]:
    """Log lines as the process writes them, for the length of a test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    log_lines.configure(service="messaging", level="DEBUG")
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("configured")
async def test_canaries_stand_only_where_they_may(
    messaging: MessagingHarness,
    kafka_bootstrap: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Reliability: in no log line, metric, event or reason of a dead letter; D18, LS-20, LS-79."""
    with caplog.at_level(logging.DEBUG):
        for sandbox in (True, False):
            await every_flow(messaging, sandbox=sandbox)
        await broken_events(messaging, kafka_bootstrap)
    written = capfd.readouterr()
    lines = written.out + written.err + caplog.text
    assert '"service":"messaging"' in lines
    assert [one for one in lines.splitlines() if found_in(one)] == []
    assert found_in(generate_latest(REGISTRY).decode()) == []

    told = await messaging.pool.fetch("SELECT topic, key, type, subject, payload FROM outbox")
    assert {row["type"] for row in told} >= {"consent.changed", "delivery.sent", "delivery.failed"}
    for row in told:
        payload = (row["payload"] or b"").decode("utf-8", "replace")
        assert found_in(f"{row['topic']} {row['key']} {row['subject']} {payload}") == []
    # The bytes of a contact's own event are kept, in the database alone, where erasure reaches.
    letters = await messaging.pool.fetch("SELECT key, type, reason, headers FROM dead_letter")
    assert len(letters) == 3
    for row in letters:
        assert found_in(str(tuple(row))) == []

    # The proof is no proof over silence: the carriers and the mailbox have seen them.
    assert any(one["to"] == PHONE for one in messaging.twilio.taken)
    kinds = await messaging.pool.fetch("SELECT kind, body FROM sandbox_message")
    assert {"WELCOME", "BIRTHDAY", "ANNOUNCEMENT", "TEXT_TO_JOIN", "ONE_TIME_CODE"} <= {
        row["kind"] for row in kinds
    }
    assert any(NAME in row["body"] for row in kinds)
