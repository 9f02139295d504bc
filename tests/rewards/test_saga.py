"""Points and reward agree in the end, whatever breaks between them."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable

import pytest
from loyalty.points.v1 import points_pb2 as points_pb
from loyalty.rewards.v1 import rewards_pb2 as pb

from services.chassis.errors import RemoteRefusal, Unavailable
from services.rewards import jobs
from services.rewards.domain.ids import RewardId
from services.rewards.rpc import RewardsServicer
from services.rewards.storage import settlements
from tests.rewards.counter import Counter
from tests.rewards.cutting import cut_off_after
from tests.rewards.house import new_id

COST = 10


async def test_a_take_cut_off_at_any_step_is_finished_or_undone(counter: Counter) -> None:
    """LS-33. Goal: never both lost and debited.

    Method: end the take at its first await, at its second, and so on until it is done; finish
    what is open; then the caller repeats its request with the same key and gets one reward.
    """
    door = RewardsServicer(counter.deps)
    definition = await counter.define(COST)
    steps = 0
    while True:
        steps += 1
        await counter.give(COST)
        request = counter.taking(definition.id, key=f"take-{steps}")
        cut_off = await cut_off_after(steps, door.TakeReward(request, None))
        await counter.settle()
        await counter.check(given=steps * COST)
        answer = await counter.stub.TakeReward(request)
        assert answer.reward.status == pb.REWARD_STATUS_ISSUED
        await counter.check(given=steps * COST)
        assert await counter.count("reward") == steps
        if not cut_off:
            break
    assert steps > 10
    assert await counter.balance() == 0


async def test_a_take_cut_off_and_repeated_at_once_gives_one_reward(counter: Counter) -> None:
    """LS-33: the caller does not wait for the job; its repeat finds the same reward."""
    door = RewardsServicer(counter.deps)
    definition = await counter.define(COST)
    steps = 0
    cut_off = True
    while cut_off:
        steps += 1
        await counter.give(COST)
        request = counter.taking(definition.id, key=f"take-{steps}")
        cut_off = await cut_off_after(steps, door.TakeReward(request, None))
        await counter.pool.execute("UPDATE settlement SET leased_until = now()")
        await counter.stub.TakeReward(request)
        await counter.check(given=steps * COST)
        assert await counter.count("reward") == steps


async def test_a_void_cut_off_at_any_step_gives_the_points_back_once(counter: Counter) -> None:
    """D35: cut off at every await; in the end void and paid back, or untouched."""
    door = RewardsServicer(counter.deps)
    definition = await counter.define(COST)
    await counter.give(COST)
    steps = 0
    cut_off = True
    while cut_off:
        steps += 1
        taken = await counter.take(definition.id)
        request = pb.VoidRewardRequest(
            idempotency_key=f"void-{steps}",
            chain_id=counter.chain_id,
            reward_id=taken.id,
            return_points=True,
            actor=counter.bob,
        )
        cut_off = await cut_off_after(steps, door.VoidReward(request, None))
        await counter.settle()
        await counter.check(given=COST)
        answer = await counter.stub.VoidReward(request)
        assert (answer.reward.points_returned, answer.balance) == (True, COST)
        await counter.check(given=COST)
    assert steps > 10


async def test_a_take_that_points_never_heard_of_is_made_up_for(counter: Counter) -> None:
    """LS-33: the caller may ask again; the reward comes without her asking, too."""
    await counter.give(12)
    definition = await counter.define(COST)
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await counter.take(definition.id, key="confirm")
    assert (await counter.states(), await counter.wallet()) == (["pending"], [])
    await counter.settle()
    assert await counter.states() == ["issued"]
    answer = await counter.try_take(definition.id, key="confirm")
    assert (answer.reward.id, answer.balance) == ((await counter.wallet())[0].id, 2)
    await counter.check(given=12)


async def test_a_lost_answer_is_asked_for_again(counter: Counter) -> None:
    """LS-33: the points have left, the answer was lost: the same debit is found, not repeated."""
    await counter.give(12)
    definition = await counter.define(COST)
    counter.line.answers_lost = 3
    with pytest.raises(Unavailable):
        await counter.take(definition.id, key="confirm")
    assert await counter.balance() == 2
    for _ in range(3):
        await counter.settle()
    await counter.check(given=12)
    assert await counter.published((await counter.wallet())[0].id) == ["reward.taken"]


async def test_a_pending_reward_can_neither_be_seen_nor_used(counter: Counter) -> None:
    """LS-34: it is not in the wallet, the search or the feed before its points have left."""
    await counter.give(12)
    definition = await counter.define(COST)
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await counter.take(definition.id)
    reward_id = str(
        await counter.pool.fetchval(
            "SELECT id FROM reward WHERE account_id = $1", counter.account_id
        )
    )
    assert await counter.wallet() == []
    assert await counter.events() == []
    everything = pb.SearchRewardsRequest(chain_id=counter.chain_id)
    assert not (await counter.stub.SearchRewards(everything)).rewards
    for attempt in (counter.use(reward_id), counter.void(reward_id)):
        with pytest.raises(RemoteRefusal) as refused:
            await attempt
        assert refused.value.code == "reward_pending"
    await counter.settle()
    assert (await counter.use(reward_id)).status == pb.REWARD_STATUS_REDEEMED


async def test_while_points_is_away_a_take_waits_and_then_comes_true(counter: Counter) -> None:
    """LS-33: a refused connection: the caller may ask again; once points is back, she has it."""
    await counter.give(12)
    definition = await counter.define(COST)
    await counter.ledger.stop()
    with pytest.raises(Unavailable):
        await counter.take(definition.id, key="confirm")
    await counter.settle()
    assert (await counter.states(), await counter.wallet()) == (["pending"], [])
    await counter.ledger.start()
    await counter.settle()
    assert await counter.states() == ["issued"]
    assert (await counter.try_take(definition.id, key="confirm")).balance == 2
    await counter.check(given=12)


async def test_a_take_that_turns_out_too_dear_leaves_nothing(counter: Counter) -> None:
    """LS-33: the outcome was unknown, then it is no: no reward, no key, nothing debited."""
    definition = await counter.define(COST)
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await counter.take(definition.id, key="confirm")
    await counter.settle()
    assert await counter.count("reward") == 0
    assert await counter.count("idempotency") == 1  # The definition's own.
    await counter.settle()
    await counter.check(given=0)
    await counter.give(COST)
    assert (await counter.take(definition.id, key="confirm")).points == COST
    await counter.check(given=COST)


async def test_a_straggling_debit_of_a_take_that_was_refused_goes_back(counter: Counter) -> None:
    """LS-33: the first debit arrives after the second was refused and the reward removed."""
    definition = await counter.define(COST)
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await counter.take(definition.id, key="confirm")
    row = await counter.pool.fetchrow(
        "SELECT chain_id, id FROM reward WHERE account_id = $1", counter.account_id
    )
    assert row is not None
    await counter.pool.execute("UPDATE settlement SET leased_until = now()")
    with pytest.raises(RemoteRefusal):
        await counter.take(definition.id, key="confirm")
    await counter.give(COST)
    await counter.ledger.stub.DebitPoints(
        points_pb.DebitPointsRequest(
            chain_id=counter.chain_id,
            account_id=counter.account_id,
            reward_id=str(row["id"]),
            points=COST,
            actor=counter.herself,
        )
    )
    assert await counter.balance() == 0
    await counter.settle()
    assert await counter.balance() == COST
    await counter.check(given=COST)


async def test_only_one_asks_points_at_a_time(counter: Counter) -> None:
    """A refusal must never be older than a debit: the lease keeps askers apart."""
    definition = await counter.define(COST)
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await counter.take(definition.id)
    chain_id, reward_id = await counter.pool.fetchrow(  # type: ignore[misc]
        "SELECT chain_id, id FROM reward WHERE account_id = $1", counter.account_id
    )
    await counter.pool.execute("UPDATE settlement SET leased_until = now()")

    async def lease() -> object:
        return await counter.write(
            lambda conn: settlements.lease(
                conn, chain_id=chain_id, reward_id=RewardId(reward_id), lease_seconds=8
            )
        )

    taken_on = await asyncio.gather(*(lease() for _ in range(10)))
    assert sum(one is not None for one in taken_on) == 1
    await counter.settle()


async def test_a_void_while_points_is_away_is_void_at_once_and_paid_back_later(
    counter: Counter,
) -> None:
    """D35, SQ-16: the reward cannot be used from the first moment; its points come in the end."""
    await counter.give(COST)
    taken = await counter.take((await counter.define(COST)).id)
    counter.line.requests_lost = 2
    with pytest.raises(Unavailable):
        await counter.void(taken.id)
    assert (await counter.reward(taken.id)).status == pb.REWARD_STATUS_VOIDED
    assert await counter.wallet() == []
    with pytest.raises(RemoteRefusal) as refused:
        await counter.use(taken.id)
    assert refused.value.code == "reward_voided"
    await counter.settle()
    await counter.settle()
    assert (await counter.void(taken.id)).balance == COST
    await counter.check(given=COST)


async def test_a_void_whose_answer_was_lost_pays_back_once(counter: Counter) -> None:
    """D35."""
    await counter.give(COST)
    taken = await counter.take((await counter.define(COST)).id)
    counter.line.answers_lost = 1
    with pytest.raises(Unavailable):
        await counter.void(taken.id)
    assert await counter.balance() == COST
    await counter.settle()
    await counter.check(given=COST)
    assert await counter.published(taken.id) == ["reward.taken", "reward.voided"]


# -- races ---------------------------------------------------------------------------------------


async def test_of_fifty_parallel_takes_the_balance_affords_one(counter: Counter) -> None:
    """LS-29, LS-33: balance 12, cost 10: one reward, 2 points, 49 refusals with the reason."""
    await counter.give(12)
    definition = await counter.define(COST)
    results = await asyncio.gather(
        *(counter.try_take(definition.id) for _ in range(50)), return_exceptions=True
    )
    codes = [one.code for one in results if isinstance(one, RemoteRefusal)]
    assert codes == ["insufficient_points"] * 49
    assert await counter.states() == ["issued"]
    assert await counter.balance() == 2
    await counter.check(given=12)


async def test_a_void_and_a_use_at_once_have_one_winner(counter: Counter) -> None:
    """SQ-16, LS-38: used with the points gone, or void with the points back; never both."""
    definition = await counter.define(COST)
    given = 0
    for _ in range(20):
        await counter.give(COST)
        given += COST
        taken = await counter.take(definition.id)
        racers: list[Awaitable[object]] = [counter.use(taken.id), counter.void(taken.id)]
        random.shuffle(racers)
        results = await asyncio.gather(*racers, return_exceptions=True)
        lost = [one for one in results if isinstance(one, RemoteRefusal)]
        assert len(lost) == 1
        status = (await counter.reward(taken.id)).status
        if lost[0].code == "already_used":
            assert status == pb.REWARD_STATUS_REDEEMED
        else:
            assert (lost[0].code, status) == ("reward_voided", pb.REWARD_STATUS_VOIDED)
    await counter.check(given=given)


@pytest.mark.parametrize("seed", range(8))
async def test_a_reward_ends_in_exactly_one_state(counter: Counter, seed: int) -> None:
    """Any interleaving of uses, restores and voids leaves one state, one history, right points."""
    chance = random.Random(seed)
    await counter.give(COST)
    taken = await counter.take((await counter.define(COST)).id)
    acts: list[Callable[[], Awaitable[object]]] = [
        lambda: counter.use(taken.id),
        lambda: counter.use(taken.id, session="tablet"),
        lambda: counter.restore(taken.id),
        lambda: counter.back(taken.id),
        lambda: counter.void(taken.id, key=new_id(), return_points=chance.random() < 0.7),
    ]
    for _ in range(4):
        counter.line.answers_lost = chance.choice([0, 0, 1])
        await asyncio.gather(*(chance.choice(acts)() for _ in range(6)), return_exceptions=True)
        counter.line.answers_lost = 0
        counter.pass_time(seconds=1)
        await counter.settle()
    await counter.check(given=COST)
    history = await counter.published(taken.id)
    end = {"taken": "issued", "restored": "issued", "used": "redeemed", "voided": "voided"}
    allowed = {
        "taken": {"used", "voided"},
        "restored": {"used", "voided"},
        "used": {"restored"},
        "voided": set(),
    }
    words = [kind.removeprefix("reward.") for kind in history]
    assert all(after in allowed[before] for before, after in itertools.pairwise(words))
    assert await counter.states() == [end[words[-1]]]


async def test_the_service_finishes_an_interrupted_take_by_itself(counter: Counter) -> None:
    """LS-33: within seconds, without the caller and without an operator."""
    await counter.give(12)
    definition = await counter.define(COST)
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await counter.take(definition.id)
    settling = asyncio.ensure_future(jobs.settle(counter.deps)())
    try:
        async with asyncio.timeout(15):
            while await counter.states() != ["issued"]:
                await asyncio.sleep(0.1)
    finally:
        settling.cancel()
    await counter.check(given=12)
