"""Many at once on real PostgreSQL: one effect where one is meant, all of them where all are.

Two queues stand for two processes of the service.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from loyalty.points.v1 import points_pb2 as pb

from services.chassis.errors import InvariantViolated, RemoteRefusal
from services.chassis.postgres import Connection, transaction
from services.points.domain import ledger
from services.points.domain.earning import Earn, Till
from services.points.domain.errors import Refusal
from services.points.domain.ids import (
    AccountId,
    ChainId,
    LotId,
    MemberId,
    PostingId,
    ProgramId,
    SalonId,
    member_account_id,
)
from services.points.domain.ledger import Actor, EarnSource, Fact
from services.points.storage import accounts as account_rows
from services.points.storage import ledger as ledger_rows
from services.points.storage.accounts import Opening
from services.points.usecases.earn_items import Earned, arrival
from services.points.usecases.earn_queue import EarnQueue
from services.points.usecases.earning import earn_points
from tests.points.house import House, new_id


def till(points: int) -> pb.TillOrigin:
    return pb.TillOrigin(points=points)


async def test_200_parallel_earns_with_one_key_are_one_effect(house: House) -> None:
    """Reliability 8: everybody gets the first answer, twins in flight too."""
    item = house.item(till=till(5))
    answers = await asyncio.gather(*(house.earn_all([item]) for _ in range(200)))
    assert all(answer == answers[0] for answer in answers)
    assert await house.balance() == 5
    assert len(await house.events()) == 1
    assert await house.breaches() == {}


async def test_200_parallel_earns_with_200_keys_are_200_effects(house: House) -> None:
    """Reliability 8, P5: one hot account, no refusal; sequences without gaps."""
    answers = await asyncio.gather(*(house.earn(till=till(1)) for _ in range(200)))
    assert sorted(answer.balance for answer in answers) == list(range(1, 201))
    assert sorted(answer.entry.sequence for answer in answers) == list(range(1, 201))
    assert [fact.sequence for fact in await house.events()] == list(range(1, 201))
    assert await house.breaches() == {}


async def test_50_parallel_debits_of_a_balance_that_affords_one(house: House) -> None:
    """N4, issue 2: 50 rewards of 10 points at once, balance 10: one, and 49 refusals."""
    await house.earn(till=till(10))
    answers = await asyncio.gather(*(house.debit(10) for _ in range(50)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, RemoteRefusal)]
    assert len(refused) == 49
    assert {refusal.code for refusal in refused} == {"insufficient_points"}
    assert await house.balance() == 0
    assert await house.breaches() == {}


async def test_parallel_debits_and_returns_of_one_reward_happen_once(house: House) -> None:
    await house.earn(till=till(100))
    reward = new_id()
    debits = await asyncio.gather(*(house.debit(10, reward_id=reward) for _ in range(30)))
    assert len({debit.entry.id for debit in debits}) == 1
    returns = await asyncio.gather(*(house.give_back(reward) for _ in range(30)))
    assert len({back.entry.id for back in returns}) == 1
    assert await house.balance() == 100
    assert await house.breaches() == {}


async def test_one_reward_asked_of_many_accounts_at_once_is_paid_for_by_one(house: House) -> None:
    """The unique business key decides; the losers are told so, none of them sees a fault."""
    accounts = [(await house.account(new_id())).id for _ in range(10)]
    for account in accounts:
        await house.adjust(10, account_id=account)
    reward = new_id()
    answers = await asyncio.gather(
        *(house.debit(10, account_id=account, reward_id=reward) for account in accounts),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, RemoteRefusal)]
    assert [refusal.code for refusal in refused] == ["IDEMPOTENCY_KEY_REUSED"] * 9
    assert await house.breaches() == {}


async def test_a_grant_scanned_20_times_at_once_gives_its_points_once(house: House) -> None:
    """LS-25: single use, in one batch or in many."""
    scan = await house.scan(grant_id=await house.grant(5))
    answers = await asyncio.gather(*(house.earn(scan=scan) for _ in range(20)))
    assert [answer.already_counted for answer in answers].count(False) == 1
    assert len({answer.entry.id for answer in answers}) == 1
    assert await house.balance() == 5
    assert await house.breaches() == {}


async def test_20_scans_of_one_visit_at_once_count_once(house: House) -> None:
    """N11: the account's lock puts them in a row."""
    await house.update_program(cool_down_seconds=900)
    scan = await house.scan()
    answers = await asyncio.gather(*(house.earn(scan=scan) for _ in range(20)))
    assert [answer.already_counted for answer in answers].count(False) == 1
    assert await house.balance() == 1


def as_earn(house: House, key: str, member: str) -> Earn:
    return Earn(
        idempotency_key=key,
        chain_id=ChainId(UUID(house.chain_id)),
        account_id=None,
        member_id=MemberId(UUID(member)),
        program_id=ProgramId(UUID(house.program.id)),
        salon_id=SalonId(UUID(house.salon_id)),
        actor=Actor(),
        session_id="",
        occurred_at=None,
        origin=Till(points=1),
    )


async def test_earns_that_overtook_each_other_keep_the_order_of_their_counting(
    house: House,
) -> None:
    """An earn waits for its codes' guard, and others of its account are counted before it.

    Ids follow the sequence all the same, so that no page of what was recorded leaves one out.
    """
    came = [arrival(house.deps, as_earn(house, new_id(), house.alice)) for _ in range(4)]
    outcomes = await house.queue.count(came[::-1])
    ids = [str(outcome.result.entry.posting.id) for outcome in outcomes]  # type: ignore[union-attr]
    assert ids == sorted(ids)
    assert [entry.id for entry in await house.entries()] == ids[::-1]
    seen: list[str] = []
    after: dict[str, Any] = {}
    for _ in came:
        page = await house.stub.ListEntries(
            pb.ListEntriesRequest(
                chain_id=house.chain_id,
                account_ids=[house.alices_account],
                by_recording=True,
                limit=1,
                **after,
            )
        )
        seen += [entry.id for entry in page.entries]
        if page.entries:
            last = page.entries[-1]
            after = {"before_time": last.recorded_at, "before_id": last.id}
    assert seen == ids[::-1]
    again = await house.queue.count(came)
    assert [str(one.result.entry.posting.id) for one in again] == ids[::-1]  # type: ignore[union-attr]


async def earn_in_opposite_orders(house: House, one: list[Earn], other: list[Earn]) -> None:
    """Two processes at once, each with one batch; everything counts."""
    queues = [EarnQueue(house.deps), EarnQueue(house.deps)]
    answers = await asyncio.gather(
        earn_points(house.deps, queues[0], one),
        earn_points(house.deps, queues[1], other[::-1]),
    )
    assert all(isinstance(result, Earned) for answer in answers for result in answer)


async def test_batches_with_crossed_keys_do_not_deadlock(house: House) -> None:
    """Two processes get the same 120 earns in opposite orders: each key counts once.

    Keys are taken in one order, so that neither waits for the other in a ring.
    """
    members = [new_id() for _ in range(40)]
    before = await deadlocks(house)
    for _ in range(5):
        earns = [as_earn(house, new_id(), members[place % 40]) for place in range(120)]
        await earn_in_opposite_orders(house, earns, earns)
    assert await deadlocks(house) == before
    assert (await house.keys(), len(await house.events())) == (600, 600)
    assert await house.breaches() == {}


async def test_batches_with_crossed_new_accounts_do_not_deadlock(house: House) -> None:
    """Two processes open the same 100 accounts in opposite orders, each under its own keys."""
    before = await deadlocks(house)
    members = [new_id() for _ in range(100)]
    for _ in range(2):
        one, other = ([as_earn(house, new_id(), member) for member in members] for _ in range(2))
        await earn_in_opposite_orders(house, one, other)
    assert await deadlocks(house) == before
    assert await house.keys() == 400
    assert await house.breaches() == {}


def openings(house: House) -> list[Opening]:
    """Three accounts that are not there yet, in order of their ids."""
    program_id = ProgramId(UUID(house.program.id))
    made = []
    for _ in range(3):
        member_id = MemberId(uuid4())
        made.append(
            Opening(
                chain_id=ChainId(UUID(house.chain_id)),
                id=member_account_id(member_id=member_id, program_id=program_id),
                member_id=member_id,
                program_id=program_id,
                opened_at=house.clock.at,
            )
        )
    return sorted(made, key=lambda opening: opening.id)


async def take_crosswise(house: House, take: Callable[[Connection, list[Opening]], Any]) -> None:
    """Two transactions take three accounts in opposite orders, the middle one being held.

    Both get as far as they can before the middle one is let go. Taking as asked, each would then
    hold what the other wants.
    """
    first, middle, last = openings(house)
    if take is lock:
        async with house.deps.pool.acquire() as conn:
            await account_rows.open_accounts(conn, [first, middle, last])

    async def taking(wanted: list[Opening]) -> None:
        async with transaction(house.deps.pool) as conn:
            await take(conn, wanted)

    async with transaction(house.deps.pool) as holder:
        await take(holder, [middle])
        takers = [
            asyncio.create_task(taking(wanted))
            for wanted in ([last, middle, first], [first, middle, last])
        ]
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        async with asyncio.timeout(20):
            while await house.deps.pool.fetchval(waiting) < 2:
                await asyncio.sleep(0.01)
    await asyncio.gather(*takers)


async def lock(conn: Connection, wanted: list[Opening]) -> None:
    # A large table is read through its index, one account after the other; so shall this small one.
    for other_way in ("hashjoin", "mergejoin", "seqscan", "bitmapscan"):
        await conn.execute(f"SET LOCAL enable_{other_way} = off")
    await account_rows.lock_accounts(conn, [(each.chain_id, each.id) for each in wanted])


async def test_new_accounts_are_opened_in_order_of_id(house: House) -> None:
    await take_crosswise(house, account_rows.open_accounts)


async def test_accounts_are_locked_in_order_of_id(house: House) -> None:
    await take_crosswise(house, lock)


async def deadlocks(house: House) -> int:
    """Deadlocks that PostgreSQL has broken up in this database, told by every session of ours."""
    async with AsyncExitStack() as sessions:
        pool = house.deps.pool
        conns = [
            await sessions.enter_async_context(pool.acquire()) for _ in range(pool.get_max_size())
        ]
        for conn in conns:
            await conn.execute("SELECT pg_stat_force_next_flush()")
        await conns[0].execute("SELECT pg_stat_clear_snapshot()")
        count: int = await conns[0].fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
    return count


async def test_any_mixture_keeps_the_books(house: House) -> None:
    """Earns, adjustments, debits and returns of three members at once, from two processes."""
    chance = random.Random(7)
    accounts = [house.alices_account, *[(await house.account(new_id())).id for _ in range(2)]]
    rewards = [new_id() for _ in range(12)]
    refusals: set[str] = set()

    async def step() -> None:
        account = chance.choice(accounts)
        try:
            match chance.randrange(4):
                case 0:
                    await house.earn(
                        account_id=account,
                        member_id=None,
                        program_id=None,
                        till=till(chance.randint(1, 20)),
                    )
                case 1:
                    await house.adjust(
                        chance.choice([-9, -3, 4, 8]),
                        account_id=account,
                        allow_negative_balance=chance.random() < 0.5,
                    )
                case 2:
                    await house.debit(5, account_id=account, reward_id=chance.choice(rewards))
                case _:
                    await house.give_back(chance.choice(rewards))
        except RemoteRefusal as refusal:
            refusals.add(refusal.code)

    for _ in range(5):
        await asyncio.gather(*(step() for _ in range(60)))
    assert refusals <= {
        "balance_below_zero",
        "insufficient_points",
        "IDEMPOTENCY_KEY_REUSED",
        "debit_unknown",
    }
    assert await house.breaches() == {}


async def test_a_refusal_of_one_item_is_its_own(house: House) -> None:
    """What could not be read keeps its place among what could."""
    wanted: list[Earn | Refusal] = [
        as_earn(house, new_id(), house.alice),
        Refusal(field="x"),
        as_earn(house, "", "0" * 32),
    ]
    results = await earn_points(house.deps, house.queue, wanted)
    assert isinstance(results[0], Earned)
    assert [getattr(result, "code", "") for result in results] == ["", "refused", "key_invalid"]


async def test_a_write_without_its_lock_is_stopped(house: House) -> None:
    """The account's sequence must still be what the writer saw: else nothing at all is written."""
    chain_id = ChainId(UUID(house.chain_id))
    account_id = AccountId(UUID(house.alices_account))
    async with house.deps.pool.acquire() as conn:
        stale = await account_rows.account(conn, chain_id, account_id)
    assert stale is not None
    await house.earn(till=till(3))
    movement = ledger.earn(
        stale,
        points=5,
        source=EarnSource.TILL,
        fact=Fact(
            posting_id=PostingId(uuid4()),
            lot_id=LotId(uuid4()),
            occurred_at=house.clock.at,
        ),
    )
    with pytest.raises((InvariantViolated, asyncpg.UniqueViolationError)):
        async with transaction(house.deps.pool) as conn:
            await ledger_rows.write(conn, [movement])
    assert await house.balance() == 3
    assert await house.breaches() == {}
