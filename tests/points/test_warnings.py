"""Who is told that points end, and when (SQ-67, D9): examples W1 to W11."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from loyalty.events.v1.points_events_pb2 import PointsExpiring

from services.chassis.metrics import REGISTRY
from services.points import jobs
from services.points.domain.ids import ChainId
from services.points.domain.warnings import next_look, window
from services.points.usecases import warnings
from tests.points.calendar import at, local, save_rules, till
from tests.points.house import House, new_id

TORONTO = ZoneInfo("America/Toronto")


def chain_of(house: House) -> ChainId:
    return ChainId(UUID(house.chain_id))


async def look(house: House, day: str) -> int:
    """The job's look on a day; how many were told of."""
    await at(house, f"{day}T03:00")
    return await warnings.look(house.deps, chain_of(house))


async def told(house: House) -> list[PointsExpiring]:
    rows = await house.deps.pool.fetch(
        "SELECT payload FROM outbox WHERE chain_id = $1 AND type = 'points.expiring' ORDER BY id",
        house.chain_id,
    )
    return [PointsExpiring.FromString(row["payload"]) for row in rows]


async def earn_in_october(house: House, *points: int, policy: str = "P3M") -> None:
    """Points of 1 October that end with January, in a chain that was looked at since."""
    await house.keep_chain(version=2)
    await save_rules(house, expiry_policy=policy)
    await at(house, "2026-10-01T12:00")
    for each in points:
        await house.earn(till=till(each))
    await look(house, "2027-01-13")


async def test_points_are_told_of_on_the_sixteenth_day_and_once(house: House) -> None:
    """W1 to W3: not with 17 days left, with 16, and not again with 15 and 14."""
    await earn_in_october(house, 100)
    counts = [await look(house, f"2027-01-{day}") for day in (14, 15, 15, 16, 17, 18)]
    assert counts == [0, 1, 0, 0, 0, 0]
    (warning,) = await told(house)
    assert (warning.points, warning.last_day, warning.balance) == (100, "2027-01-31", 100)
    assert await house.breaches() == {}
    assert (warning.account_id, warning.member_id) == (house.alices_account, house.alice)
    assert warning.expires_at.ToDatetime(tzinfo=UTC) == local("2027-02-01T00:00")


async def test_a_job_that_was_down_for_two_days_still_tells_with_14_left(house: House) -> None:
    """W4."""
    await earn_in_october(house, 100)
    await look(house, "2027-01-14")
    assert await look(house, "2027-01-17") == 1
    assert len(await told(house)) == 1


async def test_three_days_down_tell_nobody_but_the_operators(house: House) -> None:
    """W5: with 13 days left no message; the number of accounts shows for operators, once."""
    await earn_in_october(house, 100)
    await look(house, "2027-01-14")
    before = await missed(house)
    assert await look(house, "2027-01-18") == 0
    assert await told(house) == []
    assert await missed(house) == before + 1
    assert await look(house, "2027-01-19") == 0
    assert await missed(house) == before + 1
    # The database wrote it down in real time.
    await at(house, datetime.now(TORONTO).strftime("%Y-%m-%dT%H:%M"))
    await warnings.look_everywhere(house.deps)
    shown = REGISTRY.get_sample_value("loyalty_expiry_warnings_missed")
    assert shown


async def missed(house: House) -> int:
    count: int = await house.deps.pool.fetchval(
        "SELECT count(*) FROM expiry_notice WHERE chain_id = $1 AND missed", house.chain_id
    )
    return count


@pytest.mark.parametrize(
    ("last_day", "days"),
    [
        ("2027-02-28", ["2027-02-12", "2027-02-13", "2027-02-14"]),
        ("2028-02-29", ["2028-02-13", "2028-02-14", "2028-02-15"]),
        ("2027-01-31", ["2027-01-15", "2027-01-16", "2027-01-17"]),
    ],
)
def test_the_window_is_three_days_in_every_month(last_day: str, days: list[str]) -> None:
    """W6, W7."""
    last = date.fromisoformat(last_day)
    telling = [
        day.isoformat()
        for day in (last - timedelta(days=left) for left in range(30, -1, -1))
        if window(day, looked=day - timedelta(days=1)).tells(last)
    ]
    assert telling == days


async def test_lots_of_one_last_day_are_one_warning(house: House) -> None:
    """W8: 30 and 20 are 50."""
    await earn_in_october(house, 30, 20)
    await look(house, "2027-01-15")
    assert [one.points for one in await told(house)] == [50]


async def test_spent_points_are_not_warned_of(house: House) -> None:
    """W9."""
    await earn_in_october(house, 100)
    await at(house, "2027-01-14T12:00")
    await house.adjust(-100)
    assert await look(house, "2027-01-15") == 0
    assert await told(house) == []


async def test_points_that_never_end_are_not_warned_of(house: House) -> None:
    """W11."""
    await house.keep_chain(version=2)
    await at(house, "2026-10-01T12:00")
    await house.earn(till=till(100))
    for day in (14, 15, 16, 17):
        assert await look(house, f"2027-01-{day}") == 0
    assert await warnings.next_due(house.deps, chain_of(house)) is None


async def test_a_big_chain_is_told_page_by_page_and_each_account_once(house: House) -> None:
    await house.keep_chain(version=2)
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-10-01T12:00")
    members = [new_id() for _ in range(25)]
    await house.earn_all([house.item(member_id=each, till=till(5)) for each in members])
    await look(house, "2027-01-14")
    await at(house, "2027-01-15T00:00")
    assert await warnings.look(house.deps, chain_of(house), chunk=4) == 25
    assert sorted(one.member_id for one in await told(house)) == sorted(members)


async def test_days_are_counted_on_the_chains_calendar(house: House) -> None:
    """D38: 04:59 UTC of the 15th is the 14th in Montréal."""
    await earn_in_october(house, 100)
    house.clock.set(local("2027-01-14T23:59"))
    assert await warnings.look(house.deps, chain_of(house)) == 0
    house.clock.set(local("2027-01-15T00:00"))
    assert await warnings.look(house.deps, chain_of(house)) == 1


async def test_charlies_chain_is_told_of_its_own_alone(house: House) -> None:
    await earn_in_october(house, 100)
    await at(house, "2027-01-15T03:00")
    assert await warnings.look(house.deps, ChainId(UUID(house.charlies_chain))) == 0
    assert await told(house) == []


async def test_a_walk_meets_the_day_of_the_warning(house: House) -> None:
    """A sandbox clock stops on 15 January and finds the warning there; then the next is the end."""
    await earn_in_october(house, 100)
    source = jobs.due_source(house.deps)
    due = await source.next_due(chain_of(house))
    assert due == local("2027-01-15T00:00")
    house.clock.set(due)
    assert await source.run_due(chain_of(house)) == 1
    (warning,) = await told(house)
    assert warning.last_day == "2027-01-31"
    later = await source.next_due(chain_of(house))
    assert later is not None
    assert later > due


def test_a_look_is_due_only_while_there_is_something_to_tell() -> None:
    last = date(2027, 1, 31)

    def due(looked: date | None, today: date) -> datetime | None:
        return next_look(last, looked=looked, today=today, zone=TORONTO)

    assert due(None, date(2026, 12, 1)) == local("2027-01-15T00:00")
    assert due(date(2027, 1, 15), date(2027, 1, 15)) == local("2027-01-16T00:00")
    assert due(date(2027, 1, 17), date(2027, 1, 17)) is None
    assert due(date(2027, 1, 14), date(2027, 1, 18)) is None
