"""Staff and their sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.chassis.postgres import Connection
from services.enrollment.domain.chains import Language
from services.enrollment.domain.ids import ChainId, SessionId, StaffId
from services.enrollment.domain.staff import Role, Staff


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRow:
    """What signing in looks at."""

    staff: Staff
    password_hash: str
    signed_in_at: datetime | None


def _staff(row: asyncpg.Record) -> Staff:
    return Staff(
        id=row["id"],
        chain_id=row["chain_id"],
        email=row["email"],
        name=row["name"],
        role=Role(row["role"]),
        active=row["active"],
        language=Language(row["language"]),
        created_at=row["created_at"],
    )


async def insert_staff(
    conn: Connection, staff: Staff, *, email_key: str, password_hash: str
) -> bool:
    """Write a new staff account; False when its e-mail address is taken on the platform."""
    return (
        await conn.fetchval(
            """
            INSERT INTO staff (chain_id, id, email, email_key, name, role, active, language,
                               password_hash, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (email_key) DO NOTHING
            RETURNING true
            """,
            staff.chain_id,
            staff.id,
            staff.email,
            email_key,
            staff.name,
            staff.role,
            staff.active,
            staff.language,
            password_hash,
            staff.created_at,
        )
        is not None
    )


async def find_for_sign_in(conn: Connection, *, email_key: str) -> SignInRow | None:
    """The staff account with this e-mail address, active or not."""
    row = await conn.fetchrow(
        """
        SELECT chain_id, id, email, name, role, active, language, created_at, password_hash,
               signed_in_at
        FROM staff WHERE email_key = $1
        """,
        email_key,
    )
    if row is None:
        return None
    return SignInRow(
        staff=_staff(row), password_hash=row["password_hash"], signed_in_at=row["signed_in_at"]
    )


async def list_staff(conn: Connection, chain_id: ChainId, *, count_max: int) -> list[Staff]:
    """The staff of a chain, oldest first."""
    rows = await conn.fetch(
        """
        SELECT chain_id, id, email, name, role, active, language, created_at
        FROM staff WHERE chain_id = $1 ORDER BY created_at, id LIMIT $2
        """,
        chain_id,
        count_max,
    )
    return [_staff(row) for row in rows]


async def count_staff(conn: Connection, chain_id: ChainId) -> int:
    """How many staff accounts a chain has, active or not."""
    count: int = await conn.fetchval("SELECT count(*) FROM staff WHERE chain_id = $1", chain_id)
    return count


async def lock_active_owners(conn: Connection, chain_id: ChainId) -> list[StaffId]:
    """The active owners of a chain, held until the transaction ends, in id order.

    Two owners who switch each other off at the same moment wait for each other here.
    """
    rows = await conn.fetch(
        """
        SELECT id FROM staff
        WHERE chain_id = $1 AND role = 'owner' AND active
        ORDER BY id
        FOR UPDATE
        """,
        chain_id,
    )
    return [row["id"] for row in rows]


async def set_active(
    conn: Connection, *, chain_id: ChainId, staff_id: StaffId, active: bool
) -> tuple[Staff, bool] | None:
    """Switch a person on or off; the account and whether that changed it, None if unknown.

    Locks the account.
    """
    row = await conn.fetchrow(
        """
        WITH before AS (
            SELECT active FROM staff WHERE chain_id = $1 AND id = $2 FOR UPDATE
        )
        UPDATE staff
        SET active = $3
        FROM before
        WHERE staff.chain_id = $1 AND staff.id = $2
        RETURNING staff.chain_id, staff.id, staff.email, staff.name, staff.role, staff.active,
                  staff.language, staff.created_at, before.active AS was_active
        """,
        chain_id,
        staff_id,
        active,
    )
    return (_staff(row), row["was_active"] != active) if row else None


async def set_password(
    conn: Connection, *, chain_id: ChainId, staff_id: StaffId, password_hash: str
) -> bool:
    """Write a new password; False when there is no such person. Locks the account."""
    return (
        await conn.fetchval(
            """
            UPDATE staff SET password_hash = $3 WHERE chain_id = $1 AND id = $2 RETURNING true
            """,
            chain_id,
            staff_id,
            password_hash,
        )
        is not None
    )


async def note_sign_in(conn: Connection, found: SignInRow, *, now: datetime) -> bool:
    """Let somebody in who is still active and whose password is still the one that was checked.

    Locks the account, so that switching it off ends this session too.
    """
    return (
        await conn.fetchval(
            """
            UPDATE staff SET signed_in_at = $4
            WHERE chain_id = $1 AND id = $2 AND active AND password_hash = $3
            RETURNING true
            """,
            found.staff.chain_id,
            found.staff.id,
            found.password_hash,
            now,
        )
        is not None
    )


async def insert_session(
    conn: Connection, *, session_id: SessionId, staff: Staff, token_digest: bytes, now: datetime
) -> None:
    """Write a new session of somebody whose account this transaction has locked."""
    await conn.execute(
        """
        INSERT INTO staff_session (chain_id, id, staff_id, token_digest, created_at, last_seen_at)
        VALUES ($1, $2, $3, $4, $5, $5)
        """,
        staff.chain_id,
        session_id,
        staff.id,
        token_digest,
        now,
    )


async def end_sessions(
    conn: Connection, *, chain_id: ChainId, staff_id: StaffId, keep_digest: bytes, now: datetime
) -> Sequence[bytes]:
    """End a person's sessions but the one to keep; the digests of their tokens."""
    rows = await conn.fetch(
        """
        UPDATE staff_session SET ended_at = $4
        WHERE chain_id = $1 AND staff_id = $2 AND ended_at IS NULL AND token_digest <> $3
        RETURNING token_digest
        """,
        chain_id,
        staff_id,
        keep_digest,
        now,
    )
    return [row["token_digest"] for row in rows]


async def end_session(conn: Connection, *, token_digest: bytes, now: datetime) -> bool:
    """End the session of this token; False when there is none that lives."""
    return (
        await conn.fetchval(
            """
            UPDATE staff_session SET ended_at = $2
            WHERE token_digest = $1 AND ended_at IS NULL
            RETURNING true
            """,
            token_digest,
            now,
        )
        is not None
    )


async def forget_sessions(conn: Connection, *, before: datetime, count_max: int) -> int:
    """Delete sessions that began before a day on which none of them can live any more."""
    rows = await conn.fetch(
        """
        DELETE FROM staff_session
        WHERE (chain_id, id) IN (
            SELECT chain_id, id FROM staff_session WHERE created_at < $1 LIMIT $2
        )
        RETURNING id
        """,
        before,
        count_max,
    )
    return len(rows)
