"""Tiers: the worked rows T1 to T11, and the laws of progress."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.points.domain import refunds, tiers
from services.points.domain.errors import NumberOutOfRange, TextInvalid
from services.points.domain.ids import TierId
from services.points.domain.sale_errors import MultiplierInvalid, TierLimit, TierThresholdsInvalid
from services.points.domain.tiers import BasePoints, Ladder, Progress, Standing, Tier
from tests.points.tally import NOON, SPEND_1, TORONTO, Tally, full, line, sold

BASE, ARGENT, OR = (TierId(UUID(int=number)) for number in (1, 2, 3))
LAUNCH = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def ladder() -> Ladder:
    """Base 0, Argent 500 at 1.25, Or 1 000 at 1.5."""
    return tiers.launched(
        [
            Tier(id=OR, name="Or", threshold=1000, multiplier=Decimal("1.5")),
            Tier(id=BASE, name="Base", threshold=0),
            Tier(id=ARGENT, name="Argent", threshold=500, multiplier=Decimal("1.25")),
        ],
        at=LAUNCH,
    )


@dataclass
class Card:
    """A member on the ladder; each sale of so many dollars earns a point for each."""

    ladder: Ladder = field(default_factory=ladder)
    entries: list[BasePoints] = field(default_factory=list)
    standing: Standing = field(default_factory=lambda: tiers.lowest(ladder(), since=LAUNCH))

    @property
    def progress(self) -> Progress:
        return Progress(ladder=self.ladder, entries=tuple(self.entries), zone=TORONTO)

    @property
    def tier(self) -> Tier:
        return self.ladder.named(self.standing)

    def sale(self, dollars: int, *, at: datetime) -> tuple[int, int]:
        """Base and bonus of a sale, which counts under the tier of before."""
        self.check(now=at)
        settled = sold(
            SPEND_1, [line("a", dollars * 100)], at=at, tier_multiplier=self.tier.multiplier
        )
        points = settled.worth.points
        self.entries.append(BasePoints(at=at, points=points.base))
        self.standing = tiers.after_sale(self.standing, progress=self.progress, at=at)
        return points.base, points.tier_bonus

    def check(self, *, now: datetime) -> None:
        self.standing = tiers.checked(self.standing, progress=self.progress, now=now)

    def refund(self, place: int, *, now: datetime, left: int = 0) -> None:
        self.check(now=now)
        self.entries[place] = replace(self.entries[place], points=left)
        self.standing = tiers.after_refund(self.standing, progress=self.progress, now=now)


def test_t1_progress_counts_from_the_launch() -> None:
    """T1: 900 points of before leave the member in Base with progress 0."""
    card = Card(entries=[BasePoints(at=LAUNCH - DAY, points=900)])

    assert card.progress.at(LAUNCH) == 0
    assert tiers.after_sale(card.standing, progress=card.progress, at=LAUNCH) == card.standing
    assert card.tier.id == BASE


def test_t2_the_sale_that_reaches_a_tier_has_no_bonus_of_it() -> None:
    """T2: progress 480, $30: +30 and no bonus, progress 510, Argent."""
    card = Card()
    card.sale(480, at=LAUNCH + DAY)

    assert card.sale(30, at=LAUNCH + 2 * DAY) == (30, 0)
    assert card.progress.at(LAUNCH + 2 * DAY) == 510
    assert card.tier.id == ARGENT


def test_t3_and_t4_a_tier_adds_its_bonus_fractions_dropped() -> None:
    """T3: Argent, $30 gives 30 and 7. T4: Or, $45 gives 45 and 22."""
    card = Card()
    card.sale(500, at=LAUNCH + DAY)
    assert card.sale(30, at=LAUNCH + 2 * DAY) == (30, 7)
    card.sale(470, at=LAUNCH + 3 * DAY)
    assert card.sale(45, at=LAUNCH + 4 * DAY) == (45, 22)


@pytest.mark.parametrize(
    ("dollars", "tier"), [(999, ARGENT), (1000, OR), (1001, OR), (499, BASE), (500, ARGENT)]
)
def test_t5_the_threshold_is_included(dollars: int, tier: TierId) -> None:
    """T5: progress of exactly 1 000 is Or."""
    card = Card()
    card.sale(dollars, at=LAUNCH + DAY)

    assert card.tier.id == tier


@pytest.mark.parametrize(
    ("dollars", "tier", "kept_until"),
    [
        pytest.param(320, BASE, None, id="T6"),
        pytest.param(610, ARGENT, "2028-03-10", id="T7"),
        pytest.param(500, ARGENT, "2028-03-10", id="T7-exactly"),
    ],
)
@pytest.mark.parametrize("days_late", [0, 5])
def test_the_yearly_check(
    dollars: int, tier: TierId, kept_until: str | None, days_late: int
) -> None:
    """T6, T7: Argent of 10 March 2026 is looked at on 10 March 2027, late or not."""
    card = Card()
    entered = datetime(2026, 3, 10, 15, tzinfo=UTC)
    # Eleven in the morning both times; in 2027 clocks change later in March.
    due = datetime(2027, 3, 10, 16, tzinfo=UTC)
    card.sale(500, at=entered)
    card.entries.append(BasePoints(at=due - 30 * DAY, points=dollars))

    card.check(now=due - timedelta(seconds=1))
    assert (card.tier.id, card.standing.kept_until) == (ARGENT, due)
    card.check(now=due + days_late * DAY)
    assert card.tier.id == tier
    until = card.standing.kept_until
    assert (until.date().isoformat() if until else None) == kept_until
    once = card.standing
    card.check(now=due + days_late * DAY)
    assert card.standing == once


def test_t8_a_refund_of_the_sale_that_reached_a_tier_takes_it_back() -> None:
    """T8: 510 by a $30 sale; refunded in full: progress 480, Base, -30."""
    card, tally = Card(), Tally()
    card.sale(480, at=LAUNCH + DAY)
    card.sale(30, at=LAUNCH + 2 * DAY)
    settled = sold(SPEND_1, [line("a", 3000)])
    tally.earn(480)
    tally.sell(settled)

    effect, _ = tally.refund(settled, full())
    card.refund(1, now=LAUNCH + 3 * DAY, left=effect.after.held.base)

    assert card.progress.at(LAUNCH + 3 * DAY) == 480
    assert card.tier.id == BASE
    assert (effect.lost.total, tally.balance) == (30, 480)


def test_a_refund_that_leaves_the_entry_standing_takes_no_tier() -> None:
    """D14: only the moment of entry counts, though progress falls below the threshold now."""
    card = Card()
    card.sale(700, at=LAUNCH + DAY)
    entered = card.standing
    card.sale(30, at=LAUNCH + 2 * DAY)
    card.refund(1, now=LAUNCH + 3 * DAY)
    assert card.standing == entered

    card.refund(0, now=LAUNCH + 4 * DAY, left=500)
    assert card.standing == entered
    card.refund(0, now=LAUNCH + 5 * DAY, left=499)
    assert card.tier.id == BASE


def test_a_refund_that_takes_or_leaves_argent() -> None:
    """D14: the member is where the rise had found them, with the year of that tier."""
    card = Card()
    card.sale(600, at=LAUNCH + DAY)
    argent = card.standing
    card.sale(400, at=LAUNCH + 2 * DAY)
    assert card.tier.id == OR

    card.refund(1, now=LAUNCH + 3 * DAY)

    assert card.standing == argent


def test_later_sales_lift_a_member_again_after_a_refund() -> None:
    """D14: the entry would have missed, but what was earned since meets the threshold."""
    card = Card()
    card.sale(500, at=LAUNCH + DAY)
    card.sale(600, at=LAUNCH + 2 * DAY)

    card.refund(0, now=LAUNCH + 3 * DAY)

    assert card.tier.id == ARGENT


def test_t9_an_adjustment_is_no_progress() -> None:
    """T9: +200 by hand changes the balance alone; progress is told from sales' base points."""
    card, tally = Card(), Tally()
    card.sale(480, at=LAUNCH + DAY)
    tally.earn(480)
    tally.spend(-200)

    assert (tally.balance, card.progress.at(NOON)) == (680, 480)


def test_bonus_and_promotion_points_are_no_progress() -> None:
    """D14: an Argent sale of $30 brings 37 and counts 30; its refund leaves 0."""
    settled = sold(SPEND_1, [line("a", 3000)], tier_multiplier=Decimal("1.25"))

    assert refunds.remains(settled, []).held.base == 30
    assert refunds.remains(settled, [full()]).held.base == 0


def test_t10_a_seventh_tier_is_refused() -> None:
    """T10: six, the lowest included."""
    six = [
        Tier(id=TierId(UUID(int=number)), name=f"Tier {number}", threshold=number * 100)
        for number in range(6)
    ]
    assert len(tiers.launched(six, at=LAUNCH).tiers) == 6
    with pytest.raises(TierLimit) as caught:
        tiers.launched([*six, Tier(id=TierId(UUID(int=7)), name="Seven", threshold=900)], at=LAUNCH)
    assert caught.value.params == {"limit": "6"}


def test_t11_spending_takes_no_tier() -> None:
    """T11: an Or member spends 900; progress is not the balance."""
    card, tally = Card(), Tally()
    card.sale(1000, at=LAUNCH + DAY)
    tally.earn(1000)
    tally.spend(900)

    card.check(now=LAUNCH + 2 * DAY)
    assert (card.tier.id, tally.balance) == (OR, 100)


def test_a_fall_enters_the_lower_tier_for_a_year() -> None:
    card = Card()
    card.sale(1000, at=datetime(2026, 3, 10, 15, tzinfo=UTC))
    card.entries.append(BasePoints(at=datetime(2027, 1, 5, tzinfo=UTC), points=700))

    card.check(now=datetime(2027, 3, 10, 16, tzinfo=UTC))
    assert card.tier.id == ARGENT
    card.check(now=datetime(2029, 1, 1, tzinfo=UTC))
    assert card.tier.id == BASE


def test_a_year_from_29_february_ends_on_the_28th() -> None:
    leap = datetime(2028, 2, 29, 15, tzinfo=UTC)

    assert tiers.years_later(leap, years=1, zone=TORONTO) == datetime(2029, 2, 28, 15, tzinfo=UTC)


def test_points_of_a_year_ago_to_the_second_count_no_more() -> None:
    card = Card(entries=[BasePoints(at=LAUNCH + DAY, points=10)])
    year_on = tiers.years_later(LAUNCH + DAY, years=1, zone=TORONTO)

    assert card.progress.at(year_on - timedelta(seconds=1)) == 10
    assert card.progress.at(year_on) == 0


def test_a_member_of_a_deleted_tier_stands_on_the_next_below() -> None:
    card = Card()
    card.sale(500, at=LAUNCH + DAY)
    shorter = replace(card.ladder, tiers=(card.ladder.tiers[0], card.ladder.tiers[2]))

    assert shorter.named(card.standing).id == BASE


@pytest.mark.parametrize(
    ("drafts", "refusal"),
    [
        ([], TierThresholdsInvalid),
        ([Tier(id=BASE, name="Base", threshold=1)], TierThresholdsInvalid),
        ([Tier(id=BASE, name="A", threshold=0)] * 2, TierThresholdsInvalid),
        ([Tier(id=BASE, name="A", threshold=-1)], NumberOutOfRange),
        ([Tier(id=BASE, name=" ", threshold=0)], TextInvalid),
        ([Tier(id=BASE, name="A", threshold=0, multiplier=Decimal("0.9"))], MultiplierInvalid),
        ([Tier(id=BASE, name="A", threshold=0, multiplier=Decimal("1.0001"))], MultiplierInvalid),
        ([Tier(id=BASE, name="A", threshold=0, multiplier=Decimal(11))], MultiplierInvalid),
    ],
)
def test_a_ladder_that_cannot_be_is_refused(drafts: list[Tier], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        tiers.launched(drafts, at=LAUNCH)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 900)), max_size=12),
    st.integers(1, 900),
    st.integers(0, 30),
)
def test_a_sale_that_is_refunded_at_once_leaves_the_tier_as_it_was(
    sales: list[tuple[int, int]], dollars: int, minutes: int
) -> None:
    """D14, N5: whatever went before, standing and progress are as if the sale had not been."""
    card, now = Card(), LAUNCH
    for days, amount in sales:
        now += timedelta(days=days, seconds=1)
        card.sale(amount, at=now)
    now += DAY
    card.check(now=now)
    before, progress = card.standing, card.progress.at(now)

    card.sale(dollars, at=now)
    card.refund(len(card.entries) - 1, now=now + timedelta(minutes=minutes))

    assert card.progress.at(now) == progress
    assert card.standing == before


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 900)), max_size=15), st.data())
def test_how_often_the_check_runs_changes_nothing(
    sales: list[tuple[int, int]], data: st.DataObject
) -> None:
    """T6, T7: a nightly job and one that slept for years leave the same standing."""
    card, now = Card(), LAUNCH
    for days, amount in sales:
        now += timedelta(days=days, seconds=1)
        card.sale(amount, at=now)
    end = now + timedelta(days=data.draw(st.integers(0, 1200)))
    once = tiers.checked(card.standing, progress=card.progress, now=end)
    nightly, night = card.standing, now
    while night < end:
        night = min(end, night + timedelta(days=data.draw(st.integers(1, 90))))
        nightly = tiers.checked(nightly, progress=card.progress, now=night)

    assert nightly == once
