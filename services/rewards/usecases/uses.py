"""\"Utiliser\", "Retour" and "Remettre à gagné": what becomes of an issued reward in the salon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.chassis import idempotency, jobs
from services.chassis.errors import KeyReused, Unavailable
from services.chassis.idempotency import New, Replay, Reused, Twin
from services.chassis.jobs import NewJob
from services.chassis.postgres import Connection, in_transaction
from services.rewards import answers
from services.rewards.answers import Answer
from services.rewards.domain.actors import Actor, ActorKind
from services.rewards.domain.errors import NotFound, NotRedeemed, NotThisDevice, Refusal
from services.rewards.domain.ids import ChainId, MemberId, RewardId, SalonId
from services.rewards.domain.rewards import (
    DISPLAY_WINDOW,
    Reward,
    RewardEvent,
    RewardEventKind,
    RewardState,
    why_not_restorable,
    why_not_usable,
    why_on_sale,
)
from services.rewards.metrics import REWARDS_RESTORED_TOTAL, REWARDS_USED_TOTAL
from services.rewards.storage import rewards as storage
from services.rewards.usecases import facts
from services.rewards.usecases.deps import Deps, RequestKey
from services.rewards.usecases.facts import Fact
from services.rewards.usecases.together import together

USE = "use_reward"
RESTORE = "restore_reward"
END_COUNTDOWN = "end_countdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class UseReward:
    """The second tap on "Utiliser", in a salon, on one screen."""

    request: RequestKey
    chain_id: ChainId
    reward_id: RewardId
    # Set where the reward must be this member's.
    member_id: MemberId | None
    salon_id: SalonId | None
    session_id: str
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A used reward; the fact of its use where it was used now."""

    reward: Reward
    event: RewardEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReward:
    """Staff give a used reward back."""

    # None: pressing again is refused, since the reward is not redeemed any more.
    request: RequestKey | None
    chain_id: ChainId
    reward_id: RewardId
    actor: Actor


async def use_reward(deps: Deps, command: UseReward) -> Used:
    """Use a reward or coupon and start its five minutes (LS-36).

    Of any number of parallel calls exactly one wins (LS-38). Repeatable by key: the winner gets
    the first answer again, with what is left of the display window by now. Locks the reward.

    Refuses with:
      - NotFound: there is none, or it is another member's.
      - AlreadyUsed: with when and where.
      - RewardExpired, RewardVoided, RewardPending.
      - RewardOnSale: it is on an open sale, and who asks is not the till (an API key).
    """
    now = deps.clock.now(command.chain_id)
    try:
        used = await together(deps, use_rewards, command)
    except Refusal:
        REWARDS_USED_TOTAL.labels("refused").inc()
        raise
    REWARDS_USED_TOTAL.labels("used").inc()
    await deps.countdowns.show(used.reward, now=now)
    return used


async def end_display(
    deps: Deps,
    *,
    chain_id: ChainId,
    reward_id: RewardId,
    member_id: MemberId | None,
    session_id: str,
) -> Reward:
    """End a display window everywhere ("Retour", LS-37).

    Repeatable. Locks the reward.

    Refuses with:
      - NotFound: there is none, or it is another member's.
      - NotRedeemed: it is not a used one.
      - NotThisDevice: another screen started it (D5).
    """
    now = deps.clock.now(chain_id)

    async def work(conn: Connection) -> Reward:
        ended = await storage.end_display(
            conn,
            chain_id=chain_id,
            reward_id=reward_id,
            member_id=member_id,
            session_id=session_id,
            now=now,
        )
        if ended is not None:
            return ended
        present = await storage.find(conn, chain_id=chain_id, reward_id=reward_id)
        if present is None or (member_id is not None and present.member_id != member_id):
            raise NotFound(field="reward_id")
        if present.state is not RewardState.REDEEMED:
            raise NotRedeemed(field="reward_id")
        if present.used_by_session != session_id:
            raise NotThisDevice(field="session_id")
        return present

    reward = await in_transaction(deps.pool, work)
    await deps.countdowns.end(chain_id=chain_id, reward_id=reward_id)
    return reward


async def restore_reward(deps: Deps, command: RestoreReward) -> Reward:
    """Make a used reward usable again ("Remettre à gagné", LS-75).

    Points stay as they are: they left at the take. Who did it, and when, stays in the reward's
    events. Repeatable by key; without one, pressing again is refused. Locks the reward.

    Refuses with:
      - NotFound: there is none.
      - NotRedeemed: it is not a used one.
      - RewardExpired: its coupon could not be used any more.
    """
    now = deps.clock.now(command.chain_id)

    async def effect(conn: Connection) -> Answer:
        restored = await storage.restore(
            conn, chain_id=command.chain_id, reward_id=command.reward_id, now=now
        )
        if restored is None:
            present = await storage.find(
                conn, chain_id=command.chain_id, reward_id=command.reward_id
            )
            raise why_not_restorable(present, now=now) or Unavailable("it changed just now")
        await facts.record(
            conn,
            restored,
            kind=RewardEventKind.RESTORED,
            salon_id=None,
            actor=command.actor,
            now=now,
        )
        return Answer(reward=restored)

    async def work(conn: Connection) -> Reward:
        if command.request is None:
            return (await effect(conn)).reward

        async def encoded() -> bytes:
            return answers.encode(await effect(conn))

        claim = command.request.claim(chain_id=command.chain_id, operation=RESTORE)
        return answers.decode_done(await idempotency.once(conn, claim, encoded)).reward

    reward = await in_transaction(deps.pool, work)
    REWARDS_RESTORED_TOTAL.inc()
    await deps.countdowns.end(chain_id=command.chain_id, reward_id=command.reward_id)
    return reward


async def end_countdown(
    deps: Deps, conn: Connection, *, chain_id: ChainId, reward_id: RewardId
) -> None:
    """Take the countdown out of Redis at its end; a jump of a sandbox's clock ends it early."""
    reward = await storage.find(conn, chain_id=chain_id, reward_id=reward_id)
    if reward is None or reward.display_seconds_left(deps.clock.now(chain_id)) == 0:
        deps.countdowns.end_soon(chain_id=chain_id, reward_id=reward_id)


async def use_rewards(
    deps: Deps, conn: Connection, commands: Sequence[UseReward]
) -> list[Used | Exception]:
    """Use many rewards, each as if it had come alone; answers in order.

    Locks the new keys, then the rewards in order of id. A refused use leaves no key.
    """
    claims = [
        command.request.claim(chain_id=command.chain_id, operation=USE) for command in commands
    ]
    results = await idempotency.claim_many(conn, claims)
    fresh = [place for place, result in enumerate(results) if isinstance(result, New)]
    outcomes = await _use_fresh(deps, conn, {place: commands[place] for place in fresh})
    for place, (command, result) in enumerate(zip(commands, results, strict=True)):
        match result:
            case Replay(answer=answer):
                now = deps.clock.now(command.chain_id)
                outcomes[place] = Used(reward=await _as_it_is_now(conn, answer, now=now))
            case Twin(first=first):
                outcomes[place] = outcomes[first]
            case Reused():
                outcomes[place] = KeyReused()
    kept, refused = [], []
    for place in fresh:
        outcome = outcomes[place]
        if isinstance(outcome, Used):
            kept.append((claims[place], answers.encode(Answer(reward=outcome.reward))))
        else:
            refused.append(claims[place])
    await idempotency.store_answers(conn, kept)
    await idempotency.release(conn, refused)
    return [outcomes[place] for place in range(len(commands))]


async def _use_fresh(
    deps: Deps, conn: Connection, commands: Mapping[int, UseReward]
) -> dict[int, Used | Exception]:
    """What becomes of uses that nobody has asked for before, by their places."""
    moments = {command.chain_id: deps.clock.now(command.chain_id) for command in commands.values()}
    tries = {place: _use(one, now=moments[one.chain_id]) for place, one in commands.items()}
    waiting = sorted(tries, key=lambda place: (tries[place].reward_id, place))
    won: dict[int, Reward] = {}
    while waiting:
        # Of several who want one reward the first in line tries, then who comes another way.
        turn = {tries[place].reward_id: place for place in reversed(waiting)}
        used = await storage.use_many(conn, [tries[turn[name]] for name in sorted(turn)])
        won |= {turn[reward_id]: reward for reward_id, reward in used.items()}
        lost = {tries[place].way for name, place in turn.items() if name not in used}
        waiting = [
            place
            for place in waiting
            if tries[place].reward_id not in used and tries[place].way not in lost
        ]
    outcomes: dict[int, Used | Exception] = {
        place: await _why_not(conn, command, now=moments[command.chain_id])
        for place, command in commands.items()
        if place not in won
    }
    return outcomes | await _written(conn, commands, won, moments)


def _use(command: UseReward, *, now: datetime) -> storage.Use:
    return storage.Use(
        chain_id=command.chain_id,
        reward_id=command.reward_id,
        member_id=command.member_id,
        salon_id=command.salon_id,
        session_id=command.session_id,
        now=now,
        display_until=now + DISPLAY_WINDOW,
        also_on_sale=command.actor.kind is ActorKind.API_KEY,
    )


async def _why_not(conn: Connection, command: UseReward, *, now: datetime) -> Exception:
    present = await storage.find(conn, chain_id=command.chain_id, reward_id=command.reward_id)
    refusal = why_not_usable(present, member_id=command.member_id, now=now)
    return refusal or why_on_sale(present) or Unavailable("it changed just now")


async def _written(
    conn: Connection,
    commands: Mapping[int, UseReward],
    won: Mapping[int, Reward],
    moments: Mapping[ChainId, datetime],
) -> dict[int, Used | Exception]:
    """Facts and ends of countdowns of the rewards that were used."""
    if not won:
        return {}
    happened = await facts.record_many(
        conn,
        [
            Fact(
                reward=reward,
                kind=RewardEventKind.USED,
                salon_id=commands[place].salon_id,
                actor=commands[place].actor,
                now=moments[reward.chain_id],
                sale_id=reward.sale_id,
            )
            for place, reward in won.items()
        ],
    )
    await jobs.enqueue_many(
        conn,
        [
            NewJob(
                chain_id=reward.chain_id,
                kind=END_COUNTDOWN,
                key=f"{reward.id}:{reward.version}",
                due_at=moments[reward.chain_id] + DISPLAY_WINDOW,
                payload={"reward_id": str(reward.id)},
            )
            for reward in won.values()
        ],
    )
    return {
        place: Used(reward=reward, event=event)
        for (place, reward), event in zip(won.items(), happened, strict=True)
    }


async def _as_it_is_now(conn: Connection, kept: bytes, *, now: datetime) -> Reward:
    """The first answer of a use, except that a display window that has ended stays ended."""
    first = answers.decode_done(kept).reward
    present = await storage.find(conn, chain_id=first.chain_id, reward_id=first.id)
    if present is not None and present.redeemed_at == first.redeemed_at:
        return replace(first, display_until=present.display_until)
    return replace(first, display_until=min(first.display_until or now, now))
