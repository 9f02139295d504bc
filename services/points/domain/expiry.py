"""Expiry: when points end, which have, and what ends next (SQ-64 to SQ-68, N8).

A lot keeps the policy under which it was earned. Points are usable through the last day of their
last month on the salon's clock, and end at the midnight after it, however late the job is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.points.domain import ledger, lots
from services.points.domain.errors import ExpiryPolicyInvalid
from services.points.domain.ids import LotId, PostingId
from services.points.domain.ledger import Account, Actor, ActorKind, Fact, Movement
from services.points.domain.lots import POLICY_NEVER, Lot

MONTHS_MIN = 1
# Ten years: longer is "never" to everybody.
MONTHS_MAX = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """Points that end together, with the last day on which they are good."""

    points: int
    expires_at: datetime
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What an account holds that ends at one instant, and the zone of the salon of its points."""

    points: int
    expires_at: datetime
    zone: ZoneInfo


class EndedLot(NamedTuple):
    """A lot that ended, with what its posting tells; ids as the text that events bear.

    A tuple, for a sweep makes a million of them.
    """

    chain_id: str
    posting_id: str
    account_id: str
    member_id: str
    program_id: str
    salon_id: str
    points: int
    balance_after: int
    sequence: int
    expires_at: datetime


def policy_from(duration: str | None) -> str:
    """The policy that an owner wishes: None is never, else whole months such as "P3M" (D27).

    Refuses with ExpiryPolicyInvalid.
    """
    if duration is None:
        return POLICY_NEVER
    return f"P{_months(duration)}M"


def expires_at(earned_at: datetime, *, policy: str, zone: ZoneInfo) -> datetime | None:
    """The first instant after the last usable day; None: never (D8, X1 to X9).

    The month of earning and the midnight are the salon's. Where clocks skip that midnight, it is
    the moment at which they do.
    """
    if policy == POLICY_NEVER:
        return None
    earned = earned_at.astimezone(zone)
    months = earned.year * 12 + (earned.month - 1) + _months(policy) + 1
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=zone).astimezone(UTC)


def last_day(lot_end: datetime, *, zone: ZoneInfo) -> date:
    """The last day on which points that end then are good, on the salon's calendar."""
    return (lot_end - timedelta(microseconds=1)).astimezone(zone).date()


def overdue(open_lots: Sequence[Lot], *, now: datetime) -> tuple[Lot, ...]:
    """Lots that have ended and hold points yet, soonest ended first."""
    ended = [lot for lot in open_lots if lot.remaining > 0 and lots.has_expired(lot, now=now)]
    return tuple(sorted(ended, key=lots.consumption_order))


def next_end(open_lots: Sequence[Lot], *, now: datetime) -> datetime | None:
    """When the next of them ends that has not ended yet; None: none will."""
    ends = [
        lot.expires_at
        for lot in open_lots
        if lot.expires_at is not None and lot.remaining > 0 and now < lot.expires_at
    ]
    return min(ends, default=None)


def usable_balance(account: Account, endings: Sequence[Ending], *, now: datetime) -> int:
    """The balance as it is to be told: what has ended is gone, posted yet or not (D8)."""
    return account.balance - ended_points(endings, now=now)


def ended_points(endings: Sequence[Ending], *, now: datetime) -> int:
    """Points that have ended and are not posted yet."""
    return sum(ending.points for ending in endings if ending.expires_at <= now)


def movements(
    account: Account,
    open_lots: Sequence[Lot],
    *,
    now: datetime,
    new_id: Callable[[], UUID],
) -> tuple[Movement, ...]:
    """One posting for each lot that has ended, dated when it did (X1, X10 to X14).

    Repeatable: a lot that was expired holds nothing, and its business key stands once. What a
    debt took of a lot when it came is not in it any more (X13).
    """
    moved: list[Movement] = []
    for lot in overdue(open_lots, now=now):
        if lot.expires_at is None:
            continue
        fact = Fact(
            posting_id=PostingId(new_id()),
            # An expiry opens no lot; the one that it ends is named by its use.
            lot_id=LotId(lot.id),
            occurred_at=lot.expires_at,
            salon_id=lot.salon_id,
            actor=Actor(kind=ActorKind.SYSTEM),
            business_key=ledger.expiry_key(lot.id),
        )
        movement = ledger.expire(account, lot=lot, fact=fact)
        moved.append(movement)
        account = movement.after
    return tuple(moved)


def deadlines(endings: Sequence[Ending], *, now: datetime) -> tuple[Deadline, ...]:
    """What will end, soonest first: one line for each instant and day (SQ-68)."""
    points: dict[tuple[datetime, date], int] = {}
    for ending in endings:
        if now < ending.expires_at:
            end = (ending.expires_at, last_day(ending.expires_at, zone=ending.zone))
            points[end] = points.get(end, 0) + ending.points
    return tuple(
        Deadline(points=points[end], expires_at=end[0], last_day=end[1]) for end in sorted(points)
    )


def _months(policy: str) -> int:
    found = re.fullmatch(r"P([0-9]{1,3})M", policy)
    months = int(found[1]) if found else 0
    if not MONTHS_MIN <= months <= MONTHS_MAX:
        raise ExpiryPolicyInvalid(minimum=MONTHS_MIN, maximum=MONTHS_MAX)
    return months
