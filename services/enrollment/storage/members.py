"""Members of chains, one by one."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from services.chassis.postgres import Connection
from services.enrollment.domain.chains import Language
from services.enrollment.domain.errors import MemberExists
from services.enrollment.domain.ids import ChainId, MemberId
from services.enrollment.domain.members import Channel, Member, Source
from services.enrollment.domain.search import SearchKeys

_FIELD_OF_INDEX = {
    "member_chain_id_phone_idx": "phone",
    "member_chain_id_email_key_idx": "email",
}


def read_member(row: asyncpg.Record) -> Member:
    """A member from the columns that every query here names."""
    return Member(
        id=row["id"],
        chain_id=row["chain_id"],
        given_name=row["given_name"],
        family_name=row["family_name"],
        phone=row["phone"] or "",
        email=row["email"] or "",
        birthday=row["birthday"],
        language=Language(row["language"]),
        source=Source(row["source"]),
        registered_by=Channel(row["registered_by"]),
        phone_verified=row["phone_verified"],
        email_verified=row["email_verified"],
        note=row["note"],
        salon_id=row["salon_id"],
        enrolled_at=row["enrolled_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
        reference_id=row["reference_id"],
    )


async def insert_member(
    conn: Connection, member: Member, keys: SearchKeys, *, email_key: str
) -> bool:
    """Write a new member; False when somebody has her phone or e-mail address in this chain.

    Waits for a twin in flight. A merged member's old addresses count as the living one's.
    """
    return (
        await conn.fetchval(
            """
            INSERT INTO member (chain_id, id, given_name, family_name, phone, email, email_key,
                                birthday, language, source, registered_by, phone_verified,
                                email_verified, note, reference_id, salon_id, enrolled_at,
                                created_at, updated_at, version, name_key, search_key,
                                phone_digits)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                   $19, $20, $21, $22, $23
            WHERE NOT EXISTS (
                SELECT FROM member
                WHERE chain_id = $1 AND phone = $5 AND merged_into IS NOT NULL
            ) AND NOT EXISTS (
                SELECT FROM member
                WHERE chain_id = $1 AND email_key = $7 AND merged_into IS NOT NULL
            )
            ON CONFLICT DO NOTHING
            RETURNING true
            """,
            member.chain_id,
            member.id,
            member.given_name,
            member.family_name,
            member.phone or None,
            member.email or None,
            email_key or None,
            member.birthday,
            member.language,
            member.source,
            member.registered_by,
            member.phone_verified,
            member.email_verified,
            member.note,
            member.reference_id,
            member.salon_id,
            member.enrolled_at,
            member.created_at,
            member.updated_at,
            member.version,
            keys.name_key,
            keys.search_key,
            keys.phone_digits,
        )
        is not None
    )


async def find_by_address(
    conn: Connection, *, chain_id: ChainId, phone: str, email_key: str
) -> Member | None:
    """The living member who has, or had before a merge, this phone or else this e-mail address."""
    row = await conn.fetchrow(
        """
        WITH met AS (
            SELECT coalesce(merged_into, id) AS id, 1 AS rank,
                   merged_into IS NOT NULL AS was_merged
            FROM member WHERE chain_id = $1 AND phone = $2 AND erased_at IS NULL
            UNION ALL
            SELECT coalesce(merged_into, id), 2, merged_into IS NOT NULL
            FROM member WHERE chain_id = $1 AND email_key = $3 AND erased_at IS NULL
        )
        SELECT member.chain_id, member.id, given_name, family_name, phone, email, birthday,
               language, source, registered_by, phone_verified, email_verified, note,
               reference_id, salon_id, enrolled_at, created_at, updated_at, version
        FROM met JOIN member ON member.chain_id = $1 AND member.id = met.id
        WHERE member.merged_into IS NULL AND member.erased_at IS NULL
        ORDER BY rank, was_merged
        LIMIT 1
        """,
        chain_id,
        phone or None,
        email_key or None,
    )
    return read_member(row) if row else None


async def get_member(conn: Connection, *, chain_id: ChainId, member_id: MemberId) -> Member | None:
    """A living member of this chain; a merged one is answered by the living one."""
    row = await conn.fetchrow(
        """
        SELECT chain_id, id, given_name, family_name, phone, email, birthday, language, source,
               registered_by, phone_verified, email_verified, note, reference_id, salon_id,
               enrolled_at, created_at, updated_at, version
        FROM member
        WHERE chain_id = $1
          AND id = (SELECT coalesce(merged_into, id) FROM member WHERE chain_id = $1 AND id = $2)
          AND merged_into IS NULL AND erased_at IS NULL
        """,
        chain_id,
        member_id,
    )
    return read_member(row) if row else None


async def lock_member(conn: Connection, *, chain_id: ChainId, member_id: MemberId) -> Member | None:
    """The same as `get_member`, held until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT chain_id, id, given_name, family_name, phone, email, birthday, language, source,
               registered_by, phone_verified, email_verified, note, reference_id, salon_id,
               enrolled_at, created_at, updated_at, version
        FROM member
        WHERE chain_id = $1
          AND id = (SELECT coalesce(merged_into, id) FROM member WHERE chain_id = $1 AND id = $2)
          AND merged_into IS NULL AND erased_at IS NULL
        FOR NO KEY UPDATE
        """,
        chain_id,
        member_id,
    )
    return read_member(row) if row else None


async def had_address(
    conn: Connection, *, chain_id: ChainId, member_id: MemberId, phone: str, email_key: str
) -> bool:
    """Whether this address was that of a member who was merged into this one."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM member
            WHERE chain_id = $1 AND phone = $3 AND merged_into = $2
        ) OR EXISTS (
            SELECT FROM member
            WHERE chain_id = $1 AND email_key = $4 AND merged_into = $2
        )
        """,
        chain_id,
        member_id,
        phone or None,
        email_key or None,
    )
    return found


async def save_member(
    conn: Connection, member: Member, keys: SearchKeys, *, email_key: str
) -> None:
    """Write what may change of a member whom this transaction has locked.

    Refuses with `MemberExists` when another living member has the new phone or e-mail address.
    """
    try:
        await conn.execute(
            """
            UPDATE member
            SET given_name = $3, family_name = $4, phone = $5, email = $6, email_key = $7,
                birthday = $8, language = $9, phone_verified = $10, email_verified = $11,
                note = $12, reference_id = $13, updated_at = $14, version = $15, name_key = $16,
                search_key = $17, phone_digits = $18
            WHERE chain_id = $1 AND id = $2
            """,
            member.chain_id,
            member.id,
            member.given_name,
            member.family_name,
            member.phone or None,
            member.email or None,
            email_key or None,
            member.birthday,
            member.language,
            member.phone_verified,
            member.email_verified,
            member.note,
            member.reference_id,
            member.updated_at,
            member.version,
            keys.name_key,
            keys.search_key,
            keys.phone_digits,
        )
    except asyncpg.UniqueViolationError as error:
        raise MemberExists(field=_FIELD_OF_INDEX[str(error.constraint_name)]) from None


async def list_by_id(
    conn: Connection, *, chain_id: ChainId, member_ids: Sequence[MemberId]
) -> list[Member]:
    """Living members by ids, oldest first; who was merged or erased is left out."""
    rows = await conn.fetch(
        """
        SELECT chain_id, id, given_name, family_name, phone, email, birthday, language, source,
               registered_by, phone_verified, email_verified, note, reference_id, salon_id,
               enrolled_at, created_at, updated_at, version
        FROM member
        WHERE chain_id = $1 AND id = ANY ($2::uuid[]) AND merged_into IS NULL AND erased_at IS NULL
        ORDER BY enrolled_at, id
        """,
        chain_id,
        member_ids,
    )
    return [read_member(row) for row in rows]


async def find_members(
    conn: Connection,
    *,
    chain_id: ChainId,
    phones: Sequence[str],
    email_keys: Sequence[str],
    member_ids: Sequence[MemberId],
) -> list[Member]:
    """Living members by exact phones, e-mail addresses or ids, oldest first; merged ones too."""
    rows = await conn.fetch(
        """
        WITH met AS (
            SELECT coalesce(merged_into, id) AS id FROM member
            WHERE chain_id = $1 AND phone = ANY ($2::text[]) AND erased_at IS NULL
            UNION
            SELECT coalesce(merged_into, id) FROM member
            WHERE chain_id = $1 AND email_key = ANY ($3::text[]) AND erased_at IS NULL
            UNION
            SELECT coalesce(merged_into, id) FROM member
            WHERE chain_id = $1 AND id = ANY ($4::uuid[]) AND erased_at IS NULL
        )
        SELECT member.chain_id, member.id, given_name, family_name, phone, email, birthday,
               language, source, registered_by, phone_verified, email_verified, note,
               reference_id, salon_id, enrolled_at, created_at, updated_at, version
        FROM met JOIN member ON member.chain_id = $1 AND member.id = met.id
        WHERE member.merged_into IS NULL AND member.erased_at IS NULL
        ORDER BY member.enrolled_at, member.id
        """,
        chain_id,
        list(phones),
        list(email_keys),
        list(member_ids),
    )
    return [read_member(row) for row in rows]
