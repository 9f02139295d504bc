"""Tiers in the ledger: what a member's tier adds, and where sales, refunds and years take her.

Whatever moves a standing wants its account locked; a program without a ladder costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.chassis.errors import InvariantViolated
from services.chassis.outbox import OutboxEvent
from services.chassis.postgres import Connection
from services.points import events
from services.points.domain import tiers
from services.points.domain.ledger import Account
from services.points.domain.programs import Program
from services.points.domain.tiers import BasePoints, Ladder, Progress, Standing, Tier
from services.points.storage import standings as standing_rows
from services.points.storage.standings import AccountName, Place, Span, StandingChange
from services.points.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class Climber:
    """A member's account on its program's ladder, and the moment as of which it is looked at."""

    account: Account
    ladder: Ladder
    at: datetime

    @property
    def name(self) -> AccountName:
        """Chain and account."""
        return (self.account.chain_id, self.account.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A climber with what is kept, and where that makes her stand."""

    climber: Climber
    place: Place
    standing: Standing

    @classmethod
    def at(cls, climber: Climber, place: Place) -> Found:
        """At the foot of the ladder where nothing is kept.

        A standing of before the launch was on another ladder, and is none on this one (T1).
        """
        ladder, standing = climber.ladder, place.standing
        if standing is None or standing.entered_at < ladder.launched_at:
            since = max(ladder.launched_at, climber.account.opened_at)
            standing = tiers.lowest(ladder, since=since)
        return cls(climber=climber, place=place, standing=standing)

    def progress(self, entries: Sequence[BasePoints]) -> Progress:
        return Progress(ladder=self.climber.ladder, entries=tuple(entries), zone=self.place.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A member's tier as it is told: the next one, None at the top, and progress towards it."""

    tier: Tier
    next: Tier | None
    # Base points of the last twelve months.
    progress: int
    standing: Standing


async def multiplier_of(
    conn: Connection, account: Account, program: Program, now: datetime
) -> tuple[Tier | None, Decimal]:
    """The tier that an account has at a moment and what it makes of base points; writes nothing.

    Yearly checks that are due by then count as made. None and 1 where there is no ladder.
    """
    if program.ladder is None:
        return None, Decimal(1)
    climber = Climber(account=account, ladder=program.ladder, at=now)
    (found,) = await _found(conn, [climber])
    (standing,) = await _checked(conn, [found])
    tier = program.ladder.named(standing)
    return tier, tier.multiplier


async def after_sale(
    deps: Deps, conn: Connection, account: Account, program: Program, at: datetime
) -> OutboxEvent | None:
    """Take a member up where what is posted by now reaches a tier (T2, T5).

    `at` is when it was earned; an upload that comes late counts as of now, with all that came
    before it. Yearly checks that are due come first. Answers the event of a change of tier.
    """
    if program.ladder is None:
        return None
    moment = max(at, deps.clock.now(account.chain_id))
    climber = Climber(account=account, ladder=program.ladder, at=moment)
    told = await after_earns(conn, [climber])
    return told[0] if told else None


async def after_earns(conn: Connection, climbers: Sequence[Climber]) -> list[OutboxEvent]:
    """`after_sale` for many accounts, each named once; some statements for all of them."""
    if not climbers:
        return []
    found = await _found(conn, climbers)
    checked = await _checked(conn, found)
    sums = await standing_rows.progress_sums(conn, [_year(each) for each in found])
    risen = []
    for each, standing in zip(found, checked, strict=True):
        at = each.climber.at
        # Only the year up to this moment is asked for, so its sum is enough.
        year = BasePoints(at=at, points=sums.get(each.climber.name, 0))
        progress = each.progress([year])
        risen.append(tiers.after_sale(standing, progress=progress, at=at))
    return await _kept(conn, found, risen)


async def after_refund(
    deps: Deps,
    conn: Connection,
    account: Account,
    program: Program,
    *,
    counts_at: datetime,
    base_points: int,
) -> OutboxEvent | None:
    """Move a member as a sale counts for less, or by an exchange for more (D14, T8).

    Call it when the change is written, with its signed base points and the sale's own moment.
    Yearly checks that are due come first, as of before the change. Answers the event of a change
    of tier.
    """
    if program.ladder is None or base_points == 0:
        return None
    now = deps.clock.now(account.chain_id)
    climber = Climber(account=account, ladder=program.ladder, at=now)
    (found,) = await _found(conn, [climber])
    entries = await _entries(conn, [found])
    after = entries.get(climber.name, ())
    before = (*after, BasePoints(at=counts_at, points=-base_points))
    standing = tiers.checked(found.standing, progress=found.progress(before), now=now)
    if base_points > 0:
        standing = tiers.after_sale(standing, progress=found.progress(after), at=now)
    else:
        standing = tiers.after_refund(standing, progress=found.progress(after), now=now)
    told = await _kept(conn, [found], [standing])
    return told[0] if told else None


async def check_years(
    conn: Connection, climbers: Sequence[Climber]
) -> tuple[list[OutboxEvent], list[AccountName]]:
    """Make every yearly check that is due by each climber's moment (T6, T7). Repeatable.

    Answers the events of changes of tier, and whose kept standing is of a ladder of before.
    """
    found = await _found(conn, climbers)
    told = await _kept(conn, found, await _checked(conn, found))
    gone = [each.climber.name for each in found if each.place.standing not in (None, each.standing)]
    return told, gone


async def rungs(conn: Connection, found: Sequence[Found]) -> dict[AccountName, Rung]:
    """Where members are to be told that they stand; writes nothing, and locks nothing."""
    checked = await _checked(conn, found)
    sums = await standing_rows.progress_sums(conn, [_year(each) for each in found])
    told = {}
    for each, standing in zip(found, checked, strict=True):
        ladder = each.climber.ladder
        tier = ladder.named(standing)
        higher = [other for other in ladder.tiers if other.threshold > tier.threshold]
        told[each.climber.name] = Rung(
            tier=tier,
            next=higher[0] if higher else None,
            progress=sums.get(each.climber.name, 0),
            standing=standing,
        )
    return told


async def _found(conn: Connection, climbers: Sequence[Climber]) -> list[Found]:
    places = await standing_rows.places(conn, [climber.name for climber in climbers])
    return [Found.at(climber, places[climber.name]) for climber in climbers]


async def _checked(conn: Connection, found: Sequence[Found]) -> list[Standing]:
    """Standings after the yearly checks that are due; nothing is asked where none is."""
    due = [each for each in found if _is_due(each)]
    entries = await _entries(conn, due)
    return [
        tiers.checked(
            each.standing,
            progress=each.progress(entries.get(each.climber.name, ())),
            now=each.climber.at,
        )
        if _is_due(each)
        else each.standing
        for each in found
    ]


def _is_due(found: Found) -> bool:
    due = found.standing.kept_until
    return due is not None and due <= found.climber.at


async def _entries(
    conn: Connection, found: Sequence[Found]
) -> dict[AccountName, tuple[BasePoints, ...]]:
    """All base points since the launch."""
    spans = [Span(name=each.climber.name, since=each.climber.ladder.launched_at) for each in found]
    return await standing_rows.progress_entries(conn, spans)


def _year(found: Found) -> Span:
    climber = found.climber
    return Span(
        name=climber.name,
        since=climber.ladder.launched_at,
        after=tiers.years_later(climber.at, years=-1, zone=found.place.zone),
        until=climber.at,
    )


async def _kept(
    conn: Connection, found: Sequence[Found], standings: Sequence[Standing]
) -> list[OutboxEvent]:
    """Write the standings that differ; the events of those whose tier does."""
    changes, told = [], []
    for each, standing in zip(found, standings, strict=True):
        if standing == each.standing:
            continue
        climber = each.climber
        changes.append(
            StandingChange(name=climber.name, read=each.place.standing, standing=standing)
        )
        before, tier = climber.ladder.named(each.standing), climber.ladder.named(standing)
        if tier.id != before.id:
            # A tier that was entered has its day; one that a refund left is left now.
            entered = standing.entered_at > each.standing.entered_at
            told.append(
                events.tier_changed(
                    climber.account,
                    before=before,
                    tier=tier,
                    standing=standing,
                    occurred_at=standing.entered_at if entered else climber.at,
                )
            )
    if await standing_rows.put(conn, changes) != len(changes):
        raise InvariantViolated("a standing changed under its account's lock")
    return told
