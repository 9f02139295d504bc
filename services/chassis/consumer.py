"""The one consumer loop: an effect is applied once, then the offset moves; nothing is skipped.

A crash between the two is a redelivery that the inbox absorbs. Events that can never be applied
go to the dead letters. Missing events are noticed and the source is asked to publish again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import (
    GroupIdNotFound,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from google.protobuf.message import DecodeError
from redis.asyncio import Redis

from services.chassis import dead_letters, inbox, positions
from services.chassis.errors import Unavailable
from services.chassis.events import Impossible, Record, header_texts, parse, type_of
from services.chassis.gaps import Gaps
from services.chassis.gathering import rest_after
from services.chassis.handling import Handler, Together, one_by_one
from services.chassis.metrics import (
    CONSUMER_EVENTS_TOTAL,
    CONSUMER_LAG,
    DEAD_LETTERS_TOTAL,
)
from services.chassis.postgres import LOST_CONNECTION, Connection, Pool, in_transaction, is_lost

log = structlog.get_logger(__name__)

_TROUBLE: tuple[type[Exception], ...] = (Unavailable, *LOST_CONNECTION)

# Events that share a transaction while all goes well.
BATCH_SIZE_MAX = 500
POLL_MS = 300
# How long more is waited for that the broker is known to have, while some is in hand.
MORE_MS = 20
# The shortest that Apache Kafka takes without being told to: a crashed member is replaced soon.
SESSION_TIMEOUT_MS = 6_000
RETRY_SECONDS_MIN = 0.2
RETRY_SECONDS_MAX = 5.0
# How long a lost database is waited for before the process ends and is started anew.
TROUBLE_SECONDS_MAX = 60.0
# A fault that is not the database's may be a passing one; after so many tries it is the event's.
HANDLER_ATTEMPTS_MAX = 3
# One bad event is a bad event; so many in a row are a bad release. The process stops and says so.
DEAD_LETTERS_IN_A_ROW_MAX = 20
STOP_TIMEOUT_SECONDS = 5.0
# The broker answers every fetch within half a second, if only with nothing. After this silence the
# client is taken to be stuck and is built anew.
SILENCE_SECONDS_MAX = 10.0
# A member without partitions may be a spare one, so it is given longer.
IDLE_SECONDS_MAX = 300.0


class TooManyDeadLetters(Exception):
    """So many events in a row could not be applied that the fault must lie here."""


class BrokerSilent(KafkaError):  # type: ignore[misc]
    """The client neither gets answers nor says why."""


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """Applies the events of some topics, as one named group."""

    def __init__(
        self,
        *,
        group: str,
        topics: Sequence[str],
        handlers: Mapping[str, Handler] | Together,
        pool: Pool,
        bootstrap: str,
        redis: Redis | None = None,
        trouble_seconds_max: float = TROUBLE_SECONDS_MAX,
        session_timeout_ms: int = SESSION_TIMEOUT_MS,
    ) -> None:
        self.group = group
        self._topics = list(topics)
        self._work = handlers if isinstance(handlers, Together) else one_by_one(handlers)
        self._pool = pool
        self._bootstrap = bootstrap
        self._trouble_seconds_max = trouble_seconds_max
        self._session_timeout_ms = session_timeout_ms
        self._stopping = asyncio.Event()
        # When the broker was last heard, by our clock, and the time stamp that said so.
        self._heard_at = 0.0
        self._heard_stamp = 0
        # The offset that must come next, for each partition that was taken up.
        self._expected: dict[TopicPartition, int] = {}
        self._dead_in_a_row = 0
        self._missing = Gaps(group=group, redis=redis)
        # The broker said that it knows no such group: what it has of it by now may be an offset of
        # the log before, which a member of before has committed late.
        self._forgotten = False
        self.ready = False

    @property
    def gaps(self) -> int:
        """How often events were missing since the process started."""
        return self._missing.count

    def stop(self) -> None:
        """Finish the transaction in hand, commit its offset and end."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until stopped; a lost broker is waited for and the group joined anew.

        Raises `TooManyDeadLetters`, or `Unavailable` when the database stays away too long.
        """
        delay = RETRY_SECONDS_MIN
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                await self._session()
            except (KafkaError, OSError, AssertionError) as error:
                # aiokafka asserts on answers of a broker that has forgotten what it said before.
                # aiokafka says it in words only.
                self._forgotten |= GroupIdNotFound.__name__ in str(error)
                if time.monotonic() - started > RETRY_SECONDS_MAX:
                    delay = RETRY_SECONDS_MIN
                log.warning(
                    "consumer_interrupted",
                    group=self.group,
                    fault=type(error).__name__,
                    retry_seconds=delay,
                )
                await self._pause(delay)
                delay = min(delay * 2, RETRY_SECONDS_MAX)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    # -- one membership of the group ---------------------------------------------------------

    async def _session(self) -> None:
        client = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self.group,
            client_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            session_timeout_ms=self._session_timeout_ms,
            heartbeat_interval_ms=self._session_timeout_ms // 4,
            retry_backoff_ms=100,
            metadata_max_age_ms=10_000,
        )
        self._expected.clear()
        client.subscribe(self._topics, listener=self)
        try:
            await client.start()
            self._heard_at = time.monotonic()
            while not self._stopping.is_set():
                await self._round(client)
        finally:
            await _leave(client, self.group)

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Whoever takes these partitions up next decides anew where to start."""
        self._expected.clear()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Partitions are taken up by the loop itself, which may ask the database first."""

    async def _round(self, client: AIOKafkaConsumer) -> None:
        for partition in client.assignment() - self._expected.keys():
            await self._take_up(client, partition)
        if client.assignment():
            self.ready, self._forgotten = True, False
        batches = await self._poll(client)
        if batches:
            await self._consume(client, batches)
        count = sum(map(len, batches.values()))
        if 0 < count < BATCH_SIZE_MAX:
            await asyncio.sleep(rest_after(count))
        self._listen(client, heard=bool(batches))
        self._show_lag(client)
        await self._missing.ask_for_replays()

    async def _poll(self, client: AIOKafkaConsumer) -> Mapping[TopicPartition, Sequence[Record]]:
        """What has come of the partitions that were taken up, in order.

        One answer of the broker may hold less than there is, so it is asked on while it has more.
        """
        batches: dict[TopicPartition, list[Record]] = {}
        room, wait = BATCH_SIZE_MAX, POLL_MS
        while room:
            try:
                found = await client.getmany(timeout_ms=wait, max_records=room)
            except NoOffsetForPartitionError:
                # The fetcher looked before we had taken it up; its place is known by now.
                break
            except OffsetOutOfRangeError as error:
                for partition in error.args[0]:
                    batches.pop(partition, None)
                    await self._rewind(client, partition, why="out_of_range")
                break
            for partition, records in found.items():
                if partition in self._expected:
                    if records[0].offset > self._following(partition, batches):
                        self._missing.found(partition, why="jump")
                    batches.setdefault(partition, []).extend(records)
                room -= len(records)
            if not found or not self._behind(client, batches):
                break
            wait = MORE_MS
        # Those that were taken away meanwhile are somebody else's, or are taken up anew.
        return {each: batches[each] for each in batches if each in self._expected}

    def _following(
        self, partition: TopicPartition, batches: Mapping[TopicPartition, Sequence[Record]]
    ) -> int:
        """The offset that comes next, behind what has been polled but not applied yet."""
        if partition in batches:
            return batches[partition][-1].offset + 1
        return self._expected[partition]

    def _behind(
        self, client: AIOKafkaConsumer, batches: Mapping[TopicPartition, Sequence[Record]]
    ) -> bool:
        """Whether the broker has more than was polled."""
        return any(
            (client.highwater(partition) or 0) > self._following(partition, batches)
            for partition in client.assignment() & self._expected.keys()
        )

    def _listen(self, client: AIOKafkaConsumer, *, heard: bool) -> None:
        """Raise `BrokerSilent` when the client has been stuck for too long."""
        partitions = client.assignment()
        stamps = [client.last_poll_timestamp(partition) or 0 for partition in partitions]
        newest = max(stamps, default=0)
        if heard or newest != self._heard_stamp:
            self._heard_at, self._heard_stamp = time.monotonic(), newest
        allowed = SILENCE_SECONDS_MAX if partitions else IDLE_SECONDS_MAX
        if time.monotonic() - self._heard_at > allowed:
            raise BrokerSilent

    def _show_lag(self, client: AIOKafkaConsumer) -> None:
        behind = dict.fromkeys(self._topics, 0)
        for partition in client.assignment() & self._expected.keys():
            highwater = client.highwater(partition) or 0
            behind[partition.topic] += max(0, highwater - self._expected[partition])
        for topic, events in behind.items():
            CONSUMER_LAG.labels(self.group, topic).set(events)

    async def _take_up(self, client: AIOKafkaConsumer, partition: TopicPartition) -> None:
        """Decide where to start: at the committed offset, unless events would be missed by it.

        A group that the broker does not know starts at the beginning. So does one whose own
        database knows nothing of the partition; and where the database stands before the broker's
        offset (a restored backup), the database counts.
        """
        committed = None if self._forgotten else await client.committed(partition)
        beginning = (await client.beginning_offsets([partition]))[partition]
        stored = (await self._patiently(self._stored_positions)).get(
            (partition.topic, partition.partition)
        )
        if committed is None:
            start, missed = beginning, stored is not None or beginning > 0
        elif stored is None:
            start, missed = beginning, beginning > 0
        else:
            start, missed = min(committed, stored), False
        if start < beginning:
            start, missed = beginning, True
        if missed:
            self._missing.found(partition, why="taken_up")
        if committed is None:
            # From now on the broker knows the group, even if nothing comes on this partition; a
            # broker that does not know it later has forgotten everything. Only after the gap is
            # noted: when the answer to this is lost, nobody would find it again.
            await client.commit({partition: start})
        if stored is None:
            await self._patiently(lambda: self._write_position(partition, start))
        client.seek(partition, start)
        self._expected[partition] = start

    async def _stored_positions(self) -> Mapping[tuple[str, int], int]:
        return await positions.read(self._pool, consumer=self.group)

    async def _write_position(self, partition: TopicPartition, next_offset: int) -> None:
        async with self._pool.acquire() as conn:
            await positions.write(conn, {partition: next_offset}, consumer=self.group)

    async def _rewind(
        self, client: AIOKafkaConsumer, partition: TopicPartition, *, why: str
    ) -> None:
        """Start a partition again at its beginning: what came before is to be replayed."""
        beginning = (await client.beginning_offsets([partition]))[partition]
        self._missing.found(partition, why=why)
        client.seek(partition, beginning)
        self._expected[partition] = beginning

    # -- applying ----------------------------------------------------------------------------

    async def _consume(
        self, client: AIOKafkaConsumer, batches: Mapping[TopicPartition, Sequence[Record]]
    ) -> None:
        """Apply what one poll brought."""
        together = list(chain.from_iterable(batches.values()))
        try:
            await self._patiently(lambda: self._apply_together(together))
            self._dead_in_a_row = 0
        except (Unavailable, asyncio.CancelledError):
            raise
        except Exception:
            # One of them is at fault: apply them one by one and find out which.
            for partition, records in batches.items():
                await self._consume_singly(client, partition, records)
            return
        await self._advance(client, _places(together))

    async def _consume_singly(
        self, client: AIOKafkaConsumer, partition: TopicPartition, records: Sequence[Record]
    ) -> None:
        following = records[0].offset
        try:
            for record in records:
                following = record.offset + 1
                await self._patiently(partial(self._apply_alone, record))
        except TooManyDeadLetters:
            # The next start goes on behind what is buried, not in front of it.
            await self._advance(client, {partition: following})
            raise
        await self._advance(client, {partition: following})

    async def _advance(
        self, client: AIOKafkaConsumer, following: Mapping[TopicPartition, int]
    ) -> None:
        """Commit the offsets of what is applied."""
        self._expected.update(following)
        await client.commit(dict(following))

    async def _apply_together(self, records: Sequence[Record]) -> None:
        """Apply a batch in one transaction: all of it or nothing."""
        wanted = [parse(record) for record in records if self._concerns(record)]

        async def work(conn: Connection) -> int:
            new = await inbox.first_times(conn, wanted, consumer=self.group)
            if new:
                await self._work.apply(conn, new)
            await positions.write(conn, _places(records), consumer=self.group)
            return len(new)

        applied = await in_transaction(self._pool, work)
        self._count("applied", applied)
        self._count("known", len(wanted) - applied)
        self._count("ignored", len(records) - len(wanted))

    def _concerns(self, record: Record) -> bool:
        """Whether it is of a type that we handle, or of none, which is worth a dead letter."""
        kind = type_of(record)
        return kind is None or kind in self._work.types

    async def _apply_alone(self, record: Record) -> None:
        """Apply one event, or keep it as a dead letter."""
        for attempt in range(1, HANDLER_ATTEMPTS_MAX + 1):
            try:
                await self._apply_together([record])
            except (Impossible, DecodeError) as error:
                await self._bury(record, str(error) or "unparseable")
                return
            except Unavailable:
                raise
            except Exception as error:
                log.warning(
                    "event_not_applied",
                    group=self.group,
                    topic=record.topic,
                    attempt=attempt,
                    exc_info=error,
                )
                if attempt == HANDLER_ATTEMPTS_MAX:
                    await self._bury(record, f"its handler failed: {type(error).__name__}")
                    return
                await self._pause(RETRY_SECONDS_MIN * attempt)
            else:
                self._dead_in_a_row = 0
                return

    def _count(self, outcome: str, number: int) -> None:
        if number:
            CONSUMER_EVENTS_TOTAL.labels(self.group, outcome).inc(number)

    # -- trouble -----------------------------------------------------------------------------

    async def _patiently(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Do database work, waiting for a lost database up to `trouble_seconds_max`."""
        deadline = time.monotonic() + self._trouble_seconds_max
        delay = RETRY_SECONDS_MIN
        while True:
            try:
                return await work()
            except _TROUBLE as error:
                if not isinstance(error, Unavailable) and not is_lost(error):
                    raise
                if time.monotonic() > deadline or self._stopping.is_set():
                    raise Unavailable("the consumer's database stays away") from error
                log.warning(
                    "consumer_waits_for_database",
                    group=self.group,
                    fault=type(error).__name__,
                    retry_seconds=delay,
                )
                await self._pause(delay)
                delay = min(delay * 2, RETRY_SECONDS_MAX)

    async def _bury(self, record: Record, reason: str) -> None:
        """Keep the event as a dead letter and go on; too many in a row stop the process."""

        async def work(conn: Connection) -> bool:
            new = await dead_letters.record_letter(conn, record, consumer=self.group, reason=reason)
            await positions.write(conn, _places([record]), consumer=self.group)
            return new

        if await in_transaction(self._pool, work):
            DEAD_LETTERS_TOTAL.labels(self.group).inc()
            await dead_letters.announce(
                record, bootstrap=self._bootstrap, consumer=self.group, reason=reason
            )
        self._count("dead", 1)
        log.error(
            "event_is_a_dead_letter",
            group=self.group,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_type=header_texts(record).get("ce_type", ""),
            reason=reason,
        )
        self._dead_in_a_row += 1
        if self._dead_in_a_row > DEAD_LETTERS_IN_A_ROW_MAX:
            raise TooManyDeadLetters(f"{self.group}: {self._dead_in_a_row} in a row")


def _places(records: Sequence[Record]) -> dict[TopicPartition, int]:
    """The offset that follows the last record of each partition."""
    last = {(record.topic, record.partition): record.offset for record in records}
    return {TopicPartition(*place): offset + 1 for place, offset in last.items()}


async def _leave(client: AIOKafkaConsumer, group: str) -> None:
    """Leave the group, also when the broker does not answer any more."""
    try:
        async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
            await client.stop()
    except (KafkaError, OSError, AssertionError, asyncio.CancelledError) as error:
        # aiokafka also hands on the cancellation of tasks of its own; ours must not be lost.
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        log.info("consumer_left_behind", group=group, fault=type(error).__name__)
