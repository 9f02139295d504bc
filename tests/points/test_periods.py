"""Time periods of promotions: RFC 5545 as far as it goes, on the salon's wall clock."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.points.domain.periods import DAYS, period_from
from services.points.domain.sale_errors import PeriodInvalid
from tests.points.tally import TORONTO


def event(*lines: str) -> str:
    return "\n".join(("BEGIN:VEVENT", *lines, "END:VEVENT"))


def local(text: str, zone: ZoneInfo = TORONTO) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


TUESDAYS = event(
    "DTSTART:20260901T090000", "DURATION:PT8H", "RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20261231T235959"
)


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2026-09-01T08:59:59", False),
        ("2026-09-01T09:00:00", True),
        ("2026-09-01T16:59:59", True),
        ("2026-09-01T17:00:00", False),
        ("2026-09-02T10:00:00", False),
        ("2026-12-29T10:00:00", True),
        ("2027-01-05T10:00:00", False),
        ("2026-08-25T10:00:00", False),
    ],
)
def test_a_period_is_from_its_beginning_up_to_its_end(at: str, inside: bool) -> None:
    assert period_from(TUESDAYS).holds(local(at), zone=TORONTO) is inside


def test_each_salon_reads_it_on_its_own_wall() -> None:
    """Nine in Vancouver is noon in Toronto: the same promotion begins in both at their nine."""
    vancouver = ZoneInfo("America/Vancouver")
    period = period_from(TUESDAYS)
    nine = local("2026-09-01T09:00:00", vancouver)

    assert period.holds(nine, zone=vancouver)
    assert not period.holds(nine - timedelta(hours=1), zone=vancouver)
    assert period.holds(nine, zone=TORONTO)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        (event("DTSTART:20260301T000000", "DURATION:P1D", "RRULE:FREQ=DAILY"), 23),
        (event("DTSTART:20260301T000000", "DTEND:20260302T000000", "RRULE:FREQ=DAILY"), 23),
        (event("DTSTART:20260301T000000", "DURATION:PT24H", "RRULE:FREQ=DAILY"), 24),
    ],
)
def test_the_day_on_which_clocks_go_forward(text: str, hours: int) -> None:
    """RFC 5545 3.3.6: a day is of the calendar, hours are exact. 8 March 2026 has 23 hours."""
    begin, end = period_from(text).window(date(2026, 3, 8), zone=TORONTO)

    assert end - begin == timedelta(hours=hours)
    assert begin == local("2026-03-08T00:00:00")


def test_hours_that_do_not_exist_or_come_twice() -> None:
    """RFC 5545 3.3.5: 2:30 on 8 March counts as 3:30; 1:30 on 1 November is the first one."""
    skipped = period_from("DTSTART:20260308T023000\nDURATION:PT1H")
    twice = period_from("DTSTART:20261101T013000\nDURATION:PT1H")

    assert skipped.window(date(2026, 3, 8), zone=TORONTO)[0] == datetime(
        2026, 3, 8, 7, 30, tzinfo=UTC
    )
    assert twice.window(date(2026, 11, 1), zone=TORONTO)[0] == datetime(
        2026, 11, 1, 5, 30, tzinfo=UTC
    )


def test_a_night_belongs_to_the_evening_on_which_it_began() -> None:
    period = period_from("DTSTART:20260904T220000\nDTEND:20260905T020000\nRRULE:FREQ=WEEKLY")

    assert period.holds(local("2026-09-12T01:30:00"), zone=TORONTO)
    assert not period.holds(local("2026-09-11T01:30:00"), zone=TORONTO)


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=DAILY;COUNT=3", [1, 2, 3]),
        ("FREQ=DAILY;INTERVAL=10;UNTIL=20260921T090000", [1, 11, 21]),
        ("FREQ=DAILY;INTERVAL=10;UNTIL=20260921T085959", [1, 11]),
        ("FREQ=DAILY;UNTIL=20260902", [1, 2]),
        ("FREQ=DAILY;BYDAY=SA,SU;COUNT=3", [5, 6, 12]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;COUNT=4", [1, 6, 15, 20]),
        ("FREQ=MONTHLY;BYDAY=1MO,-1FR;COUNT=2", [7, 25]),
        ("FREQ=MONTHLY;BYDAY=WE;UNTIL=20260930T235959", [2, 9, 16, 23, 30]),
        ("BYDAY=TH;FREQ=WEEKLY;COUNT=1", [3]),
    ],
)
def test_rules_recur_as_the_standard_says(rule: str, days: list[int]) -> None:
    """In September 2026, which begins on a Tuesday."""
    period = period_from(event("DTSTART:20260901T090000", "DURATION:PT1H", f"RRULE:{rule}"))

    september = [date(2026, 9, day) for day in range(1, 31)]
    assert [day.day for day in september if period.begins_on(day)] == days


def test_a_month_without_the_day_is_left_out() -> None:
    """RFC 5545 3.3.10: the 31st of each month is not moved to the 30th."""
    period = period_from("DTSTART:20260131T090000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;COUNT=4")

    assert period.last_day() == date(2026, 7, 31)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", ""),
        ("DTSTART:20260901T090000", "DURATION"),
        ("DURATION:PT1H", "DTSTART"),
        ("DTSTART:20260901T090000Z\nDURATION:PT1H", "20260901T090000Z"),
        ("DTSTART;TZID=America/Toronto:20260901T090000\nDURATION:PT1H", "DTSTART;TZID"),
        ("DTSTART;VALUE=DATE:20260901\nDURATION:P1D", "DTSTART;VALUE=DATE"),
        ("DTSTART:20260931T090000\nDURATION:PT1H", "20260931T090000"),
        ("DTSTART:20260901T090000\nDURATION:-PT1H", "DURATION:-PT1H"),
        ("DTSTART:20260901T090000\nDURATION:PT0S", "DURATION:PT0S"),
        ("DTSTART:20260901T090000\nDURATION:P", "DURATION:P"),
        ("DTSTART:20260901T090000\nDURATION:P1DT", "DURATION:P1DT"),
        ("DTSTART:20260901T090000\nDURATION:P400D", "366 D"),
        ("DTSTART:20260901T090000\nDURATION:PT1H\nDTEND:20260901T100000", "DURATION"),
        ("DTSTART:20260901T090000\nDTEND:20260901T090000", "DTEND"),
        ("DTSTART:20260901T090000\nDTSTART:20260901T090000\nDURATION:PT1H", "DTSTART"),
        ("DTSTART:20260901T090000\nDURATION:PT1H\nEXDATE:20260908T090000", "EXDATE"),
        ("DTSTART:20260901T090000\nDURATION:PT1H\nnonsense", "NONSENSE"),
        ("BEGIN:VEVENT\nDTSTART:20260901T090000\nDURATION:PT1H", "BEGIN:VEVENT"),
        ("BEGIN:VTODO\nDTSTART:20260901T090000\nDURATION:PT1H\nEND:VTODO", "BEGIN:VTODO"),
    ],
)
def test_what_is_not_understood_is_refused_and_named(text: str, part: str) -> None:
    with pytest.raises(PeriodInvalid) as caught:
        period_from(text)
    assert part.upper() in caught.value.params["part"]


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("FREQ=YEARLY", "FREQ=YEARLY"),
        ("INTERVAL=2", "FREQ="),
        ("FREQ=DAILY;BYMONTHDAY=1", "BYMONTHDAY=1"),
        ("FREQ=DAILY;WKST=SU", "WKST=SU"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20261001T000000", "COUNT=2"),
        ("FREQ=DAILY;UNTIL=20261001T000000Z", "20261001T000000Z"),
        ("FREQ=DAILY;UNTIL=20250101T000000", "RRULE"),
        ("FREQ=DAILY;COUNT=0", "COUNT=0"),
        ("FREQ=DAILY;COUNT=1001", "COUNT=1001"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL=-1"),
        ("FREQ=WEEKLY;BYDAY=2TU", "BYDAY=2TU"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY=XX"),
        ("FREQ=MONTHLY;BYDAY=6MO", "BYDAY=6MO"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY"),
        ("FREQ=DAILY;", "RRULE"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=WE", "RRULE"),
        ("FREQ=MONTHLY;INTERVAL=1000;COUNT=1000", "COUNT=1000"),
    ],
)
def test_a_rule_that_is_not_understood_is_refused_and_named(rule: str, part: str) -> None:
    with pytest.raises(PeriodInvalid) as caught:
        period_from(f"DTSTART:20260901T090000\nDURATION:PT1H\nRRULE:{rule}")
    assert part in caught.value.params["part"]


def test_folded_lines_and_what_every_event_carries_are_read() -> None:
    """RFC 5545 3.1 folds long lines; UID and DTSTAMP say nothing about when."""
    text = (
        "BEGIN:VEVENT\r\nUID:a@b\r\nDTSTAMP:20260801T000000Z\r\n"
        "DTSTART;VALUE=DATE-TIME:20260901T090000\r\nDURATION:PT\r\n 8H\r\nEND:VEVENT\r\n"
    )
    assert period_from(text).holds(local("2026-09-01T16:00:00"), zone=TORONTO)


def walked(
    first: date, *, frequency: str, interval: int, on: list[tuple[int | None, int]], days: int
) -> list[date]:
    """Every day of a rule, found the slow way: step by step, by the calendar module."""
    found = []
    months = {(first.year, first.month): 0}
    week_of: dict[date, int] = {}
    for ahead in range(days):
        day = first + timedelta(days=ahead)
        months.setdefault((day.year, day.month), len(months))
        monday = next(
            day - timedelta(days=back)
            for back in range(7)
            if calendar.weekday(
                (day - timedelta(days=back)).year,
                (day - timedelta(days=back)).month,
                (day - timedelta(days=back)).day,
            )
            == calendar.MONDAY
        )
        week_of.setdefault(monday, len(week_of))
        step = {
            "DAILY": ahead,
            "WEEKLY": week_of[monday],
            "MONTHLY": months[(day.year, day.month)],
        }[frequency]
        if step % interval:
            continue
        if not on:
            same = {
                "DAILY": True,
                "WEEKLY": day.weekday() == first.weekday(),
                "MONTHLY": day.day == first.day,
            }[frequency]
            if same:
                found.append(day)
            continue
        alike = [
            date(day.year, day.month, number)
            for number in range(1, calendar.monthrange(day.year, day.month)[1] + 1)
            if date(day.year, day.month, number).weekday() == day.weekday()
        ]
        for nth, weekday in on:
            if day.weekday() != weekday:
                continue
            wanted = alike if nth is None else alike[nth - 1 : nth] if nth > 0 else alike[nth:][:1]
            if nth is not None and abs(nth) > len(alike):
                wanted = []
            if day in wanted:
                found.append(day)
                break
    return found


@settings(max_examples=150, deadline=None)
@given(
    st.dates(date(2024, 1, 1), date(2028, 12, 31)),
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]),
    st.integers(1, 5),
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.sampled_from([-5, -2, -1, 1, 2, 3, 4, 5])), st.integers(0, 6)
        ),
        max_size=3,
    ),
    st.one_of(st.none(), st.integers(1, 12)),
)
def test_occurrences_agree_with_a_walk_through_the_calendar(
    first: date,
    frequency: str,
    interval: int,
    on: list[tuple[int | None, int]],
    count: int | None,
) -> None:
    """RFC 5545 3.3.10, rule by rule against plain stepping."""
    if frequency != "MONTHLY":
        on = [(None, weekday) for _, weekday in on]
    days = 800
    expected = walked(first, frequency=frequency, interval=interval, on=on, days=days)
    rule = f"FREQ={frequency};INTERVAL={interval}"
    if on:
        rule += ";BYDAY=" + ",".join(f"{nth or ''}{DAYS[weekday]}" for nth, weekday in on)
    if count is not None:
        rule += f";COUNT={count}"
        if len(expected) < count:
            return
        expected = expected[:count]
    text = f"DTSTART:{first:%Y%m%d}T090000\nDURATION:PT1H\nRRULE:{rule}"
    if not expected:
        return
    period = period_from(text)

    found = [
        first + timedelta(days=ahead)
        for ahead in range(days)
        if period.begins_on(first + timedelta(days=ahead))
    ]
    assert found == expected
    assert period.first_day() == expected[0]
    assert count is None or period.last_day() == expected[-1]
    for day in expected[:5]:
        begin = datetime.combine(day, datetime.min.time(), tzinfo=TORONTO).replace(hour=9)
        assert period.holds(begin.astimezone(UTC), zone=TORONTO)
        assert not period.holds((begin - timedelta(seconds=1)).astimezone(UTC), zone=TORONTO)
