"""Where members were and when, as points told of it (ADR 0016)."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.chain import ChainId
from services.messaging.usecases import contacts
from tests.messaging.conftest import MessagingHarness
from tests.messaging.ledger import Ledger, a_member, regular


async def test_an_old_visit_adds_its_salon_and_changes_no_later_day(
    messaging: MessagingHarness,
) -> None:
    ledger = await a_member(messaging)
    other = str(uuid4())
    old = ledger.posted(1, source="SCAN", salon_id=other)
    messaging.clock.advance(timedelta(hours=3))
    for _ in range(2):
        await ledger.earn(1)
    await ledger.tell("points.earned", old)
    await ledger.tell("points.earned", ledger.posted(1, source="SCAN"))
    last_visit_at, salon_ids = await visits_of(ledger)
    assert last_visit_at == messaging.clock.now()
    assert {str(one) for one in salon_ids} == {ledger.salon_id, other}


async def visits_of(ledger: Ledger) -> tuple[datetime | None, list[UUID]]:
    row = await ledger.messaging.pool.fetchrow(
        "SELECT last_visit_at, salon_ids FROM member_standing"
        " WHERE chain_id = $1 AND member_id = $2",
        ledger.chain_id,
        ledger.member_id,
    )
    assert row is not None
    return row["last_visit_at"], row["salon_ids"]


@pytest.mark.parametrize("was_here", [True, False])
async def test_a_visit_that_is_told_after_the_erasure_is_not_noted(
    messaging: MessagingHarness, was_here: bool
) -> None:
    """Both travel on topics of their own: the visit may come last."""
    ledger = await (regular if was_here else a_member)(messaging)
    await erase(ledger)
    assert await visits_of(ledger) == (None, [])
    await ledger.earn(3)
    assert await visits_of(ledger) == (None, [])


async def erase(ledger: Ledger) -> None:
    async def work(conn: Connection) -> None:
        await contacts.forget_contact(conn, ChainId(ledger.chain_id), ledger.member_id)

    await in_transaction(ledger.messaging.pool, work)
