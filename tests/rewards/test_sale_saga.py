"""Points and rewards agree on what is on which sale, whatever breaks between them."""

from __future__ import annotations

import pytest
from loyalty.rewards.v1 import rewards_pb2 as pb

from services.chassis.errors import RemoteRefusal, Unavailable
from services.rewards.rpc import RewardsServicer
from tests.rewards.counter import Counter
from tests.rewards.cutting import cut_off_after
from tests.rewards.till import Till

ISSUED, REDEEMED = pb.REWARD_STATUS_ISSUED, pb.REWARD_STATUS_REDEEMED
VOIDED = pb.REWARD_STATUS_VOIDED
COST = 10


async def taken_reward(counter: Counter, definition_id: str) -> pb.Reward:
    """A fresh reward of Alice's, with points given for it."""
    await counter.give(COST)
    return await counter.take(definition_id)


async def release(counter: Counter) -> None:
    """Let everybody who was at a settlement have gone for long."""
    await counter.pool.execute("UPDATE settlement SET leased_until = now()")


async def test_a_take_on_a_sale_cut_off_at_any_step_is_finished_or_undone(
    counter: Counter, till: Till
) -> None:
    """SQ-20. Goal: never debited without the discount, never the discount without the reward.

    Method: end the take at its first await, at its second, and so on until it is done; finish
    what is open; then the till repeats its request with the same key and gets one reward.
    """
    door = RewardsServicer(counter.deps)
    definition = await counter.define(COST)
    sale_id = await till.open(100_000_000)
    steps, cut_off = 0, True
    while cut_off:
        steps += 1
        await counter.give(COST)
        request = counter.taking(definition.id, key=f"take-{steps}", sale_id=sale_id)
        cut_off = await cut_off_after(steps, door.TakeReward(request, None))
        await counter.settle()
        await counter.check(given=steps * COST)
        await till.check(sale_id)
        answer = await counter.stub.TakeReward(request)
        assert (answer.reward.status, answer.reward.sale_id) == (ISSUED, sale_id)
        await till.check(sale_id)
        # The sale keeps to one reward.
        await till.remove(answer.reward.id)
    assert steps > 10
    await counter.check(given=steps * COST)


async def test_a_take_that_dies_before_points_hears_of_it_comes_true_on_the_sale(
    counter: Counter, till: Till
) -> None:
    """SQ-20: the pending reward remembers its sale; the sweep asks with it."""
    await counter.give(COST)
    definition = await counter.define(COST)
    sale_id = await till.open(8_000)
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await counter.take(definition.id, key="confirm", sale_id=sale_id)
    assert (await counter.states(), await till.total(sale_id)) == (["pending"], 8_000)
    await counter.settle()
    assert (await counter.states(), await till.total(sale_id)) == (["issued"], 7_200)
    answer = await counter.try_take(definition.id, key="confirm", sale_id=sale_id)
    assert answer.reward.sale_id == sale_id
    await till.check(sale_id)
    await counter.check(given=COST)


async def test_a_take_whose_sale_is_counted_meanwhile_leaves_nothing(
    counter: Counter, till: Till
) -> None:
    """SQ-20: points never heard of it, then the sale was counted: no reward, no points gone."""
    await counter.give(COST)
    definition = await counter.define(COST)
    sale_id = await till.open()
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await counter.take(definition.id, key="confirm", sale_id=sale_id)
    before = await counter.balance()
    await till.count(sale_id)
    earned = await counter.balance() - before
    await release(counter)
    with pytest.raises(RemoteRefusal) as refused:
        await counter.take(definition.id, key="confirm", sale_id=sale_id)
    assert refused.value.code == "sale_counted"
    assert await counter.count("reward") == 0
    await counter.settle()
    await counter.check(given=COST + earned)


async def test_an_application_cut_off_at_any_step_is_finished(counter: Counter, till: Till) -> None:
    """SQ-19, SQ-20: cut off at every await; healed by the sweep, then repeated by the till."""
    door = RewardsServicer(counter.deps)
    taken = await taken_reward(counter, (await counter.define(COST)).id)
    sale_id = await till.open()
    steps, cut_off = 0, True
    while cut_off:
        steps += 1
        request = pb.ApplyRewardRequest(
            chain_id=counter.chain_id, reward_id=taken.id, sale_id=sale_id, actor=till.key
        )
        cut_off = await cut_off_after(steps, door.ApplyReward(request, None))
        await counter.settle()
        await till.check(sale_id)
        applied = (await counter.stub.ApplyReward(request)).reward
        assert applied.sale_id == sale_id
        await till.check(sale_id)
        await till.remove(taken.id)
    assert steps > 8
    assert (await counter.use(taken.id)).status == REDEEMED


async def test_an_application_repeated_at_once_heals_what_was_cut_off(
    counter: Counter, till: Till
) -> None:
    """SQ-20: the till does not wait for the sweep."""
    door = RewardsServicer(counter.deps)
    taken = await taken_reward(counter, (await counter.define(COST)).id)
    sale_id = await till.open()
    steps, cut_off = 0, True
    while cut_off:
        steps += 1
        request = pb.ApplyRewardRequest(
            chain_id=counter.chain_id, reward_id=taken.id, sale_id=sale_id, actor=till.key
        )
        cut_off = await cut_off_after(steps, door.ApplyReward(request, None))
        await release(counter)
        assert (await till.apply(taken.id, sale_id)).sale_id == sale_id
        await till.check(sale_id)
        await till.remove(taken.id)


async def test_a_removal_cut_off_at_any_step_is_finished(counter: Counter, till: Till) -> None:
    """SQ-20: on it or off it on both sides, and in the end off."""
    door = RewardsServicer(counter.deps)
    taken = await taken_reward(counter, (await counter.define(COST)).id)
    sale_id = await till.open(8_000)
    steps, cut_off = 0, True
    while cut_off:
        steps += 1
        await till.apply(taken.id, sale_id)
        request = pb.RemoveRewardRequest(
            chain_id=counter.chain_id, reward_id=taken.id, actor=till.key
        )
        cut_off = await cut_off_after(steps, door.RemoveReward(request, None))
        await counter.settle()
        await till.check(sale_id)
        assert (await counter.stub.RemoveReward(request)).reward.sale_id == ""
        assert await till.total(sale_id) == 8_000
        await till.check(sale_id)
    assert steps > 8


@pytest.mark.parametrize("return_points", [True, False])
async def test_a_void_on_a_sale_cut_off_at_any_step_is_finished(
    counter: Counter, till: Till, return_points: bool
) -> None:
    """D35, SQ-20: off the sale and void, the points back once where asked; or untouched."""
    door = RewardsServicer(counter.deps)
    definition = await counter.define(COST)
    sale_id = await till.open(8_000)
    steps, cut_off = 0, True
    while cut_off:
        steps += 1
        taken = await taken_reward(counter, definition.id)
        await till.apply(taken.id, sale_id)
        request = pb.VoidRewardRequest(
            idempotency_key=f"void-{steps}",
            chain_id=counter.chain_id,
            reward_id=taken.id,
            return_points=return_points,
            actor=counter.bob,
        )
        cut_off = await cut_off_after(steps, door.VoidReward(request, None))
        await counter.settle()
        await till.check(sale_id)
        answer = await counter.stub.VoidReward(request)
        assert (answer.reward.status, answer.reward.points_returned) == (VOIDED, return_points)
        assert await till.total(sale_id) == 8_000
        await till.check(sale_id)
    assert steps > 8
    await counter.check(given=steps * COST)


async def test_while_points_is_away_a_reward_is_held_for_its_sale(
    counter: Counter, till: Till
) -> None:
    """SQ-20: Unavailable; nobody uses it meanwhile, and a repeat puts it on the sale."""
    taken = await taken_reward(counter, (await counter.define(COST)).id)
    sale_id = await till.open()
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await till.apply(taken.id, sale_id)
    with pytest.raises(RemoteRefusal) as refused:
        await counter.use(taken.id)
    assert refused.value.code == "reward_on_sale"
    await release(counter)
    assert (await till.apply(taken.id, sale_id)).sale_id == sale_id
    await till.check(sale_id)


async def test_a_removal_takes_over_an_application_that_nobody_heard_of(
    counter: Counter, till: Till
) -> None:
    """SQ-20: the till gives up: the reward is free again, whether points had heard or not."""
    taken = await taken_reward(counter, (await counter.define(COST)).id)
    sale_id = await till.open(8_000)
    for lost in ("requests_lost", "answers_lost"):
        setattr(counter.line, lost, 1)
        with pytest.raises(Unavailable):
            await till.apply(taken.id, sale_id)
        await release(counter)
        assert (await till.remove(taken.id)).sale_id == ""
        assert await till.total(sale_id) == 8_000
        await till.check(sale_id)


async def test_a_lost_application_to_a_sale_counted_since_is_told_apart(
    counter: Counter, till: Till
) -> None:
    """SQ-20: counted with the reward on it, it stays there; counted without, it is free."""
    definition = await counter.define(COST)
    on, off = await taken_reward(counter, definition.id), await taken_reward(counter, definition.id)
    with_it, without_it = await till.open(), await till.open()
    counter.line.answers_lost = 1
    with pytest.raises(Unavailable):
        await till.apply(on.id, with_it)
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await till.apply(off.id, without_it)
    await till.count(with_it)
    await till.count(without_it)
    await counter.settle()
    assert (await counter.reward(on.id)).sale_id == with_it
    assert (await counter.reward(off.id)).sale_id == ""
    await till.hear()
    assert (await counter.reward(on.id)).status == REDEEMED
    assert (await counter.use(off.id)).status == REDEEMED
    assert await counter.count("settlement") == 0


async def test_a_lost_removal_from_a_sale_counted_since_is_told_apart(
    counter: Counter, till: Till
) -> None:
    """SQ-20: points had taken it off before the count, or had not."""
    definition = await counter.define(COST)
    on, off = await taken_reward(counter, definition.id), await taken_reward(counter, definition.id)
    with_it, without_it = await till.open(), await till.open()
    await till.apply(on.id, with_it)
    await till.apply(off.id, without_it)
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await till.remove(on.id)
    counter.line.answers_lost = 1
    with pytest.raises(Unavailable):
        await till.remove(off.id)
    await till.count(with_it)
    await till.count(without_it)
    await counter.settle()
    await till.hear()
    assert (await counter.reward(on.id)).status == REDEEMED
    removed = await counter.reward(off.id)
    assert (removed.status, removed.sale_id) == (ISSUED, "")
    assert await counter.count("settlement") == 0


@pytest.mark.parametrize("return_points", [True, False])
@pytest.mark.parametrize("told_first", [True, False])
async def test_a_void_that_the_count_overtakes_ends_as_a_use(
    counter: Counter, till: Till, return_points: bool, told_first: bool
) -> None:
    """D35, SQ-20: the void was on its way when the sale was counted: used, its points stay gone.

    Whether rewards is told of the count before or after points has refused the void.
    """
    taken = await taken_reward(counter, (await counter.define(COST)).id)
    sale_id = await till.open()
    await till.apply(taken.id, sale_id)
    counter.line.requests_lost = 1
    with pytest.raises(Unavailable):
        await counter.void(taken.id, return_points=return_points)
    assert (await counter.reward(taken.id)).status == VOIDED
    await till.count(sale_id)
    balance = await counter.balance()
    if told_first:
        await till.hear()
        await counter.settle()
    else:
        await counter.settle()
        await till.hear()
    used = await counter.reward(taken.id)
    assert (used.status, used.sale_id, used.points_returned) == (REDEEMED, sale_id, False)
    assert await counter.balance() == balance
    assert await counter.published(taken.id) == ["reward.taken", "reward.used"]
    with pytest.raises(RemoteRefusal) as refused:
        await counter.void(taken.id, return_points=return_points)
    assert refused.value.code == "already_used"
    assert await counter.count("settlement") == 0
