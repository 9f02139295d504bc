"""Sales as documents: lines, terms, worth and changes, as they lie in jsonb columns.

Numbers that are not whole are written as text, so that nothing is rounded on the way. Ids, times
and money of the sale itself have columns of their own and are not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from services.points.domain.accrual import (
    AccrualRule,
    CategoryRule,
    ItemRule,
    RuleType,
    SpendRule,
    TaxMode,
    VisitRule,
)
from services.points.domain.ids import (
    CatalogId,
    ChangeId,
    LineUid,
    ProgramId,
    PromotionId,
    RewardId,
    TierId,
)
from services.points.domain.promotions import Addition, Incentive, Multiplier, PromotionTerms
from services.points.domain.refunds import (
    AmountRefund,
    Change,
    Exchange,
    FullRefund,
    ItemRefund,
    ReturnedLine,
)
from services.points.domain.sales import SaleLine
from services.points.domain.terms import (
    DebtRule,
    RewardOnRefund,
    SalePoints,
    SaleReward,
    SaleTerms,
    SaleWorth,
    VisitRefundBasis,
)

Document: TypeAlias = dict[str, Any]


def line_document(line: SaleLine) -> Document:
    """One line as it was sold."""
    return {
        "uid": line.uid,
        "name": line.name,
        "item_id": line.item_id,
        "variation_id": line.variation_id,
        "category_ids": list(line.category_ids),
        "quantity": str(line.quantity),
        "unit_price_minor": line.unit_price_minor,
        "gross_minor": line.gross_minor,
        "net_minor": line.net_minor,
        "tax_minor": line.tax_minor,
    }


def line_from(document: Mapping[str, Any]) -> SaleLine:
    """The line of a document."""
    return SaleLine(
        uid=LineUid(document["uid"]),
        name=document["name"],
        item_id=document["item_id"],
        variation_id=document["variation_id"],
        category_ids=tuple(document["category_ids"]),
        quantity=Decimal(document["quantity"]),
        unit_price_minor=document["unit_price_minor"],
        gross_minor=document["gross_minor"],
        net_minor=document["net_minor"],
        tax_minor=document["tax_minor"],
    )


def terms_document(terms: SaleTerms) -> Document:
    """The settings of the moment, whole: a refund reads nothing else."""
    return {
        "program_id": str(terms.program_id),
        "program_version": terms.program_version,
        "rules": [rule_document(rule) for rule in terms.rules],
        "tier_id": str(terms.tier_id) if terms.tier_id else None,
        "tier_multiplier": str(terms.tier_multiplier),
        "promotions": [promotion_document(promotion) for promotion in terms.promotions],
        "expiry_policy": terms.expiry_policy,
        "time_zone": terms.time_zone,
        "visit_refund_basis": terms.visit_refund_basis.value,
        "debt_rule": terms.debt_rule.value,
        "rewards": [
            {
                "reward_id": str(reward.reward_id),
                "on_refund": reward.on_refund.value,
                "line_uids": list(reward.line_uids),
            }
            for reward in terms.rewards
        ],
    }


def terms_from(document: Mapping[str, Any]) -> SaleTerms:
    """The terms of a document."""
    tier_id = document["tier_id"]
    return SaleTerms(
        program_id=ProgramId(UUID(document["program_id"])),
        program_version=document["program_version"],
        rules=tuple(rule_from(rule) for rule in document["rules"]),
        tier_id=TierId(UUID(tier_id)) if tier_id else None,
        tier_multiplier=Decimal(document["tier_multiplier"]),
        promotions=tuple(promotion_from(one) for one in document["promotions"]),
        expiry_policy=document["expiry_policy"],
        time_zone=document["time_zone"],
        visit_refund_basis=VisitRefundBasis(document["visit_refund_basis"]),
        debt_rule=DebtRule(document["debt_rule"]),
        rewards=tuple(
            SaleReward(
                reward_id=RewardId(UUID(reward["reward_id"])),
                on_refund=RewardOnRefund(reward["on_refund"]),
                line_uids=tuple(LineUid(uid) for uid in reward["line_uids"]),
            )
            for reward in document["rewards"]
        ),
    )


def worth_document(worth: SaleWorth) -> Document:
    """What a sale brought, and by which rule and promotion."""
    return {
        "base": worth.points.base,
        "tier_bonus": worth.points.tier_bonus,
        "promotion": worth.points.promotion,
        "rule": rule_document(worth.rule) if worth.rule else None,
        "promotion_id": str(worth.promotion_id) if worth.promotion_id else None,
        "silent_lines": list(worth.silent_lines),
    }


def worth_from(document: Mapping[str, Any]) -> SaleWorth:
    """The worth of a document."""
    promotion_id = document["promotion_id"]
    return SaleWorth(
        points=SalePoints(
            base=document["base"],
            tier_bonus=document["tier_bonus"],
            promotion=document["promotion"],
        ),
        rule=rule_from(document["rule"]) if document["rule"] else None,
        promotion_id=PromotionId(UUID(promotion_id)) if promotion_id else None,
        silent_lines=tuple(LineUid(uid) for uid in document["silent_lines"]),
    )


def rule_document(rule: AccrualRule) -> Document:
    """One accrual rule, of a program or frozen with a sale."""
    match rule:
        case VisitRule():
            return {
                "type": RuleType.VISIT.value,
                "points": rule.points,
                "minimum_minor": rule.minimum_minor,
                "tax_mode": rule.tax_mode.value,
            }
        case SpendRule():
            return {
                "type": RuleType.SPEND.value,
                "points": rule.points,
                "amount_minor": rule.amount_minor,
                "tax_mode": rule.tax_mode.value,
                "excluded_category_ids": sorted(rule.excluded_category_ids),
                "excluded_item_ids": sorted(rule.excluded_item_ids),
            }
        case ItemRule():
            return {
                "type": RuleType.ITEM_VARIATION.value,
                "points": rule.points,
                "variation_id": rule.variation_id,
            }
        case CategoryRule():
            return {
                "type": RuleType.CATEGORY.value,
                "points": rule.points,
                "category_id": rule.category_id,
            }


def rule_from(document: Mapping[str, Any]) -> AccrualRule:
    """The rule of a document."""
    points = document["points"]
    match RuleType(document["type"]):
        case RuleType.VISIT:
            return VisitRule(
                points=points,
                minimum_minor=document["minimum_minor"],
                tax_mode=TaxMode(document["tax_mode"]),
            )
        case RuleType.SPEND:
            return SpendRule(
                points=points,
                amount_minor=document["amount_minor"],
                tax_mode=TaxMode(document["tax_mode"]),
                excluded_category_ids=frozenset(document["excluded_category_ids"]),
                excluded_item_ids=frozenset(document["excluded_item_ids"]),
            )
        case RuleType.ITEM_VARIATION:
            return ItemRule(points=points, variation_id=CatalogId(document["variation_id"]))
        case RuleType.CATEGORY:
            return CategoryRule(points=points, category_id=CatalogId(document["category_id"]))


def change_document(change: Change) -> Document:
    """One refund or exchange as it was asked for; its points follow from the sale."""
    match change:
        case FullRefund():
            return {"type": "FULL", "id": change.id}
        case ItemRefund():
            return {"type": "ITEMS", "id": change.id, "lines": _returned(change.lines)}
        case AmountRefund():
            return {"type": "CUSTOM_AMOUNT", "id": change.id, "amount_minor": change.amount_minor}
        case Exchange():
            return {
                "type": "EXCHANGE",
                "id": change.id,
                "returned": _returned(change.returned),
                "added": [line_document(line) for line in change.added],
            }


def change_from(document: Mapping[str, Any]) -> Change:
    """The change of a document."""
    change_id = ChangeId(document["id"])
    match document["type"]:
        case "FULL":
            return FullRefund(id=change_id)
        case "ITEMS":
            return ItemRefund(id=change_id, lines=_returned_from(document["lines"]))
        case "CUSTOM_AMOUNT":
            return AmountRefund(id=change_id, amount_minor=document["amount_minor"])
        case "EXCHANGE":
            return Exchange(
                id=change_id,
                returned=_returned_from(document["returned"]),
                added=tuple(line_from(line) for line in document["added"]),
            )
        case unknown:
            raise ValueError(f"a change of a sale of type {unknown}")


def promotion_document(promotion: PromotionTerms) -> Document:
    """What of a promotion decides over a sale, of a program or frozen with a sale."""
    incentive = promotion.incentive
    return {
        "id": str(promotion.id),
        "multiplier": str(incentive.multiplier) if isinstance(incentive, Multiplier) else None,
        "addition": incentive.points if isinstance(incentive, Addition) else None,
        "minimum_spend_minor": promotion.minimum_spend_minor,
        "qualifying_item_ids": sorted(promotion.qualifying_item_ids),
        "qualifying_category_ids": sorted(promotion.qualifying_category_ids),
    }


def promotion_from(document: Mapping[str, Any]) -> PromotionTerms:
    """The terms of a document."""
    incentive: Incentive = (
        Addition(points=document["addition"])
        if document["multiplier"] is None
        else Multiplier(multiplier=Decimal(document["multiplier"]))
    )
    return PromotionTerms(
        id=PromotionId(UUID(document["id"])),
        incentive=incentive,
        minimum_spend_minor=document["minimum_spend_minor"],
        qualifying_item_ids=frozenset(document["qualifying_item_ids"]),
        qualifying_category_ids=frozenset(document["qualifying_category_ids"]),
    )


def _returned(lines: tuple[ReturnedLine, ...]) -> list[Document]:
    return [{"uid": line.uid, "quantity": str(line.quantity)} for line in lines]


def _returned_from(documents: list[Mapping[str, Any]]) -> tuple[ReturnedLine, ...]:
    return tuple(
        ReturnedLine(uid=LineUid(line["uid"]), quantity=Decimal(line["quantity"]))
        for line in documents
    )
