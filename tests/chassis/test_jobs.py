"""Timed work: once, on its business day, tried again when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.chassis import jobs
from services.chassis.clock import BusinessClock, ClockMovedBack, FixedClock, SystemClock
from services.chassis.jobs import Job, JobRunner, NewJob
from services.chassis.postgres import Connection, Pool, transaction
from tests.chassis.waiting import running, until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Done:
    """Writes the keys of done jobs into the database, with the job."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.fault: Exception | None = None

    async def __call__(self, conn: Connection, job: Job) -> None:
        await conn.execute(
            "INSERT INTO inbox (chain_id, consumer, event_id) VALUES ($1, $2, $3)",
            job.chain_id,
            job.key,
            job.id,
        )
        if self.fault is not None:
            raise self.fault
        self.keys.append(job.key)


@pytest.fixture
def done() -> Done:
    return Done()


@pytest.fixture
def real() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def clock(real: FixedClock, pool: Pool) -> BusinessClock:
    return BusinessClock(real, pool)


async def enqueue(
    pool: Pool,
    chain: UUID,
    key: str,
    *,
    after: timedelta = timedelta(),
    business: bool = True,
    reschedule: bool = False,
) -> None:
    async with transaction(pool) as conn:
        await jobs.enqueue(
            conn,
            chain_id=chain,
            kind="expire",
            key=key,
            due_at=NOW + after,
            payload={"key": key, "list": [1]},
            business=business,
            reschedule=reschedule,
        )


async def states(pool: Pool) -> Sequence[tuple[str, str]]:
    rows = await pool.fetch("SELECT key, state FROM job ORDER BY due_at, key")
    return [(row["key"], row["state"]) for row in rows]


async def test_due_jobs_run_in_order_and_others_wait(
    pool: Pool, chain: UUID, clock: BusinessClock, real: FixedClock, done: Done
) -> None:
    for key, minutes in (("b", 2), ("a", 1), ("later", 60)):
        await enqueue(pool, chain, key, after=timedelta(minutes=minutes))
    runner = JobRunner(pool, {"expire": done}, clock)

    assert not await runner.run_next()
    real.advance(timedelta(minutes=5))
    assert await runner.run_next()
    assert await runner.run_next()
    assert not await runner.run_next()

    assert done.keys == ["a", "b"]
    assert await states(pool) == [("a", "done"), ("b", "done"), ("later", "waiting")]


async def test_the_same_key_again_is_no_second_job(
    pool: Pool, chain: UUID, clock: BusinessClock, done: Done
) -> None:
    runner = JobRunner(pool, {"expire": done}, clock)
    await enqueue(pool, chain, "a")
    await enqueue(pool, chain, "a")
    assert await runner.run_next()
    await enqueue(pool, chain, "a")
    await enqueue(pool, chain, "a", reschedule=True)
    assert not await runner.run_next()
    assert done.keys == ["a"]


async def test_a_waiting_job_moves_only_when_asked_to(
    pool: Pool, chain: UUID, clock: BusinessClock, done: Done
) -> None:
    runner = JobRunner(pool, {"expire": done}, clock)
    await enqueue(pool, chain, "a", after=timedelta(days=1))
    await enqueue(pool, chain, "a")
    assert not await runner.run_next()
    await enqueue(pool, chain, "a", reschedule=True)
    assert await runner.run_next()


async def test_a_batch_enqueues_in_one_statement_and_cancelled_jobs_do_not_run(
    pool: Pool, chain: UUID, clock: BusinessClock, done: Done
) -> None:
    many = [
        NewJob(chain_id=chain, kind="expire", key=f"k{n}", due_at=NOW, payload={"n": n})
        for n in (2, 1, 1, 3)
    ]
    async with transaction(pool) as conn:
        await jobs.enqueue_many(conn, many)
        assert await jobs.cancel(conn, chain_id=chain, kind="expire", key="k3")
        assert not await jobs.cancel(conn, chain_id=chain, kind="expire", key="k9")

    assert await JobRunner(pool, {"expire": done}, clock).run_due(chain) == 2
    assert sorted(done.keys) == ["k1", "k2"]


async def test_two_runners_do_each_job_once(pool: Pool, chain: UUID, done: Done) -> None:
    clock = BusinessClock(SystemClock(), pool)
    for number in range(60):
        await enqueue(pool, chain, f"k{number}")
    first = JobRunner(pool, {"expire": done}, clock)
    second = JobRunner(pool, {"expire": done}, clock)

    async def all_done() -> bool:
        return len(done.keys) >= 60

    async with running(first), running(second):
        await until(all_done)

    assert sorted(done.keys) == sorted({f"k{number}" for number in range(60)})
    assert await pool.fetchval("SELECT count(*) FROM inbox") == 60


async def test_a_failed_job_leaves_no_effect_and_comes_back_later(
    pool: Pool, chain: UUID, clock: BusinessClock, real: FixedClock, done: Done
) -> None:
    runner = JobRunner(pool, {"expire": done}, clock)
    await enqueue(pool, chain, "a")
    done.fault = ValueError("no, +15145550101")
    assert await runner.run_next()
    assert not await runner.run_next()
    assert await pool.fetchval("SELECT count(*) FROM inbox") == 0
    assert await pool.fetchval("SELECT last_error FROM job") == "ValueError: no, [redacted]"

    done.fault = None
    real.advance(timedelta(seconds=jobs.RETRY_SECONDS_MIN))
    assert await runner.run_next()
    assert done.keys == ["a"]


async def test_a_job_that_always_fails_is_given_up_and_others_go_on(
    pool: Pool, chain: UUID, clock: BusinessClock, real: FixedClock, done: Done
) -> None:
    async def fail(conn: Connection, job: Job) -> None:
        raise RuntimeError

    runner = JobRunner(pool, {"expire": done, "bad": fail}, clock, attempts_max=3)
    async with transaction(pool) as conn:
        await jobs.enqueue(conn, chain_id=chain, kind="bad", key="x", due_at=NOW, payload={})
    await enqueue(pool, chain, "a", after=timedelta(seconds=1))
    for _ in range(6):
        real.advance(timedelta(hours=1))
        while await runner.run_next():
            pass

    assert await states(pool) == [("x", "failed"), ("a", "done")]
    assert await pool.fetchval("SELECT attempts FROM job WHERE kind = 'bad'") == 3


async def test_a_handler_may_put_its_own_job_off(
    pool: Pool, chain: UUID, clock: BusinessClock, real: FixedClock
) -> None:
    """Periodic work is one job that moves itself to its next moment."""
    runs: list[datetime] = []

    async def nightly(conn: Connection, job: Job) -> None:
        runs.append(job.due_at)
        await jobs.enqueue(
            conn,
            chain_id=job.chain_id,
            kind=job.kind,
            key=job.key,
            due_at=job.due_at + timedelta(days=1),
            payload=job.payload,
            reschedule=True,
        )

    runner = JobRunner(pool, {"expire": nightly}, clock)
    await enqueue(pool, chain, "nightly")
    real.advance(timedelta(days=2))
    while await runner.run_next():
        pass
    assert runs == [NOW, NOW + timedelta(days=1), NOW + timedelta(days=2)]


async def test_business_time_of_a_sandbox_chain_makes_jobs_due_and_only_hers(
    pool: Pool, chain: UUID, clock: BusinessClock, done: Done
) -> None:
    """A year's jump: business jobs of that chain are due, real-time jobs and other chains not."""
    other = uuid4()
    await enqueue(pool, chain, "birthday", after=timedelta(days=200))
    await enqueue(pool, chain, "code", after=timedelta(days=200), business=False)
    await enqueue(pool, other, "other", after=timedelta(days=200))
    runner = JobRunner(pool, {"expire": done}, clock)
    assert not await runner.run_next()
    assert await runner.next_due(chain) == NOW + timedelta(days=200)

    async with transaction(pool) as conn:
        await clock.set_offset(conn, chain, timedelta(days=365))
    await clock.load()

    assert clock.now(chain) == NOW + timedelta(days=365)
    assert clock.now(other) == NOW == clock.real_now()
    assert await runner.run_next()
    assert not await runner.run_next()
    assert done.keys == ["birthday"]
    assert await runner.next_due(chain) is None


async def test_all_due_work_of_a_chain_runs_at_once_failed_attempts_once_each(
    pool: Pool, chain: UUID, clock: BusinessClock, done: Done
) -> None:
    async def fail(conn: Connection, job: Job) -> None:
        raise RuntimeError

    runner = JobRunner(pool, {"expire": done, "bad": fail}, clock, attempts_max=2)
    for key in ("a", "b"):
        await enqueue(pool, chain, key)
    async with transaction(pool) as conn:
        await jobs.enqueue(conn, chain_id=chain, kind="bad", key="x", due_at=NOW, payload={})
        await jobs.enqueue(conn, chain_id=chain, kind="unknown", key="x", due_at=NOW, payload={})

    assert await runner.run_due(chain) == 3
    assert await runner.next_due(chain) == NOW
    assert await runner.run_due(chain) == 1
    assert await runner.next_due(chain) is None
    assert await runner.run_due(chain) == 0


async def test_running_due_work_waits_for_a_job_in_other_hands(
    pool: Pool, chain: UUID, clock: BusinessClock
) -> None:
    inside, go_on, runs = asyncio.Event(), asyncio.Event(), 0

    async def slow(conn: Connection, job: Job) -> None:
        nonlocal runs
        runs += 1
        inside.set()
        await go_on.wait()

    await enqueue(pool, chain, "a")
    runner = JobRunner(pool, {"expire": slow}, clock)
    first = asyncio.create_task(runner.run_next())
    await inside.wait()
    second = asyncio.create_task(runner.run_due(chain))
    done, _ = await asyncio.wait([second], timeout=0.3)
    assert not done
    go_on.set()
    await asyncio.gather(first, second)
    assert runs == 1


async def test_a_clock_only_goes_forward_and_everybody_hears_of_it(
    pool: Pool, chain: UUID, clock: BusinessClock
) -> None:
    other_process = BusinessClock(FixedClock(NOW), pool)
    watching = asyncio.create_task(other_process.watch())

    async def listens() -> bool:
        return bool(
            await pool.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND query ILIKE '%business_clock%' AND state = 'idle'"
            )
        )

    await until(listens)
    async with transaction(pool) as conn:
        await clock.set_offset(conn, chain, timedelta(hours=5))
        await clock.set_offset(conn, chain, timedelta(hours=5))

    async def heard() -> bool:
        return other_process.now(chain) == NOW + timedelta(hours=5)

    await until(heard, seconds=10)
    for back in (timedelta(hours=4), timedelta(hours=-1)):
        with pytest.raises(ClockMovedBack):
            async with transaction(pool) as conn:
                await clock.set_offset(conn, chain, back)
    with pytest.raises(ClockMovedBack):
        async with transaction(pool) as conn:
            await clock.set_offset(conn, uuid4(), timedelta(seconds=-1))
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
