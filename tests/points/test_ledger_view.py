"""The ledger that a member can check by hand: N3, SQ-03, SQ-04."""

from __future__ import annotations

from typing import Any

import pytest
from loyalty.points.v1 import points_pb2 as pb

from tests.points.calendar import at, ledger_of, run_due, save_rules, till
from tests.points.house import House, new_id, refusal_of

EARN, ADJUSTMENT = pb.ENTRY_KIND_EARN, pb.ENTRY_KIND_ADJUSTMENT
REWARD, EXPIRY = pb.ENTRY_KIND_REWARD, pb.ENTRY_KIND_EXPIRY


async def test_n3_a_balance_is_what_was_earned_less_what_left(house: House) -> None:
    """N3: balance 57 = 120 earned - 50 taken - 13 expired; each line says of what."""
    await save_rules(house, expiry_policy="P1M")
    await at(house, "2026-10-01T12:00")
    first = await house.earn(till=till(63))
    await save_rules(house, expiry_policy="never")
    second = await house.earn(till=till(57))
    await house.debit(50)
    await at(house, "2026-12-03T12:00")
    await run_due(house)

    view = await ledger_of(house)
    assert view.balance == 57
    assert [(total.kind, total.points, total.entries) for total in view.totals] == [
        (EARN, 120, 2),
        (REWARD, -50, 1),
        (EXPIRY, -13, 1),
    ]
    assert sum(total.points for total in view.totals) == view.balance
    assert (view.overdue, view.more) == (0, False)
    expired, taken, later, earlier = view.lines
    assert [(use.entry_id, use.points) for use in expired.uses] == [(first.entry.id, 13)]
    assert [(use.entry_id, use.points) for use in taken.uses] == [(first.entry.id, 50)]
    assert (later.entry.id, later.remaining, later.expiry_policy) == (second.entry.id, 57, "never")
    assert not later.HasField("expires_at")
    assert (earlier.entry.id, earlier.remaining, earlier.expiry_policy) == (
        first.entry.id,
        0,
        "P1M",
    )
    assert earlier.HasField("expires_at")
    assert [line.entry for line in view.lines] == sorted(
        (line.entry for line in view.lines), key=lambda entry: -entry.sequence
    )
    assert await house.breaches() == {}


async def test_a_return_is_shown_as_put_back(house: House) -> None:
    """D35: negative uses; the lines of an entry that came back name where its points came from."""
    earned = await house.earn(till=till(10))
    reward = new_id()
    await house.debit(6, reward_id=reward)
    await house.give_back(reward)
    back, taken, came = (await ledger_of(house)).lines
    assert [(use.entry_id, use.points) for use in back.uses] == [(earned.entry.id, -6)]
    assert [(use.entry_id, use.points) for use in taken.uses] == [(earned.entry.id, 6)]
    assert (came.remaining, back.entry.reverses) == (10, taken.entry.id)


async def test_a_debt_is_paid_out_of_what_comes(house: House) -> None:
    """X13: of 15 earned into a debt of 10, 5 remain; nothing earlier was used for it."""
    await house.adjust(-10, allow_negative_balance=True)
    await house.earn(till=till(15))
    line = (await ledger_of(house, limit=1)).lines[0]
    assert (line.entry.points, line.remaining, list(line.uses)) == (15, 5, [])


async def test_pages_go_by_sequence(house: House) -> None:
    """Totals are of the whole account on every page."""
    for points in (1, 2, 4, 8, 16):
        await house.earn(till=till(points))
    seen: list[int] = []
    before = 0
    while True:
        page = await ledger_of(house, before_sequence=before, limit=2)
        assert [(total.points, total.entries) for total in page.totals] == [(31, 5)]
        seen += [line.entry.points for line in page.lines]
        before = page.lines[-1].entry.sequence
        if not page.more:
            break
    assert seen == [16, 8, 4, 2, 1]
    assert not (await ledger_of(house, before_sequence=1)).lines


async def test_each_line_is_the_entry_that_the_feed_tells(house: House) -> None:
    """With whose it is and when the database took it down, too."""
    await house.earn(till=till(12))
    await house.debit(5)
    lines = (await ledger_of(house)).lines
    assert [line.entry for line in lines] == await house.entries()
    assert all(line.entry.HasField("recorded_at") for line in lines)


async def test_sq_03_an_entry_says_how_many_and_where(house: House) -> None:
    """SQ-03: 12 points at salon B."""
    salon_b = new_id()
    await house.add_salon(house.chain_id, salon_b)
    await house.earn(till=till(12), salon_id=salon_b)
    entry = (await ledger_of(house)).lines[0].entry
    assert (entry.kind, entry.points, entry.salon_id) == (EARN, 12, salon_b)


async def test_sq_04_an_adjustment_says_why_and_by_whom(house: House) -> None:
    """SQ-04, SQ-30: -5 "erreur" by Bob."""
    await house.earn(till=till(5))
    await house.adjust(-5, reason=pb.ADJUSTMENT_REASON_ERROR)
    entry = (await ledger_of(house)).lines[0].entry
    assert (entry.kind, entry.points) == (ADJUSTMENT, -5)
    assert (entry.reason, entry.actor) == (pb.ADJUSTMENT_REASON_ERROR, house.bob)


async def test_charlie_sees_nothing_of_alices_ledger(house: House) -> None:
    """Another chain's account is unknown like one that is not there."""
    request = pb.GetLedgerRequest(chain_id=house.charlies_chain, account_id=house.alices_account)
    assert (await refusal_of(house.stub.GetLedger(request))).code == "account_unknown"
    assert (await refusal_of(ledger_of(house, account_id=new_id()))).code == "account_unknown"


@pytest.mark.parametrize(
    ("page", "field"),
    [
        ({"limit": 201}, "limit"),
        ({"limit": -1}, "limit"),
        ({"before_sequence": -1}, "before_sequence"),
    ],
)
async def test_a_page_has_its_limits(house: House, page: dict[str, Any], field: str) -> None:
    refusal = await refusal_of(ledger_of(house, **page))
    assert (refusal.code, refusal.field) == ("number_out_of_range", field)
