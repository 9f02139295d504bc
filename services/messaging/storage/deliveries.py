"""Deliveries and their attempts; the table is also the sender's list of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from services.messaging.domain.chain import ChainId, Language, MemberId
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import (
    Delivery,
    DeliveryEntry,
    DeliveryId,
    DeliveryState,
    MessageKind,
    NewDelivery,
)

if TYPE_CHECKING:
    from services.chassis.postgres import Connection

# Whoever sends listens here; the notice travels with the commit.
CHANNEL = "delivery_queued"


def _member(row: asyncpg.Record) -> MemberId | None:
    return None if row["member_id"] is None else MemberId(row["member_id"])


async def queue(
    conn: Connection,
    new: Sequence[NewDelivery],
    *,
    real_now: datetime,
    not_before: datetime | None = None,
) -> None:
    """Put deliveries on the list, in order; one whose cause has a delivery already is left.

    `not_before` is a real time at which their turn comes.
    """
    if not new:
        return
    await conn.execute(
        """
        WITH queued AS (
            INSERT INTO delivery
                (chain_id, id, kind, key, member_id, channel, address, language, params,
                 sealed_code, next_attempt_at, expires_at, occurred_at, recorded_at, updated_at)
            SELECT chain_id, id, kind, key, member_id, channel, address, language, params,
                   sealed_code, $15, expires_at, occurred_at, $13, occurred_at
            FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[],
                        $7::text[], $8::text[], $9::jsonb[], $10::bytea[], $11::timestamptz[],
                        $12::timestamptz[])
                 WITH ORDINALITY AS new
                 (chain_id, id, kind, key, member_id, channel, address, language, params,
                  sealed_code, expires_at, occurred_at, place)
            ORDER BY place
            ON CONFLICT (chain_id, kind, key) DO NOTHING
            RETURNING id
        )
        SELECT pg_notify($14, '') WHERE EXISTS (SELECT FROM queued)
        """,
        [each.chain_id for each in new],
        [each.id for each in new],
        [each.kind.value for each in new],
        [each.key for each in new],
        [each.member_id for each in new],
        [each.channel.value for each in new],
        [each.address for each in new],
        [each.language.value if each.language else None for each in new],
        [dict(each.params) for each in new],
        [each.sealed_code for each in new],
        [each.expires_at for each in new],
        [each.occurred_at for each in new],
        real_now,
        CHANNEL,
        not_before or real_now,
    )


async def add_to_welcome(
    conn: Connection,
    chain_id: ChainId,
    member_id: MemberId,
    *,
    cause: str,
    params: Mapping[str, str],
    real_now: datetime,
) -> bool:
    """Let a welcome that has not left yet tell the first points too, and leave now (SQ-27).

    Repeatable: true also where it was this cause that it told. Locks the welcome.
    """
    told = await conn.fetchval(
        """
        WITH told AS (
            UPDATE delivery
            SET params = params || $4::jsonb || jsonb_build_object('cause', $3::text),
                next_attempt_at = CASE WHEN waits_until IS NULL THEN $5 ELSE next_attempt_at END
            WHERE chain_id = $1 AND kind = 'WELCOME' AND key = $2
              AND state = 'QUEUED' AND attempts = 0 AND params->>'cause' IS NULL
            RETURNING id
        )
        SELECT pg_notify($6, '') IS NOT NULL FROM told
        UNION ALL
        SELECT true FROM delivery
        WHERE chain_id = $1 AND kind = 'WELCOME' AND key = $2 AND params->>'cause' = $3
        LIMIT 1
        """,
        chain_id,
        str(member_id),
        cause,
        dict(params),
        real_now,
        CHANNEL,
    )
    return told is not None


async def release(conn: Connection, chain_id: ChainId, *, now: datetime, real_now: datetime) -> int:
    """Let go what waited for a business time that has come; how many."""
    released: int = await conn.fetchval(
        """
        WITH released AS (
            UPDATE delivery SET next_attempt_at = $3
            WHERE chain_id = $1 AND state = 'QUEUED' AND waits_until <= $2
              AND next_attempt_at > $3
            RETURNING id
        )
        SELECT count(*) FROM released
        """,
        chain_id,
        now,
        real_now,
    )
    return released


async def next_waiting(conn: Connection, chain_id: ChainId) -> datetime | None:
    """The earliest business time for which a delivery of a chain waits."""
    found: datetime | None = await conn.fetchval(
        """
        SELECT min(waits_until) FROM delivery
        WHERE chain_id = $1 AND state = 'QUEUED' AND waits_until IS NOT NULL
        """,
        chain_id,
    )
    return found


async def find_address(
    conn: Connection, chain_id: ChainId, delivery_id: DeliveryId
) -> tuple[Channel, str, MemberId | None, Language | None] | None:
    """Where a delivery went, to whom, and in which language."""
    row = await conn.fetchrow(
        """
        SELECT channel, address, member_id, language FROM delivery
        WHERE chain_id = $1 AND id = $2
        """,
        chain_id,
        delivery_id,
    )
    if row is None:
        return None
    language = Language(row["language"]) if row["language"] else None
    return Channel(row["channel"]), row["address"], _member(row), language


async def lock_due(
    conn: Connection, *, real_now: datetime, chain_id: ChainId | None
) -> Delivery | None:
    """The delivery that has been due longest; locks it, passing over what others hold.

    Those of a message to many come last: a one-time code does not wait behind an offer.
    """
    for alone in ("AND send_id IS NULL", ""):
        delivery = await _lock_due(conn, alone, real_now=real_now, chain_id=chain_id)
        if delivery is not None:
            return delivery
    return None


async def _lock_due(
    conn: Connection, alone: str, *, real_now: datetime, chain_id: ChainId | None
) -> Delivery | None:
    row = await conn.fetchrow(
        f"""
        SELECT chain_id, id, kind, member_id, channel, address, language, params, sealed_code,
               state, attempts, lookups, sender, expires_at, occurred_at, recorded_at,
               first_attempt_at, waits_until, sealed_words
        FROM delivery
        WHERE state IN ('QUEUED', 'SENDING') AND next_attempt_at <= $1
          AND ($2::uuid IS NULL OR chain_id = $2) {alone}
        ORDER BY next_attempt_at, sequence LIMIT 1
        FOR UPDATE SKIP LOCKED
        """,  # noqa: S608
        real_now,
        chain_id,
    )
    if row is None:
        return None
    return Delivery(
        chain_id=ChainId(row["chain_id"]),
        id=DeliveryId(row["id"]),
        kind=MessageKind(row["kind"]),
        member_id=_member(row),
        channel=Channel(row["channel"]),
        address=row["address"],
        language=Language(row["language"]) if row["language"] else None,
        params=row["params"],
        sealed_code=row["sealed_code"],
        state=DeliveryState(row["state"]),
        attempts=row["attempts"],
        lookups=row["lookups"],
        sender=row["sender"],
        expires_at=row["expires_at"],
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        first_attempt_at=row["first_attempt_at"],
        waits_until=row["waits_until"],
        sealed_words=row["sealed_words"],
    )


async def next_due_at(conn: Connection) -> datetime | None:
    """When the next delivery is due, in real time."""
    found: datetime | None = await conn.fetchval(
        "SELECT min(next_attempt_at) FROM delivery WHERE state IN ('QUEUED', 'SENDING')"
    )
    return found


async def is_under_way(conn: Connection, chain_id: ChainId, *, real_now: datetime) -> bool:
    """Whether a delivery of the chain is due by then, or in a provider's hands, or to be queued."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM delivery
            WHERE chain_id = $1
              AND (state = 'SENDING' OR (state = 'QUEUED' AND next_attempt_at <= $2))
        ) OR EXISTS (
            SELECT FROM message_send
            WHERE chain_id = $1 AND waiting > 0 AND state = 'SENDING'
        )
        """,
        chain_id,
        real_now,
    )
    return found


async def start_attempt(
    conn: Connection,
    delivery: Delivery,
    *,
    sender: str,
    provider: str,
    lease_until: datetime,
    real_now: datetime,
    business_now: datetime,
    sealed_words: bytes | None,
) -> bool:
    """Mark a queued delivery as handed to a provider and open its attempt; keeps its params."""
    started = await conn.fetchval(
        """
        WITH started AS (
            UPDATE delivery
            SET state = 'SENDING', attempts = attempts + 1, sender = $3, provider = $4,
                next_attempt_at = $5, updated_at = $7, reason = '', lookups = 0, params = $8,
                sealed_words = $9,
                first_attempt_at = coalesce(first_attempt_at, $6)
            WHERE chain_id = $1 AND id = $2 AND state = 'QUEUED'
            RETURNING chain_id, id, attempts
        )
        INSERT INTO delivery_attempt (chain_id, delivery_id, number, provider, started_at)
        SELECT chain_id, id, attempts, $4, $6 FROM started
        RETURNING true
        """,
        delivery.chain_id,
        delivery.id,
        sender,
        provider,
        lease_until,
        real_now,
        business_now,
        dict(delivery.params),
        sealed_words,
    )
    return started is not None


async def close_attempt(
    conn: Connection, delivery: Delivery, *, outcome: str, reason: str, real_now: datetime
) -> None:
    """Write what became of the attempt in hand."""
    await conn.execute(
        """
        UPDATE delivery_attempt SET outcome = $4, reason = $5, finished_at = $6
        WHERE chain_id = $1 AND delivery_id = $2 AND number = $3
        """,
        delivery.chain_id,
        delivery.id,
        delivery.attempts,
        outcome,
        reason,
        real_now,
    )


async def end(
    conn: Connection,
    delivery: Delivery,
    *,
    before: DeliveryState,
    state: DeliveryState,
    reason: str,
    business_now: datetime,
    provider_message_id: str = "",
) -> bool:
    """Bring a delivery to its end; False when it is no longer where it was. Its code goes."""
    ended = await conn.fetchval(
        """
        UPDATE delivery
        SET state = $5, reason = $6, updated_at = $7, sealed_code = NULL,
            sealed_words = NULL,
            provider_message_id = $8
        WHERE chain_id = $1 AND id = $2 AND state = $3 AND attempts = $4
        RETURNING true
        """,
        delivery.chain_id,
        delivery.id,
        before.value,
        delivery.attempts,
        state.value,
        reason,
        business_now,
        provider_message_id,
    )
    return ended is not None


async def postpone(
    conn: Connection,
    delivery: Delivery,
    *,
    before: DeliveryState,
    state: DeliveryState,
    reason: str,
    until: datetime,
    business_now: datetime,
    lookups: int = 0,
    waits_until: datetime | None = None,
) -> bool:
    """Leave a delivery for a later moment, queued or still to be looked up."""
    left = await conn.fetchval(
        """
        UPDATE delivery
        SET state = $5, reason = $6, next_attempt_at = $7, updated_at = $8, lookups = $9,
            waits_until = coalesce($10, waits_until),
            sealed_words = CASE WHEN $5 = 'SENDING' THEN sealed_words END
        WHERE chain_id = $1 AND id = $2 AND state = $3 AND attempts = $4
        RETURNING true
        """,
        delivery.chain_id,
        delivery.id,
        before.value,
        delivery.attempts,
        state.value,
        reason,
        until,
        business_now,
        lookups,
        waits_until,
    )
    return left is not None


async def list_entries(
    conn: Connection,
    chain_id: ChainId,
    *,
    member_id: MemberId | None,
    before_sequence: int | None,
    limit: int,
    send_id: UUID | None = None,
    states: Sequence[DeliveryState] = (),
) -> list[DeliveryEntry]:
    """The chain's journal, newest first; of one send, or in some states, where that is asked."""
    rows = await conn.fetch(
        """
        SELECT sequence, chain_id, id, kind, member_id, channel, state, reason, attempts,
               occurred_at, updated_at
        FROM delivery
        WHERE chain_id = $1 AND ($2::uuid IS NULL OR member_id = $2)
          AND ($3::bigint IS NULL OR sequence < $3)
          AND ($5::uuid IS NULL OR send_id = $5)
          AND ($6::text[] IS NULL OR state = ANY($6))
        ORDER BY sequence DESC LIMIT $4
        """,
        chain_id,
        member_id,
        before_sequence,
        limit,
        send_id,
        [one.value for one in states] or None,
    )
    return [_entry(row) for row in rows]


async def find_by_id(
    conn: Connection, chain_id: ChainId, delivery_id: DeliveryId
) -> DeliveryEntry | None:
    """The journal's line of one delivery."""
    row = await conn.fetchrow(
        """
        SELECT sequence, chain_id, id, kind, member_id, channel, state, reason, attempts,
               occurred_at, updated_at
        FROM delivery WHERE chain_id = $1 AND id = $2
        """,
        chain_id,
        delivery_id,
    )
    return None if row is None else _entry(row)


async def find_entry(
    conn: Connection, chain_id: ChainId, *, kind: MessageKind, key: str
) -> DeliveryEntry | None:
    """The journal's line of what followed from one cause."""
    row = await conn.fetchrow(
        """
        SELECT sequence, chain_id, id, kind, member_id, channel, state, reason, attempts,
               occurred_at, updated_at
        FROM delivery WHERE chain_id = $1 AND kind = $2 AND key = $3
        """,
        chain_id,
        kind.value,
        key,
    )
    return None if row is None else _entry(row)


def _entry(row: asyncpg.Record) -> DeliveryEntry:
    return DeliveryEntry(
        sequence=row["sequence"],
        chain_id=ChainId(row["chain_id"]),
        id=DeliveryId(row["id"]),
        kind=MessageKind(row["kind"]),
        member_id=_member(row),
        channel=Channel(row["channel"]),
        state=DeliveryState(row["state"]),
        reason=row["reason"],
        attempts=row["attempts"],
        created_at=row["occurred_at"],
        updated_at=row["updated_at"],
    )


async def was_answered(
    conn: Connection, chain_id: ChainId, phone: str, *, answer: str, since: datetime
) -> bool:
    """Whether this phone has had this answer since then, by real time."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM delivery
            WHERE chain_id = $1 AND kind = 'KEYWORD_ANSWER' AND address = $2
              AND params ->> 'answer' = $3 AND recorded_at > $4
        )
        """,
        chain_id,
        phone,
        answer,
        since,
    )
    return found


async def wake_waiting(conn: Connection, chain_id: ChainId, *, real_now: datetime) -> int:
    """Let what waits for a quiet night or a fresh day ask again now; how many."""
    woken: int = await conn.fetchval(
        """
        WITH woken AS (
            UPDATE delivery SET next_attempt_at = $2
            WHERE chain_id = $1 AND state = 'QUEUED' AND waits_until IS NOT NULL
              AND next_attempt_at > $2
            RETURNING id
        ),
        told AS (SELECT pg_notify($3, '') FROM woken LIMIT 1)
        SELECT count(*) + (SELECT count(*) * 0 FROM told) FROM woken
        """,
        chain_id,
        real_now,
        CHANNEL,
    )
    return woken
