"""Walks through earn, adjust, sale, refund, exchange, expire, take and return.

The service on real PostgreSQL and a plain model take the same steps and must agree after each: on
refusals, balance, what ends when, and in the end on every entry and every lot. Hypothesis chooses
the steps, and tells the fewest that fail. The seed is printed; `POINTS_SEED` walks again.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, cast

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from loyalty.points.v1 import points_pb2 as pb

from services.points.storage import checks
from tests.chaos.scale import scaled, show
from tests.points.house import House, new_id
from tests.points.lanes import Lanes
from tests.points.plain_ledger import Sold
from tests.points.walk import Basket, Taken, Walk, Wanted, share_of, some_of

P = ParamSpec("P")
T = TypeVar("T")

WALKS = 2_000
STEPS_MAX = 50
# Each walk is another chain: they hide each other's waiting.
LANES = 8

POLICIES = st.sampled_from([None, 1, 2, 3])
ONE_IN_THREE = st.sampled_from([False, False, True])
BASKETS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3000)), min_size=1, max_size=3)
WANTED = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3)), min_size=1, max_size=4)
# Often less than a sale, sometimes all that is left of it.
AMOUNTS = st.integers(1, 3000) | st.integers(1, 30_000)


def _something_left(sold: Sold) -> bool:
    return not sold.nothing_left


@dataclass(kw_only=True)
class Course:
    """What the walks of a run have in common."""

    house: House
    lanes: Lanes = field(default_factory=Lanes)
    chains: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)

    def walk(self) -> Walk:
        """A member of a new chain of the same service."""
        house = self.house
        mine = House(deps=house.deps, queue=house.queue, stub=house.stub, clock=house.clock)
        self.chains.add(mine.chain_id)
        return Walk(house=mine)


class Ledger(RuleBasedStateMachine):
    """The steps of a walk, as Hypothesis may choose them."""

    sales = Bundle[Sold]("sales")
    open_sales = Bundle[Sold]("open_sales")
    rewards = Bundle[Taken]("rewards")
    earns = Bundle[pb.EarnItem]("earns")
    with_something_left = sales.filter(_something_left)

    def __init__(self, course: Course, lane: int) -> None:
        super().__init__()
        self.course, self.lane = course, lane
        self.walk = course.walk()

    def do(self, step: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.course.lanes.do(self.lane, step, *args, **kwargs)

    def nothing_taken(self) -> bool:
        """Whether she has paid for no reward yet."""
        return not self.walk.member.taken

    def without_tiers(self) -> bool:
        """Whether a count that comes late finds the terms of today."""
        return not self.walk.tiers

    def can_give_back(self) -> bool:
        """Whether a sale holds anything yet."""
        return any(map(_something_left, self.walk.sales))

    @initialize(
        spend_minor=st.sampled_from([100, 1000, 700, None]),
        clamps=ONE_IN_THREE,
        tiers=st.booleans(),
        months=POLICIES,
    )
    def open(self, spend_minor: int | None, clamps: bool, tiers: bool, months: int | None) -> None:
        walk = self.walk
        self.do(walk.open, spend_minor=spend_minor, clamps=clamps, tiers=tiers, months=months)

    @invariant()
    def agree(self) -> None:
        self.do(self.walk.compare)

    def teardown(self) -> None:
        """The whole ledger, of a walk that nothing has cut off."""
        if sys.exc_info()[1] is None:
            self.do(self.walk.end)
            self.course.ended.add(self.walk.house.chain_id)

    # -- time ----------------------------------------------------------------------------------

    @rule(hours=st.integers(1, 48))
    def wait_hours(self, hours: int) -> None:
        self.do(self.walk.wait, timedelta(hours=hours))

    @rule(days=st.integers(1, 45))
    def wait_days(self, days: int) -> None:
        self.do(self.walk.wait, timedelta(days=days))

    @rule(months=POLICIES)
    def save_policy(self, months: int | None) -> None:
        self.do(self.walk.save_policy, months)

    @rule()
    def expire(self) -> None:
        self.do(self.walk.expire)

    # -- points --------------------------------------------------------------------------------

    @rule(target=earns, points=st.integers(1, 40))
    def earn(self, points: int) -> pb.EarnItem:
        return self.do(self.walk.earn, points)

    @rule(earned=earns)
    def earn_again(self, earned: pb.EarnItem) -> None:
        self.do(self.walk.earn_again, earned)

    @rule(points=st.sampled_from([3, 20, -1, -7, -25, -60]), below_zero=st.booleans())
    def adjust(self, points: int, below_zero: bool) -> None:
        self.do(self.walk.adjust, points, below_zero=below_zero)

    @rule(target=rewards, points=st.integers(1, 60))
    def take(self, points: int) -> Taken | MultipleResults[Taken]:
        return self.do(self.walk.take, points) or multiple()

    @rule(reward=rewards)
    def take_again(self, reward: Taken) -> None:
        self.do(self.walk.take_again, reward)

    @rule(reward=rewards)
    def give_back(self, reward: Taken) -> None:
        self.do(self.walk.give_back, reward[0])

    @precondition(nothing_taken)
    @rule()
    def give_back_what_nobody_took(self) -> None:
        self.do(self.walk.give_back, new_id())

    # -- sales ---------------------------------------------------------------------------------

    @rule(target=sales, basket=BASKETS)
    def sell(self, basket: Basket) -> Sold:
        return self.do(self.walk.sell, basket)

    @precondition(without_tiers)
    @rule(target=open_sales, basket=BASKETS)
    def leave_open(self, basket: Basket) -> Sold:
        return self.do(self.walk.post, basket)

    @rule(target=sales, sale=consumes(open_sales))
    def count_late(self, sale: Sold) -> Sold:
        """Its points date from the day of the count."""
        self.do(self.walk.count, sale)
        return sale

    @rule(sale=sales)
    def count_again(self, sale: Sold) -> None:
        self.do(self.walk.count_again, sale)

    @rule(sale=sales, again=ONE_IN_THREE)
    def refund(self, sale: Sold, again: bool) -> None:
        """All of it, also where nothing is left."""
        self.do(self.walk.refund, sale, None, again=again)

    @precondition(can_give_back)
    @rule(sale=with_something_left, wanted=WANTED, again=ONE_IN_THREE)
    def refund_lines(self, sale: Sold, wanted: Wanted, again: bool) -> None:
        self.do(self.walk.refund, sale, share_of(sale, wanted), again=again)

    @precondition(can_give_back)
    @rule(sale=with_something_left, amount=AMOUNTS, again=ONE_IN_THREE)
    def refund_amount(self, sale: Sold, amount: int, again: bool) -> None:
        self.do(self.walk.refund, sale, share_of(sale, amount), again=again)

    @rule(sale=sales, part=st.none() | WANTED | AMOUNTS)
    def preview(self, sale: Sold, part: Wanted | int | None) -> None:
        self.do(self.walk.preview, sale, share_of(sale, part))

    @precondition(can_give_back)
    @rule(sale=with_something_left, wanted=WANTED, basket=BASKETS)
    def exchange(self, sale: Sold, wanted: Wanted, basket: Basket) -> None:
        self.do(self.walk.exchange, sale, some_of(sale, wanted), basket)


def go(course: Course, lane: int, chance: str, count: int) -> None:
    """So many walks of a lane, one after the other: short ones in the first, long in the last."""

    # A function: of a class Hypothesis parses the source, which Python 3.11 cannot in two threads.
    @seed(f"{chance}/{lane}")
    def ledger() -> Ledger:
        return Ledger(course, lane)

    run_state_machine_as_test(
        cast("type[Ledger]", ledger),
        settings=settings(
            max_examples=count,
            # The first opens the program; Hypothesis goes on for as long as it may.
            stateful_step_count=1 + STEPS_MAX * (lane + 1) // LANES,
            deadline=None,
            # A seed walks again. An explanation would try each value of the fewest steps once more.
            database=None,
            phases=[Phase.generate, Phase.shrink],
            # Drawing takes long only because it shares its cores with the database.
            suppress_health_check=[HealthCheck.too_slow],
            report_multiple_bugs=False,
        ),
    )


async def walks(house: House, count: int) -> None:
    """So many walks in all; the fewest steps that fail are told."""
    chance = os.environ.get("POINTS_SEED") or str(random.SystemRandom().randrange(10**9))
    show("walks through the ledger", POINTS_SEED=chance, walks=count)
    course = Course(house=house)
    await course.lanes.run(LANES, lambda lane: go(course, lane, chance, count // LANES))
    assert len(course.ended) >= count
    async with house.deps.pool.acquire() as conn:
        _, findings = await checks.examine(conn, outbox_kept_days=10_000)
    broken = [b for finding in findings for b in finding.named if b.chain_id in course.chains]
    assert broken == []


async def test_a_sale_of_which_no_money_is_left_gives_none_back(house: House) -> None:
    """R29, R33: part of the money went back, then the line for one of as much less."""
    walk = Course(house=house).walk()
    await walk.open(spend_minor=100, clamps=False, tiers=False, months=None)
    sold = await walk.sell([(1, 3000)])
    await walk.refund(sold, 1200, again=False)
    await walk.exchange(sold, {sold.items[0].uid: 1}, [(1, 1200)])
    assert share_of(sold, 500) == 0
    for how in (0, None):
        await walk.preview(sold, how)
        await walk.refund(sold, how, again=False)
        await walk.compare()
    await walk.end()


@pytest.mark.timeout(600)
async def test_service_and_model_agree_on_any_walk(house: House) -> None:
    """A tenth of the walks of `make chaos`."""
    await walks(house, WALKS // 10)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
async def test_service_and_model_agree_on_many_walks(house: House) -> None:
    """SQ-30 to SQ-45, SQ-64 to SQ-68, D2 to D14, D35, D37, N3: 2,000 walks of up to fifty steps."""
    count = scaled(WALKS)
    if count <= WALKS // 10:
        pytest.skip("a tenth of them run with the other tests of points")
    await walks(house, count)
