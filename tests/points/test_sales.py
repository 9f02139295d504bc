"""Sales: prices, discounts, taxes and tips, to the cent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain import sales
from services.points.domain.errors import NumberOutOfRange
from services.points.domain.ids import LineUid
from services.points.domain.sale_errors import AmountAmbiguous, LineRepeated, LineUnknown
from services.points.domain.sales import Discount, SaleLine, Tax
from tests.points.tally import SPEND_1, line, sold

AMOUNTS = st.lists(st.integers(0, 10**7), max_size=12)


def nets(lines: tuple[SaleLine, ...]) -> list[int]:
    return [line.net_minor for line in lines]


@given(AMOUNTS, st.data())
def test_spreading_conserves_the_cent(amounts: list[int], data: st.DataObject) -> None:
    """D2: parts sum to the whole, none exceeds its line, each is its share but for one cent."""
    total = data.draw(st.integers(0, sum(amounts)))

    parts = sales.spread(total, over=amounts)

    assert sum(parts) == total
    for part, amount in zip(parts, amounts, strict=True):
        assert 0 <= part <= amount
        assert abs(part * sum(amounts) - total * amount) < max(1, sum(amounts))


@pytest.mark.parametrize(
    ("total", "over", "parts"),
    [
        (100, [1000, 1000, 1000], (34, 33, 33)),
        (200, [1000, 1000, 1000], (67, 67, 66)),
        (1, [1, 2], (0, 1)),
        (10, [0, 5000], (0, 10)),
        (0, [5, 5], (0, 0)),
    ],
)
def test_the_largest_remainder_gets_the_odd_cent(
    total: int, over: list[int], parts: tuple[int, ...]
) -> None:
    """D2: equal remainders go to the earlier line."""
    assert sales.spread(total, over=over) == parts


def test_a_discount_of_the_whole_sale_is_spread_over_its_lines() -> None:
    """D2, SQ-20: 10 % off $80 leaves $72, line by line."""
    lines = [line("a", 5000), line("b", 3000)]

    off = sales.priced(lines, discounts=[Discount(percentage=Decimal(10))])

    assert nets(off) == [4500, 2700]
    assert nets(sales.priced(off)) == [5000, 3000]


def test_percentages_come_before_amounts_and_lines_before_the_whole() -> None:
    lines = [line("a", 10000), line("b", 10000)]

    off = sales.priced(
        lines,
        discounts=[
            Discount(amount_minor=1800),
            Discount(percentage=Decimal(10)),
            Discount(percentage=Decimal(50), line_uids=(LineUid("a"),)),
        ],
    )

    assert nets(off) == [3900, 7800]


def test_a_discount_takes_no_more_than_there_is() -> None:
    off = sales.priced([line("a", 500)], discounts=[Discount(amount_minor=2000)] * 2)

    assert nets(off) == [0]


def test_taxes_count_on_the_discounted_price() -> None:
    """R16: $50 with 14.975 % on top is $57.49; what is contained leaves the net."""
    taxes = [Tax(percentage=Decimal(5)), Tax(percentage=Decimal("9.975"))]
    (on_top,) = sales.priced([line("a", 5000)], taxes=taxes)
    (inside,) = sales.priced(
        [line("a", 11500)], taxes=[Tax(percentage=Decimal(15), inclusive=True)]
    )

    assert (on_top.net_minor, on_top.tax_minor, on_top.paid_minor) == (5000, 749, 5749)
    assert (inside.net_minor, inside.tax_minor, inside.paid_minor) == (10000, 1500, 11500)


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=6),
    st.integers(0, 100),
    st.integers(0, 10**6),
    st.integers(0, 25),
)
def test_pricing_loses_no_cent(
    prices: list[int], percentage: int, amount_minor: int, tax: int
) -> None:
    lines = [line(str(place), price) for place, price in enumerate(prices)]
    gross = sum(prices)

    pricing = sales.pricing(
        lines,
        discounts=[
            Discount(amount_minor=amount_minor),
            Discount(percentage=Decimal(percentage)),
        ],
        taxes=[Tax(percentage=Decimal(tax)), Tax(percentage=Decimal(tax), inclusive=True)],
    )

    priced = pricing.lines
    first = round(Decimal(gross * percentage) / 100)
    net = max(0, gross - first - amount_minor)
    on_top, inside = pricing.taxes_minor
    assert pricing.discounts_minor == (gross - net - first, first)
    assert on_top == round(Decimal(net * tax) / 100)
    assert sum(nets(priced)) == net - inside
    assert sum(line.tax_minor for line in priced) == on_top + inside
    assert all(0 <= line.net_minor <= line.gross_minor for line in priced)


def test_half_a_cent_goes_to_the_even_one() -> None:
    assert line("a", 25, quantity="0.5").gross_minor == 12
    assert line("a", 35, quantity="0.5").gross_minor == 18


def test_a_tip_is_paid_and_is_no_goods() -> None:
    """D13: what the member paid, and what of it can earn."""
    settled = sold(SPEND_1, [line("a", 5000)], tip_minor=900)

    assert (settled.sale.paid_minor, settled.sale.goods_minor) == (5900, 5000)
    assert settled.worth.points.total == 50


@pytest.mark.parametrize("quantity", ["0", "-1", "1000001", "0.000001", "NaN", "Infinity"])
def test_a_quantity_that_nobody_sells_is_refused(quantity: str) -> None:
    with pytest.raises(NumberOutOfRange) as caught:
        line("a", 100, quantity=quantity)
    assert caught.value.field == "line_items.quantity"


def test_impossible_sales_are_refused() -> None:
    with pytest.raises(LineRepeated):
        sold(SPEND_1, [line("a", 1), line("a", 2)])
    with pytest.raises(NumberOutOfRange):
        sold(SPEND_1, [replace(line("a", 1), net_minor=-1)])
    with pytest.raises(NumberOutOfRange):
        sold(SPEND_1, [line("a", 1)], tip_minor=-1)
    with pytest.raises(NumberOutOfRange):
        sold(SPEND_1, [line(str(place), 1) for place in range(501)])
    with pytest.raises(NumberOutOfRange):
        line("a", -1)


def test_a_discount_says_what_it_is_and_of_which_line() -> None:
    lines = [line("a", 100)]
    with pytest.raises(AmountAmbiguous):
        sales.priced(lines, discounts=[Discount()])
    with pytest.raises(AmountAmbiguous):
        sales.priced(lines, taxes=[Tax(percentage=Decimal(5), amount_minor=5)])
    with pytest.raises(LineUnknown):
        sales.priced(lines, discounts=[Discount(amount_minor=1, line_uids=(LineUid("b"),))])
    with pytest.raises(NumberOutOfRange):
        sales.priced(lines, discounts=[Discount(percentage=Decimal(101))])
