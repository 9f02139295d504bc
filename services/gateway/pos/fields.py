"""What may stand in a field of a request: strict types, and a limit on everything.

Numbers are numbers and texts are texts: `"1"`, `1.0` and `true` are no integers here.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from services.gateway.errors import ApiError

POINTS_MAX: Final = 2**31 - 1
KEY_LENGTH_MAX: Final = 128
ID_LENGTH_MAX: Final = 36

_ONE_SPELLING: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})"
)
# Before it there was no such program; after it nobody plans. Both bounds fit every service.
_YEAR_MIN, _YEAR_MAX = 1970, 2199


def _refused(code: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "refused", {"code": code})


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn"}


def single_line(text: str) -> str:
    """A text without control characters, spaces around it taken off."""
    # Keys and ids are plain ASCII: one look at the whole is enough.
    if not (text.isascii() and text.isprintable()) and any(
        _is_control(character) for character in text
    ):
        raise _refused("INVALID_TEXT")
    return text.strip()


def several_lines(text: str) -> str:
    """A text whose only control characters are line ends and tabs."""
    if any(_is_control(character) and character not in "\n\r\t" for character in text):
        raise _refused("INVALID_TEXT")
    return text.strip()


def not_blank(text: str) -> str:
    """A text with something in it besides spaces."""
    if not text:
        raise _refused("VALUE_EMPTY")
    return text


def _moment(text: object) -> datetime:
    if not isinstance(text, str):
        raise _refused("EXPECTED_STRING")
    if len(text) > 40 or not _RFC3339.fullmatch(text):
        raise _refused("INVALID_TIME")
    # Python keeps microseconds; finer digits are dropped.
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        moment = datetime.fromisoformat(shortened).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refused("INVALID_TIME") from None
    if not _YEAR_MIN <= moment.year <= _YEAR_MAX:
        raise _refused("INVALID_TIME")
    return moment


def _day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _refused("INVALID_DATE") from None
    if day.isoformat() != text:
        raise _refused("INVALID_DATE")
    return text


Key = Annotated[
    str,
    Field(
        strict=True,
        max_length=KEY_LENGTH_MAX,
        description="Made by the caller; the same key and body give the first answer again.",
    ),
    AfterValidator(single_line),
]
Id = Annotated[
    str,
    Field(strict=True, max_length=ID_LENGTH_MAX, description="An opaque id of at most 36."),
    AfterValidator(single_line),
]
Name = Annotated[
    str, Field(strict=True, max_length=120), AfterValidator(single_line), AfterValidator(not_blank)
]
Line = Annotated[str, Field(strict=True, max_length=255), AfterValidator(single_line)]
Address = Annotated[str, Field(strict=True, max_length=500), AfterValidator(several_lines)]
Note = Annotated[str, Field(strict=True, max_length=2000), AfterValidator(several_lines)]
Phone = Annotated[str, Field(strict=True, max_length=32), AfterValidator(single_line)]
Email = Annotated[str, Field(strict=True, max_length=254), AfterValidator(single_line)]
Code = Annotated[str, Field(strict=True, max_length=16), AfterValidator(single_line)]
Cursor = Annotated[str, Field(strict=True, max_length=2048), AfterValidator(single_line)]
# In an address: as long as any phone or e-mail, or as a cursor.
Sought = Annotated[str, Field(max_length=254), AfterValidator(single_line)]
SoughtCursor = Annotated[str, Field(max_length=2048), AfterValidator(single_line)]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment, json_schema_input_type=str),
    Field(description="RFC 3339, with its zone.", json_schema_extra={"format": "date-time"}),
]
Day = Annotated[str, Field(strict=True, max_length=10), AfterValidator(_day)]
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True, ge=-(2**53), le=2**53)]
Points = Annotated[int, Field(strict=True, ge=1, le=POINTS_MAX)]
Currency = Annotated[str, Field(strict=True, min_length=3, max_length=3, pattern=r"^[A-Z]{3}$")]
Language = Literal["fr", "en"]
# A decimal number as text, so that 1.1 stays 1.1.
Multiplier = Annotated[str, Field(strict=True, max_length=16, pattern=r"^[0-9]+(\.[0-9]+)?$")]


class Part(BaseModel):
    """A part of a request: what Square has and we do not know is accepted and ignored."""

    model_config = ConfigDict(extra="ignore")


class Money(Part):
    """An amount in the smallest unit of its currency."""

    amount: Annotated[int, Field(strict=True, ge=0, le=10**12)]
    currency: Currency


def amount_in(money: Money, currency: str, *, field: str) -> int:
    """The amount of money in the chain's currency; refuses any other."""
    if money.currency != currency:
        raise ApiError.of(
            "UNSUPPORTED_CURRENCY", field=f"{field}.currency", params={"currency": currency}
        )
    return money.amount


class TimeRange(Part):
    """From `start_at` on, until before `end_at`."""

    start_at: Moment | None = None
    end_at: Moment | None = None


def known_id(text: str | None, *, field: str = "") -> str:
    """The id in its one spelling; what is not an id of ours in form is simply not found."""
    if text and _ONE_SPELLING.fullmatch(text):
        return text
    try:
        return str(UUID(text or ""))
    except ValueError:
        raise ApiError.of("NOT_FOUND", field=field) from None


def id_or_none(text: str) -> str | None:
    """Same for a filter: what cannot be an id of ours matches nothing."""
    if _ONE_SPELLING.fullmatch(text):
        return text
    try:
        return str(UUID(text))
    except ValueError:
        return None
