"""Offers and chains as their owners publish them. The only file that names others' topics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from google.protobuf.message import DecodeError
from loyalty.events.v1.enrollment_events_pb2 import ChainChanged
from loyalty.events.v1.offers_events_pb2 import OfferChanged

from services.chassis.consumer import Handler
from services.chassis.events import Event, Impossible
from services.chassis.postgres import Connection
from services.rewards.domain.ids import ChainId, OfferId
from services.rewards.domain.offers import OfferTerms
from services.rewards.usecases import coupons

ENROLLMENT = "loyalty.enrollment.v1"
OFFERS = "loyalty.offers.v1"


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


def _same_chain(event: Event, chain_id: str) -> None:
    if chain_id != str(event.chain_id):
        raise Impossible("header and payload name different chains")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
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
}
