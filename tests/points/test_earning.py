"""Earning: keys, times, salons, batches, and what leaves the house for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1.types_pb2 import Actor

from deploy.local.databases import DatabaseUrls
from services.points.domain.ids import MemberId, ProgramId, member_account_id
from tests.points.house import House, new_id, refusal_of, stamp


def till(points: int) -> pb.TillOrigin:
    return pb.TillOrigin(points=points)


async def test_a_till_gives_the_points_that_it_says(house: House) -> None:
    earned = await house.earn(till=till(42))
    entry = earned.entry
    assert (entry.points, entry.balance_after, entry.sequence) == (42, 42, 1)
    assert (entry.kind, entry.source) == (pb.ENTRY_KIND_EARN, pb.EARN_SOURCE_TILL)
    assert entry.actor == house.herself
    assert entry.occurred_at == stamp(house.clock.at)


async def test_a_replayed_earn_returns_the_first_entry(house: House) -> None:
    """Goal: a till that lost our reply can resend safely; a new session does not matter."""
    item = house.item(till=till(5))
    (first,) = await house.earn_all([item])
    await house.earn(till=till(7))
    item.session_id = new_id()
    item.actor.CopyFrom(Actor(kind=Actor.KIND_API_KEY, id="the rotated key"))
    (again,) = await house.earn_all([item])
    assert again == first
    assert again.earned.balance == 5
    assert await house.balance() == 12
    assert len(await house.entries()) == 2


async def test_a_key_with_another_body_is_refused(house: House) -> None:
    item = house.item(till=till(5))
    await house.earn_all([item])
    for changes in ({"till": till(6)}, {"member_id": new_id()}, {"salon_id": None}):
        refusal = await house.refused(
            **{"till": till(5)} | changes, idempotency_key=item.idempotency_key
        )
        assert (refusal.code, refusal.field) == ("IDEMPOTENCY_KEY_REUSED", "idempotency_key")
    assert await house.balance() == 5


async def test_a_key_belongs_to_its_chain(house: House) -> None:
    item = house.item(till=till(5))
    await house.earn_all([item])
    program = await house.create_program(chain_id=house.charlies_chain)
    earned = await house.earn(
        idempotency_key=item.idempotency_key,
        chain_id=house.charlies_chain,
        member_id=house.charlie,
        program_id=program.id,
        salon_id=None,
        till=till(9),
    )
    assert earned.balance == 9


async def test_a_refused_earn_leaves_no_key(house: House) -> None:
    """The same key counts once what was wrong is put right."""
    key = new_id()
    salon = new_id()
    assert (await house.refused(idempotency_key=key, salon_id=salon)).code == "salon_unknown"
    assert await house.keys() == 0
    await house.add_salon(house.chain_id, salon)
    assert (await house.earn(idempotency_key=key, salon_id=salon)).balance == 1


@pytest.mark.parametrize("key", ["", "k" * 256, "zero\x00inside"])
async def test_a_key_must_be_one(house: House, key: str) -> None:
    refusal = await house.refused(idempotency_key=key)
    assert (refusal.code, refusal.field) == ("key_invalid", "idempotency_key")


@pytest.mark.parametrize("points", [0, -1, 2**31, 2**63 - 1, -(2**63)])
async def test_a_till_gives_1_to_2_31(house: House, points: int) -> None:
    refusal = await house.refused(till=till(points))
    assert (refusal.code, refusal.field) == ("points_invalid", "points")
    assert refusal.params == {"minimum": "1", "maximum": str(2**31 - 1)}
    assert (await house.earn(till=till(2**31 - 1))).balance == 2**31 - 1


async def test_a_balance_beyond_63_bits_is_refused(house: House, points_urls: DatabaseUrls) -> None:
    """Overflow is a refusal with the balance, not an error and not a wrap."""
    await house.earn(till=till(1))
    await house.deps.pool.execute(
        "UPDATE account SET balance = $3 WHERE chain_id = $1 AND id = $2",
        house.chain_id,
        house.alices_account,
        2**63 - 10,
    )
    assert (await house.earn(till=till(9))).balance == 2**63 - 1
    refusal = await house.refused(till=till(1))
    assert (refusal.code, refusal.params["maximum"]) == ("balance_too_large", str(2**63 - 1))
    await _forget_chain(points_urls, house.chain_id)


async def _forget_chain(urls: DatabaseUrls, chain_id: str) -> None:
    """Take a chain whose books were cooked out of the shared database again."""
    conn = await asyncpg.connect(urls.owner_url)
    for table in ("posting", "lot", "lot_use", "account", "outbox"):
        await conn.execute(f"DELETE FROM {table} WHERE chain_id = $1", chain_id)
    await conn.close()


@pytest.mark.parametrize(
    ("back", "code"),
    [
        (timedelta(hours=72), None),
        (timedelta(hours=72, seconds=1), "occurred_too_early"),
        (timedelta(minutes=-5), None),
        (timedelta(minutes=-5, seconds=-1), "occurred_in_future"),
    ],
)
async def test_an_earn_may_lie_72_hours_back_and_5_minutes_ahead(
    house: House, back: timedelta, code: str | None
) -> None:
    """A phone or till without network uploads later, with its own time."""
    occurred_at = stamp(house.clock.at - back)
    if code is None:
        entry = (await house.earn(occurred_at=occurred_at)).entry
        assert entry.occurred_at == occurred_at
    else:
        refusal = await house.refused(occurred_at=occurred_at)
        assert (refusal.code, refusal.field) == (code, "occurred_at")


async def test_a_moment_that_no_calendar_has_is_refused(house: House) -> None:
    refusal = await house.refused(occurred_at=Timestamp(seconds=2**60))
    assert (refusal.code, refusal.field) == ("number_out_of_range", "occurred_at")


async def test_business_time_dates_an_earn_in_a_sandbox(house: House) -> None:
    """The chain's clock dates it."""
    house.deps.clock.put_offset(house.chain_id, timedelta(days=365))
    entry = (await house.earn()).entry
    assert entry.occurred_at == stamp(house.clock.at + timedelta(days=365))
    assert (await house.refused(occurred_at=stamp(house.clock.at))).code == "occurred_too_early"


async def test_late_uploads_of_one_visit_count_once_in_either_order(house: House) -> None:
    """N1, N11: the cool-down looks at when it happened, not at when it arrived."""
    await house.update_program(cool_down_seconds=900)
    now = house.clock.at
    scan = await house.scan()
    later = await house.earn(scan=scan, occurred_at=stamp(now - timedelta(hours=40)))
    earlier = await house.earn(scan=scan, occurred_at=stamp(now - timedelta(hours=40, minutes=5)))
    assert (earlier.already_counted, earlier.entry) == (True, later.entry)
    assert not (await house.earn(scan=scan)).already_counted


async def test_an_unknown_closed_or_foreign_salon_is_refused(house: House) -> None:
    """What may be news still on its way says that it is worth asking again."""
    closed, foreign, elsewhere = new_id(), new_id(), new_id()
    await house.add_salon(house.chain_id, closed, active=False)
    await house.add_salon(house.charlies_chain, foreign)
    await house.add_salon(house.chain_id, elsewhere)
    await house.update_program(salon_ids=[house.salon_id], replace_salon_ids=True)
    refusals = {}
    for salon in (closed, foreign, elsewhere, new_id(), "salon-1"):
        refusal = await house.refused(salon_id=salon)
        assert refusal.field == "salon_id"
        refusals[salon] = (refusal.code, refusal.retry_after_seconds)
    assert list(refusals.values()) == [
        ("salon_inactive", 0),
        ("salon_unknown", 1),
        ("salon_not_in_program", 0),
        ("salon_unknown", 1),
        ("salon_unknown", 1),
    ]
    assert (await house.earn()).balance == 1
    assert (await house.earn(salon_id=None)).balance == 2


async def test_a_scan_in_a_salon_that_has_closed_is_refused(house: House) -> None:
    scan = await house.scan()
    await house.add_salon(house.chain_id, house.salon_id, active=False, version=2)
    assert (await house.refused(scan=scan)).code == "salon_inactive"


async def test_an_inactive_program_gives_nothing(house: House) -> None:
    scan = await house.scan()
    await house.update_program(active=False)
    assert (await house.refused(scan=scan)).code == "program_inactive"
    assert (await house.refused(till=till(1))).code == "program_inactive"
    assert (await house.refused(program_id="main")).code == "program_unknown"


async def test_a_bare_account_is_enough(house: House) -> None:
    """A till knows the account's id and no more."""
    earned = await house.earn(
        account_id=house.alices_account, member_id=None, program_id=None, till=till(4)
    )
    assert (earned.entry.member_id, earned.entry.program_id) == (house.alice, house.program.id)
    for account in (new_id(), "account-1"):
        refusal = await house.refused(account_id=account, member_id=None, program_id=None)
        assert (refusal.code, refusal.field) == ("account_unknown", "account_id")
    nobody = await house.refused(member_id=None)
    assert nobody.code == "account_unknown"
    other = await house.create_program(name="Deuxième")
    for changes in (
        {"member_id": None, "program_id": other.id},
        {"member_id": house.charlie},
    ):
        refusal = await house.refused(account_id=house.alices_account, **changes)
        assert refusal.code == "account_unknown"


async def test_charlie_cannot_earn_on_alices_account(house: House) -> None:
    """Chain B with the id of Alice's account: unknown, like one that is not there."""
    await house.create_program(chain_id=house.charlies_chain)
    refusal = await house.refused(
        chain_id=house.charlies_chain,
        account_id=house.alices_account,
        member_id=None,
        program_id=None,
        salon_id=None,
    )
    assert refusal.code == "account_unknown"
    foreign = await house.refused(chain_id=house.charlies_chain, program_id=house.program.id)
    assert foreign.code == "program_unknown"
    assert await house.balance() == 0


async def test_the_account_is_opened_by_the_first_earn(house: House) -> None:
    """ADR 0005: everybody computes the same id, and asks nobody."""
    member = new_id()
    earned = await house.earn(member_id=member, program_id="main")
    assert earned.entry.account_id == str(
        member_account_id(
            member_id=MemberId(UUID(member)), program_id=ProgramId(UUID(house.program.id))
        )
    )
    opened = await house.deps.pool.fetch(
        "SELECT type, key FROM outbox WHERE chain_id = $1 AND key = $2 ORDER BY id",
        house.chain_id,
        earned.entry.account_id,
    )
    assert [row["type"] for row in opened] == ["account.opened", "points.earned"]


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"chain_id": "chain"}, "chain_unknown", "chain_id"),
        ({"member_id": "alice"}, "id_invalid", "member_id"),
        ({"program_id": "vos points"}, "program_unknown", "program_id"),
        ({"program_id": new_id()}, "program_unknown", "program_id"),
        ({"session_id": "s" * 129}, "id_invalid", "session_id"),
        ({"session_id": "a\x00b"}, "id_invalid", "session_id"),
        ({"actor": Actor(kind=Actor.KIND_STAFF, id="\x00")}, "id_invalid", "actor"),
        ({"till": None}, "origin_required", "origin"),
        ({"till": None, "scan": pb.ScanOrigin()}, "earn_token_invalid", "earn_token"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_field(
    house: House, changes: dict[str, Any], code: str, field: str
) -> None:
    refusal = await house.refused(**changes)
    assert (refusal.code, refusal.field) == (code, field)


@pytest.mark.parametrize("count", [0, 257])
async def test_a_request_has_1_to_256_earns(house: House, count: int) -> None:
    refusal = await refusal_of(house.earn_all([house.item()] * count))
    assert (refusal.code, refusal.field) == ("number_out_of_range", "items")
    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT


async def test_refused_earns_do_not_harm_their_neighbours(house: House) -> None:
    """A batch of 256: every third is refused for a reason of its own, all others count."""
    bad: list[dict[str, Any]] = [
        {"salon_id": new_id()},
        {"till": till(0)},
        {"till": None, "typed_code": pb.TypedCodeOrigin(points_code="999", points=1)},
        {"occurred_at": stamp(house.clock.at - timedelta(days=4))},
        {"account_id": new_id(), "member_id": None, "program_id": None},
        {"idempotency_key": ""},
    ]
    items = [
        house.item(**bad[place // 3 % len(bad)], session_id=new_id())
        if place % 3 == 0
        else house.item(till=till(2))
        for place in range(256)
    ]
    outcomes = await house.earn_all(items)
    kinds = [outcome.WhichOneof("outcome") for outcome in outcomes]
    assert kinds == ["refusal" if place % 3 == 0 else "earned" for place in range(256)]
    good = [outcome.earned for outcome in outcomes if outcome.HasField("earned")]
    assert [earned.balance for earned in good] == list(range(2, 2 * len(good) + 2, 2))
    assert await house.balance() == 2 * len(good)
    assert await house.keys() == len(good)
    assert await house.breaches() == {}


async def test_twins_in_one_batch_count_once(house: House) -> None:
    """The same key four times in a request, the fourth with another body."""
    item = house.item(till=till(5))
    other = house.item(till=till(6), idempotency_key=item.idempotency_key)
    outcomes = await house.earn_all([item, item, item, other])
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert outcomes[3].refusal.code == "IDEMPOTENCY_KEY_REUSED"
    assert await house.balance() == 5


async def test_twins_of_a_refused_earn_are_refused_alike(house: House) -> None:
    item = house.item(salon_id=new_id())
    outcomes = await house.earn_all([item, item])
    assert [outcome.refusal.code for outcome in outcomes] == ["salon_unknown"] * 2
    assert await house.keys() == 0


async def test_there_is_one_event_per_posting_in_sequence(house: House) -> None:
    """Each carries the account's sequence, and bears its posting's id."""
    await house.earn_all([house.item(till=till(points)) for points in (5, 7, 9)])
    await house.adjust(-1)
    reward = new_id()
    await house.debit(10, reward_id=reward)
    await house.give_back(reward)
    facts = await house.events()
    assert [(fact.sequence, fact.points, fact.balance_after) for fact in facts] == [
        (1, 5, 5),
        (2, 7, 12),
        (3, 9, 21),
        (4, -1, 20),
        (5, -10, 10),
        (6, 10, 20),
    ]
    rows = await house.deps.pool.fetch(
        """
        SELECT event_id::text, type, key, subject, topic FROM outbox
        WHERE chain_id = $1 AND type LIKE 'points.%' ORDER BY id
        """,
        house.chain_id,
    )
    assert [row["type"] for row in rows] == [
        "points.earned",
        "points.earned",
        "points.earned",
        "points.adjusted",
        "points.debited",
        "points.returned",
    ]
    assert [row["event_id"] for row in rows] == [fact.posting_id for fact in facts]
    assert {(row["key"], row["subject"], row["topic"]) for row in rows} == {
        (house.alices_account, house.alices_account, "loyalty.points.v1")
    }
    assert (facts[0].source, facts[3].reason, facts[4].reward_id) == ("TILL", "SALON", reward)
    assert all(fact.member_id == house.alice for fact in facts)


@pytest.fixture
async def poison(house: House, points_urls: DatabaseUrls) -> AsyncIterator[int]:
    """A number of points that the database chokes on, for a reason that no rule foresees."""
    conn = await asyncpg.connect(points_urls.owner_url)
    await conn.execute(
        """
        CREATE FUNCTION choke() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'choked'; END $$;
        CREATE TRIGGER choke BEFORE INSERT ON posting FOR EACH ROW
        WHEN (NEW.points = 666) EXECUTE FUNCTION choke();
        """
    )
    yield 666
    await conn.execute("DROP FUNCTION choke() CASCADE")
    await conn.close()


async def test_a_poisoned_earn_fails_alone(house: House, poison: int) -> None:
    """256 in one request, three of them poison: 253 count, three fail and leave nothing."""
    bad = {7, 100, 255}
    items = [
        house.item(till=till(poison if place in bad else 1), member_id=new_id())
        for place in range(256)
    ]
    outcomes = await house.earn_all(items)
    failed = {place for place, outcome in enumerate(outcomes) if outcome.HasField("refusal")}
    assert failed == bad
    assert {outcomes[place].refusal.code for place in bad} == {"internal"}
    assert await house.keys() == 253
    assert await house.breaches() == {}


async def test_a_full_queue_refuses_and_loses_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RESOURCE_EXHAUSTED with a time to come back; what was taken in is counted."""
    monkeypatch.setattr(house.queue._gathering, "_queue_items_max", 20)
    requests = [house.earn_all([house.item() for _ in range(10)]) for _ in range(12)]
    answers = await asyncio.gather(*requests, return_exceptions=True)
    counted = [answer for answer in answers if isinstance(answer, list)]
    refused = [answer for answer in answers if not isinstance(answer, list)]
    assert counted
    assert refused
    for answer in refused:
        refusal: Any = answer
        assert (refusal.code, refusal.retry_after_seconds) == ("overloaded", 1)
        assert refusal.status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await house.balance() == 10 * len(counted)


async def test_a_caller_that_gives_up_harms_nobody(house: House) -> None:
    """Cancelled while waiting: the others are served; its own earn counted once or not at all."""
    items = [house.item() for _ in range(30)]
    calls = [asyncio.ensure_future(house.earn_all([item])) for item in items]
    await asyncio.sleep(0)
    for call in calls[::3]:
        call.cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    served = [answer for answer in answers if isinstance(answer, list)]
    assert len(served) == 20
    await house.queue.drain()
    assert 20 <= await house.balance() <= 30
    # The resend settles it: each counts exactly once.
    for item in items:
        await house.earn_all([item])
    assert await house.balance() == 30


async def test_entries_of_one_moment_keep_their_order(house: House) -> None:
    """Ids are drawn in order, so (occurred_at, id) is the order of the sequence."""
    await house.earn_all([house.item() for _ in range(40)])
    assert [entry.sequence for entry in await house.entries()] == list(range(40, 0, -1))


async def test_an_answer_says_when_the_database_recorded_it(house: House) -> None:
    """Also one that is given again."""
    item = house.item()
    before = await house.deps.pool.fetchval("SELECT statement_timestamp()")
    first, again = [(await house.earn_all([item]))[0].earned.entry for _ in range(2)]
    row = await house.deps.pool.fetchrow(
        "SELECT occurred_at, recorded_at FROM posting WHERE chain_id = $1", house.chain_id
    )
    assert row is not None
    assert row["occurred_at"] == house.clock.at
    assert row["recorded_at"] > before
    assert first.recorded_at == again.recorded_at == stamp(row["recorded_at"])
