"""Sends, their deliveries and what came of their offers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg

from services.messaging.domain import audience as audiences
from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.offer import OfferId
from services.messaging.domain.schedule import ScheduledWords
from services.messaging.domain.send import STOPPED_REASON, Send, SendId, SendReport, SendState
from services.messaging.storage.audiences import CHOSEN
from services.messaging.storage.deliveries import CHANNEL

if TYPE_CHECKING:
    from services.chassis.postgres import Connection

_COLUMNS = """chain_id, id, sequence, offer_id, sms_body, email_subject, email_body,
    english_sms_body, english_email_subject, english_email_body, audience,
    send_at, created_at, chosen,
    CASE WHEN state = 'SENDING' AND waiting = 0 AND NOT EXISTS (
        SELECT FROM delivery
        WHERE delivery.chain_id = message_send.chain_id AND send_id = message_send.id
          AND delivery.state IN ('QUEUED', 'SENDING')
    ) THEN 'DONE' ELSE state END AS state"""


def _words(row: asyncpg.Record, prefix: str = "") -> ScheduledWords:
    return ScheduledWords(
        sms_body=row[f"{prefix}sms_body"],
        email_subject=row[f"{prefix}email_subject"],
        email_body=row[f"{prefix}email_body"],
    )


def _send(row: asyncpg.Record) -> Send:
    return Send(
        chain_id=ChainId(row["chain_id"]),
        id=SendId(row["id"]),
        sequence=row["sequence"],
        offer_id=OfferId(row["offer_id"]) if row["offer_id"] else None,
        words=_words(row),
        english=_words(row, "english_"),
        audience=audiences.restored(row["audience"]),
        state=SendState(row["state"]),
        send_at=row["send_at"],
        created_at=row["created_at"],
        chosen=row["chosen"],
    )


async def insert(conn: Connection, send: Send) -> None:
    """Write a new send, not gone out yet."""
    await conn.execute(
        """
        INSERT INTO message_send
            (chain_id, id, offer_id, sms_body, email_subject, email_body, audience, state,
             send_at, created_at, english_sms_body, english_email_subject, english_email_body)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'SCHEDULED', $8, $9, $10, $11, $12)
        """,
        send.chain_id,
        send.id,
        send.offer_id,
        send.words.sms_body,
        send.words.email_subject,
        send.words.email_body,
        audiences.stored(send.audience),
        send.send_at,
        send.created_at,
        send.english.sms_body,
        send.english.email_subject,
        send.english.email_body,
    )


async def find(conn: Connection, chain_id: ChainId, send_id: SendId) -> Send | None:
    """A send as it stands."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM message_send WHERE chain_id = $1 AND id = $2",  # noqa: S608
        chain_id,
        send_id,
    )
    return None if row is None else _send(row)


async def lock(conn: Connection, chain_id: ChainId, send_id: SendId) -> Send | None:
    """A send, locked: it does not go out meanwhile, and nothing more of it is queued.

    It is read once it is locked: a statement that waited would not see what was queued meanwhile.
    """
    await conn.execute(
        "SELECT FROM message_send WHERE chain_id = $1 AND id = $2 FOR UPDATE", chain_id, send_id
    )
    return await find(conn, chain_id, send_id)


async def words_of(
    conn: Connection, chain_id: ChainId, send_id: SendId
) -> tuple[OfferId | None, ScheduledWords, ScheduledWords] | None:
    """What a send says: its offer, its words for all, and its words in English."""
    row = await conn.fetchrow(
        """
        SELECT offer_id, sms_body, email_subject, email_body, english_sms_body,
               english_email_subject, english_email_body
        FROM message_send
        WHERE chain_id = $1 AND id = $2
        """,
        chain_id,
        send_id,
    )
    if row is None:
        return None
    return (
        OfferId(row["offer_id"]) if row["offer_id"] else None,
        _words(row),
        _words(row, "english_"),
    )


async def is_stopped(conn: Connection, chain_id: ChainId, send_id: SendId) -> bool:
    """Whether nothing more of a send may leave."""
    found: bool | None = await conn.fetchval(
        "SELECT state = 'STOPPED' FROM message_send WHERE chain_id = $1 AND id = $2",
        chain_id,
        send_id,
    )
    return bool(found)


async def page(
    conn: Connection,
    chain_id: ChainId,
    *,
    offer_id: OfferId | None,
    before_sequence: int | None,
    limit: int,
) -> list[Send]:
    """The chain's sends, newest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM message_send
        WHERE chain_id = $1 AND ($2::uuid IS NULL OR offer_id = $2)
          AND ($3::bigint IS NULL OR sequence < $3)
        ORDER BY sequence DESC LIMIT $4
        """,  # noqa: S608
        chain_id,
        offer_id,
        before_sequence,
        limit,
    )
    return [_send(row) for row in rows]


async def lock_due(conn: Connection, chain_id: ChainId, *, now: datetime) -> Send | None:
    """The planned send whose time came first, locked; passes over what others hold."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM message_send
        WHERE chain_id = $1 AND state = 'SCHEDULED' AND send_at <= $2
        ORDER BY send_at, sequence LIMIT 1 FOR UPDATE SKIP LOCKED
        """,  # noqa: S608
        chain_id,
        now,
    )
    return None if row is None else _send(row)


async def next_at(conn: Connection, chain_id: ChainId) -> datetime | None:
    """When the chain's next planned send goes out."""
    found: datetime | None = await conn.fetchval(
        "SELECT min(send_at) FROM message_send WHERE chain_id = $1 AND state = 'SCHEDULED'",
        chain_id,
    )
    return found


async def chains(conn: Connection) -> list[ChainId]:
    """The chains that have a planned send, in order of id."""
    rows = await conn.fetch(
        "SELECT DISTINCT chain_id FROM message_send WHERE state = 'SCHEDULED' ORDER BY chain_id"
    )
    return [ChainId(row["chain_id"]) for row in rows]


async def allow(conn: Connection, seconds: float) -> None:
    """Let each statement that follows in this transaction take so long, and no longer."""
    await conn.execute(
        "SELECT set_config('statement_timeout', $1, true)", str(round(seconds * 1000))
    )


async def let_go(
    conn: Connection,
    send: Send,
    who: tuple[object, ...],
    *,
    now: datetime,
    expires_at: datetime,
) -> int:
    """Fix whom a send goes to: everybody of its audience who has an address, in one statement.

    Nothing is queued yet: that is for `fill`. Repeatable. Returns how many were chosen.
    """
    counted: int | None = await conn.fetchval(
        f"""
        WITH chosen AS MATERIALIZED ({CHOSEN}),
        kept AS (
            INSERT INTO send_recipient (chain_id, send_id, member_id, channel)
            SELECT $1, $14::uuid, member_id, channel FROM chosen
            WHERE channel IS NOT NULL AND EXISTS (
                SELECT FROM message_send
                WHERE chain_id = $1 AND id = $14::uuid AND state = 'SCHEDULED')
            ORDER BY member_id
        )
        UPDATE message_send
        SET state = 'SENDING', chosen = (SELECT count(*) FROM chosen),
            waiting = (SELECT count(*) FROM chosen WHERE channel IS NOT NULL),
            let_go_at = $15, expires_at = $16
        WHERE chain_id = $1 AND id = $14::uuid AND state = 'SCHEDULED'
        RETURNING chosen
        """,  # noqa: S608
        *who,
        send.id,
        now,
        expires_at,
    )
    return counted or 0


async def is_waiting(conn: Connection, chain_id: ChainId) -> bool:
    """Whether a send of the chain has recipients to queue."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM message_send WHERE chain_id = $1 AND waiting > 0 AND state = 'SENDING'
        )
        """,
        chain_id,
    )
    return found


async def lock_waiting(
    conn: Connection, *, chain_id: ChainId | None
) -> tuple[ChainId, SendId] | None:
    """Of the sends with recipients to queue the one with the fewest, locked.

    So none to few more waits for one to very many. Passes over those that others hold; with
    `chain_id` only of that chain, and waits for them.
    """
    row = await conn.fetchrow(
        f"""
        SELECT chain_id, id FROM message_send
        WHERE waiting > 0 AND state = 'SENDING' AND ($1::uuid IS NULL OR chain_id = $1)
        ORDER BY waiting, sequence LIMIT 1 FOR UPDATE {"SKIP LOCKED" if chain_id is None else ""}
        """,  # noqa: S608
        chain_id,
    )
    return None if row is None else (ChainId(row["chain_id"]), SendId(row["id"]))


async def fill(
    conn: Connection, chain_id: ChainId, send_id: SendId, *, real_now: datetime, limit: int
) -> None:
    """Queue the next recipients of a send, each at the address that she has now.

    The send must have been locked by an earlier statement: this one must see what the last fill
    has left. A member has one delivery of a send. Reads no more recipients than it queues.
    """
    await conn.execute(
        """
        WITH send AS MATERIALIZED (
            SELECT chain_id, id, offer_id, let_go_at, expires_at FROM message_send
            WHERE chain_id = $1 AND id = $2 AND waiting > 0 AND state = 'SENDING'
        ), taken AS (
            DELETE FROM send_recipient
            WHERE chain_id = $1 AND send_id = $2 AND EXISTS (SELECT FROM send)
              AND member_id = ANY (ARRAY(
                  SELECT member_id FROM send_recipient WHERE chain_id = $1 AND send_id = $2
                  ORDER BY member_id LIMIT $4))
            RETURNING member_id, channel
        ), queued AS (
            INSERT INTO delivery
                (chain_id, id, kind, key, member_id, channel, address, language, params, send_id,
                 next_attempt_at, expires_at, occurred_at, recorded_at, updated_at)
            SELECT send.chain_id, gen_random_uuid(),
                   CASE WHEN send.offer_id IS NULL THEN 'ANNOUNCEMENT' ELSE 'OFFER' END,
                   send.id || '|' || taken.member_id, taken.member_id, taken.channel, way.address,
                   contact.language, jsonb_build_object('send_id', send.id::text), send.id,
                   $3, send.expires_at, send.let_go_at, $3, send.let_go_at
            FROM taken CROSS JOIN send
            JOIN contact ON contact.chain_id = send.chain_id
                 AND contact.member_id = taken.member_id
            CROSS JOIN LATERAL (
                SELECT CASE taken.channel WHEN 'SMS' THEN contact.phone ELSE contact.email END
                       AS address
            ) AS way
            WHERE way.address <> ''
            ON CONFLICT (chain_id, kind, key) DO NOTHING
        )
        UPDATE message_send
        SET waiting = CASE WHEN (SELECT count(*) FROM taken) < $4 THEN 0
                           ELSE waiting - (SELECT count(*) FROM taken) END
        FROM send
        WHERE message_send.chain_id = send.chain_id AND message_send.id = send.id
        RETURNING pg_notify($5, '')
        """,
        chain_id,
        send_id,
        real_now,
        limit,
        CHANNEL,
    )


async def stop(conn: Connection, send: Send) -> None:
    """Let nothing more of a send leave; what a provider holds already has left. Repeatable."""
    await conn.execute(
        """
        UPDATE message_send SET state = 'STOPPED'
        WHERE chain_id = $1 AND id = $2 AND state IN ('SCHEDULED', 'SENDING')
        """,
        send.chain_id,
        send.id,
    )


async def expire_queued(
    conn: Connection, chain_id: ChainId, send_id: SendId, *, now: datetime, limit: int
) -> int:
    """End some of what waits of a stopped send, passing over what a sender has in hand."""
    status = await conn.execute(
        """
        WITH waiting AS MATERIALIZED (
            SELECT id FROM delivery
            WHERE chain_id = $1 AND send_id = $2 AND state = 'QUEUED'
            LIMIT $5 FOR UPDATE SKIP LOCKED
        )
        UPDATE delivery SET state = 'EXPIRED', reason = $4, updated_at = $3
        FROM waiting WHERE delivery.chain_id = $1 AND delivery.id = waiting.id
        """,
        chain_id,
        send_id,
        now,
        STOPPED_REASON,
        limit,
    )
    return int(status.rpartition(" ")[2])


async def reports(
    conn: Connection, chain_id: ChainId, sends: Sequence[Send]
) -> dict[SendId, SendReport]:
    """What became of sends so far; of their offers, what receivers did since they went out.

    Owners look every other second while a hundred thousand leave: what is counted stands in
    `delivery_chain_id_send_id_state_idx`, and receivers are asked for from the coupons' side.
    In one statement, so that nobody counts twice who is queued meanwhile.
    """
    ids = [one.id for one in sends]
    counted: dict[SendId, Counter[str]] = {send_id: Counter() for send_id in ids}
    for row in await conn.fetch(
        """
        SELECT send_id, state, count(*) AS deliveries FROM delivery
        WHERE chain_id = $1 AND send_id = ANY($2) GROUP BY send_id, state
        UNION ALL
        SELECT id, 'waiting', waiting FROM message_send WHERE chain_id = $1 AND id = ANY($2)
        UNION ALL
        SELECT id, 'let_go_to', chosen FROM message_send
        WHERE chain_id = $1 AND id = ANY($2) AND let_go_at IS NOT NULL
        UNION ALL
        SELECT send_id, $3, count(*) FROM delivery
        WHERE chain_id = $1 AND send_id = ANY($2) AND state = 'EXPIRED' AND reason = $3
        GROUP BY send_id
        UNION ALL
        SELECT send_id, unnest(ARRAY['taken', 'used']),
               unnest(ARRAY[count(DISTINCT coupon.member_id) FILTER (
                                WHERE NOT voided AND taken_at >= delivery.occurred_at),
                            count(DISTINCT coupon.member_id) FILTER (
                                WHERE used AND used_at >= delivery.occurred_at)])
        FROM message_send
        JOIN offer_coupon AS coupon
             ON coupon.chain_id = message_send.chain_id AND coupon.offer_id = message_send.offer_id
        JOIN delivery
             ON delivery.chain_id = coupon.chain_id AND delivery.send_id = message_send.id
             AND delivery.state IN ('SENT', 'DELIVERED') AND delivery.member_id = coupon.member_id
        WHERE message_send.chain_id = $1 AND message_send.id = ANY($2)
        GROUP BY send_id
        """,
        chain_id,
        ids,
        STOPPED_REASON,
    ):
        counted[row["send_id"]][row["state"]] = row["deliveries"]
    return {one.id: _report(one, counted[one.id]) for one in sends}


def _report(send: Send, counted: Counter[str]) -> SendReport:
    stopped, waiting = counted[STOPPED_REASON], counted["waiting"]
    is_stopped = send.state is SendState.STOPPED
    report = SendReport(
        chosen=send.chosen,
        queued=counted["QUEUED"] + counted["SENDING"] + (0 if is_stopped else waiting),
        sent=counted["SENT"],
        delivered=counted["DELIVERED"],
        failed=counted["FAILED"] + counted["EXPIRED"] - stopped,
        blocked=counted["BLOCKED"],
        unknown=counted["UNKNOWN"],
        stopped=stopped + (waiting if is_stopped else 0),
        taken=counted["taken"],
        used=counted["used"],
    )
    # Whoever had no address when her turn came has no delivery, and is held back all the same.
    unreachable = max(0, counted["let_go_to"] - report.accounted_for)
    return replace(report, blocked=report.blocked + unreachable)


async def put_coupon(
    conn: Connection,
    chain_id: ChainId,
    *,
    reward_id: object,
    offer_id: OfferId,
    member_id: MemberId,
    used: bool,
    voided: bool,
    version: int,
    at: datetime,
) -> bool:
    """Keep what became of a coupon; False when something newer is already here.

    It was taken when it was first heard of, and used when it last became so.
    """
    stored = await conn.fetchval(
        """
        INSERT INTO offer_coupon AS kept
            (chain_id, reward_id, offer_id, member_id, used, voided, version, taken_at, used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8::timestamptz,
                CASE WHEN $5::boolean THEN $8::timestamptz END)
        ON CONFLICT (chain_id, reward_id) DO UPDATE
            SET used = excluded.used, voided = excluded.voided, version = excluded.version,
                taken_at = least(kept.taken_at, excluded.taken_at),
                used_at = excluded.used_at, recorded_at = now()
            WHERE kept.version < excluded.version
        RETURNING true
        """,
        chain_id,
        reward_id,
        offer_id,
        member_id,
        used,
        voided,
        version,
        at,
    )
    return stored is not None
