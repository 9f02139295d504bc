"""Changes of programs, and how far each reader has read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from services.messaging.domain.chain import ChainId
from services.messaging.domain.program_change import ProgramChange, ProgramNotice, Section
from services.messaging.domain.standing import ProgramId

if TYPE_CHECKING:
    from services.chassis.postgres import Connection


async def has_members(conn: Connection, chain_id: ChainId) -> bool:
    """Whether anybody has joined the chain."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM contact WHERE chain_id = $1)", chain_id
    )
    return found


async def insert(conn: Connection, change: ProgramChange) -> None:
    """Keep a change. Repeatable by its event."""
    await conn.execute(
        """
        INSERT INTO program_change
            (chain_id, program_id, event_id, sections, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (chain_id, event_id) DO NOTHING
        """,
        change.chain_id,
        change.program_id,
        change.event_id,
        [one.value for one in change.sections],
        change.changed_by,
        change.changed_at,
    )


async def unread(
    conn: Connection,
    chain_id: ChainId,
    reader_id: str,
    *,
    sections: Iterable[Section],
    since: datetime,
) -> list[ProgramNotice]:
    """What a reader has not read and did not change herself; each program once, newest first."""
    rows = await conn.fetch(
        """
        SELECT program_id, array_agg(DISTINCT section) AS sections, max(sequence) AS up_to,
               max(changed_at) AS changed_at
        FROM program_change
        CROSS JOIN LATERAL unnest(sections) AS section
        WHERE chain_id = $1 AND changed_at > $3 AND section = ANY($4)
          AND (changed_by <> $2 OR $2 = '')
          AND sequence > coalesce((
              SELECT up_to FROM program_change_read AS r
              WHERE r.chain_id = $1 AND r.program_id = program_change.program_id
                AND r.reader_id = $2), 0)
        GROUP BY program_id
        ORDER BY max(sequence) DESC
        """,
        chain_id,
        reader_id,
        since,
        [one.value for one in sections],
    )
    return [
        ProgramNotice(
            program_id=ProgramId(row["program_id"]),
            sections=tuple(one for one in Section if one.value in row["sections"]),
            up_to=row["up_to"],
            changed_at=row["changed_at"],
        )
        for row in rows
    ]


async def mark_read(
    conn: Connection, chain_id: ChainId, program_id: ProgramId, reader_id: str, *, up_to: int | None
) -> None:
    """She knows everything up to a change, None meaning the newest. Never goes back."""
    await conn.execute(
        """
        INSERT INTO program_change_read AS kept (chain_id, program_id, reader_id, up_to)
        SELECT $1, $2, $3, least(max(sequence), $4::bigint)
        FROM program_change WHERE chain_id = $1 AND program_id = $2
        HAVING count(*) > 0
        ON CONFLICT (chain_id, program_id, reader_id) DO UPDATE
            SET up_to = greatest(kept.up_to, excluded.up_to), recorded_at = now()
        """,
        chain_id,
        program_id,
        reader_id,
        up_to,
    )
