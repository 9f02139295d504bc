"""Facts of points on their way out. The only file that names our topic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from loyalty.events.v1 import points_events_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.chassis.moments import timestamp
from services.chassis.outbox import EventColumns, OutboxEvent
from services.points.domain.expiry import EndedLot
from services.points.domain.ids import AccountId, ChainId, MemberId, ProgramId
from services.points.domain.kept_sales import KeptChange, KeptSale
from services.points.domain.ledger import Account, Actor, ActorKind, Entry, PostingKind
from services.points.domain.programs import Program, Section
from services.points.domain.tiers import Standing, Tier
from services.points.domain.warnings import EndingPoints

TOPIC = "loyalty.points.v1"

ACCOUNT_OPENED = "account.opened"
PROGRAM_CHANGED = "program.changed"
TIER_CHANGED = "tier.changed"
POINTS_EXPIRING = "points.expiring"
SALE_COUNTED = "sale.counted"
SALE_CHANGED = "sale.changed"
# The ledger check looks for one such event per posting.
POSTED = {
    PostingKind.EARN: "points.earned",
    PostingKind.ADJUSTMENT: "points.adjusted",
    PostingKind.REWARD: "points.debited",
    PostingKind.REWARD_RETURN: "points.returned",
    PostingKind.PROMOTION: "points.promoted",
    PostingKind.REFUND: "points.refunded",
    PostingKind.EXPIRY: "points.expired",
}
_ACTOR_KINDS = {
    kind: types_pb2.Actor.Kind.Value(f"KIND_{kind.value or 'UNSPECIFIED'}") for kind in ActorKind
}


def points_posted(entry: Entry) -> OutboxEvent:
    """One posting. Its event bears the posting's own id, so that there can be only one."""
    posting = entry.posting
    account_id = str(posting.account_id)
    message = pb.PointsPosted(
        chain_id=str(posting.chain_id),
        posting_id=str(posting.id),
        account_id=account_id,
        member_id=str(entry.member_id),
        program_id=str(entry.program_id),
        points=posting.signed_points,
        balance_after=posting.balance_after,
        sequence=posting.sequence,
        source=posting.earn_source.value if posting.earn_source else "",
        reason=posting.reason.value if posting.reason else "",
        salon_id=str(posting.salon_id or ""),
        actor=_actor(posting.actor),
        reward_id=str(posting.reward_id or ""),
        occurred_at=timestamp(posting.occurred_at),
        sale_id=str(posting.sale_id or ""),
        tier_bonus=posting.tier_bonus,
        promotion_id=str(posting.promotion_id or ""),
    )
    return OutboxEvent(
        id=posting.id,
        topic=TOPIC,
        key=account_id,
        type=POSTED[posting.kind],
        chain_id=posting.chain_id,
        subject=account_id,
        payload=message.SerializeToString(),
        occurred_at=posting.occurred_at,
    )


def lots_ended(lots: Sequence[EndedLot]) -> EventColumns:
    """What `points_posted` says of the postings by which lots ended, thousands at a time."""
    return EventColumns(
        topic=TOPIC,
        type=POSTED[PostingKind.EXPIRY],
        ids=[lot.posting_id for lot in lots],
        chain_ids=[lot.chain_id for lot in lots],
        keys=[lot.account_id for lot in lots],
        payloads=_lots_ended(lots),
        occurred_at=[lot.expires_at for lot in lots],
    )


def _lots_ended(lots: Sequence[EndedLot]) -> list[bytes]:
    """Their payloads: one message serves for all, which more than halves the time."""
    message = pb.PointsPosted(actor=_actor(Actor(kind=ActorKind.SYSTEM)))
    told: datetime | None = None
    payloads = []
    for lot in lots:
        message.chain_id = lot.chain_id
        message.posting_id = lot.posting_id
        message.account_id = lot.account_id
        message.member_id = lot.member_id
        message.program_id = lot.program_id
        message.salon_id = lot.salon_id
        message.points = -lot.points
        message.balance_after = lot.balance_after
        message.sequence = lot.sequence
        if lot.expires_at != told:
            told = lot.expires_at
            message.occurred_at.CopyFrom(timestamp(told))
        payloads.append(message.SerializeToString())
    return payloads


def account_opened(
    *,
    chain_id: ChainId,
    account_id: AccountId,
    member_id: MemberId,
    program_id: ProgramId,
    opened_at: datetime,
) -> OutboxEvent:
    """A member has an account in a program from now on."""
    message = pb.AccountOpened(
        chain_id=str(chain_id),
        account_id=str(account_id),
        member_id=str(member_id),
        program_id=str(program_id),
        opened_at=timestamp(opened_at),
    )
    return OutboxEvent(
        topic=TOPIC,
        key=str(account_id),
        type=ACCOUNT_OPENED,
        chain_id=chain_id,
        subject=str(account_id),
        payload=message.SerializeToString(),
        occurred_at=opened_at,
    )


def sale_counted(kept: KeptSale, *, points: int, actor: Actor) -> OutboxEvent:
    """A sale was counted, for an account or for nobody; the rewards on it are used (SQ-20)."""
    sale, at = kept.sale, kept.counted_at or kept.updated_at
    message = pb.SaleCounted(
        chain_id=str(sale.chain_id),
        sale_id=str(sale.id),
        account_id=str(sale.account_id or ""),
        member_id=str(kept.member_id or ""),
        program_id=str(kept.program_id or ""),
        salon_id=str(sale.salon_id),
        reward_ids=[str(reward_id) for reward_id in kept.reward_ids],
        points=points,
        actor=_actor(actor),
        occurred_at=timestamp(at),
    )
    return _of_sale(kept, SALE_COUNTED, message.SerializeToString(), at=at)


def sale_changed(kept: KeptSale, change: KeptChange, *, actor: Actor) -> OutboxEvent:
    """A refund or an exchange was carried out; rewards that come back with it are named (R36)."""
    sale, at = kept.sale, change.occurred_at
    message = pb.SaleChanged(
        chain_id=str(sale.chain_id),
        sale_id=str(sale.id),
        change_id=change.change.id,
        account_id=str(sale.account_id or ""),
        member_id=str(kept.member_id or ""),
        program_id=str(kept.program_id or ""),
        salon_id=str(sale.salon_id),
        returned_reward_ids=[str(reward_id) for reward_id in change.returned_reward_ids],
        points=change.points,
        actor=_actor(actor),
        occurred_at=timestamp(at),
    )
    return _of_sale(kept, SALE_CHANGED, message.SerializeToString(), at=at)


def _of_sale(kept: KeptSale, kind: str, payload: bytes, *, at: datetime) -> OutboxEvent:
    """In order with the postings of its account, or by itself where it is nobody's."""
    key = str(kept.sale.account_id or kept.sale.id)
    return OutboxEvent(
        topic=TOPIC,
        key=key,
        type=kind,
        chain_id=kept.sale.chain_id,
        subject=key,
        payload=payload,
        occurred_at=at,
    )


def program_changed(
    program: Program, *, actor: Actor, changed: Sequence[Section] = ()
) -> OutboxEvent:
    """A program as it is from this version on, and what of it is new; never a code (LS-08)."""
    message = pb.ProgramChanged(
        chain_id=str(program.chain_id),
        program_id=str(program.id),
        name=program.name,
        term_one=program.term_one,
        term_other=program.term_other,
        active=program.active,
        version=program.version,
        changed=[types_pb2.ProgramSection.Value(f"PROGRAM_SECTION_{one.value}") for one in changed],
        actor=_actor(actor),
    )
    return OutboxEvent(
        topic=TOPIC,
        key=str(program.id),
        type=PROGRAM_CHANGED,
        chain_id=program.chain_id,
        subject=str(program.id),
        payload=message.SerializeToString(),
        occurred_at=program.updated_at,
    )


def tier_changed(
    account: Account, *, before: Tier, tier: Tier, standing: Standing, occurred_at: datetime
) -> OutboxEvent:
    """A member is on another level of the ladder from now on, up or down (T2, T6, T8)."""
    message = pb.TierChanged(
        chain_id=str(account.chain_id),
        account_id=str(account.id),
        member_id=str(account.member_id),
        program_id=str(account.program_id),
        tier_id=str(tier.id),
        tier_name=tier.name,
        threshold=tier.threshold,
        multiplier=str(tier.multiplier),
        tier_id_before=str(before.id),
        risen=tier.threshold > before.threshold,
        kept_until=timestamp(standing.kept_until) if standing.kept_until else None,
        occurred_at=timestamp(occurred_at),
    )
    return OutboxEvent(
        topic=TOPIC,
        key=str(account.id),
        type=TIER_CHANGED,
        chain_id=account.chain_id,
        subject=str(account.id),
        payload=message.SerializeToString(),
        occurred_at=occurred_at,
    )


def points_expiring(ending: EndingPoints, *, occurred_at: datetime) -> OutboxEvent:
    """Points of an account end in two weeks (D9)."""
    message = pb.PointsExpiring(
        chain_id=str(ending.chain_id),
        account_id=str(ending.account_id),
        member_id=str(ending.member_id),
        program_id=str(ending.program_id),
        points=ending.points,
        last_day=ending.last_day.isoformat(),
        expires_at=timestamp(ending.expires_at),
        balance=ending.balance,
        occurred_at=timestamp(occurred_at),
    )
    return OutboxEvent(
        topic=TOPIC,
        key=str(ending.account_id),
        type=POINTS_EXPIRING,
        chain_id=ending.chain_id,
        subject=str(ending.account_id),
        payload=message.SerializeToString(),
        occurred_at=occurred_at,
    )


def _actor(who: Actor) -> types_pb2.Actor:
    return types_pb2.Actor(kind=_ACTOR_KINDS[who.kind], id=who.id)
