"""Promotions: when they run, whom they favour, and what they add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain import promotions
from services.points.domain.accrual import AccrualRule
from services.points.domain.errors import NumberOutOfRange, PointsInvalid, Refusal, TextInvalid
from services.points.domain.ids import PromotionId
from services.points.domain.promotions import (
    Addition,
    Multiplier,
    Promotion,
    PromotionDraft,
    PromotionStatus,
    PromotionTerms,
    TriggerInterval,
    TriggerLimit,
)
from services.points.domain.sale_errors import (
    IncentiveInvalid,
    MultiplierInvalid,
    PeriodInvalid,
    PromotionLimit,
    PromotionOver,
    QualifyingInvalid,
    TriggerLimitInvalid,
)
from services.points.domain.sales import SaleLine
from tests.points.tally import (
    CHAIN,
    COUPE,
    COUPE_2,
    NOON,
    PRODUCTS,
    PROGRAM,
    SERVICES_ONLY,
    SPEND_1,
    TORONTO,
    VISIT_20,
    line,
    sold,
)

OCTOBER = "DTSTART:20261001T000000\nDURATION:P31D"
TWICE = PromotionDraft(name="Double", multiplier="2", periods=(OCTOBER,))


def promotion(
    draft: PromotionDraft = TWICE,
    *,
    number: int = 9,
    rules: Sequence[AccrualRule] = (SPEND_1,),
    created_at: datetime = NOON,
) -> Promotion:
    return promotions.promotion_from(
        draft,
        chain_id=CHAIN,
        program_id=PROGRAM,
        promotion_id=PromotionId(UUID(int=number)),
        rules=rules,
        now=created_at,
    )


def terms(**more: object) -> PromotionTerms:
    return PromotionTerms(
        id=PromotionId(UUID(int=9)),
        **{"incentive": Multiplier(multiplier=Decimal(2)), **more},  # type: ignore[arg-type]
    )


def bonus(rule: AccrualRule, lines: list[SaleLine], *of: PromotionTerms) -> int:
    return sold(rule, lines, promotions=of).worth.points.promotion


@pytest.mark.parametrize(
    ("incentive", "base", "more"),
    [
        (Multiplier(multiplier=Decimal(3)), 5, 10),
        (Multiplier(multiplier=Decimal("1.5")), 4, 2),
        (Multiplier(multiplier=Decimal("1.5")), 5, 2),
        (Multiplier(multiplier=Decimal("1.333")), 3, 0),
        (Multiplier(multiplier=Decimal(10)), 1, 9),
        (Addition(points=3), 5, 3),
    ],
)
def test_a_promotion_multiplies_or_adds(
    incentive: Multiplier | Addition, base: int, more: int
) -> None:
    """api.md 1: fractions of points are dropped."""
    assert bonus(SPEND_1, [line("a", base * 100)], terms(incentive=incentive)) == more


@given(st.integers(1, 10**6), st.integers(1001, 10000))
def test_a_multiplier_never_gives_more_than_it_says(base: int, thousandths: int) -> None:
    more = promotions.added(Multiplier(multiplier=Decimal(thousandths) / 1000), base_points=base)

    assert more * 1000 <= base * (thousandths - 1000) < (more + 1) * 1000


def test_the_base_must_earn_first() -> None:
    """api.md 1: nothing is added to a visit below its minimum, or to excluded products alone."""
    more = terms(incentive=Addition(points=50))

    assert bonus(VISIT_20, [line("a", 1999)], more) == 0
    assert bonus(SERVICES_ONLY, [line("a", 9000, category=PRODUCTS)], more) == 0
    assert bonus(VISIT_20, [line("a", 2000)], more) == 50


def test_a_minimum_spend_is_met_by_the_whole_sale() -> None:
    more = terms(minimum_spend_minor=5000)

    assert bonus(SPEND_1, [line("a", 4999)], more) == 0
    assert bonus(SPEND_1, [line("a", 2000), line("b", 3000)], more) == 50


def test_one_qualifying_line_is_enough_unless_it_is_excluded() -> None:
    by_item = terms(qualifying_item_ids=frozenset({COUPE}))
    by_category = terms(qualifying_category_ids=frozenset({PRODUCTS}))
    lines = [line("a", 1000, variation=COUPE), line("b", 2000, category=PRODUCTS)]

    assert bonus(SPEND_1, lines, by_item) == 30
    assert bonus(SPEND_1, lines[1:], by_item) == 0
    assert bonus(SPEND_1, lines, by_category) == 30
    assert bonus(SERVICES_ONLY, lines, by_category) == 0


def test_the_most_recently_created_that_qualifies_wins() -> None:
    """api.md 1: one promotion a sale; one that does not qualify leaves it to the next."""
    older = promotion(replace(TWICE, multiplier="5"), number=1)
    newer = promotion(TWICE, number=2, created_at=NOON + timedelta(hours=1))
    newest = promotion(
        replace(TWICE, multiplier=None, addition=1, minimum_spend_minor=100000),
        number=3,
        created_at=NOON + timedelta(hours=2),
    )

    found = promotions.open_to([(older, ()), (newest, ()), (newer, ())], at=NOON, zone=TORONTO)

    assert [one.id.int for one in found] == [3, 2, 1]
    assert bonus(SPEND_1, [line("a", 1000)], *found) == 10


@pytest.mark.parametrize(
    ("interval", "times", "before", "may"),
    [
        (TriggerInterval.ALL_TIME, 1, [], True),
        (TriggerInterval.ALL_TIME, 1, ["2026-01-05T12:00:00-05:00"], False),
        (TriggerInterval.ALL_TIME, 2, ["2026-01-05T12:00:00-05:00"], True),
        (TriggerInterval.DAY, 1, ["2026-10-01T00:00:00-04:00"], False),
        (TriggerInterval.DAY, 1, ["2026-09-30T23:59:59-04:00"], True),
        (TriggerInterval.DAY, 2, ["2026-10-01T00:00:00-04:00"] * 2, False),
    ],
)
def test_a_trigger_limit_counts_for_all_time_or_for_the_salons_day(
    interval: TriggerInterval, times: int, before: list[str], may: bool
) -> None:
    """At 23:30 in Toronto it is tomorrow in UTC; the salon's day is what counts."""
    late = datetime(2026, 10, 2, 3, 30, tzinfo=UTC)
    limited = replace(promotion(), trigger_limit=TriggerLimit(times=times, interval=interval))
    triggered = [datetime.fromisoformat(moment) for moment in before]

    found = promotions.open_to([(limited, triggered)], at=late, zone=TORONTO)

    assert bool(found) is may


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("2026-09-30T23:59:59-04:00", PromotionStatus.SCHEDULED),
        ("2026-10-01T00:00:00-04:00", PromotionStatus.ACTIVE),
        ("2026-10-31T23:59:59-04:00", PromotionStatus.ACTIVE),
        ("2026-11-01T00:00:00-04:00", PromotionStatus.ENDED),
    ],
)
def test_a_promotion_is_scheduled_active_ended(at: str, status: PromotionStatus) -> None:
    now = datetime.fromisoformat(at)
    one = promotion()

    assert promotions.status(one, now=now, zone=TORONTO) is status
    assert promotions.is_open(one, at=now, zone=TORONTO) is (status is PromotionStatus.ACTIVE)


def test_a_promotion_between_two_of_its_periods_is_active_and_closed() -> None:
    weekly = "DTSTART:20261001T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY"
    one = promotion(replace(TWICE, periods=(weekly,)))
    friday = datetime(2026, 10, 2, 14, tzinfo=UTC)

    assert promotions.status(one, now=friday, zone=TORONTO) is PromotionStatus.ACTIVE
    assert not promotions.is_open(one, at=friday, zone=TORONTO)
    assert promotions.last_moment(one, zone=TORONTO) is None


def test_a_canceled_promotion_is_over_for_good() -> None:
    stopped = promotions.canceled(promotion(), now=NOON, zone=TORONTO)

    assert promotions.status(stopped, now=NOON, zone=TORONTO) is PromotionStatus.CANCELED
    assert not promotions.is_open(stopped, at=NOON, zone=TORONTO)
    with pytest.raises(PromotionOver):
        promotions.canceled(stopped, now=NOON, zone=TORONTO)
    with pytest.raises(PromotionOver):
        promotions.canceled(promotion(), now=NOON + timedelta(days=60), zone=TORONTO)


def test_at_most_ten_run_or_are_planned() -> None:
    """api.md, "Limits": what has ended or was canceled leaves room."""
    running = [promotion(number=number) for number in range(9)]
    planned = promotion(
        replace(TWICE, periods=("DTSTART:20271001T000000\nDURATION:P1D",)), number=9
    )
    stopped = promotions.canceled(promotion(), now=NOON, zone=TORONTO)

    promotions.require_room([*running, stopped], now=NOON, zone=TORONTO)
    with pytest.raises(PromotionLimit) as caught:
        promotions.require_room([*running, planned], now=NOON, zone=TORONTO)
    assert caught.value.params == {"limit": "10"}


@pytest.mark.parametrize("text", ["1.001", "2", "10", "10.000", "1.5"])
def test_a_multiplier_lies_above_one_and_up_to_ten(text: str) -> None:
    assert promotions.multiplier_from(text) == Decimal(text)


@pytest.mark.parametrize("text", ["1", "0", "-2", "10.001", "1.0001", "NaN", "Infinity", "two", ""])
def test_other_multipliers_are_refused(text: str) -> None:
    with pytest.raises(MultiplierInvalid):
        promotions.multiplier_from(text)


@pytest.mark.parametrize(
    ("draft", "refusal"),
    [
        (replace(TWICE, name=" "), TextInvalid),
        (replace(TWICE, name="x" * 71), TextInvalid),
        (replace(TWICE, addition=5), IncentiveInvalid),
        (replace(TWICE, multiplier=None), IncentiveInvalid),
        (replace(TWICE, multiplier=None, addition=0), PointsInvalid),
        (replace(TWICE, periods=()), NumberOutOfRange),
        (replace(TWICE, periods=("tomorrow",)), PeriodInvalid),
        (replace(TWICE, minimum_spend_minor=0), NumberOutOfRange),
        (replace(TWICE, trigger_times=0), TriggerLimitInvalid),
        (replace(TWICE, trigger_times=1, trigger_interval="WEEK"), TriggerLimitInvalid),
        (replace(TWICE, trigger_interval="DAY"), TriggerLimitInvalid),
        (
            replace(TWICE, qualifying_item_ids=(COUPE,), qualifying_category_ids=(PRODUCTS,)),
            QualifyingInvalid,
        ),
    ],
)
def test_a_promotion_that_cannot_be_is_refused(
    draft: PromotionDraft, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        promotion(draft)


def test_items_qualify_only_where_visits_or_spending_earn() -> None:
    draft = replace(TWICE, qualifying_item_ids=(COUPE,))

    assert promotion(draft, rules=[VISIT_20]).terms.qualifying_item_ids == {COUPE}
    with pytest.raises(QualifyingInvalid):
        promotion(draft, rules=[COUPE_2])
