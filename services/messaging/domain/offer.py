"""What messaging keeps of an offer: enough to tell of it (LS-67)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NewType
from uuid import UUID

from services.messaging.domain.chain import ChainId

OfferId = NewType("OfferId", UUID)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferCopy:
    """An offer as its service last told of it. Days are inclusive, in the chain's home zone."""

    chain_id: ChainId
    offer_id: OfferId
    title: str
    description: str
    exclusion: str
    start_date: date
    end_date: date
    deleted: bool
    version: int

    def is_over(self, day: date) -> bool:
        """Whether nobody can take it any more (LS-52)."""
        return day > self.end_date

    def runs_on(self, day: date) -> bool:
        """Whether members can see and take it on this day (LS-52)."""
        return self.start_date <= day <= self.end_date

    @property
    def params(self) -> dict[str, str]:
        """What words may say of it."""
        return {
            "offer": self.title,
            "description": self.description,
            "exclusion": self.exclusion,
            "until": self.end_date.isoformat(),
        }
