"""Counted and refunded sales as points tells them: rewards are used with a sale, or come back.

The two may arrive late, again and in any order, also while a settlement is at the reward: what is
told is kept, and takes effect once the reward is settled and its use is known (ADR 0012).
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from services.chassis import jobs
from services.chassis.postgres import Connection
from services.rewards.domain.rewards import Reward, RewardEventKind, RewardState
from services.rewards.domain.sales import SaleFact, SaleFactKind
from services.rewards.metrics import REWARDS_ON_SALES_TOTAL
from services.rewards.storage import on_sales
from services.rewards.usecases import facts
from services.rewards.usecases.coupons import EXPIRE_COUPON
from services.rewards.usecases.uses import END_COUNTDOWN

log = structlog.get_logger(__name__)


async def keep_fact(conn: Connection, fact: SaleFact) -> None:
    """Do what follows for a reward from its sale's count or refund (SQ-10, R36).

    Repeatable: a reward and sale have each fact once. Locks the reward.
    """
    state = await on_sales.lock_state(conn, chain_id=fact.chain_id, reward_id=fact.reward_id)
    if not await on_sales.keep_fact(conn, fact):
        return
    if state in (RewardState.PENDING, RewardState.VOIDING):
        # Whoever settles it looks for what was told meanwhile.
        return
    known = await on_sales.find_facts(
        conn, chain_id=fact.chain_id, reward_id=fact.reward_id, sale_id=fact.sale_id
    )
    used = known.get(SaleFactKind.USED)
    if used is None:
        # A return waits for its use.
        return
    if fact.kind is SaleFactKind.USED:
        await _use(conn, used)
    await _give_back(conn, known)


async def follow(conn: Connection, reward: Reward) -> Reward:
    """What has become of a reward that this transaction has just settled, by what was told before.

    The caller has changed the reward in this transaction, and so holds its lock.
    """
    if reward.sale_id is None:
        return reward
    known = await on_sales.find_facts(
        conn, chain_id=reward.chain_id, reward_id=reward.id, sale_id=reward.sale_id
    )
    used = known.get(SaleFactKind.USED)
    if used is None:
        return reward
    after_use = await _use(conn, used)
    return await _give_back(conn, known) or after_use or reward


async def _use(conn: Connection, fact: SaleFact) -> Reward | None:
    reward = await on_sales.use_with_sale(conn, fact)
    if reward is None:
        # The till had used it before, or it is not there any more.
        log.info("sale_used_nothing", reward_id=str(fact.reward_id), sale_id=str(fact.sale_id))
        return None
    await facts.record(
        conn,
        reward,
        kind=RewardEventKind.USED,
        salon_id=fact.salon_id,
        actor=fact.actor,
        now=reward.updated_at,
        sale_id=fact.sale_id,
    )
    REWARDS_ON_SALES_TOTAL.labels("used").inc()
    return reward


async def _give_back(conn: Connection, known: Mapping[SaleFactKind, SaleFact]) -> Reward | None:
    """Back in "Mes récompenses", unless staff have restored or voided it since."""
    fact = known.get(SaleFactKind.RETURNED)
    if fact is None:
        return None
    reward = await on_sales.return_from_sale(conn, fact)
    if reward is None:
        return None
    await facts.record(
        conn,
        reward,
        kind=RewardEventKind.RESTORED,
        salon_id=fact.salon_id,
        actor=fact.actor,
        now=reward.updated_at,
        sale_id=fact.sale_id,
    )
    due = {END_COUNTDOWN: reward.updated_at}
    if reward.expires_at is not None:
        # The coupon's own job may have come while it was used; one that is past its date ends now.
        due[EXPIRE_COUPON] = reward.expires_at
    for kind, due_at in due.items():
        await jobs.enqueue(
            conn,
            chain_id=reward.chain_id,
            kind=kind,
            key=f"{reward.id}:{reward.version}",
            due_at=due_at,
            payload={"reward_id": str(reward.id)},
        )
    REWARDS_ON_SALES_TOTAL.labels("returned").inc()
    return reward
