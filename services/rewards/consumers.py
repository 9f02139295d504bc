"""Offers, chains and sales as their owners publish them.

The only file that names others' topics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.events.v1.enrollment_events_pb2 import ChainChanged
from loyalty.events.v1.offers_events_pb2 import OfferChanged
from loyalty.events.v1.points_events_pb2 import SaleChanged, SaleCounted

from services.chassis.events import Event, Impossible
from services.chassis.handling import Handler
from services.chassis.postgres import Connection
from services.chassis.uuids import uuid_of
from services.rewards.domain.actors import Actor, ActorKind
from services.rewards.domain.ids import ChainId, OfferId, RewardId, SaleId, SalonId
from services.rewards.domain.offers import OfferTerms
from services.rewards.domain.sales import SaleFact, SaleFactKind
from services.rewards.events import ACTOR_KINDS
from services.rewards.usecases import coupons, sale_facts

ENROLLMENT = "loyalty.enrollment.v1"
OFFERS = "loyalty.offers.v1"
POINTS = "loyalty.points.v1"

_ACTOR_KINDS = {kind: actor_kind for actor_kind, kind in ACTOR_KINDS.items()}


async def chain_changed(conn: Connection, event: Event) -> None:
    """Keep a chain's home zone and currency."""
    try:
        message = ChainChanged.FromString(event.payload)
    except DecodeError as error:
        raise Impossible("chain.changed is not legible") from error
    _same_chain(event, message.chain_id)
    await coupons.keep_chain(
        conn,
        chain_id=ChainId(event.chain_id),
        version=message.version,
        home_zone=_zone(message.home_time_zone),
        currency=message.currency,
    )


async def offer_changed(conn: Connection, event: Event) -> None:
    """Keep an offer's dates and terms, also those of a deleted one."""
    try:
        message = OfferChanged.FromString(event.payload)
    except DecodeError as error:
        raise Impossible("offer.changed is not legible") from error
    _same_chain(event, message.chain_id)
    expiry = message.coupon_expiry_date
    await coupons.keep_offer(
        conn,
        OfferTerms(
            id=OfferId(_id(message.offer_id)),
            chain_id=ChainId(event.chain_id),
            title=message.title,
            description=message.description,
            exclusion=message.exclusion,
            start_date=_day(message.start_date),
            end_date=_day(message.end_date),
            coupon_expiry_date=_day(expiry) if expiry else None,
            shown_in_app=message.shown_in_app,
            deleted=message.deleted,
            version=message.version,
            home_zone=_zone(message.home_time_zone),
        ),
    )


async def sale_counted(conn: Connection, event: Event) -> None:
    """The rewards on a counted sale are used with it (SQ-10)."""
    try:
        message = SaleCounted.FromString(event.payload)
    except DecodeError as error:
        raise Impossible("sale.counted is not legible") from error
    _same_chain(event, message.chain_id)
    for reward_id in _in_order(message.reward_ids):
        await sale_facts.keep_fact(
            conn, _sale_fact(event, message, reward_id, kind=SaleFactKind.USED)
        )


async def sale_changed(conn: Connection, event: Event) -> None:
    """The rewards that a refund or an exchange gives back are usable again (R36)."""
    try:
        message = SaleChanged.FromString(event.payload)
    except DecodeError as error:
        raise Impossible("sale.changed is not legible") from error
    _same_chain(event, message.chain_id)
    for reward_id in _in_order(message.returned_reward_ids):
        await sale_facts.keep_fact(
            conn, _sale_fact(event, message, reward_id, kind=SaleFactKind.RETURNED)
        )


def _sale_fact(
    event: Event, message: SaleCounted | SaleChanged, reward_id: UUID, *, kind: SaleFactKind
) -> SaleFact:
    actor_kind = _ACTOR_KINDS.get(message.actor.kind, ActorKind.UNKNOWN)
    return SaleFact(
        chain_id=ChainId(event.chain_id),
        reward_id=RewardId(reward_id),
        sale_id=SaleId(_id(message.sale_id)),
        kind=kind,
        salon_id=SalonId(_id(message.salon_id)) if message.salon_id else None,
        actor=Actor(kind=actor_kind, id=message.actor.id),
        occurred_at=_moment(message.occurred_at),
    )


def _in_order(reward_ids: Iterable[str]) -> list[UUID]:
    """Each once and in one order, so that no two lock rewards crosswise."""
    return sorted({_id(text) for text in reward_ids})


def _moment(message: Timestamp) -> datetime:
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Impossible("a moment is none") from error


def _same_chain(event: Event, chain_id: str) -> None:
    if chain_id != str(event.chain_id):
        raise Impossible("header and payload name different chains")


def _id(text: str) -> UUID:
    try:
        return uuid_of(text)
    except ValueError as error:
        raise Impossible("an id is none") from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Impossible("a date is none") from error


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError) as error:
        raise Impossible("there is no such time zone") from error


# Each group reads one topic on its own.
GROUPS: Mapping[str, tuple[str, Mapping[str, Handler]]] = {
    "rewards.chain-copies": (ENROLLMENT, {"chain.changed": chain_changed}),
    "rewards.offer-copies": (OFFERS, {"offer.changed": offer_changed}),
    "rewards.sales": (POINTS, {"sale.counted": sale_counted, "sale.changed": sale_changed}),
}
