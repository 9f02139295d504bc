"""Rows of the outbox as records of Kafka: whole record batches, one answer for each of them."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a record stands in its topic."""

    partition: int
    offset: int


_Partition: TypeAlias = tuple[str, int]


def partition_of(key: bytes, *, count: int) -> int:
    """The partition of a key among so many: always the same, so that its events stay in order.

    CRC-32, librdkafka's own choice for keys; Java's murmur2 costs Python eighty times as much.
    """
    return zlib.crc32(key) % count


async def send(
    producer: AIOKafkaProducer, rows: Sequence[asyncpg.Record], *, source: str
) -> list[Place | BaseException]:
    """Send events in their order; where each one stands, or why it did not arrive.

    Raises what kept a batch from being taken at all; then what was sent before it may arrive.
    """
    counts = {topic: await _count(producer, topic) for topic in {row["topic"] for row in rows}}
    shares: dict[_Partition, list[int]] = {}
    for number, row in enumerate(rows):
        count = counts[row["topic"]]
        partition = partition_of(row["key"].encode(), count=count)
        shares.setdefault((row["topic"], partition), []).append(number)
    outcomes: dict[int, Place | BaseException] = {}
    sent = await asyncio.gather(
        *(_send_share(producer, rows, share, to=to, source=source) for to, share in shares.items())
    )
    for one in sent:
        outcomes.update(one)
    return [outcomes[number] for number in range(len(rows))]


async def _count(producer: AIOKafkaProducer, topic: str) -> int:
    partitions = await producer.partitions_for(topic)
    if not partitions:
        raise UnknownTopicOrPartitionError(topic)
    return len(partitions)


async def _send_share(
    producer: AIOKafkaProducer,
    rows: Sequence[asyncpg.Record],
    share: Sequence[int],
    *,
    to: _Partition,
    source: str,
) -> Mapping[int, Place | BaseException]:
    """What one partition gets, in as many record batches as it needs, one after the other."""
    topic, partition = to
    waiting = []
    batch, first = producer.create_batch(), 0
    for done, number in enumerate(share):
        record = _record(rows[number], source=source)
        if batch.append(**record) is None:
            waiting.append((first, await producer.send_batch(batch, topic, partition=partition)))
            batch, first = producer.create_batch(), done
            batch.append(**record)
    waiting.append((first, await producer.send_batch(batch, topic, partition=partition)))
    answers = await asyncio.gather(*(sent for _, sent in waiting), return_exceptions=True)
    ends = [first for first, _ in waiting[1:]] + [len(share)]
    outcomes: dict[int, Place | BaseException] = {}
    for (first, _), end, answer in zip(waiting, ends, answers, strict=True):
        for offset, number in enumerate(share[first:end]):
            if isinstance(answer, BaseException):
                outcomes[number] = answer
            else:
                outcomes[number] = Place(partition=partition, offset=answer.offset + offset)
    return outcomes


def _record(row: asyncpg.Record, *, source: str) -> Mapping[str, object]:
    """One record in CloudEvents' binary form."""
    return {
        "timestamp": None,
        "key": row["key"].encode(),
        "value": row["payload"],
        "headers": [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(row["event_id"]).encode()),
            ("ce_type", row["type"].encode()),
            ("ce_source", source.encode()),
            ("ce_time", row["occurred_at"].isoformat().encode()),
            ("ce_subject", row["subject"].encode()),
            ("ce_chainid", str(row["chain_id"]).encode()),
            ("content-type", b"application/protobuf"),
            ("request_id", row["request_id"].encode()),
        ],
    }
