"""Time periods of promotions: the part of RFC 5545 that says when, on the salon's own clock.

A `VEVENT` with DTSTART, DURATION or DTEND, and RRULE. Times are local and without a zone; a period
means the clock on the salon's wall, whatever daylight saving does. What is not understood is
refused, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import islice
from typing import NoReturn
from zoneinfo import ZoneInfo

from services.points.domain.sale_errors import PeriodInvalid

TEXT_LENGTH_MAX = 1000
INTERVAL_MAX = 1000
COUNT_MAX = 1000
# A whole year for one that does not come again; for one that does, no more than a month.
SPAN_DAYS_MAX = 366
SPAN_DAYS_RECURRING_MAX = 31
# Nobody plans further, and a count that reaches beyond it would take long to find.
HORIZON_DAYS = 366 * 40

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

# What RFC 5545 asks of every VEVENT and says nothing about when.
_MEANINGLESS = ("UID", "DTSTAMP")
_DURATION = re.compile(
    r"\+?P(?:(?P<weeks>\d{1,3})W|(?:(?P<days>\d{1,3})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,4})H)?(?:(?P<minutes>\d{1,5})M)?(?:(?P<seconds>\d{1,7})S)?)?)"
)
# Lines end as they like; anything else that is not printed is no text.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ON_DAY = re.compile(r"(?P<nth>[+-]?[1-5])?(?P<day>MO|TU|WE|TH|FR|SA|SU)")


class Frequency(StrEnum):
    """How a period comes again."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDay:
    """A weekday, or the nth of a month: 1 is the first, -1 the last."""

    weekday: int
    nth: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """When a period comes again, each `interval` of `frequency`, at most until `until`."""

    frequency: Frequency
    interval: int = 1
    on_days: tuple[OnDay, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `start` by the wall clock for some days of it and some exact time (RFC 5545 3.3.6).

    DTEND is `ends_at`: the time on the wall at which the period ends, `days` later. `text` is what
    was written, for whoever reads it back.
    """

    text: str
    start: datetime
    days: int = 0
    exact: timedelta = timedelta()
    ends_at: time | None = None
    recurrence: Recurrence | None = None

    def begins_on(self, day: date) -> bool:
        """Whether the period begins on this local day."""
        first = self.start.date()
        rule = self.recurrence
        if rule is None or day < first:
            return day == first
        if rule.until is not None and datetime.combine(day, self.start.time()) > rule.until:
            return False
        return _in_step(rule, first=first, day=day) and _on_one_of(rule, first=first, day=day)

    def window(self, day: date, *, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The instants [from, to) of the period that begins on this day.

        A wall time that a clock change skips counts by the offset before it; of one that comes
        twice the first is meant (RFC 5545 3.3.5).
        """
        begin = datetime.combine(day, self.start.time(), tzinfo=zone)
        end_time = self.start.time() if self.ends_at is None else self.ends_at
        nominal = datetime.combine(day + timedelta(days=self.days), end_time, tzinfo=zone)
        return begin.astimezone(UTC), nominal.astimezone(UTC) + self.exact

    def holds(self, at: datetime, *, zone: ZoneInfo) -> bool:
        """Whether an instant lies in the period."""
        today = at.astimezone(zone).date()
        # A day more on each side: the exact part may cross midnight, and clocks change.
        back = self.days + self.exact.days + 2
        for days_ago in range(-1, back + 1):
            day = today - timedelta(days=days_ago)
            if self.begins_on(day):
                begin, end = self.window(day, zone=zone)
                if begin <= at < end:
                    return True
        return False

    def first_day(self) -> date | None:
        """The first day on which it begins; None where its rule never holds."""
        return next(self._days(), None)

    def last_day(self) -> date | None:
        """The last day on which it begins; None where it goes on until somebody ends it."""
        if self.recurrence is None:
            return self.start.date()
        if self.recurrence.until is None:
            return None
        day = self.recurrence.until.date()
        while day >= self.start.date():
            if self.begins_on(day):
                return day
            day -= timedelta(days=1)
        return None

    def _days(self) -> Iterator[date]:
        first = self.start.date()
        for ahead in range(HORIZON_DAYS):
            day = first + timedelta(days=ahead)
            if self.begins_on(day):
                yield day


def period_from(text: str) -> Period:
    """The period that a VEVENT describes; BEGIN and END may be left out.

    Refuses with PeriodInvalid, which names the part that is not understood.
    """
    if len(text) > TEXT_LENGTH_MAX:
        _refuse(f"{text[:20]}…")
    if sign := _CONTROL.search(text):
        _refuse(repr(sign[0]))
    values = _properties(text)
    if "DTSTART" not in values:
        _refuse("DTSTART")
    if ("DURATION" in values) == ("DTEND" in values):
        _refuse("DURATION")
    period = Period(text=_unfolded(text), start=_local(values["DTSTART"]))
    if "DURATION" in values:
        days, exact = _duration(values["DURATION"])
        period = replace(period, days=days, exact=exact)
    else:
        end = _local(values["DTEND"])
        if end <= period.start:
            _refuse(f"DTEND:{values['DTEND']}")
        days = (end.date() - period.start.date()).days
        period = replace(period, days=days, ends_at=end.time())
    if "RRULE" in values:
        period = _recurring(period, values["RRULE"])
    _require_span(period)
    return period


def _properties(text: str) -> dict[str, str]:
    """The properties of a VEVENT by name, each at most once and none unknown."""
    lines = _unfolded(text).split("\n")
    if (lines[0] == "BEGIN:VEVENT") != (lines[-1] == "END:VEVENT"):
        _refuse(lines[0])
    if lines[0] == "BEGIN:VEVENT":
        lines = lines[1:-1]
    values: dict[str, str] = {}
    for line in lines:
        head, colon, value = line.partition(":")
        name, _, parameter = head.partition(";")
        if name in _MEANINGLESS and colon:
            continue
        timed = name in ("DTSTART", "DTEND")
        known = timed or name in ("DURATION", "RRULE")
        if not (colon and known and name not in values):
            _refuse(line)
        if parameter and not (timed and parameter == "VALUE=DATE-TIME"):
            _refuse(head)
        values[name] = value
    return values


def _unfolded(text: str) -> str:
    """One property per line, however it was folded (RFC 5545 3.1); names in capitals."""
    plain = re.sub(r"\n[ \t]", "", text.replace("\r\n", "\n"))
    return plain.strip().upper()


def _local(value: str) -> datetime:
    """A local date and time without a zone, such as 20261224T090000."""
    if not re.fullmatch(r"\d{8}T\d{6}", value, re.ASCII):
        _refuse(value)
    try:
        # Naive on purpose: the zone is the salon's, and each salon reads it on its own wall.
        return datetime.strptime(value, "%Y%m%dT%H%M%S")  # noqa: DTZ007
    except ValueError:
        _refuse(value)


def _duration(value: str) -> tuple[int, timedelta]:
    """Days by the calendar and the exact time beside them; not zero."""
    found = _DURATION.fullmatch(value)
    if found is None:
        _refuse(f"DURATION:{value}")
    part = {name: int(number or 0) for name, number in found.groupdict().items()}
    exact = timedelta(hours=part["hours"], minutes=part["minutes"], seconds=part["seconds"])
    days = part["weeks"] * 7 + part["days"]
    if days == 0 and not exact:
        _refuse(f"DURATION:{value}")
    return days, exact


def _recurring(period: Period, text: str) -> Period:
    """The period with its rule; a COUNT is turned into the moment at which it is used up."""
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not (equals and value) or name in parts:
            _refuse(f"RRULE:{part}")
        parts[name] = value
    for name in parts:
        if name not in ("FREQ", "INTERVAL", "BYDAY", "UNTIL", "COUNT"):
            _refuse(f"RRULE:{name}={parts[name]}")
    if parts.get("FREQ") not in list(Frequency):
        _refuse(f"RRULE:FREQ={parts.get('FREQ', '')}")
    if "UNTIL" in parts and "COUNT" in parts:
        _refuse(f"RRULE:COUNT={parts['COUNT']}")
    frequency = Frequency(parts["FREQ"])
    rule = Recurrence(
        frequency=frequency,
        interval=_number("INTERVAL", parts.get("INTERVAL", "1"), maximum=INTERVAL_MAX),
        on_days=_on_days(parts["BYDAY"], frequency) if "BYDAY" in parts else (),
        until=_until(parts["UNTIL"]) if "UNTIL" in parts else None,
    )
    period = replace(period, recurrence=rule)
    if period.first_day() is None:
        _refuse(f"RRULE:{text}")
    if "COUNT" in parts:
        until = _used_up(period, _number("COUNT", parts["COUNT"], maximum=COUNT_MAX))
        period = replace(period, recurrence=replace(rule, until=until))
    return period


def _used_up(period: Period, count: int) -> datetime:
    day = next(islice(period._days(), count - 1, None), None)
    if day is None:
        _refuse(f"RRULE:COUNT={count}")
    return datetime.combine(day, period.start.time())


def _until(value: str) -> datetime:
    """The last moment at which the period may begin; a bare day is meant with its evening."""
    if re.fullmatch(r"\d{8}", value, re.ASCII):
        return _local(f"{value}T235959")
    return _local(value)


def _on_days(value: str, frequency: Frequency) -> tuple[OnDay, ...]:
    days = []
    for part in value.split(","):
        found = _ON_DAY.fullmatch(part)
        # "The second Monday" is one of a month; RFC 5545 3.3.10 forbids it elsewhere.
        if found is None or (found["nth"] and frequency is not Frequency.MONTHLY):
            _refuse(f"BYDAY={part}")
        nth = int(found["nth"]) if found["nth"] else None
        days.append(OnDay(weekday=DAYS.index(found["day"]), nth=nth))
    return tuple(days)


def _number(name: str, value: str, *, maximum: int) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", value) or not 1 <= int(value) <= maximum:
        _refuse(f"{name}={value}")
    return int(value)


def _in_step(rule: Recurrence, *, first: date, day: date) -> bool:
    """Whether the day lies in a step that the interval does not skip; weeks start on Monday."""
    match rule.frequency:
        case Frequency.DAILY:
            steps = (day - first).days
        case Frequency.WEEKLY:
            monday = first - timedelta(days=first.weekday())
            steps = (day - monday).days // 7
        case Frequency.MONTHLY:
            steps = (day.year - first.year) * 12 + day.month - first.month
    return steps % rule.interval == 0


def _on_one_of(rule: Recurrence, *, first: date, day: date) -> bool:
    """Whether it is one of the rule's days; without BYDAY the start's weekday or day of month."""
    if rule.on_days:
        return any(_is_on(day, on) for on in rule.on_days)
    match rule.frequency:
        case Frequency.DAILY:
            return True
        case Frequency.WEEKLY:
            return day.weekday() == first.weekday()
        case Frequency.MONTHLY:
            return day.day == first.day


def _is_on(day: date, on: OnDay) -> bool:
    if day.weekday() != on.weekday:
        return False
    if on.nth is None:
        return True
    if on.nth > 0:
        return (day.day - 1) // 7 == on.nth - 1
    next_month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return ((next_month - day).days - 1) // 7 == -on.nth - 1


def _require_span(period: Period) -> None:
    longest = SPAN_DAYS_RECURRING_MAX if period.recurrence else SPAN_DAYS_MAX
    if timedelta(days=period.days) + period.exact > timedelta(days=longest):
        _refuse(f"{longest} D")
    last = date.max - timedelta(days=HORIZON_DAYS + SPAN_DAYS_MAX)
    if not 1970 <= period.start.year <= last.year - 1:
        _refuse(period.start.strftime("DTSTART:%Y"))


def _refuse(part: str) -> NoReturn:
    raise PeriodInvalid(part=part[:80])
