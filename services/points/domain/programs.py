"""Programs: one set of earning rules each; a chain may run several (LS-74)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.points.domain import tiers
from services.points.domain.accrual import AccrualRule, RuleType, SpendRule, VisitRule, rule_type
from services.points.domain.errors import (
    NumberOutOfRange,
    ProgramInactive,
    ProgramUnknown,
    RuleIncomplete,
    SalonInactive,
    SalonNotInProgram,
    SalonUnknown,
)
from services.points.domain.ids import ChainId, ProgramId, SalonId
from services.points.domain.lots import POLICY_NEVER
from services.points.domain.terms import DebtRule, RewardOnRefund, VisitRefundBasis
from services.points.domain.texts import tidy_text
from services.points.domain.tiers import Ladder, Tier

# What most salons call it, and what it is called until the owner says otherwise (LS-74).
DEFAULT_NAME = "Vos points"
DEFAULT_TERM_ONE = "point"
DEFAULT_TERM_OTHER = "points"

NAME_LENGTH_MAX = 80
TERM_LENGTH_MAX = 40
# A scan gives a handful of points; more than this is a slip of the keyboard.
VISIT_POINTS_MAX = 1000
# Where an owner wants a bar for dollars and says no more: a point for each.
SPEND_AMOUNT_MINOR = 100
# A day: longer would refuse tomorrow's visit.
COOL_DOWN_SECONDS_MAX = 24 * 3600
# D12: on for live chains, off where a developer tries things.
COOL_DOWN_SECONDS_LIVE = 900
# They are read whole for each batch of earns, and shown in one drop-down.
PROGRAMS_MAX = 50
SALONS_MAX = 2000
# Fewer digits are guessed within days (reliability 3): the owner is told.
POINTS_CODE_DIGITS_SAFE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSettings:
    """What an owner chooses for refunds (D1, D3, R36); frozen with each sale."""

    visit_refund_basis: VisitRefundBasis = VisitRefundBasis.REMAINING
    debt_rule: DebtRule = DebtRule.ALLOW_NEGATIVE
    reward_on_refund: RewardOnRefund = RewardOnRefund.RETURN


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundChange:
    """What an owner saves of them; what is None stays."""

    visit_refund_basis: VisitRefundBasis | None = None
    debt_rule: DebtRule | None = None
    reward_on_refund: RewardOnRefund | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program as everybody may see it. Its codes are kept apart."""

    chain_id: ChainId
    id: ProgramId
    name: str
    term_one: str
    term_other: str
    active: bool
    # At least one.
    rules: tuple[AccrualRule, ...]
    # Of one visit or one scan; where the first rule is a visit's, its points.
    visit_points: int
    # Of points that are earned from now on (SQ-65).
    expiry_policy: str = POLICY_NEVER
    # None: the program has no tiers.
    ladder: Ladder | None = None
    refunds: RefundSettings = RefundSettings()
    # Empty: every salon of the chain.
    salon_ids: tuple[SalonId, ...]
    cool_down_seconds: int
    points_code_digits: int
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def accrual_type(self) -> RuleType:
        """What the points card shows: stamps for visits, a bar for dollars."""
        return rule_type(self.rules[0])

    @property
    def points_code_is_short(self) -> bool:
        """Whether the owner ought to choose a longer points code."""
        return self.points_code_digits < POINTS_CODE_DIGITS_SAFE


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramChange:
    """What an owner saves of one section; what is None stays as it was (SQ-47)."""

    name: str | None = None
    term_one: str | None = None
    term_other: str | None = None
    active: bool | None = None
    rules: tuple[AccrualRule, ...] | None = None
    visit_points: int | None = None
    expiry_policy: str | None = None
    # Empty: no tiers any more.
    tiers: tuple[Tier, ...] | None = None
    refunds: RefundChange | None = None
    cool_down_seconds: int | None = None
    salon_ids: tuple[SalonId, ...] | None = None
    points_code_digits: int | None = None


class Section(StrEnum):
    """What of a program members and staff ought to know when it is changed (SQ-51)."""

    NAME = "NAME"
    STATUS = "STATUS"
    EARNING = "EARNING"
    EXPIRY = "EXPIRY"
    TIERS = "TIERS"
    REFUNDS = "REFUNDS"
    SALONS = "SALONS"
    PAUSE = "PAUSE"
    CODES = "CODES"
    PROMOTIONS = "PROMOTIONS"


@dataclass(frozen=True, slots=True, kw_only=True)
class SalonStanding:
    """What points knows of a salon that an earn names."""

    id: SalonId
    known: bool
    active: bool


def default_program(programs: Sequence[Program]) -> Program | None:
    """The chain's first active program, which "main" stands for."""
    active = [program for program in programs if program.active]
    return min(active, key=lambda program: (program.created_at, program.id), default=None)


def named(programs: Mapping[ProgramId, Program], program_id: ProgramId | None) -> Program:
    """The program of that id, None meaning the default one; refuses with ProgramUnknown."""
    if program_id is None:
        found = default_program(list(programs.values()))
    else:
        found = programs.get(program_id)
    if found is None:
        raise ProgramUnknown
    return found


def in_order(programs: Sequence[Program]) -> list[Program]:
    """Oldest first, the default program leading."""
    first = default_program(programs)
    return sorted(
        programs,
        key=lambda program: (program is not first, program.created_at, program.id),
    )


def require_serving(program: Program, salon: SalonStanding | None) -> None:
    """Refuses when the program is off, or does not run in the salon that was named."""
    if not program.active:
        raise ProgramInactive
    if salon is None:
        return
    if not salon.known:
        raise SalonUnknown
    if not salon.active:
        raise SalonInactive
    if program.salon_ids and salon.id not in program.salon_ids:
        raise SalonNotInProgram


def checked(program: Program) -> Program:
    """The program with tidy texts; refuses texts and numbers that no program may have."""
    _require_within("visit_points", program.visit_points, minimum=1, maximum=VISIT_POINTS_MAX)
    _require_within(
        "cool_down_seconds", program.cool_down_seconds, minimum=0, maximum=COOL_DOWN_SECONDS_MAX
    )
    _require_within("salon_ids", len(program.salon_ids), minimum=0, maximum=SALONS_MAX)
    return replace(
        program,
        name=_text("name", program.name, DEFAULT_NAME, NAME_LENGTH_MAX),
        term_one=_text("term_one", program.term_one, DEFAULT_TERM_ONE, TERM_LENGTH_MAX),
        term_other=_text("term_other", program.term_other, DEFAULT_TERM_OTHER, TERM_LENGTH_MAX),
    )


def changed(program: Program, change: ProgramChange, *, codes: bool, now: datetime) -> Program:
    """The program after a save, one version on; the same program when nothing differs.

    `codes` says that a code is changed with it, which is a change too.
    """
    kept = program
    program = applied(kept, change, now=now)
    if program == kept and not codes:
        return kept
    return replace(program, updated_at=max(now, kept.updated_at), version=kept.version + 1)


def sections_changed(kept: Program, program: Program, *, codes: bool) -> tuple[Section, ...]:
    """Which sections say something else than before; `codes` says that a code is another one."""
    names = (kept.name, kept.term_one, kept.term_other)
    changes = {
        Section.NAME: names != (program.name, program.term_one, program.term_other),
        Section.STATUS: kept.active != program.active,
        Section.EARNING: (kept.rules, kept.visit_points) != (program.rules, program.visit_points),
        Section.EXPIRY: kept.expiry_policy != program.expiry_policy,
        Section.TIERS: kept.ladder != program.ladder,
        Section.REFUNDS: kept.refunds != program.refunds,
        Section.SALONS: set(kept.salon_ids) != set(program.salon_ids),
        Section.PAUSE: kept.cool_down_seconds != program.cool_down_seconds,
        Section.CODES: codes,
    }
    return tuple(section for section, is_other in changes.items() if is_other)


def applied(program: Program, change: ProgramChange, *, now: datetime) -> Program:
    """The program with a change in it, checked whole. Tiers that are new are launched now."""
    wanted = {
        "name": change.name,
        "term_one": change.term_one,
        "term_other": change.term_other,
        "active": change.active,
        "rules": change.rules,
        "visit_points": change.visit_points,
        "expiry_policy": change.expiry_policy,
        "cool_down_seconds": change.cool_down_seconds,
        "salon_ids": change.salon_ids,
        "points_code_digits": change.points_code_digits,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    kept = program
    program = replace(kept, **given)  # type: ignore[arg-type]
    program = checked(_agreeing(program, by_rules=change.rules is not None))
    if change.tiers is not None:
        program = replace(program, ladder=_ladder(kept.ladder, change.tiers, now=now))
    if change.refunds is not None:
        program = replace(program, refunds=_refunds(kept.refunds, change.refunds))
    return program


def rules_from_card(accrual_type: RuleType | None, visit_points: int) -> tuple[AccrualRule, ...]:
    """The one rule of a program of which only its card is said: a visit, or a point a dollar.

    Refuses with RuleIncomplete where the card alone does not say what earns.
    """
    if accrual_type is RuleType.SPEND:
        return (SpendRule(points=1, amount_minor=SPEND_AMOUNT_MINOR),)
    if accrual_type in (None, RuleType.VISIT):
        return (VisitRule(points=visit_points),)
    raise RuleIncomplete


def _agreeing(program: Program, *, by_rules: bool) -> Program:
    """The points of a visit stand in two places and are one number: the newer says it."""
    first = program.rules[0]
    if not isinstance(first, VisitRule) or first.points == program.visit_points:
        return program
    if by_rules:
        return replace(program, visit_points=first.points)
    first = replace(first, points=program.visit_points)
    return replace(program, rules=(first, *program.rules[1:]))


def _ladder(kept: Ladder | None, wanted: Sequence[Tier], *, now: datetime) -> Ladder | None:
    """The ladder with these tiers. Progress counts from the first launch on, whatever changes."""
    if not wanted:
        return None
    return tiers.launched(wanted, at=kept.launched_at if kept else now)


def _refunds(kept: RefundSettings, change: RefundChange) -> RefundSettings:
    return RefundSettings(
        visit_refund_basis=change.visit_refund_basis or kept.visit_refund_basis,
        debt_rule=change.debt_rule or kept.debt_rule,
        reward_on_refund=change.reward_on_refund or kept.reward_on_refund,
    )


def _text(field: str, text: str, default: str, length_max: int) -> str:
    return tidy_text(field, text, length_max=length_max) or default


def _require_within(field: str, value: int, *, minimum: int, maximum: int) -> None:
    if not minimum <= value <= maximum:
        raise NumberOutOfRange(field=field, minimum=minimum, maximum=maximum)
