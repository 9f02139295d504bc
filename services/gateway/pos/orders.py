"""Orders: a till posts its sale here, then accumulates by its id."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter
from loyalty.points.v1 import points_pb2
from loyalty.rewards.v1 import rewards_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import Json, api_fields
from services.gateway.pos import order_reading
from services.gateway.pos.caller import Caller, OrderReader, OrderWriter
from services.gateway.pos.fields import Id, Key, Part
from services.gateway.pos.found import sale_of, sale_or_none
from services.gateway.pos.order_bodies import NewOrder
from services.gateway.pos.order_shapes import OrderShape, order_shape, reward_ids

router = APIRouter(prefix="/orders", tags=["Orders"])

# As many as Square gives at once, and as many of them are asked for at the same time.
ORDERS_MAX: Final = 100
AT_ONCE: Final = 10


class OrderAnswer(TypedDict):
    """One order."""

    order: OrderShape


class OrdersAnswer(TypedDict):
    """Orders."""

    orders: list[OrderShape]


class CreateOrder(Part):
    """A sale to keep."""

    order: NewOrder
    idempotency_key: Key | None = None


class RetrieveOrders(Part):
    """Orders by their ids, of one salon if wished."""

    order_ids: Annotated[list[Id], Field(min_length=1, max_length=ORDERS_MAX)]
    location_id: Id | None = None


@router.post("", response_model=OrderAnswer, operation_id="CreateOrder")
async def create_order(caller: OrderWriter, body: CreateOrder) -> Response:
    """Keep a sale, priced to the cent. It is OPEN until its points are accumulated.

    What Square knows and a sale does not (service charges, returns, prices by rule) is refused.
    """
    key = caller.key_or_new(body.idempotency_key)
    request = await order_reading.sale_request(caller, body.order, key=key)
    names = order_reading.line_fields(request.lines, "order.line_items")
    with api_fields({**order_reading.FIELDS, **names}):
        answer = await caller.deps.clients.points.CreateSale(request)
    return Json({"order": order_shape(answer.sale, {})})


@router.post("/batch-retrieve", response_model=OrdersAnswer, operation_id="BatchRetrieveOrders")
async def retrieve_orders(caller: OrderReader, body: RetrieveOrders) -> Response:
    """Orders by their ids, in the order asked for; what is not there is left out."""
    salon_id = ""
    if body.location_id is not None:
        salon_id = (await caller.salon(body.location_id)).id
    order_ids = list(dict.fromkeys(body.order_ids))
    orders: list[OrderShape] = []
    for start in range(0, ORDERS_MAX, AT_ONCE):
        asked = order_ids[start : start + AT_ONCE]
        found = await asyncio.gather(*(sale_or_none(caller, order_id) for order_id in asked))
        sales = [sale for sale in found if sale and salon_id in {"", sale.salon_id}]
        orders += await asyncio.gather(*(shaped(caller, sale) for sale in sales))
    return Json({"orders": orders})


@router.get("/{order_id}", response_model=OrderAnswer, operation_id="RetrieveOrder")
async def get_order(caller: OrderReader, order_id: str) -> Response:
    """One order with its totals and the rewards on it; once counted, with what it brought."""
    return Json({"order": await shaped(caller, await sale_of(caller, order_id))})


async def shaped(caller: Caller, sale: points_pb2.Sale) -> OrderShape:
    """A sale as an order, its rewards with their tiers."""
    rewards = await asyncio.gather(
        *(
            caller.deps.clients.rewards.GetReward(
                rewards_pb2.GetRewardRequest(chain_id=caller.chain_id, reward_id=reward_id)
            )
            for reward_id in reward_ids(sale)
        )
    )
    tiers = {answer.reward.id: answer.reward.definition_id for answer in rewards}
    return order_shape(sale, tiers)
