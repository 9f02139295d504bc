"""What an earn is worth, if anything: rules that need no store (LS-01, LS-11, LS-24 to LS-27)."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from typing import TypeAlias

from services.points.domain.errors import (
    CodeRequired,
    NumberOutOfRange,
    OccurredInFuture,
    OccurredTooEarly,
    PointsInvalid,
)
from services.points.domain.ids import (
    AccountId,
    ChainId,
    GrantId,
    MemberId,
    ProgramId,
    SalonId,
)
from services.points.domain.ledger import ENTRY_POINTS_MAX, Actor, EarnSource
from services.points.domain.programs import Program
from services.points.domain.values import dataclass

# A till or phone without network uploads later, but not a week later.
OCCURRED_HOURS_BACK_MAX = 72
# Clocks of devices differ a little.
OCCURRED_MINUTES_AHEAD_MAX = 5
# More in one go is for the panel, where owners answer for it (reliability 3: a per-use cap).
MULTI_POINT_MAX = 100
GRANT_POINTS_MIN = 2
# Long enough to turn the phone round and scan, too short to walk away with (D39). Real time.
GRANT_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The earn QR of a program and salon was scanned, after the green bar with a grant."""

    program_id: ProgramId
    salon_id: SalonId
    grant_id: GrantId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedCode:
    """The points code was typed; above one point the multi-point code as well."""

    points_code: str = field(repr=False)
    points: int
    multi_point_code: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tablet:
    """ "Entrer" on the tablet: exactly one point (LS-11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Till:
    """A till or an API key says how many."""

    points: int


Origin: TypeAlias = Scan | TypedCode | Tablet | Till


@dataclass(frozen=True, slots=True, kw_only=True)
class Earn:
    """One request to earn. Whose: an account, or a member with a program (None = the default)."""

    idempotency_key: str
    chain_id: ChainId
    account_id: AccountId | None
    member_id: MemberId | None
    program_id: ProgramId | None
    salon_id: SalonId | None
    actor: Actor
    session_id: str
    occurred_at: datetime | None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What an earn brings. `points` is None where a grant decides."""

    points: int | None
    source: EarnSource
    occurred_at: datetime
    # Whether it counts as one with an earn of the same visit (D12).
    cools_down: bool


def require_sound(origin: Origin) -> None:
    """Refuses what no program could count: PointsInvalid (M10), CodeRequired (LS-27, M7).

    Nothing is looked up for it, so that it costs no guess at a code.
    """
    match origin:
        case TypedCode(points=points, multi_point_code=code):
            require_points(points, minimum=1, maximum=MULTI_POINT_MAX)
            if points > 1 and not code:
                raise CodeRequired
        case Till(points=points):
            require_points(points, minimum=1, maximum=ENTRY_POINTS_MAX)
        case Scan() | Tablet():
            pass


def worth(earn: Earn, *, program: Program, now: datetime) -> Worth:
    """What a sound earn brings under its program, codes and grants not looked at yet.

    Refuses with OccurredTooEarly or OccurredInFuture.
    """
    occurred_at = occurred(earn.occurred_at, now=now)
    match earn.origin:
        case Scan(grant_id=None):
            points: int | None = program.visit_points
            source, cools_down = EarnSource.SCAN, True
        case Scan():
            points, source, cools_down = None, EarnSource.MULTI_POINT_SCAN, False
        case TypedCode(points=points):
            source, cools_down = EarnSource.MANUAL_CODE, points == 1
        case Tablet():
            points, source, cools_down = 1, EarnSource.TABLET, True
        case Till(points=points):
            source, cools_down = EarnSource.TILL, False
    return Worth(
        points=points,
        source=source,
        occurred_at=occurred_at,
        cools_down=cools_down and program.cool_down_seconds > 0,
    )


def occurred(claimed: datetime | None, *, now: datetime) -> datetime:
    """When it happened: as the device says within bounds, else now."""
    if claimed is None:
        return now
    if claimed < now - timedelta(hours=OCCURRED_HOURS_BACK_MAX):
        raise OccurredTooEarly(hours_max=OCCURRED_HOURS_BACK_MAX)
    if claimed > now + timedelta(minutes=OCCURRED_MINUTES_AHEAD_MAX):
        raise OccurredInFuture(minutes_max=OCCURRED_MINUTES_AHEAD_MAX)
    return claimed


def require_points(points: int, *, minimum: int, maximum: int) -> None:
    """Refuses a number of points that this way may not give (M10)."""
    if not minimum <= points <= maximum:
        raise PointsInvalid(minimum=minimum, maximum=maximum)


def same_visit(*, first: datetime, second: datetime, cool_down_seconds: int) -> bool:
    """Whether two earns of one member are one visit; late uploads may arrive in either order."""
    return abs(second - first) < timedelta(seconds=cool_down_seconds)


def require_items(count: int, *, items_max: int) -> None:
    """Refuses a request without items or with too many."""
    if not 1 <= count <= items_max:
        raise NumberOutOfRange(field="items", minimum=1, maximum=items_max)
