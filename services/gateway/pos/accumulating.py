"""Earning by a till: points as it says, or those of a sale that it posted before."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.points.v1 import points_pb2
from starlette.responses import Response
from typing_extensions import TypedDict

from services.chassis.errors import RemoteRefusal
from services.gateway.errors import ApiError, Json, from_remote
from services.gateway.pos import following
from services.gateway.pos.caller import Caller, LoyaltyWriter
from services.gateway.pos.event_shapes import EventShape, entry_event
from services.gateway.pos.fields import Id, Key, Moment, Part, Points, known_id
from services.gateway.pos.found import sale_of
from services.gateway.pos.order_shapes import reward_ids

router = APIRouter(prefix="/loyalty/accounts", tags=["Loyalty accounts"])

_FIELDS: Final = {
    "account_id": "",
    "program_id": "accumulate_points.loyalty_program_id",
    "salon_id": "location_id",
    "points": "accumulate_points.points",
    "occurred_at": "accumulate_points.occurred_at",
    "sale_id": "accumulate_points.order_id",
    "member_id": "accumulate_points.order_id",
    "currency": "accumulate_points.order_id",
}


class EarnedAnswer(TypedDict):
    """What an earn made."""

    events: list[EventShape]


class AccumulatePart(Part):
    """Points, or the sale that earns them."""

    points: Points | None = None
    order_id: Id | None = None
    loyalty_program_id: Id | None = None
    occurred_at: Moment | None = None


class Accumulate(Part):
    """A till's word that a member earned."""

    accumulate_points: AccumulatePart
    idempotency_key: Key | None = None
    location_id: Id


@router.post(
    "/{account_id}/accumulate", response_model=EarnedAnswer, operation_id="AccumulateLoyaltyPoints"
)
async def accumulate(caller: LoyaltyWriter, account_id: str, body: Accumulate) -> Response:
    """Add points that a till says were earned, or those of an order.

    Repeatable by its key: the same key and body give the first events again. An order earns once,
    whatever the key (N2); afterwards it is COMPLETED. One that earns nothing gives no events.
    """
    wanted = body.accumulate_points
    key = caller.key(body.idempotency_key)
    for name in ("points", "occurred_at"):
        if wanted.order_id is not None and getattr(wanted, name) is not None:
            raise ApiError.of(
                "CONFLICTING_PARAMETERS",
                field="accumulate_points",
                params={"fields": f"accumulate_points.order_id, accumulate_points.{name}"},
            )
    if wanted.order_id is not None:
        return await _count_sale(caller, account_id, wanted.order_id, body.location_id, key)
    if wanted.points is None:
        raise ApiError.of("MISSING_REQUIRED_PARAMETER", field="accumulate_points.points")
    item = points_pb2.EarnItem(
        idempotency_key=key,
        chain_id=caller.chain_id,
        account_id=known_id(account_id),
        salon_id=(await caller.salon(body.location_id)).id,
        actor=caller.actor,
        session_id=caller.principal.session_id,
        till=points_pb2.TillOrigin(points=wanted.points),
    )
    if wanted.occurred_at is not None:
        item.occurred_at.CopyFrom(_timestamp(wanted.occurred_at))
    outcome = await caller.deps.gathered.earns.one(item)
    if outcome.WhichOneof("outcome") == "refusal":
        raise ApiError.from_item(outcome.refusal, _FIELDS)
    entry = outcome.earned.entry
    await caller.deps.live.publish(caller.chain_id, entry.member_id, "points")
    return Json({"events": [entry_event(entry)]})


async def _count_sale(
    caller: Caller, account_id: str, order_id: str, location_id: str, key: str
) -> Response:
    """Count a sale for an account; a sale that was counted before answers its first events."""
    field = _FIELDS["sale_id"]
    request = points_pb2.CountSaleRequest(
        idempotency_key=key,
        chain_id=caller.chain_id,
        account_id=known_id(account_id),
        sale_id=known_id(order_id, field=field),
        salon_id=(await caller.salon(location_id)).id,
        actor=caller.actor,
    )
    try:
        answer = await caller.deps.clients.points.CountSale(request)
    except RemoteRefusal as refusal:
        if caller.salon_ids:
            # Nothing is said of a sale of a salon that the key does not speak for.
            await sale_of(caller, order_id, field=field)
        raise from_remote(refusal, _FIELDS) from None
    # Rewards that stood on the sale are used now.
    on_it = reward_ids(answer.sale)
    await following.used(caller, on_it)
    kinds = ("points", "rewards") if on_it else ("points",)
    for kind in kinds:
        await caller.deps.live.publish(caller.chain_id, answer.sale.member_id, kind)
    return Json({"events": [entry_event(entry) for entry in answer.entries]})


def _timestamp(moment: Moment) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
