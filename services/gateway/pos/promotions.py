"""Loyalty promotions: for a time, more points than a program's rules give; Square's shape."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal, NotRequired

from fastapi import APIRouter, Query
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.points.v1 import points_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.chassis.errors import RemoteRefusal
from services.gateway.errors import ApiError, Json, api_fields, from_remote
from services.gateway.pos import catalogued, cursors
from services.gateway.pos.caller import Caller, LoyaltyReader, LoyaltyWriter
from services.gateway.pos.catalogued import CATEGORIES, ITEMS
from services.gateway.pos.fields import (
    Id,
    Key,
    Money,
    Multiplier,
    Name,
    Part,
    Points,
    SoughtCursor,
    amount_in,
    known_id,
)
from services.gateway.pos.found import program_of
from services.gateway.pos.promotion_shapes import PromotionShape, promotion_shape

router = APIRouter(prefix="/loyalty/programs/{program_id}/promotions", tags=["Loyalty promotions"])

PAGE_MAX = 30
# More than a promotion may have: what is too many is the points service's word.
PERIODS_IN_REQUEST_MAX = 100
QUALIFYING_IN_REQUEST_MAX = 1000

PromotionStatus = Literal["SCHEDULED", "ACTIVE", "ENDED", "CANCELED"]


class PromotionAnswer(TypedDict):
    """One promotion."""

    loyalty_promotion: PromotionShape


class PromotionsAnswer(TypedDict):
    """A page of promotions."""

    loyalty_promotions: list[PromotionShape]
    cursor: NotRequired[str]


class MultiplierDataIn(Part):
    """The multiplier as text, or as the whole number that older tills send."""

    multiplier: Multiplier | None = None
    points_multiplier: Points | None = None


class AdditionDataIn(Part):
    """So many points besides the base."""

    points_addition: Points


class IncentiveIn(Part):
    """What a promotion gives: the data of its type and no other."""

    type: Literal["POINTS_MULTIPLIER", "POINTS_ADDITION"]
    points_multiplier_data: MultiplierDataIn | None = None
    points_addition_data: AdditionDataIn | None = None


Period = Annotated[str, Field(strict=True, max_length=2000)]


class AvailableTimeIn(Part):
    """RFC 5545 events in the salon's local time; first and last day follow from them."""

    time_periods: Annotated[list[Period], Field(min_length=1, max_length=PERIODS_IN_REQUEST_MAX)]


class TriggerLimitIn(Part):
    """How often one account may earn by a promotion."""

    times: Points
    interval: Literal["ALL_TIME", "DAY"] | None = None


QualifyingIds = Annotated[list[Id], Field(max_length=QUALIFYING_IN_REQUEST_MAX)]


class PromotionIn(Part):
    """A promotion as its maker writes it."""

    name: Name
    incentive: IncentiveIn
    available_time: AvailableTimeIn
    trigger_limit: TriggerLimitIn | None = None
    minimum_spend_amount_money: Money | None = None
    qualifying_item_variation_ids: QualifyingIds | None = None
    qualifying_category_ids: QualifyingIds | None = None


class CreatePromotion(Part):
    """A promotion to make."""

    loyalty_promotion: PromotionIn
    idempotency_key: Key | None = None


_FIELDS: Final = {
    name: f"loyalty_promotion.{name}"
    for name in (
        "name",
        "incentive",
        "available_time.time_periods",
        "trigger_limit",
        "minimum_spend_amount_money",
        "qualifying_item_variation_ids",
        "qualifying_category_ids",
    )
} | {
    "multiplier": "loyalty_promotion.incentive.points_multiplier_data.multiplier",
    "points_addition": "loyalty_promotion.incentive.points_addition_data.points_addition",
    "program_id": "",
    "promotion_id": "",
}


@router.post("", response_model=PromotionAnswer, operation_id="CreateLoyaltyPromotion")
async def create_promotion(
    caller: LoyaltyWriter, program_id: str, body: CreatePromotion
) -> Response:
    """Make a promotion; the eleventh that runs or is planned is refused with CONFLICT.

    Its days follow from `time_periods`, which are local times of each salon. With several open to
    one sale, the most recently created counts; the program's own rules must earn first.
    """
    key = caller.key(body.idempotency_key)
    program = await program_of(caller, program_id)
    currency = (await caller.chain()).currency
    wanted = await _wanted(caller, body.loyalty_promotion, currency=currency)
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.points.CreatePromotion(
            points_pb2.CreatePromotionRequest(
                idempotency_key=key,
                chain_id=caller.chain_id,
                program_id=program.id,
                promotion=wanted,
                actor=caller.actor,
            )
        )
    return Json({"loyalty_promotion": promotion_shape(answer.promotion, currency=currency)})


async def _wanted(caller: Caller, given: PromotionIn, *, currency: str) -> points_pb2.Promotion:
    """The promotion for the points service to judge.

    Refuses money of another currency, and what is not in the chain's catalog.
    """
    prefix = "loyalty_promotion"
    wanted = points_pb2.Promotion(
        name=given.name,
        periods=given.available_time.time_periods,
        qualifying_item_ids=given.qualifying_item_variation_ids or (),
        qualifying_category_ids=given.qualifying_category_ids or (),
    )
    _set_incentive(wanted, given.incentive, field=f"{prefix}.incentive")
    if given.trigger_limit is not None:
        interval = given.trigger_limit.interval or "ALL_TIME"
        wanted.trigger_times = given.trigger_limit.times
        wanted.trigger_interval = points_pb2.TriggerInterval.Value(f"TRIGGER_INTERVAL_{interval}")
    minimum = given.minimum_spend_amount_money
    if minimum is not None:
        field = f"{prefix}.minimum_spend_amount_money"
        wanted.minimum_spend_minor = amount_in(minimum, currency, field=field)
    items, categories = given.qualifying_item_variation_ids, given.qualifying_category_ids
    names = catalogued.named(items, ITEMS, f"{prefix}.qualifying_item_variation_ids")
    names += catalogued.named(categories, CATEGORIES, f"{prefix}.qualifying_category_ids")
    await catalogued.require_known(caller, names)
    return wanted


def _set_incentive(wanted: points_pb2.Promotion, given: IncentiveIn, *, field: str) -> None:
    multiplies, adds = given.points_multiplier_data, given.points_addition_data
    if multiplies is not None and adds is not None:
        raise ApiError.of("INCENTIVE_INVALID", field=field)
    if given.type == "POINTS_ADDITION":
        if adds is None:
            raise ApiError.of("MISSING_REQUIRED_PARAMETER", field=f"{field}.points_addition_data")
        wanted.addition = adds.points_addition
        return
    field = f"{field}.points_multiplier_data"
    text = multiplies.multiplier if multiplies is not None else None
    whole = multiplies.points_multiplier if multiplies is not None else None
    if text is None and whole is None:
        raise ApiError.of("MISSING_REQUIRED_PARAMETER", field=f"{field}.multiplier")
    if text is not None and whole is not None and Decimal(text) != whole:
        raise ApiError.of(
            "CONFLICTING_PARAMETERS",
            field=f"{field}.points_multiplier",
            params={"fields": "multiplier, points_multiplier"},
        )
    wanted.multiplier = str(whole) if text is None else text


@router.get("", response_model=PromotionsAnswer, operation_id="ListLoyaltyPromotions")
async def list_promotions(
    caller: LoyaltyReader,
    program_id: str,
    status: PromotionStatus | None = None,
    limit: Annotated[int | None, Query(ge=1, le=PAGE_MAX)] = None,
    cursor: SoughtCursor | None = None,
) -> Response:
    """Promotions of a program, newest first, all or those of one status."""
    program = await program_of(caller, program_id)
    query = {"program_id": program.id, "status": status}
    deps = caller.deps
    position = cursors.read(deps, caller.chain_id, "promotions", query, cursor)
    request = points_pb2.ListPromotionsRequest(
        chain_id=caller.chain_id,
        program_id=program.id,
        status=points_pb2.PromotionStatus.Value(f"PROMOTION_STATUS_{status or 'UNSPECIFIED'}"),
        limit=limit or PAGE_MAX,
    )
    if position is not None:
        seconds, nanos, request.before_id = position
        request.before_time.CopyFrom(Timestamp(seconds=int(seconds), nanos=int(nanos)))
    answer = await deps.clients.points.ListPromotions(request)
    currency = (await caller.chain()).currency
    page: PromotionsAnswer = {
        "loyalty_promotions": [promotion_shape(one, currency=currency) for one in answer.promotions]
    }
    if answer.more:
        last = answer.promotions[-1]
        place = [str(last.created_at.seconds), str(last.created_at.nanos), last.id]
        page["cursor"] = cursors.give(deps, caller.chain_id, "promotions", query, place)
    return Json(page)


async def _promotion_of(caller: Caller, program_id: str, promotion_id: str) -> points_pb2.Promotion:
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.points.GetPromotion(
            points_pb2.GetPromotionRequest(
                chain_id=caller.chain_id, program_id=program_id, promotion_id=promotion_id
            )
        )
    return answer.promotion


@router.get(
    "/{promotion_id}", response_model=PromotionAnswer, operation_id="RetrieveLoyaltyPromotion"
)
async def get_promotion(caller: LoyaltyReader, program_id: str, promotion_id: str) -> Response:
    """One promotion."""
    program = await program_of(caller, program_id)
    promotion = await _promotion_of(caller, program.id, known_id(promotion_id))
    currency = (await caller.chain()).currency
    return Json({"loyalty_promotion": promotion_shape(promotion, currency=currency)})


@router.post(
    "/{promotion_id}/cancel",
    response_model=PromotionAnswer,
    operation_id="CancelLoyaltyPromotion",
)
async def cancel_promotion(caller: LoyaltyWriter, program_id: str, promotion_id: str) -> Response:
    """Stop a promotion now; what it gave stays. Repeatable; one that ended by itself is refused."""
    program = await program_of(caller, program_id)
    wanted = known_id(promotion_id)
    try:
        answer = await caller.deps.clients.points.CancelPromotion(
            points_pb2.CancelPromotionRequest(
                chain_id=caller.chain_id,
                program_id=program.id,
                promotion_id=wanted,
                actor=caller.actor,
            )
        )
        promotion = answer.promotion
    except RemoteRefusal as refusal:
        # A till whose first answer was lost asks again and has to hear the same.
        if refusal.code != "promotion_over":
            raise from_remote(refusal, _FIELDS) from None
        promotion = await _promotion_of(caller, program.id, wanted)
        if promotion.status != points_pb2.PROMOTION_STATUS_CANCELED:
            raise from_remote(refusal, _FIELDS) from None
    currency = (await caller.chain()).currency
    return Json({"loyalty_promotion": promotion_shape(promotion, currency=currency)})
