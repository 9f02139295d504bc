"""What follows from enrollment's events: copies, first grants, the welcome, the one-time code.

These run in the consumer's transaction, which has already asked the inbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from services.chassis import outbox
from services.chassis.postgres import Connection
from services.messaging import events, metrics
from services.messaging.domain.chain import Chain, ChainId, Language, MemberId
from services.messaging.domain.consent import Address, Channel, ConsentRecord, ConsentSource
from services.messaging.domain.contact import Contact, joined_by
from services.messaging.domain.delivery import (
    WELCOME_AGE_MAX,
    DeliveryId,
    MessageKind,
    NewDelivery,
)
from services.messaging.storage import consents, contacts, deliveries
from services.messaging.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstGrant:
    """A box that the member ticked when she joined, with the words beside it."""

    channel: Channel
    wording_version: str
    granted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactNews:
    """What enrollment says of a contact."""

    contact: Contact
    enrolled_now: bool
    enrollment_source: str
    first_grants: Sequence[FirstGrant]
    # When it happened, by the event.
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedCode:
    """A one-time code on its way to somebody, sealed."""

    chain_id: ChainId
    challenge_id: str
    channel: Channel
    address: str
    sealed_code: bytes
    language: Language | None
    expires_at: datetime


async def take_chain(conn: Connection, chain: Chain) -> None:
    """Keep enrollment's newest word on a chain."""
    await contacts.put_chain(conn, chain)


async def take_contact(deps: Deps, conn: Connection, news: ContactNews) -> None:
    """Keep enrollment's newest word on a contact, and do what follows from it.

    A first grant is written only where nothing was ever said about the address, so that no replay
    and no import overrides a withdrawal (D36). An enrolment is welcomed once, whatever is
    delivered again (SQ-27). Nothing follows for a member who was erased.
    """
    contact = news.contact
    await contacts.put_contact(conn, contact)
    if await contacts.is_erased(conn, contact.chain_id, contact.member_id):
        return
    for grant in news.first_grants:
        await _first_grant(conn, contact, grant, enrollment_source=news.enrollment_source)
    if news.enrolled_now:
        await _welcome(deps, conn, contact, at=news.at)


async def _first_grant(
    conn: Connection, contact: Contact, grant: FirstGrant, *, enrollment_source: str
) -> None:
    value = contact.address(grant.channel)
    if not value:
        return
    record = ConsentRecord(
        address=Address(chain_id=contact.chain_id, channel=grant.channel, value=value),
        member_id=contact.member_id,
        granted=True,
        source=ConsentSource.ENROLLMENT,
        evidence={
            "wording_version": grant.wording_version,
            "enrollment_source": enrollment_source,
        },
        number="",
        occurred_at=grant.granted_at,
    )
    record_id = await consents.record_first_grant(conn, record)
    if record_id is None:
        return
    await outbox.append(conn, [events.consent_changed(record, record_id=record_id)])
    metrics.CONSENT_CHANGES.labels(grant.channel.value, record.source.value, "true").inc()


async def _welcome(deps: Deps, conn: Connection, contact: Contact, *, at: datetime) -> None:
    channel = joined_by(contact)
    if channel is None:
        return
    await deliveries.queue(
        conn,
        NewDelivery(
            chain_id=contact.chain_id,
            id=DeliveryId(uuid4()),
            kind=MessageKind.WELCOME,
            key=str(contact.member_id),
            member_id=contact.member_id,
            channel=channel,
            address=contact.address(channel),
            language=contact.language,
            params={},
            sealed_code=None,
            expires_at=at + WELCOME_AGE_MAX,
            occurred_at=deps.clock.now(contact.chain_id),
        ),
        real_now=deps.clock.real_now(),
    )


async def forget_contact(conn: Connection, chain_id: ChainId, member_id: MemberId) -> None:
    """Forget how an erased member is reached; older events cannot bring it back."""
    await contacts.erase_contact(conn, chain_id, member_id)


async def take_code(deps: Deps, conn: Connection, code: RequestedCode) -> None:
    """Send a one-time code, sealed until it leaves. Repeatable: one challenge, one delivery.

    One that comes too late is written down as expired and never sent; its sealed bytes are not
    even kept.
    """
    now = deps.clock.real_now()
    await deliveries.queue(
        conn,
        NewDelivery(
            chain_id=code.chain_id,
            id=DeliveryId(uuid4()),
            kind=MessageKind.ONE_TIME_CODE,
            key=code.challenge_id,
            member_id=None,
            channel=code.channel,
            address=code.address,
            language=code.language,
            params={},
            sealed_code=code.sealed_code if now < code.expires_at else None,
            expires_at=code.expires_at,
            occurred_at=deps.clock.now(code.chain_id),
        ),
        real_now=now,
    )
