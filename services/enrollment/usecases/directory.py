"""The directory of members: all of them, or those whom somebody looks for (SQ-74)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime

from services.chassis.signing import Sealer, Unsealable
from services.enrollment import addresses
from services.enrollment.domain.errors import CursorInvalid, NotFound, PhoneInvalid
from services.enrollment.domain.ids import ChainId, MemberId, read_id
from services.enrollment.domain.members import Member
from services.enrollment.domain.search import (
    Place,
    Question,
    Sort,
    read_page_size,
    read_question,
)
from services.enrollment.domain.text import digits
from services.enrollment.storage import chains as chain_storage
from services.enrollment.storage import directory as storage
from services.enrollment.usecases.deps import Deps, reading

CURSOR_LENGTH_MAX = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchMembers:
    """A look into the directory; an empty query means everybody, a limit of 0 fifty."""

    chain_id: ChainId
    query: str
    limit: int
    cursor: str
    sort: Sort


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the directory; the cursor is empty on the last one."""

    members: tuple[Member, ...]
    cursor: str
    total: int


async def search_members(deps: Deps, command: SearchMembers) -> Page:
    """A page of the members whose names, e-mail or phone meet a query, and how many they are.

    Case and accents are ignored; words stand in any order; a phone is met by its last digits.
    Members who enrol between two pages do not shift the next one.

    Refuses with NotFound, QueryInvalid, LimitInvalid, CursorInvalid.
    """
    question = read_question(command.query)
    size = read_page_size(command.limit)
    async with reading(deps) as conn:
        chain = await chain_storage.get_chain(conn, command.chain_id)
        if chain is None:
            raise NotFound(field="chain_id")
        question = _with_whole_phone(
            question, command.query, region=addresses.region_of(chain.home_time_zone)
        )
        asked = _digest(command, question)
        after = (
            _read_cursor(deps.keys.cursors, command.cursor, asked=asked) if command.cursor else None
        )
        # One more than fits tells whether there is a next page.
        found = await storage.list_members(
            conn,
            chain_id=chain.id,
            question=question,
            sort=command.sort,
            after=after,
            count_max=size + 1,
        )
        if after is None and len(found) <= size:
            total = len(found)
        else:
            total = await storage.count_members(conn, chain_id=chain.id, question=question)
    shown = found[:size]
    cursor = ""
    if len(found) > size:
        cursor = _write_cursor(deps.keys.cursors, shown[-1][1], asked=asked)
    return Page(members=tuple(member for member, _ in shown), cursor=cursor, total=total)


def _with_whole_phone(question: Question, query: str, *, region: str) -> Question:
    """A whole phone in the country's own writing is looked for as it is stored (06… → 336…)."""
    if not question.phone_digits:
        return question
    try:
        return replace(
            question,
            phone_digits=digits(addresses.read_phone(query, region=region, field="query")),
        )
    except PhoneInvalid:
        return question


def _digest(command: SearchMembers, question: Question) -> str:
    """What a cursor belongs to: it is worth nothing to another question."""
    asked = json.dumps(
        [str(command.chain_id), command.sort.value, question.words, question.phone_digits]
    )
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def _write_cursor(sealer: Sealer, place: Place, *, asked: str) -> str:
    """Where a page ended, sealed: cursors stand in addresses, and names must not."""
    plain = [asked, place.enrolled_at.isoformat(), place.name_key, str(place.member_id)]
    return base64.urlsafe_b64encode(sealer.seal(json.dumps(plain).encode())).decode()


def _read_cursor(sealer: Sealer, cursor: str, *, asked: str) -> Place:
    """Refuses with CursorInvalid what we did not write for this question."""
    if len(cursor) > CURSOR_LENGTH_MAX:
        raise CursorInvalid(field="cursor")
    try:
        raw = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        digest, enrolled_at, name_key, member_id = json.loads(sealer.open(raw))
    except (binascii.Error, ValueError, Unsealable):
        raise CursorInvalid(field="cursor") from None
    if digest != asked:
        raise CursorInvalid(field="cursor")
    return Place(
        enrolled_at=datetime.fromisoformat(enrolled_at),
        name_key=name_key,
        member_id=MemberId(read_id(member_id, field="cursor")),
    )
