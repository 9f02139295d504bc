"""What points last told of a member: balances, tier, visits. No name, no address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType
from uuid import UUID

from services.messaging.domain.chain import ChainId, MemberId

AccountId = NewType("AccountId", UUID)
ProgramId = NewType("ProgramId", UUID)
SalonId = NewType("SalonId", UUID)
TierId = NewType("TierId", UUID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an account holds after one of its postings; the highest sequence wins."""

    chain_id: ChainId
    account_id: AccountId
    member_id: MemberId
    program_id: ProgramId
    balance: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A member was in a salon, where that is known."""

    chain_id: ChainId
    member_id: MemberId
    salon_id: SalonId | None
    at: datetime
    # The posting or sale that brought her points; None: she got none.
    earned_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierMove:
    """A member's account on another level of its ladder."""

    chain_id: ChainId
    account_id: AccountId
    member_id: MemberId
    program_id: ProgramId
    tier_id: TierId
    tier_name: str
    risen: bool
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramCopy:
    """A program's name and what its points are called."""

    chain_id: ChainId
    program_id: ProgramId
    name: str
    term_one: str
    term_other: str
    active: bool
    version: int

    def term(self, points: int) -> str:
        """What so many points are called."""
        return self.term_one if abs(points) == 1 else self.term_other


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAccount:
    """One account of a member with what its points are called."""

    account_id: AccountId
    program_id: ProgramId
    balance: int
    tier_name: str
    # Empty while the program's event is on its way.
    program_name: str
    term_one: str
    term_other: str
