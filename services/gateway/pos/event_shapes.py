"""Loyalty events as Square tells them, made from ledger entries and facts about rewards."""

from __future__ import annotations

from typing import Final, NotRequired

from loyalty.points.v1 import points_pb2
from loyalty.rewards.v1 import rewards_pb2
from loyalty.types.v1.types_pb2 import Actor
from typing_extensions import TypedDict

from services.gateway.pos.shapes import moment


class AccumulateShape(TypedDict):
    """Points that were earned; ours: what of them the tier added (SQ-05), and the exchange that
    brought them."""

    loyalty_program_id: str
    points: int
    order_id: NotRequired[str]
    tier_bonus_points: NotRequired[int]
    change_id: NotRequired[str]


class PromotionPointsShape(TypedDict):
    """Points that a promotion added to those of an order."""

    loyalty_program_id: str
    loyalty_promotion_id: str
    points: int
    order_id: NotRequired[str]


class RefundShape(TypedDict):
    """Points that a refund or an exchange took back; `change_id` is the till's name for it."""

    loyalty_program_id: str
    points: int
    order_id: NotRequired[str]
    change_id: NotRequired[str]


class ExpireShape(TypedDict):
    """Points that ended."""

    loyalty_program_id: str
    points: int


class AdjustShape(TypedDict):
    """Points that staff gave or took by hand."""

    loyalty_program_id: str
    points: int
    reason: str


class RewardFactShape(TypedDict):
    """What became of a reward, and of which order where it was taken or used on one, or given back
    by its refund."""

    loyalty_program_id: NotRequired[str]
    reward_id: str
    order_id: NotRequired[str]
    points: NotRequired[int]


class OtherShape(TypedDict):
    """What Square has no word for."""

    loyalty_program_id: NotRequired[str]
    points: int


class EventShape(TypedDict):
    """One fact in the life of an account: `created_at` is when it was recorded, and ours,
    `occurred_at`, when it happened, which is earlier where a till was late."""

    id: str
    type: str
    created_at: str
    occurred_at: str
    loyalty_account_id: NotRequired[str]
    customer_id: NotRequired[str]
    location_id: NotRequired[str]
    source: str
    accumulate_points: NotRequired[AccumulateShape]
    accumulate_promotion_points: NotRequired[PromotionPointsShape]
    adjust_points: NotRequired[AdjustShape]
    refund_points: NotRequired[RefundShape]
    expire_points: NotRequired[ExpireShape]
    create_reward: NotRequired[RewardFactShape]
    redeem_reward: NotRequired[RewardFactShape]
    delete_reward: NotRequired[RewardFactShape]
    restore_reward: NotRequired[RewardFactShape]
    other_event: NotRequired[OtherShape]


# The words that the panel shows for a reason (D17), and that a till may send.
REASON_WORDS: Final = {
    points_pb2.ADJUSTMENT_REASON_SALON: "Ajustement au salon",
    points_pb2.ADJUSTMENT_REASON_PHONE_FORGOTTEN: "Téléphone oublié",
    points_pb2.ADJUSTMENT_REASON_ERROR: "Erreur",
    points_pb2.ADJUSTMENT_REASON_GOODWILL: "Geste commercial",
    points_pb2.ADJUSTMENT_REASON_SOCIAL: "Réseaux sociaux",
}

# What a feed shows besides: given by itself for an e-mail address (SQ-08), sent by no till.
_SHOWN_REASONS: Final = {
    **REASON_WORDS,
    points_pb2.ADJUSTMENT_REASON_MAILING_LIST: "Inscription à la liste de diffusion",
}


def reason_of(words: str) -> tuple[points_pb2.AdjustmentReason.ValueType, str]:
    """The reason that these words name, or "other" with the words as its note."""
    for reason, known in REASON_WORDS.items():
        if known.casefold() == words.casefold():
            return reason, ""
    return points_pb2.ADJUSTMENT_REASON_OTHER, words


def _source(actor: Actor) -> str:
    """Square tells its own apps from the API; ours are everything but an API key."""
    return "LOYALTY_API" if actor.kind == Actor.KIND_API_KEY else "SQUARE"


def entry_event(entry: points_pb2.Entry) -> EventShape:
    """A ledger entry that gave or took points, as an event."""
    shape: EventShape = {
        "id": entry.id,
        "type": "OTHER",
        "created_at": moment(entry.recorded_at),
        "occurred_at": moment(entry.occurred_at),
        "loyalty_account_id": entry.account_id,
        "customer_id": entry.member_id,
        "source": _source(entry.actor),
    }
    if entry.salon_id:
        shape["location_id"] = entry.salon_id
    match entry.kind:
        case points_pb2.ENTRY_KIND_EARN:
            shape["type"] = "ACCUMULATE_POINTS"
            shape["accumulate_points"] = _accumulated(entry)
        case points_pb2.ENTRY_KIND_PROMOTION:
            shape["type"] = "ACCUMULATE_PROMOTION_POINTS"
            shape["accumulate_promotion_points"] = {
                "loyalty_program_id": entry.program_id,
                "loyalty_promotion_id": entry.promotion_id,
                "points": entry.points,
                "order_id": entry.sale_id,
            }
        case points_pb2.ENTRY_KIND_REFUND:
            shape["type"] = "REFUND_POINTS"
            shape["refund_points"] = {
                "loyalty_program_id": entry.program_id,
                "points": entry.points,
                "order_id": entry.sale_id,
                "change_id": entry.change_id,
            }
        case points_pb2.ENTRY_KIND_EXPIRY:
            shape["type"] = "EXPIRE_POINTS"
            shape["expire_points"] = {
                "loyalty_program_id": entry.program_id,
                "points": entry.points,
            }
        case points_pb2.ENTRY_KIND_ADJUSTMENT:
            shape["type"] = "ADJUST_POINTS"
            shape["adjust_points"] = {
                "loyalty_program_id": entry.program_id,
                "points": entry.points,
                "reason": entry.note or _SHOWN_REASONS.get(entry.reason, ""),
            }
        case _:
            shape["other_event"] = {
                "loyalty_program_id": entry.program_id,
                "points": entry.points,
            }
    return shape


def _accumulated(entry: points_pb2.Entry) -> AccumulateShape:
    earned: AccumulateShape = {"loyalty_program_id": entry.program_id, "points": entry.points}
    if entry.sale_id:
        earned["order_id"] = entry.sale_id
    if entry.tier_bonus:
        earned["tier_bonus_points"] = entry.tier_bonus
    if entry.change_id:
        earned["change_id"] = entry.change_id
    return earned


def reward_event(event: rewards_pb2.RewardEvent) -> EventShape:
    """A fact about a reward, as an event."""
    shape: EventShape = {
        "id": event.id,
        "type": "OTHER",
        "created_at": moment(event.recorded_at),
        "occurred_at": moment(event.occurred_at),
        "customer_id": event.member_id,
        "source": _source(event.actor),
    }
    if event.account_id:
        shape["loyalty_account_id"] = event.account_id
    if event.salon_id:
        shape["location_id"] = event.salon_id
    fact: RewardFactShape = {"reward_id": event.reward_id}
    if event.program_id:
        fact["loyalty_program_id"] = event.program_id
    if event.sale_id:
        fact["order_id"] = event.sale_id
    match event.kind:
        case rewards_pb2.REWARD_EVENT_KIND_TAKEN:
            shape["type"] = "CREATE_REWARD"
            shape["create_reward"] = {**fact, "points": event.points}
        case rewards_pb2.REWARD_EVENT_KIND_USED:
            shape["type"] = "REDEEM_REWARD"
            shape["redeem_reward"] = fact
        case rewards_pb2.REWARD_EVENT_KIND_VOIDED:
            shape["type"] = "DELETE_REWARD"
            shape["delete_reward"] = {**fact, "points": event.points}
        case rewards_pb2.REWARD_EVENT_KIND_RESTORED:
            shape["type"] = "RESTORE_REWARD"
            shape["restore_reward"] = fact
        case _:
            shape["other_event"] = {"points": event.points}
            if event.program_id:
                shape["other_event"]["loyalty_program_id"] = event.program_id
    return shape
