"""What a program looks like: Square's object with its rules, and what is ours besides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NotRequired

from loyalty.enrollment.v1.enrollment_pb2 import Salon
from loyalty.points.v1 import points_pb2
from loyalty.rewards.v1 import rewards_pb2
from typing_extensions import TypedDict

from services.gateway.pos.rules import NEVER
from services.gateway.pos.shapes import MoneyShape, RewardTierShape, moment, tier_shape


class TerminologyShape(TypedDict):
    """What the chain calls one point and several."""

    one: str
    other: str


class VisitDataShape(TypedDict):
    """How a visit earns."""

    minimum_amount_money: NotRequired[MoneyShape]
    tax_mode: str


class SpendDataShape(TypedDict):
    """How spending earns."""

    amount_money: MoneyShape
    excluded_category_ids: NotRequired[list[str]]
    excluded_item_variation_ids: NotRequired[list[str]]
    tax_mode: str


class ItemVariationDataShape(TypedDict):
    """Which item variation earns."""

    item_variation_id: str


class CategoryDataShape(TypedDict):
    """Which category's items earn."""

    category_id: str


class AccrualRuleShape(TypedDict):
    """What earns how much."""

    accrual_type: str
    points: int
    visit_data: NotRequired[VisitDataShape]
    spend_data: NotRequired[SpendDataShape]
    item_variation_data: NotRequired[ItemVariationDataShape]
    category_data: NotRequired[CategoryDataShape]


class ExpirationShape(TypedDict):
    """How long points last."""

    expiration_duration: str


class MemberTierShape(TypedDict):
    """A level of the program."""

    id: str
    name: str
    threshold: int
    multiplier: str


class RefundSettingsShape(TypedDict):
    """What a refund does."""

    visit_refund_basis: str
    debt_rule: str
    reward_on_refund: str


class ProgramShape(TypedDict):
    """A loyalty program."""

    id: str
    status: str
    name: str
    reward_tiers: list[RewardTierShape]
    expiration_policy: NotRequired[ExpirationShape]
    terminology: TerminologyShape
    location_ids: list[str]
    accrual_rules: list[AccrualRuleShape]
    tiers: list[MemberTierShape]
    tiers_launched_at: NotRequired[str]
    refund_settings: RefundSettingsShape
    cool_down_seconds: int
    created_at: str
    updated_at: str
    version: int
    points_code: NotRequired[str]
    multi_point_code: NotRequired[str]


_ACCRUAL_TYPES: Final = {
    points_pb2.ACCRUAL_TYPE_VISIT: "VISIT",
    points_pb2.ACCRUAL_TYPE_SPEND: "SPEND",
    points_pb2.ACCRUAL_TYPE_ITEM_VARIATION: "ITEM_VARIATION",
    points_pb2.ACCRUAL_TYPE_CATEGORY: "CATEGORY",
}


def rule_shape(rule: points_pb2.AccrualRule, *, currency: str) -> AccrualRuleShape:
    """An accrual rule with the data of its own type."""
    shape: AccrualRuleShape = {
        "accrual_type": _ACCRUAL_TYPES[rule.type],
        "points": rule.points,
    }
    # Unset is before tax (D13).
    after_tax = rule.tax_mode == points_pb2.TAX_MODE_AFTER_TAX
    tax_mode = "AFTER_TAX" if after_tax else "BEFORE_TAX"
    match rule.type:
        case points_pb2.ACCRUAL_TYPE_VISIT:
            visit: VisitDataShape = {"tax_mode": tax_mode}
            if rule.HasField("minimum_minor"):
                visit["minimum_amount_money"] = {"amount": rule.minimum_minor, "currency": currency}
            shape["visit_data"] = visit
        case points_pb2.ACCRUAL_TYPE_SPEND:
            shape["spend_data"] = _spend_data(rule, tax_mode=tax_mode, currency=currency)
        case points_pb2.ACCRUAL_TYPE_ITEM_VARIATION:
            shape["item_variation_data"] = {"item_variation_id": rule.variation_id}
        case points_pb2.ACCRUAL_TYPE_CATEGORY:
            shape["category_data"] = {"category_id": rule.category_id}
    return shape


def _spend_data(rule: points_pb2.AccrualRule, *, tax_mode: str, currency: str) -> SpendDataShape:
    spend: SpendDataShape = {
        "amount_money": {"amount": rule.amount_minor, "currency": currency},
        "tax_mode": tax_mode,
    }
    if rule.excluded_category_ids:
        spend["excluded_category_ids"] = list(rule.excluded_category_ids)
    if rule.excluded_item_ids:
        spend["excluded_item_variation_ids"] = list(rule.excluded_item_ids)
    return spend


def _refund_settings(settings: points_pb2.RefundSettings) -> RefundSettingsShape:
    """The settings; what was never set is the default (D1, D3, R36)."""
    refunded = settings.visit_refund_basis == points_pb2.VISIT_REFUND_BASIS_REFUNDED
    clamps = settings.debt_rule == points_pb2.DEBT_RULE_CLAMP_ZERO
    keeps = settings.reward_on_refund == points_pb2.REWARD_ON_REFUND_KEEP
    return {
        "visit_refund_basis": "REFUNDED" if refunded else "REMAINING",
        "debt_rule": "CLAMP_ZERO" if clamps else "ALLOW_NEGATIVE",
        "reward_on_refund": "KEEP" if keeps else "RETURN",
    }


def member_tier_shape(tier: points_pb2.Tier) -> MemberTierShape:
    """A level with what it makes of base points."""
    return {
        "id": tier.id,
        "name": tier.name,
        "threshold": tier.threshold,
        "multiplier": tier.multiplier,
    }


def program_shape(
    program: points_pb2.Program,
    *,
    definitions: Sequence[rewards_pb2.RewardDefinition],
    salons: Sequence[Salon],
    codes: points_pb2.ProgramCodes | None,
    currency: str,
) -> ProgramShape:
    """A program with its reward definitions; its codes only where `codes` is given."""
    tiers = [tier_shape(item) for item in definitions if item.program_id == program.id]
    shape: ProgramShape = {
        "id": program.id,
        "status": "ACTIVE" if program.active else "INACTIVE",
        "name": program.name,
        "reward_tiers": sorted(tiers, key=lambda tier: (tier["points"], tier["created_at"])),
        "terminology": {"one": program.term_one, "other": program.term_other},
        "location_ids": list(program.salon_ids) or [salon.id for salon in salons],
        "accrual_rules": [rule_shape(rule, currency=currency) for rule in program.accrual_rules],
        "tiers": [member_tier_shape(tier) for tier in program.tiers],
        "refund_settings": _refund_settings(program.refunds),
        "cool_down_seconds": program.cool_down_seconds,
        "created_at": moment(program.created_at),
        "updated_at": moment(program.updated_at),
        "version": program.version,
    }
    if program.expiry_policy not in {"", NEVER}:
        shape["expiration_policy"] = {"expiration_duration": program.expiry_policy}
    if program.tiers:
        shape["tiers_launched_at"] = moment(program.tiers_launched_at)
    if codes is not None:
        shape["points_code"] = codes.points_code
        shape["multi_point_code"] = codes.multi_point_code
    return shape
