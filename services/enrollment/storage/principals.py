"""Who a token speaks for: one indexed query for each kind of token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.chassis.postgres import Connection
from services.enrollment.domain.chains import Language
from services.enrollment.domain.credentials import Principal
from services.enrollment.domain.ids import Actor, ActorKind
from services.enrollment.domain.staff import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A principal, and when it was last written down that it came."""

    principal: Principal
    seen_at: datetime | None


def _principal(row: asyncpg.Record, *, kind: ActorKind) -> Principal:
    return Principal(
        actor=Actor(kind=kind, id=str(row["actor_id"])),
        chain_id=row["chain_id"],
        session_id=str(row["id"]),
        chain_slug=row["slug"],
        sandbox=row["sandbox"],
        language=Language(row["language"]),
        verified=row.get("verified", False),
        role=Role(row["role"]) if "role" in row else None,
        scopes=tuple(row.get("scopes", ())),
        salon_ids=tuple(row.get("salon_ids", ())),
        program_id=row.get("program_id"),
    )


async def find_member(conn: Connection, *, token_digest: bytes, now: datetime) -> Seen | None:
    """The member of a living session; the living member when she was merged."""
    row = await conn.fetchrow(
        """
        SELECT session.chain_id, session.id, session.verified, session.last_seen_at,
               coalesce(member.merged_into, member.id) AS actor_id,
               member.language, chain.slug, chain.sandbox
        FROM member_session AS session
        JOIN member ON member.chain_id = session.chain_id AND member.id = session.member_id
        JOIN chain ON chain.chain_id = session.chain_id
        WHERE session.token_digest = $1 AND session.ended_at IS NULL AND session.expires_at > $2
          AND member.erased_at IS NULL
        """,
        token_digest,
        now,
    )
    if row is None:
        return None
    principal = _principal(row, kind=ActorKind.MEMBER)
    return Seen(principal=principal, seen_at=row["last_seen_at"])


async def note_member_seen(
    conn: Connection,
    *,
    token_digest: bytes,
    now: datetime,
    seen_before: datetime,
    expires_at: datetime,
) -> None:
    """Write down that a session was used, once however many requests come at the same moment."""
    await conn.execute(
        """
        UPDATE member_session SET last_seen_at = $2, expires_at = $4
        WHERE token_digest = $1 AND last_seen_at <= $3 AND ended_at IS NULL
        """,
        token_digest,
        now,
        seen_before,
        expires_at,
    )


async def find_staff(
    conn: Connection, *, token_digest: bytes, seen_after: datetime, created_after: datetime
) -> Seen | None:
    """The active person of a session that is neither idle nor too old."""
    row = await conn.fetchrow(
        """
        SELECT session.chain_id, session.id, session.last_seen_at, staff.id AS actor_id,
               staff.role, staff.language, chain.slug, chain.sandbox
        FROM staff_session AS session
        JOIN staff ON staff.chain_id = session.chain_id AND staff.id = session.staff_id
        JOIN chain ON chain.chain_id = session.chain_id
        WHERE session.token_digest = $1 AND session.ended_at IS NULL
          AND session.last_seen_at > $2 AND session.created_at > $3 AND staff.active
        """,
        token_digest,
        seen_after,
        created_after,
    )
    if row is None:
        return None
    principal = _principal(row, kind=ActorKind.STAFF)
    return Seen(principal=principal, seen_at=row["last_seen_at"])


async def note_staff_seen(
    conn: Connection, *, token_digest: bytes, now: datetime, seen_before: datetime
) -> None:
    """Write down that a session was used, once however many requests come at the same moment."""
    await conn.execute(
        """
        UPDATE staff_session SET last_seen_at = $2
        WHERE token_digest = $1 AND last_seen_at <= $3 AND ended_at IS NULL
        """,
        token_digest,
        now,
        seen_before,
    )


async def find_tablet(conn: Connection, *, token_digest: bytes) -> Seen | None:
    """The tablet with this link. It speaks for its own salon and program."""
    row = await conn.fetchrow(
        """
        SELECT tablet.chain_id, tablet.id, tablet.id AS actor_id, tablet.program_id,
               ARRAY[tablet.salon_id] AS salon_ids, chain.language, chain.slug, chain.sandbox
        FROM tablet
        JOIN chain ON chain.chain_id = tablet.chain_id
        WHERE tablet.token_digest = $1 AND tablet.revoked_at IS NULL
        """,
        token_digest,
    )
    return Seen(principal=_principal(row, kind=ActorKind.DEVICE), seen_at=None) if row else None


async def find_api_key(conn: Connection, *, token_digest: bytes) -> Seen | None:
    """The key with this token."""
    row = await conn.fetchrow(
        """
        SELECT api_key.chain_id, api_key.id, api_key.id AS actor_id, api_key.scopes,
               api_key.salon_ids, api_key.last_used_at, chain.language, chain.slug, chain.sandbox
        FROM api_key
        JOIN chain ON chain.chain_id = api_key.chain_id
        WHERE api_key.token_digest = $1 AND api_key.revoked_at IS NULL
        """,
        token_digest,
    )
    if row is None:
        return None
    principal = _principal(row, kind=ActorKind.API_KEY)
    return Seen(principal=principal, seen_at=row["last_used_at"])


async def note_key_used(
    conn: Connection, *, token_digest: bytes, now: datetime, used_before: datetime
) -> None:
    """Write down that a key was used, once however many requests come at the same moment."""
    await conn.execute(
        """
        UPDATE api_key SET last_used_at = $2
        WHERE token_digest = $1 AND (last_used_at IS NULL OR last_used_at <= $3)
        """,
        token_digest,
        now,
        used_before,
    )
