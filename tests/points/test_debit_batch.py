"""Many takes paid for in one transaction: each as if it had come alone (LS-33)."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest
from loyalty.points.v1 import points_pb2 as pb

from services.chassis.grpc_client import item_refused
from services.points.storage import ledger as ledger_rows
from tests.points.house import House, new_id


def debit(house: House, account_id: str, points: int, **changes: str) -> pb.DebitPointsRequest:
    values: dict[str, Any] = {
        "chain_id": house.chain_id,
        "account_id": account_id,
        "reward_id": new_id(),
        "points": points,
        "actor": house.herself,
        **changes,
    }
    return pb.DebitPointsRequest(**values)


async def debit_all(house: House, items: list[pb.DebitPointsRequest]) -> list[pb.DebitOutcome]:
    answer = await house.stub.DebitPointsBatch(pb.DebitPointsBatchRequest(items=items))
    assert len(answer.outcomes) == len(items)
    return list(answer.outcomes)


def told(outcome: pb.DebitOutcome) -> int | str:
    """The balance after a debit, or the code of its refusal."""
    if outcome.WhichOneof("outcome") == "debited":
        return outcome.debited.balance
    return outcome.refusal.code


async def test_ls_33_many_rewards_are_paid_for_together_and_each_is_answered(house: House) -> None:
    """LS-33: one account spends lot by lot, another is refused, a third is nobody's."""
    for _ in range(4):
        await house.adjust(5)
    other = (await house.account(new_id())).id
    outcomes = await debit_all(
        house,
        [
            debit(house, house.alices_account, 7),
            debit(house, other, 1),
            debit(house, house.alices_account, 8),
            debit(house, new_id(), 1),
            debit(house, house.alices_account, 6),
            debit(house, house.alices_account, 0),
            debit(house, house.alices_account, 5),
        ],
    )
    assert [told(outcome) for outcome in outcomes] == [
        13,
        "insufficient_points",
        5,
        "account_unknown",
        "insufficient_points",
        "points_invalid",
        0,
    ]
    refusal: Any = item_refused(outcomes[4].refusal)
    assert (refusal.status.name, refusal.params) == (
        "FAILED_PRECONDITION",
        {"available_points": "5", "requested_points": "6"},
    )
    assert await house.balance() == 0
    assert await house.breaches() == {}


async def test_a_reward_is_paid_for_once_however_often_it_stands_in_batches(house: House) -> None:
    """Twins in one batch, in parallel batches, and beside the call for one."""
    await house.adjust(100)
    item = debit(house, house.alices_account, 10)
    answers = await asyncio.gather(*(debit_all(house, [item, item]) for _ in range(6)))
    alone = await house.stub.DebitPoints(item)
    assert {told(outcome) for outcomes in answers for outcome in outcomes} == {90}
    assert alone.entry.id == answers[0][0].debited.entry.id
    assert await house.balance() == 90
    assert await house.breaches() == {}


async def test_one_reward_at_another_price_or_for_another_account_is_refused(house: House) -> None:
    await house.adjust(100)
    other = (await house.account(new_id())).id
    first = debit(house, house.alices_account, 10)
    dearer = debit(house, house.alices_account, 11, reward_id=first.reward_id)
    elsewhere = debit(house, other, 10, reward_id=first.reward_id)
    outcomes = await debit_all(house, [first, dearer, elsewhere])
    assert [told(outcome) for outcome in outcomes] == [
        90,
        "IDEMPOTENCY_KEY_REUSED",
        "IDEMPOTENCY_KEY_REUSED",
    ]


async def test_charlie_cannot_pay_with_alices_points(house: House) -> None:
    await house.adjust(100)
    wanted = debit(house, house.alices_account, 10, chain_id=house.charlies_chain)
    (outcome,) = await debit_all(house, [wanted])
    assert told(outcome) == "account_unknown"
    assert await house.balance() == 100


async def test_what_cannot_be_read_is_refused_alone(house: House) -> None:
    await house.adjust(10)
    outcomes = await debit_all(
        house,
        [
            debit(house, house.alices_account, 1, reward_id="no id"),
            debit(house, house.alices_account, 1),
            debit(house, "no id", 1),
        ],
    )
    assert [told(outcome) for outcome in outcomes] == ["id_invalid", 9, "account_unknown"]


async def test_a_debit_that_breaks_its_batch_harms_only_itself(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.adjust(10)
    items = [debit(house, house.alices_account, 1) for _ in range(3)]
    poison = items[1].reward_id
    write = ledger_rows.write

    async def breaking(conn: Any, movements: Any) -> Any:
        if any(str(movement.posting.reward_id) == poison for movement in movements):
            raise ValueError("poison")
        return await write(conn, movements)

    monkeypatch.setattr(ledger_rows, "write", breaking)
    outcomes = await debit_all(house, items)
    assert [told(outcome) for outcome in outcomes] == [9, "internal", 8]
    assert await house.breaches() == {}


async def test_parallel_batches_over_the_same_accounts_never_pay_too_much(house: House) -> None:
    """LS-29: opposite orders, too few points for all: no deadlock ends in a fault, none below 0."""
    accounts = [(await house.account(new_id())).id for _ in range(6)]
    for account in accounts:
        await house.adjust(10, account_id=account)
    batches = [
        [debit(house, account, 3) for account in (accounts if turn % 2 else accounts[::-1])]
        for turn in range(8)
    ]
    answers = await asyncio.gather(*(debit_all(house, batch) for batch in batches))
    codes = [told(outcome) for outcomes in answers for outcome in outcomes]
    assert sorted(code for code in codes if isinstance(code, int)) == sorted([7, 4, 1] * 6)
    assert codes.count("insufficient_points") == 8 * 6 - 18
    assert await house.breaches() == {}


@pytest.mark.parametrize("count", [0, 257])
async def test_a_batch_holds_one_to_256(house: House, count: int) -> None:
    item = debit(house, house.alices_account, 1)
    with pytest.raises(Exception, match="number_out_of_range"):
        await debit_all(house, [item] * count)


async def test_points_that_have_ended_pay_for_nothing(house: House) -> None:
    """D8: overdue expiry is posted before the batch spends, also where it then refuses."""
    await house.adjust(10)
    house.later(60)
    await house.adjust(5)
    account = uuid.UUID(house.alices_account)
    end = house.clock.at + timedelta(days=1)
    async with house.deps.pool.acquire() as conn:
        await conn.execute(
            "UPDATE lot SET expires_at = $2 WHERE account_id = $1 AND points = 10", account, end
        )
        await conn.execute("UPDATE account SET expiry_due = $2 WHERE id = $1", account, end)
    house.clock.advance(timedelta(days=2))
    items = [debit(house, house.alices_account, points) for points in (6, 4)]
    outcomes = await debit_all(house, items)
    assert [told(outcome) for outcome in outcomes] == ["insufficient_points", 1]
    kinds = [entry.kind for entry in await house.entries()]
    assert kinds.count(pb.ENTRY_KIND_EXPIRY) == 1
    assert await house.breaches() == {}
