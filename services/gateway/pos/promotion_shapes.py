"""What a promotion looks like: Square's object, field for field."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NotRequired

from loyalty.points.v1 import points_pb2
from typing_extensions import TypedDict

from services.gateway.pos.shapes import MoneyShape, moment


class MultiplierDataShape(TypedDict):
    """The base times so many; the whole number once more where it is one."""

    multiplier: str
    points_multiplier: NotRequired[int]


class AdditionDataShape(TypedDict):
    """So many points besides the base."""

    points_addition: int


class IncentiveShape(TypedDict):
    """What a promotion gives."""

    type: str
    points_multiplier_data: NotRequired[MultiplierDataShape]
    points_addition_data: NotRequired[AdditionDataShape]


class AvailableTimeShape(TypedDict):
    """When a promotion holds: the first and last day follow from the periods."""

    start_date: NotRequired[str]
    end_date: NotRequired[str]
    time_periods: list[str]


class TriggerLimitShape(TypedDict):
    """How often one account may earn by a promotion."""

    times: int
    interval: str


class PromotionShape(TypedDict):
    """A promotion."""

    id: str
    name: str
    incentive: IncentiveShape
    available_time: AvailableTimeShape
    trigger_limit: NotRequired[TriggerLimitShape]
    status: str
    created_at: str
    canceled_at: NotRequired[str]
    updated_at: str
    loyalty_program_id: str
    minimum_spend_amount_money: NotRequired[MoneyShape]
    qualifying_item_variation_ids: NotRequired[list[str]]
    qualifying_category_ids: NotRequired[list[str]]


_STATUSES: Final = {
    points_pb2.PROMOTION_STATUS_SCHEDULED: "SCHEDULED",
    points_pb2.PROMOTION_STATUS_ACTIVE: "ACTIVE",
    points_pb2.PROMOTION_STATUS_ENDED: "ENDED",
    points_pb2.PROMOTION_STATUS_CANCELED: "CANCELED",
}


def promotion_shape(promotion: points_pb2.Promotion, *, currency: str) -> PromotionShape:
    """A promotion as Square tells it."""
    available: AvailableTimeShape = {"time_periods": [_event(text) for text in promotion.periods]}
    if promotion.start_date:
        available["start_date"] = promotion.start_date
    if promotion.end_date:
        available["end_date"] = promotion.end_date
    shape: PromotionShape = {
        "id": promotion.id,
        "name": promotion.name,
        "incentive": _incentive_shape(promotion),
        "available_time": available,
        "status": _STATUSES[promotion.status],
        "created_at": moment(promotion.created_at),
        "updated_at": moment(promotion.updated_at),
        "loyalty_program_id": promotion.program_id,
    }
    if promotion.trigger_times:
        daily = promotion.trigger_interval == points_pb2.TRIGGER_INTERVAL_DAY
        shape["trigger_limit"] = {
            "times": promotion.trigger_times,
            "interval": "DAY" if daily else "ALL_TIME",
        }
    if promotion.HasField("canceled_at"):
        shape["canceled_at"] = moment(promotion.canceled_at)
    if promotion.HasField("minimum_spend_minor"):
        shape["minimum_spend_amount_money"] = {
            "amount": promotion.minimum_spend_minor,
            "currency": currency,
        }
    if promotion.qualifying_item_ids:
        shape["qualifying_item_variation_ids"] = list(promotion.qualifying_item_ids)
    if promotion.qualifying_category_ids:
        shape["qualifying_category_ids"] = list(promotion.qualifying_category_ids)
    return shape


def _event(text: str) -> str:
    """A period within BEGIN and END, which a request may leave out and an answer never does."""
    return text if text.startswith("BEGIN:") else f"BEGIN:VEVENT\n{text}\nEND:VEVENT"


def _incentive_shape(promotion: points_pb2.Promotion) -> IncentiveShape:
    if promotion.HasField("addition"):
        return {
            "type": "POINTS_ADDITION",
            "points_addition_data": {"points_addition": promotion.addition},
        }
    multiplier = Decimal(promotion.multiplier)
    # Never with an exponent: "10", not "1E+1".
    data: MultiplierDataShape = {"multiplier": f"{multiplier.normalize():f}"}
    if multiplier == int(multiplier):
        data["points_multiplier"] = int(multiplier)
    return {"type": "POINTS_MULTIPLIER", "points_multiplier_data": data}
