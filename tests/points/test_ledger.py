"""Points by hand and points for rewards: LS-33, LS-72, LS-73, SQ-04, SQ-30, D3, D17, D35."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest
from loyalty.points.v1 import points_pb2 as pb

from tests.points.house import House, new_id, refusal_of


def till(points: int) -> pb.TillOrigin:
    return pb.TillOrigin(points=points)


async def test_ls_72_points_are_added_by_hand(house: House) -> None:
    """LS-72, SQ-04: +2 on 3 is 5; the history says who, when, how many and why."""
    await house.earn(till=till(3))
    answer = await house.adjust(2, salon_id=house.salon_id, note="  oublié mardi  ")
    assert answer.balance == 5
    entry = answer.entry
    assert (entry.kind, entry.points, entry.reason) == (
        pb.ENTRY_KIND_ADJUSTMENT,
        2,
        pb.ADJUSTMENT_REASON_SALON,
    )
    assert (entry.actor, entry.note, entry.salon_id) == (
        house.bob,
        "oublié mardi",
        house.salon_id,
    )
    assert (await house.entries())[0] == entry


async def test_ls_73_points_are_removed_by_hand(house: House) -> None:
    """LS-73: −1 on 5 is 4; −10 on 4 is refused with the balance; 0 is refused."""
    await house.earn(till=till(5))
    assert (await house.adjust(-1)).balance == 4
    refusal = await refusal_of(house.adjust(-10))
    assert (refusal.code, refusal.field) == ("balance_below_zero", "points")
    assert refusal.params == {"balance": "4", "points": "-10"}
    assert refusal.status is grpc.StatusCode.FAILED_PRECONDITION
    nothing = await refusal_of(house.adjust(0))
    assert (nothing.code, nothing.field) == ("points_invalid", "points")
    assert await house.balance() == 4


async def test_sq_30_an_adjustment_names_its_reason(house: House) -> None:
    """SQ-30, D17: no reason is refused; "other" needs words; +10 "Geste commercial" is kept."""
    refusal = await refusal_of(house.adjust(10, reason=pb.ADJUSTMENT_REASON_UNSPECIFIED))
    assert (refusal.code, refusal.field) == ("reason_required", "reason")
    refusal = await refusal_of(house.adjust(10, reason=pb.ADJUSTMENT_REASON_OTHER, note="  "))
    assert (refusal.code, refusal.field) == ("note_required", "note")
    answer = await house.adjust(10, reason=pb.ADJUSTMENT_REASON_GOODWILL)
    assert (answer.balance, answer.entry.reason) == (10, pb.ADJUSTMENT_REASON_GOODWILL)
    assert [fact.reason for fact in await house.events()] == ["GOODWILL"]


async def test_ls_44_social_media_is_a_reason(house: House) -> None:
    """LS-44: one free point, granted by hand."""
    await house.adjust(1, reason=pb.ADJUSTMENT_REASON_SOCIAL)
    assert (await house.entries())[0].reason == pb.ADJUSTMENT_REASON_SOCIAL


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"points": 1_000_001}, "points_invalid", "points"),
        ({"points": -1_000_001}, "points_invalid", "points"),
        ({"points": 2**63 - 1}, "points_invalid", "points"),
        ({"points": -(2**63)}, "points_invalid", "points"),
        ({"note": "n" * 501}, "text_invalid", "note"),
        ({"note": "a\x00b"}, "text_invalid", "note"),
        ({"account_id": new_id()}, "account_unknown", "account_id"),
        ({"account_id": "account"}, "account_unknown", "account_id"),
        ({"salon_id": new_id()}, "salon_unknown", "salon_id"),
        ({"idempotency_key": ""}, "key_invalid", "idempotency_key"),
        ({"chain_id": ""}, "chain_unknown", "chain_id"),
    ],
)
async def test_what_no_hand_may_do_is_refused(
    house: House, changes: dict[str, Any], code: str, field: str
) -> None:
    refusal = await refusal_of(house.adjust(**{"points": 1} | changes))
    assert (refusal.code, refusal.field) == (code, field)
    assert await house.balance() == 0


async def test_an_adjustment_may_go_below_zero_when_it_says_so(house: House) -> None:
    """D3, X13: a debt is recovered from later earning, and no reward is taken meanwhile."""
    await house.earn(till=till(5))
    assert (await house.adjust(-15, allow_negative_balance=True)).balance == -10
    assert (await refusal_of(house.debit(1))).params == {
        "available_points": "0",
        "requested_points": "1",
    }
    assert (await house.earn(till=till(15))).balance == 5
    assert await house.lots() == [(5, 0), (15, 5)]
    assert await house.breaches() == {}


async def test_a_repeated_adjustment_returns_the_first_entry(house: House) -> None:
    key = new_id()
    first = await house.adjust(5, idempotency_key=key)
    await house.adjust(1)
    assert await house.adjust(5, idempotency_key=key) == first
    refusal = await refusal_of(house.adjust(6, idempotency_key=key))
    assert refusal.code == "IDEMPOTENCY_KEY_REUSED"
    assert await house.balance() == 6


async def test_a_refused_adjustment_leaves_no_key(house: House) -> None:
    key = new_id()
    await refusal_of(house.adjust(-3, idempotency_key=key))
    await house.earn(till=till(3))
    assert (await house.adjust(-3, idempotency_key=key)).balance == 0


async def test_charlies_chain_cannot_adjust_alices_account(house: House) -> None:
    refusal = await refusal_of(house.adjust(1, chain_id=house.charlies_chain))
    assert refusal.code == "account_unknown"


async def test_ls_33_points_leave_when_a_reward_is_taken(house: House) -> None:
    """LS-33, RW2: balance 12, take 10, balance 2; a double tap takes once."""
    await house.earn(till=till(12))
    reward = new_id()
    first = await house.debit(10, reward_id=reward)
    assert (first.balance, first.entry.points, first.entry.reward_id) == (2, -10, reward)
    assert first.entry.kind == pb.ENTRY_KIND_REWARD
    await house.earn(till=till(1))
    assert await house.debit(10, reward_id=reward) == first
    assert await house.balance() == 3


async def test_a_reward_that_costs_too_much_is_refused_with_both_numbers(house: House) -> None:
    await house.earn(till=till(9))
    refusal = await refusal_of(house.debit(10))
    assert refusal.code == "insufficient_points"
    assert refusal.params == {"available_points": "9", "requested_points": "10"}
    assert refusal.status is grpc.StatusCode.FAILED_PRECONDITION


async def test_one_reward_is_paid_for_by_one_account_at_one_price(house: House) -> None:
    await house.earn(till=till(30))
    bea = await house.account(new_id())
    await house.adjust(30, account_id=bea.id)
    reward = new_id()
    await house.debit(10, reward_id=reward)
    for changes in ({"points": 11}, {"points": 10, "account_id": bea.id}):
        refusal = await refusal_of(house.debit(**changes, reward_id=reward))
        assert refusal.code == "IDEMPOTENCY_KEY_REUSED"
    assert await house.balance(bea.id) == 30


@pytest.mark.parametrize("points", [0, -1, 2**31, 2**63 - 1])
async def test_a_reward_costs_at_least_one_point(house: House, points: int) -> None:
    assert (await refusal_of(house.debit(points))).code == "points_invalid"


async def test_d35_points_of_an_undone_reward_go_back_into_their_lots(house: House) -> None:
    """D35: the return names the debit; the lots are as before; it may be repeated."""
    for points in (4, 6, 5):
        await house.earn(till=till(points))
        house.later(60)
    reward = new_id()
    debit = await house.debit(12, reward_id=reward)
    assert await house.lots() == [(4, 0), (6, 0), (5, 3)]
    back = await house.give_back(reward, actor=house.bob)
    assert (back.balance, back.entry.points, back.entry.reverses) == (15, 12, debit.entry.id)
    assert back.entry.kind == pb.ENTRY_KIND_REWARD_RETURN
    assert await house.lots() == [(4, 4), (6, 6), (5, 5)]
    await house.earn(till=till(1))
    assert await house.give_back(reward) == back
    assert await house.balance() == 16
    assert await house.breaches() == {}


async def test_points_of_an_expired_lot_come_back_as_a_lot_of_their_own(house: House) -> None:
    """D35, D8: all its points come back; what was left of the lot has ended, and stays so."""
    await house.update_program(rules=pb.ProgramRules(expiry_policy="P1M"))
    await house.earn(till=till(10))
    reward = new_id()
    await house.debit(8, reward_id=reward)
    house.later(60 * 86400)
    assert (await house.give_back(reward)).balance == 8
    assert await house.lots() == [(10, 0), (8, 8)]
    assert await house.breaches() == {}


async def test_a_reward_that_was_never_paid_for_gives_nothing_back(house: House) -> None:
    await house.earn(till=till(5))
    reward = new_id()
    await house.debit(5, reward_id=reward)
    refusal = await refusal_of(house.give_back(new_id()))
    assert (refusal.code, refusal.status) == ("debit_unknown", grpc.StatusCode.NOT_FOUND)
    foreign = await refusal_of(house.give_back(reward, chain_id=house.charlies_chain))
    assert foreign.code == "debit_unknown"
    assert (await refusal_of(house.give_back("reward"))).code == "id_invalid"


async def test_lots_that_expire_first_are_spent_first(house: House) -> None:
    """D10, X10, on the rows: never-expiring last, then by age."""
    for points in (10, 20, 30):
        await house.earn(till=till(points))
        house.later(60)
    for points, days in ((20, 90), (30, 60)):
        await house.deps.pool.execute(
            "UPDATE lot SET expires_at = $3 WHERE chain_id = $1 AND points = $2",
            house.chain_id,
            points,
            house.clock.at + timedelta(days=days),
        )
    await house.debit(35)
    assert await house.lots() == [(10, 10), (20, 15), (30, 0)]


async def test_a_spending_reads_no_more_lots_than_it_can_need(house: House) -> None:
    """A hot account has thousands of lots of one point; each still open holds at least one."""
    await house.earn_all([house.item() for _ in range(100)])
    assert (await house.debit(60)).balance == 40
    assert sum(remaining for _, remaining in await house.lots()) == 40
    assert (await house.debit(40)).balance == 0
    assert await house.breaches() == {}
