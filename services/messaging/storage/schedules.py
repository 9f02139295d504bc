"""Scheduled messages, and whom they are for."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import asyncpg

from services.messaging.domain.chain import ChainId
from services.messaging.domain.offer import OfferId
from services.messaging.domain.schedule import (
    BirthdaysOf,
    ScheduledId,
    ScheduledMessage,
    ScheduledWords,
)
from services.messaging.storage.deliveries import CHANNEL

if TYPE_CHECKING:
    from services.chassis.postgres import Connection

_COLUMNS = """chain_id, id, days_before, offer_id, sms_body, email_subject, email_body, enabled,
    runs_from, created_at, updated_at, version, english_sms_body, english_email_subject,
    english_email_body"""

# Members with one of these birthdays who agreed to a channel: one channel each, the one she joined
# by first. $3 the days, $4 their year.
_GREETED = """
SELECT contact.member_id, contact.language, chosen.channel, chosen.address,
       $2::text || '|' || contact.member_id || '|' || $4::text AS key
FROM contact CROSS JOIN LATERAL (
    SELECT way.channel, way.address
    FROM (VALUES ('SMS', contact.phone, contact.phone_verified),
                 ('EMAIL', contact.email, contact.email_verified))
         AS way (channel, address, verified)
    JOIN consent ON consent.chain_id = contact.chain_id AND consent.channel = way.channel
         AND consent.address = way.address AND consent.granted
    WHERE way.verified AND way.address <> ''
    ORDER BY way.channel = contact.registered_by DESC NULLS LAST, way.channel = 'SMS' DESC
    LIMIT 1
) AS chosen
WHERE contact.chain_id = $1 AND right(contact.birthday, 5) = ANY($3::text[])
  AND contact.birthday <> '' AND contact.erased_at IS NULL
"""


def _message(row: asyncpg.Record) -> ScheduledMessage:
    return ScheduledMessage(
        chain_id=ChainId(row["chain_id"]),
        id=ScheduledId(row["id"]),
        days_before=row["days_before"],
        offer_id=OfferId(row["offer_id"]) if row["offer_id"] else None,
        words=_words(row),
        enabled=row["enabled"],
        runs_from=row["runs_from"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
        english=_words(row, "english_"),
    )


def _words(row: asyncpg.Record, prefix: str = "") -> ScheduledWords:
    return ScheduledWords(
        sms_body=row[f"{prefix}sms_body"],
        email_subject=row[f"{prefix}email_subject"],
        email_body=row[f"{prefix}email_body"],
    )


async def insert(conn: Connection, message: ScheduledMessage) -> None:
    """Write a new message."""
    await conn.execute(
        """
        INSERT INTO scheduled_message
            (chain_id, id, type, days_before, offer_id, sms_body, email_subject, email_body,
             enabled, runs_from, created_at, updated_at, english_sms_body, english_email_subject,
             english_email_body)
        VALUES ($1, $2, 'BIRTHDAY', $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $13)
        """,
        message.chain_id,
        message.id,
        message.days_before,
        message.offer_id,
        message.words.sms_body,
        message.words.email_subject,
        message.words.email_body,
        message.enabled,
        message.runs_from,
        message.created_at,
        message.english.sms_body,
        message.english.email_subject,
        message.english.email_body,
    )


async def lock(
    conn: Connection, chain_id: ChainId, message_id: ScheduledId
) -> ScheduledMessage | None:
    """A message, locked."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM scheduled_message WHERE chain_id = $1 AND id = $2 FOR UPDATE",  # noqa: S608
        chain_id,
        message_id,
    )
    return None if row is None else _message(row)


async def find(
    conn: Connection, chain_id: ChainId, message_id: ScheduledId
) -> ScheduledMessage | None:
    """A message as it stands."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM scheduled_message WHERE chain_id = $1 AND id = $2",  # noqa: S608
        chain_id,
        message_id,
    )
    return None if row is None else _message(row)


async def update(conn: Connection, message: ScheduledMessage) -> ScheduledMessage:
    """Write a locked message's new state; its version grows."""
    row = await conn.fetchrow(
        f"""
        UPDATE scheduled_message
        SET days_before = $3, offer_id = $4, sms_body = $5, email_subject = $6, email_body = $7,
            enabled = $8, runs_from = $9, updated_at = $10, version = version + 1,
            english_sms_body = $11, english_email_subject = $12, english_email_body = $13
        WHERE chain_id = $1 AND id = $2
        RETURNING {_COLUMNS}
        """,  # noqa: S608
        message.chain_id,
        message.id,
        message.days_before,
        message.offer_id,
        message.words.sms_body,
        message.words.email_subject,
        message.words.email_body,
        message.enabled,
        message.runs_from,
        message.updated_at,
        message.english.sms_body,
        message.english.email_subject,
        message.english.email_body,
    )
    assert row is not None, "the message was locked"
    return _message(row)


async def delete(conn: Connection, chain_id: ChainId, message_id: ScheduledId) -> bool:
    """Take a message away; what is still queued of it does not leave."""
    gone = await conn.fetchval(
        "DELETE FROM scheduled_message WHERE chain_id = $1 AND id = $2 RETURNING true",
        chain_id,
        message_id,
    )
    return gone is not None


async def of_chain(conn: Connection, chain_id: ChainId) -> list[ScheduledMessage]:
    """The chain's messages, oldest first."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM scheduled_message WHERE chain_id = $1 ORDER BY sequence",  # noqa: S608
        chain_id,
    )
    return [_message(row) for row in rows]


async def chains(conn: Connection) -> list[ChainId]:
    """The chains that have a message to send, in order of id."""
    rows = await conn.fetch(
        "SELECT DISTINCT chain_id FROM scheduled_message WHERE enabled ORDER BY chain_id"
    )
    return [ChainId(row["chain_id"]) for row in rows]


async def begin(conn: Connection, chain_id: ChainId, first: date) -> None:
    """Let the chain's messages begin anew on a day: nothing is caught up on (examples P5)."""
    await conn.execute(
        "UPDATE scheduled_message SET runs_from = $2 WHERE chain_id = $1", chain_id, first
    )


async def month_days(conn: Connection, chain_id: ChainId) -> list[str]:
    """Every birthday that some member of the chain has."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT right(birthday, 5) AS month_day FROM contact
        WHERE chain_id = $1 AND birthday <> '' AND erased_at IS NULL
        """,
        chain_id,
    )
    return [row["month_day"] for row in rows]


async def is_pending(conn: Connection, message: ScheduledMessage, birthdays: BirthdaysOf) -> bool:
    """Whether somebody with such a birthday has not been greeted yet."""
    found: bool = await conn.fetchval(
        f"""
        SELECT EXISTS (
            SELECT FROM ({_GREETED}) AS greeted
            WHERE NOT EXISTS (
                SELECT FROM delivery
                WHERE delivery.chain_id = $1 AND kind = 'BIRTHDAY' AND delivery.key = greeted.key
            )
        )
        """,  # noqa: S608
        *_whom(message, birthdays),
    )
    return found


async def queue(
    conn: Connection,
    message: ScheduledMessage,
    birthdays: BirthdaysOf,
    *,
    now: datetime,
    real_now: datetime,
    expires_at: datetime,
) -> int:
    """Queue the message for everybody with such a birthday, in one statement; how many are new.

    One member is greeted once for each birthday, whoever asks, and however often.
    """
    queued: int = await conn.fetchval(
        f"""
        WITH greeted AS ({_GREETED}),
        queued AS (
            INSERT INTO delivery
                (chain_id, id, kind, key, member_id, channel, address, language, params,
                 next_attempt_at, expires_at, occurred_at, recorded_at, updated_at)
            SELECT $1, gen_random_uuid(), 'BIRTHDAY', key, member_id, channel, address, language,
                   jsonb_build_object('scheduled_id', $2::text), $6, $7, $5, $6, $5
            FROM greeted
            ON CONFLICT (chain_id, kind, key) DO NOTHING
            RETURNING id
        ),
        told AS (SELECT pg_notify($8, '') FROM queued LIMIT 1)
        SELECT count(*) + (SELECT count(*) * 0 FROM told) FROM queued
        """,  # noqa: S608
        *_whom(message, birthdays),
        now,
        real_now,
        expires_at,
        CHANNEL,
    )
    return queued


def _whom(message: ScheduledMessage, birthdays: BirthdaysOf) -> tuple[object, ...]:
    return (
        message.chain_id,
        str(message.id),
        list(birthdays.month_days),
        str(birthdays.year),
    )
