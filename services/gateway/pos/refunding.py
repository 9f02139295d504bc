"""Refunds and exchanges: what a sale loses or gains again, by its own terms (SQ-34 to SQ-45)."""

from __future__ import annotations

from typing import Annotated, Final, Literal, NotRequired

from fastapi import APIRouter
from loyalty.points.v1 import points_pb2
from loyalty.types.v1 import types_pb2
from pydantic import AfterValidator, Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.chassis.errors import RemoteRefusal
from services.gateway.errors import ApiError, Json, api_fields, from_remote
from services.gateway.pos import following, order_reading
from services.gateway.pos.caller import Caller, LoyaltyWriter
from services.gateway.pos.event_shapes import EventShape, entry_event
from services.gateway.pos.fields import (
    Id,
    Key,
    Moment,
    Money,
    Part,
    amount_in,
    not_blank,
    single_line,
)
from services.gateway.pos.found import visible_sale_id
from services.gateway.pos.order_bodies import LINES_MAX, OrderLine, Quantity, Uid

router = APIRouter(prefix="/loyalty", tags=["Loyalty refunds"])

ChangeId = Annotated[
    str,
    Field(
        strict=True,
        max_length=128,
        description="The till's name for it; the same one has no second effect.",
    ),
    AfterValidator(single_line),
    AfterValidator(not_blank),
]

_REFUND_FIELDS: Final = {
    "sale_id": "refund.order_id",
    "change_id": "refund.refund_id",
    "refund_id": "refund.refund_id",
    "refund": "refund.type",
    "line_items": "refund.line_items",
    "line_items.quantity": "refund.line_items",
    "amount_money": "refund.amount_money",
    "currency": "refund.amount_money.currency",
    "occurred_at": "refund.occurred_at",
}
_EXCHANGE_FIELDS: Final = {
    "sale_id": "exchange.order_id",
    "change_id": "exchange.exchange_id",
    "refund_id": "exchange.exchange_id",
    "line_items": "exchange.returned",
    "line_items.quantity": "exchange.returned",
    "line_items.base_price_money": "exchange.added",
    "line_items.catalog_object_id": "exchange.added",
    "returned": "exchange.returned",
    "added": "exchange.added",
    "occurred_at": "exchange.occurred_at",
}


class ChangeAnswer(TypedDict):
    """What a refund or an exchange did, or in a dry run would do.

    `points` is signed: what the account lost or gained. `expired_before` had gone by expiry and
    counts as taken back (D37); `forgiven` would have been a debt and is none.
    """

    events: list[EventShape]
    points: int
    balance: int
    expired_before: int
    forgiven: int
    returned_reward_ids: list[str]
    order_id: str
    already_counted: NotRequired[bool]


class ReturnedLineIn(Part):
    """So many of one line come back."""

    uid: Uid
    quantity: Quantity


ReturnedLines = Annotated[list[ReturnedLineIn], Field(min_length=1, max_length=LINES_MAX)]


class RefundIn(Part):
    """All that remains of an order, some of its lines, or an amount."""

    order_id: Id
    refund_id: ChangeId
    type: Literal["FULL", "ITEMS", "CUSTOM_AMOUNT"]
    line_items: ReturnedLines | None = None
    amount_money: Money | None = None
    occurred_at: Moment | None = None


class CreateRefund(Part):
    """A refund to carry out, or with `dry_run` to look at."""

    refund: RefundIn
    idempotency_key: Key | None = None


class ExchangeIn(Part):
    """Lines of an order that come back for others."""

    order_id: Id
    exchange_id: ChangeId
    returned: ReturnedLines
    added: Annotated[list[OrderLine], Field(min_length=1, max_length=LINES_MAX)]
    occurred_at: Moment | None = None


class CreateExchange(Part):
    """An exchange to carry out, or with `dry_run` to look at."""

    exchange: ExchangeIn
    idempotency_key: Key | None = None


@router.post("/refunds", response_model=ChangeAnswer, operation_id="CreateLoyaltyRefund")
async def create_refund(
    caller: LoyaltyWriter, body: CreateRefund, *, dry_run: bool = False
) -> Response:
    """Take back the points of what is refunded, by the terms of the sale (SQ-34 to SQ-42).

    Parts add up: a refund in pieces ends where one in a piece does. With `dry_run=true` nothing
    is written and no key is needed.
    """
    wanted = body.refund
    key = caller.key_or_new(body.idempotency_key) if dry_run else caller.key(body.idempotency_key)
    _require_its_own_part(wanted)
    request = points_pb2.RefundSaleRequest(
        idempotency_key=key,
        chain_id=caller.chain_id,
        sale_id=await visible_sale_id(caller, wanted.order_id, field="refund.order_id"),
        change_id=wanted.refund_id,
        dry_run=dry_run,
        actor=caller.actor,
    )
    match wanted.type:
        case "FULL":
            request.full.SetInParent()
        case "ITEMS":
            request.items.lines.extend(_returned(wanted.line_items or ()))
        case "CUSTOM_AMOUNT":
            request.amount.CopyFrom(await _amount(caller, wanted.amount_money))
    if wanted.occurred_at is not None:
        request.occurred_at.FromDatetime(wanted.occurred_at)
    with api_fields(_REFUND_FIELDS):
        answer = await caller.deps.clients.points.RefundSale(request)
    return await _told(caller, answer.effect, dry_run=dry_run)


@router.post("/exchanges", response_model=ChangeAnswer, operation_id="CreateLoyaltyExchange")
async def create_exchange(
    caller: LoyaltyWriter, body: CreateExchange, *, dry_run: bool = False
) -> Response:
    """Count other lines in place of those that come back, by the terms of the sale (SQ-43, SQ-44).

    With `dry_run=true` nothing is written and no key is needed.
    """
    wanted = body.exchange
    key = caller.key_or_new(body.idempotency_key) if dry_run else caller.key(body.idempotency_key)
    request = points_pb2.ExchangeSaleRequest(
        idempotency_key=key,
        chain_id=caller.chain_id,
        sale_id=await visible_sale_id(caller, wanted.order_id, field="exchange.order_id"),
        change_id=wanted.exchange_id,
        returned=_returned(wanted.returned),
        added=order_reading.sale_lines(
            wanted.added,
            currency=(await caller.chain()).currency,
            field="exchange.added",
        ),
        dry_run=dry_run,
        actor=caller.actor,
    )
    _refuse_applied(wanted.added)
    if wanted.occurred_at is not None:
        request.occurred_at.FromDatetime(wanted.occurred_at)
    try:
        answer = await caller.deps.clients.points.ExchangeSale(request)
    except RemoteRefusal as refusal:
        # Points calls both lists its lines; only new ones can have a name that is taken.
        is_new = refusal.code == "line_repeated"
        names = {
            **_EXCHANGE_FIELDS,
            **({"line_items": "exchange.added"} if is_new else {}),
            **order_reading.line_fields(request.added, "exchange.added"),
        }
        raise from_remote(refusal, names) from None
    return await _told(caller, answer.effect, dry_run=dry_run)


def _require_its_own_part(wanted: RefundIn) -> None:
    """Each type has its own part; another one would be dropped without a word."""
    parts = {"ITEMS": "line_items", "CUSTOM_AMOUNT": "amount_money"}
    for owner, name in parts.items():
        is_there = getattr(wanted, name) is not None
        if owner == wanted.type and not is_there:
            raise ApiError.of("MISSING_REQUIRED_PARAMETER", field=f"refund.{name}")
        if owner != wanted.type and is_there:
            raise ApiError.of(
                "CONFLICTING_PARAMETERS",
                field=f"refund.{name}",
                params={"fields": f"refund.type, refund.{name}"},
            )


def _refuse_applied(lines: list[OrderLine]) -> None:
    """Lines of an exchange come at their price: an exchange has no discounts nor taxes."""
    for place, line in enumerate(lines):
        field = f"exchange.added[{place}]"
        if line.applied_taxes:
            raise ApiError.of("EXCHANGE_AT_PRICE", field=f"{field}.applied_taxes")
        if line.applied_discounts:
            raise ApiError.of("EXCHANGE_AT_PRICE", field=f"{field}.applied_discounts")


def _returned(lines: list[ReturnedLineIn] | tuple[()]) -> list[points_pb2.ReturnedLine]:
    return [points_pb2.ReturnedLine(uid=line.uid, quantity=line.quantity) for line in lines]


async def _amount(caller: Caller, money: Money | None) -> types_pb2.Money:
    currency = (await caller.chain()).currency
    amount = amount_in(money, currency, field="refund.amount_money") if money else 0
    return types_pb2.Money(amount=amount, currency=currency)


async def _told(caller: Caller, effect: points_pb2.ChangeEffect, *, dry_run: bool) -> Response:
    told: ChangeAnswer = {
        "events": [entry_event(entry) for entry in effect.entries],
        "points": effect.points,
        "balance": effect.balance,
        "expired_before": effect.expired_before,
        "forgiven": effect.forgiven,
        "returned_reward_ids": list(effect.returned_reward_ids),
        "order_id": effect.sale.id,
    }
    if effect.repeated_change:
        told["already_counted"] = True
    if not dry_run and effect.sale.member_id:
        await following.returned(caller, effect.returned_reward_ids)
        kinds = ("points", "rewards") if effect.returned_reward_ids else ("points",)
        for kind in kinds:
            await caller.deps.live.publish(caller.chain_id, effect.sale.member_id, kind)
    return Json(told)
