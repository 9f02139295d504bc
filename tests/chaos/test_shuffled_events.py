"""Events three times each, out of order, with poison among them (reliability.md 2, test 9).

The consumer of the chassis with the handlers of each real service, on a broker and databases of
the test's own.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import structlog
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from services.chassis import positions
from services.chassis.clock import BusinessClock, FixedClock
from services.chassis.consumer import Consumer
from services.chassis.handling import Handler
from services.chassis.postgres import Pool, create_pool
from services.chassis.proofs import AddressProofs
from services.chassis.runner import open_redis
from services.chassis.signing import Sealer, Signer
from services.messaging import consumers as messaging
from services.messaging.domain.provider import Providers
from services.messaging.providers.mailbox import Mailbox
from services.messaging.usecases.deps import (
    CODE_PURPOSE,
    UNSUBSCRIBE_PURPOSE,
    WORDS_PURPOSE,
    join_sealer,
)
from services.messaging.usecases.deps import Deps as MessagingDeps
from services.offers import consumers as offers
from services.offers.usecases.deps import Deps as OffersDeps
from services.points import consumers as points
from services.points.domain.ids import ChainId
from services.points.domain.ledger import Actor
from services.points.domain.program_rules import RulesDraft
from services.points.usecases import deps as points_deps
from services.points.usecases import programs
from services.rewards import consumers as rewards
from tests import engines
from tests.chaos import news
from tests.chaos.news import NOW, News
from tests.chaos.scale import scaled, show
from tests.chassis.waiting import running

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

SECRET = "a secret that only the tests of shuffled events know"
CHAINS, MEMBERS_EACH, VERSIONS = 40, 10, 4
POISON_SHARE = 0.05
TIMES = 3
PARTITIONS = 3
DEADLINE_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One consumer group: what it reads, how it acts, and where its effects stand."""

    service: str
    group: str
    # What is published to it, in order.
    told: Callable[[Sequence[UUID]], list[News]]
    # Its handlers on a database, with what must stand there before the first event.
    open: Callable[[Pool, Redis, Sequence[UUID]], Any]
    # Every column that an effect decides; ids and times that the service draws are left out.
    effects: Mapping[str, str]


def _clock() -> BusinessClock:
    return BusinessClock(FixedClock(NOW))


async def _open_points(
    pool: Pool, redis: Redis, chain_ids: Sequence[UUID]
) -> Mapping[str, Handler]:
    deps = points_deps.assemble(pool=pool, clock=_clock(), redis=redis, secret=SECRET)
    for chain_id in chain_ids:
        await programs.create_program(
            deps,
            programs.NewProgram(
                idempotency_key="first",
                chain_id=ChainId(chain_id),
                name="",
                term_one="",
                term_other="",
                accrual_type=None,
                visit_points=1,
                salon_ids=(),
                points_code="",
                multi_point_code="",
                cool_down_seconds=0,
                rules=RulesDraft(),
                actor=Actor(),
            ),
        )
    return points.handlers(deps)


async def _open_offers(pool: Pool, _redis: Redis, _chains: Sequence[UUID]) -> Mapping[str, Handler]:
    return offers.handlers(OffersDeps(pool=pool, clock=_clock()))


async def _open_messaging(
    pool: Pool, _redis: Redis, _chains: Sequence[UUID]
) -> Mapping[str, Handler]:
    deps = MessagingDeps(
        pool=pool,
        clock=_clock(),
        providers=Providers(mailbox=Mailbox(pool), sms=None, email=None),
        sealer=Sealer(SECRET, CODE_PURPOSE),
        words=Sealer(SECRET, WORDS_PURPOSE),
        unsubscribe=Signer(SECRET, UNSUBSCRIBE_PURPOSE),
        proofs=AddressProofs(SECRET),
        join_sealer=join_sealer(SECRET),
        public_url="http://127.0.0.1",
        sms_number="+15145550100",
        email_sender="no-reply@example.com",
    )
    return messaging.contact_handlers(deps)


async def _open_rewards(
    _pool: Pool, _redis: Redis, _chains: Sequence[UUID]
) -> Mapping[str, Handler]:
    return {
        name: handler for _, found in rewards.GROUPS.values() for name, handler in found.items()
    }


CASES = [
    Case(
        service="points",
        group=points.GROUP,
        told=lambda ids: [
            *news.chains(ids, versions=VERSIONS),
            *news.salons(ids, versions=VERSIONS),
            *news.members(ids, each=MEMBERS_EACH),
        ],
        open=_open_points,
        effects={
            "chain": "chain_id, sandbox, home_time_zone, version",
            "salon": "chain_id, id, time_zone, active, version",
            "account": "chain_id, member_id, balance, lifetime_points, sequence",
        },
    ),
    Case(
        service="messaging",
        group=messaging.CONTACTS_GROUP,
        told=lambda ids: [
            *news.contacts(ids, each=MEMBERS_EACH, versions=VERSIONS),
            *news.codes(ids, each=3),
        ],
        open=_open_messaging,
        effects={
            "contact": "chain_id, member_id, phone, email, given_name, language, version",
            "consent": "chain_id, channel, address, granted, source",
            "delivery": "chain_id, kind, key, member_id, channel, address, language, state",
        },
    ),
    Case(
        service="rewards",
        group="rewards.offer-copies",
        told=lambda ids: [
            *news.chains(ids, versions=VERSIONS),
            *news.offers(ids, each=MEMBERS_EACH, versions=VERSIONS),
        ],
        open=_open_rewards,
        effects={
            "chain_copy": "chain_id, version, home_time_zone, currency",
            "offer_copy": "chain_id, offer_id, version, title, start_date, end_date, "
            "coupon_expiry_date, shown_in_app, deleted, home_time_zone",
        },
    ),
    Case(
        service="offers",
        group=offers.GROUP,
        told=lambda ids: news.chains(ids, versions=4 * VERSIONS),
        open=_open_offers,
        effects={"chain_copy": "chain_id, home_time_zone, version"},
    ),
]


@pytest.fixture
def hushed() -> Iterator[None]:
    """Each poison is told at length in the log of a service; here the table is read instead."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@asynccontextmanager
async def _database(postgres: engines.Postgres, service: str) -> AsyncIterator[Pool]:
    both = await postgres.create_database(service)
    pool = await create_pool(both.service_url, size_max=4, name=f"{service}-shuffled")
    try:
        yield pool
    finally:
        await pool.close()


async def _effects(pool: Pool, case: Case) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    for table, columns in case.effects.items():
        rows = await pool.fetch(f"SELECT {columns} FROM {table} ORDER BY {columns}")
        found[table] = [tuple(row) for row in rows]
    return found


async def _publish(bootstrap: str, topic: str, records: Sequence[News]) -> dict[int, int]:
    """Send everything, each record to a partition by chance; how many went to each."""
    sent = dict.fromkeys(range(PARTITIONS), 0)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        futures = []
        for record in records:
            partition = random.randrange(PARTITIONS)
            sent[partition] += 1
            futures.append(
                await producer.send(
                    topic,
                    value=record.payload,
                    key=record.key.encode(),
                    headers=record.headers,
                    partition=partition,
                )
            )
        await asyncio.gather(*futures)
    finally:
        await producer.stop()
    return sent


async def _read_to_the_end(
    pool: Pool, group: str, topic: str, sent: dict[int, int], task: asyncio.Task[None]
) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            stands = await positions.read(pool, consumer=group)
            if all(stands.get((topic, part)) == count for part, count in sent.items()):
                return
            assert not task.done(), task
            await asyncio.sleep(0.1)


def _assert_buried(letters: Sequence[asyncpg.Record], poison: Sequence[News]) -> None:
    """Every poison is a dead letter with the reason that fits it, and nothing else is one.

    What bears no id cannot be recognised when it comes again: each delivery has a letter.
    """
    buried = Counter(row["headers"]["ce_id"] for row in letters)
    assert buried == {one.id: TIMES if one.has_no_id else 1 for one in poison}
    reasons = {row["headers"]["ce_id"]: row["reason"] for row in letters}
    for one in poison:
        assert one.reason in reasons[one.id], (one.reason, reasons[one.id])


@pytest.mark.usefixtures("hushed")
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.service))
async def test_events_out_of_order_and_three_times_end_where_they_should(
    case: Case, postgres: engines.Postgres, redis_url: str, kafka_bootstrap: str
) -> None:
    """An effect is applied once, whatever the broker delivers and however often (house.md 7).

    Goal: at-least-once and any order across partitions end in the state of the ordered run.
    Method: events of 40 chains, each three times, in an order and to partitions of chance, 5 % of
    them poison (illegible, of a wrong chain, without id, without type). The effects equal those of
    a run in order and without poison on another database; each poison is one dead letter with its
    reason; every partition is read to its end.
    """
    chain_ids = [uuid4() for _ in range(scaled(CHAINS))]
    told = case.told(chain_ids)
    poison = news.poisoned(told, share=POISON_SHARE)
    records = [*told, *poison] * TIMES
    random.shuffle(records)
    topic = f"loyalty.shuffled{uuid4().hex[:8]}.v1"
    redis = open_redis(redis_url)
    async with (
        _database(postgres, case.service) as ordered,
        _database(postgres, case.service) as shuffled,
    ):
        await news.apply_in_order(ordered, dict(await case.open(ordered, redis, chain_ids)), told)
        sent = await _publish(kafka_bootstrap, topic, records)
        consumer = Consumer(
            group=case.group,
            topics=[topic],
            handlers=await case.open(shuffled, redis, chain_ids),
            pool=shuffled,
            bootstrap=kafka_bootstrap,
            session_timeout_ms=2_500,
        )
        begun = time.monotonic()
        async with running(consumer) as task:
            await _read_to_the_end(shuffled, case.group, topic, sent, task)
        seconds = time.monotonic() - begun
        letters = await shuffled.fetch("SELECT reason, headers FROM dead_letter")
        known = await shuffled.fetchval("SELECT count(*) FROM inbox")
        assert await _effects(shuffled, case) == await _effects(ordered, case)
        _assert_buried(letters, poison)
        assert known == len(told)
    await redis.aclose()
    show(
        f"{case.service}: {len(told)} events, {TIMES} times, shuffled",
        records=len(records),
        poison=len(poison),
        dead_letters=len(letters),
        seconds=seconds,
    )
