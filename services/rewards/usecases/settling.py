"""Bringing points and reward to agree, whatever breaks in between (ADR 0006).

Whoever holds a settlement's lease asks the points service by the reward's id, outside any
transaction, and then writes down what became of it. An unknown outcome leaves everything as it
is: the same question is asked again later, by the caller or by the sweep.
"""

from __future__ import annotations

import contextlib

from services.chassis import idempotency
from services.chassis.errors import InvariantViolated, RemoteRefusal, Unavailable
from services.chassis.postgres import Connection, in_transaction
from services.rewards import answers
from services.rewards.answers import Answer
from services.rewards.clients import Movement, nothing_to_return, used_with_its_sale
from services.rewards.domain.errors import NotFound
from services.rewards.domain.rewards import Reward, RewardEventKind, RewardState
from services.rewards.domain.settlements import (
    LEASE_SECONDS,
    UNDO_AFTER_SECONDS,
    Settlement,
    SettlementKind,
)
from services.rewards.metrics import REWARDS_TAKEN_TOTAL, REWARDS_VOIDED_TOTAL
from services.rewards.storage import rewards as storage
from services.rewards.storage import settlements
from services.rewards.usecases import facts, sale_facts
from services.rewards.usecases.deps import Deps
from services.rewards.usecases.issuing import TAKE, Issue, claim_of, issue_takes
from services.rewards.usecases.leases import find_reward, put_off
from services.rewards.usecases.placing import leave_sale
from services.rewards.usecases.together import together

VOID = "void_reward"


async def settle_take(
    deps: Deps, settlement: Settlement, *, reward: Reward | None = None
) -> Answer:
    """Debit a pending reward's points, then issue it; the caller holds the lease.

    `reward` spares a look where the caller has written it just now.

    Refuses with what points refuses (`insufficient_points`, a sale that it cannot go on), or with
    NotFound when the account is not the member's or of another program; then nothing is left of
    the take. `Unavailable` when it is not known what points did: the sweep finds out.
    """
    reward = reward or await find_reward(deps, settlement)
    if reward is None or reward.state is not RewardState.PENDING or reward.account_id is None:
        raise Unavailable("the take was finished by somebody else")
    try:
        movement = await deps.points.debit(settlement, reward)
    except RemoteRefusal:
        await _drop(deps, settlement, debited=False)
        REWARDS_TAKEN_TOTAL.labels("refused").inc()
        raise
    except Unavailable:
        await put_off(deps, settlement)
        REWARDS_TAKEN_TOTAL.labels("unknown").inc()
        raise
    if (movement.member_id, movement.program_id) != (str(reward.member_id), str(reward.program_id)):
        await _drop(deps, settlement, debited=True)
        REWARDS_TAKEN_TOTAL.labels("refused").inc()
        raise NotFound(field="account_id")
    answer = await together(deps, issue_takes, Issue(settlement=settlement, movement=movement))
    REWARDS_TAKEN_TOTAL.labels("issued").inc()
    return answer


async def settle_void(deps: Deps, settlement: Settlement) -> Answer:
    """Return a voiding reward's points where asked, take it off its sale, then mark it voided.

    The caller holds the lease. `Unavailable` when it is not known what points did: the sweep finds
    out. There is no way back to issued, for somebody has been told that the reward is void; unless
    it was on a sale that was counted first: then it is used, and points' refusal says so.
    """
    reward = await find_reward(deps, settlement)
    if reward is None or reward.state is not RewardState.VOIDING:
        raise Unavailable("the void was finished by somebody else")
    try:
        if settlement.kind is SettlementKind.VOID:
            movement = await _give_back(deps, settlement, on_no_sale=reward.sale_id is None)
            balance = movement.balance
        else:
            balance = 0
            if reward.sale_id is not None:
                await leave_sale(deps, settlement, reward.sale_id)
    except RemoteRefusal as refusal:
        if used_with_its_sale(refusal):
            await _call_off_void(deps, settlement)
            raise
        await put_off(deps, settlement)
        raise InvariantViolated(f"points will not undo a reward: {refusal.code}") from refusal
    answer = await _end_void(deps, settlement, balance=balance)
    kept = settlement.kind is SettlementKind.VOID_KEPT
    REWARDS_VOIDED_TOTAL.labels("kept" if kept else "returned").inc()
    return answer


async def settle_undo(deps: Deps, settlement: Settlement) -> None:
    """Return what was debited for a take that came to nothing, if anything was."""
    try:
        await deps.points.give_back(settlement)
    except RemoteRefusal as refusal:
        if not nothing_to_return(refusal):
            await put_off(deps, settlement)
            raise
    except Unavailable:
        await put_off(deps, settlement)
        raise

    async def work(conn: Connection) -> None:
        await settlements.close(conn, settlement)

    await in_transaction(deps.pool, work)


async def _give_back(deps: Deps, settlement: Settlement, *, on_no_sale: bool) -> Movement:
    try:
        return await deps.points.give_back(settlement, on_no_sale=on_no_sale)
    except Unavailable:
        await put_off(deps, settlement)
        raise


async def _end_void(deps: Deps, settlement: Settlement, *, balance: int) -> Answer:
    """voiding → voided with its event and its answer. Locks the settlement, then the reward."""
    now = deps.clock.now(settlement.chain_id)

    async def work(conn: Connection) -> Answer:
        await settlements.close(conn, settlement)
        reward = await storage.end_void(
            conn,
            chain_id=settlement.chain_id,
            reward_id=settlement.reward_id,
            points_returned=settlement.kind is SettlementKind.VOID,
            now=now,
        )
        if reward is None:
            raise Unavailable("the void was finished by somebody else")
        await facts.record(
            conn,
            reward,
            kind=RewardEventKind.VOIDED,
            salon_id=settlement.salon_id,
            actor=settlement.actor,
            now=now,
        )
        answer = Answer(reward=reward, balance=balance)
        claim = claim_of(settlement, VOID)
        await idempotency.store_answers(conn, [(claim, answers.encode(answer))])
        return answer

    return await in_transaction(deps.pool, work)


async def _call_off_void(deps: Deps, settlement: Settlement) -> None:
    """The reward's sale was counted before the void: it is used, or will be once that is told.

    The request leaves no key. Locks the settlement, then the reward.
    """
    now = deps.clock.now(settlement.chain_id)

    async def work(conn: Connection) -> None:
        if not await settlements.lock_held(conn, settlement):
            raise Unavailable("the void was taken on by somebody else")
        reward = await storage.call_off_void(
            conn, chain_id=settlement.chain_id, reward_id=settlement.reward_id, now=now
        )
        if reward is not None:
            await sale_facts.follow(conn, reward)
        await idempotency.release(conn, [claim_of(settlement, VOID)])
        await settlements.close(conn, settlement)

    await in_transaction(deps.pool, work)


async def _drop(deps: Deps, settlement: Settlement, *, debited: bool) -> None:
    """Leave nothing of a refused take: no reward and no key.

    Points that were debited go back. After an earlier attempt whose outcome is unknown they may
    have been, or may still be: that is asked once no such attempt can arrive any more.
    Locks the settlement, then the reward. `Unavailable` when another has taken the settlement on
    since: its answer from points counts, not ours.
    """

    async def work(conn: Connection) -> Settlement | None:
        if not await settlements.lock_held(conn, settlement):
            raise Unavailable("the take was taken on by somebody else")
        await storage.drop_pending(
            conn, chain_id=settlement.chain_id, reward_id=settlement.reward_id
        )
        await idempotency.release(conn, [claim_of(settlement, TAKE)])
        if debited:
            return await settlements.turn_to_undo(conn, settlement, lease_seconds=LEASE_SECONDS)
        if settlement.attempts > 1:
            await settlements.turn_to_undo(conn, settlement, lease_seconds=UNDO_AFTER_SECONDS)
        else:
            await settlements.close(conn, settlement)
        return None

    undo = await in_transaction(deps.pool, work)
    if undo is not None:
        # Not known is put off: the sweep returns the points.
        with contextlib.suppress(Unavailable):
            await settle_undo(deps, undo)
