"""Discounts and taxes of a sale as documents."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from services.points.domain.ids import LineUid, RewardId
from services.points.domain.kept_sales import NamedDiscount, NamedTax
from services.points.domain.sales import Discount, Tax

Document: TypeAlias = dict[str, Any]


def discount_document(named: NamedDiscount) -> Document:
    """One discount, a reward's or the till's own."""
    discount = named.discount
    return {
        "uid": named.uid,
        "name": named.name,
        "percentage": None if discount.percentage is None else str(discount.percentage),
        "amount_minor": discount.amount_minor,
        "line_uids": list(discount.line_uids),
        "reward_id": str(discount.reward_id) if discount.reward_id else None,
        "applied_minor": named.applied_minor,
    }


def discount_from(document: Mapping[str, Any]) -> NamedDiscount:
    """The discount of a document."""
    percentage, reward_id = document["percentage"], document["reward_id"]
    return NamedDiscount(
        uid=document["uid"],
        name=document["name"],
        discount=Discount(
            percentage=None if percentage is None else Decimal(percentage),
            amount_minor=document["amount_minor"],
            line_uids=tuple(LineUid(uid) for uid in document["line_uids"]),
            reward_id=RewardId(UUID(reward_id)) if reward_id else None,
        ),
        applied_minor=document["applied_minor"],
    )


def tax_document(named: NamedTax) -> Document:
    """One tax."""
    tax = named.tax
    return {
        "uid": named.uid,
        "name": named.name,
        "percentage": None if tax.percentage is None else str(tax.percentage),
        "amount_minor": tax.amount_minor,
        "inclusive": tax.inclusive,
        "line_uids": list(tax.line_uids),
        "applied_minor": named.applied_minor,
    }


def tax_from(document: Mapping[str, Any]) -> NamedTax:
    """The tax of a document."""
    percentage = document["percentage"]
    return NamedTax(
        uid=document["uid"],
        name=document["name"],
        tax=Tax(
            percentage=None if percentage is None else Decimal(percentage),
            amount_minor=document["amount_minor"],
            inclusive=document["inclusive"],
            line_uids=tuple(LineUid(uid) for uid in document["line_uids"]),
        ),
        applied_minor=document["applied_minor"],
    )
