"""An order as a till writes it, in Square's form; `order_reading` says what it means.

What Square has and a sale does not know is named here too, so that it can be refused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from services.gateway.pos.fields import (
    ID_LENGTH_MAX,
    Currency,
    Flag,
    Id,
    Line,
    Moment,
    Money,
    Part,
    not_blank,
    single_line,
)

LINES_MAX: Final = 500
# As many as anybody could explain on a receipt.
PARTS_MAX: Final = 100
REFERENCE_LENGTH_MAX: Final = 40
UID_LENGTH_MAX: Final = 60
NAME_LENGTH_MAX: Final = 512


def _above_zero(text: str) -> str:
    if Decimal(text) == 0:
        raise PydanticCustomError("refused", "refused", {"code": "VALUE_TOO_LOW", "ge": "0.00001"})
    return text


def _at_most_hundred(text: str) -> str:
    if Decimal(text) > 100:
        raise PydanticCustomError("refused", "refused", {"code": "INVALID_PERCENTAGE"})
    return text


Quantity = Annotated[
    str,
    Field(strict=True, max_length=13, pattern=r"^[0-9]{1,7}(\.[0-9]{1,5})?$"),
    AfterValidator(_above_zero),
]
Percentage = Annotated[
    str,
    Field(strict=True, max_length=9, pattern=r"^[0-9]{1,3}(\.[0-9]{1,5})?$"),
    AfterValidator(_at_most_hundred),
]
Uid = Annotated[
    str,
    Field(strict=True, max_length=UID_LENGTH_MAX),
    AfterValidator(single_line),
    AfterValidator(not_blank),
]
CatalogId = Annotated[
    str,
    Field(strict=True, max_length=ID_LENGTH_MAX, description="An object of the catalog."),
    AfterValidator(single_line),
    AfterValidator(not_blank),
]
LineName = Annotated[
    str, Field(strict=True, max_length=NAME_LENGTH_MAX), AfterValidator(single_line)
]
Scope = Literal["ORDER", "LINE_ITEM"]
# What is only looked at to see whether it is there.
Unread = Annotated[list[Part], Field(max_length=LINES_MAX)]


class SignedMoney(Part):
    """An amount that may be below zero."""

    amount: Annotated[int, Field(strict=True, ge=-(10**12), le=10**12)]
    currency: Currency


class AppliedTax(Part):
    """A tax that is on a line, by its uid."""

    tax_uid: Uid


class AppliedDiscount(Part):
    """A discount that is on a line, by its uid."""

    discount_uid: Uid


class Modifier(Part):
    """An option of a line; one with a price of its own is refused."""

    catalog_object_id: CatalogId | None = None
    base_price_money: SignedMoney | None = None


class PricingBlocklists(Part):
    """What shall not be applied to a line; refused unless empty."""

    blocked_discounts: Unread | None = None
    blocked_taxes: Unread | None = None
    blocked_service_charges: Unread | None = None


class OrderLine(Part):
    """One line: what, how many, at which price. Without a price it has that of the catalog."""

    uid: Uid | None = None
    name: LineName | None = None
    quantity: Quantity
    base_price_money: Money | None = None
    catalog_object_id: CatalogId | None = None
    item_type: Literal["ITEM", "CUSTOM_AMOUNT", "GIFT_CARD"] | None = None
    modifiers: Annotated[list[Modifier], Field(max_length=PARTS_MAX)] | None = None
    applied_taxes: Annotated[list[AppliedTax], Field(max_length=PARTS_MAX)] | None = None
    applied_discounts: Annotated[list[AppliedDiscount], Field(max_length=PARTS_MAX)] | None = None
    applied_service_charges: Unread | None = None
    pricing_blocklists: PricingBlocklists | None = None


class OrderTax(Part):
    """A tax of the whole order, or of the lines that name it; a percentage or (ours) an amount."""

    uid: Uid | None = None
    name: Line | None = None
    type: Literal["ADDITIVE", "INCLUSIVE"] | None = None
    scope: Scope | None = None
    percentage: Percentage | None = None
    amount_money: Money | None = None
    catalog_object_id: CatalogId | None = None


class OrderDiscount(Part):
    """A discount of the whole order, or of the lines that name it; a percentage or an amount."""

    uid: Uid | None = None
    name: Line | None = None
    type: (
        Literal["FIXED_PERCENTAGE", "FIXED_AMOUNT", "VARIABLE_PERCENTAGE", "VARIABLE_AMOUNT"] | None
    ) = None
    scope: Scope | None = None
    percentage: Percentage | None = None
    amount_money: Money | None = None
    catalog_object_id: CatalogId | None = None
    reward_ids: Annotated[list[Id], Field(max_length=PARTS_MAX)] | None = None
    pricing_rule_id: Line | None = None


class Tender(Part):
    """How a part was paid; only its tip counts here."""

    tip_money: Money | None = None


class RoundingAdjustment(Part):
    """Rounding of cash; refused unless it is nothing."""

    amount_money: SignedMoney | None = None


class PricingOptions(Part):
    """What shall be applied by itself; refused when anything shall."""

    auto_apply_discounts: Flag | None = None
    auto_apply_taxes: Flag | None = None


class NewOrder(Part):
    """A sale: where, to whom, what. Totals are answered, never taken.

    The tip is `total_tip_money`, or the `tip_money` of the tenders; one of both, or both alike.
    """

    location_id: Id
    customer_id: Id | None = None
    reference_id: (
        Annotated[
            str,
            Field(strict=True, max_length=REFERENCE_LENGTH_MAX),
            AfterValidator(single_line),
        ]
        | None
    ) = None
    line_items: Annotated[list[OrderLine], Field(max_length=LINES_MAX)] | None = None
    taxes: Annotated[list[OrderTax], Field(max_length=PARTS_MAX)] | None = None
    discounts: Annotated[list[OrderDiscount], Field(max_length=PARTS_MAX)] | None = None
    total_tip_money: Money | None = None
    tenders: Annotated[list[Tender], Field(max_length=PARTS_MAX)] | None = None
    occurred_at: Moment | None = None
    state: Literal["OPEN", "COMPLETED", "CANCELED", "DRAFT"] | None = None
    service_charges: Unread | None = None
    returns: Unread | None = None
    refunds: Unread | None = None
    rewards: Unread | None = None
    rounding_adjustment: RoundingAdjustment | None = None
    pricing_options: PricingOptions | None = None
