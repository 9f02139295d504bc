"""Which events of others have taken effect here."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.chassis.events import Event
from services.chassis.postgres import Connection


async def first_time(conn: Connection, *, chain_id: UUID, consumer: str, event_id: UUID) -> bool:
    """Whether this consumer meets the event for the first time; from now on it is known.

    Runs in the transaction of the effect: both happen or neither. A twin in flight waits on the
    unique key until this transaction has ended.
    """
    found = await conn.fetchval(
        """
        INSERT INTO inbox (chain_id, consumer, event_id) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        chain_id,
        consumer,
        event_id,
    )
    return found is not None


async def first_times(conn: Connection, events: Sequence[Event], *, consumer: str) -> list[Event]:
    """The same for many events in one statement: those met for the first time, in their order.

    One that stands there twice, as after a replay, is met once.
    """
    if not events:
        return []
    rows = await conn.fetch(
        """
        INSERT INTO inbox (chain_id, consumer, event_id)
        SELECT chain_id, $3, event_id
        FROM unnest($1::uuid[], $2::uuid[]) AS met (chain_id, event_id)
        ORDER BY chain_id, event_id
        ON CONFLICT DO NOTHING RETURNING event_id
        """,
        [event.chain_id for event in events],
        [event.id for event in events],
        consumer,
    )
    fresh = {row["event_id"] for row in rows}
    found = []
    for event in events:
        if event.id in fresh:
            fresh.discard(event.id)
            found.append(event)
    return found
