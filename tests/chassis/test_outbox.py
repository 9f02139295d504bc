"""The list of events that wait: who comes on it, in which order, and who goes off it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from deploy.local.databases import DatabaseUrls
from services.chassis import migrate, outbox, positions, replay
from services.chassis.outbox import EventColumns, OutboxEvent
from services.chassis.postgres import Pool, transaction
from tests import engines

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def event(chain: UUID, *, key: str, number: int) -> OutboxEvent:
    return OutboxEvent(
        topic="t",
        key=key,
        type="thing.happened",
        chain_id=chain,
        subject=key,
        payload=str(number).encode(),
        occurred_at=NOW,
    )


async def write(pool: Pool, events: Sequence[OutboxEvent]) -> None:
    async with transaction(pool) as conn:
        await outbox.append(conn, events)


async def waiting(pool: Pool) -> list[bytes]:
    """Payloads of what waits, in the order in which it leaves."""
    rows = await pool.fetch(
        "SELECT payload FROM outbox_waiting LEFT JOIN outbox USING (id) ORDER BY id"
    )
    return [row["payload"] for row in rows]


async def leave(pool: Pool) -> None:
    """As if everything had reached the broker."""
    await pool.execute("DELETE FROM outbox_waiting")


async def test_what_is_appended_waits_in_the_order_in_which_it_was_given(
    pool: Pool, chain: UUID
) -> None:
    """Object by object or by columns; ids of one statement follow the order of its events."""
    count = 300
    await write(pool, [event(chain, key=f"k{-n}", number=n) for n in range(count)])
    async with transaction(pool) as conn:
        await outbox.append_columns(
            conn,
            EventColumns(
                topic="t",
                type="thing.happened",
                ids=[str(uuid4()) for _ in range(count)],
                chain_ids=[str(chain)] * count,
                keys=[f"k{-n}" for n in range(count)],
                payloads=[str(count + n).encode() for n in range(count)],
                occurred_at=[NOW] * count,
            ),
        )

    assert await waiting(pool) == [str(n).encode() for n in range(2 * count)]
    assert (await positions.progress(pool)).outbox_pending == 2 * count


async def test_an_event_forgotten_while_it_waits_waits_no_more(pool: Pool, chain: UUID) -> None:
    """Of the key, also what has left already; of others, nothing."""
    await write(pool, [event(chain, key="alice", number=0)])
    await leave(pool)
    await write(pool, [event(chain, key=key, number=n) for n, key in ((1, "alice"), (2, "bob"))])

    async with transaction(pool) as conn:
        gone = await outbox.forget(conn, chain_id=chain, topic="t", key="alice")
        other = await outbox.forget(conn, chain_id=uuid4(), topic="t", key="bob")

    assert (gone, other) == (2, 0)
    assert await waiting(pool) == [b"2"]
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_replay_counts_exactly_and_lists_nobody_twice(
    pool: Pool, chain: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In several steps, one of which finds only what waits anyway."""
    monkeypatch.setattr(replay, "BATCH_SIZE", 2)
    await write(pool, [event(chain, key="a", number=n) for n in range(7)])
    await pool.execute(
        "DELETE FROM outbox_waiting USING outbox"
        " WHERE outbox.id = outbox_waiting.id AND payload NOT IN ('2', '3', '4')"
    )

    assert await replay.replay(pool) == 4
    assert await replay.replay(pool) == 0

    assert await waiting(pool) == [str(n).encode() for n in range(7)]
    first_time = await pool.fetchval(
        "SELECT count(*) FROM outbox_waiting WHERE replayed_at IS NULL"
    )
    assert first_time == 3


async def test_a_replay_goes_back_as_far_as_events_are_kept(pool: Pool, chain: UUID) -> None:
    """Held up for days, an event is written long before it leaves: none may be left out."""
    await write(pool, [event(chain, key="a", number=n) for n in range(2)])
    await pool.execute(
        "UPDATE outbox SET recorded_at = now() - interval '9 days' WHERE payload = '0'"
    )
    await leave(pool)

    assert await replay.replay(pool, days=8) == 1
    assert await waiting(pool) == [b"1"]
    assert await replay.replay(pool) == 1


# What the version before 0003 says to its tables.
_APPEND_BEFORE = """
INSERT INTO outbox (event_id, chain_id, topic, key, type, subject, payload, occurred_at)
VALUES ($1, $2, 't', 'a', 'thing.happened', 'a', $3, now())
"""
_READ_BEFORE = "SELECT id, payload FROM outbox WHERE published_at IS NULL ORDER BY id"
_MARK_BEFORE = """
UPDATE outbox SET published_at = now(), partition = 0, partition_offset = id WHERE id = $1
"""


@pytest.fixture
async def before(postgres: engines.Postgres, tmp_path: Path) -> DatabaseUrls:
    """A database as the version before left it."""
    urls = await postgres.create_empty_database("chassis")
    own = tmp_path / migrate.CHASSIS / "migrations"
    own.mkdir(parents=True)
    for path in (migrate.SERVICES / migrate.CHASSIS / "migrations").glob("000[12]_*.sql"):
        shutil.copy(path, own)
    applied = await migrate.migrate(urls.owner_url, migrate.CHASSIS, services=tmp_path, quiet=True)
    assert len(applied) == 2
    return urls


async def test_what_waited_before_there_was_a_list_waits_on_it(
    before: DatabaseUrls, chain: UUID
) -> None:
    """And so does what the version before still writes, which runs on beside the new schema."""
    conn = await asyncpg.connect(before.service_url)
    try:
        for number in range(4):
            await conn.execute(_APPEND_BEFORE, uuid4(), chain, str(number).encode())
        rows = await conn.fetch(_READ_BEFORE)
        for row in rows[:2]:
            await conn.execute(_MARK_BEFORE, row["id"])

        await migrate.migrate(before.owner_url, migrate.CHASSIS, quiet=True)
        await conn.execute(_APPEND_BEFORE, uuid4(), chain, b"4")

        listed = await conn.fetch(
            "SELECT payload, replayed_at FROM outbox_waiting JOIN outbox USING (id) ORDER BY id"
        )
        assert [tuple(row) for row in listed] == [(b"2", None), (b"3", None), (b"4", None)]
    finally:
        await conn.close()


async def test_the_version_before_publishes_its_own_events_and_leaves_ours(
    before: DatabaseUrls, chain: UUID
) -> None:
    await migrate.migrate(before.owner_url, migrate.CHASSIS, quiet=True)
    conn = await asyncpg.connect(before.service_url)
    try:
        await outbox.append(conn, [event(chain, key="a", number=0)])
        await conn.execute(_APPEND_BEFORE, uuid4(), chain, b"1")

        rows = await conn.fetch(_READ_BEFORE)
        assert [row["payload"] for row in rows] == [b"1"]
        await conn.execute(_MARK_BEFORE, rows[0]["id"])

        assert await conn.fetchval("SELECT count(*) FROM outbox_waiting") == 2
    finally:
        await conn.close()
