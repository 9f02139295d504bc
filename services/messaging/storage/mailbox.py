"""The sandbox mailbox: the only place where the words of a message rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.messaging.domain.chain import ChainId
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import DeliveryId, MessageKind
from services.messaging.domain.mailbox import SandboxMessage
from services.messaging.domain.provider import Outgoing

if TYPE_CHECKING:
    from services.chassis.postgres import Connection


async def drop(conn: Connection, message: Outgoing) -> None:
    """Put a message into its chain's mailbox; once, however often it is dropped."""
    await conn.execute(
        """
        INSERT INTO sandbox_message
            (chain_id, id, channel, recipient, subject, body, kind, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT DO NOTHING
        """,
        message.chain_id,
        message.delivery_id,
        message.channel.value,
        message.to,
        message.subject,
        message.body,
        message.kind.value,
        message.occurred_at,
    )


async def holds(conn: Connection, chain_id: ChainId, delivery_id: DeliveryId) -> bool:
    """Whether a delivery lies in the mailbox."""
    found = await conn.fetchval(
        "SELECT true FROM sandbox_message WHERE chain_id = $1 AND id = $2", chain_id, delivery_id
    )
    return found is not None


async def list_messages(
    conn: Connection, chain_id: ChainId, *, to: str, channel: Channel | None, limit: int
) -> list[SandboxMessage]:
    """The mailbox, newest first; an empty `to` and no channel mean all."""
    rows = await conn.fetch(
        """
        SELECT id, channel, recipient, subject, body, kind, created_at
        FROM sandbox_message
        WHERE chain_id = $1 AND ($2 = '' OR recipient = $2)
          AND ($3::text IS NULL OR channel = $3)
        ORDER BY sequence DESC LIMIT $4
        """,
        chain_id,
        to,
        channel.value if channel else None,
        limit,
    )
    return [
        SandboxMessage(
            id=DeliveryId(row["id"]),
            channel=Channel(row["channel"]),
            recipient=row["recipient"],
            subject=row["subject"],
            body=row["body"],
            kind=MessageKind(row["kind"]),
            created_at=row["created_at"],
        )
        for row in rows
    ]
