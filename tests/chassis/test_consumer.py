"""The consumer loop: each effect once, nothing skipped, what cannot be is buried with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from deploy.local.databases import DatabaseUrls
from services.chassis import consumer as module
from services.chassis import dead_letters, outbox, positions, replay
from services.chassis.consumer import Consumer, TooManyDeadLetters
from services.chassis.errors import Unavailable
from services.chassis.events import Event, Impossible
from services.chassis.handling import Handler, Together
from services.chassis.outbox import OutboxEvent
from services.chassis.postgres import Connection, Pool, transaction
from services.chassis.relay import Relay
from tests import engines
from tests.chassis.test_relay import reader
from tests.chassis.waiting import killed, running, until

CHAIN = uuid4()


class Effects:
    """Applies events by writing their numbers down, in the database: singly or together."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.calls: list[int] = []
        self.before: Callable[[Event], Awaitable[None]] | None = None

    async def apply(self, conn: Connection, event: Event) -> None:
        await self.apply_all(conn, [event])

    async def apply_all(self, conn: Connection, events: Sequence[Event]) -> None:
        self.calls += [int(event.payload) for event in events]
        for event in events:
            if self.before is not None:
                await self.before(event)
        await conn.execute(
            "INSERT INTO effect (number) SELECT unnest($1::int[])",
            [int(event.payload) for event in events],
        )

    @property
    def handlers(self) -> Mapping[str, Handler] | Together:
        if self.way == "together":
            return Together(types=frozenset({"thing.happened"}), apply=self.apply_all)
        return {"thing.happened": self.apply}


EACH_WAY = pytest.mark.parametrize("effects", ["singly", "together"], indirect=True)


@pytest.fixture
def effects(request: pytest.FixtureRequest) -> Effects:
    return Effects(getattr(request, "param", "singly"))


@pytest.fixture
def names() -> tuple[str, str]:
    """A topic and a group that no other test uses."""
    mark = uuid4().hex[:10]
    return f"loyalty.s{mark}.v1", f"demo.{mark}"


@pytest.fixture
async def table(urls: DatabaseUrls, pool: Pool) -> Pool:
    """Where effects are written down; it allows the same number twice, so that we would see it."""
    conn = await asyncpg.connect(urls.owner_url)
    await conn.execute("CREATE TABLE effect (number int NOT NULL)")
    await conn.close()
    return pool


def consumer_of(
    names: tuple[str, str], effects: Effects, pool: Pool, bootstrap: str, **more: Any
) -> Consumer:
    topic, group = names
    return Consumer(
        group=group,
        topics=[topic],
        handlers=effects.handlers,
        pool=pool,
        bootstrap=bootstrap,
        # The embedded broker waits about this long before it lets the next member of a group in.
        session_timeout_ms=2_000,
        **more,
    )


def headers_of(
    number: int, *, event_id: UUID | None = None, kind: str = "thing.happened"
) -> list[tuple[str, bytes]]:
    return [
        ("ce_id", str(event_id or uuid4()).encode()),
        ("ce_type", kind.encode()),
        ("ce_source", b"source"),
        ("ce_time", datetime.now(UTC).isoformat().encode()),
        ("ce_subject", str(number).encode()),
        ("ce_chainid", str(CHAIN).encode()),
    ]


async def send(
    bootstrap: str,
    topic: str,
    messages: Sequence[tuple[bytes, list[tuple[str, bytes]]]],
    *,
    key: bytes = b"k",
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        futures = [
            await producer.send(topic, value=value, key=key, headers=headers)
            for value, headers in messages
        ]
        await asyncio.gather(*futures)
    finally:
        await producer.stop()


def numbered(*numbers: int) -> list[tuple[bytes, list[tuple[str, bytes]]]]:
    return [(str(number).encode(), headers_of(number)) for number in numbers]


async def written(pool: Pool) -> list[int]:
    return [row["number"] for row in await pool.fetch("SELECT number FROM effect ORDER BY ctid")]


def has(pool: Pool, numbers: Sequence[int]) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await written(pool) == list(numbers)

    return check


async def test_a_new_group_reads_from_the_beginning_and_a_known_one_goes_on(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    topic, group = names
    await send(kafka_bootstrap, topic, numbered(1, 2, 3))
    first = consumer_of(names, effects, table, kafka_bootstrap)
    async with running(first):
        await until(has(table, [1, 2, 3]))
        await send(kafka_bootstrap, topic, numbered(4))
        await until(has(table, [1, 2, 3, 4]))
    await send(kafka_bootstrap, topic, numbered(5))
    second = consumer_of(names, effects, table, kafka_bootstrap)
    async with running(second):
        await until(has(table, [1, 2, 3, 4, 5]))

    assert effects.calls == [1, 2, 3, 4, 5]
    assert first.gaps == second.gaps == 0
    known = await positions.read(table, consumer=group)
    assert sum(known.values()) == 5


@EACH_WAY
async def test_a_duplicate_has_no_second_effect(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    """The same event three times, in one batch and over several."""
    topic, _ = names
    twice = headers_of(1, event_id=uuid4())
    await send(kafka_bootstrap, topic, [(b"1", twice), (b"1", twice), *numbered(2)])
    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await until(has(table, [1, 2]))
        await send(kafka_bootstrap, topic, [(b"1", twice), *numbered(3)])
        await until(has(table, [1, 2, 3]))


@EACH_WAY
async def test_a_crash_between_effect_and_offset_applies_once(
    names: tuple[str, str],
    effects: Effects,
    table: Pool,
    kafka_bootstrap: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic, _ = names
    await send(kafka_bootstrap, topic, numbered(1, 2, 3))
    crashed = asyncio.Event()

    async def never_commit(*_: object) -> None:
        crashed.set()
        await asyncio.Event().wait()

    first = consumer_of(names, effects, table, kafka_bootstrap)
    monkeypatch.setattr(first, "_advance", never_commit)
    async with killed(first):
        await asyncio.wait_for(crashed.wait(), 30)
    assert await written(table) == [1, 2, 3]

    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await send(kafka_bootstrap, topic, numbered(4))
        await until(has(table, [1, 2, 3, 4]))


@EACH_WAY
async def test_poison_is_buried_with_a_reason_and_blocks_nothing(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    """No headers, a wrong chain, an impossible event and a broken payload stand among good ones."""
    topic, group = names

    async def refuse(event: Event) -> None:
        if event.payload == b"13":
            raise Impossible("names a member of another chain")

    effects.before = refuse
    no_chain = [(name, value) for name, value in headers_of(0) if name != "ce_chainid"]
    wrong_id = [(n, b"not-an-id" if n == "ce_id" else value) for n, value in headers_of(0)]
    poison = [(b"x", []), (b"0", no_chain), (b"0", wrong_id), *numbered(13), (b"?", headers_of(0))]
    await send(kafka_bootstrap, topic, [*numbered(1), *poison, *numbered(2)])

    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await until(has(table, [1, 2]))

    rows = await table.fetch(
        "SELECT reason, payload, chain_id FROM dead_letter WHERE consumer = $1 ORDER BY id", group
    )
    assert [row["reason"] for row in rows] == [
        "unparseable: the header ce_id is missing",
        "unparseable: the header ce_chainid is missing",
        "unparseable: a header or the key has the wrong form",
        "names a member of another chain",
        "its handler failed: ValueError",
    ]
    assert [row["payload"] for row in rows] == [b"x", b"0", b"0", b"13", b"?"]
    assert rows[3]["chain_id"] == CHAIN


async def test_a_consumer_that_is_behind_applies_many_answers_of_the_broker_together(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    """Sixty events that were sent one by one take far fewer transactions."""
    topic, _ = names
    numbers = list(range(60))
    for number in numbers:
        await send(kafka_bootstrap, topic, numbered(number))
    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await until(has(table, numbers))
    assert await table.fetchval("SELECT count(DISTINCT xmin::text) FROM effect") < 30


@EACH_WAY
async def test_poison_takes_no_neighbour_of_any_partition_with_it(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    """Thirty keys over all partitions, one poisoned event in the middle of one of them."""
    topic, group = names

    async def refuse(event: Event) -> None:
        if event.payload == b"113":
            raise Impossible("names a member of another chain")

    effects.before = refuse
    for number in range(30):
        after = numbered(100 + number, 200 + number, 300 + number)
        await send(kafka_bootstrap, topic, after, key=f"k{number}".encode())
    async with running(consumer_of(names, effects, table, kafka_bootstrap)):

        async def all_there() -> bool:
            return len(await written(table)) == 89

        await until(all_there)

    numbers = await written(table)
    assert sorted(numbers) == [n for n in range(100, 330) if n % 100 < 30 and n != 113]
    for number in range(30):
        mine = [n for n in numbers if n % 100 == number]
        assert mine == sorted(mine)
    buried = await table.fetch("SELECT payload FROM dead_letter WHERE consumer = $1", group)
    assert [row["payload"] for row in buried] == [b"113"]
    known = await positions.read(table, consumer=group)
    assert sum(known.values()) == 90
    assert len([place for place in known.values() if place]) > 1


@EACH_WAY
async def test_a_kill_in_the_middle_of_a_batch_leaves_nothing_of_it(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    """Effect, inbox and place stand in one transaction: all of them or none."""
    topic, group = names
    inside = asyncio.Event()

    async def stand_still(event: Event) -> None:
        if event.payload == b"2":
            inside.set()
            await asyncio.Event().wait()

    effects.before = stand_still
    await send(kafka_bootstrap, topic, numbered(1, 2, 3))
    async with killed(consumer_of(names, effects, table, kafka_bootstrap)):
        await asyncio.wait_for(inside.wait(), 30)
    assert await written(table) == []
    assert await table.fetchval("SELECT count(*) FROM inbox WHERE consumer = $1", group) == 0
    assert sum((await positions.read(table, consumer=group)).values()) == 0

    effects.before = None
    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await until(has(table, [1, 2, 3]))


async def test_a_dead_letter_is_announced_without_its_bytes(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    topic, group = names
    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await send(kafka_bootstrap, topic, [(b"canary", headers_of(0)), *numbered(1)])
        await until(has(table, [1]))

    async with reader(kafka_bootstrap, f"{topic}.dlq") as client, asyncio.timeout(30):
        record = await client.getone()
    headers = dict(record.headers)
    assert record.value is None
    assert headers["reason"] == b"its handler failed: ValueError"
    assert headers["consumer"] == group.encode()


async def test_a_buried_event_is_applied_by_a_replay_once_its_cause_is_mended(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    topic, _ = names

    async def refuse(event: Event) -> None:
        raise Impossible("not yet")

    effects.before = refuse
    again = (b"7", headers_of(7, event_id=uuid4()))
    await send(kafka_bootstrap, topic, [again])
    async with running(consumer_of(names, effects, table, kafka_bootstrap)):

        async def buried() -> bool:
            return bool(await table.fetchval("SELECT count(*) FROM dead_letter"))

        await until(buried)
        await send(kafka_bootstrap, topic, [again])
        effects.before = None
        await send(kafka_bootstrap, topic, [again, *numbered(8)])
        await until(has(table, [7, 8]))
    assert await table.fetchval("SELECT count(*) FROM dead_letter") == 1
    async with transaction(table) as conn:
        assert await dead_letters.forget(conn, chain_id=CHAIN, key="k") == 1


@EACH_WAY
async def test_too_many_dead_letters_in_a_row_stop_the_process_and_a_restart_goes_on_behind_them(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    topic, _ = names
    most = module.DEAD_LETTERS_IN_A_ROW_MAX
    await send(kafka_bootstrap, topic, [(b"x", []) for _ in range(most + 5)] + numbered(1))

    with pytest.raises(TooManyDeadLetters):
        await asyncio.wait_for(consumer_of(names, effects, table, kafka_bootstrap).run(), 60)
    assert await table.fetchval("SELECT count(*) FROM dead_letter") == most + 1

    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await until(has(table, [1]))
    assert await table.fetchval("SELECT count(*) FROM dead_letter") == most + 5


async def test_unknown_event_types_are_passed_over(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    topic, _ = names
    future = (b"0", headers_of(0, kind="thing.of_the_future"))
    await send(kafka_bootstrap, topic, [future, *numbered(1)])
    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await until(has(table, [1]))
    assert await table.fetchval("SELECT count(*) FROM dead_letter") == 0


@EACH_WAY
async def test_a_passing_fault_of_a_handler_is_tried_again(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    topic, _ = names
    faults = [RuntimeError("first"), RuntimeError("second")]

    async def stumble(_event: Event) -> None:
        if faults:
            raise faults.pop()

    effects.before = stumble
    await send(kafka_bootstrap, topic, numbered(1))
    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await until(has(table, [1]))
    assert await table.fetchval("SELECT count(*) FROM dead_letter") == 0


async def test_a_database_that_stays_away_ends_the_consumer_and_buries_nothing(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    topic, _ = names

    async def away(_event: Event) -> None:
        raise ConnectionRefusedError

    effects.before = away
    await send(kafka_bootstrap, topic, numbered(1))
    impatient = consumer_of(names, effects, table, kafka_bootstrap, trouble_seconds_max=0.5)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(impatient.run(), 60)
    assert await table.fetchval("SELECT count(*) FROM dead_letter") == 0

    effects.before = None
    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await until(has(table, [1]))


async def test_a_broker_that_forgot_everything_leads_to_a_replay_and_one_effect_each(
    names: tuple[str, str],
    effects: Effects,
    urls: DatabaseUrls,
    table: Pool,
    own_broker: engines.Broker,
    redis: Redis,
    chain: UUID,
) -> None:
    """The broker is killed with events that nobody had read; the outbox brings them back."""
    topic, _ = names
    source = topic.split(".")[1]

    async def write(*numbers: int) -> None:
        async with transaction(table) as conn:
            await outbox.append(
                conn,
                [
                    OutboxEvent(
                        topic=topic,
                        key="k",
                        type="thing.happened",
                        chain_id=chain,
                        subject="k",
                        payload=str(number).encode(),
                        occurred_at=datetime.now(UTC),
                    )
                    for number in numbers
                ],
            )

    async def published() -> bool:
        return not await table.fetchval("SELECT count(*) FROM outbox_waiting")

    relay = Relay(
        service=source,
        database_url=urls.service_url,
        pool=table,
        bootstrap=own_broker.bootstrap,
        redis=redis,
    )
    async with running(relay):
        first = consumer_of(names, effects, table, own_broker.bootstrap, redis=redis)
        async with running(first):
            await write(1, 2, 3)
            await until(has(table, [1, 2, 3]))
        await write(4, 5)
        await until(published)
        own_broker.stop()
        own_broker.start()

        second = consumer_of(names, effects, table, own_broker.bootstrap, redis=redis)
        async with running(second):
            await until(has(table, [1, 2, 3, 4, 5]), seconds=90)
            assert second.gaps > 0
            await write(6)
            await until(has(table, [1, 2, 3, 4, 5, 6]), seconds=60)


async def test_a_consumer_outlives_a_broker_that_restarts_under_it(
    names: tuple[str, str],
    effects: Effects,
    table: Pool,
    own_broker: engines.Broker,
    redis: Redis,
) -> None:
    topic, _ = names
    consumer = consumer_of(names, effects, table, own_broker.bootstrap, redis=redis)
    async with running(consumer):
        await send(own_broker.bootstrap, topic, numbered(1, 2))
        await until(has(table, [1, 2]))
        own_broker.stop()
        own_broker.start()
        await send(own_broker.bootstrap, topic, numbered(3))
        await until(has(table, [1, 2, 3]), seconds=90)
        assert consumer.gaps > 0

    async def wished() -> bool:
        return bool(await redis.exists(f"replay:{topic.split('.')[1]}"))

    await until(wished, seconds=5)


async def test_events_that_the_broker_dropped_are_noticed(
    names: tuple[str, str],
    effects: Effects,
    table: Pool,
    own_broker: engines.Broker,
    redis: Redis,
) -> None:
    """More than the partition holds is sent while the consumer is away."""
    topic, _ = names
    async with running(consumer_of(names, effects, table, own_broker.bootstrap, redis=redis)):
        await send(own_broker.bootstrap, topic, numbered(1))
        await until(has(table, [1]))

    ballast = [("ballast", b"x" * 60_000)]
    many = [(str(n).encode(), headers_of(n) + ballast) for n in range(2, 202)]
    for start in range(0, len(many), 20):
        await send(own_broker.bootstrap, topic, many[start : start + 20])

    late = consumer_of(names, effects, table, own_broker.bootstrap, redis=redis)
    async with running(late):

        async def noticed() -> bool:
            return late.gaps > 0 and 201 in await written(table)

        await until(noticed, seconds=60)
    numbers = await written(table)
    assert len(numbers) < 201
    assert len(numbers) == len(set(numbers))
    assert await replay.take_wish(redis, source=topic.split(".")[1])


async def test_a_restored_database_takes_the_group_back_to_where_it_stood(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    """Goal: a backup restored into a service misses nothing that the broker still has."""
    topic, group = names
    await send(kafka_bootstrap, topic, numbered(1, 2))
    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await until(has(table, [1, 2]))
        known = await positions.read(table, consumer=group)
        inbox = await table.fetch("SELECT event_id FROM inbox WHERE consumer = $1", group)
        await send(kafka_bootstrap, topic, numbered(3, 4))
        await until(has(table, [1, 2, 3, 4]))

    async with transaction(table) as conn:
        await conn.execute("DELETE FROM effect WHERE number > 2")
        await conn.execute(
            "DELETE FROM inbox WHERE consumer = $1 AND event_id <> ALL($2::uuid[])",
            group,
            [row["event_id"] for row in inbox],
        )
        await positions.write(conn, known, consumer=group)

    async with running(consumer_of(names, effects, table, kafka_bootstrap)):
        await until(has(table, [1, 2, 3, 4]))


async def test_a_stop_finishes_the_transaction_in_hand(
    names: tuple[str, str], effects: Effects, table: Pool, kafka_bootstrap: str
) -> None:
    topic, _ = names
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_event: Event) -> None:
        inside.set()
        await go_on.wait()

    effects.before = wait
    await send(kafka_bootstrap, topic, numbered(1))
    consumer = consumer_of(names, effects, table, kafka_bootstrap)
    task = asyncio.create_task(consumer.run())
    await asyncio.wait_for(inside.wait(), 30)
    consumer.stop()
    go_on.set()
    await asyncio.wait_for(task, 30)

    assert await written(table) == [1]
