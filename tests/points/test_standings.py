"""Tiers over the wire and through the years: T1, T2, T5 to T7, T9, T11, SQ-05, D14."""

from __future__ import annotations

from datetime import UTC

import pytest
from loyalty.events.v1.points_events_pb2 import TierChanged
from loyalty.points.v1 import points_pb2 as pb

from tests.points.calendar import account_of, at, local, run_due, save_rules, till
from tests.points.house import House, new_id, stamp

BASE = pb.Tier(name="Base", threshold=0)
ARGENT = pb.Tier(name="Argent", threshold=500, multiplier="1.25")
OR = pb.Tier(name="Or", threshold=1000, multiplier="1.5")


async def launch(house: House, text: str = "2026-01-01T12:00") -> None:
    """Base 0, Argent 500 at 1.25, Or 1 000 at 1.5."""
    await house.keep_chain()
    await at(house, text)
    await save_rules(house, tiers=pb.Tiers(tiers=[BASE, ARGENT, OR]))


async def rung(house: House) -> tuple[str, int]:
    """Alice's tier and her progress, as she sees them."""
    tier = (await account_of(house)).tier
    return tier.tier.name, tier.progress


async def told(house: House) -> list[tuple[str, bool]]:
    """Changes of tier that were told, with whether they went up."""
    facts = await changes(house)
    return [(fact.tier_name, fact.risen) for fact in facts]


async def changes(house: House) -> list[TierChanged]:
    rows = await house.deps.pool.fetch(
        "SELECT payload FROM outbox WHERE chain_id = $1 AND type = 'tier.changed' ORDER BY id",
        house.chain_id,
    )
    return [TierChanged.FromString(row["payload"]) for row in rows]


async def test_t1_progress_counts_from_the_launch(house: House) -> None:
    """T1: 900 points of before: Base, progress 0, balance 900."""
    await at(house, "2025-12-31T12:00")
    await house.earn(till=till(900))
    assert not (await account_of(house)).HasField("tier")
    await launch(house)
    account = await account_of(house)
    assert (account.balance, account.tier.tier.name, account.tier.progress) == (900, "Base", 0)
    assert account.tier.next.name == "Argent"
    assert not account.tier.HasField("kept_until")
    assert await told(house) == []


async def test_t2_the_earn_that_reaches_a_tier_is_told_once(house: House) -> None:
    """T2, SQ-05: progress 480, +30 as given: 510, Argent for a year, one event."""
    await launch(house)
    await at(house, "2026-03-09T12:00")
    await house.earn(till=till(480))
    assert await rung(house) == ("Base", 480)
    await at(house, "2026-03-10T12:00")
    earned = await house.earn(till=till(30))
    assert (earned.entry.points, earned.entry.tier_bonus) == (30, 0)
    tier = (await account_of(house)).tier
    assert (tier.tier.name, tier.progress, tier.next.name) == ("Argent", 510, "Or")
    assert tier.kept_until.ToDatetime(tzinfo=UTC) == local("2027-03-10T12:00")
    (fact,) = await changes(house)
    assert (fact.tier_name, fact.threshold, fact.multiplier) == ("Argent", 500, "1.25")
    assert (fact.member_id, fact.account_id) == (house.alice, house.alices_account)
    assert (fact.risen, fact.occurred_at) == (True, stamp(local("2026-03-10T12:00")))
    assert await house.breaches() == {}


async def test_points_given_directly_come_as_given_in_any_tier(house: House) -> None:
    """D14: no bonus on a scan, a code or a till; they are base points for progress."""
    await launch(house)
    await house.earn(till=till(500))
    assert (await house.earn(scan=await house.scan())).entry.points == 1
    assert (await house.earn(till=till(30))).entry.tier_bonus == 0
    assert await rung(house) == ("Argent", 531)


@pytest.mark.parametrize(
    ("points", "tier"), [(499, "Base"), (500, "Argent"), (999, "Argent"), (1000, "Or")]
)
async def test_t5_the_threshold_is_included(house: House, points: int, tier: str) -> None:
    """T5: progress of exactly 1 000 is Or; from the foot to the top in one step."""
    await launch(house)
    await house.earn(till=till(points))
    assert await rung(house) == (tier, points)
    assert len(await told(house)) == (0 if tier == "Base" else 1)


async def kept_argent(house: House, points: int) -> None:
    """Argent since 10 March 2026, reached by a last point, and so many points of February 2027."""
    await launch(house)
    await at(house, "2026-01-02T12:00")
    await house.earn(till=till(499))
    await at(house, "2026-03-10T12:00")
    await house.earn(till=till(1))
    await at(house, "2027-02-01T12:00")
    await house.earn(till=till(points))


@pytest.mark.parametrize("late", ["2027-03-10T12:00", "2027-03-15T09:00"], ids=["on-time", "late"])
@pytest.mark.parametrize("way", ["job", "read", "earn"])
async def test_t6_a_tier_that_is_not_met_after_a_year_is_lost(
    house: House, late: str, way: str
) -> None:
    """T6: progress of 320 on 10 March 2027: Base, one message, dated that day; late or not."""
    await kept_argent(house, 320)
    await at(house, "2027-03-10T11:59:59")
    assert await run_due(house) == 0
    assert (await rung(house))[0] == "Argent"

    await at(house, late)
    if way == "read":
        # However late the job is.
        assert (await rung(house))[0] == "Base"
        assert len(await told(house)) == 1
    if way == "earn":
        await house.earn(till=till(1))
    assert await run_due(house) == (0 if way == "earn" else 1)
    assert await run_due(house) == 0
    assert await told(house) == [("Argent", True), ("Base", False)]
    fact = (await changes(house))[-1]
    assert fact.occurred_at == stamp(local("2027-03-10T12:00"))
    assert not fact.HasField("kept_until")
    assert not (await account_of(house)).tier.HasField("kept_until")
    assert await house.breaches() == {}


@pytest.mark.parametrize("late", ["2027-03-10T12:00", "2027-03-15T09:00"], ids=["on-time", "late"])
async def test_t7_a_tier_that_is_met_is_kept_for_another_year(house: House, late: str) -> None:
    """T7: progress of 610 on 10 March 2027: Argent to 10 March 2028, no message."""
    await kept_argent(house, 610)
    assert await rung(house) == ("Argent", 611)
    await at(house, late)
    assert [await run_due(house) for _ in range(2)] == [1, 0]
    assert await rung(house) == ("Argent", 610)
    kept_until = (await account_of(house)).tier.kept_until
    assert kept_until.ToDatetime(tzinfo=UTC) == local("2028-03-10T12:00")
    assert await told(house) == [("Argent", True)]
    assert await house.breaches() == {}


async def test_t9_an_adjustment_is_no_progress(house: House) -> None:
    """T9: +200 by hand: balance +200, progress unchanged."""
    await launch(house)
    await house.earn(till=till(480))
    await house.adjust(200)
    account = await account_of(house)
    assert (account.balance, account.tier.tier.name, account.tier.progress) == (680, "Base", 480)
    assert await told(house) == []


async def test_t11_spending_takes_no_tier(house: House) -> None:
    """T11: Or spends 900: Or."""
    await launch(house)
    await house.earn(till=till(1000))
    await house.debit(900)
    assert await rung(house) == ("Or", 1000)


async def test_what_expires_is_progress_all_the_same(house: House) -> None:
    """D14: progress is what was earned in twelve months, not what is left of it."""
    await launch(house)
    await save_rules(house, expiry_policy="P1M")
    await house.earn(till=till(500))
    await at(house, "2026-03-01T12:00")
    await run_due(house)
    account = await account_of(house)
    assert (account.balance, account.tier.tier.name, account.tier.progress) == (0, "Argent", 500)


async def test_an_upload_that_comes_late_counts_with_what_came_before_it(house: House) -> None:
    """D14: 480 today, 20 of yesterday uploaded today: 500 as of now, Argent."""
    await launch(house, "2026-06-01T12:00")
    await at(house, "2026-06-10T12:00")
    await house.earn(till=till(480))
    await house.earn(till=till(20), occurred_at=stamp(local("2026-06-09T12:00")))
    assert await rung(house) == ("Argent", 500)


async def test_a_batch_moves_each_member_by_herself(house: House) -> None:
    """Set-based: three members in one request, one of them twice; one event a change."""
    await launch(house)
    one, two, three = (new_id() for _ in range(3))
    outcomes = await house.earn_all(
        [
            house.item(member_id=one, till=till(499)),
            house.item(member_id=two, till=till(1000)),
            house.item(member_id=three, till=till(400)),
            house.item(member_id=one, till=till(1)),
        ]
    )
    assert [outcome.earned.entry.points for outcome in outcomes] == [499, 1000, 400, 1]
    assert sorted((fact.member_id, fact.tier_name) for fact in await changes(house)) == sorted(
        [(one, "Argent"), (two, "Or")]
    )
    assert await house.breaches() == {}


async def test_a_ladder_that_is_launched_anew_begins_anew(house: House) -> None:
    """D14: who stood on the one of before stands at its foot, and its checks are forgotten."""
    await launch(house)
    await house.earn(till=till(1000))
    await save_rules(house, tiers=pb.Tiers())
    assert not (await account_of(house)).HasField("tier")
    await at(house, "2026-02-01T12:00")
    await save_rules(house, tiers=pb.Tiers(tiers=[BASE, ARGENT]))
    assert await rung(house) == ("Base", 0)
    await at(house, "2027-02-01T12:00")
    await run_due(house)
    assert await run_due(house) == 0
    await house.earn(till=till(500))
    assert await told(house) == [("Or", True), ("Argent", True)]
    assert await house.breaches() == {}
