"""Scheduled messages: what a birthday message says, and on which day it leaves (LS-64 to LS-70)."""

from __future__ import annotations

from calendar import isleap
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, NewType
from uuid import UUID
from zoneinfo import ZoneInfo

from services.messaging.domain.chain import Chain, ChainId, Plan
from services.messaging.domain.errors import NumberOutOfRange, PlanRequired, WordsRequired
from services.messaging.domain.offer import OfferId

ScheduledId = NewType("ScheduledId", UUID)

DAYS_BEFORE_MAX = 365
# After the quiet hours that are given, before the salon opens.
SEND_AT: Final = time(9, 0)
# A process that was down over night still greets; nobody is greeted two days late.
LATE: Final = timedelta(days=1)
_LEAP_DAY = "02-29"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledWords:
    """What an owner wrote; an empty text leaves the words to what is usual there."""

    sms_body: str
    email_subject: str
    email_body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WordsChange:
    """What is to be said differently; None leaves a text as it is."""

    sms_body: str | None = None
    email_subject: str | None = None
    email_body: str | None = None

    def applied(self, words: ScheduledWords) -> ScheduledWords:
        """The words after it."""
        return ScheduledWords(
            sms_body=words.sms_body if self.sms_body is None else self.sms_body,
            email_subject=words.email_subject if self.email_subject is None else self.email_subject,
            email_body=words.email_body if self.email_body is None else self.email_body,
        )


# The chain's usual words are meant.
NO_WORDS: Final = ScheduledWords(sms_body="", email_subject="", email_body="")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledMessage:
    """A birthday message of a chain."""

    chain_id: ChainId
    id: ScheduledId
    # 0: on the day (LS-66).
    days_before: int
    offer_id: OfferId | None
    words: ScheduledWords
    enabled: bool
    runs_from: date
    created_at: datetime
    updated_at: datetime
    version: int
    # For those who read English.
    english: ScheduledWords = NO_WORDS


def has_schedules(chain: Chain) -> bool:
    """Whether the plan sends scheduled messages (LS-64)."""
    return chain.plan is not Plan.PARTANT


def require_schedules(chain: Chain) -> None:
    """Refuse with PlanRequired on Partant (examples P3)."""
    if not has_schedules(chain):
        raise PlanRequired


def checked_days(days_before: int) -> int:
    """Days before the birthday. Refuses with NumberOutOfRange (LS-66)."""
    if not 0 <= days_before <= DAYS_BEFORE_MAX:
        raise NumberOutOfRange(
            field="days_before", params={"minimum": "0", "maximum": str(DAYS_BEFORE_MAX)}
        )
    return days_before


def require_words(words: ScheduledWords) -> None:
    """Refuse with WordsRequired a message that says nothing on any channel."""
    if not words.sms_body.strip() and not words.email_body.strip():
        raise WordsRequired(field="sms_body")


@dataclass(frozen=True, slots=True, kw_only=True)
class BirthdaysOf:
    """The birthdays that a day of sending is for: month and day as written, and their year."""

    month_days: tuple[str, ...]
    year: int


def birthdays_on(day: date, *, days_before: int) -> BirthdaysOf:
    """Whose birthday a message tells of when it leaves on `day` (BD1, BD3).

    A 29 February is kept on the 28th in other years (BD2).
    """
    birthday = day + timedelta(days=days_before)
    found = [birthday.strftime("%m-%d")]
    if found == ["02-28"] and not isleap(birthday.year):
        found.append(_LEAP_DAY)
    return BirthdaysOf(month_days=tuple(found), year=birthday.year)


def next_day(month_day: str, *, days_before: int, since: date) -> date | None:
    """The first day from `since` on which the message for this birthday leaves.

    None for what is no day of the calendar.
    """
    for year in range(since.year, since.year + 3):
        day = _in_year(month_day, year)
        if day is None:
            return None
        if (leaves := day - timedelta(days=days_before)) >= since:
            return leaves
    return None


def _in_year(month_day: str, year: int) -> date | None:
    if month_day == _LEAP_DAY and not isleap(year):
        month_day = "02-28"
    try:
        return date.fromisoformat(f"{year:04d}-{month_day}")
    except ValueError:
        return None


def days_due(message: ScheduledMessage, *, now: datetime, zone: ZoneInfo) -> list[date]:
    """The days whose turn has come and is not long past, oldest first."""
    today = now.astimezone(zone).date()
    since = max(message.runs_from, today - LATE)
    days = [today - LATE, today]
    return [day for day in days if day >= since and moment(day, zone) <= now]


def first_open_day(*, now: datetime, zone: ZoneInfo) -> date:
    """The first day whose moment still lies ahead."""
    today = now.astimezone(zone).date()
    return today + timedelta(days=1) if moment(today, zone) <= now else today


def moment(day: date, zone: ZoneInfo) -> datetime:
    """When messages of a day leave (D38)."""
    return datetime.combine(day, SEND_AT, tzinfo=zone)
