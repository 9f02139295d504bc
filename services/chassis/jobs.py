"""Timed work: enqueued with the effect that wants it, done once in a transaction of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import structlog

from services.chassis import context
from services.chassis.clock import BusinessClock
from services.chassis.errors import Unavailable
from services.chassis.logging import scrub
from services.chassis.metrics import JOBS_TOTAL
from services.chassis.postgres import (
    LOST_CONNECTION,
    LOST_RACE,
    TOO_BUSY,
    Connection,
    Pool,
    is_lost,
    transaction,
)

log = structlog.get_logger(__name__)

# Two at a time keep one slow job from holding up all others and leave the pool to the requests.
WORKERS = 2
POLL_SECONDS = 0.5
ATTEMPTS_MAX = 8
RETRY_SECONDS_MIN = 2
RETRY_SECONDS_MAX = 900
ERROR_LENGTH_MAX = 500
# A handler that runs longer holds its connection and its locks too long.
HANDLER_TIMEOUT_SECONDS = 60.0

_ENQUEUE = """
INSERT INTO job (chain_id, kind, key, due_at, business, payload)
SELECT chain_id, kind, key, due_at, business, payload::jsonb
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[], $6::jsonb[])
     AS wanted (chain_id, kind, key, due_at, business, payload)
ORDER BY chain_id, kind, key
"""
_KEEP = "ON CONFLICT (chain_id, kind, key) DO NOTHING"
_RESCHEDULE = """
ON CONFLICT (chain_id, kind, key) DO UPDATE
    SET due_at = excluded.due_at, business = excluded.business, payload = excluded.payload,
        attempts = 0, not_before = NULL
    WHERE job.state = 'waiting'
"""

# A job that is due by real time is due by business time too, for offsets only go forward.
_CLAIM_BY_REAL_TIME = """
SELECT id, chain_id, kind, key, due_at, business, payload, attempts FROM job
WHERE state = 'waiting' AND due_at <= $1
  AND (not_before IS NULL OR not_before <= $1) AND kind = ANY($2::text[])
ORDER BY due_at, id LIMIT 1
FOR UPDATE SKIP LOCKED
"""
_CLAIM_BY_OFFSET = """
SELECT job.id, job.chain_id, job.kind, job.key, job.due_at, job.business, job.payload,
       job.attempts
FROM business_clock AS clock
JOIN job ON job.chain_id = clock.chain_id
WHERE job.state = 'waiting' AND job.business
  AND job.due_at <= $1::timestamptz + clock.offset_microseconds * interval '1 microsecond'
  AND (job.not_before IS NULL OR job.not_before <= $1) AND job.kind = ANY($2::text[])
ORDER BY job.due_at, job.id LIMIT 1
FOR UPDATE OF job SKIP LOCKED
"""
_DUE_OF_CHAIN = """
SELECT id FROM job
WHERE chain_id = $1 AND state = 'waiting' AND kind = ANY($4::text[]) AND id <> ALL($5::uuid[])
  AND due_at <= CASE WHEN business THEN $3::timestamptz ELSE $2::timestamptz END
ORDER BY due_at, id LIMIT 1
"""
_CLAIM_ONE = """
SELECT id, chain_id, kind, key, due_at, business, payload, attempts FROM job
WHERE id = $1 AND state = 'waiting' FOR UPDATE
"""
# A handler may have put its own job to a later moment; then it stays.
_FINISH = """
UPDATE job SET state = 'done', finished_at = now(), last_error = ''
WHERE id = $1 AND state = 'waiting' AND due_at = $2
"""
_FAIL = """
UPDATE job
SET attempts = attempts + 1, last_error = $2, not_before = $3,
    state = CASE WHEN attempts + 1 >= $4 THEN 'failed' ELSE state END,
    finished_at = CASE WHEN attempts + 1 >= $4 THEN now() END
WHERE id = $1 AND state = 'waiting'
RETURNING state
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """Work to do at a moment: business time of the chain where `business`, else real time."""

    chain_id: UUID
    kind: str
    key: str
    due_at: datetime
    payload: dict[str, Any] = field(default_factory=dict)
    business: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that is due, with the attempts that failed before this one."""

    id: UUID
    chain_id: UUID
    kind: str
    key: str
    due_at: datetime
    business: bool
    payload: dict[str, Any]
    attempts: int


_DATABASE = (asyncpg.PostgresError, asyncpg.InterfaceError)
_TROUBLE: tuple[type[Exception], ...] = (Unavailable, *LOST_CONNECTION, *LOST_RACE, *TOO_BUSY)

JobHandler: TypeAlias = Callable[[Connection, Job], Awaitable[None]]


async def enqueue(
    conn: Connection,
    *,
    chain_id: UUID,
    kind: str,
    key: str,
    due_at: datetime,
    payload: dict[str, Any],
    business: bool = True,
    reschedule: bool = False,
) -> None:
    """Have work done at `due_at`, in the caller's transaction.

    Repeatable: the same kind and key again is no second job, done or not. With `reschedule` a job
    that still waits moves to the new moment; a handler may so put its own job off.
    """
    job = NewJob(
        chain_id=chain_id, kind=kind, key=key, due_at=due_at, payload=payload, business=business
    )
    await enqueue_many(conn, [job], reschedule=reschedule)


async def enqueue_many(
    conn: Connection, jobs: Sequence[NewJob], *, reschedule: bool = False
) -> None:
    """The same for any number of jobs in one statement; of equal keys in it the last one counts."""
    if not jobs:
        return
    distinct = list({(job.chain_id, job.kind, job.key): job for job in jobs}.values())
    await conn.execute(
        _ENQUEUE + (_RESCHEDULE if reschedule else _KEEP),
        [job.chain_id for job in distinct],
        [job.kind for job in distinct],
        [job.key for job in distinct],
        [job.due_at for job in distinct],
        [job.business for job in distinct],
        [job.payload for job in distinct],
    )


async def cancel(conn: Connection, *, chain_id: UUID, kind: str, key: str) -> bool:
    """Call off a job that still waits; whether there was one. Its key stays used."""
    status = await conn.execute(
        """
        UPDATE job SET state = 'cancelled', finished_at = now()
        WHERE chain_id = $1 AND kind = $2 AND key = $3 AND state = 'waiting'
        """,
        chain_id,
        kind,
        key,
    )
    return status.endswith(" 1")


class JobRunner:
    """Does due jobs, each once, whichever replica gets to it first."""

    def __init__(
        self,
        pool: Pool,
        handlers: Mapping[str, JobHandler],
        clock: BusinessClock,
        *,
        attempts_max: int = ATTEMPTS_MAX,
    ) -> None:
        self._pool = pool
        self._handlers = dict(handlers)
        self._kinds = list(self._handlers)
        self._clock = clock
        self._attempts_max = attempts_max
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Finish the jobs in hand and take no other."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped; a lost database is waited for."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                if await self.run_next():
                    continue
            except _TROUBLE as error:
                if isinstance(error, LOST_CONNECTION) and not is_lost(error):
                    raise
                log.warning("jobs_lost_database", fault=type(error).__name__)
            try:
                await asyncio.wait_for(self._stopping.wait(), POLL_SECONDS)
            except TimeoutError:
                continue

    async def run_next(self) -> bool:
        """Do the job that has been due longest; False when none is due."""
        for claim in (_CLAIM_BY_REAL_TIME, _CLAIM_BY_OFFSET):
            if await self._run(claim, self._clock.real_now(), self._kinds) is not None:
                return True
        return False

    async def next_due(self, chain_id: UUID) -> datetime | None:
        """The earliest business moment at which a job of the chain waits for this runner."""
        found: datetime | None = await self._pool.fetchval(
            """
            SELECT min(due_at) FROM job
            WHERE chain_id = $1 AND state = 'waiting' AND business AND kind = ANY($2::text[])
            """,
            chain_id,
            self._kinds,
        )
        return found

    async def run_due(self, chain_id: UUID) -> int:
        """Do every job of the chain that is due now, in order of due time; how many were tried.

        Waits for jobs that another runner has in hand, and does not wait for the pause after a
        failed attempt: a job that fails again is tried once in each call.
        """
        tried: set[UUID] = set()
        while True:
            due: UUID | None = await self._pool.fetchval(
                _DUE_OF_CHAIN,
                chain_id,
                self._clock.real_now(),
                self._clock.now(chain_id),
                self._kinds,
                list(tried),
            )
            if due is None:
                return len(tried)
            tried.add(due)
            await self._run(_CLAIM_ONE, due)

    async def _run(self, claim: str, *arguments: object) -> bool | None:
        """Claim a job and do it in one transaction: True done, False failed, None none there."""
        job: Job | None = None
        try:
            async with transaction(self._pool) as conn:
                row = await conn.fetchrow(claim, *arguments)
                if row is None:
                    return None
                job = Job(**dict(row))
                with context.bind(request_id=f"job-{job.id}", chain_id=str(job.chain_id)):
                    async with asyncio.timeout(HANDLER_TIMEOUT_SECONDS):
                        await self._handlers[job.kind](conn, job)
                await conn.execute(_FINISH, job.id, job.due_at)
        except LOST_RACE:
            # Nothing of it remains, and running it again is all that is needed.
            return False
        except Exception as error:
            # A lost database is not the job's fault and costs it no attempt.
            if job is None or (isinstance(error, _DATABASE) and is_lost(error)):
                raise
            await self._failed(job, error)
            return False
        JOBS_TOTAL.labels(job.kind, "done").inc()
        return True

    async def _failed(self, job: Job, error: Exception) -> None:
        """Take note of a failed attempt; the job comes back later or, after the last, never."""
        pause = min(RETRY_SECONDS_MIN * 2**job.attempts, RETRY_SECONDS_MAX)
        text = scrub(f"{type(error).__name__}: {error}")[:ERROR_LENGTH_MAX]
        state = await self._pool.fetchval(
            _FAIL,
            job.id,
            text,
            self._clock.real_now() + timedelta(seconds=pause),
            self._attempts_max,
        )
        outcome = "failed" if state == "failed" else "retried"
        JOBS_TOTAL.labels(job.kind, outcome).inc()
        log.error(
            "job_attempt_failed",
            kind=job.kind,
            job_id=str(job.id),
            attempts=job.attempts + 1,
            outcome=outcome,
            exc_info=error,
        )
