"""Facts of rewards as others read them. The only file that names our topic."""

from __future__ import annotations

from loyalty.events.v1.rewards_events_pb2 import DefinitionChanged, RewardChanged
from loyalty.types.v1.types_pb2 import Actor as ActorMessage

from services.chassis.moments import timestamp
from services.chassis.outbox import OutboxEvent
from services.rewards.domain.actors import Actor, ActorKind
from services.rewards.domain.definitions import RewardDefinition
from services.rewards.domain.rewards import Reward, RewardEvent

TOPIC = "loyalty.rewards.v1"
DEFINITION_CHANGED = "definition.changed"

ACTOR_KINDS = {
    ActorKind.UNKNOWN: ActorMessage.KIND_UNSPECIFIED,
    ActorKind.MEMBER: ActorMessage.KIND_MEMBER,
    ActorKind.STAFF: ActorMessage.KIND_STAFF,
    ActorKind.DEVICE: ActorMessage.KIND_DEVICE,
    ActorKind.API_KEY: ActorMessage.KIND_API_KEY,
    ActorKind.OPERATOR: ActorMessage.KIND_OPERATOR,
    ActorKind.SYSTEM: ActorMessage.KIND_SYSTEM,
}


def actor_message(actor: Actor) -> ActorMessage:
    """An actor on the wire."""
    return ActorMessage(kind=ACTOR_KINDS[actor.kind], id=actor.id)


def reward_changed(reward: Reward, event: RewardEvent) -> OutboxEvent:
    """`reward.taken`, `.used`, `.restored`, `.voided` or `.expired`, in order for each reward."""
    message = RewardChanged(
        chain_id=str(reward.chain_id),
        reward_id=str(reward.id),
        member_id=str(reward.member_id),
        account_id=_text(reward.account_id),
        program_id=_text(reward.program_id),
        definition_id=_text(reward.definition_id),
        offer_id=_text(reward.offer_id),
        name=reward.name,
        points=reward.points,
        salon_id=_text(event.salon_id),
        actor=actor_message(event.actor),
        points_returned=reward.points_returned,
        version=reward.version,
        occurred_at=timestamp(event.occurred_at),
    )
    return OutboxEvent(
        id=event.id,
        topic=TOPIC,
        key=str(reward.id),
        type=f"reward.{event.kind.value}",
        chain_id=reward.chain_id,
        subject=str(reward.id),
        payload=message.SerializeToString(),
        occurred_at=event.occurred_at,
    )


def definition_changed(definition: RewardDefinition, *, actor: Actor) -> OutboxEvent:
    """What is offered for points is another than before, in order for each definition (SQ-51)."""
    message = DefinitionChanged(
        chain_id=str(definition.chain_id),
        definition_id=str(definition.id),
        program_id=str(definition.program_id),
        deleted=definition.deleted,
        actor=actor_message(actor),
        version=definition.version,
        occurred_at=timestamp(definition.updated_at),
    )
    return OutboxEvent(
        topic=TOPIC,
        key=str(definition.id),
        type=DEFINITION_CHANGED,
        chain_id=definition.chain_id,
        subject=str(definition.id),
        payload=message.SerializeToString(),
        occurred_at=definition.updated_at,
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)
