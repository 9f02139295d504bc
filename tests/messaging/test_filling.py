"""A send to very many is let go at once and queued bit by bit (LS-60, ADR 0017)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc

from deploy.local.databases import DatabaseUrls
from services.chassis.postgres import Connection, in_transaction, transaction
from services.messaging import jobs, rpc
from services.messaging.domain.chain import ChainId
from services.messaging.domain.send import SendId
from services.messaging.storage import deliveries as rows
from services.messaging.storage import sends as send_rows
from services.messaging.usecases import sending, sends
from tests.messaging.conftest import MessagingHarness
from tests.messaging.to_many import Door, members, offer, report, send, told
from tests.messaging.wire import serving


@pytest.fixture
async def door(messaging: MessagingHarness) -> AsyncIterator[Door]:
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        yield messaging_pb2_grpc.MessagingServiceStub(channel)


@pytest.fixture
def two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sends, "FILLED_AT_ONCE", 2)


async def deliveries(messaging: MessagingHarness, chain_id: ChainId) -> int:
    found: int = await messaging.pool.fetchval(
        "SELECT count(*) FROM delivery WHERE chain_id = $1 AND send_id IS NOT NULL", chain_id
    )
    return found


async def somebody_waits(messaging: MessagingHarness) -> None:
    """Until a transaction waits for another's lock."""
    async with asyncio.timeout(10):
        while not await messaging.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("two_at_once")
async def test_idle_senders_queue_the_next_and_everybody_gets_one(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: who is in it is fixed when it is let go; the report counts all of them from then."""
    chain_id = await messaging.chain()
    chosen = await members(messaging, chain_id, 5)
    made = await send(door, chain_id, sms_body="{{ chain }}: bonjour")
    assert (made.send.report.chosen, made.send.report.queued) == (5, 5)
    assert await deliveries(messaging, chain_id) == 2
    await members(messaging, chain_id, 1)
    await messaging.drain()
    end = await report(door, made)
    assert (end.status, end.report.sent, end.report.queued) == (pb.SEND_STATUS_DONE, 5, 0)
    assert await told(messaging, chain_id, "ANNOUNCEMENT") == sorted(one.phone for one in chosen)


@pytest.mark.usefixtures("two_at_once")
async def test_many_senders_fill_at_once_and_double_nothing(
    messaging: MessagingHarness, door: Door
) -> None:
    chain_id = await messaging.chain()
    chosen = await members(messaging, chain_id, 40)
    await send(door, chain_id, sms_body="{{ chain }}: bonjour")

    async def sender() -> None:
        # Whoever is passed over at one moment finds something at another.
        while await deliveries(messaging, chain_id) < 40:
            await sends.fill(messaging.deps, chain_id=None)

    async with asyncio.timeout(30):
        await asyncio.gather(*(sender() for _ in range(4)))
    assert not await sends.fill(messaging.deps, chain_id=chain_id)
    await messaging.drain()
    assert await told(messaging, chain_id, "ANNOUNCEMENT") == sorted(one.phone for one in chosen)


@pytest.mark.usefixtures("two_at_once")
async def test_a_stop_counts_those_who_were_not_queued_yet(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: nothing more is queued of a stopped send, and its report adds up."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 5)
    made = await send(door, chain_id, sms_body="{{ chain }}: bonjour")
    stop = pb.StopSendRequest(chain_id=str(chain_id), send_id=made.send.id)
    stopped = (await door.StopSend(stop)).send
    assert (stopped.status, stopped.report.stopped) == (pb.SEND_STATUS_STOPPED, 5)
    assert stopped.report.queued == 0
    assert not await sends.fill(messaging.deps, chain_id=None)
    await messaging.drain()
    assert await told(messaging, chain_id, "ANNOUNCEMENT") == []


@pytest.mark.usefixtures("two_at_once")
async def test_who_waits_is_written_to_where_she_is_by_then(
    messaging: MessagingHarness, door: Door
) -> None:
    """D18: consent belongs to an address; one that nobody agreed to gets nothing."""
    chain_id = await messaging.chain()
    chosen = sorted(await members(messaging, chain_id, 3), key=lambda one: one.member_id)
    made = await send(door, chain_id, sms_body="{{ chain }}: bonjour")
    await messaging.pool.execute(
        "UPDATE contact SET phone = '+14385559999' WHERE member_id = $1", chosen[2].member_id
    )
    await messaging.drain()
    end = (await report(door, made)).report
    assert (end.sent, end.blocked) == (2, 1)
    assert await told(messaging, chain_id, "ANNOUNCEMENT") == sorted(
        one.phone for one in chosen[:2]
    )


@pytest.mark.usefixtures("two_at_once")
async def test_who_has_no_address_when_her_turn_comes_is_in_the_count_of_those_held_back(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: each of the chosen is told of once, also one of whom there is no delivery."""
    chain_id = await messaging.chain()
    chosen = sorted(await members(messaging, chain_id, 3), key=lambda one: one.member_id)
    made = await send(door, chain_id, sms_body="{{ chain }}: bonjour")
    await messaging.pool.execute(
        "UPDATE contact SET phone = '' WHERE member_id = $1", chosen[2].member_id
    )
    assert (await report(door, made)).report.blocked == 0
    await messaging.drain()
    end = (await report(door, made)).report
    assert (end.chosen, end.sent, end.blocked, end.queued) == (3, 2, 1, 0)
    at = Timestamp()
    at.FromDatetime(messaging.clock.now() + timedelta(days=2))
    planned = await send(door, chain_id, sms_body="{{ chain }}: demain", send_at=at)
    assert (await report(door, planned)).report.blocked == 0


@pytest.mark.usefixtures("two_at_once")
async def test_those_who_wait_count_as_told_already_and_as_under_way(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-61: a second send of the same offer says how many have it, also those still to come."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 5)
    offer_id = str(await offer(messaging, chain_id))
    await send(door, chain_id, offer_id=offer_id)
    counted = await door.CountAudience(
        pb.CountAudienceRequest(chain_id=str(chain_id), offer_id=offer_id)
    )
    assert sum(one.already for one in counted.reachable) == 5
    await messaging.pool.execute("UPDATE delivery SET state = 'SENT' WHERE state = 'QUEUED'")

    async def is_under_way(conn: Connection) -> bool:
        return await rows.is_under_way(conn, chain_id, real_now=messaging.clock.now())

    assert await in_transaction(messaging.pool, is_under_way)
    await messaging.drain()
    assert not await in_transaction(messaging.pool, is_under_way)


@pytest.mark.usefixtures("two_at_once")
async def test_what_is_queued_late_is_no_older_news_for_that(
    messaging: MessagingHarness, door: Door
) -> None:
    """A send is news for a week from when it was let go, however late its last are queued."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 5)
    await send(door, chain_id, sms_body="{{ chain }}: bonjour")
    messaging.clock.advance(timedelta(days=8))
    await messaging.drain()
    assert await told(messaging, chain_id, "ANNOUNCEMENT") == []
    assert {state for state, _ in await messaging.states(chain_id)} >= {"EXPIRED"}


@pytest.mark.usefixtures("two_at_once")
async def test_a_stop_that_waits_for_the_last_fill_stops_what_it_queued(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: those who were queued before have been told; the last two are not."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 4)
    made = await send(door, chain_id, sms_body="{{ chain }}: bonjour")
    await messaging.pool.execute(
        "UPDATE delivery SET state = 'SENT' WHERE chain_id = $1 AND state = 'QUEUED'", chain_id
    )
    async with transaction(messaging.pool) as conn:
        found = await send_rows.lock_waiting(conn, chain_id=chain_id)
        assert found is not None
        await send_rows.fill(conn, *found, real_now=messaging.clock.now(), limit=2)
        stop = pb.StopSendRequest(chain_id=str(chain_id), send_id=made.send.id)
        stopping = asyncio.ensure_future(door.StopSend(stop))
        await somebody_waits(messaging)
    stopped = (await stopping).send
    assert (stopped.status, stopped.report.stopped) == (pb.SEND_STATUS_STOPPED, 2)
    await messaging.drain()
    assert await told(messaging, chain_id, "ANNOUNCEMENT") == []


@pytest.mark.usefixtures("two_at_once")
async def test_a_report_counts_nobody_twice_who_is_queued_while_it_is_made(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: who waited when the send was looked at may be queued when deliveries are counted."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 5)
    made = await send(door, chain_id, sms_body="{{ chain }}: bonjour")

    async def look(conn: Connection) -> int:
        found = await send_rows.find(conn, chain_id, SendId(UUID(made.send.id)))
        assert found is not None
        assert await sends.fill(messaging.deps, chain_id=chain_id)
        return (await send_rows.reports(conn, chain_id, [found]))[found.id].queued

    assert await in_transaction(messaging.pool, look) == 5


@pytest.mark.usefixtures("two_at_once")
async def test_a_fill_reads_only_those_whom_it_queues(
    messaging: MessagingHarness, messaging_urls: DatabaseUrls, door: Door
) -> None:
    """A send to a million is queued in five hundred fills: none of them reads all the others."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 4)
    made = await send(door, chain_id, sms_body="{{ chain }}: bonjour")
    owner = await asyncpg.connect(messaging_urls.owner_url)
    await owner.execute(
        "INSERT INTO send_recipient (chain_id, send_id, member_id, channel)"
        " SELECT $1, $2, gen_random_uuid(), 'SMS' FROM generate_series(1, 5000)",
        chain_id,
        UUID(made.send.id),
    )
    await owner.execute("ANALYZE send_recipient")
    await owner.close()
    run: list[tuple[str, tuple[object, ...]]] = []
    async with transaction(messaging.pool) as conn:
        found = await send_rows.lock_waiting(conn, chain_id=chain_id)
        assert found is not None
        with conn.query_logger(lambda record: run.append((record.query, record.args))):
            await send_rows.fill(conn, *found, real_now=messaging.clock.now(), limit=2)
        # The logger speaks in the next turn of the loop.
        await asyncio.sleep(0)
        ((query, args),) = run
        plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {query}", *args))
    assert "Seq Scan on send_recipient" not in plan
    assert "Sort" not in plan


@pytest.mark.usefixtures("two_at_once")
async def test_a_send_to_few_more_is_not_queued_behind_one_to_very_many(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-60: a chain that lets one go to a hundred thousand keeps no other chain's waiting."""
    many, few = await messaging.chain(), await messaging.chain()
    await members(messaging, many, 9)
    await members(messaging, few, 3)
    await send(door, many, sms_body="{{ chain }}: bonjour")
    made = await send(door, few, sms_body="{{ chain }}: bonjour")
    for _ in range(5):
        await sending.send_next(messaging.deps)
    assert (await report(door, made)).report.sent == 2
    for _ in range(2):
        await sending.send_next(messaging.deps)
    assert (await report(door, made)).report.sent == 3
    await messaging.drain()
    assert len(await told(messaging, many, "ANNOUNCEMENT")) == 9


@pytest.mark.usefixtures("two_at_once")
async def test_a_walk_through_time_waits_for_what_another_queues(
    messaging: MessagingHarness, door: Door
) -> None:
    """Else its clock would go on, and the last of a send be written on another day."""
    chain_id = await messaging.chain()
    await members(messaging, chain_id, 4)
    made = await send(door, chain_id, sms_body="{{ chain }}: bonjour")
    async with transaction(messaging.pool) as conn:
        found = await send_rows.lock_waiting(conn, chain_id=None)
        assert found is not None
        await send_rows.fill(conn, *found, real_now=messaging.clock.now(), limit=2)
        walking = asyncio.ensure_future(jobs.due_source(messaging.deps).run_due(chain_id))
        await somebody_waits(messaging)
    await walking
    assert (await report(door, made)).report.sent == 4
