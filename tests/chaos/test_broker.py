"""The broker is away, forgets everything, or drops what a slow consumer has not read.

reliability.md 2, tests 2 and 3; docs/decisions/0002-embedded-engines.md says why the embedded
broker does all of it. Nothing here asks Kafka while a customer waits, and the outbox remembers.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from redis.asyncio import Redis

from deploy.local import engines
from deploy.local.wishes import EMBEDDED, current
from deploy.topics import PARTITIONS
from services.chassis import positions, replay
from services.chassis.postgres import create_pool
from services.messaging.consumers import CONTACTS_GROUP
from tests.chaos.rest import assert_effects_stand_once, databases, readers, unapplied, wait_rest
from tests.chaos.scale import FULL, scaled, show
from tests.chaos.tills import Chain, Till, assert_books_agree, open_chain, trade
from tests.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.stack, pytest.mark.timeout(900)]

OFFERS = 300
# Sixteen kilobytes an event: a partition of five megabytes holds some three hundred of them.
LONG_TEXT = "😀" * 2_000
SLOW_GROUP, SLOW_TOPIC = "rewards.offer-copies", "loyalty.offers.v1"
LOSSES = 5
AWAY_SECONDS = (5, 30, 120) if FULL else (3,)
# A source replays once a minute at most, and consumers may find a gap just after it did.
CATCH_UP_SECONDS_MAX = replay.PAUSE_SECONDS + 60.0


@pytest.fixture(autouse=True)
def embedded(stack: Stack) -> None:
    """Only the embedded broker can be cut off and forgets; it is the default of `make chaos`."""
    if current(stack.layout).kafka != EMBEDDED:
        pytest.skip("needs the embedded broker: run without KAFKA=apache")


async def _gaps(stack: Stack, service: str, group: str) -> float:
    found = await stack.samples(service, "loyalty_consumer_gap_total")
    return sum(value for labels, value in found if labels["group"] == group)


async def _let_the_pause_pass(stack: Stack) -> None:
    """As if no service had replayed its outbox in the last minute, and nobody wished for it.

    A wish that is left over would be granted at once, and the next one not for a minute.
    """
    async with Redis.from_url(stack.redis_url) as redis:
        async for key in redis.scan_iter(match="replay:*"):
            await redis.delete(key)


async def _backlog(stack: Stack, service: str) -> float:
    ((_, waiting),) = await stack.samples(service, "loyalty_outbox_unpublished")
    return waiting


@asynccontextmanager
async def _frozen(stack: Stack, service: str) -> AsyncIterator[None]:
    """A process that is there and does nothing."""
    stack.send(service, signal.SIGSTOP)
    try:
        yield
    finally:
        stack.send(service, signal.SIGCONT)


async def _make_long_offers(chain: Chain, number: int) -> None:
    """Offers whose events are large, every third of them changed once.

    Side by side: whoever makes an offer waits a moment for the wallet to know it, in vain here.
    """
    together = asyncio.Semaphore(30)

    async def make(till: Till, place: int) -> None:
        async with together:
            offer = await till.offer(description=LONG_TEXT, exclusion=LONG_TEXT)
            if place % 3 == 0:
                changed = {"offer": {"title": "Gloss offert, enfin"}}
                await till.done("PUT", f"/v2/loyalty/offers/{offer}", changed)

    async with Till(chain) as till, asyncio.TaskGroup() as group:
        for place in range(number):
            group.create_task(make(till, place))


async def _drop_what_waits(stack: Stack) -> int:
    """Publish the kept offers again and again until the broker has dropped older events.

    Returns how many events of the topic the broker has dropped, all of them beyond where the slow
    consumer stands.
    """
    topic = [TopicPartition(SLOW_TOPIC, number) for number in range(PARTITIONS)]
    bootstrap = engines.addresses(stack.layout, current(stack.layout)).kafka_bootstrap
    source = await create_pool(stack.database("offers").service_url, size_max=1, name="replays")
    reader = await create_pool(stack.database("rewards").service_url, size_max=1, name="reader")
    client = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await client.start()
    try:
        stands = await positions.read(reader, consumer=SLOW_GROUP)
        async with asyncio.timeout(120):
            while True:
                await replay.replay(source)
                while await source.fetchval("SELECT true FROM outbox_waiting LIMIT 1"):
                    await asyncio.sleep(0.1)
                first = await client.beginning_offsets(topic)
                if all(
                    offset > stands.get((part.topic, part.partition), 0)
                    for part, offset in first.items()
                ):
                    return sum(first.values())
    finally:
        await client.stop()
        await source.close()
        await reader.close()


async def _enrol_until_published(stack: Stack, chain: Chain) -> int:
    """A few members join; returns how many contacts then lie in the broker, read by nobody."""
    async with Till(chain) as till, databases(stack) as held:
        for _ in range(5):
            await till.enrol()
        async with asyncio.timeout(30):
            while await held["enrollment"].fetchval("SELECT true FROM outbox_waiting LIMIT 1"):
                await asyncio.sleep(0.05)
        contacts = next(reader for reader in readers() if reader.group == CONTACTS_GROUP)
        return len(await unapplied(held, contacts))


async def test_a_slow_consumer_gets_what_the_broker_dropped(stack: Stack, chain: Chain) -> None:
    """A partition keeps 5 MiB and drops its oldest events without a word (house.md 9).

    Goal: a consumer never skips; what it can no longer read is published again.
    Method: rewards stands still while offers are made and published again and again, until every
    partition has dropped all that rewards had not read. Then it goes on: it finds the gap, asks
    the source for a replay, and ends with every offer in its last version, each event applied once.
    """
    await wait_rest(stack, seconds=CATCH_UP_SECONDS_MAX)
    await _let_the_pause_pass(stack)
    before = await _gaps(stack, "rewards", SLOW_GROUP)
    offers = scaled(OFFERS, least=30)
    async with _frozen(stack, "rewards"):
        await _make_long_offers(chain, offers)
        dropped = await _drop_what_waits(stack)
    rested = await wait_rest(stack, seconds=CATCH_UP_SECONDS_MAX)
    await assert_effects_stand_once(stack, chain.chain_id, phones=set())
    gaps = await _gaps(stack, "rewards", SLOW_GROUP) - before
    assert gaps >= 1
    show(
        "slow consumer",
        events_waiting=offers + offers // 3,
        dropped_by_the_broker=dropped,
        gaps_found=int(gaps),
        at_rest_after_seconds=rested,
    )


@pytest.mark.parametrize("seconds", AWAY_SECONDS)
async def test_while_the_broker_is_away_the_salon_goes_on(
    stack: Stack, chain: Chain, seconds: int
) -> None:
    """Earns, takes and uses do not need Kafka: their events wait in the outbox.

    Goal: nobody at the counter notices.
    Method: the broker is cut off under trade for 3 s (with full counts 5, 30 and 120 s). Not one
    request is told to come again, the backlog of points grows and falls back to nothing, services
    say degraded and stay ready, and afterwards every event has been applied.
    """
    highest = 0.0
    async with trade(chain) as books:
        stack.send("kafka", signal.SIGUSR1)
        begun, before = time.monotonic(), books.acknowledged
        try:
            while time.monotonic() < begun + seconds:
                highest = max(highest, await _backlog(stack, "points"))
                await asyncio.sleep(0.2)
            ready, said = await asyncio.to_thread(stack.readiness, "points")
        finally:
            stack.send("kafka", signal.SIGUSR2)
        during = books.acknowledged - before
    assert ready
    assert said["status"] == "degraded"
    assert during > 0
    assert books.retries == 0, books.answers
    assert highest > 0
    rested = await wait_rest(stack, seconds=CATCH_UP_SECONDS_MAX)
    async with asyncio.timeout(10):
        while await _backlog(stack, "points"):
            await asyncio.sleep(0.2)
    await assert_books_agree(chain, books)
    await assert_effects_stand_once(stack, chain.chain_id, phones=books.phones)
    show(
        f"broker away {seconds} s",
        acknowledged_meanwhile=during,
        sent_again=books.retries,
        highest_backlog=int(highest),
        at_rest_after_seconds=rested,
    )


async def test_a_broker_that_forgets_everything_is_filled_again(stack: Stack, chain: Chain) -> None:
    """The embedded broker keeps nothing when it ends; a real one may lose its disks.

    Goal: consumers end where they should, whatever they had read when the broker died.
    Method: under trade messaging stands still, so that contacts of new members wait in the broker
    only; `kill -9` of the broker, which comes back empty, and once more. Every event of every
    outbox has then been applied once by each of its readers: accounts for all members, one welcome
    each, all offers in their last version. A chain that is opened then is known to all services,
    so new events pass as before.
    """
    losses = scaled(LOSSES)
    lost = 0
    await _let_the_pause_pass(stack)
    async with trade(chain) as books:
        for _ in range(losses):
            async with _frozen(stack, "messaging"):
                lost += await _enrol_until_published(stack, chain)
                await stack.kill("kafka")
                await asyncio.sleep(0.5)
                await stack.restart("kafka")
    assert books.retries == 0, books.answers
    assert lost >= 5 * losses
    rested = await wait_rest(stack, seconds=CATCH_UP_SECONDS_MAX)
    await assert_books_agree(chain, books)
    await assert_effects_stand_once(stack, chain.chain_id, phones=books.phones)
    begun = time.monotonic()
    newest = await open_chain(stack.base_url, stack.operator_key)
    opened = time.monotonic() - begun
    async with Till(newest) as till:
        await till.use(await till.take(await till.enrol(points=10)))
        await till.offer()
    await wait_rest(stack)
    check = await stack.ledger_check()
    assert check.exit_code == 0, check.output
    show(
        f"broker lost {losses} times",
        acknowledged=books.acknowledged,
        sent_again=books.retries,
        unread_events_lost=lost,
        at_rest_after_seconds=rested,
        new_chain_after_seconds=opened,
    )
