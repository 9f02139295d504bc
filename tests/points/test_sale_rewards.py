"""Rewards on sales: their discount while the sale is open, and what becomes of them after."""

from __future__ import annotations

from typing import Any

import pytest
from loyalty.events.v1 import points_events_pb2 as events_pb
from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1.types_pb2 import Money

from tests.points.house import House, new_id, refusal_of
from tests.points.till import SPEND_1, Till, line

TEN_PERCENT = pb.RewardDiscount(name="10 %", percentage="10")
FIVE_DOLLARS = pb.RewardDiscount(name="5 $", amount=Money(amount=500, currency="CAD"))
IN_KIND = pb.RewardDiscount(name="Un soin", in_kind=True)


async def taken(house: House, sale_id: str, **changes: Any) -> str:
    """A reward of 50 points that is taken for a sale at once."""
    reward = new_id()
    values: dict[str, Any] = {"sale_id": sale_id, "discount": TEN_PERCENT, "reward_id": reward}
    values.update(changes)
    await house.debit(50, **values)
    return str(values["reward_id"])


async def test_a_reward_changes_the_total_and_gives_it_back(till: Till) -> None:
    """SQ-20: 10 % of $80 is $72; off again it is $80."""
    sale = await till.post(line("a", 8000))
    reward = new_id()

    applied = await till.apply(sale.id, reward)
    removed = await till.remove(sale.id, reward)

    assert (applied.total_minor, applied.discount_minor) == (7200, 800)
    (discount,) = applied.discounts
    assert (discount.reward_id, discount.name, discount.percentage) == (reward, "10 %", "10")
    assert discount.applied_minor == 800
    assert (removed.total_minor, list(removed.discounts)) == (8000, [])
    assert (applied.version, removed.version) == (2, 3)
    assert await till.sale(sale.id) == removed


async def test_putting_on_and_taking_off_are_repeatable(till: Till) -> None:
    """SQ-19: by the reward's id; a resend changes nothing more."""
    sale = await till.post(line("a", 8000))
    reward = new_id()

    applied = await till.apply(sale.id, reward)
    assert await till.apply(sale.id, reward) == applied
    removed = await till.remove(sale.id, reward)
    assert await till.remove(sale.id, reward) == removed
    assert (await till.apply(sale.id, reward)).total_minor == 7200


@pytest.mark.parametrize(
    ("discount", "total"), [(FIVE_DOLLARS, 7500), (IN_KIND, 8000), (TEN_PERCENT, 7200)], ids=str
)
async def test_what_a_reward_takes_off(till: Till, discount: pb.RewardDiscount, total: int) -> None:
    """SQ-20: an amount, a percentage, or in kind, which leaves the total."""
    sale = await till.post(line("a", 8000))
    applied = await till.apply(sale.id, new_id(), discount=discount)
    assert applied.total_minor == total
    assert len(applied.discounts) == 1
    assert (await till.count(sale.id)).balance == total // 100


async def test_a_reward_takes_no_more_than_there_is(till: Till) -> None:
    sale = await till.post(line("a", 300), tip_minor=100)
    applied = await till.apply(sale.id, new_id(), discount=FIVE_DOLLARS)
    assert (applied.total_minor, applied.discounts[0].applied_minor) == (100, 300)
    foreign = pb.RewardDiscount(amount=Money(amount=1, currency="USD"))
    refusal = await refusal_of(till.apply(sale.id, new_id(), discount=foreign))
    assert refusal.code == "currency_foreign"


async def test_a_sale_of_nobody_becomes_hers_with_her_reward(till: Till) -> None:
    sale = await till.post(line("a", 8000), member_id="")
    other = await till.house.account(new_id())

    assert (await till.apply(sale.id, new_id())).member_id == till.house.alice

    refusal = await refusal_of(till.count(sale.id, account_id=other.id))
    assert refusal.code == "sale_of_another"
    refusal = await refusal_of(till.apply(sale.id, new_id(), member_id=other.member_id))
    assert refusal.code == "sale_of_another"


async def test_a_reward_is_on_one_sale_at_most(till: Till) -> None:
    first, second = [await till.post(line("a", 8000)) for _ in range(2)]
    reward = new_id()
    await till.apply(first.id, reward)

    assert (await refusal_of(till.apply(second.id, reward))).code == "reward_on_another_sale"
    await till.remove(first.id, reward)
    assert (await till.apply(second.id, reward)).total_minor == 7200


async def test_after_the_count_nothing_goes_on_or_off(till: Till) -> None:
    """SQ-44: counted is counted; what is on it is told as used with it."""
    sale = await till.post(line("a", 8000))
    reward = new_id()
    await till.apply(sale.id, reward)
    counted = await till.count(sale.id)

    assert counted.balance == 72
    for call in (
        till.apply(sale.id, new_id()),
        till.remove(sale.id, reward),
        taken(till.house, sale.id),
    ):
        assert (await refusal_of(call)).code == "sale_counted"
    assert (await till.remove(sale.id, new_id())).total_minor == 7200
    (told,) = await till.facts("sale.counted", events_pb.SaleCounted)
    assert list(told.reward_ids) == [reward]
    assert await till.house.breaches() == {}


async def test_charlie_never_touches_what_alice_buys(till: Till, house: House) -> None:
    sale = await till.post(line("a", 8000))
    foreign: dict[str, Any] = {"chain_id": house.charlies_chain}
    for call in (
        till.apply(sale.id, new_id(), **foreign),
        till.remove(sale.id, new_id(), **foreign),
    ):
        assert (await refusal_of(call)).code == "sale_unknown"


# -- paid for at the till --------------------------------------------------------------------


async def test_a_reward_is_paid_for_and_used_in_one_go(till: Till, house: House) -> None:
    """SQ-20: points leave and the total falls together; a resend does neither again."""
    await house.adjust(80)
    sale = await till.post(line("a", 8000))

    reward = await taken(house, sale.id)
    await taken(house, sale.id, reward_id=reward)

    assert await house.balance() == 30
    assert (await till.sale(sale.id)).total_minor == 7200
    (entry, _) = await house.entries()
    assert (entry.kind, entry.sale_id, entry.points) == (pb.ENTRY_KIND_REWARD, sale.id, -50)
    refusal = await refusal_of(house.debit(50, reward_id=reward))
    assert refusal.code == "IDEMPOTENCY_KEY_REUSED"
    assert await house.breaches() == {}


async def test_a_reward_that_cannot_be_paid_changes_no_total(till: Till, house: House) -> None:
    """One transaction: too few points, no discount; no such sale, no debit."""
    sale = await till.post(line("a", 8000))
    assert (await refusal_of(taken(house, sale.id))).code == "insufficient_points"
    assert await till.sale(sale.id) == sale
    await house.adjust(80)
    other = await till.post(line("a", 100), member_id=new_id())
    assert (await refusal_of(taken(house, new_id()))).code == "sale_unknown"
    assert (await refusal_of(taken(house, other.id))).code == "sale_of_another"
    assert await house.balance() == 80
    # What was refused had no place on any sale.
    assert (await till.apply(sale.id, new_id())).total_minor == 7200
    assert await house.breaches() == {}


async def test_many_takes_at_once_go_on_their_sales_too(till: Till, house: House) -> None:
    """In a batch each has its own answer; what goes on a sale goes alone."""
    await house.adjust(120)
    sale = await till.post(line("a", 8000))
    wanted = [
        pb.DebitPointsRequest(
            chain_id=house.chain_id,
            account_id=house.alices_account,
            reward_id=new_id(),
            points=50,
            sale_id=sale_id,
            discount=TEN_PERCENT if sale_id else None,
        )
        for sale_id in ("", sale.id, sale.id)
    ]

    answer = await house.stub.DebitPointsBatch(pb.DebitPointsBatchRequest(items=wanted))

    told = [outcome.WhichOneof("outcome") for outcome in answer.outcomes]
    assert told == ["debited", "debited", "refusal"]
    assert answer.outcomes[2].refusal.code == "insufficient_points"
    assert (await till.sale(sale.id)).total_minor == 7200
    assert await house.balance() == 20
    assert await house.breaches() == {}


async def test_points_that_come_back_take_the_discount_off(till: Till, house: House) -> None:
    """SQ-20, D35: deleted before the count: points and total are as before; twice as once."""
    await house.adjust(80)
    sale = await till.post(line("a", 8000))
    reward = await taken(house, sale.id)

    assert (await house.give_back(reward)).balance == 80
    assert (await house.give_back(reward)).balance == 80

    assert (await till.sale(sale.id)).total_minor == 8000
    assert await house.breaches() == {}


async def test_points_come_back_for_a_reward_that_went_on_later(till: Till, house: House) -> None:
    """SQ-19: taken first, put on the sale after, deleted then: it comes off that sale."""
    await house.adjust(80)
    reward = new_id()
    await house.debit(50, reward_id=reward)
    sale = await till.post(line("a", 8000))
    assert (await till.apply(sale.id, reward)).total_minor == 7200
    assert await house.balance() == 30

    await house.give_back(reward)

    assert (await till.sale(sale.id)).total_minor == 8000
    assert await house.balance() == 80


async def test_a_reward_that_was_undone_goes_on_no_sale(till: Till, house: House) -> None:
    """D35: a call that comes late finds the points given back, and takes nothing off."""
    await house.adjust(100)
    first, second = [await till.post(line("a", 8000)) for _ in range(2)]
    never_on, was_on = new_id(), await taken(house, first.id)
    await house.debit(50, reward_id=never_on)
    for reward in (never_on, was_on):
        await house.give_back(reward)

    for reward in (never_on, was_on):
        for sale in (first, second):
            refusal = await refusal_of(till.apply(sale.id, reward))
            assert refusal.code == "reward_undone"
    assert (await till.sale(first.id)).total_minor == 8000
    assert await house.balance() == 100


async def test_points_of_a_reward_that_was_counted_stay_away(till: Till, house: House) -> None:
    await house.adjust(80)
    sale = await till.post(line("a", 8000))
    reward = await taken(house, sale.id)
    await till.count(sale.id)

    assert (await refusal_of(house.give_back(reward))).code == "sale_counted"
    assert await house.balance() == 30 + 72


async def test_a_reward_that_staff_gave_back_is_free_of_its_counted_sale(
    till: Till, house: House
) -> None:
    """LS-75: it goes on another sale, or its points come back; the counted sale stays."""
    await house.adjust(130)
    counted = await till.post(line("a", 8000))
    first, second = await taken(house, counted.id), await taken(house, counted.id)
    await till.count(counted.id)
    balance = await house.balance()

    sale = await till.post(line("a", 1000))
    assert (await till.apply(sale.id, first)).total_minor == 900
    assert (await house.give_back(second, on_no_sale=True)).balance == balance + 50
    assert (await refusal_of(till.apply(sale.id, second))).code == "reward_undone"

    assert len((await till.sale(counted.id)).discounts) == 2
    assert await house.breaches() == {}


@pytest.mark.parametrize(
    ("choice", "back"),
    [(pb.REWARD_ON_REFUND_RETURN, True), (pb.REWARD_ON_REFUND_KEEP, False)],
    ids=["return", "keep"],
)
async def test_a_full_refund_gives_the_reward_back_if_the_owner_says_so(
    till: Till, house: House, choice: pb.RewardOnRefund.ValueType, back: bool
) -> None:
    """R36, N5: $90 net; a part gives nothing back, all of it the reward, once, or never."""
    await till.rules(SPEND_1, refunds=pb.RefundSettings(reward_on_refund=choice))
    await house.adjust(50)
    sale = await till.post(line("a", 10000))
    reward = await taken(house, sale.id)
    await till.count(sale.id)

    part = await till.refund(sale.id, amount=4000)
    seen = await till.refund(sale.id, dry_run=True)
    rest = await till.refund(sale.id, change_id="rest")
    again = await till.refund(sale.id, change_id="rest")

    expected = [reward] if back else []
    assert (part.points + rest.points, rest.balance) == (-90, 0)
    assert list(part.returned_reward_ids) == []
    assert list(seen.returned_reward_ids) == list(rest.returned_reward_ids) == expected
    assert list(again.returned_reward_ids) == expected
    told = await till.facts("sale.changed", events_pb.SaleChanged)
    assert [list(fact.returned_reward_ids) for fact in told] == [[], expected]
    assert await house.breaches() == {}


async def test_a_refund_names_only_rewards_that_are_still_on_its_sale(
    till: Till, house: House
) -> None:
    """R36, LS-75: given back by staff and used on the next sale, it comes back with that one."""
    returning = pb.RefundSettings(reward_on_refund=pb.REWARD_ON_REFUND_RETURN)
    await till.rules(SPEND_1, refunds=returning)
    await house.adjust(150)
    first = await till.post(line("a", 10000))
    moved, undone, stays = [
        await taken(house, first.id, discount=IN_KIND, reward_id=new_id()) for _ in range(3)
    ]
    await till.count(first.id)
    second = await till.post(line("a", 10000))
    await till.apply(second.id, moved)
    await till.count(second.id)
    await house.give_back(undone, on_no_sale=True)

    seen = await till.refund(first.id, dry_run=True)
    of_first = await till.refund(first.id, change_id="all")
    again = await till.refund(first.id, change_id="all")
    of_second = await till.refund(second.id)

    assert list(of_first.returned_reward_ids) == [stays]
    assert list(seen.returned_reward_ids) == list(again.returned_reward_ids) == [stays]
    assert list(of_second.returned_reward_ids) == [moved]
    told = await till.facts("sale.changed", events_pb.SaleChanged)
    assert [list(fact.returned_reward_ids) for fact in told] == [[stays], [moved]]
    assert await house.breaches() == {}
