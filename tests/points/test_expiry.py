"""Expiry: the worked rows X1 to X14, and laws of lots that end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.points.domain import expiry
from services.points.domain.errors import ExpiryPolicyInvalid
from services.points.domain.expiry import Deadline, Ending
from services.points.domain.ledger import PostingKind
from services.points.domain.lots import POLICY_NEVER
from tests.points.tally import NOON, SPEND_1, TORONTO, Tally, custom, line, sold

FEBRUARY = datetime(2027, 2, 1, tzinfo=TORONTO).astimezone(UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TORONTO).astimezone(UTC)


@pytest.mark.parametrize(
    ("earned", "policy", "last_day", "gone"),
    [
        pytest.param("2026-10-01T12:00", "P3M", "2027-01-31", "2027-02-01", id="X1"),
        pytest.param("2026-10-31T23:30", "P3M", "2027-01-31", "2027-02-01", id="X2"),
        pytest.param("2026-11-30T12:00", "P3M", "2027-02-28", "2027-03-01", id="X3"),
        pytest.param("2027-11-15T12:00", "P3M", "2028-02-29", "2028-03-01", id="X4"),
        pytest.param("2026-01-31T12:00", "P1M", "2026-02-28", "2026-03-01", id="X5"),
        pytest.param("2020-07-06T12:00", "P12M", "2021-07-31", "2021-08-01", id="X6"),
        pytest.param("2026-10-20T12:00", "P6M", "2027-04-30", "2027-05-01", id="X9"),
    ],
)
def test_points_end_with_the_last_day_of_their_last_month(
    earned: str, policy: str, last_day: str, gone: str
) -> None:
    """SQ-66, D8: gone at midnight on the salon's clock."""
    end = expiry.expires_at(local(earned), policy=policy, zone=TORONTO)

    assert end == local(f"{gone}T00:00")
    assert expiry.last_day(end, zone=TORONTO) == date.fromisoformat(last_day)


def test_x1_points_are_usable_to_the_last_second() -> None:
    """X1, SQ-66: 100 on 1 October; 31 January 23:59:59 usable, 1 February 00:00 gone, -100."""
    tally = Tally()
    tally.earn(100, policy="P3M")

    assert tally.expire(now=FEBRUARY - SECOND) == []
    assert expiry.usable_balance(tally.account, tally.endings(), now=FEBRUARY - SECOND) == 100
    assert expiry.usable_balance(tally.account, tally.endings(), now=FEBRUARY) == 0
    (movement,) = tally.expire(now=FEBRUARY)
    assert movement.posting.kind is PostingKind.EXPIRY
    assert movement.posting.signed_points == -100
    assert (movement.posting.occurred_at, tally.balance) == (FEBRUARY, 0)


@pytest.mark.parametrize(
    ("earned", "then", "now", "last_day"),
    [
        pytest.param("2026-10-01T12:00", "P3M", POLICY_NEVER, "2027-01-31", id="X7"),
        pytest.param("2026-09-10T12:00", POLICY_NEVER, "P6M", None, id="X8"),
    ],
)
def test_a_lot_keeps_the_policy_under_which_it_was_earned(
    earned: str, then: str, now: str, last_day: str | None
) -> None:
    """X7, X8, SQ-65, N8: the policy of today is not even asked; the next lot has it."""
    tally = Tally()
    old = tally.lots[tally.earn(100, at=local(earned), policy=then)]
    tally.earn(5, at=local("2026-10-20T12:00"), policy=now)

    end = old.expires_at
    assert old.policy == then
    assert (expiry.last_day(end, zone=TORONTO).isoformat() if end else None) == last_day
    tally.expire(now=local("2040-01-01T00:00"))
    assert tally.balance == (5 if now == POLICY_NEVER else 100)


def test_x10_spending_takes_what_ends_first() -> None:
    """X10: 30 end on 31 January, 20 on 28 February; 25 are spent; 5 end, 20 stay."""
    tally = Tally()
    tally.earn(30, policy="P3M")
    tally.earn(20, at=local("2026-11-01T12:00"), policy="P3M")
    tally.spend(25, at=local("2027-01-10T12:00"))

    (movement,) = tally.expire(now=FEBRUARY)

    assert (movement.posting.signed_points, tally.balance) == (-5, 20)


def test_x11_what_was_refunded_does_not_end_again() -> None:
    """X11: 100 on 1 October, 40 refunded on 5 January, 60 end."""
    tally, settled = Tally(), sold(SPEND_1, [line("a", 10000)], expiry_policy="P3M")
    tally.sell(settled)
    tally.refund(settled, custom(4000), at=local("2027-01-05T12:00"))

    (movement,) = tally.expire(now=FEBRUARY)

    assert (movement.posting.signed_points, tally.balance) == (-60, 0)


def test_x12_points_that_left_for_a_reward_do_not_end() -> None:
    """X12: taken on 30 January; on 1 February there is nothing to take from the member."""
    tally = Tally()
    tally.earn(50, policy="P3M")
    tally.spend(50, at=local("2027-01-30T12:00"))

    assert tally.expire(now=FEBRUARY) == []
    assert tally.balance == 0


def test_x13_a_debt_is_paid_before_anything_can_end() -> None:
    """X13: balance -10, then 15 on 1 October under P3M; 5 end, not 15."""
    tally = Tally()
    tally.spend(10)
    tally.earn(15, policy="P3M")

    (movement,) = tally.expire(now=FEBRUARY)

    assert (movement.posting.signed_points, tally.balance) == (-5, 0)


@pytest.mark.parametrize("late", ["2027-02-01T00:00", "2027-02-03T09:30"], ids=["on-time", "late"])
def test_x14_the_job_late_or_twice_gives_one_entry_of_the_right_date(late: str) -> None:
    """X14: a single -100, dated 1 February, with a business key of its lot."""
    tally = Tally()
    lot_id = tally.earn(100, policy="P3M")
    stale = tally.open_lots()

    (first,) = tally.expire(now=local(late))
    again = tally.expire(now=local(late) + timedelta(days=1))

    assert again == []
    assert first.posting.occurred_at == FEBRUARY
    assert first.posting.business_key == f"expiry:{lot_id}"
    twin = expiry.movements(first.before, stale, now=FEBRUARY, new_id=tally.new_id)
    assert [move.posting.business_key for move in twin] == [first.posting.business_key]


def test_what_ends_is_told_with_its_dates() -> None:
    """SQ-68: 30 on 31 January and 20 on 28 February are 50 in all; what never ends is left out."""
    tally = Tally()
    tally.earn(20, at=local("2026-11-01T12:00"), policy="P3M")
    tally.earn(10, policy="P3M")
    tally.earn(20, policy="P3M")
    tally.earn(7)

    told = expiry.deadlines(tally.endings(), now=NOON)

    assert sum(deadline.points for deadline in told) == 50
    assert told == (
        Deadline(points=30, expires_at=FEBRUARY, last_day=date(2027, 1, 31)),
        Deadline(points=20, expires_at=local("2027-03-01T00:00"), last_day=date(2027, 2, 28)),
    )
    assert [deadline.points for deadline in expiry.deadlines(tally.endings(), now=FEBRUARY)] == [20]


def test_points_of_two_zones_have_each_their_last_day() -> None:
    """SQ-68, D8: one instant may be the end of two days, of two calendars."""
    vancouver = ZoneInfo("America/Vancouver")
    endings = [
        Ending(points=3, expires_at=FEBRUARY + 3 * HOUR, zone=vancouver),
        Ending(points=1, expires_at=FEBRUARY, zone=TORONTO),
        Ending(points=1, expires_at=FEBRUARY, zone=ZoneInfo("America/New_York")),
    ]
    assert expiry.deadlines(endings, now=NOON) == (
        Deadline(points=2, expires_at=FEBRUARY, last_day=date(2027, 1, 31)),
        Deadline(points=3, expires_at=FEBRUARY + 3 * HOUR, last_day=date(2027, 1, 31)),
    )


@pytest.mark.parametrize(
    ("asked", "policy"), [(None, "never"), ("P3M", "P3M"), ("P012M", "P12M"), ("P120M", "P120M")]
)
def test_points_end_never_or_after_whole_months(asked: str | None, policy: str) -> None:
    """SQ-64, D27."""
    assert expiry.policy_from(asked) == policy


@pytest.mark.parametrize("asked", ["", "P0M", "P121M", "P1Y", "P30D", "PT3M", "3", "P-3M", "p3m"])
def test_another_period_is_refused(asked: str) -> None:
    with pytest.raises(ExpiryPolicyInvalid) as caught:
        expiry.policy_from(asked)
    assert caught.value.field == "expiration_policy"


def test_a_midnight_that_clocks_skip_is_the_moment_at_which_they_do() -> None:
    """Asunción went from 23:59:59 straight to 01:00 on 1 October 2023."""
    zone = ZoneInfo("America/Asuncion")
    end = expiry.expires_at(datetime(2023, 8, 15, tzinfo=UTC), policy="P1M", zone=zone)

    assert end == datetime(2023, 10, 1, 4, tzinfo=UTC)
    assert expiry.last_day(end, zone=zone) == date(2023, 9, 30)


@given(
    st.integers(0, 18000).map(lambda days: datetime(2000, 1, 1, 2, 30, tzinfo=UTC) + days * DAY),
    st.integers(1, 120),
    st.sampled_from(["America/Toronto", "America/Vancouver", "Asia/Tokyo", "Europe/Paris"]),
)
def test_every_lot_ends_at_a_first_of_a_month(earned: datetime, months: int, name: str) -> None:
    """D8: the month of earning and N more, whole, on the wall of the salon."""
    zone = ZoneInfo(name)
    end = expiry.expires_at(earned, policy=f"P{months}M", zone=zone)

    assert end is not None
    wall, start = end.astimezone(zone), earned.astimezone(zone)
    assert (wall.day, wall.hour, wall.minute, wall.second) == (1, 0, 0, 0)
    assert (wall.year - start.year) * 12 + wall.month - start.month == months + 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["earn", "spend", "expire"]), st.integers(1, 90), st.integers(0, 40)
        ),
        max_size=25,
    ),
    st.integers(1, 4),
)
def test_how_often_and_when_the_job_runs_changes_nothing(
    steps: list[tuple[str, int, int]], months: int
) -> None:
    """X14 in any history: a job that runs all the time and one that only writes call agree.

    Every write posts what is overdue before it, so what was promised until then is kept.
    """
    often, seldom = Tally(), Tally()
    now = NOON
    for what, points, days in steps:
        now += timedelta(days=days)
        often.expire(now=now)
        often.expire(now=now)
        if what == "expire":
            continue
        for tally in (often, seldom):
            tally.expire(now=now)
            if what == "earn":
                tally.earn(points, at=now, policy=f"P{months}M")
            else:
                tally.spend(points, at=now)
    often.expire(now=now)
    seldom.expire(now=now)

    assert often.balance == seldom.balance
    assert [
        (move.posting.kind, move.posting.signed_points, move.posting.occurred_at)
        for move in often.movements
    ] == [
        (move.posting.kind, move.posting.signed_points, move.posting.occurred_at)
        for move in seldom.movements
    ]
    keys = [move.posting.business_key for move in often.movements if move.posting.business_key]
    assert len(keys) == len(set(keys))


def test_an_account_of_many_lots_ends_them_in_order() -> None:
    tally = Tally()
    for month in (11, 10, 12):
        tally.earn(month, at=local(f"2026-{month}-05T12:00"), policy="P1M")

    moved = tally.expire(now=local("2027-06-01T00:00"))

    assert [move.posting.points for move in moved] == [10, 11, 12]
    assert [move.posting.sequence for move in moved] == [4, 5, 6]
    assert replace(tally.account, balance=0) == tally.account
