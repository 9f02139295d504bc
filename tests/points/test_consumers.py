"""Chains, salons and members as enrollment tells of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from google.protobuf.message import Message
from loyalty.events.v1.enrollment_events_pb2 import ChainChanged, MemberEnrolled, SalonChanged
from loyalty.points.v1 import points_pb2 as pb

from services.chassis.consumer import Consumer
from services.chassis.events import Event, Impossible
from services.chassis.postgres import in_transaction
from services.points import consumers
from services.points.domain.chains import ChainSettings
from services.points.domain.ids import ChainId, SalonId
from services.points.storage import chains
from tests.points.house import House, new_id

ZONE = "America/Toronto"


def event(house: House, kind: str, payload: bytes, *, chain_id: str = "") -> Event:
    return Event(
        id=uuid4(),
        type=kind,
        source="enrollment",
        subject="",
        chain_id=UUID(chain_id or house.chain_id),
        time=datetime.now(UTC),
        topic=consumers.ENROLLMENT,
        partition=0,
        offset=0,
        key="",
        payload=payload,
        request_id="",
    )


async def apply(house: House, kind: str, message: Message | bytes, **header: Any) -> None:
    payload = message if isinstance(message, bytes) else message.SerializeToString()
    handler = consumers.handlers(house.deps)[kind]
    arrived = event(house, kind, payload, **header)
    await in_transaction(house.deps.pool, lambda conn: handler(conn, arrived))


def salon(house: House, **changes: Any) -> SalonChanged:
    values: dict[str, Any] = {
        "chain_id": house.chain_id,
        "salon_id": house.salon_id,
        "time_zone": ZONE,
        "active": True,
        "version": 5,
    }
    return SalonChanged(**values | changes)


def chain(house: House, **changes: Any) -> ChainChanged:
    values: dict[str, Any] = {
        "chain_id": house.chain_id,
        "sandbox": True,
        "home_time_zone": ZONE,
        "version": 5,
    }
    return ChainChanged(**values | changes)


async def test_the_newest_version_of_a_salon_wins_in_any_order(house: House) -> None:
    await apply(house, "salon.changed", salon(house, active=False, version=7))
    await apply(house, "salon.changed", salon(house, active=True, version=6))
    assert (await house.refused()).code == "salon_inactive"
    await apply(house, "salon.changed", salon(house, active=True, version=8))
    assert (await house.earn()).balance == 1


async def test_the_newest_version_of_a_chain_wins_in_any_order(house: House) -> None:
    await apply(house, "chain.changed", chain(house, sandbox=True, version=7))
    await apply(house, "chain.changed", chain(house, sandbox=False, version=6))
    assert (await house.create_program(cool_down_seconds=None)).cool_down_seconds == 0


async def test_a_chains_currency_and_zone_are_kept(house: House) -> None:
    """D38: what happens without a salon follows the chain's home zone; the newest version wins."""
    of = ChainId(UUID(house.chain_id))
    async with house.deps.pool.acquire() as conn:
        assert await chains.settings(conn, of) == ChainSettings(
            home_time_zone="UTC", currency=None, sandbox=False
        )
    await apply(house, "chain.changed", chain(house, currency="CAD", version=7))
    await apply(house, "chain.changed", chain(house, currency="EUR", version=6))
    async with house.deps.pool.acquire() as conn:
        assert await chains.settings(conn, of) == ChainSettings(
            home_time_zone=ZONE, currency="CAD", sandbox=True
        )
    await apply(house, "chain.changed", chain(house, version=8))
    async with house.deps.pool.acquire() as conn:
        assert (await chains.settings(conn, of)).currency is None
    for currency in ("cad", "CADS", "$", "CA\n"):
        with pytest.raises(Impossible):
            await apply(house, "chain.changed", chain(house, currency=currency, version=9))


async def test_a_salon_nobody_knows_lies_in_its_chains_home_zone(house: House) -> None:
    """D38: the salon's own zone, else the chain's home zone, else UTC."""
    of, other = ChainId(UUID(house.chain_id)), ChainId(UUID(house.charlies_chain))
    there, unknown = SalonId(UUID(house.salon_id)), SalonId(uuid4())
    await house.keep_chain(home_time_zone="Europe/Paris")
    async with house.deps.pool.acquire() as conn:
        found = await chains.zones(
            conn, [(of, there), (of, unknown), (of, None), (other, there), (other, None)]
        )
        assert {pair: zone.key for pair, zone in found.items()} == {
            (of, there): ZONE,
            (of, unknown): "Europe/Paris",
            (of, None): "Europe/Paris",
            (other, there): "UTC",
            (other, None): "UTC",
        }
        assert (await chains.zone(conn, of, there)).key == ZONE


async def test_a_new_member_has_an_account_in_the_main_program(house: House) -> None:
    """The event repeats what the gateway asked for already: one account, one event."""
    member = new_id()
    enrolled = MemberEnrolled(chain_id=house.chain_id, member_id=member)
    for _ in range(2):
        await apply(house, "member.enrolled", enrolled)
    found = await house.stub.SearchAccounts(
        pb.SearchAccountsRequest(chain_id=house.chain_id, member_ids=[member])
    )
    assert [account.program_id for account in found.accounts] == [house.program.id]
    opened = await house.deps.pool.fetchval(
        "SELECT count(*) FROM outbox WHERE key = $1", found.accounts[0].id
    )
    assert opened == 1


async def test_a_member_of_a_chain_without_programs_waits_for_one(house: House) -> None:
    """Nothing is buried for it: her first earn opens the account."""
    enrolled = MemberEnrolled(chain_id=house.charlies_chain, member_id=house.charlie)
    await apply(house, "member.enrolled", enrolled, chain_id=house.charlies_chain)
    count = await house.deps.pool.fetchval(
        "SELECT count(*) FROM account WHERE chain_id = $1", house.charlies_chain
    )
    assert count == 0


@pytest.mark.parametrize("kind", ["chain.changed", "salon.changed", "member.enrolled"])
async def test_what_makes_no_sense_is_a_dead_letter(house: House, kind: str) -> None:
    """Broken bytes, no ids, and facts of one chain under another chain's header (wrong tenant)."""
    facts: dict[str, Message] = {
        "chain.changed": chain(house),
        "salon.changed": salon(house),
        "member.enrolled": MemberEnrolled(chain_id=house.chain_id, member_id=house.alice),
    }
    for payload in (b"\xff\xff\xff", b""):
        with pytest.raises(Impossible):
            await apply(house, kind, payload)
    with pytest.raises(Impossible):
        await apply(house, kind, facts[kind], chain_id=house.charlies_chain)


async def test_a_zone_that_nobody_knows_is_a_dead_letter(house: House) -> None:
    for zone in ("Mars/Olympus", "", "../etc/passwd", "a\x00b"):
        with pytest.raises(Impossible):
            await apply(house, "salon.changed", salon(house, time_zone=zone))


async def test_news_on_the_topic_takes_effect_once(house: House, kafka_bootstrap: str) -> None:
    """Through the broker that `make up` uses: a salon, then a member, each delivered twice."""
    new_salon, member = new_id(), new_id()
    facts: list[tuple[str, Message]] = [
        ("salon.changed", salon(house, salon_id=new_salon)),
        ("member.enrolled", MemberEnrolled(chain_id=house.chain_id, member_id=member)),
    ]
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    for kind, fact in facts:
        headers = [
            ("ce_id", new_id().encode()),
            ("ce_type", kind.encode()),
            ("ce_source", b"enrollment"),
            ("ce_time", datetime.now(UTC).isoformat().encode()),
            ("ce_subject", house.chain_id.encode()),
            ("ce_chainid", house.chain_id.encode()),
        ]
        for _ in range(2):
            await producer.send_and_wait(
                consumers.ENROLLMENT,
                fact.SerializeToString(),
                key=house.chain_id.encode(),
                headers=headers,
            )
    await producer.stop()
    consumer = Consumer(
        group=consumers.GROUP,
        topics=[consumers.ENROLLMENT],
        handlers=consumers.handlers(house.deps),
        pool=house.deps.pool,
        bootstrap=kafka_bootstrap,
    )
    running = asyncio.create_task(consumer.run())
    search = pb.SearchAccountsRequest(chain_id=house.chain_id, member_ids=[member])
    try:
        async with asyncio.timeout(60):
            while not (await house.stub.SearchAccounts(search)).accounts:
                await asyncio.sleep(0.05)
    finally:
        consumer.stop()
        await running
    assert (await house.earn(salon_id=new_salon)).balance == 1
    known = await house.deps.pool.fetchval(
        "SELECT count(*) FROM inbox WHERE chain_id = $1", house.chain_id
    )
    assert known == 2
