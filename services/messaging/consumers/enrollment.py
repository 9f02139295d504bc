"""Events of enrollment that messaging acts on. The only file that names their topics.

Reasons of dead letters name fields, never what stood in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from uuid import UUID

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.events.v1 import enrollment_events_pb2 as facts
from loyalty.types.v1 import types_pb2

from services.chassis.events import Event, Impossible
from services.chassis.handling import Handler
from services.chassis.postgres import Connection
from services.messaging.domain.chain import Chain, ChainId, Language, MemberId, Plan
from services.messaging.domain.consent import Channel
from services.messaging.domain.contact import Contact
from services.messaging.usecases import contacts
from services.messaging.usecases.contacts import ContactNews, FirstGrant, RequestedCode
from services.messaging.usecases.deps import Deps

ENROLLMENT = "loyalty.enrollment.v1"
CONTACTS = "loyalty.enrollment.contact.v1"
CHAINS_GROUP = "messaging.chains"
CONTACTS_GROUP = "messaging.contacts"

_LANGUAGES = {types_pb2.LANGUAGE_FR: Language.FR, types_pb2.LANGUAGE_EN: Language.EN}
_CHANNELS = {types_pb2.CHANNEL_SMS: Channel.SMS, types_pb2.CHANNEL_EMAIL: Channel.EMAIL}
_PLANS = {
    types_pb2.PLAN_PARTANT: Plan.PARTANT,
    types_pb2.PLAN_ESSENTIEL: Plan.ESSENTIEL,
    types_pb2.PLAN_PRO: Plan.PRO,
}


def chain_handlers(deps: Deps) -> Mapping[str, Handler]:
    """What happens on each event about a chain."""

    async def chain_changed(conn: Connection, event: Event) -> None:
        await contacts.take_chain(deps, conn, _chain(event))

    return {"chain.changed": chain_changed}


def contact_handlers(deps: Deps) -> Mapping[str, Handler]:
    """What happens on each event about a contact or a one-time code."""

    async def contact_changed(conn: Connection, event: Event) -> None:
        if not event.payload:
            await contact_erased(conn, event)
            return
        await contacts.take_contact(deps, conn, _contact_news(event))

    async def contact_erased(conn: Connection, event: Event) -> None:
        member_id = MemberId(_uuid(event.key, what="the key"))
        await contacts.forget_contact(conn, ChainId(event.chain_id), member_id)

    async def code_requested(conn: Connection, event: Event) -> None:
        if not event.payload:
            return
        await contacts.take_code(deps, conn, _code(event))

    return {
        "contact.changed": contact_changed,
        "contact.erased": contact_erased,
        "code.requested": code_requested,
    }


def _uuid(text: str, *, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Impossible(f"{what} is no id") from None


def _same_chain(event: Event, chain_id: str) -> ChainId:
    found = _uuid(chain_id, what="chain_id")
    if found != event.chain_id:
        raise Impossible("the event speaks of another chain than its header")
    return ChainId(found)


def _chain(event: Event) -> Chain:
    fact = facts.ChainChanged()
    try:
        fact.ParseFromString(event.payload)
    except DecodeError:
        raise Impossible("the payload is not a ChainChanged") from None
    return Chain(
        chain_id=_same_chain(event, fact.chain_id),
        slug=fact.slug,
        name=fact.name,
        # A plan of a later release gives no rights here that this release does not know.
        plan=_PLANS.get(fact.plan, Plan.PARTANT),
        sandbox=fact.sandbox,
        home_time_zone=fact.home_time_zone,
        language=_LANGUAGES.get(fact.language, Language.FR),
        version=fact.version,
        postal_address=fact.postal_address,
        contact_phone=fact.contact_phone,
    )


def _contact_news(event: Event) -> ContactNews:
    fact = facts.ContactChanged()
    try:
        fact.ParseFromString(event.payload)
    except DecodeError:
        raise Impossible("the payload is not a ContactChanged") from None
    contact = Contact(
        chain_id=_same_chain(event, fact.chain_id),
        member_id=MemberId(_uuid(fact.member_id, what="member_id")),
        phone=fact.phone.strip(),
        email=fact.email.strip().lower(),
        given_name=fact.given_name,
        language=_LANGUAGES.get(fact.language),
        registered_by=_CHANNELS.get(fact.registered_by),
        birthday=fact.birthday,
        phone_verified=fact.phone_verified,
        email_verified=fact.email_verified,
        version=fact.version,
    )
    source = types_pb2.EnrollmentSource.Name(fact.source).removeprefix("ENROLLMENT_SOURCE_")
    return ContactNews(
        contact=contact,
        enrolled_now=fact.enrolled_now,
        enrollment_source=source,
        first_grants=[_first_grant(grant, event) for grant in fact.first_grants],
        at=event.time,
    )


def _first_grant(grant: facts.FirstGrant, event: Event) -> FirstGrant:
    channel = _CHANNELS.get(grant.channel)
    if channel is None:
        raise Impossible("a first grant names no channel")
    granted_at = grant.granted_at.ToDatetime(UTC) if grant.HasField("granted_at") else event.time
    return FirstGrant(channel=channel, wording_version=grant.wording_version, granted_at=granted_at)


def _code(event: Event) -> RequestedCode:
    fact = facts.CodeRequested()
    try:
        fact.ParseFromString(event.payload)
    except DecodeError:
        raise Impossible("the payload is not a CodeRequested") from None
    channel = _CHANNELS.get(fact.channel)
    if channel is None or not fact.address or not fact.challenge_id:
        raise Impossible("a one-time code without challenge, channel or address")
    if fact.expires_at == Timestamp():
        raise Impossible("a one-time code without its end")
    return RequestedCode(
        chain_id=_same_chain(event, fact.chain_id),
        challenge_id=fact.challenge_id,
        channel=channel,
        address=fact.address,
        sealed_code=fact.sealed_code,
        language=_LANGUAGES.get(fact.language),
        expires_at=fact.expires_at.ToDatetime(UTC),
    )
