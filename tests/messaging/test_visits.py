"""Where members were and when, as points told of it (ADR 0016)."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.chassis import migrate
from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.chain import ChainId
from services.messaging.usecases import contacts
from tests import engines
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


async def test_what_was_kept_in_two_rows_is_kept_in_one(
    postgres: engines.Postgres, tmp_path: Path
) -> None:
    """Visits of before are carried over, and those of an erased member are forgotten."""
    urls = await postgres.create_empty_database("messaging")
    before = tmp_path / "services"
    for room in ("chassis", "messaging"):
        shutil.copytree(migrate.SERVICES / room / "migrations", before / room / "migrations")
    for path in (before / "messaging" / "migrations").glob("*.sql"):
        if path.name >= "0033":
            path.unlink()
    await migrate.migrate(urls.owner_url, "messaging", services=before, quiet=True)
    chain, alice, erased, salons = uuid4(), uuid4(), uuid4(), [uuid4(), uuid4()]
    conn = await asyncpg.connect(urls.owner_url)
    try:
        for member in (alice, erased):
            await conn.execute(
                "INSERT INTO member_standing (chain_id, member_id, last_visit_at, first_earn)"
                " VALUES ($1, $2, now(), 'sale')",
                chain,
                member,
            )
            for salon in salons:
                await conn.execute(
                    "INSERT INTO member_salon VALUES ($1, $2, $3, now())", chain, member, salon
                )
        gone = uuid4()
        for member in (erased, gone):
            await conn.execute(
                "INSERT INTO contact VALUES"
                " ($1, $2, '', '', '', NULL, NULL, '', false, false, 2, now())",
                chain,
                member,
            )
        await migrate.migrate(urls.owner_url, "messaging", quiet=True)
        rows = await conn.fetch(
            "SELECT member_id, last_visit_at IS NULL AS never, salon_ids, erased_at IS NULL AS here"
            " FROM member_standing"
        )
    finally:
        await conn.close()
    found = {row["member_id"]: row for row in rows}
    assert sorted(found[alice]["salon_ids"]) == sorted(salons)
    assert (found[alice]["never"], found[alice]["here"]) == (False, True)
    for member in (erased, gone):
        kept = found[member]
        assert (kept["never"], kept["salon_ids"], kept["here"]) == (True, [], False)
