"""The end of a take: pending rewards become issued ones, many in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis import idempotency
from services.chassis.errors import InvariantViolated, Unavailable
from services.chassis.idempotency import Claim
from services.chassis.postgres import Connection
from services.rewards import answers
from services.rewards.answers import Answer
from services.rewards.clients import Movement
from services.rewards.domain.rewards import RewardEventKind
from services.rewards.domain.settlements import Settlement
from services.rewards.storage import rewards as storage
from services.rewards.storage import settlements
from services.rewards.usecases import facts, sale_facts
from services.rewards.usecases.deps import Deps
from services.rewards.usecases.facts import Fact

TAKE = "take_reward"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A take whose points have left."""

    settlement: Settlement
    movement: Movement


async def issue_takes(
    deps: Deps, conn: Connection, issues: Sequence[Issue]
) -> list[Answer | Exception]:
    """pending → issued with their events and answers, now that the points have left.

    Locks the settlements, then the rewards, each in order of id. One that somebody else has
    finished undoes all of them: each is then done alone, and that one is `Unavailable`.
    """
    in_order = sorted((issue.settlement for issue in issues), key=lambda one: one.reward_id)
    await settlements.close_many(conn, in_order)
    moments = {one.chain_id: deps.clock.now(one.chain_id) for one in in_order}
    issued = await storage.issue_many(
        conn, [(one.chain_id, one.reward_id, moments[one.chain_id]) for one in in_order]
    )
    if len(issued) != len(issues):
        if len(issues) == 1:
            raise Unavailable("the take was finished by somebody else")
        raise InvariantViolated("one of several takes was finished by somebody else")
    await facts.record_many(
        conn,
        [
            Fact(
                reward=issued[issue.settlement.reward_id],
                kind=RewardEventKind.TAKEN,
                salon_id=issue.settlement.salon_id,
                actor=issue.settlement.actor,
                now=moments[issue.settlement.chain_id],
                sale_id=issued[issue.settlement.reward_id].sale_id,
            )
            for issue in issues
        ],
    )
    told = []
    for issue in issues:
        reward = await sale_facts.follow(conn, issued[issue.settlement.reward_id])
        told.append(Answer(reward=reward, balance=issue.movement.balance))
    await idempotency.store_answers(
        conn,
        [
            (claim_of(issue.settlement, TAKE), answers.encode(answer))
            for issue, answer in zip(issues, told, strict=True)
        ],
    )
    return [*told]


def claim_of(settlement: Settlement, operation: str) -> Claim:
    """The request that began the settlement; its fingerprint was kept when it was claimed."""
    return Claim(
        chain_id=settlement.chain_id,
        operation=operation,
        key=settlement.request_key,
        fingerprint=b"",
    )
