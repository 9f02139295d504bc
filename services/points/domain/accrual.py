"""Accrual rules: what a visit, spending, an item or a category earns (SQ-17, SQ-53 to SQ-58).

Amounts are exact fractions here, because a refund leaves a share of a line; the one rounding is
the floor at the end. Tier bonus and promotions come on top and are elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import TypeAlias

from services.points.domain.errors import (
    ExclusionNotAllowed,
    NumberOutOfRange,
    PointsInvalid,
    RuleFieldForeign,
    RuleIncomplete,
    RuleTypeUnknown,
)
from services.points.domain.ids import CatalogId, LineUid
from services.points.domain.ledger import ENTRY_POINTS_MAX
from services.points.domain.sales import AMOUNT_MINOR_MAX, SaleLine, exact

# One per line of the editor; more than that nobody could explain at the till.
RULES_MAX = 50
RULE_POINTS_MAX = 1_000_000
# A catalog's worth; they are frozen with every sale.
EXCLUSIONS_MAX = 1000


class TaxMode(StrEnum):
    """Whether taxes count towards what a sale amounts to; tips never do (D13)."""

    BEFORE_TAX = "BEFORE_TAX"
    AFTER_TAX = "AFTER_TAX"


class RuleType(StrEnum):
    """The four kinds of accrual rules (API: `accrual_type`)."""

    VISIT = "VISIT"
    SPEND = "SPEND"
    ITEM_VARIATION = "ITEM_VARIATION"
    CATEGORY = "CATEGORY"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRule:
    """So many points for a visit of at least `minimum_minor`."""

    points: int
    minimum_minor: int | None = None
    tax_mode: TaxMode = TaxMode.BEFORE_TAX


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendRule:
    """So many points for every whole `amount_minor` of what is not excluded.

    `excluded_item_ids` holds ids of variations, or of items, which stand for all their variations.
    """

    points: int
    amount_minor: int
    tax_mode: TaxMode = TaxMode.BEFORE_TAX
    excluded_category_ids: frozenset[CatalogId] = frozenset()
    excluded_item_ids: frozenset[CatalogId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRule:
    """So many points for each of one item variation."""

    points: int
    variation_id: CatalogId


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRule:
    """So many points for each item of one category."""

    points: int
    category_id: CatalogId


AccrualRule: TypeAlias = VisitRule | SpendRule | ItemRule | CategoryRule


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDraft:
    """An accrual rule as somebody wrote it: every field of every type, to be checked."""

    type: str
    points: int | None = None
    tax_mode: str | None = None
    minimum_minor: int | None = None
    amount_minor: int | None = None
    excluded_category_ids: tuple[CatalogId, ...] = ()
    excluded_item_ids: tuple[CatalogId, ...] = ()
    variation_id: CatalogId | None = None
    category_id: CatalogId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What is left of a line of a sale: how many of it, and which share of its money."""

    line: SaleLine
    quantity: Fraction
    share: Fraction

    @property
    def paid_minor(self) -> Fraction:
        """What is left of what the member paid for it."""
        return self.line.paid_minor * self.share

    def amount_minor(self, tax_mode: TaxMode) -> Fraction:
        """What it amounts to, with tax or without."""
        if tax_mode is TaxMode.AFTER_TAX:
            return self.paid_minor
        return self.line.net_minor * self.share


@dataclass(frozen=True, slots=True, kw_only=True)
class Accrual:
    """The base points of a sale, the rule that gave them, and the lines that gave nothing.

    `silent_lines` are those that the client is told of at the till (SQ-58).
    """

    points: int
    rule: AccrualRule | None
    silent_lines: tuple[LineUid, ...] = ()


def whole(lines: Sequence[SaleLine]) -> tuple[Portion, ...]:
    """Lines of which everything is there yet."""
    return tuple(
        Portion(line=line, quantity=exact(line.quantity), share=Fraction(1)) for line in lines
    )


def accrued(rules: Sequence[AccrualRule], portions: Sequence[Portion]) -> Accrual:
    """What the rule that gives most gives; of equals the first. Refuses with PointsInvalid."""
    best: AccrualRule | None = None
    points = 0
    for rule in rules:
        worth = base_points(rule, portions)
        if worth > points:
            best, points = rule, worth
    require_entry(points)
    # Where nothing earns, the first rule tells which lines never could.
    telling = best or (rules[0] if rules else None)
    silent = tuple(
        portion.line.uid for portion in portions if telling is None or not earns(telling, portion)
    )
    return Accrual(points=points, rule=best, silent_lines=silent)


def base_points(rule: AccrualRule, portions: Sequence[Portion]) -> int:
    """What one rule gives for what there is of a sale, fractions dropped; never below zero."""
    match rule:
        case VisitRule(points=points, minimum_minor=minimum, tax_mode=tax_mode):
            came = any(portion.quantity > 0 and portion.share > 0 for portion in portions)
            return points if came and amount(portions, tax_mode) >= (minimum or 0) else 0
        case SpendRule(points=points, amount_minor=amount_minor):
            return points * floor(sum(weights(rule, portions), Fraction(0)) / amount_minor)
        case ItemRule() | CategoryRule():
            return floor(sum(weights(rule, portions), Fraction(0)))


def weights(rule: AccrualRule, portions: Sequence[Portion]) -> tuple[Fraction, ...]:
    """By how much each portion counts under a rule: qualifying money, or points of an item.

    A visit has no lines of its own; its money counts.
    """
    return tuple(_weight(rule, portion) for portion in portions)


def earns(rule: AccrualRule, portion: Portion) -> bool:
    """Whether a line counts at all under a rule."""
    match rule:
        case VisitRule():
            return True
        case SpendRule():
            return not is_excluded(rule, portion.line)
        case ItemRule(variation_id=variation_id):
            return portion.line.variation_id == variation_id
        case CategoryRule(category_id=category_id):
            return category_id in portion.line.category_ids


def is_excluded(rule: SpendRule, line: SaleLine) -> bool:
    """Excluded by itself, by its item, or by a category it was in when sold (SQ-53, SQ-55)."""
    if not rule.excluded_category_ids.isdisjoint(line.category_ids):
        return True
    return any(
        catalog_id in rule.excluded_item_ids
        for catalog_id in (line.variation_id, line.item_id)
        if catalog_id is not None
    )


def amount(portions: Sequence[Portion], tax_mode: TaxMode) -> Fraction:
    """What is left of a sale amounts to this; a tip is no part of it."""
    return sum((portion.amount_minor(tax_mode) for portion in portions), Fraction(0))


def rule_type(rule: AccrualRule) -> RuleType:
    """Which of the four kinds a rule is."""
    match rule:
        case VisitRule():
            return RuleType.VISIT
        case SpendRule():
            return RuleType.SPEND
        case ItemRule():
            return RuleType.ITEM_VARIATION
        case CategoryRule():
            return RuleType.CATEGORY


def tax_mode_of(rule: AccrualRule) -> TaxMode:
    """How a rule counts money; items and categories count none."""
    if isinstance(rule, VisitRule | SpendRule):
        return rule.tax_mode
    return TaxMode.BEFORE_TAX


def require_entry(points: int) -> None:
    """Refuses more points than one entry may hold, never wraps them."""
    if points > ENTRY_POINTS_MAX:
        raise PointsInvalid(minimum=0, maximum=ENTRY_POINTS_MAX)


def rules_from(drafts: Sequence[RuleDraft]) -> tuple[AccrualRule, ...]:
    """The checked rules of a program; the field of a refusal names the rule and its part.

    Refuses with RuleTypeUnknown, RuleIncomplete, RuleFieldForeign, ExclusionNotAllowed,
    NumberOutOfRange, or PointsInvalid.
    """
    if not 1 <= len(drafts) <= RULES_MAX:
        raise NumberOutOfRange(field="accrual_rules", minimum=1, maximum=RULES_MAX)
    return tuple(
        _rule(draft, field=f"accrual_rules[{place}]") for place, draft in enumerate(drafts)
    )


def _weight(rule: AccrualRule, portion: Portion) -> Fraction:
    if not earns(rule, portion):
        return Fraction(0)
    if isinstance(rule, ItemRule | CategoryRule):
        return rule.points * portion.quantity
    return portion.amount_minor(rule.tax_mode)


def _rule(draft: RuleDraft, *, field: str) -> AccrualRule:
    rule_type = next((it for it in RuleType if it == draft.type), None)
    if rule_type is None:
        raise RuleTypeUnknown(field=f"{field}.accrual_type")
    _require_own_data(draft, rule_type, field=field)
    points = _points(draft, field=f"{field}.points")
    match rule_type:
        case RuleType.VISIT:
            minimum = draft.minimum_minor
            if minimum is not None:
                _require_money(minimum, field=f"{field}.visit_data.minimum_amount_money")
            tax_mode = _tax_mode(draft, field=f"{field}.visit_data.tax_mode")
            return VisitRule(points=points, minimum_minor=minimum, tax_mode=tax_mode)
        case RuleType.SPEND:
            return _spend_rule(draft, points=points, field=f"{field}.spend_data")
        case RuleType.ITEM_VARIATION:
            if not draft.variation_id:
                raise RuleIncomplete(field=f"{field}.item_variation_data.item_variation_id")
            return ItemRule(points=points, variation_id=draft.variation_id)
        case RuleType.CATEGORY:
            if not draft.category_id:
                raise RuleIncomplete(field=f"{field}.category_data.category_id")
            return CategoryRule(points=points, category_id=draft.category_id)


def _spend_rule(draft: RuleDraft, *, points: int, field: str) -> SpendRule:
    if draft.amount_minor is None:
        raise RuleIncomplete(field=f"{field}.amount_money")
    _require_money(draft.amount_minor, field=f"{field}.amount_money")
    for name, ids in (
        ("excluded_category_ids", draft.excluded_category_ids),
        ("excluded_item_variation_ids", draft.excluded_item_ids),
    ):
        if len(ids) > EXCLUSIONS_MAX:
            raise NumberOutOfRange(field=f"{field}.{name}", minimum=0, maximum=EXCLUSIONS_MAX)
    return SpendRule(
        points=points,
        amount_minor=draft.amount_minor,
        tax_mode=_tax_mode(draft, field=f"{field}.tax_mode"),
        excluded_category_ids=frozenset(draft.excluded_category_ids),
        excluded_item_ids=frozenset(draft.excluded_item_ids),
    )


def _require_own_data(draft: RuleDraft, rule_type: RuleType, *, field: str) -> None:
    """Refuses data of another type: it would be dropped without a word."""
    if rule_type is not RuleType.SPEND and (draft.excluded_category_ids or draft.excluded_item_ids):
        raise ExclusionNotAllowed(field=f"{field}.spend_data")
    data = (
        (RuleType.VISIT, "visit_data.minimum_amount_money", draft.minimum_minor),
        (RuleType.SPEND, "spend_data.amount_money", draft.amount_minor),
        (RuleType.ITEM_VARIATION, "item_variation_data", draft.variation_id),
        (RuleType.CATEGORY, "category_data", draft.category_id),
    )
    for owner, name, value in data:
        if value is not None and owner is not rule_type:
            raise RuleFieldForeign(field=f"{field}.{name}")
    if draft.tax_mode is not None and rule_type not in (RuleType.VISIT, RuleType.SPEND):
        raise RuleFieldForeign(field=f"{field}.tax_mode")


def _points(draft: RuleDraft, *, field: str) -> int:
    if draft.points is None:
        raise RuleIncomplete(field=field)
    if not 1 <= draft.points <= RULE_POINTS_MAX:
        raise PointsInvalid(field=field, minimum=1, maximum=RULE_POINTS_MAX)
    return draft.points


def _tax_mode(draft: RuleDraft, *, field: str) -> TaxMode:
    if draft.tax_mode is None:
        return TaxMode.BEFORE_TAX
    mode = next((it for it in TaxMode if it == draft.tax_mode), None)
    if mode is None:
        raise RuleIncomplete(field=field)
    return mode


def _require_money(amount_minor: int, *, field: str) -> None:
    if not 1 <= amount_minor <= AMOUNT_MINOR_MAX:
        raise NumberOutOfRange(field=field, minimum=1, maximum=AMOUNT_MINOR_MAX)
