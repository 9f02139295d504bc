"""A program's rules as an owner saves them: each part that is given replaces its own whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from services.points.domain import expiry, tiers
from services.points.domain.accrual import RuleDraft, rules_from
from services.points.domain.lots import POLICY_NEVER
from services.points.domain.programs import ProgramChange, RefundChange
from services.points.domain.tiers import Ladder, TierDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesDraft:
    """Rules as somebody wrote them, to be checked; what is left out stays (SQ-47)."""

    # Empty: they stay, for a program earns by at least one.
    accrual_rules: tuple[RuleDraft, ...] = ()
    # "never", or months such as "P3M" (SQ-64, D27).
    expiry_policy: str | None = None
    # Empty: no tiers any more.
    tiers: tuple[TierDraft, ...] | None = None
    refunds: RefundChange | None = None


def with_rules(
    change: ProgramChange,
    draft: RulesDraft,
    *,
    ladder: Ladder | None,
    new_id: Callable[[], UUID],
) -> ProgramChange:
    """The change with the rules of the draft in it; `ladder` is the one that is kept until now.

    Refuses with what `accrual.rules_from`, `expiry.policy_from` and `tiers.named_tiers` refuse.
    """
    if draft.accrual_rules:
        change = replace(change, rules=rules_from(draft.accrual_rules))
    if draft.expiry_policy is not None:
        wished = None if draft.expiry_policy == POLICY_NEVER else draft.expiry_policy
        change = replace(change, expiry_policy=expiry.policy_from(wished))
    if draft.tiers is not None:
        named = tiers.named_tiers(draft.tiers, kept=ladder, new_id=new_id)
        change = replace(change, tiers=named)
    if draft.refunds is not None:
        change = replace(change, refunds=draft.refunds)
    return change
