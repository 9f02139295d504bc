"""Offers and chains as they arrive from their owners' topics."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from loyalty.events.v1.enrollment_events_pb2 import ChainChanged
from loyalty.events.v1.offers_events_pb2 import OfferChanged
from loyalty.rewards.v1 import rewards_pb2 as pb

from services.chassis.consumer import Consumer
from services.chassis.events import Event, Impossible
from services.rewards import consumers
from tests.rewards.house import HOME_ZONE, House, new_id


def event(house: House, kind: str, payload: bytes) -> Event:
    """An event of chain A."""
    return Event(
        id=uuid4(),
        type=kind,
        source="offers",
        subject="",
        chain_id=UUID(house.chain_id),
        time=datetime.now(UTC),
        topic=consumers.OFFERS,
        partition=0,
        offset=0,
        key="",
        payload=payload,
        request_id="",
    )


def offer_message(house: House, **changes: object) -> OfferChanged:
    values: dict[str, object] = {
        "chain_id": house.chain_id,
        "offer_id": new_id(),
        "title": "Masque offert",
        "start_date": "2026-12-10",
        "end_date": "2026-12-31",
        "shown_in_app": True,
        "version": 1,
        "home_time_zone": HOME_ZONE,
    }
    return OfferChanged(**{**values, **changes})  # type: ignore[arg-type]


async def apply_offer(house: House, message: OfferChanged) -> None:
    happened = event(house, "offer.changed", message.SerializeToString())
    await house.write(lambda conn: consumers.offer_changed(conn, happened))


async def apply_chain(house: House, message: ChainChanged) -> None:
    happened = event(house, "chain.changed", message.SerializeToString())
    await house.write(lambda conn: consumers.chain_changed(conn, happened))


async def test_the_newest_version_of_an_offer_wins_in_any_order(house: House) -> None:
    message = offer_message(house, version=2, title="Deux")
    for version, title in ((2, "Deux"), (3, "Trois"), (1, "Un"), (3, "Trois bis")):
        message.version, message.title = version, title
        await apply_offer(house, message)
    assert (await house.take_offer(message.offer_id)).name == "Trois"


async def test_dates_follow_the_chains_zone_when_it_moves(house: House) -> None:
    """D38: what counts is the home zone that the chain has now."""
    message = offer_message(house, end_date="2026-12-14")
    await apply_offer(house, message)
    house.go_to(datetime(2026, 12, 14, 22, 30, tzinfo=UTC))
    for version, zone in ((1, "America/Toronto"), (2, "Europe/Paris")):
        await apply_chain(
            house,
            ChainChanged(
                chain_id=house.chain_id, home_time_zone=zone, currency="CAD", version=version
            ),
        )
    house.go_to(datetime(2026, 12, 14, 23, 30, tzinfo=UTC))
    with pytest.raises(Exception, match="offer_not_running"):
        await house.take_offer(message.offer_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"start_date": ""},
        {"end_date": "31/12/2026"},
        {"coupon_expiry_date": "soon"},
        {"home_time_zone": "Mars/Olympus"},
        {"home_time_zone": ""},
        {"home_time_zone": "../../etc/passwd"},
        {"offer_id": "1"},
        {"chain_id": "somebody-else"},
    ],
)
async def test_an_offer_that_makes_no_sense_is_a_dead_letter(
    house: House, changes: dict[str, object]
) -> None:
    with pytest.raises(Impossible):
        await apply_offer(house, offer_message(house, **changes))


async def test_bytes_that_are_no_message_are_a_dead_letter(house: House) -> None:
    for kind, handler in (
        ("offer.changed", consumers.offer_changed),
        ("chain.changed", consumers.chain_changed),
    ):
        broken = event(house, kind, b"\xff\xff\xff")
        with pytest.raises(Impossible):
            await house.write(lambda conn, h=handler, e=broken: h(conn, e))  # type: ignore[misc]


async def test_an_offer_on_the_topic_can_soon_be_taken(house: House, kafka_bootstrap: str) -> None:
    """LS-53: through the broker that `make up` uses; delivered twice, it counts once."""
    message = offer_message(house, version=4)
    headers = [
        ("ce_id", new_id().encode()),
        ("ce_type", b"offer.changed"),
        ("ce_source", b"offers"),
        ("ce_time", datetime.now(UTC).isoformat().encode()),
        ("ce_subject", message.offer_id.encode()),
        ("ce_chainid", house.chain_id.encode()),
    ]
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    for _ in range(2):
        await producer.send_and_wait(
            consumers.OFFERS,
            message.SerializeToString(),
            key=message.offer_id.encode(),
            headers=headers,
        )
    await producer.stop()
    group = "rewards.offer-copies"
    topic, handlers = consumers.GROUPS[group]
    consumer = Consumer(
        group=group, topics=[topic], handlers=handlers, pool=house.pool, bootstrap=kafka_bootstrap
    )
    running = asyncio.create_task(consumer.run())
    try:
        async with asyncio.timeout(60):
            request = pb.GetOfferTermsRequest(chain_id=house.chain_id, offer_id=message.offer_id)
            while (await house.stub.GetOfferTerms(request)).version != 4:
                await asyncio.sleep(0.05)
    finally:
        consumer.stop()
        await running
    assert (await house.take_offer(message.offer_id)).name == "Masque offert"
    assert await house.count("inbox") == 1
