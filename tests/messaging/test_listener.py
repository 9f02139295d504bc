"""Who waits for new deliveries hears of them again after its database was away."""

from __future__ import annotations

import asyncio

import pytest

from services.messaging import jobs
from tests.chassis.waiting import until
from tests.messaging.conftest import MessagingHarness

LISTENING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE 'LISTEN%delivery_queued%'
"""


async def test_a_listener_that_lost_its_connection_listens_again(
    messaging: MessagingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: after a restart of PostgreSQL a welcome leaves at once, not at the next look.

    Only the listener's own connection dies, so that no other one can tell of it.
    """
    # So long is the connection known by its first words.
    monkeypatch.setattr(jobs, "LISTEN_CHECK_SECONDS", 3.0)
    monkeypatch.setattr(jobs, "TROUBLE_SECONDS", 0.1)
    woken = asyncio.Event()
    listener = asyncio.create_task(jobs.listen(messaging.deps, woken))
    pool = messaging.pool

    async def another(than: int | None) -> bool:
        return await pool.fetchval(LISTENING) not in (None, than)

    try:
        await until(lambda: another(None))
        first = await pool.fetchval(LISTENING)
        await pool.execute("SELECT pg_terminate_backend($1, 5000)", first)
        await until(lambda: another(first))
        await messaging.enroll(await messaging.chain())
        await asyncio.wait_for(woken.wait(), 10)
    finally:
        listener.cancel()
        await asyncio.wait([listener], timeout=10)
    assert listener.cancelled()
