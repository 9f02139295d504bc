"""Refunds: laws that hold of any sale and any sequence of changes (D2, N5)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.points.domain import refunds
from services.points.domain.ids import ChangeId, PromotionId
from services.points.domain.promotions import Addition, Multiplier, PromotionTerms
from services.points.domain.refunds import Change, Exchange, ReturnedLine
from services.points.domain.sales import exact
from services.points.domain.terms import NO_POINTS, SettledSale, VisitRefundBasis
from tests.points.tally import (
    COUPE,
    COUPE_2,
    PRODUCTS,
    SERVICES_ONLY,
    SHAMPOO,
    SPEND_1,
    SPEND_5,
    SPEND_10,
    VISIT,
    VISIT_20,
    Tally,
    custom,
    full,
    items,
    line,
    sold,
)

RULES = st.sampled_from([SPEND_1, SPEND_5, SPEND_10, SERVICES_ONLY, VISIT, VISIT_20, COUPE_2])
LINES = st.lists(
    st.tuples(
        st.integers(0, 9000),
        st.integers(1, 4),
        st.sampled_from([COUPE, SHAMPOO]),
        st.sampled_from([None, PRODUCTS]),
        st.integers(0, 900),
    ),
    min_size=1,
    max_size=5,
).map(
    lambda drawn: [
        replace(
            line(str(place), price, quantity=str(quantity), variation=variation, category=category),
            tax_minor=tax,
        )
        for place, (price, quantity, variation, category, tax) in enumerate(drawn)
    ]
)
MULTIPLIERS = st.integers(1000, 3000).map(lambda number: Decimal(number) / 1000)
PROMOTIONS = st.sampled_from(
    [
        (),
        (PromotionTerms(id=PromotionId(UUID(int=9)), incentive=Addition(points=7)),),
        (
            PromotionTerms(
                id=PromotionId(UUID(int=9)), incentive=Multiplier(multiplier=Decimal("2.5"))
            ),
        ),
    ]
)
SETTLED = st.builds(
    lambda rule, lines, multiplier, promotions, basis, tip: sold(
        rule,
        lines,
        tip_minor=tip,
        tier_multiplier=multiplier,
        promotions=promotions,
        visit_refund_basis=basis,
    ),
    RULES,
    LINES,
    MULTIPLIERS,
    PROMOTIONS,
    st.sampled_from(list(VisitRefundBasis)),
    st.integers(0, 500),
)


def draw_change(data: st.DataObject, left: refunds.Remains, name: str) -> Change | None:
    """Some refund or exchange that what remains allows, if any."""
    there = [portion for portion in left.portions if portion.quantity > 0]
    kinds = [] if left.nothing_left or not there else ["items", "exchange"]
    if left.refundable_minor > 0:
        kinds.append("amount")
    if not kinds:
        return None
    kind = data.draw(st.sampled_from(kinds))
    if kind == "amount":
        return custom(data.draw(st.integers(1, left.refundable_minor)), id=name)
    chosen = data.draw(st.sampled_from(there))
    quantity = data.draw(st.integers(1, int(chosen.quantity)))
    returned = (ReturnedLine(uid=chosen.line.uid, quantity=Decimal(quantity)),)
    price = chosen.line.paid_minor * Fraction(quantity) / exact(chosen.line.quantity)
    if kind == "items" and price - left.goods_minor >= 1:
        # An amount was given back for it before.
        return custom(left.refundable_minor, id=name) if left.refundable_minor else None
    if kind == "items":
        return refunds.ItemRefund(id=ChangeId(name), lines=returned)
    least = max(0, ceil(price - left.goods_minor))
    added = line(f"new-{name}", data.draw(st.integers(least, least + 9000)), variation=COUPE)
    return Exchange(id=ChangeId(name), returned=returned, added=(added,))


@settings(max_examples=300, deadline=None)
@given(SETTLED, st.data())
def test_refunds_that_end_in_a_full_one_leave_no_trace(
    settled: SettledSale, data: st.DataObject
) -> None:
    """N5: balance, bonus and progress end as if the sale had not been; no point is below zero.

    Refunds alone never give points; each change of the account is what the sale lost.
    """
    tally = Tally()
    tally.earn(1000)
    tally.sell(settled)
    for step in range(data.draw(st.integers(0, 5))):
        before = refunds.remains(settled, tally.history)
        change = draw_change(data, before, f"step-{step}")
        if change is None:
            break
        effect, _ = tally.refund(settled, change)
        held = effect.after.held
        assert min(held.base, held.tier_bonus, held.promotion) >= 0
        assert tally.balance == 1000 + held.total
        if not isinstance(change, Exchange):
            assert effect.lost.total >= 0
            assert effect.lost.base >= 0
    left = refunds.remains(settled, tally.history)
    if not (left.nothing_left and left.refundable_minor == 0):
        tally.refund(settled, full())

    end = refunds.remains(settled, tally.history)
    assert end.held == NO_POINTS
    assert tally.balance == 1000


@settings(max_examples=300, deadline=None)
@given(SETTLED, st.data())
def test_splitting_an_amount_changes_nothing_in_the_end(
    settled: SettledSale, data: st.DataObject
) -> None:
    """D2: $20, or $10 and $10, or any other parts of it."""
    settled = replace(
        settled,
        terms=replace(settled.terms, visit_refund_basis=VisitRefundBasis.REMAINING),
    )
    refundable = refunds.remains(settled, []).refundable_minor
    amount = data.draw(st.integers(min(1, refundable), refundable))
    if amount == 0:
        return
    cuts = sorted(data.draw(st.sets(st.integers(0, amount), max_size=4)) | {0, amount})
    parts: list[Change] = [custom(end - start, id=str(start)) for start, end in pairwise(cuts)]

    whole = refunds.remains(settled, [custom(amount)])
    split = refunds.remains(settled, parts)

    assert (split.held, split.portions) == (whole.held, whole.portions)


@settings(max_examples=300, deadline=None)
@given(SETTLED, st.data())
def test_splitting_and_shuffling_items_changes_nothing_in_the_end(
    settled: SettledSale, data: st.DataObject
) -> None:
    """D2: lines that come back together, or one at a time in any order."""
    settled = replace(
        settled,
        terms=replace(settled.terms, visit_refund_basis=VisitRefundBasis.REMAINING),
    )
    units = [str(line.uid) for line in settled.sale.lines for _ in range(int(line.quantity))]
    order = data.draw(st.permutations(units))
    back = order[: data.draw(st.integers(1, len(order)))]

    together = refunds.remains(settled, [items(*back)])
    singly = refunds.remains(settled, [items(uid, id=str(place)) for place, uid in enumerate(back)])

    assert (singly.held, singly.portions) == (together.held, together.portions)
