"""What follows from enrollment's events: copies, first grants, the welcome, the one-time code.

These run in the consumer's transaction, which has already asked the inbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from services.chassis import outbox
from services.chassis.postgres import Connection
from services.messaging import events
from services.messaging.domain.chain import Chain, ChainId, Language, MemberId
from services.messaging.domain.consent import Address, Channel, ConsentRecord, ConsentSource
from services.messaging.domain.contact import Contact, joined_by
from services.messaging.domain.delivery import (
    FIRST_POINTS_WAIT,
    NEWS_AGE_MAX,
    WELCOME_AGE_MAX,
    DeliveryId,
    MessageKind,
    NewDelivery,
)
from services.messaging.domain.news import News
from services.messaging.domain.schedule import first_open_day, has_schedules
from services.messaging.storage import consents, contacts, deliveries, schedules, standings
from services.messaging.storage import news as news_rows
from services.messaging.usecases import holding, telling
from services.messaging.usecases.deps import Deps

# Where staff or a tablet give the first points with the enrolment (D21, SQ-02).
_EARNS_AT_ONCE = frozenset({"TILL", "TABLET"})


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


async def take_chain(deps: Deps, conn: Connection, chain: Chain) -> None:
    """Keep enrollment's newest word on a chain.

    Scheduled messages that its plan held begin anew, and catch up on nothing (examples P5).
    """
    before = await contacts.find_chain(conn, chain.chain_id)
    stored = await contacts.put_chain(conn, chain)
    if stored and before is not None and has_schedules(chain) and not has_schedules(before):
        now = deps.clock.now(chain.chain_id)
        first = first_open_day(now=now, zone=holding.home_zone(chain))
        await schedules.begin(conn, chain.chain_id, first)


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
        await _enrolled(deps, conn, contact, news)
    if contact.email:
        await _email_given(deps, conn, contact)


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


async def _enrolled(deps: Deps, conn: Connection, contact: Contact, news: ContactNews) -> None:
    """Welcome a new member, ask for her e-mail address, and tell what has waited for her contact.

    At a till or a tablet her first points follow at once; the welcome waits for them (SQ-27).
    """
    pause = FIRST_POINTS_WAIT if news.enrollment_source in _EARNS_AT_ONCE else timedelta()
    await _welcome(deps, conn, contact, at=news.at, pause=pause)
    await _ask_for_email(deps, conn, contact, pause=pause)
    await news_rows.lock_members(conn, [(contact.chain_id, contact.member_id)])
    waited = await news_rows.take(conn, contact.chain_id, contact.member_id)
    await telling.tell(deps, conn, waited)


async def _welcome(
    deps: Deps, conn: Connection, contact: Contact, *, at: datetime, pause: timedelta
) -> None:
    channel = joined_by(contact)
    if channel is None:
        return
    now = deps.clock.real_now()
    await deliveries.queue(
        conn,
        [
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
            )
        ],
        real_now=now,
        not_before=now + pause,
    )


async def _ask_for_email(
    deps: Deps, conn: Connection, contact: Contact, *, pause: timedelta
) -> None:
    """Offer points to a new member for her e-mail address, where the chain does so (SQ-09)."""
    if contact.email or not contact.phone:
        return
    chain = await contacts.find_chain(conn, contact.chain_id)
    points = (await holding.settings_of(conn, contact.chain_id, chain)).collect_email_points
    if not points:
        return
    now = deps.clock.now(contact.chain_id)
    asked = await news_rows.note_asked(
        conn, contact.chain_id, contact.member_id, points=points, at=now
    )
    if not asked:
        return
    offer = News(
        chain_id=contact.chain_id,
        member_id=contact.member_id,
        kind=MessageKind.COLLECT_EMAIL,
        key=str(contact.member_id),
        params={"points": str(points), "term": await _term(conn, contact.chain_id, points)},
        occurred_at=now,
        expires_at=now + NEWS_AGE_MAX,
    )
    await telling.tell_contacts(deps, conn, [(offer, contact)], after=pause)


async def _term(conn: Connection, chain_id: ChainId, points: int) -> str:
    """What the chain calls points, by its oldest running program."""
    program = await standings.default_program(conn, chain_id)
    return program.term(points) if program else ("point" if points == 1 else "points")


async def _email_given(deps: Deps, conn: Connection, contact: Contact) -> None:
    """She gave the address that she was asked for: her points follow, once (SQ-09)."""
    now = deps.clock.now(contact.chain_id)
    points = await news_rows.note_given(conn, contact.chain_id, contact.member_id, at=now)
    if points is None:
        return
    await outbox.append(
        conn,
        [
            events.contact_collected(
                contact.chain_id, contact.member_id, points=points, occurred_at=now
            )
        ],
    )


async def forget_contact(conn: Connection, chain_id: ChainId, member_id: MemberId) -> None:
    """Forget how an erased member is reached; older events cannot bring it back."""
    await contacts.erase_contact(conn, chain_id, member_id)
    await standings.forget(conn, chain_id, member_id)
    await news_rows.take(conn, chain_id, member_id)


async def take_code(deps: Deps, conn: Connection, code: RequestedCode) -> None:
    """Send a one-time code, sealed until it leaves. Repeatable: one challenge, one delivery.

    One that comes too late is written down as expired and never sent; its sealed bytes are not
    even kept.
    """
    now = deps.clock.real_now()
    await deliveries.queue(
        conn,
        [
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
            )
        ],
        real_now=now,
    )
