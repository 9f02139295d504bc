"""A sale as Square's order: totals, lines, what was taken off, what was applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NotRequired

from loyalty.points.v1 import points_pb2
from typing_extensions import TypedDict

from services.gateway.pos.shapes import MoneyShape, moment


class AppliedTaxShape(TypedDict):
    """A tax on a line; its amount is told where the line has no other."""

    uid: str
    tax_uid: str
    applied_money: NotRequired[MoneyShape]


class AppliedDiscountShape(TypedDict):
    """A discount on a line; its amount is told where the line has no other."""

    uid: str
    discount_uid: str
    applied_money: NotRequired[MoneyShape]


class OrderLineShape(TypedDict):
    """One line with what it comes to."""

    uid: str
    name: NotRequired[str]
    quantity: str
    catalog_object_id: NotRequired[str]
    item_type: str
    base_price_money: MoneyShape
    gross_sales_money: MoneyShape
    total_tax_money: MoneyShape
    total_discount_money: MoneyShape
    total_money: MoneyShape
    applied_taxes: NotRequired[list[AppliedTaxShape]]
    applied_discounts: NotRequired[list[AppliedDiscountShape]]


class OrderTaxShape(TypedDict):
    """A tax and what it comes to."""

    uid: str
    name: NotRequired[str]
    type: str
    scope: str
    percentage: NotRequired[str]
    amount_money: NotRequired[MoneyShape]
    applied_money: MoneyShape


class OrderDiscountShape(TypedDict):
    """A discount and what it took off."""

    uid: str
    name: NotRequired[str]
    type: str
    scope: str
    percentage: NotRequired[str]
    amount_money: NotRequired[MoneyShape]
    applied_money: MoneyShape
    reward_ids: NotRequired[list[str]]


class OrderRewardShape(TypedDict):
    """A reward on the order; a coupon has no tier."""

    id: str
    reward_tier_id: NotRequired[str]


class AmountsShape(TypedDict):
    """What an order comes to, in its parts."""

    total_money: MoneyShape
    tax_money: MoneyShape
    discount_money: MoneyShape
    tip_money: MoneyShape
    service_charge_money: MoneyShape


class ReturnedLineShape(TypedDict):
    """So many of one line came back."""

    uid: str
    quantity: str


class ChangeShape(TypedDict):
    """A refund or an exchange that was carried out (ours).

    What an exchange added stands here; `line_items` of the order stay as they were sold.
    """

    id: str
    type: str
    points: int
    amount_money: NotRequired[MoneyShape]
    returned: NotRequired[list[ReturnedLineShape]]
    added: NotRequired[list[OrderLineShape]]
    created_at: str


class OrderLoyaltyShape(TypedDict):
    """What a counted order brought, and what of it is left after refunds and exchanges (ours)."""

    loyalty_account_id: NotRequired[str]
    loyalty_program_id: NotRequired[str]
    points: int
    tier_bonus_points: int
    promotion_points: int
    held_points: int
    silent_line_uids: list[str]
    changes: list[ChangeShape]


class OrderShape(TypedDict):
    """A sale; one that is only calculated has no id and no time."""

    id: NotRequired[str]
    location_id: str
    customer_id: NotRequired[str]
    reference_id: NotRequired[str]
    state: str
    version: int
    line_items: list[OrderLineShape]
    taxes: NotRequired[list[OrderTaxShape]]
    discounts: NotRequired[list[OrderDiscountShape]]
    rewards: NotRequired[list[OrderRewardShape]]
    total_money: MoneyShape
    total_tax_money: MoneyShape
    total_discount_money: MoneyShape
    total_tip_money: MoneyShape
    total_service_charge_money: MoneyShape
    net_amounts: AmountsShape
    net_amount_due_money: NotRequired[MoneyShape]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    closed_at: NotRequired[str]
    occurred_at: NotRequired[str]
    loyalty: NotRequired[OrderLoyaltyShape]


_CHANGE_TYPES: Final = {
    points_pb2.SALE_CHANGE_TYPE_FULL: "FULL",
    points_pb2.SALE_CHANGE_TYPE_ITEMS: "ITEMS",
    points_pb2.SALE_CHANGE_TYPE_CUSTOM_AMOUNT: "CUSTOM_AMOUNT",
    points_pb2.SALE_CHANGE_TYPE_EXCHANGE: "EXCHANGE",
}


def money(amount: int, currency: str) -> MoneyShape:
    """An amount as Square writes it."""
    return {"amount": amount, "currency": currency}


def reward_ids(sale: points_pb2.Sale) -> list[str]:
    """The rewards that stand on a sale, each once."""
    return list(dict.fromkeys(one.reward_id for one in sale.discounts if one.reward_id))


def order_shape(sale: points_pb2.Sale, tier_ids: Mapping[str, str]) -> OrderShape:
    """A sale as an order; `tier_ids` are the reward tiers of the rewards on it."""

    def amount(minor: int) -> MoneyShape:
        return money(minor, sale.currency)

    is_open = sale.state != points_pb2.SALE_STATE_COUNTED
    shape: OrderShape = {
        "location_id": sale.salon_id,
        "state": "OPEN" if is_open else "COMPLETED",
        "version": sale.version,
        "line_items": [_line_shape(sale, line) for line in sale.lines],
        "total_money": amount(sale.total_minor),
        "total_tax_money": amount(sale.tax_minor),
        "total_discount_money": amount(sale.discount_minor),
        "total_tip_money": amount(sale.tip_minor),
        "total_service_charge_money": amount(0),
        "net_amounts": {
            "total_money": amount(sale.total_minor),
            "tax_money": amount(sale.tax_minor),
            "discount_money": amount(sale.discount_minor),
            "tip_money": amount(sale.tip_minor),
            "service_charge_money": amount(0),
        },
    }
    if sale.id:
        shape["id"] = sale.id
        shape["created_at"] = moment(sale.created_at)
        shape["updated_at"] = moment(sale.updated_at)
        shape["occurred_at"] = moment(sale.occurred_at)
    if sale.member_id:
        shape["customer_id"] = sale.member_id
    if sale.reference_id:
        shape["reference_id"] = sale.reference_id
    if sale.taxes:
        shape["taxes"] = [_tax_shape(tax, sale.currency) for tax in sale.taxes]
    if sale.discounts:
        shape["discounts"] = [_discount_shape(one, sale.currency) for one in sale.discounts]
    rewards = reward_ids(sale)
    if rewards:
        shape["rewards"] = [_reward_shape(one, tier_ids.get(one, "")) for one in rewards]
    if is_open:
        # Nothing is known here of payments: all of it is due until the till says that it is done.
        shape["net_amount_due_money"] = amount(sale.total_minor)
    else:
        shape["closed_at"] = moment(sale.counted_at)
        shape["loyalty"] = _loyalty_shape(sale)
    return shape


def discount_uid(discount: points_pb2.SaleDiscount) -> str:
    """A discount's uid; a reward's discount has none but the reward's id."""
    return discount.uid or discount.reward_id


def _reward_shape(reward_id: str, tier_id: str) -> OrderRewardShape:
    return {"id": reward_id, "reward_tier_id": tier_id} if tier_id else {"id": reward_id}


def _tax_shape(tax: points_pb2.SaleTax, currency: str) -> OrderTaxShape:
    shape: OrderTaxShape = {
        "uid": tax.uid,
        "type": "INCLUSIVE" if tax.inclusive else "ADDITIVE",
        "scope": "LINE_ITEM" if tax.line_uids else "ORDER",
        "applied_money": money(tax.applied_minor, currency),
    }
    if tax.name:
        shape["name"] = tax.name
    if tax.percentage:
        shape["percentage"] = tax.percentage
    if tax.HasField("amount_minor"):
        shape["amount_money"] = money(tax.amount_minor, currency)
    return shape


def _discount_shape(discount: points_pb2.SaleDiscount, currency: str) -> OrderDiscountShape:
    shape: OrderDiscountShape = {
        "uid": discount_uid(discount),
        "type": "FIXED_PERCENTAGE" if discount.percentage else "FIXED_AMOUNT",
        "scope": "LINE_ITEM" if discount.line_uids else "ORDER",
        "applied_money": money(discount.applied_minor, currency),
    }
    if discount.name:
        shape["name"] = discount.name
    if discount.percentage:
        shape["percentage"] = discount.percentage
    else:
        # A reward in kind takes nothing off.
        shape["amount_money"] = money(discount.amount_minor, currency)
    if discount.reward_id:
        shape["reward_ids"] = [discount.reward_id]
    return shape


def _line_shape(sale: points_pb2.Sale, line: points_pb2.SaleLine) -> OrderLineShape:
    taxes = [tax for tax in sale.taxes if _is_on(line, tax.line_uids)]
    discounts = [one for one in sale.discounts if _is_on(line, one.line_uids)]
    shape: OrderLineShape = {
        "uid": line.uid,
        "quantity": line.quantity,
        "item_type": "ITEM" if line.catalog_object_id or line.name else "CUSTOM_AMOUNT",
        "base_price_money": money(line.unit_price_minor, sale.currency),
        "gross_sales_money": money(line.gross_minor, sale.currency),
        "total_tax_money": money(line.tax_minor, sale.currency),
        "total_discount_money": money(line.discount_minor, sale.currency),
        "total_money": money(line.net_minor + line.tax_minor, sale.currency),
    }
    if line.name:
        shape["name"] = line.name
    if line.catalog_object_id:
        shape["catalog_object_id"] = line.catalog_object_id
    if taxes:
        shape["applied_taxes"] = [
            {"uid": f"{line.uid}:{tax.uid}", "tax_uid": tax.uid} for tax in taxes
        ]
        if len(taxes) == 1:
            shape["applied_taxes"][0]["applied_money"] = shape["total_tax_money"]
    if discounts:
        uids = [discount_uid(one) for one in discounts]
        shape["applied_discounts"] = [
            {"uid": f"{line.uid}:{uid}", "discount_uid": uid} for uid in uids
        ]
        if len(discounts) == 1:
            shape["applied_discounts"][0]["applied_money"] = shape["total_discount_money"]
    return shape


def _is_on(line: points_pb2.SaleLine, line_uids: Iterable[str]) -> bool:
    uids = list(line_uids)
    return not uids or line.uid in uids


def _loyalty_shape(sale: points_pb2.Sale) -> OrderLoyaltyShape:
    earned, held = sale.earned, sale.held
    shape: OrderLoyaltyShape = {
        "points": earned.base + earned.tier_bonus,
        "tier_bonus_points": earned.tier_bonus,
        "promotion_points": earned.promotion,
        "held_points": held.base + held.tier_bonus + held.promotion,
        "silent_line_uids": list(sale.silent_line_uids),
        "changes": [_change_shape(sale, change) for change in sale.changes],
    }
    if sale.account_id:
        shape["loyalty_account_id"] = sale.account_id
    if sale.program_id:
        shape["loyalty_program_id"] = sale.program_id
    return shape


def _change_shape(sale: points_pb2.Sale, change: points_pb2.SaleChange) -> ChangeShape:
    shape: ChangeShape = {
        "id": change.change_id,
        "type": _CHANGE_TYPES.get(change.type, "FULL"),
        "points": change.points,
        "created_at": moment(change.occurred_at),
    }
    if change.type == points_pb2.SALE_CHANGE_TYPE_CUSTOM_AMOUNT:
        shape["amount_money"] = money(change.amount_minor, sale.currency)
    if change.returned:
        shape["returned"] = [
            {"uid": line.uid, "quantity": line.quantity} for line in change.returned
        ]
    if change.added:
        # An exchange comes at its price: the sale's own taxes and discounts are not on it.
        bare = points_pb2.Sale(currency=sale.currency)
        shape["added"] = [_line_shape(bare, line) for line in change.added]
    return shape
