"""Points that end in two weeks are told of, once for each account and last day (SQ-67, D9).

Each chain is looked at once a day of its own calendar, by its business time. A look that comes
after days without one still tells what has 14 days left, and writes down what has fewer: that is
what operators hear of (W5).
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import asyncpg
import structlog

from services.chassis import outbox, rounds
from services.chassis.errors import Unavailable
from services.chassis.postgres import (
    ACQUIRE_TIMEOUT_SECONDS,
    Connection,
    in_transaction,
)
from services.points import events, metrics
from services.points.domain import warnings
from services.points.domain.ids import AccountId, ChainId
from services.points.domain.warnings import EndingPoints, Window
from services.points.storage import notices as rows
from services.points.usecases.deps import Deps

log = structlog.get_logger(__name__)

CHUNK_ACCOUNTS = 1_000
# How long a missed warning stays in front of the operators.
MISSED_SHOWN = timedelta(days=2)

_TROUBLE = (Unavailable, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def keep(deps: Deps, *, every_seconds: float) -> None:
    """Look again and again for as long as the process lives; a lost database is waited for."""
    while True:
        try:
            await look_everywhere(deps)
        except _TROUBLE as error:
            log.warning("expiry_look_failed", fault=type(error).__name__)
        await asyncio.sleep(every_seconds)


async def look_everywhere(deps: Deps) -> int:
    """Look at every chain on whose calendar a day has begun; how many accounts were told of."""
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        due = await rows.due_chains(conn, real_now=deps.clock.real_now())
    told = await rounds.for_each(due, partial(look, deps), failed="expiry_look_failed")
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        missed = await rows.missed_since(conn, deps.clock.real_now() - MISSED_SHOWN)
    metrics.EXPIRY_WARNINGS_MISSED.set(missed)
    return told


async def look(deps: Deps, chain_id: ChainId, *, chunk: int = CHUNK_ACCOUNTS) -> int:
    """Tell what of a chain ends in 14 to 16 days; how many accounts were told of.

    In chunks, each a transaction of its own; the day is noted when all are done, so that it may
    stop anywhere. Repeatable, and safe beside another of its kind.
    """
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        today = await _today(deps, conn, chain_id)
        looked = await rows.looked(conn, chain_id)
    if looked is not None and looked >= today:
        return 0
    window = warnings.window(today, looked=looked)
    instants = warnings.instants(window, today=today)
    told, place = 0, None
    while instants:
        count, place = await _chunk(deps, chain_id, window, instants, after=place, limit=chunk)
        told += count
        if place is None:
            break
    await in_transaction(deps.pool, lambda conn: rows.note_look(conn, chain_id, today))
    if told:
        log.info("expiry_told", chain_id=str(chain_id), accounts=told)
    return told


async def _chunk(
    deps: Deps,
    chain_id: ChainId,
    window: Window,
    instants: list[datetime],
    *,
    after: AccountId | None,
    limit: int,
) -> tuple[int, AccountId | None]:
    """Tell of one page; how many, and where the next one begins (None: there is none)."""

    async def work(conn: Connection) -> tuple[int, AccountId | None]:
        found = await rows.ending(conn, chain_id, instants=instants, after=after, limit=limit)
        now = deps.clock.now(chain_id)
        telling = [each for each in found if window.tells(each.last_day)]
        fresh = await rows.note(conn, chain_id, telling, missed=False)
        told = [each for each in telling if (each.account_id, each.last_day) in fresh]
        await outbox.append(conn, [events.points_expiring(each, occurred_at=now) for each in told])
        await _note_missed(conn, chain_id, window, found)
        return len(told), _place(found, limit)

    return await in_transaction(deps.pool, work)


async def _note_missed(
    conn: Connection, chain_id: ChainId, window: Window, found: list[EndingPoints]
) -> None:
    missed = await rows.note(
        conn, chain_id, [each for each in found if window.missed(each.last_day)], missed=True
    )
    if missed:
        log.error("expiry_warnings_missed", chain_id=str(chain_id), accounts=len(missed))


def _place(found: list[EndingPoints], limit: int) -> AccountId | None:
    """The last account that a page holds whole; its successor begins the next one."""
    if len(found) < limit:
        return None
    whole = [each.account_id for each in found if each.account_id != found[-1].account_id]
    return whole[-1] if whole else found[-1].account_id


async def _today(deps: Deps, conn: Connection, chain_id: ChainId) -> date:
    zone = ZoneInfo(await rows.home_zone_name(conn, chain_id))
    return deps.clock.now(chain_id).astimezone(zone).date()


async def next_due(deps: Deps, chain_id: ChainId) -> datetime | None:
    """The business time of the next look that has something to tell; None: nothing ends."""
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        zone = ZoneInfo(await rows.home_zone_name(conn, chain_id))
        now = deps.clock.now(chain_id)
        looked = await rows.looked(conn, chain_id)
        days = await rows.last_days(conn, chain_id, now=now)
    today = now.astimezone(zone).date()
    moments = [warnings.next_look(day, looked=looked, today=today, zone=zone) for day in days]
    return min((moment for moment in moments if moment is not None), default=None)
