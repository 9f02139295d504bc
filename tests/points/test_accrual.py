"""Accrual rules: what earns, what does not, and which rules an owner may save."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain import accrual, terms
from services.points.domain.accrual import (
    AccrualRule,
    CategoryRule,
    ItemRule,
    RuleDraft,
    SpendRule,
    TaxMode,
    VisitRule,
)
from services.points.domain.errors import (
    ExclusionNotAllowed,
    NumberOutOfRange,
    PointsInvalid,
    Refusal,
    RuleFieldForeign,
    RuleIncomplete,
    RuleTypeUnknown,
)
from services.points.domain.ids import CatalogId
from services.points.domain.sales import SaleLine
from tests.points.tally import (
    COUPE,
    COUPE_2,
    PRODUCTS,
    SERVICES_ONLY,
    SHAMPOO,
    SOIN,
    SOINS,
    SOINS_5,
    SPEND_1,
    SPEND_10,
    VISIT,
    VISIT_20,
    line,
    sold,
)


def earned(rule: AccrualRule, *lines: SaleLine) -> int:
    return accrual.base_points(rule, accrual.whole(lines))


@pytest.mark.parametrize(
    ("rule", "price_minor", "points"),
    [
        (SPEND_1, 4200, 42),
        (SPEND_10, 10500, 10),
        (SPEND_10, 2190, 2),
        (SPEND_1, 99, 0),
        (VISIT_20, 2000, 1),
        (VISIT_20, 1999, 0),
        (VISIT, 0, 1),
        (VISIT, 3500, 1),
    ],
)
def test_spending_and_visits_earn_by_their_rule(
    rule: AccrualRule, price_minor: int, points: int
) -> None:
    """SQ-17: a cart of $42 at 1/$1 shows 42; whole steps only, the minimum included."""
    assert earned(rule, line("a", price_minor)) == points


def test_items_and_categories_earn_for_each_of_them() -> None:
    """R25, R28: three at 2 points are 6; half a treatment of 5 points is 2."""
    assert earned(COUPE_2, line("a", 4000, quantity="3", variation=COUPE), line("b", 100)) == 6
    assert earned(SOINS_5, line("a", 6000, variation=SOIN, category=SOINS)) == 5
    assert earned(SOINS_5, line("a", 6000, quantity="0.5", category=SOINS)) == 2


@pytest.mark.parametrize(("mode", "points"), [(TaxMode.BEFORE_TAX, 50), (TaxMode.AFTER_TAX, 57)])
def test_taxes_count_where_the_rule_says_so_and_tips_never(mode: TaxMode, points: int) -> None:
    """D13: $50 with $7.49 of tax and a $9 tip."""
    rule = replace(SPEND_1, tax_mode=mode)
    settled = sold(rule, [replace(line("a", 5000), tax_minor=749)], tip_minor=900)

    assert settled.worth.points.total == points


def test_excluded_lines_earn_nothing_and_are_told() -> None:
    """SQ-53, SQ-58: $60 of service and $40 of an excluded category earn 60; the line is named."""
    settled = sold(SERVICES_ONLY, [line("s", 6000), line("p", 4000, category=PRODUCTS)])

    assert settled.worth.points.total == 60
    assert settled.worth.silent_lines == ("p",)


def test_a_new_item_of_an_excluded_category_earns_nothing_until_it_is_moved() -> None:
    """SQ-55: only the categories of the moment are asked, never a list of items."""
    created_later = CatalogId("made after the exclusion")
    inside = line("a", 4000, variation=created_later, category=PRODUCTS)
    moved = line("a", 4000, variation=created_later, category=SOINS)

    assert (earned(SERVICES_ONLY, inside), earned(SERVICES_ONLY, moved)) == (0, 40)


def test_an_item_is_excluded_with_all_its_variations() -> None:
    rule = replace(SPEND_1, excluded_item_ids=frozenset({COUPE, CatalogId("wax")}))

    assert earned(rule, line("a", 1000, variation=COUPE)) == 0
    assert earned(rule, line("a", 1000, variation=SHAMPOO, item=CatalogId("wax"))) == 0
    assert earned(rule, line("a", 1000, variation=SHAMPOO)) == 10


def test_the_settings_of_the_sale_decide_not_those_of_today() -> None:
    """SQ-56: a sale of Monday keeps its 40 points when Tuesday excludes its category."""
    lines = [line("p", 4000, category=PRODUCTS)]
    monday, tuesday = sold(SPEND_1, lines), sold(SERVICES_ONLY, lines)

    assert (monday.worth.points.total, tuesday.worth.points.total) == (40, 0)
    assert terms.worth(accrual.whole(lines), monday.terms) == monday.worth


def test_of_several_rules_the_best_counts_alone() -> None:
    """api.md 1: the rule that gives most; of equals the first, so that an answer never changes."""
    portions = accrual.whole([line("a", 4200, variation=COUPE), line("b", 100)])

    best = accrual.accrued([VISIT, COUPE_2, SPEND_1], portions)
    equal = accrual.accrued([VISIT, replace(VISIT, minimum_minor=5)], portions)
    items = accrual.accrued([VISIT, COUPE_2], portions)

    assert (best.points, best.rule) == (43, SPEND_1)
    assert equal.rule == VISIT
    assert (items.points, items.rule, items.silent_lines) == (2, COUPE_2, ("b",))


def test_a_sale_without_rules_or_points_says_so() -> None:
    portions = accrual.whole([line("p", 4000, category=PRODUCTS)])

    assert accrual.accrued([], portions).silent_lines == ("p",)
    nothing = accrual.accrued([SERVICES_ONLY], portions)
    assert (nothing.points, nothing.rule, nothing.silent_lines) == (0, None, ("p",))


def test_more_points_than_an_entry_holds_are_refused() -> None:
    """Refused, not wrapped: beyond 2^31 - 1 in one entry."""
    rule = SpendRule(points=1_000_000, amount_minor=1)
    with pytest.raises(PointsInvalid):
        sold(rule, [line("a", 1_000_000)])


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.booleans()), min_size=1, max_size=6),
    st.integers(1, 5000),
    st.integers(1, 100),
)
def test_spending_is_the_whole_steps_of_what_is_not_excluded(
    drawn: list[tuple[int, bool]], amount_minor: int, points: int
) -> None:
    rule = SpendRule(
        points=points, amount_minor=amount_minor, excluded_category_ids=frozenset({PRODUCTS})
    )
    lines = [
        line(str(place), price, category=PRODUCTS if out else None)
        for place, (price, out) in enumerate(drawn)
    ]
    counting = sum(price for price, out in drawn if not out)

    assert earned(rule, *lines) == counting // amount_minor * points
    assert all(earned(rule, one) >= 0 for one in lines)


def test_rules_are_read_with_their_data() -> None:
    rules = accrual.rules_from(
        [
            RuleDraft(type="VISIT", points=1, minimum_minor=2000, tax_mode="AFTER_TAX"),
            RuleDraft(
                type="SPEND",
                points=1,
                amount_minor=1000,
                excluded_category_ids=(PRODUCTS,),
                excluded_item_ids=(SHAMPOO,),
            ),
            RuleDraft(type="ITEM_VARIATION", points=2, variation_id=COUPE),
            RuleDraft(type="CATEGORY", points=5, category_id=SOINS),
        ]
    )

    assert rules == (
        VisitRule(points=1, minimum_minor=2000, tax_mode=TaxMode.AFTER_TAX),
        SpendRule(
            points=1,
            amount_minor=1000,
            excluded_category_ids=frozenset({PRODUCTS}),
            excluded_item_ids=frozenset({SHAMPOO}),
        ),
        ItemRule(points=2, variation_id=COUPE),
        CategoryRule(points=5, category_id=SOINS),
    )


@pytest.mark.parametrize(
    ("draft", "refusal", "field"),
    [
        (RuleDraft(type="LUNCH", points=1), RuleTypeUnknown, "accrual_type"),
        (RuleDraft(type="VISIT"), RuleIncomplete, "points"),
        (RuleDraft(type="VISIT", points=0), PointsInvalid, "points"),
        (
            RuleDraft(type="VISIT", points=1, excluded_category_ids=(PRODUCTS,)),
            ExclusionNotAllowed,
            "spend_data",
        ),
        (
            RuleDraft(type="CATEGORY", points=1, category_id=SOINS, excluded_item_ids=(COUPE,)),
            ExclusionNotAllowed,
            "spend_data",
        ),
        (
            RuleDraft(type="VISIT", points=1, minimum_minor=0),
            NumberOutOfRange,
            "visit_data.minimum_amount_money",
        ),
        (RuleDraft(type="SPEND", points=1), RuleIncomplete, "spend_data.amount_money"),
        (
            RuleDraft(type="SPEND", points=1, amount_minor=-5),
            NumberOutOfRange,
            "spend_data.amount_money",
        ),
        (
            RuleDraft(type="SPEND", points=1, amount_minor=5, tax_mode="SOMETIMES"),
            RuleIncomplete,
            "spend_data.tax_mode",
        ),
        (
            RuleDraft(type="SPEND", points=1, amount_minor=5, category_id=SOINS),
            RuleFieldForeign,
            "category_data",
        ),
        (
            RuleDraft(type="ITEM_VARIATION", points=1),
            RuleIncomplete,
            "item_variation_data.item_variation_id",
        ),
        (RuleDraft(type="CATEGORY", points=1), RuleIncomplete, "category_data.category_id"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_at_its_field(
    draft: RuleDraft, refusal: type[Refusal], field: str
) -> None:
    """SQ-57 among them: an exclusion on a visit rule."""
    good = RuleDraft(type="VISIT", points=1)
    with pytest.raises(refusal) as caught:
        accrual.rules_from([good, draft])
    assert caught.value.field == f"accrual_rules[1].{field}"


@pytest.mark.parametrize("count", [0, 51])
def test_a_program_has_one_to_fifty_rules(count: int) -> None:
    with pytest.raises(NumberOutOfRange):
        accrual.rules_from([RuleDraft(type="VISIT", points=1)] * count)


def test_a_tier_bonus_counts_on_the_base_alone() -> None:
    """T3: 30 and 7; the base is rounded down first."""
    settled = sold(SPEND_1, [line("a", 3099)], tier_multiplier=Decimal("1.25"))

    points = settled.worth.points
    assert (points.base, points.tier_bonus, points.total) == (30, 7, 37)
