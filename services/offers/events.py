"""Facts of offers as events: payload, key and topic. The only file that names our topic."""

from __future__ import annotations

from datetime import datetime

from loyalty.events.v1 import offers_events_pb2

from services.chassis.outbox import OutboxEvent
from services.offers.domain.offer import Offer

TOPIC = "loyalty.offers.v1"


def offer_changed(offer: Offer, *, home_time_zone: str, occurred_at: datetime) -> OutboxEvent:
    """The whole present state of an offer; the newest version wins."""
    terms = offer.terms
    payload = offers_events_pb2.OfferChanged(
        chain_id=str(offer.chain_id),
        offer_id=str(offer.id),
        title=terms.title,
        description=terms.description,
        exclusion=terms.exclusion,
        start_date=terms.start_date.isoformat(),
        end_date=terms.end_date.isoformat(),
        coupon_expiry_date=terms.coupon_expiry_date.isoformat() if terms.coupon_expiry_date else "",
        shown_in_app=terms.shown_in_app,
        deleted=offer.deleted_at is not None,
        version=offer.version,
        home_time_zone=home_time_zone,
    )
    return OutboxEvent(
        topic=TOPIC,
        key=str(offer.id),
        type="offer.changed",
        chain_id=offer.chain_id,
        subject=str(offer.id),
        payload=payload.SerializeToString(deterministic=True),
        occurred_at=occurred_at,
    )
