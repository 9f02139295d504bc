"""A change of a reward as a fact: one row here, one event for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from services.chassis import outbox
from services.chassis.postgres import Connection
from services.rewards import events
from services.rewards.domain.actors import Actor
from services.rewards.domain.ids import RewardEventId, SaleId, SalonId
from services.rewards.domain.rewards import Reward, RewardEvent, RewardEventKind, points_moved
from services.rewards.storage import events as event_storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What happened to a reward that this transaction has just changed."""

    reward: Reward
    kind: RewardEventKind
    salon_id: SalonId | None
    actor: Actor
    now: datetime
    # Taken or used on this sale, or given back by its refund.
    sale_id: SaleId | None = None


async def record(
    conn: Connection,
    reward: Reward,
    *,
    kind: RewardEventKind,
    salon_id: SalonId | None,
    actor: Actor,
    now: datetime,
    sale_id: SaleId | None = None,
) -> None:
    """Write down what happened to a reward that this transaction has just changed."""
    fact = Fact(reward=reward, kind=kind, salon_id=salon_id, actor=actor, now=now, sale_id=sale_id)
    await record_many(conn, [fact])


async def record_many(conn: Connection, facts: Sequence[Fact]) -> list[RewardEvent]:
    """The same for many rewards; their events, in order."""
    happened = await event_storage.insert_many(conn, [_event(fact) for fact in facts])
    await outbox.append(
        conn,
        [
            events.reward_changed(fact.reward, event)
            for fact, event in zip(facts, happened, strict=True)
        ],
    )
    return happened


def _event(fact: Fact) -> RewardEvent:
    reward = fact.reward
    return RewardEvent(
        id=RewardEventId(uuid4()),
        chain_id=reward.chain_id,
        reward_id=reward.id,
        member_id=reward.member_id,
        account_id=reward.account_id,
        program_id=reward.program_id,
        definition_id=reward.definition_id,
        kind=fact.kind,
        points=points_moved(reward, fact.kind),
        salon_id=fact.salon_id,
        actor=fact.actor,
        occurred_at=fact.now,
        reward_name=reward.name,
        sale_id=fact.sale_id,
    )
