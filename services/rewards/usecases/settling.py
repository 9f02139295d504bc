"""Bringing points and reward to agree, whatever breaks in between (ADR 0006).

Whoever holds a settlement's lease asks the points service by the reward's id, outside any
transaction, and then writes down what became of it. An unknown outcome leaves everything as it
is: the same question is asked again later, by the caller or by the job.
"""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from services.chassis import idempotency
from services.chassis.errors import InvariantViolated, RemoteRefusal, Unavailable
from services.chassis.idempotency import Claim
from services.chassis.postgres import Connection, in_transaction
from services.rewards import answers
from services.rewards.answers import Answer
from services.rewards.clients import Movement, nothing_to_return
from services.rewards.domain.errors import NotFound
from services.rewards.domain.rewards import Reward, RewardEventKind, RewardState
from services.rewards.domain.settlements import (
    LEASE_SECONDS,
    UNDO_AFTER_SECONDS,
    Settlement,
    SettlementKind,
    retry_seconds,
)
from services.rewards.metrics import (
    REWARDS_TAKEN_TOTAL,
    REWARDS_VOIDED_TOTAL,
    SETTLEMENTS_OLDEST_SECONDS,
    SETTLEMENTS_OPEN,
    SETTLEMENTS_TOTAL,
)
from services.rewards.storage import rewards as storage
from services.rewards.storage import settlements
from services.rewards.usecases import facts
from services.rewards.usecases.deps import Deps

log = structlog.get_logger(__name__)

TAKE = "take_reward"
VOID = "void_reward"
# So many at once share the lease's time without being a load to the points service.
BATCH_SIZE_MAX = 20


async def settle_take(deps: Deps, settlement: Settlement) -> Answer:
    """Debit a pending reward's points, then issue it; the caller holds the lease.

    Refuses with what points refuses (`insufficient_points`), or with NotFound when the account is
    not the member's or of another program; then nothing is left of the take. `Unavailable` when
    it is not known what points did: the job finds out.
    """
    reward = await _reward(deps, settlement)
    if reward is None or reward.state is not RewardState.PENDING or reward.account_id is None:
        raise Unavailable("the take was finished by somebody else")
    try:
        movement = await deps.points.debit(
            settlement, account_id=reward.account_id, points=reward.points
        )
    except RemoteRefusal:
        await _drop(deps, settlement, debited=False)
        REWARDS_TAKEN_TOTAL.labels("refused").inc()
        raise
    except Unavailable:
        await _put_off(deps, settlement)
        REWARDS_TAKEN_TOTAL.labels("unknown").inc()
        raise
    if (movement.member_id, movement.program_id) != (str(reward.member_id), str(reward.program_id)):
        await _drop(deps, settlement, debited=True)
        REWARDS_TAKEN_TOTAL.labels("refused").inc()
        raise NotFound(field="account_id")
    answer = await _issue(deps, settlement, movement)
    REWARDS_TAKEN_TOTAL.labels("issued").inc()
    return answer


async def settle_void(deps: Deps, settlement: Settlement) -> Answer:
    """Return a voiding reward's points, then mark it voided; the caller holds the lease.

    `Unavailable` when it is not known what points did: the job finds out. There is no way back to
    issued, for somebody has been told that the reward is void.
    """
    try:
        movement = await deps.points.give_back(settlement)
    except Unavailable:
        await _put_off(deps, settlement)
        raise
    except RemoteRefusal as refusal:
        await _put_off(deps, settlement)
        raise InvariantViolated(f"points will not return a debit: {refusal.code}") from refusal
    now = deps.clock.now(settlement.chain_id)

    async def work(conn: Connection) -> Answer:
        await settlements.close(conn, settlement)
        reward = await storage.void(
            conn,
            chain_id=settlement.chain_id,
            reward_id=settlement.reward_id,
            since=RewardState.VOIDING,
            points_returned=True,
            only_free=False,
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
        answer = Answer(reward=reward, balance=movement.balance)
        claim = _claim(settlement, VOID)
        await idempotency.store_answers(conn, [(claim, answers.encode(answer))])
        return answer

    answer = await in_transaction(deps.pool, work)
    REWARDS_VOIDED_TOTAL.labels("returned").inc()
    return answer


async def settle_undo(deps: Deps, settlement: Settlement) -> None:
    """Return what was debited for a take that came to nothing, if anything was."""
    try:
        await deps.points.give_back(settlement)
    except RemoteRefusal as refusal:
        if not nothing_to_return(refusal):
            await _put_off(deps, settlement)
            raise
    except Unavailable:
        await _put_off(deps, settlement)
        raise

    async def work(conn: Connection) -> None:
        await settlements.close(conn, settlement)

    await in_transaction(deps.pool, work)


async def settle_due(deps: Deps) -> int:
    """Finish what was interrupted: every settlement that nobody is at; how many were tried."""

    async def work(conn: Connection) -> list[Settlement]:
        number, age = await settlements.measure_open(conn)
        SETTLEMENTS_OPEN.set(number)
        SETTLEMENTS_OLDEST_SECONDS.set(age)
        if not number:
            return []
        return await settlements.lease_due(conn, limit=BATCH_SIZE_MAX, lease_seconds=LEASE_SECONDS)

    due = await in_transaction(deps.pool, work)
    await asyncio.gather(*(_settle(deps, settlement) for settlement in due))
    return len(due)


async def _settle(deps: Deps, settlement: Settlement) -> None:
    outcome = "settled"
    try:
        match settlement.kind:
            case SettlementKind.TAKE:
                await settle_take(deps, settlement)
            case SettlementKind.VOID:
                await settle_void(deps, settlement)
            case SettlementKind.UNDO:
                await settle_undo(deps, settlement)
    except Unavailable:
        outcome = "unknown"
    except (RemoteRefusal, NotFound):
        outcome = "refused"
    except InvariantViolated:
        outcome = "refused"
        log.exception("settlement_refused", reward_id=str(settlement.reward_id))
    SETTLEMENTS_TOTAL.labels(settlement.kind.value, outcome).inc()
    log.info(
        "settlement_tried",
        reward_id=str(settlement.reward_id),
        chain_id=str(settlement.chain_id),
        kind=settlement.kind.value,
        attempts=settlement.attempts,
        outcome=outcome,
    )


async def _issue(deps: Deps, settlement: Settlement, movement: Movement) -> Answer:
    """pending → issued with its event and its answer, now that the points have left."""
    now = deps.clock.now(settlement.chain_id)

    async def work(conn: Connection) -> Answer:
        await settlements.close(conn, settlement)
        reward = await storage.issue(
            conn, chain_id=settlement.chain_id, reward_id=settlement.reward_id, now=now
        )
        if reward is None:
            raise Unavailable("the take was finished by somebody else")
        await facts.record(
            conn,
            reward,
            kind=RewardEventKind.TAKEN,
            salon_id=settlement.salon_id,
            actor=settlement.actor,
            now=now,
        )
        answer = Answer(reward=reward, balance=movement.balance)
        claim = _claim(settlement, TAKE)
        await idempotency.store_answers(conn, [(claim, answers.encode(answer))])
        return answer

    return await in_transaction(deps.pool, work)


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
        await idempotency.release(conn, [_claim(settlement, TAKE)])
        if debited:
            return await settlements.turn_to_undo(conn, settlement, lease_seconds=LEASE_SECONDS)
        if settlement.attempts > 1:
            await settlements.turn_to_undo(conn, settlement, lease_seconds=UNDO_AFTER_SECONDS)
        else:
            await settlements.close(conn, settlement)
        return None

    undo = await in_transaction(deps.pool, work)
    if undo is not None:
        # Not known is put off: the job returns the points.
        with contextlib.suppress(Unavailable):
            await settle_undo(deps, undo)


async def _put_off(deps: Deps, settlement: Settlement) -> None:
    async def work(conn: Connection) -> None:
        await settlements.put_off(
            conn, settlement, retry_seconds=retry_seconds(settlement.attempts)
        )

    await in_transaction(deps.pool, work)


async def _reward(deps: Deps, settlement: Settlement) -> Reward | None:
    async def work(conn: Connection) -> Reward | None:
        return await storage.find(
            conn, chain_id=settlement.chain_id, reward_id=settlement.reward_id
        )

    return await in_transaction(deps.pool, work)


def _claim(settlement: Settlement, operation: str) -> Claim:
    """The request that began the settlement; its fingerprint was kept when it was claimed."""
    return Claim(
        chain_id=settlement.chain_id,
        operation=operation,
        key=settlement.request_key,
        fingerprint=b"",
    )
