"""Real time, and the business time of a chain: real time plus an offset that only sandboxes have.

Expiry, warnings and countdowns follow business time; sessions, codes, limits and the outbox follow
real time.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from services.chassis.errors import InvariantViolated
from services.chassis.postgres import LOST_CONNECTION, Connection, Pool, is_lost, listening

log = structlog.get_logger(__name__)

CHANNEL = "business_clock"
# A notice can be lost with its connection; a reload this often bounds how long a clock may lag.
RELOAD_SECONDS = 30.0
RECONNECT_SECONDS_MAX = 5.0


class Clock(Protocol):
    """Where real time comes from."""

    def now(self) -> datetime:
        """Real time, aware, UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Real time, aware, UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """The moment it was set to."""
        return self.at

    def set(self, at: datetime) -> None:
        """Show another moment from now on."""
        self.at = at

    def advance(self, by: timedelta) -> None:
        """Go forward by a span."""
        self.at += by


class ClockMovedBack(Exception):
    """A chain's business time only goes forward."""

    code = "CLOCK_MOVED_BACK"
    field = "now"


class BusinessClock:
    """The business time of every chain, from a map in memory kept fresh by LISTEN.

    Without a pool every chain is on real time, unless `put_offset` says otherwise.
    """

    def __init__(self, clock: Clock, pool: Pool | None = None) -> None:
        self._clock = clock
        self._pool = pool
        self._offsets: dict[str, timedelta] = {}

    def real_now(self) -> datetime:
        """Real time, aware, UTC."""
        return self._clock.now()

    def now(self, chain_id: UUID | str) -> datetime:
        """Business time of the chain."""
        offset = self._offsets.get(str(chain_id))
        return self._clock.now() + offset if offset else self._clock.now()

    def offset(self, chain_id: UUID | str) -> timedelta:
        """Business time of the chain minus real time; zero for a live chain."""
        return self._offsets.get(str(chain_id), timedelta())

    def put_offset(self, chain_id: UUID | str, offset: timedelta) -> None:
        """Take note of an offset in this process only; the database is not asked."""
        self._offsets[str(chain_id)] = offset

    async def load(self) -> None:
        """Read every chain's offset."""
        if self._pool is None:
            return
        rows = await self._pool.fetch("SELECT chain_id, offset_microseconds FROM business_clock")
        for row in rows:
            self._learn(str(row["chain_id"]), timedelta(microseconds=row["offset_microseconds"]))

    def _learn(self, chain_id: str, offset: timedelta) -> None:
        """Take note of an offset; an older piece of news that comes late changes nothing."""
        self._offsets[chain_id] = max(self._offsets.get(chain_id, timedelta()), offset)

    async def set_offset(self, conn: Connection, chain_id: UUID | str, offset: timedelta) -> None:
        """Move the chain's business time forward to real time plus `offset`.

        Locks the chain's clock row. Repeatable. Refuses with `ClockMovedBack` an offset below the
        present one. Every process hears of it when the transaction commits.
        """
        microseconds = offset // timedelta(microseconds=1)
        moved = await conn.fetchval(
            """
            WITH moved AS (
                INSERT INTO business_clock AS present (chain_id, offset_microseconds)
                SELECT $1::uuid, $2::bigint WHERE $2::bigint >= 0
                ON CONFLICT (chain_id) DO UPDATE
                    SET offset_microseconds = excluded.offset_microseconds, updated_at = now()
                    WHERE present.offset_microseconds <= excluded.offset_microseconds
                RETURNING chain_id, offset_microseconds
            )
            SELECT pg_notify($3, chain_id::text || ' ' || offset_microseconds::text) IS NOT NULL
            FROM moved
            """,
            str(chain_id),
            microseconds,
            CHANNEL,
        )
        if moved is None:
            raise ClockMovedBack

    async def watch(self) -> None:
        """Keep the map fresh for as long as the process lives; survives a lost connection."""
        if self._pool is None:
            raise InvariantViolated("a business clock without a database has nothing to watch")
        delay = 0.1
        while True:
            try:
                async with listening(self._pool, CHANNEL, self._heard) as conn:
                    while True:
                        await self.load()
                        delay = 0.1
                        await asyncio.sleep(RELOAD_SECONDS)
                        await conn.execute("SELECT 1")
            except LOST_CONNECTION as error:
                if not is_lost(error):
                    raise
                log.warning("business_clock_lost_connection", retry_seconds=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, RECONNECT_SECONDS_MAX)

    def _heard(self, _conn: object, _pid: int, _channel: str, payload: object) -> None:
        chain_id, _, microseconds = str(payload).partition(" ")
        try:
            self._learn(chain_id, timedelta(microseconds=int(microseconds)))
        except ValueError:
            log.error("business_clock_notice_unreadable")
