"""What a till's order means as a sale: honoured, or refused with a reason, never dropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from loyalty.points.v1 import points_pb2

from services.gateway.errors import ApiError
from services.gateway.pos.caller import Caller
from services.gateway.pos.fields import amount_in
from services.gateway.pos.found import member_of
from services.gateway.pos.order_bodies import (
    NewOrder,
    OrderDiscount,
    OrderLine,
    OrderTax,
    Scope,
)

# What points calls the parts of a sale that it refuses.
FIELDS: Final = {
    "salon_id": "order.location_id",
    "member_id": "order.customer_id",
    "currency": "order.line_items",
    "occurred_at": "order.occurred_at",
    "reference_id": "order.reference_id",
    "tip_money": "order.total_tip_money",
    "total_money": "order",
    **{
        name: f"order.{name}"
        for name in (
            "line_items",
            "line_items.uid",
            "line_items.name",
            "line_items.quantity",
            "line_items.base_price_money",
            "line_items.catalog_object_id",
            "discounts",
            "discounts.uid",
            "discounts.name",
            "discounts.percentage",
            "discounts.amount_money",
            "taxes",
            "taxes.uid",
            "taxes.name",
            "taxes.percentage",
            "taxes.amount_money",
        )
    },
}

_Spread: TypeAlias = OrderTax | OrderDiscount


async def sale_request(
    caller: Caller, order: NewOrder, *, key: str
) -> points_pb2.CreateSaleRequest:
    """The sale that an order asks for, in the chain's currency.

    Refuses what a sale cannot be: see `_refuse_unsupported`; salons and members of others are not
    found.
    """
    _refuse_unsupported(order)
    currency = (await caller.chain()).currency
    salon = await caller.salon(order.location_id, field="order.location_id")
    request = points_pb2.CreateSaleRequest(
        idempotency_key=key,
        chain_id=caller.chain_id,
        salon_id=salon.id,
        currency=currency,
        tip_minor=_tip(order, currency),
        reference_id=order.reference_id or "",
        actor=caller.actor,
    )
    if order.customer_id is not None:
        member = await member_of(caller, order.customer_id, field="order.customer_id")
        request.member_id = member.id
    if order.occurred_at is not None:
        request.occurred_at.FromDatetime(order.occurred_at)
    lines = sale_lines(order.line_items or (), currency=currency, field="order.line_items")
    _name(lines)
    request.lines.extend(lines)
    by_line = list(zip(order.line_items or (), lines, strict=True))
    request.discounts.extend(_discounts(order.discounts or (), by_line, currency))
    request.taxes.extend(_taxes(order.taxes or (), by_line, currency))
    _refuse_unknown_applied(order)
    return request


def sale_lines(
    lines: Sequence[OrderLine], *, currency: str, field: str
) -> list[points_pb2.SaleLine]:
    """The lines of a sale; points gives one without a price that of the catalog."""
    for place, line in enumerate(lines):
        _refuse_unsupported_line(line, f"{field}[{place}]")
    return [
        _line(line, currency=currency, field=f"{field}[{place}]")
        for place, line in enumerate(lines)
    ]


def line_fields(lines: Sequence[points_pb2.SaleLine], field: str) -> dict[str, str]:
    """What points calls the parts of single lines that it refuses."""
    return {
        f"line_items[{place}].{name}": f"{field}[{place}].{name}"
        for place, line in enumerate(lines)
        if line.price_from_catalog
        for name in ("base_price_money", "catalog_object_id", "catalog_object_id.currency")
    }


def _refuse_unsupported(order: NewOrder) -> None:
    """What Square knows and a sale does not, and what would change its total unseen."""
    rounding = order.rounding_adjustment and order.rounding_adjustment.amount_money
    options = order.pricing_options
    refused = (
        (order.service_charges, "SERVICE_CHARGE_UNSUPPORTED", "service_charges"),
        (order.returns, "RETURN_UNSUPPORTED", "returns"),
        (order.refunds, "RETURN_UNSUPPORTED", "refunds"),
        (order.rewards, "REWARD_IN_ORDER", "rewards"),
        (rounding and rounding.amount, "ROUNDING_UNSUPPORTED", "rounding_adjustment"),
        (
            options and (options.auto_apply_discounts or options.auto_apply_taxes),
            "AUTO_PRICING_UNSUPPORTED",
            "pricing_options",
        ),
        (order.state not in {None, "OPEN"}, "ORDER_STATE_UNSUPPORTED", "state"),
    )
    for is_there, code, name in refused:
        if is_there:
            raise ApiError.of(code, field=f"order.{name}")


def _refuse_unsupported_line(line: OrderLine, field: str) -> None:
    if line.item_type == "GIFT_CARD":
        raise ApiError.of("GIFT_CARD_UNSUPPORTED", field=f"{field}.item_type")
    if line.applied_service_charges:
        raise ApiError.of("SERVICE_CHARGE_UNSUPPORTED", field=f"{field}.applied_service_charges")
    blocked = line.pricing_blocklists
    if blocked and (
        blocked.blocked_discounts or blocked.blocked_taxes or blocked.blocked_service_charges
    ):
        raise ApiError.of("PRICING_BLOCK_UNSUPPORTED", field=f"{field}.pricing_blocklists")
    for place, modifier in enumerate(line.modifiers or ()):
        price = modifier.base_price_money
        # One of the catalog would have a price there.
        priced = price.amount != 0 if price else modifier.catalog_object_id is not None
        if priced:
            raise ApiError.of("MODIFIER_PRICE_UNSUPPORTED", field=f"{field}.modifiers[{place}]")


def _tip(order: NewOrder, currency: str) -> int:
    """The tip: Square tells it of the tenders and answers the sum; both ways are taken."""
    told = [
        amount_in(tender.tip_money, currency, field=f"order.tenders[{place}].tip_money")
        for place, tender in enumerate(order.tenders or ())
        if tender.tip_money is not None
    ]
    if order.total_tip_money is None:
        return sum(told)
    total = amount_in(order.total_tip_money, currency, field="order.total_tip_money")
    if told and sum(told) != total:
        raise ApiError.of(
            "CONFLICTING_PARAMETERS",
            field="order.total_tip_money",
            params={"fields": "order.total_tip_money, order.tenders.tip_money"},
        )
    return total


def _line(line: OrderLine, *, currency: str, field: str) -> points_pb2.SaleLine:
    made = points_pb2.SaleLine(
        uid=line.uid or "",
        name=line.name or "",
        quantity=line.quantity,
        catalog_object_id=line.catalog_object_id or "",
    )
    price = line.base_price_money
    if price is not None:
        made.unit_price_minor = amount_in(price, currency, field=f"{field}.base_price_money")
    elif line.catalog_object_id:
        made.price_from_catalog = True
    else:
        raise ApiError.of("MISSING_REQUIRED_PARAMETER", field=f"{field}.base_price_money")
    return made


def _name(lines: Sequence[points_pb2.SaleLine]) -> None:
    """Give each line a uid that has none: the same ones each time that the order is sent."""
    taken = {line.uid for line in lines}
    for place, line in enumerate(lines, start=1):
        if line.uid:
            continue
        uid = f"line-{place}"
        while uid in taken:
            uid += "-"
        line.uid = uid
        taken.add(uid)


_Lines: TypeAlias = Sequence[tuple[OrderLine, points_pb2.SaleLine]]


def _discounts(
    discounts: Sequence[OrderDiscount], lines: _Lines, currency: str
) -> Iterator[points_pb2.SaleDiscount]:
    _require_own_uids(discounts, "order.discounts")
    for place, discount in enumerate(discounts):
        field = f"order.discounts[{place}]"
        if discount.reward_ids:
            raise ApiError.of("REWARD_IN_ORDER", field=f"{field}.reward_ids")
        if discount.pricing_rule_id:
            raise ApiError.of("AUTO_PRICING_UNSUPPORTED", field=f"{field}.pricing_rule_id")
        uids = [
            made.uid
            for line, made in lines
            if any(one.discount_uid == discount.uid for one in line.applied_discounts or ())
        ]
        over = _over(discount.scope, uids, field=field)
        made = points_pb2.SaleDiscount(
            uid=discount.uid or "",
            name=discount.name or "",
            percentage=discount.percentage or "",
            line_uids=over,
        )
        amount = _amount(discount, currency, field=field)
        if amount is not None:
            if len(over) > 1:
                raise ApiError.of("AMOUNT_ON_SEVERAL_LINES", field=f"{field}.amount_money")
            made.amount_minor = amount
        yield made


def _taxes(taxes: Sequence[OrderTax], lines: _Lines, currency: str) -> Iterator[points_pb2.SaleTax]:
    _require_own_uids(taxes, "order.taxes")
    for place, tax in enumerate(taxes):
        field = f"order.taxes[{place}]"
        uids = [
            made.uid
            for line, made in lines
            if any(one.tax_uid == tax.uid for one in line.applied_taxes or ())
        ]
        made = points_pb2.SaleTax(
            uid=tax.uid or "",
            name=tax.name or "",
            percentage=tax.percentage or "",
            inclusive=tax.type == "INCLUSIVE",
            line_uids=_over(tax.scope, uids, field=field),
        )
        amount = _amount(tax, currency, field=field)
        if amount is not None:
            made.amount_minor = amount
        yield made


def _over(scope: Scope | None, named_by: list[str], *, field: str) -> list[str]:
    """The lines of a discount or tax; none = all of the order.

    Without a scope, being named by a line says that it is of lines.
    """
    if scope == "ORDER" or (scope is None and not named_by):
        return []
    if not named_by:
        raise ApiError.of("LINES_NOT_NAMED", field=f"{field}.scope")
    return named_by


def _amount(part: _Spread, currency: str, *, field: str) -> int | None:
    """The amount, where there is one; a percentage and an amount are for points to refuse."""
    if part.amount_money is None:
        if part.percentage is None and part.catalog_object_id:
            raise ApiError.of("CATALOG_VALUE_UNSUPPORTED", field=f"{field}.catalog_object_id")
        if part.percentage is None:
            raise ApiError.of("MISSING_REQUIRED_PARAMETER", field=f"{field}.percentage")
        return None
    if part.percentage is not None:
        raise ApiError.of("AMOUNT_AMBIGUOUS", field=f"{field}.amount_money")
    return amount_in(part.amount_money, currency, field=f"{field}.amount_money")


def _require_own_uids(parts: Sequence[_Spread], field: str) -> None:
    seen: set[str] = set()
    for place, part in enumerate(parts):
        if part.uid is not None and part.uid in seen:
            raise ApiError.of(
                "UID_REPEATED", field=f"{field}[{place}].uid", params={"uid": part.uid}
            )
        seen.add(part.uid or "")


def _refuse_unknown_applied(order: NewOrder) -> None:
    """A line that names a tax or discount which the order does not have."""
    taxes = {tax.uid for tax in order.taxes or ()}
    discounts = {discount.uid for discount in order.discounts or ()}
    for place, line in enumerate(order.line_items or ()):
        field = f"order.line_items[{place}]"
        for at, tax in enumerate(line.applied_taxes or ()):
            if tax.tax_uid not in taxes:
                raise ApiError.of(
                    "APPLIED_UNKNOWN",
                    field=f"{field}.applied_taxes[{at}].tax_uid",
                    params={"uid": tax.tax_uid},
                )
        for at, discount in enumerate(line.applied_discounts or ()):
            if discount.discount_uid not in discounts:
                raise ApiError.of(
                    "APPLIED_UNKNOWN",
                    field=f"{field}.applied_discounts[{at}].discount_uid",
                    params={"uid": discount.discount_uid},
                )
