"""Sales with their changes, into proto."""

from __future__ import annotations

from collections.abc import Iterable

from loyalty.points.v1 import points_pb2 as pb

from services.points.domain.kept_sales import KeptChange, NamedDiscount, NamedTax, SaleState
from services.points.domain.refunds import (
    AmountRefund,
    Exchange,
    FullRefund,
    ItemRefund,
    ReturnedLine,
)
from services.points.domain.sales import SaleLine
from services.points.domain.terms import SalePoints
from services.points.rpc import rules, writing
from services.points.usecases.sale_changes import Changed
from services.points.usecases.sales import SaleView

_STATES = {SaleState.OPEN: pb.SALE_STATE_OPEN, SaleState.COUNTED: pb.SALE_STATE_COUNTED}


def sale(view: SaleView) -> pb.Sale:
    """A sale; once counted with what it brought and what of that is left."""
    kept, sold = view.kept, view.kept.sale
    message = pb.Sale(
        id=str(sold.id),
        chain_id=str(sold.chain_id),
        salon_id=str(sold.salon_id),
        member_id=str(kept.member_id or ""),
        account_id=str(sold.account_id or ""),
        program_id=str(kept.program_id or ""),
        state=_STATES[kept.state],
        currency=sold.currency,
        lines=[
            _line(line, discount_minor=off)
            for line, off in zip(sold.lines, kept.line_discounts_minor, strict=True)
        ],
        discounts=[_discount(named) for named in kept.discounts],
        taxes=[_tax(named) for named in kept.taxes],
        tip_minor=sold.tip_minor,
        total_minor=sold.paid_minor,
        tax_minor=kept.tax_minor,
        discount_minor=kept.discount_minor,
        reference_id=kept.reference_id,
        occurred_at=writing.timestamp(sold.occurred_at),
        created_at=writing.timestamp(kept.created_at),
        updated_at=writing.timestamp(kept.updated_at),
        version=kept.version,
        changes=[_change(change) for change in view.changes],
    )
    if kept.counted_at is not None:
        message.counted_at.CopyFrom(writing.timestamp(kept.counted_at))
    if kept.settled is not None:
        message.earned.CopyFrom(points(view.brought))
        message.held.CopyFrom(points(view.held))
        message.silent_line_uids.extend(kept.settled.worth.silent_lines)
    return message


def effect(changed: Changed) -> pb.ChangeEffect:
    """What a refund or an exchange did, or in a dry run would do."""
    change = changed.change
    return pb.ChangeEffect(
        entries=[writing.entry(found) for found in changed.entries],
        points=change.points,
        balance=changed.balance,
        expired_before=change.expired_before,
        forgiven=change.forgiven,
        returned_reward_ids=[str(reward_id) for reward_id in change.returned_reward_ids],
        sale=sale(changed.view),
        repeated_change=changed.repeated,
    )


def points(found: SalePoints) -> pb.SalePoints:
    """Points of a sale by where they come from."""
    return pb.SalePoints(base=found.base, tier_bonus=found.tier_bonus, promotion=found.promotion)


def _line(line: SaleLine, *, discount_minor: int = 0) -> pb.SaleLine:
    return pb.SaleLine(
        uid=line.uid,
        name=line.name,
        quantity=f"{line.quantity:f}",
        unit_price_minor=line.unit_price_minor,
        catalog_object_id=line.variation_id or line.item_id or "",
        gross_minor=line.gross_minor,
        net_minor=line.net_minor,
        tax_minor=line.tax_minor,
        discount_minor=discount_minor,
        category_ids=line.category_ids,
        item_id=line.item_id or "",
        variation_id=line.variation_id or "",
    )


def _discount(named: NamedDiscount) -> pb.SaleDiscount:
    discount = named.discount
    return pb.SaleDiscount(
        uid=named.uid,
        name=named.name,
        percentage="" if discount.percentage is None else rules.decimal(discount.percentage),
        amount_minor=discount.amount_minor,
        line_uids=discount.line_uids,
        reward_id=str(discount.reward_id or ""),
        applied_minor=named.applied_minor,
    )


def _tax(named: NamedTax) -> pb.SaleTax:
    tax = named.tax
    return pb.SaleTax(
        uid=named.uid,
        name=named.name,
        percentage="" if tax.percentage is None else rules.decimal(tax.percentage),
        amount_minor=tax.amount_minor,
        inclusive=tax.inclusive,
        line_uids=tax.line_uids,
        applied_minor=named.applied_minor,
    )


def _change(kept: KeptChange) -> pb.SaleChange:
    message = pb.SaleChange(
        change_id=kept.change.id,
        points=kept.points,
        occurred_at=writing.timestamp(kept.occurred_at),
    )
    match kept.change:
        case FullRefund():
            message.type = pb.SALE_CHANGE_TYPE_FULL
        case ItemRefund(lines=lines):
            message.type = pb.SALE_CHANGE_TYPE_ITEMS
            message.returned.extend(_returned(lines))
        case AmountRefund(amount_minor=amount_minor):
            message.type = pb.SALE_CHANGE_TYPE_CUSTOM_AMOUNT
            message.amount_minor = amount_minor
        case Exchange(returned=lines, added=added):
            message.type = pb.SALE_CHANGE_TYPE_EXCHANGE
            message.returned.extend(_returned(lines))
            message.added.extend(_line(line) for line in added)
    return message


def _returned(lines: Iterable[ReturnedLine]) -> list[pb.ReturnedLine]:
    return [pb.ReturnedLine(uid=line.uid, quantity=f"{line.quantity:f}") for line in lines]
