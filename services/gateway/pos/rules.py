"""The rules of a program as a caller writes them: accrual, expiry, tiers, refunds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from loyalty.points.v1 import points_pb2
from pydantic import Field

from services.gateway.errors import ApiError
from services.gateway.pos import catalogued
from services.gateway.pos.caller import Caller
from services.gateway.pos.catalogued import CATEGORIES, ITEMS, VARIATIONS, Named
from services.gateway.pos.fields import Id, Money, Multiplier, Name, Part, Points, amount_in

# More than a program may have: what is too many is the points service's word.
RULES_IN_REQUEST_MAX = 100
EXCLUSIONS_IN_REQUEST_MAX = 2000
TIERS_IN_REQUEST_MAX = 100
# How services call an expiry that never comes (D27).
NEVER: Final = "never"

TaxMode = Literal["BEFORE_TAX", "AFTER_TAX"]
ExcludedIds = Annotated[list[Id], Field(max_length=EXCLUSIONS_IN_REQUEST_MAX)]


class Exclusions(Part):
    """What does not earn; spending alone may have it (SQ-57)."""

    excluded_category_ids: ExcludedIds | None = None
    excluded_item_variation_ids: ExcludedIds | None = None

    @property
    def excludes(self) -> bool:
        """Whether anything is excluded."""
        return bool(self.excluded_category_ids or self.excluded_item_variation_ids)


class VisitDataIn(Exclusions):
    """How a visit earns: from which amount on, counted with or without tax (D13)."""

    minimum_amount_money: Money | None = None
    tax_mode: TaxMode | None = None


class SpendDataIn(Exclusions):
    """How spending earns: for each whole `amount_money` of what is not excluded (SQ-53)."""

    amount_money: Money | None = None
    tax_mode: TaxMode | None = None


class ItemVariationDataIn(Exclusions):
    """Which item variation earns."""

    item_variation_id: Id


class CategoryDataIn(Exclusions):
    """Which category's items earn."""

    category_id: Id


class AccrualRuleIn(Exclusions):
    """What earns how much; where several match, the one that gives most."""

    accrual_type: Literal["VISIT", "SPEND", "ITEM_VARIATION", "CATEGORY"]
    points: Points | None = None
    visit_data: VisitDataIn | None = None
    spend_data: SpendDataIn | None = None
    item_variation_data: ItemVariationDataIn | None = None
    category_data: CategoryDataIn | None = None


class ExpirationIn(Part):
    """How long points last that are earned from now on (SQ-65): whole months, such as P12M."""

    expiration_duration: Annotated[str, Field(strict=True, max_length=16)]


class MemberTierIn(Part):
    """A level of the program, from so many points in twelve months on (SQ-05)."""

    id: Id | None = None
    name: Name
    threshold: Annotated[int, Field(strict=True, ge=0, le=10**9)]
    multiplier: Multiplier | None = None


class RefundSettingsIn(Part):
    """What a refund does; a part that is left out stays."""

    visit_refund_basis: Literal["REMAINING", "REFUNDED"] | None = None
    debt_rule: Literal["ALLOW_NEGATIVE", "CLAMP_ZERO"] | None = None
    reward_on_refund: Literal["RETURN", "KEEP"] | None = None


class RulesIn(Part):
    """The rules of a program; a section that is left out stays as it is (SQ-47)."""

    accrual_rules: (
        Annotated[list[AccrualRuleIn], Field(min_length=1, max_length=RULES_IN_REQUEST_MAX)] | None
    ) = None
    expiration_policy: Annotated[
        ExpirationIn | None, Field(description="`null` = points never expire (SQ-64).")
    ] = None
    tiers: Annotated[list[MemberTierIn], Field(max_length=TIERS_IN_REQUEST_MAX)] | None = None
    refund_settings: RefundSettingsIn | None = None


_DATA: Final = {
    "VISIT": "visit_data",
    "SPEND": "spend_data",
    "ITEM_VARIATION": "item_variation_data",
    "CATEGORY": "category_data",
}
_PARTS_OF_A_RULE: Final = (
    "",
    ".accrual_type",
    ".points",
    ".visit_data.minimum_amount_money",
    ".visit_data.tax_mode",
    ".spend_data",
    ".spend_data.amount_money",
    ".spend_data.tax_mode",
    ".spend_data.excluded_category_ids",
    ".spend_data.excluded_item_variation_ids",
    ".item_variation_data",
    ".item_variation_data.item_variation_id",
    ".category_data",
    ".category_data.category_id",
)


def fields(wanted: RulesIn) -> dict[str, str]:
    """What a caller calls the parts of the rules that a refusal may name."""
    names = ["accrual_rules", "expiration_policy", "tiers", "refund_settings"]
    names += [f"tiers.{part}" for part in ("id", "name", "threshold", "multiplier")]
    for place in range(len(wanted.accrual_rules or ())):
        names += [f"accrual_rules[{place}]{part}" for part in _PARTS_OF_A_RULE]
    return {name: f"program.{name}" for name in names} | {
        "expiry_policy": "program.expiration_policy"
    }


async def read(
    caller: Caller, wanted: RulesIn, *, present: points_pb2.Program | None
) -> points_pb2.ProgramRules:
    """The rules that a request means, for the points service to judge.

    Refuses money of another currency, data of another rule's type, and what is not in the catalog,
    unless the `present` program names it already.
    """
    currency = (await caller.chain()).currency
    rules = points_pb2.ProgramRules()
    names: list[Named] = []
    for place, rule in enumerate(wanted.accrual_rules or ()):
        field = f"program.accrual_rules[{place}]"
        _refuse_foreign_data(rule, field)
        rules.accrual_rules.append(_rule(rule, currency=currency, field=field))
        names += _named(rule, field)
    kept = present.accrual_rules if present is not None else ()
    await catalogued.require_known(caller, names, kept=frozenset(_ids(kept)))
    if "expiration_policy" in wanted.model_fields_set:
        policy = wanted.expiration_policy
        rules.expiry_policy = NEVER if policy is None else policy.expiration_duration
    if wanted.tiers is not None:
        rules.tiers.SetInParent()
        for tier in wanted.tiers:
            rules.tiers.tiers.add(
                id=tier.id or "",
                name=tier.name,
                threshold=tier.threshold,
                multiplier=tier.multiplier or "1",
            )
    if wanted.refund_settings is not None:
        rules.refunds.CopyFrom(_refunds(wanted.refund_settings))
    return rules


def _refuse_foreign_data(rule: AccrualRuleIn, field: str) -> None:
    """Data of another type, or in another place, would be dropped without a word (SQ-57)."""
    for name in ("", *_DATA.values()):
        part = getattr(rule, name) if name else rule
        if name != "spend_data" and part is not None and part.excludes:
            where = f"{field}.{name}" if name else field
            raise ApiError.of("EXCLUSION_NOT_ALLOWED", field=where)
    for accrual_type, name in _DATA.items():
        if accrual_type == rule.accrual_type or getattr(rule, name) is None:
            continue
        excludes = rule.spend_data is not None and rule.spend_data.excludes
        code = "EXCLUSION_NOT_ALLOWED" if excludes else "RULE_FIELD_FOREIGN"
        raise ApiError.of(code, field=f"{field}.{name}")


def _rule(rule: AccrualRuleIn, *, currency: str, field: str) -> points_pb2.AccrualRule:
    # A visit that does not say how much gives one point; money and items have to say it.
    points = 1 if rule.points is None and rule.accrual_type == "VISIT" else rule.points
    made = points_pb2.AccrualRule(type=_type(rule.accrual_type), points=points)
    if rule.visit_data is not None:
        made.tax_mode = _tax_mode(rule.visit_data.tax_mode)
        minimum = rule.visit_data.minimum_amount_money
        if minimum is not None:
            name = f"{field}.visit_data.minimum_amount_money"
            made.minimum_minor = amount_in(minimum, currency, field=name)
    if rule.spend_data is not None:
        made.tax_mode = _tax_mode(rule.spend_data.tax_mode)
        amount = rule.spend_data.amount_money
        if amount is not None:
            name = f"{field}.spend_data.amount_money"
            made.amount_minor = amount_in(amount, currency, field=name)
        made.excluded_category_ids.extend(rule.spend_data.excluded_category_ids or ())
        made.excluded_item_ids.extend(rule.spend_data.excluded_item_variation_ids or ())
    if rule.item_variation_data is not None:
        made.variation_id = rule.item_variation_data.item_variation_id
    if rule.category_data is not None:
        made.category_id = rule.category_data.category_id
    return made


def _named(rule: AccrualRuleIn, field: str) -> list[Named]:
    """Everything of the catalog that a rule names."""
    names: list[Named] = []
    if rule.spend_data is not None:
        spend, prefix = rule.spend_data, f"{field}.spend_data"
        names += catalogued.named(
            spend.excluded_category_ids, CATEGORIES, f"{prefix}.excluded_category_ids"
        )
        names += catalogued.named(
            spend.excluded_item_variation_ids, ITEMS, f"{prefix}.excluded_item_variation_ids"
        )
    if rule.item_variation_data is not None:
        name = f"{field}.item_variation_data.item_variation_id"
        variation_id = rule.item_variation_data.item_variation_id
        names.append(Named(id=variation_id, types=VARIATIONS, field=name))
    if rule.category_data is not None:
        name = f"{field}.category_data.category_id"
        category_id = rule.category_data.category_id
        names.append(Named(id=category_id, types=CATEGORIES, field=name))
    return names


def _ids(rules: Iterable[points_pb2.AccrualRule]) -> list[str]:
    """Everything of the catalog that present rules name."""
    ids: list[str] = []
    for rule in rules:
        ids += [*rule.excluded_category_ids, *rule.excluded_item_ids]
        ids += [rule.variation_id, rule.category_id]
    return ids


def _type(name: str) -> points_pb2.AccrualType.ValueType:
    return points_pb2.AccrualType.Value(f"ACCRUAL_TYPE_{name}")


def _tax_mode(name: str | None) -> points_pb2.TaxMode.ValueType:
    return points_pb2.TaxMode.Value(f"TAX_MODE_{name or 'UNSPECIFIED'}")


def _refunds(settings: RefundSettingsIn) -> points_pb2.RefundSettings:
    basis = settings.visit_refund_basis or "UNSPECIFIED"
    debt = settings.debt_rule or "UNSPECIFIED"
    reward = settings.reward_on_refund or "UNSPECIFIED"
    return points_pb2.RefundSettings(
        visit_refund_basis=points_pb2.VisitRefundBasis.Value(f"VISIT_REFUND_BASIS_{basis}"),
        debt_rule=points_pb2.DebtRule.Value(f"DEBT_RULE_{debt}"),
        reward_on_refund=points_pb2.RewardOnRefund.Value(f"REWARD_ON_REFUND_{reward}"),
    )
