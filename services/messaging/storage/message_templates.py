"""Words of chains' own."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from services.messaging.domain.chain import ChainId, Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import MessageKind

if TYPE_CHECKING:
    from services.chassis.postgres import Connection

# Subject and body.
OwnWords = tuple[str, str]


async def of_kind(
    conn: Connection, chain_id: ChainId, kind: MessageKind, channel: Channel
) -> dict[Language, OwnWords]:
    """A chain's own words for one kind of message, by language."""
    rows = await conn.fetch(
        """
        SELECT language, subject, body FROM message_template
        WHERE chain_id = $1 AND kind = $2 AND channel = $3
        """,
        chain_id,
        kind.value,
        channel.value,
    )
    return {Language(row["language"]): (row["subject"], row["body"]) for row in rows}


async def of_chain(
    conn: Connection, chain_id: ChainId
) -> dict[tuple[MessageKind, Channel, Language], OwnWords]:
    """All words of a chain's own."""
    rows = await conn.fetch(
        "SELECT kind, channel, language, subject, body FROM message_template WHERE chain_id = $1",
        chain_id,
    )
    return {
        (MessageKind(row["kind"]), Channel(row["channel"]), Language(row["language"])): (
            row["subject"],
            row["body"],
        )
        for row in rows
    }


async def put(
    conn: Connection,
    chain_id: ChainId,
    kind: MessageKind,
    channel: Channel,
    language: Language,
    *,
    words: OwnWords,
    at: datetime,
) -> None:
    """Keep words of a chain's own; the last ones saved count."""
    await conn.execute(
        """
        INSERT INTO message_template
            (chain_id, kind, channel, language, subject, body, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (chain_id, kind, channel, language) DO UPDATE
            SET subject = excluded.subject, body = excluded.body, updated_at = excluded.updated_at
        """,
        chain_id,
        kind.value,
        channel.value,
        language.value,
        words[0],
        words[1],
        at,
    )


async def drop(
    conn: Connection,
    chain_id: ChainId,
    kind: MessageKind,
    channel: Channel,
    language: Language,
) -> None:
    """Forget words of a chain's own."""
    await conn.execute(
        """
        DELETE FROM message_template
        WHERE chain_id = $1 AND kind = $2 AND channel = $3 AND language = $4
        """,
        chain_id,
        kind.value,
        channel.value,
        language.value,
    )
