"""The two codes of a program: the points code and the multi-point code (LS-01 to LS-08, D39)."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from services.points.domain.errors import CodeFormInvalid, CodesAlike
from services.points.domain.ids import AccountId, ChainId, ProgramId

POINTS_CODE_DIGITS_MIN = 3
POINTS_CODE_DIGITS_MAX = 8
POINTS_CODE_DIGITS_GENERATED = 3
MULTI_POINT_CODE_DIGITS_MIN = 4
MULTI_POINT_CODE_DIGITS_MAX = 8
MULTI_POINT_CODE_DIGITS_GENERATED = 6

# Wrong codes in a row after which an account types no more codes (reliability 3).
CONSECUTIVE_FAILURES_MAX = 100
# Wrong codes of a whole chain in an hour that make a salon look; nobody is locked out by them.
CHAIN_FAILURES_PER_HOUR_CEILING = 100

# `[0-9]`, not `\d`: only these ten digits are on every keyboard.
_DIGITS = re.compile(r"[0-9]+")


class CodeKind(StrEnum):
    """Which of the two; each has its own counters."""

    POINTS = "points"
    MULTI_POINT = "multi_point"

    @property
    def field(self) -> str:
        """The request field that carries it."""
        return f"{self.value}_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramCodes:
    """Both codes in clear; they never show in a repr, and so in no log."""

    points_code: str = field(repr=False)
    multi_point_code: str = field(repr=False)

    def of(self, kind: CodeKind) -> str:
        """The code of one kind."""
        return self.points_code if kind is CodeKind.POINTS else self.multi_point_code

    def require_apart(self) -> Self:
        """Refuses with CodesAlike: whoever knows one code must not know the other."""
        if self.points_code == self.multi_point_code:
            raise CodesAlike
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTry:
    """A code that was typed for an account."""

    chain_id: ChainId
    account_id: AccountId
    program_id: ProgramId
    kind: CodeKind

    @property
    def name(self) -> tuple[ChainId, AccountId, CodeKind]:
        """What wrong ones are counted by."""
        return (self.chain_id, self.account_id, self.kind)


def checked_code(kind: CodeKind, code: str) -> str:
    """A code that an owner wishes, leading zeros kept. Refuses with CodeFormInvalid (M11)."""
    digits_min, digits_max = (
        (POINTS_CODE_DIGITS_MIN, POINTS_CODE_DIGITS_MAX)
        if kind is CodeKind.POINTS
        else (MULTI_POINT_CODE_DIGITS_MIN, MULTI_POINT_CODE_DIGITS_MAX)
    )
    if not (_DIGITS.fullmatch(code) and digits_min <= len(code) <= digits_max):
        raise CodeFormInvalid(field=kind.field, digits_min=digits_min, digits_max=digits_max)
    return code


def is_right(*, typed: str, kept: str) -> bool:
    """Whether the typed code is the kept one; takes the same time wherever they differ.

    Digests are compared, so that not even the length of the kept code shows in the time.
    """
    return hmac.compare_digest(_digest(typed), _digest(kept))


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()
