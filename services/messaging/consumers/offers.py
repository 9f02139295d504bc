"""Events of offers that messaging acts on. The only file that names their topic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from google.protobuf.message import DecodeError
from loyalty.events.v1 import offers_events_pb2 as facts

from services.chassis.events import Event, Impossible
from services.chassis.handling import Handler
from services.chassis.postgres import Connection
from services.messaging.domain.chain import ChainId
from services.messaging.domain.offer import OfferCopy, OfferId
from services.messaging.usecases import offers_news

OFFERS = "loyalty.offers.v1"
OFFERS_GROUP = "messaging.offers"


def offer_handlers() -> Mapping[str, Handler]:
    """What happens on each event of offers."""

    async def offer_changed(conn: Connection, event: Event) -> None:
        await offers_news.take_offer(conn, _offer(event))

    return {"offer.changed": offer_changed}


def _offer(event: Event) -> OfferCopy:
    fact = facts.OfferChanged()
    try:
        fact.ParseFromString(event.payload)
        if UUID(fact.chain_id) != event.chain_id:
            raise Impossible("the event speaks of another chain than its header")
        return OfferCopy(
            chain_id=ChainId(event.chain_id),
            offer_id=OfferId(UUID(fact.offer_id)),
            title=fact.title,
            description=fact.description,
            exclusion=fact.exclusion,
            start_date=date.fromisoformat(fact.start_date),
            end_date=date.fromisoformat(fact.end_date),
            deleted=fact.deleted,
            version=fact.version,
        )
    except DecodeError:
        raise Impossible("the payload is not an OfferChanged") from None
    except ValueError:
        raise Impossible("an offer without possible ids or days") from None
