"""Exchanges: other lines under the terms of the sale (SQ-43 to SQ-45)."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from services.points.domain import refunds
from services.points.domain.ids import ChangeId, LineUid, PromotionId
from services.points.domain.promotions import Multiplier, PromotionTerms
from services.points.domain.refunds import Change, Exchange
from services.points.domain.terms import SettledSale, VisitRefundBasis
from tests.points.tally import SPEND_1, SPEND_10, VISIT_20, custom, full, items, line, sold

TWO = [line("a", 1000), line("b", 2500)]


def lost(settled: SettledSale, changes: list[Change]) -> list[int]:
    """Points that each change takes, one after another."""
    return [
        refunds.effect(settled, changes[:place], change).lost.total
        for place, change in enumerate(changes)
    ]


@pytest.mark.parametrize(
    ("before", "after", "taken"), [(6000, 4000, 20), (4000, 6000, -20)], ids=["R33", "R34"]
)
def test_an_exchange_counts_by_the_terms_of_the_sale(before: int, after: int, taken: int) -> None:
    """R33, R34, SQ-43, SQ-44: nothing but the sale is asked, no program of today."""
    settled = sold(SPEND_1, [line("a", before)])
    exchange = Exchange(id=ChangeId("x"), returned=items("a").lines, added=(line("b", after),))

    assert lost(settled, [exchange, full()]) == [taken, before // 100 - taken]


def test_a_tier_and_a_promotion_of_the_sale_hold_for_its_exchange() -> None:
    """SQ-44: the bonus and the promotion of the day apply to what is added."""
    promotion = PromotionTerms(
        id=PromotionId(UUID(int=9)), incentive=Multiplier(multiplier=Decimal(2))
    )
    settled = sold(
        SPEND_1, [line("a", 4000)], tier_multiplier=Decimal("1.5"), promotions=(promotion,)
    )
    exchange = Exchange(id=ChangeId("x"), returned=items("a").lines, added=(line("b", 6000),))

    gone = refunds.effect(settled, [], exchange).lost

    assert (gone.base, gone.tier_bonus, gone.promotion) == (-20, -10, -20)


def test_an_exchange_gives_a_lost_visit_back_once() -> None:
    """A visit that fell below its minimum counts again when the sale rises above it, not twice."""
    settled = sold(VISIT_20, TWO)
    up = Exchange(id=ChangeId("x"), returned=items("a").lines, added=(line("c", 3000),))
    again = Exchange(id=ChangeId("y"), returned=items("c").lines, added=(line("d", 3000),))

    assert lost(settled, [custom(1600), up, again, full()]) == [1, -1, 0, 1]


def test_an_even_exchange_after_a_refund_moves_no_point() -> None:
    """What an earlier floor left to the member stays: $21.90, $10 back, then like for like."""
    settled = sold(SPEND_10, [line("a", 1000), line("b", 1190)])
    even = Exchange(id=ChangeId("x"), returned=items("b").lines, added=(line("c", 1190),))

    assert lost(settled, [items("a"), even, full()]) == [0, 0, 2]


def test_a_refund_after_an_exchange_is_shared_over_the_new_lines() -> None:
    """SQ-43: $40 becomes $60; a third of the new line back takes a third of its points."""
    settled = sold(SPEND_1, [line("a", 4000)])
    exchange = Exchange(
        id=ChangeId("x"), returned=items("a").lines, added=(line("b", 2000, quantity="3"),)
    )

    assert lost(settled, [exchange, items("b"), custom(4000)]) == [-20, 20, 40]
    assert LineUid("b") in {
        portion.line.uid for portion in refunds.remains(settled, [exchange]).portions
    }


def test_a_visit_that_a_refund_left_is_not_counted_twice() -> None:
    """D1, R22 read literally: $40 of $50 back keeps the point; $10 for $50 then adds none."""
    settled = sold(
        VISIT_20,
        [line("a", 4000), line("b", 1000)],
        visit_refund_basis=VisitRefundBasis.REFUNDED,
    )
    up = Exchange(id=ChangeId("x"), returned=items("b").lines, added=(line("c", 5000),))

    assert lost(settled, [items("a"), up, full()]) == [0, 0, 1]
