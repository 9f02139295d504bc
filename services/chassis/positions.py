"""How far each consumer group's effects have come, written with the effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from services.chassis.postgres import Connection, Pool

# Topic and number of a partition, under whatever name.
P = TypeVar("P", bound=tuple[str, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The offset that comes next on a partition; `group` is empty for published positions."""

    group: str
    topic: str
    partition: int
    next_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a service's outbox and inboxes are, all at one moment."""

    outbox_pending: int
    published: Sequence[Position]
    consumed: Sequence[Position]


async def read(pool: Pool, *, consumer: str) -> Mapping[tuple[str, int], int]:
    """Every position of one group, by topic and partition."""
    rows = await pool.fetch(
        "SELECT topic, partition, next_offset FROM consumer_position WHERE consumer = $1", consumer
    )
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def write(conn: Connection, following: Mapping[P, int], *, consumer: str) -> None:
    """Take note of the offset that follows, by topic and partition.

    Runs in the transaction of the effects that led there.
    """
    await conn.execute(
        """
        INSERT INTO consumer_position (consumer, topic, partition, next_offset)
        SELECT $1, topic, partition, next_offset
        FROM unnest($2::text[], $3::integer[], $4::bigint[])
             AS place (topic, partition, next_offset)
        ORDER BY topic, partition
        ON CONFLICT (consumer, topic, partition)
            DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()
        """,
        consumer,
        [topic for topic, _ in following],
        [partition for _, partition in following],
        list(following.values()),
    )


async def progress(pool: Pool) -> Progress:
    """Backlog, published and consumed positions in one snapshot.

    One statement: an effect and the events that it appended are seen together or not at all.
    """
    rows = await pool.fetch(
        """
        SELECT 'pending' AS kind, '' AS consumer, '' AS topic, 0 AS partition, count(*) AS place
        FROM outbox_waiting
        UNION ALL
        SELECT 'published', '', topic, partition, next_offset FROM published_position
        UNION ALL
        SELECT 'consumed', consumer, topic, partition, next_offset FROM consumer_position
        """
    )

    def of(kind: str) -> list[Position]:
        return [
            Position(
                group=row["consumer"],
                topic=row["topic"],
                partition=row["partition"],
                next_offset=row["place"],
            )
            for row in rows
            if row["kind"] == kind
        ]

    return Progress(
        outbox_pending=of("pending")[0].next_offset,
        published=of("published"),
        consumed=of("consumed"),
    )
