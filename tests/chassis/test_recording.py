"""A moment of recording is the database's; a horizon waits for whoever may write before it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.chassis import recording
from services.chassis.clock import BusinessClock, SystemClock
from services.chassis.errors import InvariantViolated, Unavailable
from services.chassis.postgres import Pool, transaction

_NOW = "SELECT statement_timestamp()"


async def moment(pool: Pool, chain: UUID) -> datetime:
    """When the chain's next row would be recorded."""
    found = await pool.fetchval(f"SELECT {recording.recorded_at('$1::uuid')}", chain)
    assert isinstance(found, datetime)
    return found


async def test_a_live_chain_is_on_the_databases_own_time(pool: Pool, chain: UUID) -> None:
    before = await pool.fetchval(_NOW)
    recorded = await moment(pool, chain)
    assert before < recorded < await pool.fetchval(_NOW)


async def test_a_sandbox_is_ahead_by_its_offset(pool: Pool, chain: UUID) -> None:
    clock, ahead = BusinessClock(SystemClock(), pool), timedelta(days=365)
    async with transaction(pool) as conn:
        await clock.set_offset(conn, chain, ahead)
    before = await pool.fetchval(_NOW)
    async with pool.acquire() as conn:
        horizon = await recording.horizon(conn, chain)
    recorded = await moment(pool, chain)
    assert before + ahead < horizon < recorded < await pool.fetchval(_NOW) + ahead


async def test_a_horizon_waits_for_those_who_are_writing(pool: Pool, chain: UUID) -> None:
    """What a writer recorded before the horizon is there when the horizon is told."""
    await pool.execute("SELECT 1")
    async with pool.acquire() as writer, pool.acquire() as reader:
        block = writer.transaction()
        await block.start()
        # Whoever records something has locked something before.
        await writer.execute("SELECT pg_current_xact_id()")
        recorded = await writer.fetchval(_NOW)
        asked = asyncio.create_task(recording.horizon(reader, chain))
        await asyncio.wait({asked}, timeout=0.2)
        assert not asked.done()
        await block.commit()
        assert recorded < await asked


async def test_who_only_reads_is_not_waited_for(pool: Pool, chain: UUID) -> None:
    async with transaction(pool) as other, pool.acquire() as reader:
        await other.fetch("SELECT chain_id FROM business_clock")
        await recording.horizon(reader, chain)


async def test_a_writer_that_does_not_end_is_waited_for_in_bounds(
    pool: Pool, chain: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "WAIT_SECONDS_MAX", 0.02)
    async with transaction(pool) as writer, pool.acquire() as reader:
        await writer.execute("SELECT pg_current_xact_id()")
        with pytest.raises(Unavailable):
            await recording.horizon(reader, chain)


async def test_there_is_no_horizon_inside_a_transaction(pool: Pool, chain: UUID) -> None:
    async with transaction(pool) as conn:
        with pytest.raises(InvariantViolated):
            await recording.horizon(conn, chain)
