"""The journal of deliveries: what left for whom and what became of it; never its words."""

from __future__ import annotations

from typing import Annotated, NotRequired

from fastapi import APIRouter, Query
from loyalty.messaging.v1 import messaging_pb2
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import Json
from services.gateway.pos import cursors
from services.gateway.pos.caller import LoyaltyReader
from services.gateway.pos.fields import Sought, SoughtCursor, known_id
from services.gateway.pos.shapes import channel_name, moment

router = APIRouter(prefix="/messages", tags=["Messages"])

PAGE_MAX = 100
PAGE = 50


class DeliveryShape(TypedDict):
    """One message to one person."""

    id: str
    customer_id: NotRequired[str]
    channel: str
    kind: str
    status: str
    attempts: int
    reason: NotRequired[str]
    created_at: str
    updated_at: str


class DeliveryAnswer(TypedDict):
    """One message of the journal."""

    message: DeliveryShape


class MessagesAnswer(TypedDict):
    """A page of the journal."""

    messages: list[DeliveryShape]
    cursor: NotRequired[str]


def kind_name(kind: messaging_pb2.MessageKind.ValueType) -> str:
    """`ONE_TIME_CODE`, `WELCOME` …"""
    return messaging_pb2.MessageKind.Name(kind).removeprefix("MESSAGE_KIND_")


def delivery_shape(delivery: messaging_pb2.Delivery) -> DeliveryShape:
    """A message of the journal as callers see it."""
    shape: DeliveryShape = {
        "id": delivery.id,
        "channel": channel_name(delivery.channel),
        "kind": kind_name(delivery.kind),
        "status": messaging_pb2.DeliveryStatus.Name(delivery.status).removeprefix(
            "DELIVERY_STATUS_"
        ),
        "attempts": delivery.attempts,
        "created_at": moment(delivery.created_at),
        "updated_at": moment(delivery.updated_at),
    }
    if delivery.member_id:
        shape["customer_id"] = delivery.member_id
    if delivery.reason:
        shape["reason"] = delivery.reason
    return shape


@router.get("", response_model=MessagesAnswer, operation_id="ListMessages")
async def list_messages(
    caller: LoyaltyReader,
    customer_id: Sought | None = None,
    limit: Annotated[int | None, Query(ge=1, le=PAGE_MAX)] = None,
    cursor: SoughtCursor | None = None,
) -> Response:
    """The journal of deliveries, newest first; of one customer if wished."""
    member_id = known_id(customer_id, field="customer_id") if customer_id else ""
    filters = {"customer_id": member_id}
    position = cursors.read(caller.deps, caller.chain_id, "messages", filters, cursor)
    answer = await caller.deps.clients.messaging.ListDeliveries(
        messaging_pb2.ListDeliveriesRequest(
            chain_id=caller.chain_id,
            member_id=member_id,
            limit=limit or PAGE,
            cursor=position[0] if position else "",
        )
    )
    page: MessagesAnswer = {
        "messages": [delivery_shape(delivery) for delivery in answer.deliveries]
    }
    if answer.cursor:
        page["cursor"] = cursors.give(
            caller.deps, caller.chain_id, "messages", filters, [answer.cursor]
        )
    return Json(page)
