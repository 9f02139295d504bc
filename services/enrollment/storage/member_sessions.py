"""Sessions of members on their own phones."""

from __future__ import annotations

from datetime import datetime

from services.chassis.postgres import Connection
from services.enrollment.domain.ids import ChainId, MemberId, SessionId


async def insert_session(
    conn: Connection,
    *,
    session_id: SessionId,
    chain_id: ChainId,
    member_id: MemberId,
    token_digest: bytes,
    verified: bool,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Write a new session of a member whom this transaction has locked or made."""
    await conn.execute(
        """
        INSERT INTO member_session (chain_id, id, member_id, token_digest, verified, created_at,
                                    last_seen_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
        """,
        chain_id,
        session_id,
        member_id,
        token_digest,
        verified,
        now,
        expires_at,
    )


async def verify_session(
    conn: Connection,
    *,
    chain_id: ChainId,
    member_id: MemberId,
    token_digest: bytes,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """Mark a living session of this member as verified; False when there is none."""
    return (
        await conn.fetchval(
            """
            UPDATE member_session SET verified = true, last_seen_at = $4, expires_at = $5
            WHERE chain_id = $1 AND member_id = $2 AND token_digest = $3 AND ended_at IS NULL
              AND expires_at > $4
            RETURNING true
            """,
            chain_id,
            member_id,
            token_digest,
            now,
            expires_at,
        )
        is not None
    )


async def end_unverified_sessions(
    conn: Connection, *, chain_id: ChainId, member_id: MemberId, now: datetime
) -> list[bytes]:
    """End a member's sessions that never proved an address; the digests of their tokens."""
    rows = await conn.fetch(
        """
        UPDATE member_session SET ended_at = $3
        WHERE chain_id = $1 AND member_id = $2 AND ended_at IS NULL AND NOT verified
        RETURNING token_digest
        """,
        chain_id,
        member_id,
        now,
    )
    return [row["token_digest"] for row in rows]


async def was_superseded(conn: Connection, token_digest: bytes) -> bool:
    """Whether a session that proved nothing has ended, and its member has proven herself since."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM member_session AS session
            JOIN member_session AS proven
                 ON proven.chain_id = session.chain_id AND proven.member_id = session.member_id
            WHERE session.token_digest = $1 AND session.ended_at IS NOT NULL
              AND NOT session.verified AND proven.verified AND proven.ended_at IS NULL
        )
        """,
        token_digest,
    )
    return found


async def end_session(conn: Connection, *, token_digest: bytes, now: datetime) -> bool:
    """End the session of this token; False when there is none that lives."""
    return (
        await conn.fetchval(
            """
            UPDATE member_session SET ended_at = $2
            WHERE token_digest = $1 AND ended_at IS NULL
            RETURNING true
            """,
            token_digest,
            now,
        )
        is not None
    )


async def forget_sessions(conn: Connection, *, before: datetime, count_max: int) -> int:
    """Delete sessions that expired before this moment."""
    rows = await conn.fetch(
        """
        DELETE FROM member_session
        WHERE (chain_id, id) IN (
            SELECT chain_id, id FROM member_session WHERE expires_at < $1 LIMIT $2
        )
        RETURNING id
        """,
        before,
        count_max,
    )
    return len(rows)
