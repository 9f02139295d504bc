"""Which events of others have taken effect here."""

from __future__ import annotations

from uuid import UUID

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
