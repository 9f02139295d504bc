"""The walk through a chain's directory of members (SQ-74)."""

from __future__ import annotations

from datetime import datetime

from services.chassis.postgres import Connection
from services.enrollment.domain.ids import ChainId
from services.enrollment.domain.members import Member
from services.enrollment.domain.search import Place, Question, Sort
from services.enrollment.storage.members import read_member

# One index carries what is filtered and what is sorted; the members themselves are read only for
# the page that is shown. A phone is met by its end, a word anywhere, words in any order.
_PAGES = {
    Sort.NEWEST: """
        WITH page AS (
            SELECT id FROM member
            WHERE chain_id = $1 AND merged_into IS NULL AND erased_at IS NULL
              AND (search_key LIKE ALL ($2::text[])
                   OR ($3::text <> '' AND phone_digits LIKE '%' || $3))
              AND ($4::timestamptz IS NULL OR (enrolled_at, id) < ($4, $5::uuid))
            ORDER BY enrolled_at DESC, id DESC
            LIMIT $6
        )
        """,
    Sort.OLDEST: """
        WITH page AS (
            SELECT id FROM member
            WHERE chain_id = $1 AND merged_into IS NULL AND erased_at IS NULL
              AND (search_key LIKE ALL ($2::text[])
                   OR ($3::text <> '' AND phone_digits LIKE '%' || $3))
              AND ($4::timestamptz IS NULL OR (enrolled_at, id) > ($4, $5::uuid))
            ORDER BY enrolled_at, id
            LIMIT $6
        )
        """,
    Sort.NAME: """
        WITH page AS (
            SELECT id FROM member
            WHERE chain_id = $1 AND merged_into IS NULL AND erased_at IS NULL
              AND (search_key LIKE ALL ($2::text[])
                   OR ($3::text <> '' AND phone_digits LIKE '%' || $3))
              AND ($4::text IS NULL OR (name_key, id) > ($4, $5::uuid))
            ORDER BY name_key, id
            LIMIT $6
        )
        """,
}
_ORDERS = {
    Sort.NEWEST: "ORDER BY enrolled_at DESC, member.id DESC",
    Sort.OLDEST: "ORDER BY enrolled_at, member.id",
    Sort.NAME: "ORDER BY name_key, member.id",
}
_PAGE_MEMBERS = """
        SELECT chain_id, member.id, given_name, family_name, phone, email, birthday, language,
               source, registered_by, phone_verified, email_verified, note, reference_id, salon_id,
               enrolled_at, created_at, updated_at, version, name_key
        FROM page JOIN member ON member.chain_id = $1 AND member.id = page.id
        """


def _patterns(question: Question) -> list[str]:
    escaped = (
        word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        for word in question.words
    )
    return [f"%{word}%" for word in escaped]


def _key(place: Place, sort: Sort) -> datetime | str:
    return place.name_key if sort is Sort.NAME else place.enrolled_at


async def list_members(
    conn: Connection,
    *,
    chain_id: ChainId,
    question: Question,
    sort: Sort,
    after: Place | None,
    count_max: int,
) -> list[tuple[Member, Place]]:
    """Members whom a question meets, each with the place where a page would end with her."""
    rows = await conn.fetch(
        _PAGES[sort] + _PAGE_MEMBERS + _ORDERS[sort],
        chain_id,
        _patterns(question),
        question.phone_digits,
        _key(after, sort) if after else None,
        after.member_id if after else None,
        count_max,
    )
    return [
        (
            read_member(row),
            Place(enrolled_at=row["enrolled_at"], name_key=row["name_key"], member_id=row["id"]),
        )
        for row in rows
    ]


async def count_members(conn: Connection, *, chain_id: ChainId, question: Question) -> int:
    """How many living members a question meets."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM member
        WHERE chain_id = $1 AND merged_into IS NULL AND erased_at IS NULL
          AND (search_key LIKE ALL ($2::text[]) OR ($3::text <> '' AND phone_digits LIKE '%' || $3))
        """,
        chain_id,
        _patterns(question),
        question.phone_digits,
    )
    return count
