"""Rewards go on open sales and off them again (SQ-19, SQ-20, ADR 0012).

The reward says first that it is on the sale, so that nobody can use it elsewhere; then points is
asked. One settlement a reward keeps those who put it on, take it off and void it apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.errors import InvariantViolated, RemoteRefusal, Unavailable
from services.chassis.postgres import Connection, in_transaction
from services.rewards.answers import Answer
from services.rewards.domain.actors import Actor
from services.rewards.domain.ids import ChainId, RewardId, SaleId
from services.rewards.domain.rewards import Reward, why_not_applicable, why_not_removable
from services.rewards.domain.settlements import LEASE_SECONDS, Settlement, SettlementKind
from services.rewards.metrics import REWARDS_ON_SALES_TOTAL
from services.rewards.storage import on_sales, settlements
from services.rewards.storage import rewards as storage
from services.rewards.usecases.deps import Deps
from services.rewards.usecases.leases import find_reward, put_off
from services.rewards.usecases.requests import Begun, StillSettling, until_settled


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReward:
    """A reward that was taken before goes on an open sale."""

    chain_id: ChainId
    reward_id: RewardId
    sale_id: SaleId
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveReward:
    """A reward comes off the open sale that it is on."""

    chain_id: ChainId
    reward_id: RewardId
    actor: Actor


async def apply_reward(deps: Deps, command: ApplyReward) -> Reward:
    """Put an issued reward or coupon on an open sale; no points leave for it again (SQ-19).

    Repeatable. Locks the settlement, then the reward.

    Refuses with:
      - RewardOnSale: it is on another sale.
      - NotFound, AlreadyUsed, RewardExpired, RewardVoided, RewardPending.
      - what points refuses: a sale that is counted, unknown, or another member's.
    `Unavailable` when points is out of reach: a repeat, or the service by itself, finds out.
    """

    async def begin() -> Begun:
        return await in_transaction(deps.pool, lambda conn: _begin_apply(deps, conn, command))

    async def settle(settlement: Settlement) -> Answer:
        return await settle_apply(deps, settlement)

    return (await until_settled(begin, settle)).reward


async def remove_reward(deps: Deps, command: RemoveReward) -> Reward:
    """Take a reward off its open sale; it is usable again. Repeatable. Locks the settlement.

    Refuses with:
      - NotFound, RewardVoided, RewardPending.
      - AlreadyUsed: it was used, with its sale or before.
      - what points refuses: the sale was counted.
    `Unavailable` when points is out of reach: a repeat, or the service by itself, finds out.
    """

    async def begin() -> Begun:
        return await in_transaction(deps.pool, lambda conn: _begin_remove(conn, command))

    async def settle(settlement: Settlement) -> Answer:
        return await settle_remove(deps, settlement)

    return (await until_settled(begin, settle)).reward


async def settle_apply(deps: Deps, settlement: Settlement) -> Answer:
    """Put the reward on its sale in points; the caller holds the lease.

    Refused, it is on the sale no more. A refusal that comes after an unknown outcome may be one of
    a sale that was counted with the reward on it: then points is asked which.
    """
    reward = await find_reward(deps, settlement)
    if reward is None or reward.sale_id is None:
        await _end(deps, settlement, leaves=None)
        raise Unavailable("the reward came off the sale meanwhile")
    try:
        await deps.points.apply(reward, reward.sale_id)
    except Unavailable:
        await put_off(deps, settlement)
        raise
    except RemoteRefusal:
        if settlement.attempts == 1 or not await _is_on(deps, settlement, reward.sale_id):
            await _end(deps, settlement, leaves=reward.sale_id)
            REWARDS_ON_SALES_TOTAL.labels("refused").inc()
            raise
    answer = Answer(reward=await _end(deps, settlement, leaves=None))
    REWARDS_ON_SALES_TOTAL.labels("applied").inc()
    return answer


async def settle_remove(deps: Deps, settlement: Settlement) -> Answer:
    """Take the reward off its sale in points, then here; the caller holds the lease.

    Refused, it stays on the sale, with which it was used.
    """
    reward = await find_reward(deps, settlement)
    sale_id = None if reward is None else reward.sale_id
    if sale_id is not None:
        try:
            await leave_sale(deps, settlement, sale_id)
        except RemoteRefusal:
            await _end(deps, settlement, leaves=None)
            raise
    answer = Answer(reward=await _end(deps, settlement, leaves=sale_id))
    REWARDS_ON_SALES_TOTAL.labels("removed").inc()
    return answer


async def leave_sale(deps: Deps, settlement: Settlement, sale_id: SaleId) -> None:
    """Take the reward off a sale in points; `RemoteRefusal` when it stays on it for good.

    A refusal for a sale that it is not on is none: an earlier attempt was never heard of.
    """
    try:
        await deps.points.remove(
            chain_id=settlement.chain_id, reward_id=settlement.reward_id, sale_id=sale_id
        )
    except Unavailable:
        await put_off(deps, settlement)
        raise
    except RemoteRefusal:
        if await _is_on(deps, settlement, sale_id):
            raise


async def _is_on(deps: Deps, settlement: Settlement, sale_id: SaleId) -> bool:
    try:
        return await deps.points.has_on_sale(
            chain_id=settlement.chain_id, reward_id=settlement.reward_id, sale_id=sale_id
        )
    except Unavailable:
        await put_off(deps, settlement)
        raise


async def _begin_apply(deps: Deps, conn: Connection, command: ApplyReward) -> Begun:
    """Say that the reward is on the sale, together with the settlement that will decide on it."""
    now = deps.clock.now(command.chain_id)
    settlement = await _begin(conn, command, SettlementKind.APPLY, over=[SettlementKind.APPLY])
    if settlement is not None and settlement.attempts == 1:
        placed = await on_sales.put_on(
            conn,
            chain_id=command.chain_id,
            reward_id=command.reward_id,
            sale_id=command.sale_id,
            now=now,
        )
        if placed is not None:
            return settlement
    present = await storage.find(conn, chain_id=command.chain_id, reward_id=command.reward_id)
    refusal = why_not_applicable(present, sale_id=command.sale_id, now=now)
    if refusal is not None:
        raise refusal
    if settlement is None or present is None or present.sale_id is None:
        raise StillSettling
    if settlement.attempts > 1:
        return settlement
    # No attempt was open: points and reward agree that it is on this sale.
    await settlements.close(conn, settlement)
    return Answer(reward=present)


async def _begin_remove(conn: Connection, command: RemoveReward) -> Begun:
    settlement = await _begin(
        conn, command, SettlementKind.REMOVE, over=[SettlementKind.APPLY, SettlementKind.REMOVE]
    )
    present = await storage.find(conn, chain_id=command.chain_id, reward_id=command.reward_id)
    refusal = why_not_removable(present)
    if refusal is not None:
        raise refusal
    if settlement is None or present is None:
        raise StillSettling
    if present.sale_id is None:
        await settlements.close(conn, settlement)
        return Answer(reward=present)
    return settlement


async def _begin(
    conn: Connection,
    command: ApplyReward | RemoveReward,
    kind: SettlementKind,
    *,
    over: list[SettlementKind],
) -> Settlement | None:
    return await settlements.begin(
        conn,
        chain_id=command.chain_id,
        reward_id=command.reward_id,
        kind=kind,
        # Repeatable by the reward and the sale; there is no key to answer to.
        request_key="",
        salon_id=None,
        actor=command.actor,
        lease_seconds=LEASE_SECONDS,
        over=over,
    )


async def _end(deps: Deps, settlement: Settlement, *, leaves: SaleId | None) -> Reward:
    """Points and reward agree; the reward is not on the sale `leaves` any more.

    Locks the settlement, then the reward. `Unavailable` when another has taken the settlement on
    since: its answer from points counts, not ours.
    """
    now = deps.clock.now(settlement.chain_id)

    async def work(conn: Connection) -> Reward:
        if not await settlements.lock_held(conn, settlement):
            raise Unavailable("the reward was taken on by somebody else")
        if leaves is not None:
            await on_sales.take_off(
                conn,
                chain_id=settlement.chain_id,
                reward_id=settlement.reward_id,
                sale_id=leaves,
                now=now,
            )
        await settlements.close(conn, settlement)
        reward = await storage.find(
            conn, chain_id=settlement.chain_id, reward_id=settlement.reward_id
        )
        if reward is None:
            raise InvariantViolated("a reward that was on a sale is not there")
        return reward

    return await in_transaction(deps.pool, work)
