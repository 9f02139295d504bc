"""What follows from events of offers and coupons: copies that messages and reports ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.postgres import Connection
from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.offer import OfferCopy, OfferId
from services.messaging.storage import offers, sends


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponNews:
    """What rewards say of a coupon: one that was restored is taken, and not used any more."""

    chain_id: ChainId
    reward_id: UUID
    offer_id: OfferId
    member_id: MemberId
    used: bool
    voided: bool
    version: int
    # Business time of the news.
    at: datetime


async def take_offer(conn: Connection, offer: OfferCopy) -> None:
    """Keep the newest word on an offer (LS-67)."""
    await offers.put(conn, offer)


async def take_coupon(conn: Connection, news: CouponNews) -> None:
    """Keep the newest word on a coupon, for the reports of sends."""
    await sends.put_coupon(
        conn,
        news.chain_id,
        reward_id=news.reward_id,
        offer_id=news.offer_id,
        member_id=news.member_id,
        used=news.used,
        voided=news.voided,
        version=news.version,
        at=news.at,
    )
