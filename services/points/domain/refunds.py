"""Refunds and exchanges: what a sale loses or gains again, by its own terms (SQ-34 to SQ-45, D2).

Everything is told from the sale as it was and its changes in their order, exactly, in fractions;
points are the floors. So a refund in parts ends where one in a piece does, and once nothing
remains of a sale no point does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from math import ceil, floor
from typing import TypeAlias

from services.points.domain import accrual, ledger, terms
from services.points.domain.accrual import AccrualRule, Portion, VisitRule
from services.points.domain.errors import NumberOutOfRange
from services.points.domain.ids import ChangeId, LineUid, PostingId, RewardId
from services.points.domain.ledger import Account, Fact, Movement
from services.points.domain.lots import Lot
from services.points.domain.sale_errors import (
    LineRepeated,
    LineUnknown,
    QuantityExceedsLine,
    RefundExceedsSale,
)
from services.points.domain.sales import LINES_MAX, QUANTITY_MAX, SaleLine, exact
from services.points.domain.terms import (
    NO_POINTS,
    DebtRule,
    RewardOnRefund,
    SalePoints,
    SaleReward,
    SettledSale,
    VisitRefundBasis,
)

# Every change is told again with each later one; a till never comes near.
CHANGES_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedLine:
    """So many of one line come back."""

    uid: LineUid
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FullRefund:
    """All that remains of the sale, its tip included."""

    id: ChangeId


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRefund:
    """Some lines, or some of them."""

    id: ChangeId
    lines: tuple[ReturnedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountRefund:
    """Money without lines, tax included, shared over what remains of the sale (D2, R37)."""

    id: ChangeId
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Lines that come back for others, counted by the terms of the sale (D28, R33, R34)."""

    id: ChangeId
    returned: tuple[ReturnedLine, ...]
    added: tuple[SaleLine, ...]


Change: TypeAlias = FullRefund | ItemRefund | AmountRefund | Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What remains of a sale after some changes.

    `held` is what it has brought and not lost. `measure` is what it held, and how much counted
    for that, when it was sold or last exchanged: shares are taken of it.
    """

    portions: tuple[Portion, ...]
    # Money of the lines that has not been given back, tax included. It is less than that of the
    # portions once an item came back whole of which an amount had taken its share.
    goods_minor: Fraction
    tip_minor: Fraction
    held: SalePoints
    measure: SalePoints
    measure_weight: Fraction
    rule: AccrualRule | None
    # Nothing is left: every line came back, or all the money did (R29).
    nothing_left: bool = False

    @property
    def refundable_minor(self) -> int:
        """The most that may be refunded yet; a part of a cent counts as one."""
        return ceil(self.goods_minor + self.tip_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one change does: points lost (below zero: gained), and rewards that come back."""

    lost: SalePoints
    rewards: tuple[RewardId, ...]
    after: Remains
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """How lost points leave an account.

    `points` are posted; `expired` had gone before, by expiry (D37); `forgiven` would have been a
    debt and is none (CLAMP_ZERO).
    """

    points: int
    expired: int
    forgiven: int


def effect(settled: SettledSale, history: Sequence[Change], change: Change) -> Effect:
    """What a change does to a sale after its earlier ones; nothing is written, so it previews.

    Repeatable: a change whose id the history holds does nothing more (R35). Refuses with
    RefundExceedsSale, QuantityExceedsLine, LineUnknown, LineRepeated, NumberOutOfRange, or, for
    an exchange that gives more than an entry holds, PointsInvalid.
    """
    before = remains(settled, history)
    if any(earlier.id == change.id for earlier in history):
        return Effect(lost=NO_POINTS, rewards=(), after=before, repeated=True)
    if len(history) >= CHANGES_MAX:
        raise NumberOutOfRange(field="refund_id", minimum=0, maximum=CHANGES_MAX)
    after = _changed(before, change, settled)
    _require_money(before, change)
    back = tuple(
        reward.reward_id
        for reward in settled.terms.rewards
        if reward.on_refund is RewardOnRefund.RETURN
        and _is_given_back(reward, after)
        and not _is_given_back(reward, before)
    )
    return Effect(lost=before.held.less(after.held), rewards=back, after=after)


def remains(settled: SettledSale, history: Sequence[Change]) -> Remains:
    """What remains of a sale after its changes, told from the beginning."""
    return reduce(lambda left, change: _changed(left, change, settled), history, _sold(settled))


def withdrawal(
    *,
    lost_points: int,
    balance: int,
    own_lots: Sequence[Lot],
    own_expired: int,
    debt_rule: DebtRule,
) -> Withdrawal:
    """How points of a sale leave: from its own lots, as expired before, from others, as debt.

    `own_expired` is what of the sale's lots has expired and no earlier refund has counted (R31,
    R38). Overdue expiry is posted before.
    """
    own = sum(lot.remaining for lot in own_lots)
    expired = min(own_expired, max(0, lost_points - own))
    points = max(0, lost_points - expired)
    allowed = points
    if debt_rule is DebtRule.CLAMP_ZERO:
        allowed = min(points, max(0, balance))
    return Withdrawal(points=allowed, expired=expired, forgiven=points - allowed)


def withdrawn(
    account: Account,
    leaving: Withdrawal,
    *,
    reverses: PostingId | None,
    own_lots: Sequence[Lot],
    open_lots: Sequence[Lot],
    fact: Fact,
) -> Movement | None:
    """The posting of a withdrawal; None where nothing is left to post."""
    if leaving.points == 0:
        return None
    return ledger.take_back(
        account,
        points=leaving.points,
        reverses=reverses,
        own_lots=own_lots,
        open_lots=open_lots,
        fact=fact,
    )


def _sold(settled: SettledSale) -> Remains:
    """All of a sale."""
    portions = accrual.whole(settled.sale.lines)
    rule = settled.worth.rule
    return Remains(
        portions=portions,
        goods_minor=_paid(portions),
        tip_minor=Fraction(settled.sale.tip_minor),
        held=settled.worth.points,
        measure=settled.worth.points,
        measure_weight=_weight(rule, portions),
        rule=rule,
    )


def _changed(before: Remains, change: Change, settled: SettledSale) -> Remains:
    match change:
        case FullRefund():
            return _emptied(before)
        case ItemRefund(lines=lines):
            return _counted(before, _without(before, lines), settled)
        case AmountRefund(amount_minor=amount_minor):
            return _counted(before, _shared(before, amount_minor), settled)
        case Exchange():
            return _exchanged(before, change, settled)


def _emptied(before: Remains) -> Remains:
    """Nothing is left, and no point of it (SQ-34, SQ-37, SQ-40)."""
    if before.nothing_left and before.tip_minor == 0:
        raise RefundExceedsSale(field="refund", remaining_minor=0)
    portions = tuple(
        replace(portion, quantity=Fraction(0), share=Fraction(0)) for portion in before.portions
    )
    return replace(
        before,
        portions=portions,
        goods_minor=Fraction(0),
        tip_minor=Fraction(0),
        held=NO_POINTS,
        nothing_left=True,
    )


def _without(before: Remains, lines: Sequence[ReturnedLine]) -> Remains:
    """What remains without some lines, or some of them. Points are not counted yet."""
    if not lines:
        raise NumberOutOfRange(field="line_items", minimum=1, maximum=LINES_MAX)
    if before.nothing_left:
        raise RefundExceedsSale(field="line_items", remaining_minor=before.refundable_minor)
    back = _by_line(lines)
    for uid in back.keys() - {portion.line.uid for portion in before.portions}:
        raise LineUnknown(uid=uid)
    portions = tuple(
        _reduced(portion, back.get(portion.line.uid, Fraction(0))) for portion in before.portions
    )
    goods = max(Fraction(0), before.goods_minor - _price(before, lines))
    gone = all(portion.quantity == 0 for portion in portions)
    # All the money is back though some portions are not: amounts have paid for them before.
    paid_back = goods < 1 <= _paid(portions)
    return replace(before, portions=portions, goods_minor=goods, nothing_left=gone or paid_back)


def _price(before: Remains, lines: Sequence[ReturnedLine]) -> Fraction:
    """What was paid for some lines, or some of them, whatever amounts took off them since."""
    back = _by_line(lines)
    return sum(
        (
            portion.line.paid_minor * back[portion.line.uid] / exact(portion.line.quantity)
            for portion in before.portions
            if portion.line.uid in back
        ),
        Fraction(0),
    )


def _paid(portions: Sequence[Portion]) -> Fraction:
    return sum((portion.paid_minor for portion in portions), Fraction(0))


def _require_money(before: Remains, change: Change) -> None:
    """Refuses with RefundExceedsSale what would give back more money than is left.

    Told of a new change only: what was carried out once is told again as it was. A part of a cent
    is nothing, for tills round.
    """
    match change:
        case AmountRefund(amount_minor=amount_minor):
            if amount_minor > before.refundable_minor:
                raise RefundExceedsSale(remaining_minor=before.refundable_minor)
            return
        case ItemRefund(lines=lines):
            field, back = "line_items", _price(before, lines)
        case Exchange(returned=returned, added=added):
            field, back = "returned", _price(before, returned) - _paid(accrual.whole(added))
        case _:
            return
    if back - before.goods_minor >= 1:
        raise RefundExceedsSale(field=field, remaining_minor=ceil(before.goods_minor))


def _by_line(lines: Sequence[ReturnedLine]) -> Mapping[LineUid, Fraction]:
    back: dict[LineUid, Fraction] = {}
    for line in lines:
        if not (line.quantity.is_finite() and line.quantity > 0):
            raise NumberOutOfRange(
                field="line_items.quantity", minimum="0.00001", maximum=QUANTITY_MAX
            )
        back[line.uid] = back.get(line.uid, Fraction(0)) + exact(line.quantity)
    return back


def _reduced(portion: Portion, back: Fraction) -> Portion:
    """A portion without some of its items; their money goes with them, as far as it is there."""
    if back > portion.quantity:
        remaining = Decimal(portion.quantity.numerator) / Decimal(portion.quantity.denominator)
        raise QuantityExceedsLine(uid=portion.line.uid, remaining=remaining)
    if back == 0:
        return portion
    left = portion.quantity - back
    return replace(portion, quantity=left, share=portion.share * left / portion.quantity)


def _shared(before: Remains, amount_minor: int) -> Remains:
    """What remains when money comes off every line in proportion, off the tip last.

    Money that leaves less than a cent of the goods leaves nothing (R29): tills round each part.
    """
    if amount_minor < 1:
        raise NumberOutOfRange(
            field="amount_money", minimum=1, maximum=max(1, before.refundable_minor)
        )
    goods = before.goods_minor
    off = min(Fraction(amount_minor), goods)
    kept = 1 - off / goods if goods else Fraction(1)
    portions = tuple(replace(portion, share=portion.share * kept) for portion in before.portions)
    return replace(
        before,
        portions=portions,
        goods_minor=goods - off,
        tip_minor=max(Fraction(0), before.tip_minor - (amount_minor - off)),
        nothing_left=before.nothing_left or (goods > 0 and goods - off < 1),
    )


def _counted(before: Remains, after: Remains, settled: SettledSale) -> Remains:
    """What remains with its points: a share by the floor of D2, a visit as a whole (D1)."""
    if after.nothing_left:
        return replace(after, held=NO_POINTS)
    rule = before.rule
    if rule is None or before.held == NO_POINTS:
        return after
    if isinstance(rule, VisitRule):
        lost = _visit_is_lost(rule, before, after, settled.terms.visit_refund_basis)
        return replace(after, held=NO_POINTS if lost else before.held)
    if before.measure_weight == 0:
        return after
    gone = 1 - _weight(rule, after.portions) / before.measure_weight
    return replace(after, held=_held(before.measure, gone))


def _held(measure: SalePoints, gone: Fraction) -> SalePoints:
    """What is left of points when a share is gone: the total by one floor, the base by its own.

    What the floors leave between them is the bonus (D2, R15). The total never rises with `gone`.
    """
    base = measure.base - floor(measure.base * gone)
    earned = measure.base + measure.tier_bonus
    with_tier = earned - floor(earned * gone)
    total = measure.total - floor(measure.total * gone)
    return SalePoints(base=base, tier_bonus=with_tier - base, promotion=total - with_tier)


def _visit_is_lost(
    rule: VisitRule, before: Remains, after: Remains, basis: VisitRefundBasis
) -> bool:
    """Whether a refund takes the visit's points: by what remains, or by what this one took (D1)."""
    minimum = rule.minimum_minor or 0
    left = accrual.amount(after.portions, rule.tax_mode)
    if basis is VisitRefundBasis.REMAINING:
        return left < minimum
    return accrual.amount(before.portions, rule.tax_mode) - left < minimum


def _exchanged(before: Remains, change: Exchange, settled: SettledSale) -> Remains:
    """What remains with other lines: worth as much more or less as these terms make of it.

    Where nothing was refunded before, the points are those of a sale of these lines. What earlier
    floors left to the member stays, within what these lines are worth.
    """
    if not change.added:
        raise NumberOutOfRange(field="added", minimum=1, maximum=LINES_MAX)
    after = _without(before, change.returned)
    seen = {portion.line.uid for portion in before.portions}
    for line in change.added:
        if line.uid in seen:
            raise LineRepeated(uid=line.uid)
        seen.add(line.uid)
    if len(seen) > LINES_MAX:
        raise NumberOutOfRange(field="added", minimum=0, maximum=LINES_MAX)
    portions = (*after.portions, *accrual.whole(change.added))
    spent = (
        before.goods_minor - _price(before, change.returned) + _paid(accrual.whole(change.added))
    )
    after = replace(
        after, portions=portions, goods_minor=max(Fraction(0), spent), nothing_left=False
    )
    if settled.sale.account_id is None:
        return after
    then = terms.worth(before.portions, settled.terms)
    now = terms.worth(portions, settled.terms)
    held = SalePoints(
        base=_adjusted(before.held.base, then.points.base, now.points.base),
        tier_bonus=_adjusted(before.held.tier_bonus, then.points.tier_bonus, now.points.tier_bonus),
        promotion=_adjusted(before.held.promotion, then.points.promotion, now.points.promotion),
    )
    # What is given for it comes in one entry.
    accrual.require_entry(held.total - before.held.total)
    rule = now.rule or before.rule
    return replace(
        after,
        held=held,
        measure=held,
        measure_weight=_weight(rule, portions),
        rule=rule,
    )


def _adjusted(held: int, then: int, now: int) -> int:
    """Points held and the difference; none are below zero, nor more than these lines earn."""
    return max(0, min(held + now - then, max(held, now)))


def _weight(rule: AccrualRule | None, portions: Sequence[Portion]) -> Fraction:
    return sum(accrual.weights(rule, portions), Fraction(0)) if rule else Fraction(0)


def _is_given_back(reward: SaleReward, left: Remains) -> bool:
    """Whether what a reward was used on has come back whole."""
    if left.nothing_left or not reward.line_uids:
        return left.nothing_left
    own = [portion for portion in left.portions if portion.line.uid in reward.line_uids]
    return bool(own) and all(portion.quantity == 0 for portion in own)
