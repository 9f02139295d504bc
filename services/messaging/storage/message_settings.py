"""What chains chose for their messages, and how many SMS they have sent today."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import TYPE_CHECKING

import asyncpg

from services.messaging.domain.chain import ChainId
from services.messaging.domain.message_settings import MessageSettings, QuietHours, ReceiptMode

if TYPE_CHECKING:
    from services.chassis.postgres import Connection


async def find(conn: Connection, chain_ids: Collection[ChainId]) -> dict[ChainId, MessageSettings]:
    """What chains chose, those that have chosen something."""
    if not chain_ids:
        return {}
    rows = await conn.fetch(
        """
        SELECT chain_id, receipts, expiry_warnings, tier_changes, collect_email_points,
               quiet_from, quiet_until, daily_sms_cap, version
        FROM message_settings WHERE chain_id = ANY($1::uuid[])
        """,
        list(chain_ids),
    )
    return {ChainId(row["chain_id"]): _settings(row) for row in rows}


def _settings(row: asyncpg.Record) -> MessageSettings:
    quiet = (
        QuietHours(start=row["quiet_from"], until=row["quiet_until"]) if row["quiet_from"] else None
    )
    return MessageSettings(
        chain_id=ChainId(row["chain_id"]),
        receipts=ReceiptMode(row["receipts"]),
        expiry_warnings=row["expiry_warnings"],
        tier_changes=row["tier_changes"],
        collect_email_points=row["collect_email_points"],
        quiet=quiet,
        daily_sms_cap=row["daily_sms_cap"],
        version=row["version"],
    )


async def lock(conn: Connection, chain_id: ChainId) -> None:
    """Keep other changes of a chain's choice waiting until this transaction ends."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('message_settings' || $1::text, 0))",
        str(chain_id),
    )


async def put(conn: Connection, settings: MessageSettings, *, at: datetime) -> None:
    """Keep a chain's whole choice. The chain must be locked."""
    await conn.execute(
        """
        INSERT INTO message_settings
            (chain_id, receipts, expiry_warnings, tier_changes, collect_email_points,
             quiet_from, quiet_until, daily_sms_cap, version, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (chain_id) DO UPDATE
            SET receipts = excluded.receipts, expiry_warnings = excluded.expiry_warnings,
                tier_changes = excluded.tier_changes,
                collect_email_points = excluded.collect_email_points,
                quiet_from = excluded.quiet_from, quiet_until = excluded.quiet_until,
                daily_sms_cap = excluded.daily_sms_cap, version = excluded.version,
                updated_at = excluded.updated_at
        """,
        settings.chain_id,
        settings.receipts.value,
        settings.expiry_warnings,
        settings.tier_changes,
        settings.collect_email_points,
        settings.quiet.start if settings.quiet else None,
        settings.quiet.until if settings.quiet else None,
        settings.daily_sms_cap,
        settings.version,
        at,
    )


async def sms_of(conn: Connection, chain_id: ChainId, day: date) -> int:
    """SMS of a day, segments counted."""
    found: int | None = await conn.fetchval(
        "SELECT segments FROM sms_day WHERE chain_id = $1 AND day = $2", chain_id, day
    )
    return found or 0


async def count_sms(
    conn: Connection, chain_id: ChainId, day: date, *, segments: int, cap: int
) -> bool:
    """Count a message into its day; False, and nothing counted, where the cap is full.

    A cap of 0 is none. A day's first message is counted whatever its length, or one that is
    longer than the cap would wait for ever. Locks the chain's day.
    """
    counted = await conn.fetchval(
        """
        INSERT INTO sms_day AS kept (chain_id, day, segments) VALUES ($1, $2, $3)
        ON CONFLICT (chain_id, day) DO UPDATE SET segments = kept.segments + excluded.segments
            WHERE $4 = 0 OR kept.segments + excluded.segments <= $4
        RETURNING true
        """,
        chain_id,
        day,
        segments,
        cap,
    )
    return counted is not None
