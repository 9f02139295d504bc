"""Consent by address: the standing of each, and every act behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.messaging.domain.chain import ChainId
from services.messaging.domain.consent import Address, ConsentRecord, ConsentSource, Standing

if TYPE_CHECKING:
    from services.chassis.postgres import Connection

# The standing moves and the act is written in one statement, or neither happens.
_RECORD = """
INSERT INTO consent_record
    (chain_id, channel, address, member_id, granted, source, evidence, number, occurred_at)
SELECT chain_id, channel, address, $5, granted, source, $6, number, changed_at FROM changed
RETURNING id
"""
_CHANGED = """
WITH changed AS (
    INSERT INTO consent AS present
        (chain_id, channel, address, granted, source, number, changed_at)
    VALUES ($1, $2, $3, $4, $7, $8, $9)
    {conflict}
    RETURNING chain_id, channel, address, granted, source, number, changed_at
)
"""
_FIRST = _CHANGED.format(conflict="ON CONFLICT DO NOTHING") + _RECORD
_SET = (
    _CHANGED.format(
        conflict="""
    ON CONFLICT (chain_id, channel, address) DO UPDATE
        SET granted = excluded.granted, source = excluded.source, number = excluded.number,
            changed_at = excluded.changed_at, recorded_at = now()
        WHERE present.granted <> excluded.granted"""
    )
    + _RECORD
)


async def _write(conn: Connection, statement: str, record: ConsentRecord) -> int | None:
    found: int | None = await conn.fetchval(
        statement,
        record.address.chain_id,
        record.address.channel.value,
        record.address.value,
        record.granted,
        record.member_id,
        record.evidence,
        record.source.value,
        record.number,
        record.occurred_at,
    )
    return found


async def record_first_grant(conn: Connection, record: ConsentRecord) -> int | None:
    """Write a grant where nothing was ever said about the address; its id, or None (D36)."""
    return await _write(conn, _FIRST, record)


async def record_change(conn: Connection, record: ConsentRecord) -> int | None:
    """Write an act that changes the standing of its address; its id, or None when it does not.

    Locks the address. Several in one transaction: in order of chain.
    """
    return await _write(conn, _SET, record)


async def find_standing(conn: Connection, address: Address) -> Standing | None:
    """What counts for an address now; None where nothing was ever said."""
    row = await conn.fetchrow(
        """
        SELECT granted, source, changed_at FROM consent
        WHERE chain_id = $1 AND channel = $2 AND address = $3
        """,
        address.chain_id,
        address.channel.value,
        address.value,
    )
    if row is None:
        return None
    return Standing(
        granted=row["granted"],
        source=ConsentSource(row["source"]),
        changed_at=row["changed_at"],
    )


async def note_correspondence(
    conn: Connection, chain_id: ChainId, *, number: str, phone: str
) -> None:
    """Remember that a chain wrote to a phone from one of our numbers (D26)."""
    await conn.execute(
        """
        INSERT INTO correspondence (chain_id, number, phone) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING
        """,
        chain_id,
        number,
        phone,
    )


async def live_correspondents(conn: Connection, *, number: str, phone: str) -> list[ChainId]:
    """The live chains that wrote to a phone from a number, in order of id."""
    rows = await conn.fetch(
        """
        SELECT correspondence.chain_id
        FROM correspondence JOIN chain_copy USING (chain_id)
        WHERE phone = $1 AND number = $2 AND NOT chain_copy.sandbox
        ORDER BY correspondence.chain_id
        """,
        phone,
        number,
    )
    return [ChainId(row["chain_id"]) for row in rows]


async def chains_stopped_by(
    conn: Connection, chain_ids: list[ChainId], *, number: str, phone: str
) -> list[ChainId]:
    """Which of these chains a STOP from this phone to this number silenced, in order of id."""
    rows = await conn.fetch(
        """
        SELECT chain_id FROM consent
        WHERE chain_id = ANY($1::uuid[]) AND channel = 'SMS' AND address = $2 AND number = $3
          AND NOT granted AND source = 'SMS_STOP'
        ORDER BY chain_id
        """,
        chain_ids,
        phone,
        number,
    )
    return [ChainId(row["chain_id"]) for row in rows]


async def receive_once(
    conn: Connection, chain_id: ChainId, *, provider_message_id: str, keyword: str
) -> str | None:
    """Note an inbound text; None the first time, else the keyword that was understood then.

    A twin in flight waits on the unique key until this transaction has ended.
    """
    first = await conn.fetchval(
        """
        INSERT INTO inbound_sms (chain_id, provider_message_id, keyword) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        chain_id,
        provider_message_id,
        keyword,
    )
    if first:
        return None
    known: str = await conn.fetchval(
        "SELECT keyword FROM inbound_sms WHERE chain_id = $1 AND provider_message_id = $2",
        chain_id,
        provider_message_id,
    )
    return known
