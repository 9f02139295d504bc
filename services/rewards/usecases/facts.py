"""A change of a reward as a fact: one row here, one event for others."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from services.chassis import outbox
from services.chassis.postgres import Connection
from services.rewards import events
from services.rewards.domain.actors import Actor
from services.rewards.domain.ids import RewardEventId, SalonId
from services.rewards.domain.rewards import Reward, RewardEvent, RewardEventKind, points_moved
from services.rewards.storage import events as event_storage


async def record(
    conn: Connection,
    reward: Reward,
    *,
    kind: RewardEventKind,
    salon_id: SalonId | None,
    actor: Actor,
    now: datetime,
) -> None:
    """Write down what happened to a reward that this transaction has just changed."""
    event = RewardEvent(
        id=RewardEventId(uuid4()),
        chain_id=reward.chain_id,
        reward_id=reward.id,
        member_id=reward.member_id,
        account_id=reward.account_id,
        program_id=reward.program_id,
        definition_id=reward.definition_id,
        kind=kind,
        points=points_moved(reward, kind),
        salon_id=salon_id,
        actor=actor,
        occurred_at=now,
        reward_name=reward.name,
    )
    await event_storage.insert(conn, event)
    await outbox.append(conn, [events.reward_changed(reward, event)])
