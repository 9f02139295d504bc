"""What falls due by itself: lots that end (SQ-66), and tiers that have been kept for a year.

A sweep goes through the due accounts in chunks, each in a transaction of its own, so that it may
stop anywhere and go on later: what was done is not due any more. Everything is dated when it fell
due, however late the sweep is (X14, T6). Nobody depends on it to be on time: reads leave out what
has ended, and writes post it first (D8).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import asyncpg
import structlog

from services.chassis import outbox
from services.chassis.errors import Unavailable
from services.chassis.postgres import (
    ACQUIRE_TIMEOUT_SECONDS,
    Connection,
    in_transaction,
    is_lost,
)
from services.points import events, metrics
from services.points.domain.expiry import EndedLot
from services.points.domain.ids import ChainId
from services.points.storage import accounts as account_rows
from services.points.storage import due as due_rows
from services.points.storage import programs as program_rows
from services.points.storage import standings as standing_rows
from services.points.storage import sweeping
from services.points.storage.due import DueAccount, DueKind
from services.points.usecases import standings
from services.points.usecases.deps import Deps
from services.points.usecases.standings import Climber

log = structlog.get_logger(__name__)

# An earn that wants an account of a chunk waits for no more than these.
CHUNK_ACCOUNTS = 2_000
# One prepares while the database writes for the other.
WORKERS = 2
# While people wait, a worker rests so many times as long as its last chunk took (P11): what has
# ended is news for other services too, and costs them more than it costs us.
REST_TIMES = 6.0

_TROUBLE = (Unavailable, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

_Page: TypeAlias = Callable[[Connection, DueAccount | None], Awaitable[list[DueAccount]]]
# Whether somebody waits for this process at this moment.
Busy: TypeAlias = Callable[[], bool]


def _never() -> bool:
    return False


async def sweep(
    deps: Deps, kind: DueKind, *, chunk: int = CHUNK_ACCOUNTS, busy: Busy = _never
) -> int:
    """Do what is due by real time in every chain; returns for how many accounts.

    Repeatable, and safe beside others of its kind. Accounts that somebody holds are left to the
    next sweep, so that nobody waits for nobody. While `busy` it goes slowly.
    """

    async def page(conn: Connection, after: DueAccount | None) -> list[DueAccount]:
        by = deps.clock.real_now()
        return await due_rows.due_accounts(conn, kind, by=by, after=after, limit=chunk)

    return await _sweep(deps, kind, page, waits=False, busy=busy)


async def sweep_chain(
    deps: Deps, kind: DueKind, chain_id: ChainId, *, chunk: int = CHUNK_ACCOUNTS
) -> int:
    """Do all that is due by one chain's business time, waiting for accounts that are held."""

    async def page(conn: Connection, after: DueAccount | None) -> list[DueAccount]:
        by = deps.clock.now(chain_id)
        return await due_rows.due_accounts_of(conn, kind, chain_id, by=by, after=after, limit=chunk)

    return await _sweep(deps, kind, page, waits=True)


async def next_due(deps: Deps, chain_id: ChainId) -> datetime | None:
    """The earliest moment at which something of a chain falls due, or did; None: nothing will."""
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        moments = [await due_rows.earliest_of(conn, kind, chain_id) for kind in DueKind]
    return min((moment for moment in moments if moment is not None), default=None)


async def run_due(deps: Deps, chain_id: ChainId) -> int:
    """Do all that is due by a chain's business time, of every kind."""
    return sum([await sweep_chain(deps, kind, chain_id) for kind in DueKind])


async def keep(deps: Deps, *, every_seconds: float, busy: Busy = _never) -> None:
    """Sweep again and again for as long as the process lives; a lost database is waited for."""
    for kind in DueKind:
        # Also the very first one may hang.
        metrics.SWEEP_ENDED_TIMESTAMP_SECONDS.labels(kind.value).set_to_current_time()
    while True:
        for kind in DueKind:
            try:
                await sweep_everything(deps, kind, busy=busy)
            except _TROUBLE as error:
                log.warning("sweep_failed", kind=kind.value, fault=type(error).__name__)
        await asyncio.sleep(every_seconds)


async def sweep_everything(deps: Deps, kind: DueKind, *, busy: Busy = _never) -> None:
    """Do what is due in all chains, those with a clock of their own by that clock."""
    started = time.monotonic()
    accounts = await sweep(deps, kind, busy=busy)
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        ahead = await due_rows.chains_ahead(conn)
    for chain_id in ahead:
        accounts += await sweep_chain(deps, kind, chain_id)
    seconds = time.monotonic() - started
    metrics.SWEEP_SECONDS.labels(kind.value).set(seconds)
    if accounts:
        log.info("swept", kind=kind.value, accounts=accounts, seconds=round(seconds, 3))
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        oldest = await due_rows.earliest(conn, kind)
    late = (deps.clock.real_now() - oldest).total_seconds() if oldest else 0
    metrics.SWEEP_OLDEST_DUE_SECONDS.labels(kind.value).set(max(0, late))
    metrics.SWEEP_ENDED_TIMESTAMP_SECONDS.labels(kind.value).set_to_current_time()


async def _sweep(
    deps: Deps, kind: DueKind, page: _Page, *, waits: bool, busy: Busy = _never
) -> int:
    """Go through the pages with some workers; each page is one transaction."""
    turn = asyncio.Lock()
    place: DueAccount | None = None
    done = 0

    async def work() -> None:
        nonlocal place, done
        while True:
            async with turn, deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
                found = await page(conn, place)
                place = found[-1] if found else place
            if not found:
                return
            begun = time.monotonic()
            # In two steps: the other worker counts while this one waits.
            count = await _apart(deps, kind, found, waits=waits)
            done += count
            if busy():
                await asyncio.sleep(REST_TIMES * (time.monotonic() - begun))

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(work())
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return done


async def _apart(deps: Deps, kind: DueKind, due: Sequence[DueAccount], *, waits: bool) -> int:
    """Do a chunk; where it fails, by halves, so that one account at fault keeps no other."""
    try:
        return await _CHUNKS[kind](deps, due, waits=waits)
    except Exception as error:
        if isinstance(error, Unavailable) or is_lost(error):
            raise
        if len(due) > 1:
            half = len(due) // 2
            first = await _apart(deps, kind, due[:half], waits=waits)
            return first + await _apart(deps, kind, due[half:], waits=waits)
        chain_id, account_id = due[0].name
        log.error(
            "sweep_left_account",
            kind=kind.value,
            chain_id=str(chain_id),
            account_id=str(account_id),
            exc_info=error,
        )
        return 0


async def _expire(deps: Deps, due: Sequence[DueAccount], *, waits: bool) -> int:
    """Post the overdue expiry of some accounts; for how many there was any."""

    async def work(conn: Connection) -> list[EndedLot]:
        # An account that is overdue since two moments is due twice, and done once.
        names = list(dict.fromkeys(each.name for each in due))
        if waits:
            await sweeping.lock(conn, names)
        nows = {chain_id: deps.clock.now(chain_id) for chain_id in {name[0] for name in names}}
        lots = await sweeping.end_lots(conn, names, now=[nows[chain_id] for chain_id, _ in names])
        await outbox.append_columns(conn, events.lots_ended(lots))
        return lots

    lots = await in_transaction(deps.pool, work)
    metrics.POINTS_EXPIRED_TOTAL.inc(sum(lot.points for lot in lots))
    return len({(lot.chain_id, lot.account_id) for lot in lots})


async def _check_years(deps: Deps, due: Sequence[DueAccount], *, waits: bool) -> int:
    """Make the yearly checks of some accounts; how many accounts were looked at.

    What stands for a ladder that is gone goes with it.
    """

    async def work(conn: Connection) -> int:
        names = [each.name for each in due]
        accounts = list((await account_rows.lock_accounts(conn, names, waits=waits)).values())
        views = await program_rows.chain_views(
            conn, chain_ids=list({account.chain_id for account in accounts})
        )
        climbers, left = [], []
        for account in accounts:
            ladder = views[account.chain_id].programs[account.program_id].ladder
            if ladder is None:
                left.append((account.chain_id, account.id))
                continue
            now = deps.clock.now(account.chain_id)
            climbers.append(Climber(account=account, ladder=ladder, at=now))
        told, fallen = await standings.check_years(conn, climbers)
        await standing_rows.drop(conn, [*left, *fallen])
        await outbox.append(conn, told)
        return len(accounts)

    return await in_transaction(deps.pool, work)


_CHUNKS = {DueKind.EXPIRY: _expire, DueKind.TIERS: _check_years}
