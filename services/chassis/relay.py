"""The one relay of a service: publishes the outbox in order, however often it is interrupted.

What was published but not marked when the process died is published again; consumers drop it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.chassis import outbox, publishing, replay
from services.chassis.errors import Unavailable
from services.chassis.gathering import rest_after
from services.chassis.metrics import (
    OUTBOX_LAG_SECONDS,
    OUTBOX_OLDEST_UNPUBLISHED_SECONDS,
    OUTBOX_PUBLISHED_TOTAL,
    OUTBOX_REPLAYS_TOTAL,
    OUTBOX_UNPUBLISHED,
)
from services.chassis.postgres import LOST_CONNECTION, TOO_BUSY, Pool, connect
from services.chassis.publishing import Place

log = structlog.get_logger(__name__)

BATCH_SIZE_MAX = 1_000
POLL_SECONDS = 1.0
RETRY_SECONDS_MIN = 0.2
RETRY_SECONDS_MAX = 5.0
# Beyond this the producer is given up and rebuilt, and the batch is sent again.
SEND_TIMEOUT_SECONDS = 20.0
QUERY_TIMEOUT_SECONDS = 15.0
FLUSH_TIMEOUT_SECONDS = 5.0
# Any fixed number of our own; advisory locks are per database, hence per service.
ADVISORY_LOCK = 0x6D656368655F6F75
COUNTED_MAX = 100_000

# A list that runs empty and full again makes statistics lie. The oldest first, each looked up by
# its id: no other plan is ever good here, and this leaves none.
_PLANS = "SET enable_seqscan = off"
_DUE = f"""
SELECT id, replayed_at FROM outbox_waiting ORDER BY id LIMIT {BATCH_SIZE_MAX}
"""  # noqa: S608
# One walk through the index for all of them; a join would begin at its root for each.
_READ = """
SELECT id, event_id, chain_id, topic, key, type, subject, payload, request_id, occurred_at,
       recorded_at
FROM outbox WHERE id = ANY ($1::bigint[]) ORDER BY id
"""
_MARK = """
WITH marked AS (
    DELETE FROM outbox_waiting WHERE id = ANY ($1::bigint[])
)
INSERT INTO published_position (topic, partition, next_offset)
SELECT topic, partition, next_offset
FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS last (topic, partition, next_offset)
ORDER BY topic, partition
ON CONFLICT (topic, partition)
    DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()
"""
_BACKLOG = """
WITH first AS MATERIALIZED (
    SELECT id, replayed_at FROM outbox_waiting ORDER BY id LIMIT 1
)
SELECT (SELECT count(*) FROM (SELECT FROM outbox_waiting LIMIT $1) AS counted) AS waiting,
       coalesce(extract(epoch FROM now() - (
           SELECT coalesce(first.replayed_at, outbox.recorded_at)
           FROM first JOIN outbox ON outbox.id = first.id)), 0) AS age
"""

_TROUBLE: tuple[type[Exception], ...] = (
    KafkaError,
    Unavailable,
    asyncpg.PostgresError,
    *LOST_CONNECTION,
    *TOO_BUSY,
)
_WISH_TROUBLE: tuple[type[Exception], ...] = (RedisError, *_TROUBLE)


class Relay:
    """Publishes what `outbox.append` wrote; of several replicas the one with the lock works."""

    def __init__(
        self, *, service: str, database_url: str, pool: Pool, bootstrap: str, redis: Redis | None
    ) -> None:
        self._service = service
        self._database_url = database_url
        self._pool = pool
        self._bootstrap = bootstrap
        self._redis = redis
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        self.leading = False

    def stop(self) -> None:
        """Publish what is there and end."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Publish until stopped; outlives the loss of broker, database and lock."""
        async with asyncio.TaskGroup() as roles:
            watching = [roles.create_task(self._observe())]
            if self._redis is not None:
                watching.append(roles.create_task(self._obey_wishes(self._redis)))
            await self._keep_publishing()
            for role in watching:
                role.cancel()

    async def _keep_publishing(self) -> None:
        delay = RETRY_SECONDS_MIN
        while not self._stopping.is_set():
            started = asyncio.get_running_loop().time()
            try:
                await self._term()
            except _TROUBLE as error:
                if asyncio.get_running_loop().time() - started > RETRY_SECONDS_MAX:
                    delay = RETRY_SECONDS_MIN
                log.warning("relay_interrupted", fault=type(error).__name__, retry_seconds=delay)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), delay)
                delay = min(delay * 2, RETRY_SECONDS_MAX)

    async def _term(self) -> None:
        """One term of office: from taking the lock to losing it, the broker or the database.

        All statements run on the connection that holds the lock, so that a relay which has lost
        its lock without knowing it cannot read or mark anything.
        """
        conn = await connect(self._database_url, name=f"{self._service} relay", plans_once=True)
        try:
            await conn.execute(_PLANS)
            if not await self._take_office(conn):
                return
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                client_id=f"{self._service}.relay",
                acks="all",
                enable_idempotence=True,
                max_batch_size=256 * 1024,
                request_timeout_ms=15_000,
                retry_backoff_ms=100,
            )
            try:
                await producer.start()
                self.leading = True
                await self._publish_until_stopped(conn, producer)
            finally:
                self.leading = False
                await _close(producer)
        finally:
            with contextlib.suppress(*LOST_CONNECTION):
                await conn.close(timeout=2)

    async def _take_office(self, conn: asyncpg.Connection[asyncpg.Record]) -> bool:
        """Wait for the lock; False when told to stop before it came."""
        while not self._stopping.is_set():
            if await conn.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):
                await conn.add_listener(outbox.CHANNEL, self._heard)
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), POLL_SECONDS)
        return False

    def _heard(self, *_: object) -> None:
        self._wake.set()

    async def _publish_until_stopped(
        self, conn: asyncpg.Connection[asyncpg.Record], producer: AIOKafkaProducer
    ) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            published = await self._publish_batch(conn, producer)
            if published == BATCH_SIZE_MAX:
                continue
            if published:
                await asyncio.sleep(rest_after(published))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        async with asyncio.timeout(FLUSH_TIMEOUT_SECONDS):
            while await self._publish_batch(conn, producer):
                pass

    async def _publish_batch(
        self, conn: asyncpg.Connection[asyncpg.Record], producer: AIOKafkaProducer
    ) -> int:
        """Send the oldest events and mark what arrived; returns how many were read.

        Of a batch that failed in part, an event is marked only when all earlier ones of its key
        arrived, so that the next round sends the rest in order. Raises the first failure.
        """
        due = await conn.fetch(_DUE, timeout=QUERY_TIMEOUT_SECONDS)
        if not due:
            return 0
        waiting = [row["id"] for row in due]
        rows = await conn.fetch(_READ, waiting, timeout=QUERY_TIMEOUT_SECONDS)
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            outcomes = await publishing.send(producer, rows, source=self._service)
        # Erased while a replay put it back: on the list and nowhere else.
        gone = set(waiting).difference(row["id"] for row in rows)
        _note_lag(rows, outcomes, again={row["id"] for row in due if row["replayed_at"]})
        failure = await self._mark(conn, rows, outcomes, gone)
        if failure is not None:
            raise failure
        return len(due)

    async def _mark(
        self,
        conn: asyncpg.Connection[asyncpg.Record],
        rows: Sequence[asyncpg.Record],
        outcomes: Sequence[Place | BaseException],
        gone: Iterable[int],
    ) -> BaseException | None:
        """Take off the list what arrived, and what is gone; returns the first failure."""
        failure: BaseException | None = None
        broken: set[tuple[str, str]] = set()
        ids = list(gone)
        positions: dict[tuple[str, int], int] = {}
        sent: dict[str, int] = {}
        for row, outcome in zip(rows, outcomes, strict=True):
            name = (row["topic"], row["key"])
            if isinstance(outcome, BaseException):
                failure = failure or outcome
                broken.add(name)
            elif name not in broken:
                ids.append(row["id"])
                positions[(row["topic"], outcome.partition)] = outcome.offset + 1
                sent[row["topic"]] = sent.get(row["topic"], 0) + 1
        for topic, count in sent.items():
            OUTBOX_PUBLISHED_TOTAL.labels(topic).inc(count)
        if ids:
            await conn.execute(
                _MARK,
                ids,
                [topic for topic, _ in positions],
                [partition for _, partition in positions],
                list(positions.values()),
                timeout=QUERY_TIMEOUT_SECONDS,
            )
        return failure

    async def _observe(self) -> None:
        """Keep the backlog gauges true, also while the broker or the lock is out of reach."""
        while True:
            with contextlib.suppress(asyncpg.PostgresError, *LOST_CONNECTION):
                row = await self._pool.fetchrow(_BACKLOG, COUNTED_MAX)
                if row is not None:
                    OUTBOX_UNPUBLISHED.set(row["waiting"])
                    OUTBOX_OLDEST_UNPUBLISHED_SECONDS.set(float(row["age"]))
            await asyncio.sleep(2 * POLL_SECONDS)

    async def _obey_wishes(self, redis: Redis) -> None:
        """Replay when a consumer has missed events, at most once in `replay.PAUSE_SECONDS`.

        The wish waits in Redis, so that it outlives a relay that is away.
        """
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self.leading:
                continue
            try:
                wished = await replay.take_wish(redis, source=self._service)
                if not wished:
                    continue
                count = await replay.replay(self._pool)
            except _WISH_TROUBLE as error:
                log.warning("replay_not_possible_now", fault=type(error).__name__)
                continue
            OUTBOX_REPLAYS_TOTAL.inc()
            self._wake.set()
            log.warning("outbox_replayed", events=count)


def _note_lag(
    rows: Sequence[asyncpg.Record],
    outcomes: Sequence[Place | BaseException],
    *,
    again: Collection[int],
) -> None:
    """How late events arrived, but for those of a replay."""
    now = datetime.now(UTC)
    written = Counter(
        row["recorded_at"]
        for row, outcome in zip(rows, outcomes, strict=True)
        if isinstance(outcome, Place) and row["id"] not in again
    )
    for moment, count in written.items():
        # Never below zero, however far apart the clocks of two machines are.
        OUTBOX_LAG_SECONDS.observe(max(0.0, (now - moment).total_seconds()), count=count)


async def _close(producer: AIOKafkaProducer) -> None:
    """Let go of a producer, also of one whose broker does not answer any more."""
    try:
        async with asyncio.timeout(3):
            await producer.stop()
    except (TimeoutError, KafkaError, OSError) as error:
        log.info("producer_left_behind", fault=type(error).__name__)
