"""News of members whose contact is still on its way, and who was asked for her e-mail address."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.delivery import MessageKind
from services.messaging.domain.news import News

if TYPE_CHECKING:
    from services.chassis.postgres import Connection


async def keep(conn: Connection, news: News) -> None:
    """Keep news until the member's contact has arrived. Repeatable."""
    await conn.execute(
        """
        INSERT INTO early_news
            (chain_id, member_id, kind, key, params, occurred_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT DO NOTHING
        """,
        news.chain_id,
        news.member_id,
        news.kind.value,
        news.key,
        dict(news.params),
        news.occurred_at,
        news.expires_at,
    )


async def take(conn: Connection, chain_id: ChainId, member_id: MemberId) -> list[News]:
    """The news that waited for a member's contact, oldest first; they wait no more."""
    rows = await conn.fetch(
        """
        DELETE FROM early_news WHERE chain_id = $1 AND member_id = $2
        RETURNING kind, key, params, occurred_at, expires_at
        """,
        chain_id,
        member_id,
    )
    waited = [
        News(
            chain_id=chain_id,
            member_id=member_id,
            kind=MessageKind(row["kind"]),
            key=row["key"],
            params=row["params"],
            occurred_at=row["occurred_at"],
            expires_at=row["expires_at"],
        )
        for row in rows
    ]
    return sorted(waited, key=lambda news: news.occurred_at)


async def lock_member(conn: Connection, chain_id: ChainId, member_id: MemberId) -> None:
    """Let contact and points of one member arrive one after the other.

    They travel on two topics: without this each could miss what the other is writing.
    """
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('news' || $1::text || $2::text, 0))",
        str(chain_id),
        str(member_id),
    )


async def note_asked(
    conn: Connection, chain_id: ChainId, member_id: MemberId, *, points: int, at: datetime
) -> bool:
    """Note what a member is promised for her e-mail address; False when she was asked before."""
    asked = await conn.fetchval(
        """
        INSERT INTO email_asked (chain_id, member_id, points, asked_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        chain_id,
        member_id,
        points,
        at,
    )
    return asked is not None


async def note_given(
    conn: Connection, chain_id: ChainId, member_id: MemberId, *, at: datetime
) -> int | None:
    """Note that she gave it; what she was promised the first time, None otherwise (SQ-09)."""
    points: int | None = await conn.fetchval(
        """
        UPDATE email_asked SET given_at = $3
        WHERE chain_id = $1 AND member_id = $2 AND given_at IS NULL
        RETURNING points
        """,
        chain_id,
        member_id,
        at,
    )
    return points
