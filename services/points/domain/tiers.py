"""Tiers: levels by what a member earned in a year, each with a bonus on the base (SQ-05, D14).

Progress is base points alone: no bonus, no promotion, no adjustment. A tier is kept for a year
from entry; spending never takes it, a refund only if the entry itself would have missed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from uuid import UUID
from zoneinfo import ZoneInfo

from services.points.domain.errors import NumberOutOfRange, TextInvalid
from services.points.domain.ids import TierId
from services.points.domain.sale_errors import (
    MultiplierInvalid,
    TierLimit,
    TierThresholdsInvalid,
    TierUnknown,
)
from services.points.domain.texts import tidy_text

# The lowest included (T10).
TIERS_MAX = 6
NAME_LENGTH_MAX = 40
THRESHOLD_MAX = 1_000_000_000
MULTIPLIER_MAX = Decimal(10)
MULTIPLIER_DECIMALS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A level from so many points of progress on, with its multiplier of the base."""

    id: TierId
    name: str
    threshold: int
    multiplier: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierDraft:
    """A level as somebody wrote it; without an id it is a new one."""

    id: TierId | None = None
    name: str
    threshold: int
    # "1.25"; empty: it adds nothing.
    multiplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """A program's tiers, lowest first, counting from the moment at which they were launched."""

    tiers: tuple[Tier, ...]
    launched_at: datetime

    def reached(self, progress: int) -> Tier:
        """The highest tier whose threshold progress meets; the threshold is included (T5)."""
        return [tier for tier in self.tiers if tier.threshold <= max(0, progress)][-1]

    def named(self, standing: Standing) -> Tier:
        """The tier of a standing; of one that was deleted, the nearest below it."""
        for tier in self.tiers:
            if tier.id == standing.tier_id:
                return tier
        return self.reached(standing.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a member stands, since when and until when; the lowest tier has no end.

    `founded_at` is the moment on which it rests, with the threshold of then: the entry, or the
    last yearly check. `before` is what the member had when rising to it, should a refund undo that.
    """

    tier_id: TierId
    threshold: int
    entered_at: datetime
    founded_at: datetime
    kept_until: datetime | None
    before: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePoints:
    """What a sale counts for progress, at its own moment, what was refunded left out."""

    at: datetime
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A member's base points on a ladder; years are counted in the chain's home zone."""

    ladder: Ladder
    entries: tuple[BasePoints, ...]
    zone: ZoneInfo

    def at(self, moment: datetime) -> int:
        """Base points of the twelve months up to a moment, that moment included (D14).

        Nothing from before the launch of tiers counts (T1).
        """
        since = years_later(moment, years=-1, zone=self.zone)
        return sum(
            entry.points
            for entry in self.entries
            if since < entry.at <= moment and entry.at >= self.ladder.launched_at
        )


def bonus(*, base_points: int, multiplier: Decimal) -> int:
    """What a tier adds to base points, fractions dropped: 30 at 1.25 give 7 more (T3)."""
    more = base_points * (multiplier - 1)
    return int(more.to_integral_value(rounding=ROUND_FLOOR))


def lowest(ladder: Ladder, *, since: datetime) -> Standing:
    """Where everybody starts: at the launch, or at enrolment after it (T1)."""
    return Standing(
        tier_id=ladder.tiers[0].id,
        threshold=ladder.tiers[0].threshold,
        entered_at=since,
        founded_at=since,
        kept_until=None,
    )


def after_sale(standing: Standing, *, progress: Progress, at: datetime) -> Standing:
    """Where a sale takes its member: up where progress reaches a threshold, never down (T2, T5).

    The sale itself earned under the tier of before. Due checks come first: see `checked`.
    """
    ladder = progress.ladder
    reached = ladder.reached(progress.at(at))
    if reached.threshold <= ladder.named(standing).threshold:
        return standing
    return _entered(reached, at=at, zone=progress.zone, before=standing)


def checked(standing: Standing, *, progress: Progress, now: datetime) -> Standing:
    """Where a member stands after every yearly check that is due, each as of its own day.

    Progress that still meets the tier keeps it for one more year (T7); else the member falls to
    the tier that progress meets, entering it on that day (T6). Late and repeated calls give the
    same.
    """
    while standing.kept_until is not None and standing.kept_until <= now:
        due = standing.kept_until
        tier = progress.ladder.named(standing)
        reached = progress.ladder.reached(progress.at(due))
        if reached.threshold >= tier.threshold:
            standing = replace(
                standing,
                threshold=tier.threshold,
                founded_at=due,
                kept_until=years_later(due, years=1, zone=progress.zone),
                before=None,
            )
        else:
            standing = _entered(reached, at=due, zone=progress.zone, before=None)
    return standing


def after_refund(standing: Standing, *, progress: Progress, now: datetime) -> Standing:
    """Where a member stands once a sale counts for less; `progress` is without those points.

    A tier is lost only if progress at the moment on which it rests misses its threshold (D14, T8).
    Then the member is where the rise had found them, as if it had not been, checks and rises of
    the meantime included.
    """
    kept = standing
    while standing.threshold > 0 and progress.at(standing.founded_at) < standing.threshold:
        standing = standing.before or lowest(progress.ladder, since=standing.entered_at)
    if standing == kept:
        return kept
    standing = checked(standing, progress=progress, now=now)
    return after_sale(standing, progress=progress, at=now)


def launched(drafts: Sequence[Tier], *, at: datetime) -> Ladder:
    """A checked ladder, lowest first.

    Refuses with TierLimit (T10), TierThresholdsInvalid, MultiplierInvalid, NumberOutOfRange, or
    TextInvalid.
    """
    if len(drafts) > TIERS_MAX:
        raise TierLimit(limit=TIERS_MAX)
    tiers = sorted((_checked(tier) for tier in drafts), key=lambda tier: tier.threshold)
    thresholds = [tier.threshold for tier in tiers]
    if not tiers or thresholds[0] != 0 or len(set(thresholds)) < len(thresholds):
        raise TierThresholdsInvalid
    return Ladder(tiers=tuple(tiers), launched_at=at)


def named_tiers(
    drafts: Sequence[TierDraft], *, kept: Ladder | None, new_id: Callable[[], UUID]
) -> tuple[Tier, ...]:
    """The levels that are written down: those with an id stay the ones they were, others are new.

    One that is written again as it stands, without its id, is the one that stands: the same save
    twice changes nothing. Refuses with TierUnknown, also an id that comes twice, or with
    MultiplierInvalid; `launched` checks the rest.
    """
    known = {tier.id: tier for tier in kept.tiers} if kept else {}
    sent = [draft.id for draft in drafts if draft.id is not None]
    if len(set(sent)) < len(sent) or not known.keys() >= set(sent):
        raise TierUnknown
    alike = {(tier.name, tier.threshold): tier.id for tier in known.values() if tier.id not in sent}
    named = []
    for draft in drafts:
        tier_id = draft.id or alike.pop((draft.name, draft.threshold), None)
        named.append(
            Tier(
                id=tier_id or TierId(new_id()),
                name=draft.name,
                threshold=draft.threshold,
                multiplier=_multiplier(draft.multiplier),
            )
        )
    return tuple(named)


def years_later(moment: datetime, *, years: int, zone: ZoneInfo) -> datetime:
    """The same time on the wall, years on or back; 29 February is 28 where there is none."""
    local = moment.astimezone(zone)
    try:
        moved = local.replace(year=local.year + years)
    except ValueError:
        moved = local.replace(year=local.year + years, day=28)
    return moved.astimezone(UTC)


def _entered(tier: Tier, *, at: datetime, zone: ZoneInfo, before: Standing | None) -> Standing:
    """A standing that begins now; the lowest tier is kept for good."""
    return Standing(
        tier_id=tier.id,
        threshold=tier.threshold,
        entered_at=at,
        founded_at=at,
        kept_until=years_later(at, years=1, zone=zone) if tier.threshold > 0 else None,
        before=before,
    )


def _checked(tier: Tier) -> Tier:
    name = tidy_text("tiers.name", tier.name, length_max=NAME_LENGTH_MAX)
    if not name:
        raise TextInvalid(field="tiers.name", length_max=NAME_LENGTH_MAX)
    if not 0 <= tier.threshold <= THRESHOLD_MAX:
        raise NumberOutOfRange(field="tiers.threshold", minimum=0, maximum=THRESHOLD_MAX)
    multiplier = tier.multiplier
    sound = multiplier.is_finite() and 1 <= multiplier <= MULTIPLIER_MAX
    if not sound or multiplier != round(multiplier, MULTIPLIER_DECIMALS_MAX):
        raise _multiplier_refusal()
    return replace(tier, name=name)


def _multiplier(text: str) -> Decimal:
    try:
        return Decimal(text or 1)
    except InvalidOperation:
        raise _multiplier_refusal() from None


def _multiplier_refusal() -> MultiplierInvalid:
    return MultiplierInvalid(
        field="tiers.multiplier", maximum=MULTIPLIER_MAX, decimals=MULTIPLIER_DECIMALS_MAX
    )
