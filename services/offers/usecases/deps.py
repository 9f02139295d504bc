"""What every use case of offers stands on, and what it is asked by and answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.chassis import outbox
from services.chassis.clock import BusinessClock
from services.chassis.postgres import Connection, Pool
from services.offers import events
from services.offers.domain.chain import Chain
from services.offers.domain.offer import Offer, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What the use cases stand on."""

    pool: Pool
    clock: BusinessClock


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who asks, by kind and id; never a name."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An offer where it stands at the moment of the answer, and whether the app shows it."""

    offer: Offer
    stage: Stage
    visible_now: bool


def shown(offer: Offer, chain: Chain, *, now: datetime) -> Shown:
    """The offer as the chain's clock sees it."""
    return Shown(
        offer=offer,
        stage=offer.stage(now=now, zone=chain.zone),
        visible_now=offer.is_visible(now=now, zone=chain.zone),
    )


async def publish(conn: Connection, offers: list[Offer], *, chain: Chain, now: datetime) -> None:
    """Tell the whole state of these offers, in this transaction."""
    await outbox.append(
        conn,
        [
            events.offer_changed(offer, home_time_zone=chain.home_time_zone, occurred_at=now)
            for offer in offers
        ],
    )
