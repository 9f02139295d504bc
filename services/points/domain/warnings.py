"""When members hear that points end: 16, 15 or 14 days before, on the first day that looks (D9).

Days are counted on the chain's calendar, last usable day minus today.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.points.domain.ids import AccountId, ChainId, MemberId, ProgramId

FIRST_DAYS_LEFT = 16
LAST_DAYS_LEFT = 14

# No zone is further from UTC than this; every midnight lies on a quarter of an hour.
_OFFSET_MAX = timedelta(hours=15)
_STEP = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingPoints:
    """Points of an account that end together, all its lots of that last day."""

    chain_id: ChainId
    account_id: AccountId
    member_id: MemberId
    program_id: ProgramId
    points: int
    balance: int
    last_day: date
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Last days whose points a look on one day tells of, and those that were missed before it."""

    first: date
    last: date
    # Last days of which nobody told while it was time to; None: nobody was away.
    missed_first: date | None

    def tells(self, last_day: date) -> bool:
        """Whether points of this last day are told of now."""
        return self.first <= last_day <= self.last

    def missed(self, last_day: date) -> bool:
        """Whether their time passed with nobody looking (W5)."""
        return self.missed_first is not None and self.missed_first <= last_day < self.first


def window(today: date, *, looked: date | None) -> Window:
    """What a look today tells of, when the last look was on `looked`; None: there was none yet."""
    first = today + timedelta(days=LAST_DAYS_LEFT)
    missed_first = None
    if looked is not None:
        # The last look told up to 16 days ahead; what came after it was never looked at.
        unseen = looked + timedelta(days=FIRST_DAYS_LEFT + 1)
        missed_first = unseen if unseen < first else None
    return Window(
        first=first,
        last=today + timedelta(days=FIRST_DAYS_LEFT),
        missed_first=missed_first,
    )


def instants(found: Window, *, today: date) -> list[datetime]:
    """Every instant at which points of a window's last days can end, in whatever zone.

    Points end at the first instant of a month (D8), so on most days there is none.
    """
    ends: set[datetime] = set()
    # What is past is the sweep's, not ours: nobody is told that points ended.
    day = max(found.missed_first or found.first, today) + timedelta(days=1)
    while day <= found.last + timedelta(days=1):
        if day.day == 1:
            midnight = datetime.combine(day, time(), tzinfo=UTC)
            steps = range(-(_OFFSET_MAX // _STEP), _OFFSET_MAX // _STEP + 1)
            ends |= {midnight + step * _STEP for step in steps}
        day += timedelta(days=1)
    return sorted(ends)


def next_look(
    last_day: date, *, looked: date | None, today: date, zone: ZoneInfo
) -> datetime | None:
    """When to look for points with this last day; None: their time has passed, or comes no more."""
    day = last_day - timedelta(days=FIRST_DAYS_LEFT)
    soonest = today if looked is None or looked < today else today + timedelta(days=1)
    day = max(day, soonest)
    if day > last_day - timedelta(days=LAST_DAYS_LEFT):
        return None
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
