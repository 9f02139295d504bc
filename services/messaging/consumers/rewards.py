"""Events of rewards that messaging acts on. The only file that names their topic."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from google.protobuf.message import DecodeError
from loyalty.events.v1 import rewards_events_pb2 as facts

from services.chassis.events import Event, Impossible
from services.chassis.handling import Handler
from services.chassis.postgres import Connection
from services.messaging.consumers.program_changes import definition_change
from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.offer import OfferId
from services.messaging.usecases import offers_news, program_changes
from services.messaging.usecases.offers_news import CouponNews

REWARDS = "loyalty.rewards.v1"
REWARDS_GROUP = "messaging.coupons"
_TYPES = (
    "reward.taken",
    "reward.used",
    "reward.restored",
    "reward.voided",
    "reward.expired",
)


def reward_handlers() -> Mapping[str, Handler]:
    """Rewards that came from an offer count; other definitions change the program."""

    async def changed(conn: Connection, event: Event) -> None:
        fact = facts.RewardChanged()
        try:
            fact.ParseFromString(event.payload)
        except DecodeError:
            raise Impossible("the payload is not a RewardChanged") from None
        if fact.offer_id:
            await offers_news.take_coupon(conn, _coupon(event, fact))

    async def defined(conn: Connection, event: Event) -> None:
        await program_changes.take_change(conn, definition_change(event))

    return {**dict.fromkeys(_TYPES, changed), "definition.changed": defined}


def _coupon(event: Event, fact: facts.RewardChanged) -> CouponNews:
    try:
        if UUID(fact.chain_id) != event.chain_id:
            raise Impossible("the event speaks of another chain than its header")
        return CouponNews(
            chain_id=ChainId(event.chain_id),
            reward_id=UUID(fact.reward_id),
            offer_id=OfferId(UUID(fact.offer_id)),
            member_id=MemberId(UUID(fact.member_id)),
            used=event.type == "reward.used",
            voided=event.type == "reward.voided",
            version=fact.version,
            at=event.time,
        )
    except ValueError:
        raise Impossible("a coupon without possible ids") from None
