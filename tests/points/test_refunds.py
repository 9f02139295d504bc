"""Refunds and exchanges: every row of the worked table, and laws that hold of any sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from services.points.domain import refunds
from services.points.domain.accrual import AccrualRule
from services.points.domain.errors import NumberOutOfRange
from services.points.domain.ids import ChangeId, LineUid, RewardId
from services.points.domain.refunds import Change, Exchange, ReturnedLine
from services.points.domain.sale_errors import (
    LineRepeated,
    LineUnknown,
    QuantityExceedsLine,
    RefundExceedsSale,
)
from services.points.domain.sales import SaleLine
from services.points.domain.terms import (
    NO_POINTS,
    DebtRule,
    RewardOnRefund,
    SaleReward,
    SettledSale,
    VisitRefundBasis,
)
from tests.points.tally import (
    COUPE,
    COUPE_2,
    NOON,
    PRODUCTS,
    SERVICES_ONLY,
    SHAMPOO,
    SOIN,
    SOINS,
    SOINS_5,
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

LITERAL = VisitRefundBasis.REFUNDED
FEBRUARY_3 = datetime(2027, 2, 3, 12, 0, tzinfo=UTC)


def lost(settled: SettledSale, changes: list[Change]) -> list[int]:
    """Points that each change takes, one after another."""
    return [
        refunds.effect(settled, changes[:place], change).lost.total
        for place, change in enumerate(changes)
    ]


def hundred() -> list[SaleLine]:
    return [line("a", 2500), line("b", 7500)]


def service_and_product() -> list[SaleLine]:
    return [line("service", 3000, quantity="2"), line("product", 4000, category=PRODUCTS)]


def coupe_and_shampoo() -> list[SaleLine]:
    return [line("coupe", 4000, variation=COUPE), line("shampoo", 2000, variation=SHAMPOO)]


def three_coupes() -> list[SaleLine]:
    return [line("coupe", 4000, quantity="3", variation=COUPE)]


def taxed() -> list[SaleLine]:
    return [replace(line("a", 5000), tax_minor=749)]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the refund table: what each refund takes."""

    id: str
    rule: AccrualRule
    lines: list[SaleLine]
    earned: int
    refunds: list[Change]
    takes: list[int]
    literal: list[int] | None = None
    multiplier: Decimal = Decimal(1)


THIRDS: list[Change] = [custom(3333, id="1"), custom(3333, id="2"), custom(3334, id="3")]
EIGHTS: list[Change] = [custom(800, id="1"), custom(800, id="2"), custom(500, id="3")]
TWO = [line("a", 1000), line("b", 2500)]

ROWS = [
    Row(id="R01", rule=SPEND_1, lines=hundred(), earned=100, refunds=[full()], takes=[100]),
    Row(id="R02", rule=SPEND_1, lines=hundred(), earned=100, refunds=[items("a")], takes=[25]),
    Row(id="R03", rule=SPEND_1, lines=hundred(), earned=100, refunds=THIRDS[:1], takes=[33]),
    Row(id="R04", rule=SPEND_1, lines=hundred(), earned=100, refunds=THIRDS[:2], takes=[33, 33]),
    Row(id="R05", rule=SPEND_1, lines=hundred(), earned=100, refunds=THIRDS, takes=[33, 33, 34]),
    Row(
        id="R06", rule=SPEND_10, lines=[line("a", 2190)], earned=2, refunds=[custom(100)], takes=[0]
    ),
    Row(
        id="R07",
        rule=SPEND_10,
        lines=[line("a", 2190)],
        earned=2,
        refunds=[custom(1000)],
        takes=[0],
    ),
    Row(
        id="R08",
        rule=SPEND_10,
        lines=[line("a", 2190)],
        earned=2,
        refunds=[custom(2000)],
        takes=[1],
    ),
    Row(
        id="R09",
        rule=SPEND_10,
        lines=[line("a", 2190)],
        earned=2,
        refunds=[custom(1000, id="1"), custom(1000, id="2")],
        takes=[0, 1],
    ),
    Row(
        id="R10",
        rule=SPEND_10,
        lines=[line("a", 5000), line("b", 5500)],
        earned=10,
        refunds=[items("a")],
        takes=[4],
    ),
    Row(
        id="R11",
        rule=SPEND_5,
        lines=[line("a", 2000), line("b", 4000)],
        earned=12,
        refunds=[items("a")],
        takes=[4],
    ),
    Row(
        id="R12",
        rule=SERVICES_ONLY,
        lines=service_and_product(),
        earned=60,
        refunds=[items("product")],
        takes=[0],
    ),
    Row(
        id="R13",
        rule=SERVICES_ONLY,
        lines=service_and_product(),
        earned=60,
        refunds=[items("service")],
        takes=[30],
    ),
    Row(
        id="R14",
        rule=SERVICES_ONLY,
        lines=service_and_product(),
        earned=60,
        refunds=[custom(4000)],
        takes=[24],
    ),
    Row(
        id="R15",
        rule=SPEND_1,
        lines=[line("a", 1500), line("b", 1500)],
        earned=37,
        refunds=[items("a"), full()],
        takes=[18, 19],
        multiplier=Decimal("1.25"),
    ),
    Row(
        id="R15-full",
        rule=SPEND_1,
        lines=[line("a", 3000)],
        earned=37,
        refunds=[full()],
        takes=[37],
        multiplier=Decimal("1.25"),
    ),
    Row(id="R16", rule=SPEND_1, lines=taxed(), earned=50, refunds=[full()], takes=[50]),
    Row(
        id="R16-amount", rule=SPEND_1, lines=taxed(), earned=50, refunds=[custom(5749)], takes=[50]
    ),
    Row(id="R17", rule=VISIT_20, lines=TWO, earned=1, refunds=[full()], takes=[1], literal=[1]),
    Row(id="R18", rule=VISIT_20, lines=TWO, earned=1, refunds=[items("a")], takes=[0], literal=[1]),
    Row(
        id="R19",
        rule=VISIT_20,
        lines=[line("a", 1500), line("b", 2000)],
        earned=1,
        refunds=[items("a")],
        takes=[0],
        literal=[1],
    ),
    Row(
        id="R20", rule=VISIT_20, lines=TWO, earned=1, refunds=[custom(1600)], takes=[1], literal=[1]
    ),
    Row(id="R21", rule=VISIT_20, lines=TWO, earned=1, refunds=EIGHTS, takes=[0, 1, 0]),
    Row(
        id="R22",
        rule=VISIT_20,
        lines=[line("a", 4000), line("b", 1000)],
        earned=1,
        refunds=[items("a")],
        takes=[1],
        literal=[0],
    ),
    Row(
        id="R23",
        rule=VISIT,
        lines=[line("a", 4900), line("b", 100)],
        earned=1,
        refunds=[items("a"), full()],
        takes=[0, 1],
        literal=[0, 1],
    ),
    Row(
        id="R24",
        rule=COUPE_2,
        lines=coupe_and_shampoo(),
        earned=2,
        refunds=[items("shampoo")],
        takes=[0],
    ),
    Row(
        id="R25", rule=COUPE_2, lines=three_coupes(), earned=6, refunds=[items("coupe")], takes=[2]
    ),
    Row(id="R26", rule=COUPE_2, lines=three_coupes(), earned=6, refunds=[custom(4000)], takes=[0]),
    Row(id="R27", rule=COUPE_2, lines=three_coupes(), earned=6, refunds=[full()], takes=[6]),
    Row(
        id="R28",
        rule=SOINS_5,
        lines=[line("soin", 6000, variation=SOIN, category=SOINS), line("coupe", 4000)],
        earned=5,
        refunds=[items("soin")],
        takes=[5],
    ),
    Row(id="R29", rule=COUPE_2, lines=three_coupes(), earned=6, refunds=[custom(12000)], takes=[6]),
    Row(
        id="R35",
        rule=SPEND_1,
        lines=hundred(),
        earned=100,
        refunds=[items("a"), items("a")],
        takes=[25, 0],
    ),
    Row(
        id="R37",
        rule=SERVICES_ONLY,
        lines=service_and_product(),
        earned=60,
        refunds=[items("product"), custom(3000)],
        takes=[0, 30],
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_refund_takes_what_the_table_says(row: Row) -> None:
    """SQ-34 to SQ-42, R01 to R29, R35, R37."""
    settled = sold(row.rule, row.lines, tier_multiplier=row.multiplier)

    assert settled.worth.points.total == row.earned
    assert lost(settled, row.refunds) == row.takes


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.literal is not None], ids=lambda row: row.id
)
def test_the_literal_reading_compares_what_was_refunded(row: Row) -> None:
    """D1: the switch REFUNDED, R17 to R23."""
    settled = sold(row.rule, row.lines, visit_refund_basis=LITERAL)

    assert lost(settled, row.refunds) == row.literal


def test_base_and_bonus_leave_by_their_own_floors() -> None:
    """R15: of 37 points for $30, half takes 18, of which 15 are base and 3 bonus."""
    settled = sold(SPEND_1, [line("a", 1500), line("b", 1500)], tier_multiplier=Decimal("1.25"))

    gone = refunds.effect(settled, [], items("a")).lost

    assert (gone.base, gone.tier_bonus, gone.promotion) == (15, 3, 0)


@pytest.mark.parametrize(
    ("debt_rule", "balance", "forgiven"),
    [(DebtRule.ALLOW_NEGATIVE, -95, 0), (DebtRule.CLAMP_ZERO, 0, 95)],
    ids=["R30", "R30-clamp"],
)
def test_a_refund_of_points_that_were_spent_is_a_debt(
    debt_rule: DebtRule, balance: int, forgiven: int
) -> None:
    """R30, D3: 95 of 100 are spent; the refund leaves -95, or 0 where debts are clamped."""
    tally, settled = Tally(), sold(SPEND_1, hundred())
    tally.sell(settled)
    tally.spend(95)

    effect, leaving = tally.refund(settled, full(), debt_rule=debt_rule)

    assert effect.lost.total == 100
    assert leaving is not None
    assert (tally.balance, leaving.forgiven) == (balance, forgiven)


@pytest.mark.parametrize(
    ("spent", "posted", "balance"), [(0, 0, 0), (40, 40, -40)], ids=["R31", "R38"]
)
def test_points_of_the_sale_that_expired_count_as_removed(
    spent: int, posted: int, balance: int
) -> None:
    """R31, R38, D37: what is gone by expiry is not taken a second time."""
    tally, settled = Tally(), sold(SPEND_1, hundred(), expiry_policy="P3M")
    tally.sell(settled)
    if spent:
        tally.spend(spent)

    _, leaving = tally.refund(settled, full(), at=FEBRUARY_3)

    assert leaving is not None
    assert (leaving.points, leaving.expired) == (posted, 100 - spent)
    assert tally.balance == balance


@pytest.mark.parametrize("parts", [[5000, 5000], [1000, 2000, 7000], [9999, 1]])
def test_expired_points_count_once_over_refunds_in_parts(parts: list[int]) -> None:
    """R38 in parts ends where R38 in one piece does."""
    tally, settled = Tally(), sold(SPEND_1, hundred(), expiry_policy="P3M")
    tally.sell(settled)
    tally.spend(40)

    for place, amount_minor in enumerate(parts):
        tally.refund(settled, custom(amount_minor, id=str(place)), at=FEBRUARY_3)

    assert tally.balance == -40


def test_what_the_sale_still_holds_goes_before_what_expired_counts() -> None:
    """D37: a lot of an exchange holds 50; 30 leave from it, and the 60 that expired wait."""
    tally = Tally()
    own = tally.lots[tally.earn(50)]

    leaving = refunds.withdrawal(
        lost_points=30,
        balance=50,
        own_lots=[own],
        own_expired=60,
        debt_rule=DebtRule.ALLOW_NEGATIVE,
    )

    assert (leaving.points, leaving.expired, leaving.forgiven) == (30, 0, 0)


def test_a_clamped_refund_leaves_an_older_debt_as_it_is() -> None:
    """D3: with CLAMP_ZERO a balance of -5 takes nothing more, and nothing is given."""
    leaving = refunds.withdrawal(
        lost_points=30, balance=-5, own_lots=[], own_expired=0, debt_rule=DebtRule.CLAMP_ZERO
    )

    assert (leaving.points, leaving.forgiven) == (0, 30)


def test_a_sale_without_a_member_loses_nothing() -> None:
    """R32, SQ-45: neither refund nor exchange of an anonymous sale moves a point."""
    settled = sold(SPEND_1, hundred(), anonymous=True)
    exchange = Exchange(
        id=ChangeId("x"),
        returned=(ReturnedLine(uid=LineUid("a"), quantity=Decimal(1)),),
        added=(line("c", 9000),),
    )

    assert settled.worth.points == NO_POINTS
    assert lost(settled, [exchange, full()]) == [0, 0]


@pytest.mark.parametrize(
    ("on_refund", "back"),
    [(RewardOnRefund.RETURN, True), (RewardOnRefund.KEEP, False)],
    ids=["R36-return", "R36-keep"],
)
def test_a_reward_of_the_sale_comes_back_with_the_whole_of_it(
    on_refund: RewardOnRefund, back: bool
) -> None:
    """R36, N5: $90 after 10 % off; the last refund gives the reward back, once, or never."""
    reward_id = RewardId(UUID(int=8))
    reward = SaleReward(reward_id=reward_id, on_refund=on_refund)
    settled = sold(SPEND_1, [line("a", 9000)], rewards=(reward,))

    effects = [
        refunds.effect(settled, [], custom(4000)),
        refunds.effect(settled, [custom(4000)], full()),
    ]

    assert sum(effect.lost.total for effect in effects) == 90
    assert [effect.rewards for effect in effects] == [(), (reward_id,) if back else ()]


def test_a_reward_for_one_line_comes_back_with_that_line() -> None:
    """N5: a free item that is returned gives its reward back, the rest of the sale or not."""
    reward = SaleReward(
        reward_id=RewardId(UUID(int=8)),
        on_refund=RewardOnRefund.RETURN,
        line_uids=(LineUid("a"),),
    )
    settled = sold(SPEND_1, hundred(), rewards=(reward,))

    assert refunds.effect(settled, [], items("b")).rewards == ()
    assert refunds.effect(settled, [items("b")], items("a", id="2")).rewards == (reward.reward_id,)


@pytest.mark.parametrize(
    ("history", "change", "refusal"),
    [
        ([], custom(10001), RefundExceedsSale),
        ([custom(9000)], custom(1001, id="2"), RefundExceedsSale),
        ([full()], full(id="2"), RefundExceedsSale),
        ([full()], items("a"), RefundExceedsSale),
        ([custom(8000)], items("a", id="2"), RefundExceedsSale),
        (
            [custom(8000)],
            Exchange(id=ChangeId("x"), returned=items("a").lines, added=(line("c", 100),)),
            RefundExceedsSale,
        ),
        ([items("a")], items("a", id="2"), QuantityExceedsLine),
        ([], items("a*1.5"), QuantityExceedsLine),
        ([], items("nobody"), LineUnknown),
        ([], items(), NumberOutOfRange),
        ([], items("a*0"), NumberOutOfRange),
        ([], items("a*-1"), NumberOutOfRange),
        ([], custom(0), NumberOutOfRange),
        ([], custom(-5), NumberOutOfRange),
        (
            [],
            Exchange(id=ChangeId("x"), returned=items("a").lines, added=(line("b", 5),)),
            LineRepeated,
        ),
        ([], Exchange(id=ChangeId("x"), returned=items("a").lines, added=()), NumberOutOfRange),
        ([], Exchange(id=ChangeId("x"), returned=(), added=(line("c", 5),)), NumberOutOfRange),
    ],
)
def test_more_than_the_sale_is_refused(
    history: list[Change], change: Change, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        refunds.effect(sold(SPEND_1, hundred()), history, change)


def test_money_given_back_adds_up_to_the_sale_at_most() -> None:
    """An amount, then lines: they give their price back, and the refusal says how much is left."""
    settled = sold(SPEND_1, [line("a", 4000), line("b", 3500), line("c", 2500)])

    with pytest.raises(RefundExceedsSale) as refused:
        refunds.effect(settled, [custom(7000)], items("a", id="2"))
    assert refused.value.params == {"remaining_minor": "3000"}
    assert refused.value.field == "line_items"
    left = refunds.remains(settled, [custom(7000), items("c", id="2")])
    assert left.refundable_minor == 500
    with pytest.raises(RefundExceedsSale):
        refunds.effect(settled, [custom(7000), items("c", id="2")], custom(501, id="3"))


def test_lines_that_give_the_last_money_back_leave_no_point() -> None:
    """$60, then a line of $40: all is paid back, whatever lines did not come back."""
    settled = sold(SPEND_1, [line("a", 4000), line("b", 6000)])

    assert sum(lost(settled, [custom(6000), items("a", id="2")])) == 100
    assert refunds.remains(settled, [custom(6000), items("a", id="2")]).nothing_left


def test_an_exchange_for_more_gives_nothing_back() -> None:
    """$80 back, then a line of $60 for one of $60: no money moves, so none is too much."""
    settled = sold(SPEND_1, hundred())
    exchange = Exchange(id=ChangeId("x"), returned=items("a").lines, added=(line("c", 6000),))

    assert refunds.effect(settled, [custom(8000)], exchange).after.refundable_minor >= 2000


def test_a_tip_is_refunded_last_and_takes_no_points() -> None:
    """D13: $100 and a $15 tip; $100 back takes every point, the tip none, more is refused."""
    settled = sold(SPEND_1, hundred(), tip_minor=1500)

    assert lost(settled, [custom(10000), custom(1500, id="2")]) == [100, 0]
    with pytest.raises(RefundExceedsSale):
        refunds.effect(settled, [custom(11500)], custom(1, id="2"))


def test_a_part_of_a_cent_that_tills_round_away_leaves_no_point() -> None:
    """$100 for three: one comes back for $33.33, then the other $66.66 in money."""
    settled = sold(SPEND_1, [replace(line("a", 0, quantity="3"), net_minor=10000)])

    assert lost(settled, [items("a"), custom(6666)]) == [33, 67]


def test_the_sales_own_lot_pays_before_others() -> None:
    """D37: a younger lot of the sale empties before older points of the member do."""
    tally, settled = Tally(), sold(SPEND_1, hundred())
    older = tally.earn(50, at=NOON, policy="P1M")
    tally.sell(settled)

    tally.refund(settled, items("b"))

    assert tally.lots[older].remaining == 50
    assert tally.lots[tally.own[0]].remaining == 25
