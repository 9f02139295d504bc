"""What use cases answer, into proto."""

from __future__ import annotations

from chassis.v1 import refusal_pb2
from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1 import types_pb2

# The other rooms of this door tell moments by it too.
from services.chassis.moments import timestamp as timestamp
from services.points.domain.ledger import (
    Actor,
    ActorKind,
    AdjustmentReason,
    EarnSource,
    Entry,
    PostingKind,
)
from services.points.domain.programs import Program
from services.points.rpc import rules
from services.points.usecases.account_views import AccountView
from services.points.usecases.earn_items import Earned
from services.points.usecases.ledger_view import LedgerLine, LedgerView
from services.points.usecases.standings import Rung

_KINDS = {
    PostingKind.EARN: pb.ENTRY_KIND_EARN,
    PostingKind.ADJUSTMENT: pb.ENTRY_KIND_ADJUSTMENT,
    PostingKind.REWARD: pb.ENTRY_KIND_REWARD,
    PostingKind.REWARD_RETURN: pb.ENTRY_KIND_REWARD_RETURN,
    PostingKind.PROMOTION: pb.ENTRY_KIND_PROMOTION,
    PostingKind.REFUND: pb.ENTRY_KIND_REFUND,
    PostingKind.EXPIRY: pb.ENTRY_KIND_EXPIRY,
}
_SOURCES = {None: pb.EARN_SOURCE_UNSPECIFIED} | {
    source: pb.EarnSource.Value(f"EARN_SOURCE_{source.value}") for source in EarnSource
}
_REASONS = {None: pb.ADJUSTMENT_REASON_UNSPECIFIED} | {
    reason: pb.AdjustmentReason.Value(f"ADJUSTMENT_REASON_{reason.value}")
    for reason in AdjustmentReason
}
_ACTOR_KINDS = {
    kind: types_pb2.Actor.Kind.Value(f"KIND_{kind.value or 'UNSPECIFIED'}") for kind in ActorKind
}


def program(found: Program) -> pb.Program:
    """A program; its codes are not in it (LS-03, LS-08)."""
    return pb.Program(
        id=str(found.id),
        chain_id=str(found.chain_id),
        name=found.name,
        term_one=found.term_one,
        term_other=found.term_other,
        active=found.active,
        accrual_type=pb.AccrualType.Value(f"ACCRUAL_TYPE_{found.accrual_type.value}"),
        visit_points=found.visit_points,
        salon_ids=[str(salon_id) for salon_id in found.salon_ids],
        cool_down_seconds=found.cool_down_seconds,
        points_code_is_short=found.points_code_is_short,
        created_at=timestamp(found.created_at),
        updated_at=timestamp(found.updated_at),
        version=found.version,
        accrual_rules=[rules.accrual_rule(rule) for rule in found.rules],
        expiry_policy=found.expiry_policy,
        tiers=[rules.tier(tier) for tier in found.ladder.tiers] if found.ladder else [],
        tiers_launched_at=timestamp(found.ladder.launched_at) if found.ladder else None,
        refunds=rules.refund_settings(found.refunds),
    )


def account(found: AccountView) -> pb.Account:
    """A member's account as it is told."""
    kept = found.account
    return pb.Account(
        id=str(kept.id),
        chain_id=str(kept.chain_id),
        member_id=str(kept.member_id),
        program_id=str(kept.program_id),
        balance=found.balance,
        lifetime_points=kept.lifetime_points,
        sequence=kept.sequence,
        opened_at=timestamp(kept.opened_at),
        updated_at=timestamp(kept.updated_at),
        expiring=[
            pb.ExpiringPoints(
                points=deadline.points,
                expires_at=timestamp(deadline.expires_at),
                last_day=deadline.last_day.isoformat(),
            )
            for deadline in found.deadlines
        ],
        tier=_tier_standing(found.rung) if found.rung else None,
    )


def _tier_standing(rung: Rung) -> pb.TierStanding:
    standing = rung.standing
    return pb.TierStanding(
        tier=rules.tier(rung.tier),
        next=rules.tier(rung.next) if rung.next else None,
        progress=rung.progress,
        entered_at=timestamp(standing.entered_at),
        kept_until=timestamp(standing.kept_until) if standing.kept_until else None,
    )


def entry(found: Entry) -> pb.Entry:
    """A posting as its member sees it."""
    posting = found.posting
    return pb.Entry(
        id=str(posting.id),
        chain_id=str(posting.chain_id),
        account_id=str(posting.account_id),
        member_id=str(found.member_id),
        program_id=str(found.program_id),
        kind=_KINDS[posting.kind],
        points=posting.signed_points,
        balance_after=posting.balance_after,
        sequence=posting.sequence,
        source=_SOURCES[posting.earn_source],
        reason=_REASONS[posting.reason],
        note=posting.note,
        salon_id=str(posting.salon_id or ""),
        actor=_actor(posting.actor),
        reward_id=str(posting.reward_id or ""),
        reverses=str(posting.reverses or ""),
        occurred_at=timestamp(posting.occurred_at),
        recorded_at=timestamp(found.recorded_at) if found.recorded_at else None,
        sale_id=str(posting.sale_id or ""),
        tier_bonus=posting.tier_bonus,
        promotion_id=str(posting.promotion_id or ""),
        change_id=posting.change_id or "",
    )


def ledger(view: LedgerView) -> pb.GetLedgerResponse:
    """An account's ledger."""
    return pb.GetLedgerResponse(
        totals=[
            pb.LedgerTotal(kind=_KINDS[total.kind], points=total.points, entries=total.entries)
            for total in view.totals
        ],
        lines=[_ledger_line(line) for line in view.lines],
        more=view.more,
        balance=view.balance,
        overdue=view.overdue,
    )


def _ledger_line(line: LedgerLine) -> pb.LedgerLine:
    brought = line.brought
    end = brought.expires_at if brought else None
    return pb.LedgerLine(
        entry=entry(line.entry),
        uses=[pb.LedgerUse(entry_id=str(use.origin_id), points=use.points) for use in line.taken],
        remaining=brought.remaining if brought else 0,
        expires_at=timestamp(end) if end else None,
        expiry_policy=brought.policy if brought else "",
    )


def _actor(who: Actor) -> types_pb2.Actor:
    return types_pb2.Actor(kind=_ACTOR_KINDS[who.kind], id=who.id)


def outcome(result: Earned | Exception) -> pb.EarnOutcome:
    """What became of one earn. A fault of ours says no more than that it was one."""
    if isinstance(result, Earned):
        return pb.EarnOutcome(
            earned=pb.Earned(
                entry=entry(result.entry),
                balance=result.entry.posting.balance_after,
                already_counted=result.already_counted,
            )
        )
    return pb.EarnOutcome(
        refusal=refusal_pb2.Refusal(
            code=getattr(result, "code", "internal"),
            field=getattr(result, "field", ""),
            params=getattr(result, "params", {}),
            retry_after_seconds=getattr(result, "retry_after_seconds", 0),
        )
    )
