"""Points for an e-mail address (SQ-08, SQ-09)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from loyalty.events.v1.messaging_events_pb2 import ContactCollected
from loyalty.points.v1 import points_pb2 as pb

from services.chassis.errors import RemoteRefusal
from services.chassis.events import Event, Impossible
from services.chassis.postgres import in_transaction
from services.points import consumers
from tests.points.house import House


async def collected(house: House, *, points: int = 5, chain_id: str = "") -> None:
    """Messaging tells that Alice gave her e-mail address."""
    fact = ContactCollected(
        chain_id=chain_id or house.chain_id, member_id=house.alice, points=points
    )
    event = Event(
        id=uuid4(),
        type="contact.collected",
        source="messaging",
        subject="",
        chain_id=UUID(house.chain_id),
        time=datetime.now(UTC),
        topic=consumers.MESSAGING,
        partition=0,
        offset=0,
        key="",
        payload=fact.SerializeToString(),
        request_id="",
    )
    handler = consumers.contact_handlers(house.deps)[event.type]
    await in_transaction(house.deps.pool, lambda conn: handler(conn, event))


async def test_an_email_is_worth_its_points_once_and_stands_in_the_feed(house: House) -> None:
    """SQ-09: once a member, however often it is told. SQ-08: an entry with its date and 5."""
    for _ in range(3):
        await collected(house)
    await collected(house, points=7)
    (entry,) = await house.entries()
    assert (entry.points, entry.reason) == (5, pb.ADJUSTMENT_REASON_MAILING_LIST)
    assert entry.occurred_at.ToDatetime(tzinfo=UTC) == house.clock.now()
    assert await house.balance() == 5
    assert await house.breaches() == {}


async def test_nobody_gives_the_mailing_lists_points_by_hand(house: House) -> None:
    """SQ-08: the reason is the product's own."""
    with pytest.raises(RemoteRefusal) as refused:
        await house.adjust(5, reason=pb.ADJUSTMENT_REASON_MAILING_LIST)
    assert refused.value.code == "reason_required"
    assert await house.balance() == 0


@pytest.mark.parametrize("points", [0, -5, 10_001])
async def test_impossible_promises_go_to_the_dead_letters(house: House, points: int) -> None:
    with pytest.raises(Impossible):
        await collected(house, points=points)


async def test_a_fact_of_another_chain_gives_nothing(house: House) -> None:
    with pytest.raises(Impossible):
        await collected(house, chain_id=house.charlies_chain)
