"""Reward definitions: what a chain offers for points."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.rewards.domain.discounts import AmountOff, Discount
from services.rewards.domain.errors import InvalidValue
from services.rewards.domain.ids import ChainId, DefinitionId, ProgramId
from services.rewards.domain.text import DESCRIPTION_LENGTH_MAX, NAME_LENGTH_MAX, checked_text

# SQ-50: with fifteen, one must be deleted before another can be created.
DEFINITIONS_MAX = 15
POINTS_MIN = 1
POINTS_MAX = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a definition says at one moment; a taken reward keeps a copy (SQ-49)."""

    name: str
    description: str
    points: int
    discount: Discount


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """New terms, field by field; None leaves the field as it is."""

    name: str | None = None
    description: str | None = None
    points: int | None = None
    discount: Discount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardDefinition:
    """One thing to save points for. Each change is a version of its own."""

    id: DefinitionId
    chain_id: ChainId
    program_id: ProgramId
    terms: Terms
    deleted: bool
    created_at: datetime
    updated_at: datetime
    version: int


def checked_points(points: int) -> int:
    """A cost between 1 and 1,000,000 points; refuses others with `InvalidValue`."""
    if not POINTS_MIN <= points <= POINTS_MAX:
        raise InvalidValue(field="points", params={"min": str(POINTS_MIN), "max": str(POINTS_MAX)})
    return points


def checked_terms(terms: Terms) -> Terms:
    """Complete terms within their limits; refuses others with `InvalidValue`."""
    return Terms(
        name=checked_name(terms.name),
        description=checked_description(terms.description),
        points=checked_points(terms.points),
        discount=terms.discount,
    )


def checked_changes(changes: Changes) -> Changes:
    """Changes within the same limits as complete terms."""
    return Changes(
        name=None if changes.name is None else checked_name(changes.name),
        description=(
            None if changes.description is None else checked_description(changes.description)
        ),
        points=None if changes.points is None else checked_points(changes.points),
        discount=changes.discount,
    )


def checked_name(name: str) -> str:
    """One line of words."""
    return checked_text(name, field="name", length_max=NAME_LENGTH_MAX, required=True)


def checked_description(description: str) -> str:
    """Some lines of words, or none."""
    return checked_text(
        description, field="description", length_max=DESCRIPTION_LENGTH_MAX, required=False
    )


def check_currency(discount: Discount | None, *, chain_currency: str | None) -> None:
    """An amount is in the chain's own currency, where that is known; else `InvalidValue`."""
    if (
        isinstance(discount, AmountOff)
        and chain_currency is not None
        and discount.currency != chain_currency
    ):
        raise InvalidValue(field="discount.amount.currency", params={"currency": chain_currency})
