"""Finding members by what staff remember of them (SQ-74), and walking through the pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.enrollment.domain.errors import LimitInvalid, QueryInvalid
from services.enrollment.domain.ids import MemberId
from services.enrollment.domain.members import Member
from services.enrollment.domain.text import digits, fold

QUERY_LENGTH_MAX = 100
WORDS_MAX = 8
PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 200
# Fewer digits would match one member in ten.
PHONE_DIGITS_MIN = 2
# What may stand around digits for the whole to be a phone.
_PHONE_FORM = re.compile(r"[\d\s().+/-]+")


class Sort(StrEnum):
    """In which order members are listed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchKeys:
    """What of a member is looked at: kept in columns of its own, written with every change."""

    # Family name first, as directories are sorted; members without a name come last.
    name_key: str
    # Names and e-mail without case and accents; each name also without its inner joins.
    search_key: str
    phone_digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A search in folded words. A phone is met by its last digits; words stand in any order."""

    words: tuple[str, ...]
    phone_digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page of the directory ended: the last member and what she was sorted by."""

    enrolled_at: datetime
    name_key: str
    member_id: MemberId


# A row of a PostgreSQL index holds 2,704 bytes; only names of the rarest signs come near.
NAME_KEY_BYTES_MAX = 600
SEARCH_KEY_BYTES_MAX = 1_400
# Sorts after every letter, so that the nameless stand at the end.
_NAMELESS = "\U0010fffd"


def _cut(text: str, *, bytes_max: int) -> str:
    return text.encode()[:bytes_max].decode(errors="ignore")


def keys_of(member: Member) -> SearchKeys:
    """What a member is found by."""
    given, family, email = fold(member.given_name), fold(member.family_name), fold(member.email)
    names = [given, family]
    squeezed = [name.replace(" ", "") for name in names if " " in name]
    return SearchKeys(
        name_key=_cut(f"{family or _NAMELESS} {given}".rstrip(), bytes_max=NAME_KEY_BYTES_MAX),
        search_key=_cut(
            " ".join(part for part in [email, *names, *squeezed] if part),
            bytes_max=SEARCH_KEY_BYTES_MAX,
        ),
        phone_digits=digits(member.phone),
    )


def read_question(query: str) -> Question:
    """What was typed into the search field. Refuses with `QueryInvalid` what is too long."""
    if len(query) > QUERY_LENGTH_MAX:
        raise QueryInvalid(field="query", params={"max": str(QUERY_LENGTH_MAX)})
    # A NUL cannot be in any stored text and cannot be sent to the database.
    text = query.replace("\x00", " ").strip()
    words = tuple(dict.fromkeys(fold(text).split()))
    if len(words) > WORDS_MAX:
        raise QueryInvalid(field="query", params={"max": str(WORDS_MAX)})
    found = digits(text) if _PHONE_FORM.fullmatch(text) else ""
    return Question(words=words, phone_digits=found if len(found) >= PHONE_DIGITS_MIN else "")


def read_page_size(limit: int) -> int:
    """How many members a page holds; 0 = 50. Refuses with `LimitInvalid` outside 1 to 200."""
    if limit == 0:
        return PAGE_SIZE_DEFAULT
    if not 1 <= limit <= PAGE_SIZE_MAX:
        raise LimitInvalid(field="limit", params={"min": "1", "max": str(PAGE_SIZE_MAX)})
    return limit
