"""Ids, one type for each kind of thing, and who did something."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType
from uuid import UUID

from services.enrollment.domain.errors import ActorInvalid, NotFound

ChainId = NewType("ChainId", UUID)
SalonId = NewType("SalonId", UUID)
StaffId = NewType("StaffId", UUID)
TabletId = NewType("TabletId", UUID)
ApiKeyId = NewType("ApiKeyId", UUID)
ProgramId = NewType("ProgramId", UUID)
MemberId = NewType("MemberId", UUID)
SessionId = NewType("SessionId", UUID)
ChallengeId = NewType("ChallengeId", UUID)

_UUID_FORM = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", re.ASCII)
_ACTOR_ID_FORM = re.compile(r"[A-Za-z0-9._:-]{0,64}", re.ASCII)


class ActorKind(StrEnum):
    """Who may do something here."""

    MEMBER = "member"
    STAFF = "staff"
    DEVICE = "device"
    API_KEY = "api_key"
    OPERATOR = "operator"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did something: a kind and an id, never a name."""

    kind: ActorKind
    id: str


SYSTEM = Actor(kind=ActorKind.SYSTEM, id="")


def read_id(text: str, *, field: str) -> UUID:
    """An id as a caller sent it.

    Refuses with `NotFound` what has not the form of an id: nothing can have it.
    """
    if _UUID_FORM.fullmatch(text) is None:
        raise NotFound(field=field)
    return UUID(text)


def read_actor(*, kind: ActorKind, id_text: str) -> Actor:
    """An actor as a caller named it. Refuses with `ActorInvalid` what could be a person's name."""
    if _ACTOR_ID_FORM.fullmatch(id_text) is None:
        raise ActorInvalid(field="actor")
    return Actor(kind=kind, id=id_text)
