"""News of members whose contact is still on its way, and who was asked for her e-mail address."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.delivery import MessageKind
from services.messaging.domain.news import News
from services.messaging.storage.contacts import MemberKey

if TYPE_CHECKING:
    from services.chassis.postgres import Connection


async def keep(conn: Connection, news: Sequence[News]) -> None:
    """Keep news until their members' contacts have arrived; not of members who were erased.

    Repeatable.
    """
    await conn.execute(
        """
        INSERT INTO early_news
            (chain_id, member_id, kind, key, params, occurred_at, expires_at)
        SELECT chain_id, member_id, kind, key, params, occurred_at, expires_at
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[],
                    $6::timestamptz[], $7::timestamptz[])
             AS news (chain_id, member_id, kind, key, params, occurred_at, expires_at)
        WHERE NOT EXISTS (
            SELECT FROM contact
            WHERE contact.chain_id = news.chain_id AND contact.member_id = news.member_id
              AND contact.erased_at IS NOT NULL)
        ON CONFLICT DO NOTHING
        """,
        [each.chain_id for each in news],
        [each.member_id for each in news],
        [each.kind.value for each in news],
        [each.key for each in news],
        [dict(each.params) for each in news],
        [each.occurred_at for each in news],
        [each.expires_at for each in news],
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


async def lock_members(conn: Connection, members: Collection[MemberKey]) -> None:
    """Let contact and points of one member arrive one after the other.

    They travel on two topics: without this each could miss what the other is writing.
    """
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock(lock) FROM (
            SELECT DISTINCT hashtextextended('news' || chain_id || member_id, 0) AS lock
            FROM unnest($1::text[], $2::text[]) AS member (chain_id, member_id)
            ORDER BY lock
        ) AS locks
        """,
        [str(chain_id) for chain_id, _ in members],
        [str(member_id) for _, member_id in members],
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
