"""Promotions: for a time, more points than the base gives (API: `loyalty_promotion`).

Where several could apply, the most recently created does. The base must earn first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeAlias
from zoneinfo import ZoneInfo

from services.points.domain import accrual
from services.points.domain.accrual import AccrualRule, Portion, SpendRule, VisitRule
from services.points.domain.errors import NumberOutOfRange, PointsInvalid, TextInvalid
from services.points.domain.ids import CatalogId, ChainId, ProgramId, PromotionId
from services.points.domain.periods import Period, period_from
from services.points.domain.sale_errors import (
    IncentiveInvalid,
    MultiplierInvalid,
    PromotionLimit,
    PromotionOver,
    QualifyingInvalid,
    TriggerLimitInvalid,
)
from services.points.domain.sales import AMOUNT_MINOR_MAX
from services.points.domain.texts import tidy_text

# Running and planned ones together (api.md, "Limits").
PROMOTIONS_MAX = 10
NAME_LENGTH_MAX = 70
MULTIPLIER_MAX = Decimal(10)
MULTIPLIER_DECIMALS_MAX = 3
ADDITION_MAX = 1_000_000
# One a day of two weeks, and some more: each is looked at for every sale.
PERIODS_MAX = 20
QUALIFYING_MAX = 500
TRIGGER_TIMES_MAX = 1000

_UTC = ZoneInfo("UTC")
# A time on the wall comes at most twelve hours later somewhere than in UTC; clocks change besides.
_ZONES_SPAN = timedelta(hours=14)


class PromotionStatus(StrEnum):
    """Planned, running, over by itself, or stopped by somebody."""

    SCHEDULED = "SCHEDULED"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"
    CANCELED = "CANCELED"


class TriggerInterval(StrEnum):
    """What a trigger limit counts within; a day is the salon's."""

    ALL_TIME = "ALL_TIME"
    DAY = "DAY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """The base times this; what it adds to the base is the promotion's."""

    multiplier: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """So many points besides the base."""

    points: int


Incentive: TypeAlias = Multiplier | Addition


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerLimit:
    """How often one account may earn by a promotion within the interval."""

    times: int
    interval: TriggerInterval


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionTerms:
    """What of a promotion decides over a sale: the part that is frozen with it."""

    id: PromotionId
    incentive: Incentive
    minimum_spend_minor: int | None = None
    qualifying_item_ids: frozenset[CatalogId] = frozenset()
    qualifying_category_ids: frozenset[CatalogId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A promotion of a program with its periods, in the local time of each salon."""

    chain_id: ChainId
    program_id: ProgramId
    name: str
    terms: PromotionTerms
    periods: tuple[Period, ...]
    trigger_limit: TriggerLimit | None
    created_at: datetime
    canceled_at: datetime | None = None

    @property
    def id(self) -> PromotionId:
        """The promotion's own id."""
        return self.terms.id

    @property
    def updated_at(self) -> datetime:
        """When it last changed: a promotion is made and at most canceled."""
        return self.canceled_at or self.created_at

    @property
    def over_at(self) -> datetime | None:
        """From this instant on it is over, whatever the salon's zone; None: it has no end."""
        _, end = bounds(self.periods, zone=_UTC)
        return None if end is None else end + _ZONES_SPAN


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionDraft:
    """A promotion as somebody wrote it, to be checked."""

    name: str
    multiplier: str | None = None
    addition: int | None = None
    periods: tuple[str, ...] = ()
    trigger_times: int | None = None
    trigger_interval: str | None = None
    minimum_spend_minor: int | None = None
    qualifying_item_ids: tuple[CatalogId, ...] = ()
    qualifying_category_ids: tuple[CatalogId, ...] = ()


def status(promotion: Promotion, *, now: datetime, zone: ZoneInfo) -> PromotionStatus:
    """Where a promotion stands: between its first beginning and its last end it is active."""
    if promotion.canceled_at is not None and promotion.canceled_at <= now:
        return PromotionStatus.CANCELED
    begin, end = bounds(promotion.periods, zone=zone)
    if begin is not None and now < begin:
        return PromotionStatus.SCHEDULED
    if end is not None and now >= end:
        return PromotionStatus.ENDED
    return PromotionStatus.ACTIVE


def bounds(periods: Sequence[Period], *, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """The first beginning and the last end of all periods; None where one has no end."""
    windows = [
        (
            period.window(first, zone=zone)[0] if (first := period.first_day()) else None,
            period.window(last, zone=zone)[1] if (last := period.last_day()) else None,
        )
        for period in periods
    ]
    begins = [begin for begin, _ in windows if begin is not None]
    ends = [end for _, end in windows if end is not None]
    endless = len(ends) < len(windows)
    return min(begins, default=None), None if endless else max(ends, default=None)


def canceled(promotion: Promotion, *, now: datetime, zone: ZoneInfo) -> Promotion:
    """The promotion, stopped. Refuses with PromotionOver when it was over already."""
    running = (PromotionStatus.SCHEDULED, PromotionStatus.ACTIVE)
    if status(promotion, now=now, zone=zone) not in running:
        raise PromotionOver
    return replace(promotion, canceled_at=now)


def require_room(promotions: Sequence[Promotion], *, now: datetime, zone: ZoneInfo) -> None:
    """Refuses one more than ten running and planned promotions of a program."""
    running = (PromotionStatus.SCHEDULED, PromotionStatus.ACTIVE)
    count = sum(status(promotion, now=now, zone=zone) in running for promotion in promotions)
    if count >= PROMOTIONS_MAX:
        raise PromotionLimit(limit=PROMOTIONS_MAX)


def open_to(
    promotions: Sequence[tuple[Promotion, Sequence[datetime]]], *, at: datetime, zone: ZoneInfo
) -> tuple[PromotionTerms, ...]:
    """What of a program's promotions is open at the moment of a sale, newest first.

    With each comes when the account earned by it before, sales refunded in full left out. These
    terms are frozen with the sale; `bonus` picks among them.
    """
    newest = sorted(promotions, key=lambda pair: (pair[0].created_at, pair[0].id), reverse=True)
    return tuple(
        promotion.terms
        for promotion, triggered in newest
        if is_open(promotion, at=at, zone=zone)
        and may_trigger(promotion.trigger_limit, triggered, at=at, zone=zone)
    )


def is_open(promotion: Promotion, *, at: datetime, zone: ZoneInfo) -> bool:
    """Whether a sale at this instant, in a salon of this zone, falls into one of its periods."""
    if promotion.canceled_at is not None and promotion.canceled_at <= at:
        return False
    return any(period.holds(at, zone=zone) for period in promotion.periods)


def may_trigger(
    limit: TriggerLimit | None, triggered: Sequence[datetime], *, at: datetime, zone: ZoneInfo
) -> bool:
    """Whether the account may earn by it once more; a day is the salon's, midnight to midnight."""
    if limit is None:
        return True
    if limit.interval is TriggerInterval.DAY:
        today = at.astimezone(zone).date()
        triggered = [moment for moment in triggered if moment.astimezone(zone).date() == today]
    return len(triggered) < limit.times


def bonus(
    promotions: Sequence[PromotionTerms],
    *,
    base_points: int,
    rule: AccrualRule | None,
    portions: Sequence[Portion],
) -> tuple[int, PromotionId | None]:
    """What the first promotion that a sale qualifies for adds to its base, fractions dropped.

    Nothing where the base earned nothing. Refuses with PointsInvalid beyond what an entry holds.
    """
    if base_points < 1 or rule is None:
        return 0, None
    for terms in promotions:
        if _qualifies(terms, rule, portions):
            points = added(terms.incentive, base_points=base_points)
            accrual.require_entry(points)
            return points, terms.id
    return 0, None


def added(incentive: Incentive, *, base_points: int) -> int:
    """What an incentive adds to base points: 4 at 1.5 give 2 more."""
    if isinstance(incentive, Addition):
        return incentive.points
    more = base_points * (incentive.multiplier - 1)
    return int(more.to_integral_value(rounding=ROUND_FLOOR))


def promotion_from(
    draft: PromotionDraft,
    *,
    chain_id: ChainId,
    program_id: ProgramId,
    promotion_id: PromotionId,
    rules: Sequence[AccrualRule],
    now: datetime,
) -> Promotion:
    """The checked promotion of a program with these accrual rules.

    Refuses with TextInvalid, IncentiveInvalid, MultiplierInvalid, PointsInvalid, PeriodInvalid,
    NumberOutOfRange, TriggerLimitInvalid, or QualifyingInvalid.
    """
    name = tidy_text("name", draft.name, length_max=NAME_LENGTH_MAX)
    if not name:
        raise TextInvalid(field="name", length_max=NAME_LENGTH_MAX)
    _require_within("available_time.time_periods", len(draft.periods), PERIODS_MAX)
    minimum = draft.minimum_spend_minor
    if minimum is not None:
        _require_within("minimum_spend_amount_money", minimum, AMOUNT_MINOR_MAX)
    _require_qualifying(draft, rules)
    return Promotion(
        chain_id=chain_id,
        program_id=program_id,
        name=name,
        terms=PromotionTerms(
            id=promotion_id,
            incentive=_incentive(draft),
            minimum_spend_minor=minimum,
            qualifying_item_ids=frozenset(draft.qualifying_item_ids),
            qualifying_category_ids=frozenset(draft.qualifying_category_ids),
        ),
        periods=tuple(period_from(text) for text in draft.periods),
        trigger_limit=_trigger_limit(draft),
        created_at=now,
    )


def multiplier_from(text: str) -> Decimal:
    """A multiplier above 1, up to 10, of at most 3 decimals; refuses with MultiplierInvalid."""
    refusal = MultiplierInvalid(maximum=MULTIPLIER_MAX, decimals=MULTIPLIER_DECIMALS_MAX)
    try:
        multiplier = Decimal(text)
    except InvalidOperation:
        raise refusal from None
    if not (multiplier.is_finite() and 1 < multiplier <= MULTIPLIER_MAX):
        raise refusal
    if multiplier != round(multiplier, MULTIPLIER_DECIMALS_MAX):
        raise refusal
    return multiplier.normalize()


def last_moment(promotion: Promotion, *, zone: ZoneInfo) -> datetime | None:
    """The last instant at which it runs (API: `end_date` is its day); None: until canceled."""
    _, end = bounds(promotion.periods, zone=zone)
    return None if end is None else end - timedelta(microseconds=1)


def _qualifies(terms: PromotionTerms, rule: AccrualRule, portions: Sequence[Portion]) -> bool:
    """Whether what there is of a sale meets the minimum and holds one of the items, if any.

    A line that is excluded from the base qualifies a sale for nothing.
    """
    there = [portion for portion in portions if portion.quantity > 0 and portion.share > 0]
    spent = accrual.amount(there, accrual.tax_mode_of(rule))
    if terms.minimum_spend_minor is not None and spent < terms.minimum_spend_minor:
        return False
    if not terms.qualifying_item_ids and not terms.qualifying_category_ids:
        return True
    return any(accrual.earns(rule, portion) and _is_qualifying(terms, portion) for portion in there)


def _is_qualifying(terms: PromotionTerms, portion: Portion) -> bool:
    line = portion.line
    return (
        line.variation_id in terms.qualifying_item_ids
        or line.item_id in terms.qualifying_item_ids
        or not terms.qualifying_category_ids.isdisjoint(line.category_ids)
    )


def _incentive(draft: PromotionDraft) -> Incentive:
    if (draft.multiplier is None) == (draft.addition is None):
        raise IncentiveInvalid
    if draft.multiplier is not None:
        return Multiplier(multiplier=multiplier_from(draft.multiplier))
    points = draft.addition
    if points is None or not 1 <= points <= ADDITION_MAX:
        raise PointsInvalid(field="points_addition", minimum=1, maximum=ADDITION_MAX)
    return Addition(points=points)


def _trigger_limit(draft: PromotionDraft) -> TriggerLimit | None:
    if draft.trigger_times is None and draft.trigger_interval is None:
        return None
    times = draft.trigger_times or 0
    named = draft.trigger_interval or TriggerInterval.ALL_TIME
    interval = next((it for it in TriggerInterval if it == named), None)
    if interval is None or not 1 <= times <= TRIGGER_TIMES_MAX:
        raise TriggerLimitInvalid(maximum=TRIGGER_TIMES_MAX)
    return TriggerLimit(times=times, interval=interval)


def _require_qualifying(draft: PromotionDraft, rules: Sequence[AccrualRule]) -> None:
    items, categories = draft.qualifying_item_ids, draft.qualifying_category_ids
    if not items and not categories:
        return
    by_visit_or_spend = any(isinstance(rule, VisitRule | SpendRule) for rule in rules)
    if (items and categories) or not by_visit_or_spend:
        raise QualifyingInvalid
    _require_within("qualifying_item_variation_ids", len(items) + len(categories), QUALIFYING_MAX)


def _require_within(field: str, value: int, maximum: int) -> None:
    if not 1 <= value <= maximum:
        raise NumberOutOfRange(field=field, minimum=1, maximum=maximum)
