"""Rewards on open sales: on with the take or later, off again, used and voided meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from loyalty.points.v1 import points_pb2 as points_pb
from loyalty.rewards.v1 import rewards_pb2 as pb
from loyalty.types.v1.types_pb2 import Actor

from services.chassis.errors import RemoteRefusal
from services.rewards import answers
from tests.rewards.counter import Counter
from tests.rewards.house import dollars, new_id, percent
from tests.rewards.till import Till

ISSUED, REDEEMED = pb.REWARD_STATUS_ISSUED, pb.REWARD_STATUS_REDEEMED
VOIDED, EXPIRED = pb.REWARD_STATUS_VOIDED, pb.REWARD_STATUS_EXPIRED


async def refused(attempt: object) -> RemoteRefusal:
    """The refusal that an attempt ends with."""
    with pytest.raises(RemoteRefusal) as refusal:
        await attempt  # type: ignore[misc]
    return refusal.value


# -- taken on a sale -----------------------------------------------------------------------------


async def test_a_reward_is_taken_on_the_sale_and_off_it_with_its_points(
    counter: Counter, till: Till
) -> None:
    """SQ-20: 10 % of $80 is $72; taking it off brings back $80 and the points."""
    await counter.give(50)
    definition = await counter.define(50, discount=percent("10"))
    sale_id = await till.open(8_000)
    answer = await counter.try_take(definition.id, sale_id=sale_id)
    assert (answer.balance, answer.reward.status) == (0, ISSUED)
    assert answer.reward.sale_id == sale_id
    assert await till.total(sale_id) == 7_200
    assert (await counter.reward(answer.reward.id)).sale_id == sale_id
    assert [event.kind for event in await counter.events(sale_id=sale_id)] == [
        pb.REWARD_EVENT_KIND_TAKEN
    ]
    await till.check(sale_id)

    voided = await counter.void(answer.reward.id)
    assert (voided.balance, voided.reward.status, voided.reward.sale_id) == (50, VOIDED, "")
    assert await till.total(sale_id) == 8_000
    await till.check(sale_id)
    await counter.check(given=50)


async def test_the_sale_shows_the_terms_that_the_reward_was_taken_with(
    counter: Counter, till: Till
) -> None:
    """SQ-20, SQ-49: its name, and the amount or percentage of the moment of the take."""
    sale_id = await till.open(8_000)
    taken = await till.reward(10, discount=dollars(1_500), name="Quinze dollars")
    await counter.stub.UpdateRewardDefinition(
        pb.UpdateRewardDefinitionRequest(
            chain_id=counter.chain_id, definition_id=taken.definition_id, discount=percent("90")
        )
    )
    await till.apply(taken.id, sale_id)
    (discount,) = (await till.sale(sale_id)).discounts
    assert (discount.name, discount.reward_id) == ("Quinze dollars", taken.id)
    assert await till.total(sale_id) == 6_500


async def test_a_take_on_a_sale_is_repeatable(counter: Counter, till: Till) -> None:
    """SQ-20, LS-33: one debit, one discount, the same answer."""
    await counter.give(20)
    definition = await counter.define(10)
    sale_id = await till.open()
    answered = await asyncio.gather(
        *(counter.try_take(definition.id, key="till", sale_id=sale_id) for _ in range(5))
    )
    assert all(answer == answered[0] for answer in answered)
    assert await till.rewards_on(sale_id) == [answered[0].reward.id]
    other = counter.try_take(definition.id, key="till", sale_id=await till.open())
    assert (await refused(other)).code == "IDEMPOTENCY_KEY_REUSED"
    await counter.check(given=20)


async def test_a_take_that_its_sale_refuses_leaves_nothing(counter: Counter, till: Till) -> None:
    """SQ-20: counted, unknown, another member's: no reward, no key, no points gone."""
    await counter.give(10)
    definition = await counter.define(10)
    counted = await till.open()
    await till.count(counted)
    given = await counter.balance()
    theirs = await till.open(member=new_id())
    codes = []
    for sale_id in (counted, new_id(), theirs):
        refusal = await refused(counter.take(definition.id, key="confirm", sale_id=sale_id))
        codes.append(refusal.code)
    assert codes[0] == "sale_counted"
    assert len(set(codes)) == 3
    for table in ("reward", "settlement", "reward_event"):
        assert await counter.count(table) == 0
    # That there is something to take was told before.
    assert await counter.count("outbox") == 1
    assert await counter.balance() == given
    sale_id = await till.open()
    assert (await counter.take(definition.id, key="confirm", sale_id=sale_id)).status == ISSUED


async def test_too_few_points_leave_the_sale_as_it_was(counter: Counter, till: Till) -> None:
    """SQ-20: insufficient_points, and $80 stays $80."""
    await counter.give(9)
    definition = await counter.define(10)
    sale_id = await till.open(8_000)
    refusal = await refused(counter.take(definition.id, sale_id=sale_id))
    assert refusal.code == "insufficient_points"
    assert (await till.total(sale_id), await till.rewards_on(sale_id)) == (8_000, [])
    assert await counter.count("reward") == 0


# -- applied later -------------------------------------------------------------------------------


async def test_applying_a_taken_reward_takes_no_points_again(counter: Counter, till: Till) -> None:
    """SQ-19: the balance stays; applying it again changes nothing; off again it is free."""
    taken = await till.reward(10)
    await counter.give(5)
    sale_id = await till.open(8_000)
    applied = await till.apply(taken.id, sale_id)
    assert (applied.status, applied.sale_id) == (ISSUED, sale_id)
    assert await till.apply(taken.id, sale_id) == applied
    assert (await counter.balance(), await till.total(sale_id)) == (5, 7_200)
    assert [reward.sale_id for reward in await counter.wallet()] == [sale_id]
    await till.check(sale_id)

    removed = await till.remove(taken.id)
    assert (removed.status, removed.sale_id) == (ISSUED, "")
    assert await till.remove(taken.id) == removed
    assert (await counter.balance(), await till.total(sale_id)) == (5, 8_000)
    assert (await counter.use(taken.id)).status == REDEEMED
    await till.check(sale_id)


async def test_a_sale_of_nobody_takes_the_reward_and_its_member(till: Till) -> None:
    """SQ-18, SQ-19: a reward says whose sale it is."""
    taken = await till.reward()
    sale_id = await till.open(member="")
    await till.apply(taken.id, sale_id)
    assert (await till.sale(sale_id)).member_id == taken.member_id


async def test_a_reward_is_on_one_sale_at_a_time(till: Till) -> None:
    """SQ-20: the other sale is refused with the one that it is on."""
    taken = await till.reward()
    first, second = await till.open(), await till.open()
    await till.apply(taken.id, first)
    refusal = await refused(till.apply(taken.id, second))
    assert (refusal.code, refusal.params) == ("reward_on_sale", {"sale_id": first})
    await till.remove(taken.id)
    assert (await till.apply(taken.id, second)).sale_id == second
    await till.check(first, second)


async def test_a_refused_application_leaves_the_reward_free(counter: Counter, till: Till) -> None:
    """SQ-20: counted, unknown, another member's sale; the reward can be used all the same."""
    taken = await till.reward()
    counted = await till.open()
    await till.count(counted)
    for sale_id in (counted, new_id(), await till.open(member=new_id())):
        await refused(till.apply(taken.id, sale_id))
        assert (await counter.reward(taken.id)).sale_id == ""
    assert (await refused(till.apply(taken.id, counted))).code == "sale_counted"
    assert await counter.count("settlement") == 0
    assert (await counter.use(taken.id)).status == REDEEMED


async def test_only_what_can_be_used_goes_on_a_sale(counter: Counter, till: Till) -> None:
    """SQ-19: used, voided, unknown or foreign rewards are refused with the reason."""
    sale_id = await till.open()
    used, voided = await till.reward(), await till.reward()
    await counter.use(used.id)
    await counter.void(voided.id)
    assert (await refused(till.apply(used.id, sale_id))).code == "already_used"
    assert (await refused(till.apply(voided.id, sale_id))).code == "reward_voided"
    assert (await refused(till.apply(new_id(), sale_id))).code == "not_found"
    foreign = till.apply(used.id, sale_id, chain=counter.charlies_chain)
    assert (await refused(foreign)).code == "not_found"
    assert (await refused(till.remove(used.id))).code == "already_used"
    assert (await refused(till.remove(voided.id))).code == "reward_voided"
    assert (await refused(till.remove(used.id, chain=counter.charlies_chain))).code == "not_found"
    assert await till.rewards_on(sale_id) == []
    assert await counter.count("settlement") == 0


async def test_a_coupon_goes_on_a_sale_in_words(counter: Counter, till: Till) -> None:
    """SQ-19, LS-53: an offer's words stand on the sale and its total stays."""
    coupon = await counter.coupon()
    sale_id = await till.open(8_000)
    assert (await till.apply(coupon.id, sale_id)).sale_id == sale_id
    (discount,) = (await till.sale(sale_id)).discounts
    assert (discount.name, discount.reward_id) == ("Masque offert", coupon.id)
    assert await till.total(sale_id) == 8_000
    voided = await counter.void(coupon.id)
    assert (voided.reward.status, voided.reward.points_returned) == (VOIDED, False)
    assert await till.rewards_on(sale_id) == []
    await till.check(sale_id)


async def test_a_coupon_past_its_date_goes_on_no_sale(counter: Counter, till: Till) -> None:
    """LS-54: its terms do not allow it; one that ends while it is on a sale comes off expired."""
    late = await counter.take_offer(await counter.offer(coupon_expiry=date(2026, 12, 20)))
    sale_id = await till.open()
    on_time = await counter.take_offer(await counter.offer(coupon_expiry=date(2026, 12, 20)))
    await till.apply(on_time.id, sale_id)
    counter.go_to(datetime(2026, 12, 21, 15, 0, tzinfo=UTC))
    assert (await refused(till.apply(late.id, sale_id))).code == "reward_expired"
    await counter.run_jobs()
    assert (await counter.reward(on_time.id)).status == EXPIRED
    removed = await till.remove(on_time.id)
    assert (removed.status, removed.sale_id) == (EXPIRED, "")
    await till.check(sale_id)


# -- used while on a sale ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Actor.KIND_MEMBER, Actor.KIND_DEVICE, Actor.KIND_STAFF])
async def test_on_a_sale_nobody_but_the_till_uses_a_reward(
    counter: Counter, till: Till, kind: Actor.Kind.ValueType
) -> None:
    """SQ-20: member, tablet and staff are told that the till has it on a sale."""
    taken = await till.reward()
    sale_id = await till.open()
    await till.apply(taken.id, sale_id)
    request = pb.UseRewardRequest(
        idempotency_key=new_id(),
        chain_id=counter.chain_id,
        reward_id=taken.id,
        salon_id=counter.salon_id,
        session_id="screen",
        actor=Actor(kind=kind, id=counter.alice),
    )
    refusal = await refused(counter.stub.UseReward(request))
    assert (refusal.code, refusal.params) == ("reward_on_sale", {"sale_id": sale_id})
    # Somebody else's reward is still no reward at all.
    stranger = counter.use(taken.id, member=new_id())
    assert (await refused(stranger)).code == "not_found"
    assert (await counter.reward(taken.id)).status == ISSUED


async def test_a_till_uses_a_reward_that_is_on_a_sale(counter: Counter, till: Till) -> None:
    """SQ-20: the key's own use works, and the count of the sale does not use it twice."""
    taken = await till.reward()
    sale_id = await till.open()
    await till.apply(taken.id, sale_id)
    used = await till.use(taken.id)
    assert (used.status, used.sale_id) == (REDEEMED, sale_id)
    assert (await refused(till.remove(taken.id))).code == "already_used"
    await till.count(sale_id)
    await till.hear()
    assert await counter.published(taken.id) == ["reward.taken", "reward.used"]
    (event,) = await counter.events(sale_id=sale_id)
    assert (event.kind, event.reward_id) == (pb.REWARD_EVENT_KIND_USED, taken.id)


async def test_a_restored_reward_stays_on_a_sale_that_is_still_open(
    counter: Counter, till: Till
) -> None:
    """LS-75, SQ-20: its discount is still on the sale, so nobody else uses it meanwhile."""
    taken = await till.reward()
    sale_id = await till.open()
    await till.apply(taken.id, sale_id)
    await till.use(taken.id)
    assert (await counter.restore(taken.id)).sale_id == sale_id
    assert (await refused(counter.use(taken.id))).code == "reward_on_sale"
    await till.remove(taken.id)
    assert await till.total(sale_id) == 8_000
    assert (await counter.use(taken.id)).status == REDEEMED


# -- voided while on a sale ----------------------------------------------------------------------


@pytest.mark.parametrize("return_points", [True, False])
async def test_a_voided_reward_comes_off_its_sale(
    counter: Counter, till: Till, return_points: bool
) -> None:
    """D35, SQ-20: with or without its points, $72 is $80 again."""
    taken = await till.reward(10)
    sale_id = await till.open(8_000)
    await till.apply(taken.id, sale_id)
    answer = await counter.void(taken.id, return_points=return_points)
    assert (answer.reward.status, answer.reward.sale_id) == (VOIDED, "")
    assert answer.reward.points_returned is return_points
    assert await counter.balance() == (10 if return_points else 0)
    assert await till.total(sale_id) == 8_000
    assert await counter.void(taken.id, return_points=return_points) == answer
    await till.check(sale_id)


@pytest.mark.parametrize("return_points", [True, False])
async def test_a_reward_of_a_counted_sale_cannot_be_voided(
    counter: Counter, till: Till, return_points: bool
) -> None:
    """D35, SQ-20: points refuses; before and after rewards has been told of the count."""
    taken = await till.reward(10)
    sale_id = await till.open(8_000)
    await till.apply(taken.id, sale_id)
    await till.count(sale_id)
    balance = await counter.balance()
    early = await refused(counter.void(taken.id, return_points=return_points))
    assert early.code == "sale_counted"
    assert (await refused(till.remove(taken.id))).code == "sale_counted"
    assert (await counter.reward(taken.id)).status == ISSUED
    assert await counter.count("settlement") == 0
    await till.hear()
    late = await refused(counter.void(taken.id, return_points=return_points))
    assert (late.code, late.params["sale_id"]) == ("already_used", sale_id)
    assert (await refused(till.remove(taken.id))).code == "already_used"
    assert await counter.balance() == balance
    assert await counter.published(taken.id) == ["reward.taken", "reward.used"]


# -- races ---------------------------------------------------------------------------------------


async def test_of_fifty_parallel_applications_to_two_sales_one_sale_wins(
    counter: Counter, till: Till
) -> None:
    """SQ-20: all of one sale's get it, all of the other's are refused, one discount stands."""
    taken = await till.reward()
    sales = [await till.open(), await till.open()]
    asked = [sales[n % 2] for n in range(50)]
    results = await asyncio.gather(
        *(till.apply(taken.id, sale_id) for sale_id in asked), return_exceptions=True
    )
    kept = (await counter.reward(taken.id)).sale_id
    for sale_id, result in zip(asked, results, strict=True):
        if sale_id == kept:
            assert isinstance(result, pb.Reward), result
            assert result.sale_id == sale_id
        else:
            assert isinstance(result, RemoteRefusal), result
            assert result.code == "reward_on_sale"
    assert [await till.rewards_on(sale_id) for sale_id in sales] == [
        [taken.id] if sale_id == kept else [] for sale_id in sales
    ]
    await till.check(*sales)


async def test_a_use_and_an_application_at_once_have_one_winner(
    counter: Counter, till: Till
) -> None:
    """SQ-20, LS-38: used on a screen or on the sale, never both."""
    winners = set()
    definition = await counter.define(10)
    for turn in range(20):
        await counter.give(10)
        taken = await counter.take(definition.id)
        sale_id = await till.open()
        racers: list[Awaitable[pb.Reward]] = [counter.use(taken.id), till.apply(taken.id, sale_id)]
        if turn % 2:
            racers.reverse()
        results = await asyncio.gather(*racers, return_exceptions=True)
        lost = [one for one in results if isinstance(one, RemoteRefusal)]
        (won,) = [one for one in results if isinstance(one, pb.Reward)]
        if won.status == REDEEMED:
            assert [one.code for one in lost] == ["already_used"]
            assert await till.rewards_on(sale_id) == []
        else:
            assert [one.code for one in lost] == ["reward_on_sale"]
            assert await till.rewards_on(sale_id) == [taken.id]
        winners.add(won.status)
        await till.check(sale_id)
        if won.sale_id:
            await till.remove(taken.id)
    assert winners


@pytest.mark.parametrize("seed", range(6))
async def test_any_crowd_around_a_reward_leaves_points_and_reward_agreed(
    counter: Counter, till: Till, seed: int
) -> None:
    """SQ-20, D35: applied, removed, used, restored, voided at once with lost answers."""
    chance = random.Random(seed)
    taken = await till.reward(10)
    sales = [await till.open(), await till.open()]
    acts: list[Callable[[], Awaitable[object]]] = [
        lambda: till.apply(taken.id, sales[0]),
        lambda: till.apply(taken.id, sales[1]),
        lambda: till.remove(taken.id),
        lambda: counter.use(taken.id),
        lambda: counter.restore(taken.id),
        lambda: counter.void(taken.id, key=new_id(), return_points=chance.random() < 0.5),
    ]
    weights = [4, 4, 3, 2, 2, 1]
    for _ in range(4):
        counter.line.answers_lost = chance.choice([0, 1])
        counter.line.requests_lost = chance.choice([0, 0, 1])
        crowd: list[Awaitable[object]] = [
            act() for act in chance.choices(acts, weights=weights, k=6)
        ]
        results = await asyncio.gather(*crowd, return_exceptions=True)
        assert not [one for one in results if isinstance(one, AssertionError)]
        counter.line.answers_lost = counter.line.requests_lost = 0
        counter.pass_time(seconds=1)
        await counter.settle()
        await till.check(*sales)
    await counter.check(given=10)
    on = [sale_id for sale_id in sales for _ in await till.rewards_on(sale_id)]
    assert len(on) <= 1


async def test_answers_kept_before_there_were_sales_are_still_read(
    counter: Counter, till: Till
) -> None:
    """A resend after an update of the service gets its first answer."""
    await counter.give(10)
    definition = await counter.define(10)
    first = await counter.take(definition.id, key="before")
    kept = await counter.pool.fetchval(
        "SELECT answer FROM idempotency WHERE chain_id = $1 AND key = 'before'",
        UUID(counter.chain_id),
    )
    old = kept.replace(b'"sale_id":null,', b"")
    assert old != kept
    assert answers.decode_done(old).reward.sale_id is None
    assert str(answers.decode_done(old).reward.id) == first.id


async def test_the_event_page_tells_nothing_of_putting_on_and_off(
    counter: Counter, till: Till
) -> None:
    """SQ-10: on and off are no uses; the feed knows takes, uses, restores and voids."""
    taken = await till.reward()
    await till.apply(taken.id, await till.open())
    await till.remove(taken.id)
    assert await counter.published(taken.id) == ["reward.taken"]
    entries = await counter.entries(points_pb.ENTRY_KIND_REWARD)
    assert [entry.reward_id for entry in entries] == [taken.id]
