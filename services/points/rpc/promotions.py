"""Promotions over gRPC."""

from __future__ import annotations

from loyalty.points.v1 import points_pb2 as pb

from services.points.domain.errors import NumberOutOfRange
from services.points.domain.ids import PromotionId
from services.points.domain.promotions import (
    TRIGGER_TIMES_MAX,
    Addition,
    Multiplier,
    PromotionDraft,
    PromotionStatus,
    TriggerInterval,
)
from services.points.domain.sale_errors import TriggerLimitInvalid
from services.points.rpc import reading, rules, writing
from services.points.rpc.door import Context, Door
from services.points.usecases import promotions
from services.points.usecases.promotions import PromotionQuery, PromotionView

_STATUSES: dict[int, PromotionStatus] = {
    pb.PromotionStatus.Value(f"PROMOTION_STATUS_{status.value}"): status
    for status in PromotionStatus
}
_INTERVALS: dict[int, TriggerInterval] = {
    pb.TriggerInterval.Value(f"TRIGGER_INTERVAL_{interval.value}"): interval
    for interval in TriggerInterval
}


class PromotionsServicer(Door):
    """For a time, more points than the base gives."""

    async def CreatePromotion(
        self, request: pb.CreatePromotionRequest, context: Context
    ) -> pb.CreatePromotionResponse:
        """See `usecases.promotions.create_promotion`."""
        made = await promotions.create_promotion(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            program_id=reading.program_id(request.program_id),
            idempotency_key=request.idempotency_key,
            draft=_draft(request.promotion),
            actor=reading.actor(request.actor),
        )
        return pb.CreatePromotionResponse(promotion=_promotion(made))

    async def GetPromotion(
        self, request: pb.GetPromotionRequest, context: Context
    ) -> pb.GetPromotionResponse:
        """See `usecases.promotions.get_promotion`."""
        found = await promotions.get_promotion(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            program_id=reading.program_id(request.program_id),
            promotion_id=reading.promotion_id(request.promotion_id),
        )
        return pb.GetPromotionResponse(promotion=_promotion(found))

    async def ListPromotions(
        self, request: pb.ListPromotionsRequest, context: Context
    ) -> pb.ListPromotionsResponse:
        """See `usecases.promotions.list_promotions`."""
        if request.status and request.status not in _STATUSES:
            raise NumberOutOfRange(field="status", minimum=min(_STATUSES), maximum=max(_STATUSES))
        before = None
        if request.HasField("before_time"):
            before = (
                reading.moment(request.before_time, field="before_time"),
                PromotionId(reading.required_uuid(request.before_id, field="before_id")),
            )
        page = await promotions.list_promotions(
            self._deps,
            PromotionQuery(
                chain_id=reading.chain_id(request.chain_id),
                program_id=reading.program_id(request.program_id),
                status=_STATUSES.get(request.status),
                before=before,
                limit=request.limit,
            ),
        )
        return pb.ListPromotionsResponse(
            promotions=[_promotion(view) for view in page.promotions], more=page.more
        )

    async def CancelPromotion(
        self, request: pb.CancelPromotionRequest, context: Context
    ) -> pb.CancelPromotionResponse:
        """See `usecases.promotions.cancel_promotion`."""
        stopped = await promotions.cancel_promotion(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            program_id=reading.program_id(request.program_id),
            promotion_id=reading.promotion_id(request.promotion_id),
            actor=reading.actor(request.actor),
        )
        return pb.CancelPromotionResponse(promotion=_promotion(stopped))


def _draft(message: pb.Promotion) -> PromotionDraft:
    interval = _INTERVALS.get(message.trigger_interval)
    if message.trigger_interval and interval is None:
        raise TriggerLimitInvalid(maximum=TRIGGER_TIMES_MAX)
    minimum = message.HasField("minimum_spend_minor")
    return PromotionDraft(
        name=message.name,
        multiplier=message.multiplier or None,
        addition=message.addition if message.HasField("addition") else None,
        periods=tuple(message.periods),
        trigger_times=message.trigger_times or None,
        trigger_interval=interval.value if interval else None,
        minimum_spend_minor=message.minimum_spend_minor if minimum else None,
        qualifying_item_ids=tuple(
            reading.catalog_id(each, field="qualifying_item_variation_ids")
            for each in message.qualifying_item_ids
        ),
        qualifying_category_ids=tuple(
            reading.catalog_id(each, field="qualifying_category_ids")
            for each in message.qualifying_category_ids
        ),
    )


def _promotion(view: PromotionView) -> pb.Promotion:
    found = view.promotion
    terms, limit = found.terms, found.trigger_limit
    message = pb.Promotion(
        id=str(found.id),
        chain_id=str(found.chain_id),
        program_id=str(found.program_id),
        name=found.name,
        periods=[period.text for period in found.periods],
        qualifying_item_ids=sorted(terms.qualifying_item_ids),
        qualifying_category_ids=sorted(terms.qualifying_category_ids),
        status=pb.PromotionStatus.Value(f"PROMOTION_STATUS_{view.status.value}"),
        created_at=writing.timestamp(found.created_at),
        updated_at=writing.timestamp(found.updated_at),
        canceled_at=writing.timestamp(found.canceled_at) if found.canceled_at else None,
        start_date=view.first_day.isoformat() if view.first_day else "",
        end_date=view.last_day.isoformat() if view.last_day else "",
        minimum_spend_minor=terms.minimum_spend_minor,
    )
    match terms.incentive:
        case Multiplier(multiplier=multiplier):
            message.multiplier = rules.decimal(multiplier)
        case Addition(points=points):
            message.addition = points
    if limit is not None:
        message.trigger_times = limit.times
        message.trigger_interval = pb.TriggerInterval.Value(
            f"TRIGGER_INTERVAL_{limit.interval.value}"
        )
    return message
