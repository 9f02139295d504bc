"""Events on their way out: written in the caller's transaction, published later by the relay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from services.chassis import context
from services.chassis.postgres import Connection

CHANNEL = "outbox"

# What waits stands in outbox_waiting. The moment in published_at is for the version before, which
# may still run beside this one: it leaves such events alone (migration 0003).
_APPENDED = """
appended AS (
    INSERT INTO outbox (event_id, chain_id, topic, key, type, subject, payload, request_id,
                        occurred_at, published_at)
    SELECT event_id, chain_id, topic, key, type, subject, payload, ${8}, occurred_at, now()
    FROM unnest(${0}::uuid[], ${1}::uuid[], ${2}::text[], ${3}::text[], ${4}::text[], ${5}::text[],
                ${6}::bytea[], ${7}::timestamptz[])
         WITH ORDINALITY AS event
         (event_id, chain_id, topic, key, type, subject, payload, occurred_at, place)
    ORDER BY place
    RETURNING id
), listed AS (
    INSERT INTO outbox_waiting (id) SELECT id FROM appended
)
"""
# Part of a statement that appends: whoever publishes is told when it commits.
NOTIFY = "pg_notify('outbox', '')"


def appending(first: int) -> str:
    """What `append` does as common table expressions of a larger statement.

    Its parameters from `first` on are `columns`, and it selects `NOTIFY`, too.
    """
    return _APPENDED.format(*range(first, first + 9))


_APPEND = f"WITH {appending(1)} SELECT {NOTIFY}"

_APPEND_COLUMNS = """
WITH appended AS (
    INSERT INTO outbox (event_id, chain_id, topic, key, type, subject, payload, request_id,
                        occurred_at, published_at)
    SELECT event_id, chain_id, $1, key, $2, key, payload, $3, occurred_at, now()
    FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::bytea[], $8::timestamptz[])
         WITH ORDINALITY AS event (event_id, chain_id, key, payload, occurred_at, place)
    ORDER BY place
    RETURNING id
), listed AS (
    INSERT INTO outbox_waiting (id) SELECT id FROM appended
)
SELECT pg_notify('outbox', '')
"""

_FORGET = """
WITH gone AS (
    DELETE FROM outbox WHERE chain_id = $1 AND topic = $2 AND key = $3 RETURNING id
), unlisted AS (
    DELETE FROM outbox_waiting USING gone WHERE outbox_waiting.id = gone.id
)
SELECT count(*) FROM gone
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEvent:
    """A fact for others. `key` is the aggregate's id: events of one key stay in order.

    A payload of None is a tombstone.
    """

    topic: str
    key: str
    type: str
    chain_id: UUID
    subject: str
    payload: bytes | None
    occurred_at: datetime
    id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventColumns:
    """Thousands of facts of one type, column by column; the key of each is its subject, too."""

    topic: str
    type: str
    ids: Sequence[str]
    chain_ids: Sequence[str]
    keys: Sequence[str]
    payloads: Sequence[bytes]
    occurred_at: Sequence[datetime]


async def append(conn: Connection, events: Sequence[OutboxEvent]) -> None:
    """Write events in the caller's transaction; they leave the house once it has committed.

    Call it after locking the aggregate that the key names, for that lock is what puts the events
    of one key in order. Any number of events is one statement.
    """
    if events:
        await conn.execute(_APPEND, *columns(events))


def columns(events: Sequence[OutboxEvent]) -> tuple[object, ...]:
    """The nine arguments of a statement that appends these events."""
    return (
        [event.id for event in events],
        [event.chain_id for event in events],
        [event.topic for event in events],
        [event.key for event in events],
        [event.type for event in events],
        [event.subject for event in events],
        [event.payload for event in events],
        [event.occurred_at for event in events],
        context.request_id(),
    )


async def append_columns(conn: Connection, events: EventColumns) -> None:
    """The same for events of one type, without an object for each of them."""
    if not events.ids:
        return
    await conn.execute(
        _APPEND_COLUMNS,
        events.topic,
        events.type,
        context.request_id(),
        events.ids,
        events.chain_ids,
        events.keys,
        events.payloads,
        events.occurred_at,
    )


async def forget(conn: Connection, *, chain_id: UUID, topic: str, key: str) -> int:
    """Erase every event of one key, so that neither relay nor replay brings back what was erased.

    Append the tombstone after it, in the same transaction. Returns how many rows went.
    """
    return int(await conn.fetchval(_FORGET, chain_id, topic, key))
