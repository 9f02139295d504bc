"""Events of others that points acts on. The only file that names their topics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from google.protobuf.message import DecodeError, Message
from loyalty.events.v1 import enrollment_events_pb2 as pb
from loyalty.events.v1 import messaging_events_pb2 as messaging_pb

from services.chassis.events import Event, Impossible
from services.chassis.handling import Handler
from services.chassis.postgres import Connection
from services.points.domain.ids import ChainId, MemberId, SalonId
from services.points.usecases import contact_bonus, copies
from services.points.usecases.deps import Deps

ENROLLMENT = "loyalty.enrollment.v1"
GROUP = "points.chain-copies"
MESSAGING = "loyalty.messaging.v1"
CONTACTS_GROUP = "points.contacts"

# What messaging lets an owner promise.
CONTACT_POINTS_MAX = 10_000

M = TypeVar("M", bound=Message)


def handlers(deps: Deps) -> Mapping[str, Handler]:
    """What happens on each event of enrollment that points cares for."""

    async def chain_changed(conn: Connection, event: Event) -> None:
        fact = _parsed(event, pb.ChainChanged())
        await copies.keep_chain(
            conn,
            chain_id=_chain_id(event, fact.chain_id),
            sandbox=fact.sandbox,
            home_time_zone=_zone(event, fact.home_time_zone),
            currency=_currency(event, fact.currency),
            version=fact.version,
        )

    async def salon_changed(conn: Connection, event: Event) -> None:
        fact = _parsed(event, pb.SalonChanged())
        await copies.keep_salon(
            conn,
            chain_id=_chain_id(event, fact.chain_id),
            salon_id=SalonId(_uuid(event, fact.salon_id)),
            time_zone=_zone(event, fact.time_zone),
            active=fact.active,
            version=fact.version,
        )

    async def member_enrolled(conn: Connection, event: Event) -> None:
        fact = _parsed(event, pb.MemberEnrolled())
        await copies.welcome_member(
            deps,
            conn,
            chain_id=_chain_id(event, fact.chain_id),
            member_id=MemberId(_uuid(event, fact.member_id)),
        )

    return {
        "chain.changed": chain_changed,
        "salon.changed": salon_changed,
        "member.enrolled": member_enrolled,
    }


def contact_handlers(deps: Deps) -> Mapping[str, Handler]:
    """What happens on each event of messaging that points cares for."""

    async def contact_collected(conn: Connection, event: Event) -> None:
        fact = _parsed(event, messaging_pb.ContactCollected())
        if not 1 <= fact.points <= CONTACT_POINTS_MAX:
            raise Impossible(f"{event.type}: nobody promises so many points")
        await contact_bonus.give(
            deps,
            conn,
            chain_id=_chain_id(event, fact.chain_id),
            member_id=MemberId(_uuid(event, fact.member_id)),
            points=fact.points,
        )

    return {"contact.collected": contact_collected}


def _parsed(event: Event, message: M) -> M:
    try:
        message.ParseFromString(event.payload)
    except DecodeError:
        raise Impossible(f"{event.type}: the payload is no such fact") from None
    return message


def _uuid(event: Event, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Impossible(f"{event.type}: an id has the wrong form") from None


def _chain_id(event: Event, text: str) -> ChainId:
    chain_id = _uuid(event, text)
    if chain_id != event.chain_id:
        raise Impossible(f"{event.type}: it speaks of another chain than its header")
    return ChainId(chain_id)


def _currency(event: Event, code: str) -> str | None:
    """A code of ISO 4217 as enrollment has checked it; None where the fact says nothing."""
    if code and not re.fullmatch(r"[A-Z]{3}", code):
        raise Impossible(f"{event.type}: its currency has the wrong form")
    return code or None


def _zone(event: Event, name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Impossible(f"{event.type}: nobody knows its time zone") from None
    return name
