"""To the wire: domain objects as messages, by the chain's clock."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.rewards.v1 import rewards_pb2 as pb
from loyalty.types.v1.types_pb2 import Money

from services.chassis.moments import timestamp
from services.rewards.domain.definitions import RewardDefinition
from services.rewards.domain.discounts import AmountOff, Discount, PercentOff
from services.rewards.domain.rewards import Reward, RewardEvent
from services.rewards.events import actor_message
from services.rewards.rpc.parse import EVENT_KINDS, STATES

_STATUSES = {state: status for status, state in STATES.items()}
_KINDS = {kind: value for value, kind in EVENT_KINDS.items()}


def definition(found: RewardDefinition) -> pb.RewardDefinition:
    """A reward definition."""
    return pb.RewardDefinition(
        id=str(found.id),
        chain_id=str(found.chain_id),
        program_id=str(found.program_id),
        name=found.terms.name,
        description=found.terms.description,
        points=found.terms.points,
        discount=discount(found.terms.discount),
        deleted=found.deleted,
        created_at=timestamp(found.created_at),
        updated_at=timestamp(found.updated_at),
        version=found.version,
    )


def reward(found: Reward, *, now: datetime) -> pb.Reward:
    """A reward or coupon as it stands at `now`."""
    return pb.Reward(
        id=str(found.id),
        chain_id=str(found.chain_id),
        member_id=str(found.member_id),
        account_id=_text(found.account_id),
        program_id=_text(found.program_id),
        definition_id=_text(found.definition_id),
        offer_id=_text(found.offer_id),
        name=found.name,
        description=found.description,
        exclusion=found.exclusion,
        points=found.points,
        discount=None if found.discount is None else discount(found.discount),
        status=_STATUSES[found.state_at(now)],
        created_at=timestamp(found.created_at),
        updated_at=timestamp(found.updated_at),
        redeemed_at=_maybe(found.redeemed_at),
        display_until=_maybe(found.display_until),
        display_seconds_left=found.display_seconds_left(now),
        used_by_session=found.used_by_session,
        redeemed_salon_id=_text(found.redeemed_salon_id),
        expires_at=_maybe(found.expires_at),
        voided_at=_maybe(found.voided_at),
        points_returned=found.points_returned,
        version=found.version,
        sale_id=_text(found.sale_id),
    )


def reward_event(found: RewardEvent) -> pb.RewardEvent:
    """A fact about a reward."""
    return pb.RewardEvent(
        id=str(found.id),
        chain_id=str(found.chain_id),
        reward_id=str(found.reward_id),
        member_id=str(found.member_id),
        account_id=_text(found.account_id),
        program_id=_text(found.program_id),
        kind=_KINDS[found.kind],
        points=found.points,
        salon_id=_text(found.salon_id),
        actor=actor_message(found.actor),
        occurred_at=timestamp(found.occurred_at),
        reward_name=found.reward_name,
        definition_id=_text(found.definition_id),
        sale_id=_text(found.sale_id),
        recorded_at=_maybe(found.recorded_at),
    )


def discount(given: Discount) -> pb.Discount:
    """What a reward gives."""
    match given:
        case PercentOff():
            return pb.Discount(percentage=given.text)
        case AmountOff(minor=minor, currency=currency):
            return pb.Discount(amount=Money(amount=minor, currency=currency))
    return pb.Discount(in_kind=True)


def _maybe(at: datetime | None) -> Timestamp | None:
    return None if at is None else timestamp(at)


def _text(value: object) -> str:
    return "" if value is None else str(value)
