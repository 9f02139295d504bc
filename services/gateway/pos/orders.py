"""Orders: a till posts its sale here, then accumulates by its id."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final
from uuid import uuid4

from fastapi import APIRouter
from loyalty.points.v1 import points_pb2
from loyalty.rewards.v1 import rewards_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.pos import order_reading
from services.gateway.pos.caller import Caller, OrderReader, OrderWriter
from services.gateway.pos.fields import Id, Key, Part
from services.gateway.pos.found import sale_of, sale_or_none
from services.gateway.pos.order_bodies import NewOrder
from services.gateway.pos.order_shapes import (
    OrderShape,
    order_shape,
    reward_ids,
)

router = APIRouter(prefix="/orders", tags=["Orders"])

# As many as Square gives at once, and as many of them are asked for at the same time.
ORDERS_MAX: Final = 100
AT_ONCE: Final = 10
# As many as a chain offers.
PROPOSED_REWARDS_MAX: Final = 15


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


class ProposedReward(Part):
    """A reward tier to look at; the id is the caller's own, to know it by in the answer."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    reward_tier_id: Id


class CalculateOrder(Part):
    """An order to look at."""

    order: NewOrder
    proposed_rewards: (
        Annotated[list[ProposedReward], Field(max_length=PROPOSED_REWARDS_MAX)] | None
    ) = None


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


@router.post("/calculate", response_model=OrderAnswer, operation_id="CalculateOrder")
async def calculate_order(caller: OrderReader, body: CalculateOrder) -> Response:
    """What an order would cost, with rewards that are proposed for it. Nothing is kept or taken.

    What `CreateOrder` refuses is refused. What it would earn is for `CalculateLoyaltyPoints`.
    """
    sale = await order_reading.sale_request(caller, body.order, key="")
    request = points_pb2.PriceSaleRequest(sale=sale)
    own = {str(uuid4()): one for one in body.proposed_rewards or ()}
    tiers = await _tiers(caller) if own else {}
    for place, (reward_id, one) in enumerate(own.items()):
        field = f"proposed_rewards[{place}]"
        if one.reward_tier_id not in tiers:
            raise ApiError.of("NOT_FOUND", field=f"{field}.reward_tier_id")
        if one.id in [other.id for other in list(own.values())[:place]]:
            raise ApiError.of("UID_REPEATED", field=f"{field}.id", params={"uid": one.id})
        request.rewards.add(reward_id=reward_id, discount=_taken_off(tiers[one.reward_tier_id]))
    names = order_reading.line_fields(sale.lines, "order.line_items")
    with api_fields({**order_reading.FIELDS, **names}):
        answer = await caller.deps.clients.points.PriceSale(request)
    for discount in answer.sale.discounts:
        if discount.reward_id:
            discount.uid = discount.reward_id = own[discount.reward_id].id
    tier_ids = {one.id: one.reward_tier_id for one in own.values()}
    return Json({"order": order_shape(answer.sale, tier_ids)})


async def _tiers(caller: Caller) -> dict[str, rewards_pb2.RewardDefinition]:
    """The chain's rewards that may be taken, by id."""
    listed = await caller.deps.clients.rewards.ListRewardDefinitions(
        rewards_pb2.ListRewardDefinitionsRequest(chain_id=caller.chain_id)
    )
    return {definition.id: definition for definition in listed.definitions}


def _taken_off(definition: rewards_pb2.RewardDefinition) -> points_pb2.RewardDiscount:
    """What a reward would take off a sale."""
    made = points_pb2.RewardDiscount(name=definition.name)
    match definition.discount.WhichOneof("value"):
        case "percentage":
            made.percentage = definition.discount.percentage
        case "amount":
            made.amount.CopyFrom(definition.discount.amount)
        case _:
            made.in_kind = True
    return made


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


@router.post("/search", include_in_schema=False)
async def search_orders(caller: OrderReader) -> Response:
    """Square's; here a till keeps the ids of its orders."""
    raise ApiError.of("ORDER_SEARCH_UNSUPPORTED")


@router.post("/clone", include_in_schema=False)
async def clone_order(caller: OrderWriter) -> Response:
    """Square's; here the order is posted again."""
    raise ApiError.of("ORDER_CLONE_UNSUPPORTED")


@router.put("/{order_id}", include_in_schema=False)
async def update_order(caller: OrderWriter, order_id: str) -> Response:
    """Square's; here an order is posted when it is complete."""
    raise ApiError.of("ORDER_UPDATE_UNSUPPORTED")


@router.post("/{order_id}/pay", include_in_schema=False)
async def pay_order(caller: OrderWriter, order_id: str) -> Response:
    """Square's; here accumulating completes an order."""
    raise ApiError.of("ORDER_PAY_UNSUPPORTED")


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
