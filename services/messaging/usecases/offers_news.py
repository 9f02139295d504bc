"""What follows from events of offers: a copy, so that messages can tell of them (LS-67)."""

from __future__ import annotations

from services.chassis.postgres import Connection
from services.messaging.domain.offer import OfferCopy
from services.messaging.storage import offers


async def take_offer(conn: Connection, offer: OfferCopy) -> None:
    """Keep the newest word on an offer."""
    await offers.put(conn, offer)
