"""What providers say later of messages that they took."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from services.messaging.domain.chain import PLATFORM, ChainId
from services.messaging.domain.delivery import DeliveryId, DeliveryState

if TYPE_CHECKING:
    from services.chassis.postgres import Connection


async def lock_message(conn: Connection, provider_message_id: str) -> None:
    """Put all that is said of one message in a line, until the transaction ends."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('provider_status/' || $1, 0))",
        provider_message_id,
    )


async def find_sent(
    conn: Connection, provider_message_id: str
) -> tuple[ChainId, DeliveryId] | None:
    """The delivery that a provider knows by this id."""
    row = await conn.fetchrow(
        "SELECT chain_id, id FROM delivery WHERE provider_message_id = $1", provider_message_id
    )
    return None if row is None else (ChainId(row["chain_id"]), DeliveryId(row["id"]))


async def move_on(
    conn: Connection,
    chain_id: ChainId,
    delivery_id: DeliveryId,
    *,
    state: DeliveryState,
    reason: str,
    business_now: datetime,
) -> bool:
    """Bring a sent delivery to its last state; False when it was further already."""
    moved = await conn.fetchval(
        """
        UPDATE delivery SET state = $3, reason = $4, updated_at = $5
        WHERE chain_id = $1 AND id = $2 AND state = 'SENT'
        RETURNING true
        """,
        chain_id,
        delivery_id,
        state.value,
        reason,
        business_now,
    )
    return moved is not None


async def keep(
    conn: Connection, provider_message_id: str, *, state: DeliveryState, reason: str
) -> None:
    """Keep what was said of a message that is not known yet, for a day."""
    await conn.execute(
        """
        INSERT INTO provider_status (chain_id, provider_message_id, state, reason)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        """,
        PLATFORM,
        provider_message_id,
        state.value,
        reason,
    )


async def take(conn: Connection, provider_message_id: str) -> tuple[DeliveryState, str] | None:
    """What was kept of a message, which is known now."""
    row = await conn.fetchrow(
        """
        DELETE FROM provider_status WHERE chain_id = $1 AND provider_message_id = $2
        RETURNING state, reason
        """,
        PLATFORM,
        provider_message_id,
    )
    return None if row is None else (DeliveryState(row["state"]), row["reason"])
