"""What messaging keeps of a chain, and the platform that answers where no chain is meant."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

ChainId = NewType("ChainId", UUID)
MemberId = NewType("MemberId", UUID)

# The platform itself: what is said about its shared number belongs to no chain (D26).
PLATFORM: Final = ChainId(UUID(int=0))


class Language(StrEnum):
    """A language that we write in."""

    FR = "FR"
    EN = "EN"


class Plan(StrEnum):
    """What a chain pays for."""

    PARTANT = "PARTANT"
    ESSENTIEL = "ESSENTIEL"
    PRO = "PRO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain as enrollment last told us of it."""

    chain_id: ChainId
    slug: str
    name: str
    plan: Plan
    sandbox: bool
    home_time_zone: str
    language: Language
    version: int
    # Below every e-mail that advertises; while it is empty none leaves.
    postal_address: str = ""
    # How customers reach the chain, as it is shown.
    contact_phone: str = ""
