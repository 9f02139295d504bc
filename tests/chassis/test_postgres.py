"""Transactions: retried when they may be, never when the outcome is unknown."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from deploy.local.databases import DatabaseUrls
from services.chassis.errors import TooBusy, Unavailable
from services.chassis.postgres import (
    Connection,
    Pool,
    create_pool,
    in_transaction,
    is_lost,
    listening,
    transaction,
)


async def test_a_deadlock_is_tried_again(pool: Pool, urls: DatabaseUrls) -> None:
    """Two transactions lock two rows crosswise; both come to an end."""
    await pool.execute(
        "INSERT INTO published_position VALUES ('t', 1, 0, now()), ('t', 2, 0, now())"
    )
    meet = asyncio.Barrier(2)
    met = [False, False]

    async def add(conn: Connection, partition: int) -> None:
        await conn.execute(
            "UPDATE published_position SET next_offset = next_offset + 1 WHERE partition = $1",
            partition,
        )

    async def work(me: int, conn: Connection) -> None:
        await add(conn, 1 + me)
        if not met[me]:
            met[me] = True
            await meet.wait()
        await add(conn, 2 - me)

    await asyncio.gather(
        *(in_transaction(pool, lambda conn, me=me: work(me, conn)) for me in (0, 1))  # type: ignore[misc]
    )

    rows = await pool.fetch("SELECT next_offset FROM published_position")
    assert [row["next_offset"] for row in rows] == [2, 2]


async def test_a_connection_lost_before_the_commit_is_tried_again(pool: Pool) -> None:
    tries = 0

    async def work(conn: Connection) -> int:
        nonlocal tries
        tries += 1
        await conn.execute("INSERT INTO published_position VALUES ('t', $1, 0, now())", tries)
        if tries == 1:
            await pool.execute("SELECT pg_terminate_backend($1)", conn.get_server_pid())
            await conn.execute("SELECT 1")
        return tries

    assert await in_transaction(pool, work) == 2
    assert await pool.fetchval("SELECT count(*) FROM published_position") == 1


async def test_a_connection_lost_in_the_commit_is_not_tried_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it took effect is unknown; the caller's idempotency key finds out."""
    tries = 0

    async def work(conn: Connection) -> None:
        nonlocal tries
        tries += 1
        await pool.execute("SELECT pg_terminate_backend($1)", conn.get_server_pid())

    with pytest.raises(Unavailable):
        await in_transaction(pool, work)
    assert tries == 1


async def test_a_fault_of_our_own_is_neither_retried_nor_called_an_outage(pool: Pool) -> None:
    tries = 0

    async def wrong_type(conn: Connection) -> None:
        nonlocal tries
        tries += 1
        await conn.execute("SELECT $1::int", "not a number")

    with pytest.raises(asyncpg.DataError):
        await in_transaction(pool, wrong_type)
    assert tries == 1


async def test_a_lock_that_others_hold_too_long_is_unavailable(pool: Pool) -> None:
    await pool.execute("INSERT INTO published_position VALUES ('t', 1, 0, now())")

    async def work(conn: Connection) -> None:
        await conn.execute("SET LOCAL lock_timeout = '100ms'")
        await conn.execute("UPDATE published_position SET next_offset = 2")

    async with transaction(pool) as holder:
        await holder.execute("UPDATE published_position SET next_offset = 1")
        with pytest.raises(TooBusy):
            await in_transaction(pool, work)


async def test_a_returned_connection_has_no_open_transaction(pool: Pool) -> None:
    """Also after a task was cancelled in the middle of a statement."""

    async def slow(conn: Connection) -> None:
        await conn.execute("INSERT INTO published_position VALUES ('t', 1, 0, now())")
        await conn.execute("SELECT pg_sleep(30)")

    task = asyncio.create_task(in_transaction(pool, slow))
    async with asyncio.timeout(10):
        while not await pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
        ):
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert await pool.fetchval("SELECT count(*) FROM published_position") == 0
    open_ones = await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%'"
    )
    assert open_ones == 0


async def test_json_and_times_come_back_as_they_went(pool: Pool) -> None:
    value = {"list": [1, "é"], "nothing": None}
    assert await pool.fetchval("SELECT $1::jsonb", value) == value
    assert await pool.fetchval("SELECT $1::jsonb[]", [value, {}]) == [value, {}]
    assert (await pool.fetchval("SELECT now()")).utcoffset().total_seconds() == 0


async def test_a_database_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await create_pool("postgresql://nobody@127.0.0.1:1/nothing", name="test")


async def test_who_listens_on_a_lost_connection_can_still_be_stopped(pool: Pool) -> None:
    """Goal: a process whose database died in the meantime ends when it is asked to."""
    heard, pid = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def listen() -> None:
        async with listening(pool, "news", lambda *_: heard.set()) as conn:
            pid.set_result(conn.get_server_pid())
            await asyncio.Event().wait()

    listener = asyncio.create_task(listen())
    number = await pid
    await pool.execute("NOTIFY news")
    await asyncio.wait_for(heard.wait(), 10)
    await _end(pool, number)
    listener.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(listener, 10)


async def test_a_pool_plans_once_only_where_it_is_told_to(urls: DatabaseUrls) -> None:
    """P1, P4: planning cost a third of a single earn; elsewhere plans follow the values."""
    for plans_once, mode in ((False, "auto"), (True, "force_generic_plan")):
        pool = await create_pool(urls.service_url, name="plans", plans_once=plans_once)
        assert await pool.fetchval("SHOW plan_cache_mode") == mode
        await pool.close()


async def test_a_held_connection_that_died_counts_as_lost(pool: Pool) -> None:
    """asyncpg says of it that it was given back to the pool."""
    faults: list[Exception] = []
    async with pool.acquire() as conn:
        await _end(pool, conn.get_server_pid())
        async with asyncio.timeout(10):
            while not any(isinstance(fault, asyncpg.InterfaceError) for fault in faults):
                try:
                    await conn.execute("SELECT 1")
                except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                    faults.append(error)
                await asyncio.sleep(0.01)
    assert all(is_lost(fault) for fault in faults), faults


async def _end(pool: Pool, pid: int) -> None:
    """End a session of the server, and wait until it has ended."""
    await pool.execute("SELECT pg_terminate_backend($1, 5000)", pid)
