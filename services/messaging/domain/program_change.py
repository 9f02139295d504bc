"""Changes of a program that members and staff ought to hear of (SQ-51)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.messaging.domain.chain import ChainId
from services.messaging.domain.standing import ProgramId


class Section(StrEnum):
    """What of a program was changed."""

    NAME = "NAME"
    STATUS = "STATUS"
    EARNING = "EARNING"
    EXPIRY = "EXPIRY"
    TIERS = "TIERS"
    REFUNDS = "REFUNDS"
    SALONS = "SALONS"
    PAUSE = "PAUSE"
    CODES = "CODES"
    PROMOTIONS = "PROMOTIONS"
    REWARDS = "REWARDS"


# The rest is between the owner and her staff.
FOR_MEMBERS: Final = frozenset(Section) - {Section.REFUNDS, Section.PAUSE, Section.CODES}
# Reader of what the members have not been told.
THE_MEMBERS: Final = ""
# Whoever has not looked at a till for so long learns it as it is.
STAFF_AGE_MAX: Final = timedelta(days=14)
MEMBERS_AGE_MAX: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramChange:
    """One save of a program, of what it gives, or of what points buy in it."""

    chain_id: ChainId
    program_id: ProgramId
    event_id: UUID
    sections: tuple[Section, ...]
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramNotice:
    """What of one program a reader does not know yet."""

    program_id: ProgramId
    sections: tuple[Section, ...]
    up_to: int
    changed_at: datetime


def sections_for(reader_id: str) -> frozenset[Section]:
    """What a reader has to know."""
    return FOR_MEMBERS if reader_id == THE_MEMBERS else frozenset(Section)


def oldest_for(reader_id: str, *, now: datetime) -> datetime:
    """A change from before this moment is no news to a reader any more."""
    return now - (MEMBERS_AGE_MAX if reader_id == THE_MEMBERS else STAFF_AGE_MAX)
