"""A program's rules, from proto and into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from loyalty.points.v1 import points_pb2 as pb

from services.points.domain.accrual import (
    AccrualRule,
    CategoryRule,
    ItemRule,
    RuleDraft,
    RuleType,
    SpendRule,
    TaxMode,
    VisitRule,
    rule_type,
)
from services.points.domain.errors import NumberOutOfRange
from services.points.domain.ids import CatalogId, TierId
from services.points.domain.program_rules import RulesDraft
from services.points.domain.programs import RefundChange, RefundSettings
from services.points.domain.sale_errors import TierUnknown
from services.points.domain.terms import DebtRule, RewardOnRefund, VisitRefundBasis
from services.points.domain.tiers import Tier, TierDraft
from services.points.rpc import reading

Choice = TypeVar("Choice")

_TAX_MODES: dict[int, TaxMode] = {
    pb.TaxMode.Value(f"TAX_MODE_{mode.value}"): mode for mode in TaxMode
}
_VISIT_REFUND_BASES: dict[int, VisitRefundBasis] = {
    pb.VisitRefundBasis.Value(f"VISIT_REFUND_BASIS_{basis.value}"): basis
    for basis in VisitRefundBasis
}
_DEBT_RULES: dict[int, DebtRule] = {
    pb.DebtRule.Value(f"DEBT_RULE_{rule.value}"): rule for rule in DebtRule
}
_REWARDS_ON_REFUND: dict[int, RewardOnRefund] = {
    pb.RewardOnRefund.Value(f"REWARD_ON_REFUND_{choice.value}"): choice for choice in RewardOnRefund
}


def draft(message: pb.ProgramRules) -> RulesDraft:
    """What a save says of rules, not checked yet but for the form of its ids and choices."""
    return RulesDraft(
        accrual_rules=tuple(
            _rule_draft(rule, field=f"accrual_rules[{place}]")
            for place, rule in enumerate(message.accrual_rules)
        ),
        expiry_policy=message.expiry_policy if message.HasField("expiry_policy") else None,
        tiers=tuple(_tier_draft(tier) for tier in message.tiers.tiers)
        if message.HasField("tiers")
        else None,
        refunds=_refund_change(message.refunds) if message.HasField("refunds") else None,
    )


def accrual_rule(rule: AccrualRule) -> pb.AccrualRule:
    """One rule; ids of exclusions in order, so that the same rule is the same message."""
    message = pb.AccrualRule(
        type=pb.AccrualType.Value(f"ACCRUAL_TYPE_{rule_type(rule).value}"), points=rule.points
    )
    match rule:
        case VisitRule():
            message.tax_mode = pb.TaxMode.Value(f"TAX_MODE_{rule.tax_mode.value}")
            if rule.minimum_minor is not None:
                message.minimum_minor = rule.minimum_minor
        case SpendRule():
            message.tax_mode = pb.TaxMode.Value(f"TAX_MODE_{rule.tax_mode.value}")
            message.amount_minor = rule.amount_minor
            message.excluded_category_ids.extend(sorted(rule.excluded_category_ids))
            message.excluded_item_ids.extend(sorted(rule.excluded_item_ids))
        case ItemRule():
            message.variation_id = rule.variation_id
        case CategoryRule():
            message.category_id = rule.category_id
    return message


def tier(found: Tier) -> pb.Tier:
    """One level."""
    return pb.Tier(
        id=str(found.id),
        name=found.name,
        threshold=found.threshold,
        multiplier=decimal(found.multiplier),
    )


def refund_settings(found: RefundSettings) -> pb.RefundSettings:
    """What the owner chose for refunds."""
    basis = f"VISIT_REFUND_BASIS_{found.visit_refund_basis.value}"
    return pb.RefundSettings(
        visit_refund_basis=pb.VisitRefundBasis.Value(basis),
        debt_rule=pb.DebtRule.Value(f"DEBT_RULE_{found.debt_rule.value}"),
        reward_on_refund=pb.RewardOnRefund.Value(
            f"REWARD_ON_REFUND_{found.reward_on_refund.value}"
        ),
    )


def decimal(number: Decimal) -> str:
    """A number as people write it: "10", "1.25"; never "1E+1"."""
    return f"{number.normalize():f}"


def _rule_draft(message: pb.AccrualRule, *, field: str) -> RuleDraft:
    accrual = reading.ACCRUAL_TYPES.get(message.type)
    spend, data = f"{field}.spend_data", f"{field}.item_variation_data"
    return RuleDraft(
        type=accrual.value if accrual else "",
        points=message.points if message.HasField("points") else None,
        tax_mode=_tax_mode(message, accrual, field=field),
        minimum_minor=message.minimum_minor if message.HasField("minimum_minor") else None,
        amount_minor=message.amount_minor if message.HasField("amount_minor") else None,
        excluded_category_ids=_catalog_ids(
            message.excluded_category_ids, field=f"{spend}.excluded_category_ids"
        ),
        excluded_item_ids=_catalog_ids(
            message.excluded_item_ids, field=f"{spend}.excluded_item_variation_ids"
        ),
        variation_id=reading.catalog_id(message.variation_id, field=f"{data}.item_variation_id")
        if message.variation_id
        else None,
        category_id=reading.catalog_id(
            message.category_id, field=f"{field}.category_data.category_id"
        )
        if message.category_id
        else None,
    )


def _tax_mode(message: pb.AccrualRule, accrual: RuleType | None, *, field: str) -> str | None:
    name = "visit_data" if accrual is RuleType.VISIT else "spend_data"
    chosen = _choice(message.tax_mode, _TAX_MODES, field=f"{field}.{name}.tax_mode")
    return chosen.value if chosen else None


def _tier_draft(message: pb.Tier) -> TierDraft:
    try:
        tier_id = TierId(UUID(message.id)) if message.id else None
    except ValueError:
        raise TierUnknown from None
    return TierDraft(
        id=tier_id,
        name=message.name,
        threshold=message.threshold,
        multiplier=message.multiplier,
    )


def _refund_change(message: pb.RefundSettings) -> RefundChange:
    return RefundChange(
        visit_refund_basis=_choice(
            message.visit_refund_basis, _VISIT_REFUND_BASES, field="refunds.visit_refund_basis"
        ),
        debt_rule=_choice(message.debt_rule, _DEBT_RULES, field="refunds.debt_rule"),
        reward_on_refund=_choice(
            message.reward_on_refund, _REWARDS_ON_REFUND, field="refunds.reward_on_refund"
        ),
    )


def _choice(number: int, choices: Mapping[int, Choice], *, field: str) -> Choice | None:
    """What a number of an enum stands for, None where it is left out."""
    if number and number not in choices:
        raise NumberOutOfRange(field=field, minimum=min(choices), maximum=max(choices))
    return choices.get(number)


def _catalog_ids(texts: Iterable[str], *, field: str) -> tuple[CatalogId, ...]:
    return tuple(dict.fromkeys(reading.catalog_id(text, field=field) for text in texts))
