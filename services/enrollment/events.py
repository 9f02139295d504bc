"""What enrollment tells the others. The only file that names our topics.

Chains, salons and enrolments travel without personal data. Phones, e-mail addresses and names
travel on the contact topic alone, which only messaging reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from loyalty.events.v1 import enrollment_events_pb2 as pb

from services.chassis.outbox import OutboxEvent
from services.enrollment.domain.chains import Chain, Language, Salon
from services.enrollment.domain.codes import Challenge
from services.enrollment.domain.ids import ChainId
from services.enrollment.domain.members import FirstGrant, Member
from services.enrollment.wire import CHANNELS, LANGUAGES, PLANS, SOURCES

TOPIC = "loyalty.enrollment.v1"
CONTACT_TOPIC = "loyalty.enrollment.contact.v1"
# Messaging opens with the same purpose what is sealed for it here.
CODE_PURPOSE = "one-time-code"


def chain_changed(chain: Chain, *, now: datetime) -> OutboxEvent:
    """The whole state of a chain; the newest version wins."""
    payload = pb.ChainChanged(
        chain_id=str(chain.id),
        slug=chain.slug,
        name=chain.name,
        plan=PLANS[chain.plan],
        sandbox=chain.sandbox,
        home_time_zone=chain.home_time_zone,
        currency=chain.currency,
        language=LANGUAGES[chain.language],
        version=chain.version,
        postal_address=chain.postal_address,
        contact_phone=chain.contact_phone,
    )
    return OutboxEvent(
        topic=TOPIC,
        key=str(chain.id),
        type="chain.changed",
        chain_id=chain.id,
        subject=str(chain.id),
        payload=payload.SerializeToString(),
        occurred_at=now,
    )


def salon_changed(salon: Salon, *, now: datetime) -> OutboxEvent:
    """The whole state of a salon; keyed by its chain, so that it follows the chain's own event."""
    payload = pb.SalonChanged(
        chain_id=str(salon.chain_id),
        salon_id=str(salon.id),
        name=salon.name,
        time_zone=salon.time_zone,
        active=salon.active,
        version=salon.version,
    )
    return OutboxEvent(
        topic=TOPIC,
        key=str(salon.chain_id),
        type="salon.changed",
        chain_id=salon.chain_id,
        subject=str(salon.id),
        payload=payload.SerializeToString(),
        occurred_at=now,
    )


def member_enrolled(member: Member, *, now: datetime) -> OutboxEvent:
    """A member by her id, and how she came; nothing by which a person could be known."""
    payload = pb.MemberEnrolled(
        chain_id=str(member.chain_id),
        member_id=str(member.id),
        source=SOURCES[member.source],
        salon_id=str(member.salon_id or ""),
        language=LANGUAGES[member.language],
        registered_by=CHANNELS[member.registered_by],
    )
    payload.enrolled_at.FromDatetime(member.enrolled_at)
    return OutboxEvent(
        topic=TOPIC,
        key=str(member.id),
        type="member.enrolled",
        chain_id=member.chain_id,
        subject=str(member.id),
        payload=payload.SerializeToString(),
        occurred_at=now,
    )


def contact_changed(
    member: Member,
    *,
    now: datetime,
    enrolled_now: bool = False,
    first_grants: Sequence[FirstGrant] = (),
) -> OutboxEvent:
    """How a member is reached, whole; with her first grants of consent when she enrols (D36)."""
    payload = pb.ContactChanged(
        chain_id=str(member.chain_id),
        member_id=str(member.id),
        phone=member.phone,
        email=member.email,
        given_name=member.given_name,
        language=LANGUAGES[member.language],
        registered_by=CHANNELS[member.registered_by],
        birthday=member.birthday,
        phone_verified=member.phone_verified,
        email_verified=member.email_verified,
        version=member.version,
        enrolled_now=enrolled_now,
        source=SOURCES[member.source],
    )
    for grant in first_grants:
        written = payload.first_grants.add(
            channel=CHANNELS[grant.channel], wording_version=grant.wording_version
        )
        written.granted_at.FromDatetime(now)
    return OutboxEvent(
        topic=CONTACT_TOPIC,
        key=str(member.id),
        type="contact.changed",
        chain_id=member.chain_id,
        subject=str(member.id),
        payload=payload.SerializeToString(),
        occurred_at=now,
    )


def code_requested(
    challenge: Challenge,
    *,
    chain_id: ChainId,
    sealed_code: bytes,
    language: Language,
    now: datetime,
) -> OutboxEvent:
    """A one-time code to be sent; sealed, so that it is plain nowhere on its way."""
    payload = pb.CodeRequested(
        chain_id=str(chain_id),
        challenge_id=str(challenge.id),
        channel=CHANNELS[challenge.channel],
        address=challenge.address,
        sealed_code=sealed_code,
        language=LANGUAGES[language],
    )
    payload.expires_at.FromDatetime(challenge.expires_at)
    return OutboxEvent(
        topic=CONTACT_TOPIC,
        key=str(chain_id),
        type="code.requested",
        chain_id=chain_id,
        subject=str(challenge.id),
        payload=payload.SerializeToString(),
        occurred_at=now,
    )
