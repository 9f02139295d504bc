"""The engines that `make up` brings along (house.md 9): what they promise and what they do not."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import redis.asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from deploy.local import databases, processes
from tests import engines

TOPIC = "loyalty.points.v1"


async def _produce(bootstrap: str, *values: bytes) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, request_timeout_ms=5000
    )
    await _connected(producer)
    try:
        for value in values:
            await producer.send_and_wait(
                TOPIC, value, key=b"account-of-alice", headers=[("ce_id", b"1")]
            )
    finally:
        await producer.stop()


async def _connected(producer: AIOKafkaProducer) -> None:
    """Start a producer; the port is open a moment before the broker behind it answers."""
    async with asyncio.timeout(20):
        while True:
            try:
                await producer.start()
            except KafkaConnectionError:
                await asyncio.sleep(0.1)
            else:
                return


async def _consume(bootstrap: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        group_id="points.engine-test",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6000,
    )
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            got = [await consumer.getone() for _ in range(count)]
        await consumer.commit()
        return [record.value for record in got if record.value is not None]
    finally:
        await consumer.stop()


async def test_the_broker_keeps_its_port_over_a_restart_and_forgets_its_messages(
    own_broker: engines.Broker,
) -> None:
    """Goal: a broker that dies comes back where clients look for it, empty."""
    await _produce(own_broker.bootstrap, b"first", b"second")
    assert await _consume(own_broker.bootstrap, 2) == [b"first", b"second"]

    record = processes.read_record(own_broker.folder / "run", "kafka")
    assert record is not None
    processes.send(record, signal.SIGKILL)
    assert processes.wait_gone(record, seconds=5)
    own_broker.start()

    await _produce(own_broker.bootstrap, b"third")
    assert await _consume(own_broker.bootstrap, 1) == [b"third"]


async def test_a_broker_that_was_cut_off_comes_back_with_what_it_had(
    own_broker: engines.Broker,
) -> None:
    """Goal: tests can cut the broker off for a while without its forgetting anything."""
    await _produce(own_broker.bootstrap, b"before")
    record = processes.read_record(own_broker.folder / "run", "kafka")
    assert record is not None
    processes.send(record, signal.SIGUSR1)
    async with asyncio.timeout(5):
        while await _accepts(own_broker.port):
            await asyncio.sleep(0.02)
    processes.send(record, signal.SIGUSR2)
    async with asyncio.timeout(5):
        while not await _accepts(own_broker.port):
            await asyncio.sleep(0.02)

    assert await _consume(own_broker.bootstrap, 1) == [b"before"]


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_the_service_role_writes_rows_but_may_not_change_tables(
    postgres: engines.Postgres,
) -> None:
    """Goal: migrations run as owner; a service never has the owner's rights (house.md 4)."""
    both = await postgres.create_empty_database("points")
    owner = await asyncpg.connect(both.owner_url)
    await owner.execute("CREATE TABLE note (id bigserial PRIMARY KEY, words text NOT NULL)")
    await owner.close()

    service = await asyncpg.connect(both.service_url)
    try:
        await service.execute("INSERT INTO note (words) VALUES ('bonjour')")
        assert await service.fetchval("SELECT words FROM note") == "bonjour"
        for forbidden in ("DROP TABLE note", "CREATE TABLE mine (id int)"):
            try:
                await service.execute(forbidden)
            except asyncpg.InsufficientPrivilegeError:
                continue
            raise AssertionError(f"the service role was allowed to: {forbidden}")
    finally:
        await service.close()


async def test_preparing_a_database_twice_changes_nothing(postgres: engines.Postgres) -> None:
    """Goal: `make up` may be repeated."""
    first = await databases.prepare(
        postgres.admin_url, "sample", password="a1b2", database="sample"
    )
    second = await databases.prepare(
        postgres.admin_url, "sample", password="a1b2", database="sample"
    )
    assert first == second


async def test_postgres_is_version_18_and_does_not_run_as_root(
    postgres: engines.Postgres, run_folder: Path
) -> None:
    """Goal: PostgreSQL refuses root, so root hands it to an unprivileged user."""
    connection = await asyncpg.connect(postgres.admin_url)
    try:
        assert connection.get_server_version().major == 18
    finally:
        await connection.close()
    record = processes.alive(run_folder / "run", "postgres")
    assert record is not None
    assert os.stat(f"/proc/{record.pid}").st_uid != 0


async def test_redis_asks_for_its_password(redis_server: engines.Redis) -> None:
    """Goal: another user of the same machine cannot read sessions and countdowns."""
    stranger = redis.asyncio.Redis(host="127.0.0.1", port=redis_server.port)
    try:
        await stranger.get("anything")
    except redis.exceptions.AuthenticationError:
        pass
    else:
        raise AssertionError("redis answered a stranger")
    finally:
        await stranger.aclose()
    known = redis.asyncio.Redis.from_url(redis_server.url)
    info = await known.info("server")
    assert info["redis_version"].startswith("6.2")
    await known.aclose()
