"""The outbox and its relay: everything leaves, in order, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis

from deploy.local.databases import DatabaseUrls
from services.chassis import context, outbox, replay, retention
from services.chassis.events import Event, parse
from services.chassis.metrics import REGISTRY
from services.chassis.outbox import EventColumns, OutboxEvent
from services.chassis.postgres import Pool, transaction
from services.chassis.relay import Relay
from tests import engines
from tests.chassis.waiting import killed, running, until


@pytest.fixture
def topic() -> str:
    return f"loyalty.t{uuid4().hex[:10]}.v1"


def event(topic: str, chain: UUID, *, key: str, number: int) -> OutboxEvent:
    return OutboxEvent(
        topic=topic,
        key=key,
        type="thing.happened",
        chain_id=chain,
        subject=key,
        payload=str(number).encode(),
        occurred_at=datetime.now(UTC),
    )


async def write(pool: Pool, events: Sequence[OutboxEvent]) -> None:
    async with transaction(pool) as conn:
        await outbox.append(conn, events)


def relay_of(urls: DatabaseUrls, pool: Pool, bootstrap: str, redis: Redis | None = None) -> Relay:
    return Relay(
        service="demo",
        database_url=urls.service_url,
        pool=pool,
        bootstrap=bootstrap,
        redis=redis,
    )


async def all_published(pool: Pool) -> bool:
    waiting = await pool.fetchval("SELECT count(*) FROM outbox_waiting")
    return int(waiting) == 0


async def positions_of(pool: Pool) -> dict[int, int]:
    rows = await pool.fetch("SELECT partition, next_offset FROM published_position")
    return {row["partition"]: row["next_offset"] for row in rows}


def ends_of(found: Sequence[Event]) -> dict[int, int]:
    """The offset after the last event of each partition."""
    ends: dict[int, int] = {}
    for item in found:
        ends[item.partition] = max(item.offset + 1, ends.get(item.partition, 0))
    return ends


@asynccontextmanager
async def reader(bootstrap: str, topic: str) -> AsyncIterator[Any]:
    client = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def read(bootstrap: str, topic: str, count: int) -> list[Event]:
    found: list[Event] = []
    async with reader(bootstrap, topic) as client, asyncio.timeout(30):
        while len(found) < count:
            for records in (await client.getmany(timeout_ms=200)).values():
                found += [parse(record) for record in records]
    return found


async def test_an_event_leaves_with_its_headers_after_the_commit(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    written = event(topic, chain, key="a", number=1)
    async with running(relay_of(urls, pool, kafka_bootstrap)):
        with context.bind(request_id="till-7"):
            await write(pool, [written])
        await until(lambda: all_published(pool))

    (found,) = await read(kafka_bootstrap, topic, 1)
    assert (found.id, found.type, found.source) == (written.id, "thing.happened", "demo")
    assert (found.chain_id, found.subject, found.key) == (chain, "a", "a")
    assert (found.payload, found.time) == (b"1", written.occurred_at)
    assert found.request_id == "till-7"


async def test_more_than_one_record_batch_keeps_its_order_and_knows_its_end(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    """A record batch holds 256 KiB: some 100 KiB each, and one that is larger than a batch."""
    sizes = [100_000] * 8 + [300_000] + [100_000] * 3
    written = [
        replace(event(topic, chain, key="ab"[number % 2], number=number), payload=b"x" * size)
        for number, size in enumerate(sizes)
    ]
    await write(pool, written)
    async with running(relay_of(urls, pool, kafka_bootstrap)):
        await until(lambda: all_published(pool))

    found = await read(kafka_bootstrap, topic, len(written))
    for key in "ab":
        ids = [each.id for each in found if each.key == key]
        assert ids == [each.id for each in written if each.key == key]
    assert await positions_of(pool) == ends_of(found)


async def test_events_written_by_columns_leave_like_any_others(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    """Each with its own id, chain, key and moment, in the order in which they stand."""
    ids, chains = [uuid4() for _ in range(3)], [chain, uuid4(), chain]
    moments = [datetime(2026, 11, day, tzinfo=UTC) for day in (3, 1, 2)]
    columns = EventColumns(
        topic=topic,
        type="thing.happened",
        ids=[str(each) for each in ids],
        chain_ids=[str(each) for each in chains],
        keys=["a", "b", "a"],
        payloads=[b"1", b"2", b"3"],
        occurred_at=moments,
    )
    nothing = replace(columns, ids=[], chain_ids=[], keys=[], payloads=[], occurred_at=[])
    async with running(relay_of(urls, pool, kafka_bootstrap)):
        with context.bind(request_id="till-7"):
            async with transaction(pool) as conn:
                await outbox.append_columns(conn, columns)
                await outbox.append_columns(conn, nothing)
        await until(lambda: all_published(pool))

    found = sorted(await read(kafka_bootstrap, topic, 3), key=lambda event: event.payload or b"")
    assert [event.id for event in found] == ids
    assert [event.chain_id for event in found] == chains
    assert [(event.key, event.subject) for event in found] == [("a", "a"), ("b", "b"), ("a", "a")]
    assert [event.time for event in found] == moments
    assert {(event.type, event.request_id) for event in found} == {("thing.happened", "till-7")}
    rows = await pool.fetch("SELECT payload FROM outbox WHERE topic = $1 ORDER BY id", topic)
    assert [row["payload"] for row in rows] == [b"1", b"2", b"3"]


async def test_what_is_rolled_back_never_leaves(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    async with running(relay_of(urls, pool, kafka_bootstrap)):
        async with pool.acquire() as conn:
            block = conn.transaction()
            await block.start()
            await outbox.append(conn, [event(topic, chain, key="a", number=1)])
            await block.rollback()
        await write(pool, [event(topic, chain, key="a", number=2)])
        await until(lambda: all_published(pool))

    assert [found.payload for found in await read(kafka_bootstrap, topic, 1)] == [b"2"]


async def test_thousands_of_events_leave_in_order_of_their_key(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    """Five thousand events of fifty keys, written in the order of their numbers."""
    events = [event(topic, chain, key=f"k{n % 50}", number=n) for n in range(5_000)]
    for start in range(0, len(events), 500):
        await write(pool, events[start : start + 500])

    loop = asyncio.get_running_loop()
    started = loop.time()
    async with running(relay_of(urls, pool, kafka_bootstrap)):
        await until(lambda: all_published(pool), seconds=60)
    assert loop.time() - started < 30

    found = await read(kafka_bootstrap, topic, len(events))
    assert len(found) == len(events)
    for key in {item.key for item in found}:
        numbers = [int(item.payload) for item in found if item.key == key]
        assert numbers == sorted(numbers)


async def test_the_outbox_remembers_where_each_partition_ended(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    await write(pool, [event(topic, chain, key=f"k{n}", number=n) for n in range(20)])
    async with running(relay_of(urls, pool, kafka_bootstrap)):
        await until(lambda: all_published(pool))

    found = await read(kafka_bootstrap, topic, 20)
    assert await positions_of(pool) == ends_of(found)
    assert sum(ends_of(found).values()) == 20


async def test_only_one_of_two_relays_publishes_and_the_other_takes_over(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    first = relay_of(urls, pool, kafka_bootstrap)
    second = relay_of(urls, pool, kafka_bootstrap)

    async def leads(relay: Relay) -> bool:
        return relay.leading

    async with killed(first) as task:
        await until(lambda: leads(first))
        async with running(second):
            await write(pool, [event(topic, chain, key="a", number=1)])
            await until(lambda: all_published(pool))
            assert not second.leading
            task.cancel()
            await until(lambda: leads(second))
            await write(pool, [event(topic, chain, key="a", number=2)])
            await until(lambda: all_published(pool))

    assert [item.payload for item in await read(kafka_bootstrap, topic, 2)] == [b"1", b"2"]


async def test_events_written_while_the_broker_is_away_leave_when_it_is_back(
    urls: DatabaseUrls, pool: Pool, own_broker: engines.Broker, topic: str, chain: UUID
) -> None:
    async with running(relay_of(urls, pool, own_broker.bootstrap)):
        await write(pool, [event(topic, chain, key="a", number=0)])
        await until(lambda: all_published(pool))
        own_broker.stop()
        await write(pool, [event(topic, chain, key="a", number=n) for n in range(1, 200)])
        assert not await all_published(pool)
        own_broker.start()
        await until(lambda: all_published(pool), seconds=60)

        found = await read(own_broker.bootstrap, topic, 199)
    numbers = [int(item.payload) for item in found]
    assert sorted(set(numbers)) == list(range(1, 200))
    assert numbers == sorted(numbers)


async def test_a_relay_cut_off_between_send_and_mark_sends_again(
    urls: DatabaseUrls,
    pool: Pool,
    kafka_bootstrap: str,
    topic: str,
    chain: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is lost: the same events arrive twice, each with the id it had."""
    sent = asyncio.Event()

    async def never_mark(*_: object) -> None:
        sent.set()
        await asyncio.Event().wait()

    written = [event(topic, chain, key="a", number=n) for n in range(10)]
    await write(pool, written)
    cut = relay_of(urls, pool, kafka_bootstrap)
    monkeypatch.setattr(cut, "_mark", never_mark)
    async with killed(cut):
        await asyncio.wait_for(sent.wait(), 30)

    async with running(relay_of(urls, pool, kafka_bootstrap)):
        await until(lambda: all_published(pool))
    found = await read(kafka_bootstrap, topic, 20)
    assert [item.id for item in found] == 2 * [item.id for item in written]


async def test_a_stop_publishes_what_is_there(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    relay = relay_of(urls, pool, kafka_bootstrap)

    async def leads() -> bool:
        return relay.leading

    async with running(relay):
        await until(leads)
        await write(pool, [event(topic, chain, key="a", number=n) for n in range(1_500)])
    assert await all_published(pool)


async def test_a_lost_database_connection_does_not_end_the_relay(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    relay = relay_of(urls, pool, kafka_bootstrap)

    async def leads() -> bool:
        return relay.leading

    async with running(relay):
        await until(leads)
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'demo relay' AND datname = current_database()"
        )
        await write(pool, [event(topic, chain, key="a", number=1)])
        await until(lambda: all_published(pool))


async def test_a_replay_publishes_kept_events_again_in_order(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    written = [event(topic, chain, key="a", number=n) for n in range(30)]
    async with running(relay_of(urls, pool, kafka_bootstrap)):
        await write(pool, written)
        await until(lambda: all_published(pool))
        assert await replay.replay(pool) == 30
        await until(lambda: all_published(pool))

    found = await read(kafka_bootstrap, topic, 60)
    assert [item.id for item in found] == 2 * [item.id for item in written]


async def test_the_lag_is_that_of_events_which_leave_for_the_first_time(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    """From the begin of the transaction that wrote them, here an hour ago for one of the three."""

    def counted(up_to: str) -> float:
        name = "loyalty_outbox_lag_seconds_bucket"
        return REGISTRY.get_sample_value(name, {"le": up_to}) or 0.0

    soon, late = counted("300.0"), counted("+Inf")
    await write(pool, [event(topic, chain, key="a", number=n) for n in range(3)])
    await pool.execute(
        "UPDATE outbox SET recorded_at = now() - interval '1 hour' WHERE payload = '0'"
    )
    async with running(relay_of(urls, pool, kafka_bootstrap)):
        await until(lambda: all_published(pool))
        assert await replay.replay(pool) == 3
        await until(lambda: all_published(pool))

    assert (counted("300.0") - soon, counted("+Inf") - late) == (2, 3)


async def test_an_event_that_is_gone_holds_nobody_up(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    """It was erased while a replay put it back on the list: alone there, then before others."""
    await write(pool, [event(topic, chain, key="a", number=n) for n in range(2)])
    await pool.execute("DELETE FROM outbox")
    async with running(relay_of(urls, pool, kafka_bootstrap)):
        await until(lambda: all_published(pool))
        await write(pool, [event(topic, chain, key="a", number=n) for n in range(2, 4)])
        await pool.execute("INSERT INTO outbox_waiting (id) VALUES (1) ON CONFLICT DO NOTHING")
        await until(lambda: all_published(pool))

    found = await read(kafka_bootstrap, topic, 2)
    assert [item.payload for item in found] == [b"2", b"3"]


async def test_a_wish_for_a_replay_is_obeyed_once_a_minute(
    urls: DatabaseUrls,
    pool: Pool,
    kafka_bootstrap: str,
    redis: Redis,
    topic: str,
    chain: UUID,
) -> None:
    async with running(relay_of(urls, pool, kafka_bootstrap, redis)):
        await write(pool, [event(topic, chain, key="a", number=1)])
        await until(lambda: all_published(pool))
        await replay.wish(redis, source="demo", consumer="someone")
        assert len(await read(kafka_bootstrap, topic, 2)) == 2

    await replay.wish(redis, source="demo", consumer="someone")
    assert not await replay.take_wish(redis, source="demo")
    await redis.delete("replay:demo:done")
    assert await replay.take_wish(redis, source="demo")
    assert not await replay.take_wish(redis, source="demo")


async def test_a_forgotten_key_cannot_be_replayed(
    urls: DatabaseUrls, pool: Pool, kafka_bootstrap: str, topic: str, chain: UUID
) -> None:
    """Erasure takes the kept events of a key away and leaves a tombstone."""
    await write(pool, [event(topic, chain, key="alice", number=n) for n in range(3)])
    await write(pool, [event(topic, chain, key="bob", number=9)])
    async with transaction(pool) as conn:
        gone = await outbox.forget(conn, chain_id=chain, topic=topic, key="alice")
        tombstone = OutboxEvent(
            topic=topic,
            key="alice",
            type="contact.erased",
            chain_id=chain,
            subject="alice",
            payload=None,
            occurred_at=datetime.now(UTC),
        )
        await outbox.append(conn, [tombstone])
    async with running(relay_of(urls, pool, kafka_bootstrap)):
        await until(lambda: all_published(pool))

        assert await replay.replay(pool) == 2
        await until(lambda: all_published(pool))

    assert gone == 3
    found = await read(kafka_bootstrap, topic, 2)
    assert {(item.key, item.payload) for item in found} == {("bob", b"9"), ("alice", b"")}
    assert len(await read(kafka_bootstrap, topic, 4)) == 4


async def test_rows_past_their_time_are_removed_and_others_stay(
    urls: DatabaseUrls, pool: Pool, chain: UUID, topic: str
) -> None:
    """An event that waits stays however old it is: 0 and 1 have left, 2 and 3 have not."""
    await write(pool, [event(topic, chain, key="a", number=n) for n in range(4)])
    await pool.execute(
        """
        UPDATE outbox SET recorded_at = now() - CASE payload
            WHEN '1'::bytea THEN interval '7 days' ELSE interval '30 days' END
        """
    )
    await pool.execute(
        "DELETE FROM outbox_waiting USING outbox"
        " WHERE outbox.id = outbox_waiting.id AND payload IN ('0', '1')"
    )
    for days in (6, 8, 31):
        await pool.execute(
            "INSERT INTO idempotency (chain_id, operation, key, fingerprint, recorded_at)"
            " VALUES ($1, 'o', $2, '', now() - make_interval(days => $3))",
            chain,
            str(days),
            days,
        )
        await pool.execute(
            "INSERT INTO inbox (chain_id, consumer, event_id, recorded_at)"
            " VALUES ($1, 'c', $2, now() - make_interval(days => $3))",
            chain,
            uuid4(),
            days,
        )

    removed = await retention.purge(pool)

    assert removed == {"outbox": 1, "inbox": 1, "idempotency": 2, "job": 0}
    left = await pool.fetch("SELECT payload FROM outbox ORDER BY id")
    assert [row["payload"] for row in left] == [b"1", b"2", b"3"]
