"""What a consumer finds missing is asked for, also when it is cut off at that very moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import GroupIdNotFound, KafkaError
from redis.asyncio import Redis

from services.chassis import positions
from services.chassis.consumer import Consumer
from services.chassis.postgres import Pool, transaction
from tests.chassis.test_relay import reader
from tests.chassis.waiting import running, until


async def _until_it_wishes(
    group: str, source: str, *, pool: Pool, bootstrap: str, redis: Redis
) -> Consumer:
    """A consumer of that source, until it has asked for a replay."""
    consumer = Consumer(
        group=group,
        topics=[f"loyalty.{source}.v1"],
        handlers={},
        pool=pool,
        bootstrap=bootstrap,
        redis=redis,
        session_timeout_ms=2_000,
    )

    async def wished() -> bool:
        return bool(await redis.exists(f"replay:{source}"))

    async with running(consumer):
        await until(wished, seconds=60)
    return consumer


async def test_a_gap_found_as_the_broker_is_lost_is_asked_for_by_the_next_session(
    pool: Pool, kafka_bootstrap: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker has forgotten the group. It takes note of it anew, and its answer is lost."""
    mark = uuid4().hex[:10]
    source, group = f"s{mark}", f"demo.{mark}"
    topic = f"loyalty.{source}.v1"
    async with reader(kafka_bootstrap, topic) as client:
        partitions = client.partitions_for_topic(topic) or {0}
    async with transaction(pool) as conn:
        await positions.write(conn, {(topic, each): 7 for each in partitions}, consumer=group)
    commit, lost = AIOKafkaConsumer.commit, set[TopicPartition]()

    async def lose_the_answer(
        client: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]
    ) -> None:
        await commit(client, offsets)
        if not lost.issuperset(offsets):
            lost.update(offsets)
            raise KafkaError("no answer")

    monkeypatch.setattr(AIOKafkaConsumer, "commit", lose_the_answer)
    await _until_it_wishes(group, source, pool=pool, bootstrap=kafka_bootstrap, redis=redis)
    assert lost


async def test_an_offset_is_not_trusted_once_the_broker_has_forgotten_the_group(
    pool: Pool, kafka_bootstrap: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member of before has committed late, and the log is as long as it was: all seems well."""
    mark = uuid4().hex[:10]
    source, group = f"s{mark}", f"demo.{mark}"
    topic = f"loyalty.{source}.v1"
    async with reader(kafka_bootstrap, topic) as client:
        places = [TopicPartition(topic, each) for each in client.partitions_for_topic(topic) or {0}]
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        for place in places:
            for _ in range(8):
                await producer.send_and_wait(
                    topic, b"", partition=place.partition, headers=[("ce_type", b"of.no.concern")]
                )
    async with transaction(pool) as conn:
        await positions.write(conn, dict.fromkeys(places, 7), consumer=group)
    async with AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap, group_id=group) as member:
        member.assign(places)
        await member.commit(dict.fromkeys(places, 7))
    getmany, calls = AIOKafkaConsumer.getmany, 0

    async def forget_once(client: AIOKafkaConsumer, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KafkaError(f"Unexpected exception in heartbeat task: {GroupIdNotFound()!r}")
        return await getmany(client, **options)

    monkeypatch.setattr(AIOKafkaConsumer, "getmany", forget_once)
    consumer = await _until_it_wishes(
        group, source, pool=pool, bootstrap=kafka_bootstrap, redis=redis
    )
    assert calls > 3
    assert consumer.gaps == len(places)
