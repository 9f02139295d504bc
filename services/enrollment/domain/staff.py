"""Staff: who serves and who owns, and the rules for their accounts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.enrollment.domain.chains import Language
from services.enrollment.domain.errors import LastOwner, PasswordInvalid
from services.enrollment.domain.ids import ChainId, StaffId

# NIST SP 800-63B asks for length and nothing else; ten characters withstand guessing online.
PASSWORD_LENGTH_MIN = 10
# Hashing time grows with the length.
PASSWORD_LENGTH_MAX = 128
STAFF_MAX = 10_000


class Role(StrEnum):
    """What a person of the staff may do; the gateway holds the doors by it."""

    OWNER = "owner"
    MANAGER = "manager"
    CASHIER = "cashier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """A person who serves at a chain and signs in with e-mail and password."""

    id: StaffId
    chain_id: ChainId
    email: str
    name: str
    role: Role
    active: bool
    language: Language
    created_at: datetime


def check_password(password: str, *, field: str) -> None:
    """Refuses with `PasswordInvalid` a password that is too short or too long."""
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise PasswordInvalid(
            field=field,
            params={"min": str(PASSWORD_LENGTH_MIN), "max": str(PASSWORD_LENGTH_MAX)},
        )


def check_may_leave(staff_id: StaffId, *, active_owners: Collection[StaffId]) -> None:
    """Refuses with `LastOwner` to switch off the only active owner of a chain."""
    if set(active_owners) == {staff_id}:
        raise LastOwner(field="active")
