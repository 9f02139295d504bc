"""Terms: the settings of the moment that a sale is held to for good (SQ-44, SQ-56, N5).

What a sale is worth follows from its lines and its terms alone, so that a refund or an exchange
years later needs nothing else: no program, no catalog, no promotion of that day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.points.domain import accrual, promotions, tiers
from services.points.domain.accrual import AccrualRule, Portion
from services.points.domain.ids import LineUid, ProgramId, PromotionId, RewardId, TierId
from services.points.domain.lots import POLICY_NEVER
from services.points.domain.promotions import PromotionTerms
from services.points.domain.sales import Sale


class VisitRefundBasis(StrEnum):
    """Which amount a visit's minimum is compared with after a refund (D1)."""

    REMAINING = "REMAINING"
    REFUNDED = "REFUNDED"


class DebtRule(StrEnum):
    """What happens where a refund takes more than the balance (D3)."""

    ALLOW_NEGATIVE = "ALLOW_NEGATIVE"
    CLAMP_ZERO = "CLAMP_ZERO"


class RewardOnRefund(StrEnum):
    """Whether a reward used on a sale comes back with it (R36); the salon's choice."""

    RETURN = "RETURN"
    KEEP = "KEEP"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleReward:
    """A reward used on a sale: for some of its lines, or for all of it where none is named."""

    reward_id: RewardId
    on_refund: RewardOnRefund
    line_uids: tuple[LineUid, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleTerms:
    """The settings of the moment. `promotions` are those open to this sale then, newest first."""

    program_id: ProgramId
    program_version: int
    rules: tuple[AccrualRule, ...]
    tier_id: TierId | None = None
    tier_multiplier: Decimal = Decimal(1)
    promotions: tuple[PromotionTerms, ...] = ()
    # Of points that the sale brings, the salon's zone with it.
    expiry_policy: str = POLICY_NEVER
    time_zone: str
    visit_refund_basis: VisitRefundBasis = VisitRefundBasis.REMAINING
    debt_rule: DebtRule = DebtRule.ALLOW_NEGATIVE
    rewards: tuple[SaleReward, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The salon's zone as a calendar."""
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class SalePoints:
    """Points of a sale by where they come from; only the base counts for a tier (D14)."""

    base: int = 0
    tier_bonus: int = 0
    promotion: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.base + self.tier_bonus + self.promotion

    def less(self, other: SalePoints) -> SalePoints:
        """What is left of these without those, part by part."""
        return SalePoints(
            base=self.base - other.base,
            tier_bonus=self.tier_bonus - other.tier_bonus,
            promotion=self.promotion - other.promotion,
        )


NO_POINTS = SalePoints()


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleWorth:
    """What a sale earns, by which rule and promotion, and the lines that earn nothing (SQ-58)."""

    points: SalePoints
    rule: AccrualRule | None
    promotion_id: PromotionId | None
    silent_lines: tuple[LineUid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledSale:
    """A sale that was counted, with its terms and what it brought: all that is ever asked again."""

    sale: Sale
    terms: SaleTerms
    worth: SaleWorth


def worth(portions: Sequence[Portion], terms: SaleTerms) -> SaleWorth:
    """What there is of a sale is worth, by its terms alone: the preview is the same (SQ-17).

    The base is what the best rule gives; the tier's bonus and one promotion come on top, each
    with its fractions dropped. Refuses with PointsInvalid beyond what an entry holds.
    """
    base = accrual.accrued(terms.rules, portions)
    bonus = tiers.bonus(base_points=base.points, multiplier=terms.tier_multiplier)
    # They come in one entry.
    accrual.require_entry(base.points + bonus)
    promotion, promotion_id = promotions.bonus(
        terms.promotions, base_points=base.points, rule=base.rule, portions=portions
    )
    return SaleWorth(
        points=SalePoints(base=base.points, tier_bonus=bonus, promotion=promotion),
        rule=base.rule,
        promotion_id=promotion_id,
        silent_lines=base.silent_lines,
    )


def settled(sale: Sale, terms: SaleTerms) -> SettledSale:
    """The sale as it is to be kept. Without a member on it there are no points (SQ-18, R32)."""
    found = worth(accrual.whole(sale.lines), terms)
    if sale.account_id is None:
        found = SaleWorth(
            points=NO_POINTS, rule=None, promotion_id=None, silent_lines=found.silent_lines
        )
    return SettledSale(sale=sale, terms=terms, worth=found)
