"""Sales under many hands at once: one effect where one is meant, and never half of one."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loyalty.events.v1 import points_events_pb2 as events_pb
from loyalty.points.v1 import points_pb2 as pb

from services.chassis.errors import RemoteRefusal
from services.chassis.postgres import transaction
from services.points.domain.ids import ChainId, ChangeId, RewardId, SaleId
from services.points.domain.ledger import Actor
from services.points.domain.refunds import FullRefund
from services.points.storage import sales as sale_rows
from services.points.usecases import sale_changes
from services.points.usecases.sale_changes import SaleRefund
from tests.points.house import House, new_id
from tests.points.till import SPEND_1, Till, line


async def together(*calls: Any) -> tuple[list[Any], list[str]]:
    """Answers, and codes of refusals, of calls that are made at once."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    for refusal in refused:
        assert isinstance(refusal, RemoteRefusal), refusal
    return (
        [answer for answer in answers if not isinstance(answer, BaseException)],
        sorted(refusal.code for refusal in refused if isinstance(refusal, RemoteRefusal)),
    )


async def test_16_counts_with_16_keys_are_one_earning(till: Till) -> None:
    """N2: one earns, fifteen point to its entries."""
    await till.promotion()
    sale = await till.post(line("a", 4200))

    answers, refused = await together(*(till.count(sale.id) for _ in range(16)))

    assert refused == []
    assert [answer.already_counted for answer in answers].count(False) == 1
    assert {tuple(e.id for e in answer.entries) for answer in answers} == {
        tuple(e.id for e in answers[0].entries)
    }
    assert await till.house.balance() == 84
    assert len(await till.house.entries()) == 2
    assert len(await till.facts("sale.counted", events_pb.SaleCounted)) == 1
    assert await till.house.breaches() == {}


async def test_16_counts_with_one_key_are_one_answer(till: Till) -> None:
    sale = await till.post(line("a", 4200))
    key = new_id()

    answers, refused = await together(
        *(till.count(sale.id, idempotency_key=key) for _ in range(16))
    )

    assert refused == []
    assert all(answer == answers[0] for answer in answers)
    assert await till.house.balance() == 42


async def test_two_members_who_count_one_sale_of_nobody(till: Till, house: House) -> None:
    """It becomes one of them's; the other is told so."""
    others = [(await house.account(new_id())).id for _ in range(6)]
    sale = await till.post(line("a", 4200), member_id="")

    answers, refused = await together(
        *(till.count(sale.id, account_id=account) for account in others)
    )

    assert (len(answers), set(refused)) == (1, {"sale_of_another"})
    assert sum([await house.balance(account) for account in others]) == 42
    assert await house.breaches() == {}


async def test_a_count_that_meets_a_reward(till: Till, house: House) -> None:
    """Before the count it lowers total and points; after it, it is refused; never in between."""
    for _ in range(8):
        before = await house.balance()
        sale, reward = await till.post(line("a", 10000)), new_id()
        _, refused = await together(till.count(sale.id), till.apply(sale.id, reward))
        after = await till.sale(sale.id)
        expected = 100 if refused else 90
        assert refused in ([], ["sale_counted"])
        assert await house.balance() - before == expected == after.total_minor // 100
        assert after.earned.base == expected
        told = (await till.facts("sale.counted", events_pb.SaleCounted))[-1]
        assert list(told.reward_ids) == ([] if refused else [reward])
    assert await house.breaches() == {}


async def test_a_count_that_meets_a_take_for_the_sale(till: Till, house: House) -> None:
    """Refused after the count, no point has left for it."""
    await house.adjust(1000)
    for _ in range(6):
        before = await house.balance()
        sale = await till.post(line("a", 10000))
        discount = pb.RewardDiscount(name="10 %", percentage="10")
        _, refused = await together(
            till.count(sale.id), house.debit(50, sale_id=sale.id, discount=discount)
        )
        assert refused in ([], ["sale_counted"])
        assert await house.balance() - before == (100 if refused else 90 - 50)
    assert await house.breaches() == {}


async def test_one_reward_for_many_sales_at_once(till: Till) -> None:
    sales = [await till.post(line("a", 10000)) for _ in range(8)]
    reward = new_id()

    answers, refused = await together(*(till.apply(sale.id, reward) for sale in sales))

    assert (len(answers), set(refused)) == (1, {"reward_on_another_sale"})
    totals = sorted([(await till.sale(sale.id)).total_minor for sale in sales])
    assert totals == [9000] + [10000] * 7


async def test_a_reward_that_is_undone_while_it_goes_on_a_sale(till: Till, house: House) -> None:
    """D35: whichever comes first, its points are back and it is on no sale."""
    await house.adjust(50)
    for _ in range(10):
        sale, reward = await till.post(line("a", 10000)), new_id()
        await house.debit(50, reward_id=reward)
        _, refused = await together(till.apply(sale.id, reward), house.give_back(reward))
        assert refused in ([], ["reward_undone"])
        assert (await till.sale(sale.id)).total_minor == 10000
        assert await house.balance() == 50
    assert await house.breaches() == {}


async def test_a_reward_that_is_undone_waits_for_its_sale_with_nothing_in_hand(
    till: Till, house: House
) -> None:
    """A sale is locked before the rewards on it, by everybody: else two wait for each other."""
    await house.adjust(100)
    sale, reward = await till.post(line("a", 10000)), new_id()
    discount = pb.RewardDiscount(name="10 %", percentage="10")
    await house.debit(50, reward_id=reward, sale_id=sale.id, discount=discount)
    chain_id, sale_id = ChainId(UUID(house.chain_id)), SaleId(UUID(sale.id))
    async with transaction(house.deps.pool) as conn:
        await sale_rows.lock_sale(conn, chain_id, sale_id)
        undone = asyncio.create_task(house.give_back(reward))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
        async with asyncio.timeout(5):
            while not await house.deps.pool.fetchval(waiting):
                await asyncio.sleep(0.01)
        await conn.execute("SET LOCAL lock_timeout = '500ms'")
        await sale_rows.drop_rewards(
            conn, chain_id=chain_id, sale_id=sale_id, reward_ids=(RewardId(UUID(reward)),)
        )
    await undone
    assert await house.balance() == 100
    assert await house.breaches() == {}


async def test_many_rewards_for_one_sale_at_once(till: Till) -> None:
    """None is lost: three of five dollars on $100."""
    sale = await till.post(line("a", 10000))
    five = pb.RewardDiscount(name="5 $")
    five.amount.amount, five.amount.currency = 500, "CAD"

    _, refused = await together(*(till.apply(sale.id, new_id(), discount=five) for _ in range(6)))

    after = await till.sale(sale.id)
    assert (refused, after.total_minor, after.version) == ([], 7000, 7)


async def test_two_full_refunds_at_once_take_the_points_once(till: Till) -> None:
    """SQ-34: one is carried out, the others find nothing left."""
    counted = await till.sell(line("a", 10000))

    answers, refused = await together(*(till.refund(counted.sale.id) for _ in range(8)))

    assert (len(answers), set(refused)) == (1, {"refund_exceeds_sale"})
    assert await till.house.balance() == 0
    assert await till.house.breaches() == {}


async def test_one_refund_sent_many_times_at_once_is_one(till: Till) -> None:
    """R35: 12 keys, one refund id."""
    counted = await till.sell(line("a", 2500), line("b", 7500))

    answers, refused = await together(
        *(till.refund(counted.sale.id, items=["a"], change_id="r") for _ in range(12))
    )

    assert refused == []
    assert [answer.repeated_change for answer in answers].count(False) == 1
    assert {answer.points for answer in answers} == {-25}
    assert await till.house.balance() == 75
    assert await till.house.breaches() == {}


async def test_refunds_in_parts_at_once_end_where_one_does(till: Till) -> None:
    """D2: ten times $10 of $100 under a tier and a promotion, in whatever order."""
    await till.rules(
        SPEND_1,
        tiers=pb.Tiers(tiers=[pb.Tier(name="Tous", threshold=0, multiplier="1.333")]),
    )
    await till.promotion(multiplier="1.5")
    counted = await till.sell(line("a", 10000))

    answers, refused = await together(
        *(till.refund(counted.sale.id, amount=1000) for _ in range(10))
    )

    assert refused == []
    assert sum(answer.points for answer in answers) == -counted.balance
    assert await till.house.balance() == 0
    assert (await till.sale(counted.sale.id)).held == pb.SalePoints()
    assert await till.house.breaches() == {}


async def test_a_refund_and_an_exchange_at_once(till: Till) -> None:
    """Whichever comes first, what is left is what the sale then is worth."""
    for _ in range(5):
        before = await till.house.balance()
        counted = await till.sell(line("a", 4000), line("b", 2000))
        _, refused = await together(
            till.refund(counted.sale.id, items=["b"]),
            till.exchange(counted.sale.id, ["a"], line("c", 6000)),
        )
        assert refused == []
        assert await till.house.balance() - before == 60
    assert await till.house.breaches() == {}


async def test_a_count_and_a_refund_of_a_sale_of_nobody(till: Till) -> None:
    """Counted first, the refund takes it back; refunded first, it stays nobody's."""
    for _ in range(12):
        sale = await till.post(line("a", 4200), member_id="")
        _, refused = await together(till.count(sale.id), till.refund(sale.id))
        assert refused in ([], ["sale_counted"])
        assert await till.house.balance() == 0
    assert await till.house.breaches() == {}


async def test_a_process_that_dies_in_a_refund_leaves_nothing(till: Till, house: House) -> None:
    """One transaction: cut before its end, the same refund is carried out by the next attempt."""
    counted = await till.sell(line("a", 10000))
    sale_id = SaleId(UUID(counted.sale.id))
    asked = SaleRefund(
        idempotency_key=new_id(),
        chain_id=ChainId(UUID(house.chain_id)),
        sale_id=sale_id,
        refund=FullRefund(id=ChangeId("r")),
        currency="",
        dry_run=False,
        occurred_at=None,
        actor=Actor(),
    )
    before = [await till.sale(counted.sale.id), await house.entries()]

    async def cut() -> None:
        async with transaction(house.deps.pool) as conn:
            await sale_changes.carry_out(house.deps, conn, asked)
            await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await cut()

    assert [await till.sale(counted.sale.id), await house.entries()] == before
    assert (await till.refund(counted.sale.id, change_id="r")).balance == 0
    assert await house.breaches() == {}


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
async def test_any_refunds_that_end_in_a_full_one_leave_no_trace(
    till: Till, data: st.DataObject
) -> None:
    """N5: on the service itself: refunds, exchanges, resends, takes; then all of it back."""
    house = till.house
    start = await house.balance()
    prices = data.draw(st.lists(st.integers(1, 9000), min_size=1, max_size=4))
    counted = await till.sell(*(line(f"l{n}", price) for n, price in enumerate(prices)))
    back = sorted(data.draw(st.sets(st.sampled_from(range(len(prices))))))
    for place in back:
        if data.draw(st.booleans()):
            effect = await till.refund(counted.sale.id, items=[f"l{place}"], change_id=f"i{place}")
        else:
            effect = await till.exchange(
                counted.sale.id,
                [f"l{place}"],
                line("", data.draw(st.integers(1, 9000))),
                change_id=f"x{place}",
            )
        assert effect.balance == await house.balance()
        held = effect.sale.held
        assert effect.balance - start == held.base + held.tier_bonus + held.promotion
    after = await till.sale(counted.sale.id)
    if any(change.type == pb.SALE_CHANGE_TYPE_EXCHANGE for change in after.changes) or len(
        back
    ) < len(prices):
        await till.refund(counted.sale.id)
    assert await house.balance() == start
    assert (await till.sale(counted.sale.id)).held == pb.SalePoints()
    assert await house.breaches() == {}
