"""Sales, refunds and rewards on sales, from proto into the words of the use cases."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from loyalty.points.v1 import points_pb2 as pb

from services.points.domain.errors import IdInvalid, NumberOutOfRange, SalonUnknown
from services.points.domain.ids import ChangeId, LineUid, SaleId, SalonId
from services.points.domain.kept_sales import LineDraft, NamedDiscount, NamedTax
from services.points.domain.refunds import AmountRefund, FullRefund, ItemRefund, ReturnedLine
from services.points.domain.sale_errors import AmountAmbiguous, RefundKindRequired, SaleUnknown
from services.points.domain.sales import PERCENTAGE_MAX, QUANTITY_MAX, Discount, Tax
from services.points.domain.texts import tidy_text
from services.points.rpc import reading
from services.points.usecases.sale_changes import Refund, SaleExchange, SaleRefund
from services.points.usecases.sales import NewSale, RewardOffer

# As Square has them.
UID_LENGTH_MAX = 60
NAME_LENGTH_MAX = 512
REFERENCE_LENGTH_MAX = 40
CHANGE_ID_LENGTH_MAX = 128

_QUANTITY = re.compile(r"[0-9]{1,7}(\.[0-9]{1,5})?")
_PERCENTAGE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,7})?")


def sale_id(text: str) -> SaleId:
    """The sale; refuses with SaleUnknown."""
    try:
        return SaleId(reading.required_uuid(text, field="sale_id"))
    except IdInvalid:
        raise SaleUnknown from None


def salon_id(text: str) -> SalonId:
    """The salon of a sale; refuses with SalonUnknown."""
    found = reading.salon_id(text)
    if found is None:
        raise SalonUnknown
    return found


def new_sale(request: pb.CreateSaleRequest) -> NewSale:
    """A sale as a till posts it; refuses texts and numbers that none has."""
    return NewSale(
        idempotency_key=request.idempotency_key,
        chain_id=reading.chain_id(request.chain_id),
        salon_id=salon_id(request.salon_id),
        member_id=reading.member_id(request.member_id) if request.member_id else None,
        currency=reading.currency(request.currency, field="currency"),
        lines=tuple(_line(line) for line in request.lines),
        discounts=tuple(_discount(discount) for discount in request.discounts),
        taxes=tuple(_tax(tax) for tax in request.taxes),
        tip_minor=request.tip_minor,
        reference_id=tidy_text(
            "reference_id", request.reference_id, length_max=REFERENCE_LENGTH_MAX
        ),
        occurred_at=_occurred_at(request),
    )


def reward_offer(message: pb.RewardDiscount) -> RewardOffer:
    """What a reward takes off; one in kind, or one that does not say, takes nothing."""
    name = tidy_text("discount.name", message.name, length_max=NAME_LENGTH_MAX)
    match message.WhichOneof("value"):
        case "percentage":
            percentage = _percentage(message.percentage, field="discount")
            return RewardOffer(name=name, discount=Discount(percentage=percentage), currency="")
        case "amount":
            amount = Discount(amount_minor=message.amount.amount)
            return RewardOffer(name=name, discount=amount, currency=message.amount.currency)
    return RewardOffer(name=name, discount=Discount(amount_minor=0), currency="")


def sale_refund(request: pb.RefundSaleRequest) -> SaleRefund:
    """A refund of all, of lines or of an amount; refuses with RefundKindRequired."""
    change_id = _change_id(request.change_id)
    match request.WhichOneof("refund"):
        case "full":
            refund: Refund = FullRefund(id=change_id)
        case "items":
            refund = ItemRefund(id=change_id, lines=_returned(request.items.lines))
        case "amount":
            refund = AmountRefund(id=change_id, amount_minor=request.amount.amount)
        case _:
            raise RefundKindRequired
    return SaleRefund(
        idempotency_key=request.idempotency_key,
        chain_id=reading.chain_id(request.chain_id),
        sale_id=sale_id(request.sale_id),
        refund=refund,
        currency=request.amount.currency,
        dry_run=request.dry_run,
        occurred_at=_occurred_at(request),
        actor=reading.actor(request.actor),
    )


def sale_exchange(request: pb.ExchangeSaleRequest) -> SaleExchange:
    """Lines for lines."""
    return SaleExchange(
        idempotency_key=request.idempotency_key,
        chain_id=reading.chain_id(request.chain_id),
        sale_id=sale_id(request.sale_id),
        change_id=_change_id(request.change_id),
        returned=_returned(request.returned),
        added=tuple(_line(line) for line in request.added),
        dry_run=request.dry_run,
        occurred_at=_occurred_at(request),
        actor=reading.actor(request.actor),
    )


def _line(message: pb.SaleLine) -> LineDraft:
    field = "line_items.catalog_object_id"
    named = message.catalog_object_id
    return LineDraft(
        uid=tidy_text("line_items.uid", message.uid, length_max=UID_LENGTH_MAX),
        name=tidy_text("line_items.name", message.name, length_max=NAME_LENGTH_MAX),
        quantity=_quantity(message.quantity),
        unit_price_minor=None if message.price_from_catalog else message.unit_price_minor,
        catalog_object_id=reading.catalog_id(named, field=field) if named else None,
    )


def _discount(message: pb.SaleDiscount) -> NamedDiscount:
    percentage, amount_minor = _value(message, field="discounts")
    return NamedDiscount(
        uid=tidy_text("discounts.uid", message.uid, length_max=UID_LENGTH_MAX),
        name=tidy_text("discounts.name", message.name, length_max=NAME_LENGTH_MAX),
        discount=Discount(
            percentage=percentage, amount_minor=amount_minor, line_uids=_uids(message.line_uids)
        ),
    )


def _tax(message: pb.SaleTax) -> NamedTax:
    percentage, amount_minor = _value(message, field="taxes")
    return NamedTax(
        uid=tidy_text("taxes.uid", message.uid, length_max=UID_LENGTH_MAX),
        name=tidy_text("taxes.name", message.name, length_max=NAME_LENGTH_MAX),
        tax=Tax(
            percentage=percentage,
            amount_minor=amount_minor,
            inclusive=message.inclusive,
            line_uids=_uids(message.line_uids),
        ),
    )


def _value(
    message: pb.SaleDiscount | pb.SaleTax, *, field: str
) -> tuple[Decimal | None, int | None]:
    """A percentage or an amount; refuses with AmountAmbiguous both and neither."""
    if bool(message.percentage) == message.HasField("amount_minor"):
        raise AmountAmbiguous(field=field)
    if message.percentage:
        return _percentage(message.percentage, field=f"{field}.percentage"), None
    return None, message.amount_minor


def _percentage(text: str, *, field: str) -> Decimal:
    if not _PERCENTAGE.fullmatch(text):
        raise NumberOutOfRange(field=field, minimum=0, maximum=PERCENTAGE_MAX)
    return Decimal(text)


def _quantity(text: str) -> Decimal:
    if not _QUANTITY.fullmatch(text):
        raise NumberOutOfRange(field="line_items.quantity", minimum="0.00001", maximum=QUANTITY_MAX)
    return Decimal(text)


def _uids(texts: Iterable[str]) -> tuple[LineUid, ...]:
    return tuple(LineUid(text) for text in dict.fromkeys(texts))


def _returned(messages: Iterable[pb.ReturnedLine]) -> tuple[ReturnedLine, ...]:
    return tuple(
        ReturnedLine(uid=LineUid(message.uid), quantity=_quantity(message.quantity))
        for message in messages
    )


def _change_id(text: str) -> ChangeId:
    """The till's own name for a change; refuses with IdInvalid."""
    if not 1 <= len(text) <= CHANGE_ID_LENGTH_MAX or not text.isprintable():
        raise IdInvalid(field="change_id")
    return ChangeId(text)


def _occurred_at(
    request: pb.CreateSaleRequest | pb.RefundSaleRequest | pb.ExchangeSaleRequest,
) -> datetime | None:
    if not request.HasField("occurred_at"):
        return None
    return reading.moment(request.occurred_at, field="occurred_at")
