"""Points that end, over the wire and through the months: X1 to X14, D8, D10, SQ-64 to SQ-68."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from loyalty.points.v1 import points_pb2 as pb

from deploy.local.databases import DatabaseUrls
from services.chassis.postgres import create_pool
from services.points.usecases.earn_items import Earned
from services.points.usecases.earn_queue import EarnQueue
from services.points.usecases.earning import earn_points
from tests.points.calendar import (
    account_of,
    at,
    expiries,
    ledger_of,
    local,
    run_due,
    save_rules,
    till,
)
from tests.points.house import House, new_id, refusal_of, stamp
from tests.points.test_parallel import as_earn
from tests.points.till import SPEND_1, Till, line

FEBRUARY = local("2027-02-01T00:00")


@pytest.mark.parametrize(
    ("earned", "policy", "last_day", "gone"),
    [
        pytest.param("2026-10-01T12:00", "P3M", "2027-01-31", "2027-02-01", id="X1"),
        pytest.param("2026-10-31T23:30", "P3M", "2027-01-31", "2027-02-01", id="X2"),
        pytest.param("2026-11-30T12:00", "P3M", "2027-02-28", "2027-03-01", id="X3"),
        pytest.param("2027-11-15T12:00", "P3M", "2028-02-29", "2028-03-01", id="X4"),
        pytest.param("2026-01-31T12:00", "P1M", "2026-02-28", "2026-03-01", id="X5"),
        pytest.param("2020-07-06T12:00", "P12M", "2021-07-31", "2021-08-01", id="X6"),
    ],
)
async def test_points_end_with_the_last_day_of_their_last_month(
    house: House, earned: str, policy: str, last_day: str, gone: str
) -> None:
    """X1 to X6, SQ-66, D8: usable to 23:59:59 on the salon's wall, gone at midnight, -100."""
    await save_rules(house, expiry_policy=policy)
    await at(house, earned)
    await house.earn(till=till(100))

    await at(house, f"{last_day}T23:59:59")
    told = await account_of(house)
    assert told.balance == 100
    assert [(e.points, e.last_day) for e in told.expiring] == [(100, last_day)]
    assert told.expiring[0].expires_at.ToDatetime(tzinfo=UTC) == local(f"{gone}T00:00")
    assert await run_due(house) == 0

    await at(house, f"{gone}T00:00")
    assert await house.balance() == 0
    assert await run_due(house) == 1
    assert await expiries(house) == [(-100, local(f"{gone}T00:00"))]
    assert await house.balance() == 0
    assert [fact.points for fact in await house.events("points.expired")] == [-100]
    assert await house.breaches() == {}


async def test_the_month_is_the_salons_not_the_chains(house: House) -> None:
    """X2, D8, D38: October in Vancouver, November at home; without a salon, home counts."""
    await house.keep_chain(home_time_zone="Europe/Paris")
    west = new_id()
    await house.add_salon(house.chain_id, west, time_zone="America/Vancouver")
    await save_rules(house, expiry_policy="P1M")
    house.clock.set(local("2026-10-31T21:00"))
    await house.earn(till=till(1), salon_id=west)
    await house.earn(till=till(2), salon_id=None)
    await house.adjust(4)

    told = await account_of(house)
    assert [(e.points, e.last_day) for e in told.expiring] == [
        (1, "2026-11-30"),
        (6, "2026-12-31"),
    ]


@pytest.mark.parametrize("way", ["till", "tablet", "code", "scan", "grant", "hand"])
async def test_every_way_to_earn_has_the_policy_of_the_moment(house: House, way: str) -> None:
    """SQ-64, N8: the lot keeps policy and end, whichever door the points came by."""
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-10-01T12:00")
    match way:
        case "till":
            await house.earn(till=till(1))
        case "tablet":
            await house.earn(tablet=pb.TabletOrigin())
        case "code":
            await house.earn(typed_code=pb.TypedCodeOrigin(points_code="407", points=1))
        case "scan":
            await house.earn(scan=await house.scan())
        case "grant":
            await house.earn(scan=await house.scan(grant_id=await house.grant(2)))
        case _:
            await house.adjust(1, salon_id=house.salon_id)
    (line,) = (await ledger_of(house)).lines
    assert line.expiry_policy == "P3M"
    assert line.expires_at.ToDatetime(tzinfo=UTC) == FEBRUARY


async def test_x7_to_x9_a_lot_keeps_the_policy_under_which_it_was_earned(house: House) -> None:
    """X7, X8, X9, SQ-65, N8: never, then P3M, then P6M; each lot as it was promised."""
    await at(house, "2026-09-10T12:00")
    await house.earn(till=till(1))
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-10-01T12:00")
    await house.earn(till=till(2))
    await save_rules(house, expiry_policy="P6M")
    await at(house, "2026-10-20T12:00")
    await house.earn(till=till(4))
    await save_rules(house, expiry_policy="never")

    told = await account_of(house)
    assert [(e.points, e.last_day) for e in told.expiring] == [
        (2, "2027-01-31"),
        (4, "2027-04-30"),
    ]
    await at(house, "2040-01-01T00:00")
    await run_due(house)
    assert await expiries(house) == [(-4, local("2027-05-01T00:00")), (-2, FEBRUARY)]
    assert (await house.balance(), await house.breaches()) == (1, {})


async def test_x10_what_ends_first_is_spent_first(house: House) -> None:
    """X10, D10: 30 end on 31 January, 20 on 28 February; 25 are spent; 5 end, 20 stay."""
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-11-01T12:00")
    await house.earn(till=till(20))
    await at(house, "2026-10-01T12:00")
    await house.earn(till=till(30))
    await at(house, "2027-01-10T12:00")
    await house.debit(25)

    await at(house, "2027-02-01T00:00")
    assert await house.balance() == 20
    await run_due(house)
    assert await expiries(house) == [(-5, FEBRUARY)]
    assert (await house.balance(), await house.breaches()) == (20, {})


async def test_d10_points_that_never_end_are_spent_last(house: House) -> None:
    """D10: earliest end, then oldest, never-ending last."""
    await at(house, "2026-09-01T12:00")
    await house.earn(till=till(7))
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-10-02T12:00")
    newer = await house.earn(till=till(10))
    await at(house, "2026-10-01T12:00")
    older = await house.earn(till=till(10))
    await at(house, "2026-11-01T12:00")
    await house.debit(25)

    line = (await ledger_of(house, limit=1)).lines[0]
    assert [(use.entry_id, use.points) for use in line.uses][:2] == [
        (older.entry.id, 10),
        (newer.entry.id, 10),
    ]
    assert [use.points for use in line.uses] == [10, 10, 5]


async def test_x11_what_was_refunded_does_not_end_again(house: House) -> None:
    """X11: 100 on 1 October, 40 refunded on 5 January, 60 end."""
    counter = Till(house=house)
    await counter.rules(SPEND_1, expiry_policy="P3M")
    await at(house, "2026-10-01T12:00")
    sale_id = (await counter.sell(line("a", 10000))).sale.id
    await at(house, "2027-01-05T12:00")
    assert (await counter.refund(sale_id, amount=4000)).balance == 60

    await at(house, "2027-02-01T00:00")
    await run_due(house)
    assert await expiries(house) == [(-60, FEBRUARY)]
    assert (await house.balance(), await house.breaches()) == (0, {})


async def test_x12_a_reward_taken_in_time_stays_though_its_points_would_have_ended(
    house: House,
) -> None:
    """X12: taken on 30 January; nothing ends; given back in February they are points of today."""
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-10-01T12:00")
    await house.earn(till=till(50))
    await at(house, "2027-01-30T12:00")
    reward = new_id()
    await house.debit(50, reward_id=reward)

    await at(house, "2027-02-05T12:00")
    assert await run_due(house) == 0
    assert await expiries(house) == []
    await house.give_back(reward)
    told = await account_of(house)
    assert told.balance == 50
    assert [e.last_day for e in told.expiring] == ["2027-05-31"]
    assert await house.breaches() == {}


async def test_x12_points_that_have_ended_pay_for_no_reward(house: House) -> None:
    """X12, D8: a second too late, however late the job is; the refusal says what there is."""
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-10-01T12:00")
    await house.earn(till=till(50))
    await save_rules(house, expiry_policy="never")
    await house.earn(till=till(8))
    await at(house, "2027-02-01T00:00")
    refusal = await refusal_of(house.debit(50))
    assert refusal.code == "insufficient_points"
    assert refusal.params["available_points"] == "8"
    await house.debit(8)
    assert await expiries(house) == [(-50, FEBRUARY)]
    assert (await house.balance(), await house.breaches()) == (0, {})


async def test_points_that_go_back_into_a_lot_end_with_it(house: House) -> None:
    """D35, D8: the lot ends before all that the account holds at that moment."""
    await save_rules(house, expiry_policy="P1M")
    await at(house, "2026-10-01T12:00")
    await house.earn(till=till(1))
    await save_rules(house, expiry_policy="P3M")
    await house.earn(till=till(10))
    await save_rules(house, expiry_policy="P6M")
    await house.earn(till=till(20))
    await at(house, "2026-11-15T12:00")
    reward = new_id()
    await house.debit(11, reward_id=reward)
    await at(house, "2026-12-02T12:00")
    # What it knows of ends is made anew here, where the second lot is empty.
    await house.earn(till=till(100))
    await house.give_back(reward)

    await at(house, "2027-02-01T00:00")
    assert await house.breaches() == {}
    assert await house.balance() == 121
    await run_due(house)
    assert await expiries(house) == [(-10, FEBRUARY)]
    assert await house.breaches() == {}


async def test_x13_a_debt_is_paid_before_anything_can_end(house: House) -> None:
    """X13: balance -10, then 15 on 1 October; 5 end, not 15."""
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-10-01T11:00")
    await house.adjust(-10, allow_negative_balance=True)
    await at(house, "2026-10-01T12:00")
    await house.earn(till=till(15))

    await at(house, "2027-02-01T08:00")
    await run_due(house)
    assert await expiries(house) == [(-5, FEBRUARY)]
    assert (await house.balance(), await house.breaches()) == (0, {})


@pytest.mark.parametrize("late", ["2027-02-01T00:00", "2027-02-03T09:30"], ids=["on-time", "late"])
async def test_x14_the_job_late_or_twice_gives_one_entry_of_the_right_date(
    house: House, late: str
) -> None:
    """X14: a single -100, dated 1 February."""
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-10-01T12:00")
    await house.earn(till=till(100))
    await at(house, late)
    assert [await run_due(house) for _ in range(3)] == [1, 0, 0]
    await at(house, "2027-03-01T00:00")
    assert await run_due(house) == 0
    assert await expiries(house) == [(-100, FEBRUARY)]
    assert await house.breaches() == {}


@pytest.mark.parametrize("write", ["earn", "adjust", "debit", "give_back", "count", "refund"])
async def test_d8_every_write_posts_first_what_is_overdue(house: House, write: str) -> None:
    """D8, X14: with the date of the end, whatever the write and however late the job."""
    counter = Till(house=house)
    await counter.rules(SPEND_1)
    await at(house, "2026-09-01T12:00")
    sale_id = (await counter.sell(line("a", 1000))).sale.id
    reward = new_id()
    await house.debit(4, reward_id=reward)
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-10-01T12:00")
    await house.earn(till=till(100))
    await at(house, "2027-02-03T12:00")
    match write:
        case "earn":
            assert (await house.earn(till=till(1))).balance == 7
        case "adjust":
            assert (await house.adjust(-1)).balance == 5
        case "debit":
            assert (await house.debit(6)).balance == 0
        case "give_back":
            assert (await house.give_back(reward)).balance == 10
        case "count":
            assert (await counter.sell(line("a", 300))).balance == 9
        case _:
            assert (await counter.refund(sale_id, amount=500)).balance == 1
    newest, expiry = (await house.entries())[:2]
    assert newest.sequence == expiry.sequence + 1
    assert (expiry.points, expiry.balance_after) == (-100, 6)
    assert expiry.occurred_at == stamp(FEBRUARY)
    assert await run_due(house) == 0
    assert await house.breaches() == {}


async def test_d8_reads_leave_out_what_has_ended_while_the_job_is_late(house: House) -> None:
    """D8: GetAccount, GetAccounts, SearchAccounts, OpenAccount, and the ledger says `overdue`."""
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-10-01T12:00")
    await house.earn(till=till(100))
    await save_rules(house, expiry_policy="P6M")
    await house.earn(till=till(7))
    other = (await house.account(new_id())).id
    await at(house, "2027-02-10T12:00")

    named = await house.stub.GetAccounts(
        pb.GetAccountsRequest(
            chain_id=house.chain_id, account_ids=[other, new_id(), house.alices_account]
        )
    )
    searched = await house.stub.SearchAccounts(
        pb.SearchAccountsRequest(chain_id=house.chain_id, member_ids=[house.alice])
    )
    one = await account_of(house)
    assert [account.id for account in named.accounts] == [other, house.alices_account]
    assert named.accounts[1] == searched.accounts[0] == one == await house.account(house.alice)
    assert (one.balance, one.lifetime_points) == (7, 107)
    assert [(e.points, e.last_day) for e in one.expiring] == [(7, "2027-04-30")]
    ledger = await ledger_of(house)
    assert (ledger.balance, ledger.overdue) == (107, 100)
    assert await expiries(house) == []
    assert await house.breaches() == {}


async def test_sq_68_what_ends_is_told_with_its_dates(house: House) -> None:
    """SQ-68: 30 on 31 January and 20 on 28 February; what never ends is not among them."""
    await at(house, "2026-09-01T12:00")
    await house.earn(till=till(9))
    await save_rules(house, expiry_policy="P3M")
    for day, points in (("2026-10-01", 10), ("2026-10-30", 20), ("2026-11-02", 20)):
        await at(house, f"{day}T12:00")
        await house.earn(till=till(points))
    told = await account_of(house)
    assert told.balance == 59
    assert [(e.points, e.last_day) for e in told.expiring] == [
        (30, "2027-01-31"),
        (20, "2027-02-28"),
    ]


async def test_a_batch_posts_overdue_expiry_of_those_who_have_some(house: House) -> None:
    """D8: 40 members in one request, half of them with points that ended; neighbours untouched."""
    members = [new_id() for _ in range(40)]
    await save_rules(house, expiry_policy="P1M")
    await at(house, "2026-10-01T12:00")
    await house.earn_all([house.item(member_id=member) for member in members[:20]])
    await at(house, "2026-12-05T12:00")
    items = [house.item(member_id=member, till=till(3)) for member in (*members, members[0])]
    outcomes = await house.earn_all(items)
    assert [outcome.earned.balance for outcome in outcomes] == [3] * 40 + [6]
    assert [outcome.earned.entry.sequence for outcome in outcomes] == [3] * 20 + [1] * 20 + [4]
    assert len(await house.events("points.expired")) == 20
    assert await house.breaches() == {}


async def test_the_earn_path_pays_only_for_what_is_due(
    house: House, points_urls: DatabaseUrls
) -> None:
    """P1, D8: with an expiry policy as many statements as without.

    Where points ended two more: their lots, and the answer, which names a later posting.
    """
    pool = await create_pool(points_urls.service_url, size_max=1, name="points-counted")
    deps = replace(house.deps, pool=pool)
    queue = EarnQueue(deps)
    statements: list[str] = []

    def heard(record: Any) -> None:
        statements.append(record.query)

    async with pool.acquire() as conn:
        conn.add_query_logger(heard)

    async def cost() -> int:
        statements.clear()
        (result,) = await earn_points(deps, queue, [as_earn(house, new_id(), house.alice)])
        assert isinstance(result, Earned)
        return len(statements)

    await at(house, "2026-10-01T12:00")
    # The first ones of a connection ask about types, too.
    warm = [await cost() for _ in range(3)]
    await save_rules(house, expiry_policy="P3M")
    assert [await cost() for _ in range(2)] == [warm[-1]] * 2
    await at(house, "2027-02-01T12:00")
    assert [await cost() for _ in range(2)] == [warm[-1] + 2, warm[-1]]
    await queue.drain()
    await pool.close()
    assert await expiries(house) == [(-1, FEBRUARY)] * 2
    assert await house.breaches() == {}
