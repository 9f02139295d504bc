"""How domain values lie in columns: discounts in four, actors in two."""

from __future__ import annotations

from decimal import Decimal

import asyncpg

from services.rewards.domain.actors import Actor, ActorKind
from services.rewards.domain.discounts import AmountOff, Discount, InKind, PercentOff

DISCOUNT_COLUMNS = "discount_kind, discount_percentage, discount_minor, discount_currency"


def discount_values(
    discount: Discount | None,
) -> tuple[str | None, Decimal | None, int | None, str | None]:
    """The four columns of a discount, all empty where there is none (coupons)."""
    match discount:
        case PercentOff(percentage=percentage):
            return "percentage", percentage, None, None
        case AmountOff(minor=minor, currency=currency):
            return "amount", None, minor, currency
        case InKind():
            return "in_kind", None, None, None
    return None, None, None, None


def discount_from(row: asyncpg.Record) -> Discount | None:
    """The discount in a row."""
    match row["discount_kind"]:
        case "percentage":
            return PercentOff(percentage=row["discount_percentage"])
        case "amount":
            return AmountOff(minor=row["discount_minor"], currency=row["discount_currency"])
        case "in_kind":
            return InKind()
    return None


def actor_from(row: asyncpg.Record) -> Actor:
    """The actor in a row."""
    return Actor(kind=ActorKind(row["actor_kind"]), id=row["actor_id"])
