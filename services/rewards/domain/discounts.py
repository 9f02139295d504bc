"""What a reward gives: a part of the price, an amount, or something in kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from services.rewards.domain.errors import InvalidValue

PERCENTAGE_MIN = Decimal("0.01")
PERCENTAGE_MAX = Decimal("100")
# Ten million dollars off one sale is a slip of the keyboard.
AMOUNT_MINOR_MAX = 1_000_000_000
_PERCENTAGE_FORM = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?")
_CURRENCY_FORM = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentOff:
    """A percentage of the sale, two decimals at most."""

    percentage: Decimal

    @classmethod
    def parse(cls, text: str) -> PercentOff:
        """Read "10" or "12.5"; refuses with `InvalidValue` what is not within 0.01 and 100."""
        if not _PERCENTAGE_FORM.fullmatch(text):
            raise InvalidValue(field="discount.percentage", params={"problem": "not_a_percentage"})
        percentage = Decimal(text)
        if not PERCENTAGE_MIN <= percentage <= PERCENTAGE_MAX:
            raise InvalidValue(
                field="discount.percentage",
                params={"min": str(PERCENTAGE_MIN), "max": str(PERCENTAGE_MAX)},
            )
        return cls(percentage=percentage)

    @property
    def text(self) -> str:
        """The percentage without needless zeros: "10", "12.5"."""
        whole = format(self.percentage, "f")
        return whole.rstrip("0").rstrip(".") if "." in whole else whole


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountOff:
    """An amount in the smallest unit of its currency."""

    minor: int
    currency: str

    @classmethod
    def parse(cls, *, minor: int, currency: str) -> AmountOff:
        """Refuses with `InvalidValue` an amount that is not positive or not in a currency."""
        if not 1 <= minor <= AMOUNT_MINOR_MAX:
            raise InvalidValue(
                field="discount.amount", params={"min": "1", "max": str(AMOUNT_MINOR_MAX)}
            )
        if not _CURRENCY_FORM.fullmatch(currency):
            raise InvalidValue(field="discount.amount.currency", params={"problem": "not_iso_4217"})
        return cls(minor=minor, currency=currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class InKind:
    """What the name says: "Soin offert"."""


Discount: TypeAlias = PercentOff | AmountOff | InKind
