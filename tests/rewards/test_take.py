"""\"Prendre\" and "Annuler" with the real points service: points leave, and come back."""

from __future__ import annotations

import asyncio

import pytest
from loyalty.rewards.v1 import rewards_pb2 as pb
from loyalty.types.v1.types_pb2 import Actor

from services.chassis.errors import RemoteRefusal
from tests.rewards.counter import Counter
from tests.rewards.house import new_id, percent

ISSUED, REDEEMED = pb.REWARD_STATUS_ISSUED, pb.REWARD_STATUS_REDEEMED
VOIDED = pb.REWARD_STATUS_VOIDED


async def refused(attempt: object) -> RemoteRefusal:
    """The refusal that an attempt ends with."""
    with pytest.raises(RemoteRefusal) as refusal:
        await attempt  # type: ignore[misc]
    return refusal.value


async def test_points_leave_when_a_reward_is_taken(counter: Counter) -> None:
    """LS-33, LS-34, RW2: balance 12, take 10: 2 left, one reward "gagnée" in the wallet."""
    await counter.give(12)
    definition = await counter.define(10, description="En salon")
    answer = await counter.try_take(definition.id)
    reward = answer.reward
    assert (answer.balance, await counter.balance()) == (2, 2)
    assert (reward.status, reward.points, reward.name) == (ISSUED, 10, definition.name)
    assert (reward.definition_id, reward.account_id) == (definition.id, counter.account_id)
    assert (reward.program_id, reward.description) == (counter.program_id, "En salon")
    assert await counter.wallet() == [reward]
    assert await counter.published(reward.id) == ["reward.taken"]
    await counter.check(given=12)


async def test_every_affordable_reward_can_be_taken_and_no_other(counter: Counter) -> None:
    """LS-29, RW1: rewards 5, 10, 20 with 12 points: 5 and 10 each can, 20 cannot."""
    await counter.give(12)
    for cost, affordable in ((5, True), (10, True), (20, False)):
        definition = await counter.define(cost)
        if affordable:
            taken = await counter.take(definition.id)
            await counter.void(taken.id)
        else:
            refusal = await refused(counter.take(definition.id))
            assert refusal.code == "insufficient_points"
    assert await counter.balance() == 12


async def test_reaching_the_cost_takes_nothing_by_itself(counter: Counter) -> None:
    """LS-30: 10 of 10 stays 10, and no reward appears."""
    await counter.define(10)
    await counter.give(10)
    await counter.settle()
    assert (await counter.balance(), await counter.wallet()) == (10, [])
    assert await counter.count("reward") == 0


async def test_a_reward_can_be_taken_outside_any_salon(counter: Counter) -> None:
    """LS-31: no salon named: accepted; a salon named: kept in the feed."""
    await counter.give(20)
    definition = await counter.define(10)
    assert (await counter.take(definition.id)).status == ISSUED
    assert (await counter.events())[0].salon_id == ""


async def test_a_double_tap_takes_one_reward(counter: Counter) -> None:
    """LS-33: two confirmations of one request: one reward, 2 points left, the same answer."""
    await counter.give(12)
    definition = await counter.define(10)
    answers = await asyncio.gather(
        *(counter.try_take(definition.id, key="confirm") for _ in range(8))
    )
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].balance == 2
    assert await counter.try_take(definition.id, key="confirm") == answers[0]
    await counter.check(given=12)
    assert await counter.states() == ["issued"]


async def test_a_key_cannot_be_used_for_another_reward(counter: Counter) -> None:
    await counter.give(100)
    definition, other = await counter.define(10), await counter.define(20)
    await counter.take(definition.id, key="confirm")
    refusal = await refused(counter.take(other.id, key="confirm"))
    assert refusal.code == "IDEMPOTENCY_KEY_REUSED"
    assert await counter.balance() == 90


async def test_a_refused_take_leaves_nothing_behind(counter: Counter) -> None:
    """LS-33: no reward, no key: the same request works once she has the points."""
    await counter.give(9)
    definition = await counter.define(10)
    refusal = await refused(counter.take(definition.id, key="confirm"))
    assert refusal.code == "insufficient_points"
    for table in ("reward", "settlement", "reward_event"):
        assert await counter.count(table) == 0
    # That there is something to take was told before.
    assert await counter.count("outbox") == 1
    await counter.give(1)
    assert (await counter.take(definition.id, key="confirm")).status == ISSUED
    await counter.check(given=10)


async def test_old_points_count_under_new_costs(counter: Counter) -> None:
    """SQ-48, RW8: 3 of 5, then the cost becomes 10: 3 of 10 and no reward."""
    definition = await counter.define(5)
    await counter.give(3)
    await counter.stub.UpdateRewardDefinition(
        pb.UpdateRewardDefinitionRequest(
            chain_id=counter.chain_id, definition_id=definition.id, points=10
        )
    )
    assert (await counter.definitions())[0].points == 10
    assert await counter.balance() == 3
    await counter.give(2)
    assert (await refused(counter.take(definition.id))).code == "insufficient_points"
    assert await counter.wallet() == []


async def test_taken_rewards_keep_the_terms_they_were_taken_with(counter: Counter) -> None:
    """SQ-49, RW7: 10 % stays 10 % when used; a newly taken one has 20 %."""
    await counter.give(100)
    definition = await counter.define(10, discount=percent("10"), name="Dix")
    old = await counter.take(definition.id)
    await counter.stub.UpdateRewardDefinition(
        pb.UpdateRewardDefinitionRequest(
            chain_id=counter.chain_id,
            definition_id=definition.id,
            name="Vingt",
            points=15,
            discount=percent("20"),
        )
    )
    new = await counter.take(definition.id)
    used = await counter.use(old.id)
    assert (used.name, used.points, used.discount) == ("Dix", 10, percent("10"))
    assert (new.name, new.points, new.discount) == ("Vingt", 15, percent("20"))
    assert await counter.balance() == 75


async def test_rewards_of_a_deleted_definition_stay_usable(counter: Counter) -> None:
    """SQ-49, LS-58: what was taken stays; nothing more can be taken."""
    await counter.give(100)
    definition = await counter.define(10)
    taken = await counter.take(definition.id)
    await counter.stub.DeleteRewardDefinition(
        pb.DeleteRewardDefinitionRequest(chain_id=counter.chain_id, definition_id=definition.id)
    )
    assert (await refused(counter.take(definition.id))).code == "definition_retired"
    assert (await counter.use(taken.id)).status == REDEEMED
    assert await counter.balance() == 90


async def test_a_client_without_a_phone_takes_and_uses_on_the_tablet(counter: Counter) -> None:
    """LS-12, LS-13, SQ-19: balance 10 → take → 0 → use; using takes no points again."""
    await counter.give(10)
    definition = await counter.define(10)
    tablet = Actor(kind=Actor.KIND_DEVICE, id=new_id())
    request = counter.taking(definition.id, salon_id=counter.salon_id)
    request.actor.CopyFrom(tablet)
    answer = await counter.stub.TakeReward(request)
    assert answer.balance == 0
    used = await counter.use(answer.reward.id, session=tablet.id)
    assert (used.status, used.used_by_session) == (REDEEMED, tablet.id)
    taken = (await counter.events(reward_id=used.id, kinds=[pb.REWARD_EVENT_KIND_TAKEN]))[0]
    assert (taken.actor, taken.salon_id, taken.points) == (tablet, counter.salon_id, -10)
    assert await counter.balance() == 0


async def test_an_unknown_or_foreign_definition_cannot_be_taken(counter: Counter) -> None:
    await counter.give(10)
    definition = await counter.define(10)
    assert (await refused(counter.take(new_id()))).code == "not_found"
    foreign = counter.take(definition.id, chain_id=counter.charlies_chain)
    assert (await refused(foreign)).code == "not_found"
    assert await counter.balance() == 10


async def test_nobody_spends_points_of_somebody_else(counter: Counter) -> None:
    """Another member's account, and an account of another program: points are back at once."""
    await counter.give(10)
    definition = await counter.define(10)
    theirs = await refused(counter.take(definition.id, member_id=new_id()))
    assert (theirs.code, theirs.field) == ("not_found", "account_id")
    assert await counter.balance() == 10
    other = await counter.define(10, program_id=new_id())
    assert (await refused(counter.take(other.id))).code == "not_found"
    await counter.check(given=10)
    assert await counter.count("reward") == 0
    assert await counter.wallet() == []


async def test_an_unknown_account_is_refused_and_leaves_nothing(counter: Counter) -> None:
    definition = await counter.define(10)
    await refused(counter.take(definition.id, account_id=new_id()))
    assert await counter.count("reward") == 0
    assert await counter.count("settlement") == 0


# -- "Annuler" -----------------------------------------------------------------------------------


async def test_voiding_gives_the_points_back(counter: Counter) -> None:
    """D35, SQ-16, SQ-20: removing a reward restores the points; it cannot be used any more."""
    await counter.give(12)
    taken = await counter.take((await counter.define(10)).id)
    answer = await counter.void(taken.id)
    assert (answer.reward.status, answer.reward.points_returned) == (VOIDED, True)
    assert (answer.balance, await counter.balance()) == (12, 12)
    assert await counter.wallet() == []
    assert (await refused(counter.use(taken.id))).code == "reward_voided"
    assert (await refused(counter.restore(taken.id))).code == "not_redeemed"
    newest = (await counter.events())[0]
    kinds = {event.kind: event.points for event in await counter.events()}
    assert kinds == {pb.REWARD_EVENT_KIND_TAKEN: -10, pb.REWARD_EVENT_KIND_VOIDED: 10}
    assert newest.chain_id == counter.chain_id
    await counter.check(given=12)


async def test_voiding_may_keep_the_points(counter: Counter) -> None:
    """D35: "rendre les points?" answered with no."""
    await counter.give(12)
    taken = await counter.take((await counter.define(10)).id)
    answer = await counter.void(taken.id, return_points=False)
    assert (answer.reward.status, answer.reward.points_returned) == (VOIDED, False)
    assert await counter.balance() == 2
    await counter.check(given=12)


async def test_of_three_rewards_two_are_voided(counter: Counter) -> None:
    """SQ-16: 2 VOIDED, 1 usable."""
    await counter.give(30)
    definition = await counter.define(10)
    taken = [await counter.take(definition.id) for _ in range(3)]
    await asyncio.gather(*(counter.void(reward.id) for reward in taken[:2]))
    assert await counter.states() == ["issued", "voided", "voided"]
    assert (await counter.use(taken[2].id)).status == REDEEMED
    assert await counter.balance() == 20


async def test_a_repeated_void_gets_the_same_answer(counter: Counter) -> None:
    """D35: with its key, and without one too, since a reward is voided only once."""
    await counter.give(10)
    taken = await counter.take((await counter.define(10)).id)
    first = await asyncio.gather(*(counter.void(taken.id) for _ in range(5)))
    assert all(answer == first[0] for answer in first)
    other = await refused(counter.void(taken.id, key="another press"))
    assert other.code == "reward_voided"
    await counter.check(given=10)


async def test_a_used_reward_cannot_be_voided(counter: Counter) -> None:
    """D35: not when REDEEMED; given back by staff it can."""
    await counter.give(10)
    taken = await counter.take((await counter.define(10)).id)
    await counter.use(taken.id)
    for return_points in (True, False):
        refusal = await refused(counter.void(taken.id, return_points=return_points))
        assert refusal.code == "already_used"
    await counter.restore(taken.id)
    assert (await counter.void(taken.id, key="later")).balance == 10
    await counter.check(given=10)


async def test_an_unknown_or_foreign_reward_cannot_be_voided(counter: Counter) -> None:
    await counter.give(10)
    taken = await counter.take((await counter.define(10)).id)
    assert (await refused(counter.void(new_id()))).code == "not_found"
    request = pb.VoidRewardRequest(
        chain_id=counter.charlies_chain,
        reward_id=taken.id,
        return_points=True,
        actor=counter.bob,
    )
    assert (await refused(counter.stub.VoidReward(request))).code == "not_found"
    assert (await counter.reward(taken.id)).status == ISSUED


async def test_restoring_leaves_the_points_alone(counter: Counter) -> None:
    """LS-75, RW5: "gagnée" again, the balance is still 2."""
    await counter.give(12)
    taken = await counter.take((await counter.define(10)).id)
    await counter.use(taken.id)
    counter.pass_time(minutes=10)
    assert (await counter.restore(taken.id)).status == ISSUED
    assert await counter.balance() == 2
    await counter.check(given=12)
