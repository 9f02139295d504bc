"""\"Annuler\": a reward that nobody will use, with or without its points (D35)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.chassis import idempotency
from services.chassis.postgres import Connection, in_transaction
from services.rewards import answers
from services.rewards.answers import Answer, Settling
from services.rewards.domain.actors import Actor
from services.rewards.domain.ids import ChainId, RewardId
from services.rewards.domain.rewards import RewardEventKind, why_not_usable
from services.rewards.domain.settlements import LEASE_SECONDS, Settlement, SettlementKind
from services.rewards.metrics import REWARDS_VOIDED_TOTAL
from services.rewards.storage import rewards as storage
from services.rewards.storage import settlements
from services.rewards.usecases import facts
from services.rewards.usecases.deps import Deps, RequestKey
from services.rewards.usecases.requests import Begun, StillSettling, find_earlier, until_settled
from services.rewards.usecases.settling import VOID, settle_void


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidReward:
    """Somebody takes an unused reward away."""

    request: RequestKey
    chain_id: ChainId
    reward_id: RewardId
    # Coupons have no points to return.
    return_points: bool
    actor: Actor


async def void_reward(deps: Deps, command: VoidReward) -> Answer:
    """Take an issued reward out of the wallet for good; its points come back where asked (D35).

    Repeatable by key. From the first moment on the reward cannot be used (SQ-16), also while its
    points are still on their way back. One that is on an open sale comes off it (SQ-20). Locks the
    reward.

    Refuses with:
      - NotFound: there is none.
      - AlreadyUsed, RewardExpired, RewardVoided, RewardPending: it is not an issued one.
      - what points refuses: its sale was counted, so it is used.
    `Unavailable` when points is out of reach; the void is then finished by itself.
    """

    async def begin() -> Begun:
        return await in_transaction(deps.pool, lambda conn: _begin(deps, conn, command))

    async def settle(settlement: Settlement) -> Answer:
        return await settle_void(deps, settlement)

    return await until_settled(begin, settle)


async def _begin(deps: Deps, conn: Connection, command: VoidReward) -> Begun:
    """Claim the key, then void at once, or put the reward on its way to it."""
    claim = command.request.claim(chain_id=command.chain_id, operation=VOID)
    earlier = await find_earlier(conn, claim)
    if earlier is not None:
        return earlier
    now = deps.clock.now(command.chain_id)
    voided = await storage.void(
        conn,
        chain_id=command.chain_id,
        reward_id=command.reward_id,
        only_free=command.return_points,
        now=now,
    )
    if voided is None:
        settlement = await _begin_settling(conn, command, now=now)
        placeholder = Settling(chain_id=command.chain_id, reward_id=command.reward_id)
        await idempotency.store_answers(conn, [(claim, answers.encode(placeholder))])
        return settlement
    await facts.record(
        conn, voided, kind=RewardEventKind.VOIDED, salon_id=None, actor=command.actor, now=now
    )
    answer = Answer(reward=voided)
    await idempotency.store_answers(conn, [(claim, answers.encode(answer))])
    REWARDS_VOIDED_TOTAL.labels("kept").inc()
    return answer


async def _begin_settling(conn: Connection, command: VoidReward, *, now: datetime) -> Settlement:
    """issued → voiding, with the settlement that returns the points or takes it off its sale.

    Locks the settlement, then the reward. Refuses what cannot be voided.
    """
    present = await storage.find(conn, chain_id=command.chain_id, reward_id=command.reward_id)
    # What a reward costs never changes.
    returns = command.return_points and present is not None and present.points > 0
    settlement = await settlements.begin(
        conn,
        chain_id=command.chain_id,
        reward_id=command.reward_id,
        kind=SettlementKind.VOID if returns else SettlementKind.VOID_KEPT,
        request_key=command.request.key,
        salon_id=None,
        actor=command.actor,
        lease_seconds=LEASE_SECONDS,
        over=[SettlementKind.APPLY, SettlementKind.REMOVE],
    )
    if settlement is not None and await storage.begin_void(
        conn, chain_id=command.chain_id, reward_id=command.reward_id, now=now
    ):
        return settlement
    present = await storage.find(conn, chain_id=command.chain_id, reward_id=command.reward_id)
    raise why_not_usable(present, member_id=None, now=now) or StillSettling
