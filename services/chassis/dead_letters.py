"""Events that can never be applied, kept with the reason until a person has looked at them.

A dead letter is not in the inbox: once the cause is mended, a replay by the source applies it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from uuid import NAMESPACE_URL, UUID, uuid5

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.chassis.events import Record, header_texts
from services.chassis.postgres import Connection

log = structlog.get_logger(__name__)

REASON_LENGTH_MAX = 500
ANNOUNCE_TIMEOUT_SECONDS = 5.0


def identity(record: Record) -> UUID:
    """The event's own id, or one made from place and content when it has none."""
    headers = header_texts(record)
    try:
        return UUID(headers.get("ce_id", ""))
    except ValueError:
        digest = hashlib.sha256(record.value or b"").hexdigest()
        return uuid5(NAMESPACE_URL, f"{record.topic}/{record.partition}/{record.offset}/{digest}")


def _chain(headers: dict[str, str]) -> UUID | None:
    try:
        return UUID(headers.get("ce_chainid", ""))
    except ValueError:
        return None


async def record_letter(conn: Connection, record: Record, *, consumer: str, reason: str) -> bool:
    """Keep an event that cannot be applied; False when this consumer's letter was kept before."""
    headers = header_texts(record)
    found = await conn.fetchval(
        """
        INSERT INTO dead_letter (chain_id, consumer, topic, partition, partition_offset, key,
                                 event_id, type, reason, headers, payload)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (consumer, event_id) DO NOTHING RETURNING true
        """,
        _chain(headers),
        consumer,
        record.topic,
        record.partition,
        record.offset,
        _legible(record.key),
        identity(record),
        headers.get("ce_type", "").replace("\0", ""),
        reason.replace("\0", "")[:REASON_LENGTH_MAX],
        {name.replace("\0", ""): text.replace("\0", "") for name, text in headers.items()},
        record.value,
    )
    return found is not None


def _legible(key: bytes | None) -> str:
    return (key or b"").decode("utf-8", "replace").replace("\0", "")


async def forget(conn: Connection, *, chain_id: UUID, key: str) -> int:
    """Erase the dead letters of one key, for a person who asked to be forgotten; how many."""
    status = await conn.execute(
        "DELETE FROM dead_letter WHERE chain_id = $1 AND key = $2", chain_id, key
    )
    return int(status.rpartition(" ")[2])


async def announce(record: Record, *, bootstrap: str, consumer: str, reason: str) -> None:
    """Tell the `.dlq` topic which event was buried and why.

    Its bytes stay in the database alone, where erasure reaches them. The table decides; a broker
    that is away only costs the announcement.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, client_id=consumer)
    headers = [(name, value) for name, value in record.headers if name.startswith("ce_")]
    headers += [("reason", reason.encode()), ("consumer", consumer.encode())]
    try:
        async with asyncio.timeout(ANNOUNCE_TIMEOUT_SECONDS):
            await producer.start()
            await producer.send_and_wait(
                f"{record.topic}.dlq", value=None, key=record.key or b"", headers=headers
            )
    except (KafkaError, OSError) as error:
        log.warning("dead_letter_not_announced", fault=type(error).__name__)
    finally:
        with contextlib.suppress(KafkaError, OSError):
            async with asyncio.timeout(ANNOUNCE_TIMEOUT_SECONDS):
                await producer.stop()
