"""What a reward is worth, as a caller writes it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final, Literal

from loyalty.rewards.v1.rewards_pb2 import Discount
from loyalty.types.v1 import types_pb2
from pydantic import Field

from services.gateway.errors import ApiError
from services.gateway.pos.fields import (
    POINTS_MAX,
    Id,
    Money,
    Name,
    Note,
    Part,
    amount_in,
)

_PERCENTAGE: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")


class DefinitionIn(Part):
    """The discount of a reward; `IN_KIND` where the name says it all."""

    scope: Literal["ORDER", "ITEM_VARIATION", "CATEGORY"] | None = None
    discount_type: Literal["FIXED_PERCENTAGE", "FIXED_AMOUNT", "IN_KIND"]
    percentage_discount: Annotated[str, Field(strict=True, max_length=8)] | None = None
    fixed_discount_money: Money | None = None
    max_discount_money: Money | None = None


class RewardTierIn(Part):
    """What a program offers for points."""

    id: Id | None = None
    points: Annotated[int, Field(strict=True, ge=1, le=POINTS_MAX)]
    name: Name
    description: Note | None = None
    definition: DefinitionIn | None = None


def discount_of(definition: DefinitionIn | None, *, currency: str, field: str) -> Discount:
    """The discount that a definition means; none at all is a reward in kind.

    Refuses what could not be honoured: a limit to items, a cap, another currency.
    """
    if definition is None or definition.discount_type == "IN_KIND":
        return Discount(in_kind=True)
    if definition.scope not in {None, "ORDER"}:
        raise _unsupported("a discount on certain items only", f"{field}.scope")
    if definition.max_discount_money is not None:
        raise _unsupported("a cap on a discount", f"{field}.max_discount_money")
    if definition.discount_type == "FIXED_PERCENTAGE":
        return Discount(percentage=_percentage(definition.percentage_discount, field))
    money = definition.fixed_discount_money
    field = f"{field}.fixed_discount_money"
    if money is None:
        raise ApiError.of("MISSING_REQUIRED_PARAMETER", field=field)
    amount = amount_in(money, currency, field=field)
    if amount < 1:
        raise ApiError.of("VALUE_TOO_LOW", field=f"{field}.amount", params={"ge": "1"})
    return Discount(amount=types_pb2.Money(amount=amount, currency=currency))


def _percentage(text: str | None, field: str) -> str:
    field = f"{field}.percentage_discount"
    if text is None:
        raise ApiError.of("MISSING_REQUIRED_PARAMETER", field=field)
    if not _PERCENTAGE.fullmatch(text) or not 0 < Decimal(text) <= 100:
        raise ApiError.of("INVALID_PERCENTAGE", field=field)
    return text


def _unsupported(what: str, field: str) -> ApiError:
    return ApiError.of("NOT_SUPPORTED", field=field, params={"what": what})
