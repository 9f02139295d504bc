"""Who does something: ids only, never a name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """In which role."""

    UNKNOWN = "unknown"
    MEMBER = "member"
    STAFF = "staff"
    DEVICE = "device"
    API_KEY = "api_key"
    OPERATOR = "operator"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A member, a staff member, a device, a key, or the platform itself."""

    kind: ActorKind
    id: str = ""


SYSTEM = Actor(kind=ActorKind.SYSTEM)
