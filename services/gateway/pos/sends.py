"""Messages that the owner sends or plans: birthdays, audiences, sends (LS-59 to LS-70)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from loyalty.messaging.v1 import messaging_pb2
from starlette.responses import Response

from services.gateway.arriving import with_offer
from services.gateway.errors import Json, api_fields
from services.gateway.pos import cursors
from services.gateway.pos.caller import LoyaltyReader, LoyaltyWriter
from services.gateway.pos.fields import Sought, SoughtCursor, known_id
from services.gateway.pos.message_shapes import (
    AudienceAnswer,
    CreateSendIn,
    EnglishIn,
    NothingAnswer,
    PreviewedSendIn,
    PreviewSendAnswer,
    PreviewSendIn,
    SaveScheduled,
    ScheduledAnswer,
    ScheduledListAnswer,
    SearchAudience,
    SendAnswer,
    SendsAnswer,
    audience_filter,
    audience_member_shape,
    scheduled_shape,
    send_shape,
    shown_message_shape,
)

router = APIRouter(prefix="/messages", tags=["Messages"])

PAGE_MAX = 100
_WORDS = ("sms_body", "email_subject", "email_body")
_NAMES = ("days_before", "offer_id", "type", "send_at", *_WORDS, *(f"english.{w}" for w in _WORDS))
_SCHEDULED = {name: f"scheduled_message.{name}" for name in _NAMES} | {
    f"message.{name}": f"scheduled_message.{name}" for name in _NAMES
}
_FILTER = {
    name: f"filter.{name}"
    for name in ("visited_within_days", "not_visited_for_days", "birthday_months", "tier_ids")
} | {"salon_ids": "filter.location_ids", "filter": "filter"}
_SEND = (
    {name: f"send.{name}" for name in _NAMES}
    | {name: f"send.{told}" for name, told in _FILTER.items()}
    | {
        "member_ids": "send.customer_ids",
        "excluded_member_ids": "send.excluded_customer_ids",
    }
)


def _words(given: EnglishIn | PreviewedSendIn | None) -> messaging_pb2.SendWords | None:
    if given is None:
        return None
    return messaging_pb2.SendWords(
        sms_body=given.sms_body or "",
        email_subject=given.email_subject or "",
        email_body=given.email_body or "",
    )


@router.get("/scheduled", response_model=ScheduledListAnswer, operation_id="ListScheduledMessages")
async def list_scheduled(caller: LoyaltyReader) -> Response:
    """The chain's scheduled messages, and whether its plan sends them (LS-64)."""
    answer = await caller.deps.clients.messaging.ListScheduledMessages(
        messaging_pb2.ListScheduledMessagesRequest(chain_id=caller.chain_id)
    )
    found = [scheduled_shape(one) for one in answer.messages]
    return Json({"scheduled_messages": found, "allowed": answer.allowed})


@router.post("/scheduled", response_model=ScheduledAnswer, operation_id="CreateScheduledMessage")
async def create_scheduled(caller: LoyaltyWriter, body: SaveScheduled) -> Response:
    """Plan a birthday message; Essentiel and Pro (LS-64 to LS-70)."""
    wanted = body.scheduled_message
    with api_fields(_SCHEDULED):
        answer = await with_offer(
            caller.deps,
            caller.chain_id,
            wanted.offer_id or "",
            caller.deps.clients.messaging.CreateScheduledMessage,
            messaging_pb2.CreateScheduledMessageRequest(
                idempotency_key=caller.key(body.idempotency_key),
                chain_id=caller.chain_id,
                message=messaging_pb2.ScheduledMessage(
                    type=messaging_pb2.SCHEDULED_MESSAGE_TYPE_BIRTHDAY,
                    days_before=wanted.days_before or 0,
                    offer_id=wanted.offer_id or "",
                    sms_body=wanted.sms_body or "",
                    email_subject=wanted.email_subject or "",
                    email_body=wanted.email_body or "",
                    enabled=wanted.enabled is not False,
                    english=_words(wanted.english),
                ),
                actor=caller.actor,
            ),
        )
    return Json(
        {"scheduled_message": scheduled_shape(answer.message), "warnings": list(answer.warnings)}
    )


@router.put(
    "/scheduled/{scheduled_message_id}",
    response_model=ScheduledAnswer,
    operation_id="UpdateScheduledMessage",
)
async def update_scheduled(
    caller: LoyaltyWriter, scheduled_message_id: str, body: SaveScheduled
) -> Response:
    """Change a scheduled message; fields that are left out stay, an empty `offer_id` = none."""
    wanted = body.scheduled_message
    english = wanted.english or EnglishIn()
    with api_fields(_SCHEDULED | {"message_id": ""}):
        request = messaging_pb2.UpdateScheduledMessageRequest(
            chain_id=caller.chain_id,
            message_id=known_id(scheduled_message_id),
            days_before=wanted.days_before,
            offer_id=wanted.offer_id,
            sms_body=wanted.sms_body,
            email_subject=wanted.email_subject,
            email_body=wanted.email_body,
            enabled=wanted.enabled,
            english=messaging_pb2.WordsChange(
                sms_body=english.sms_body,
                email_subject=english.email_subject,
                email_body=english.email_body,
            ),
            actor=caller.actor,
        )
        answer = await with_offer(
            caller.deps,
            caller.chain_id,
            wanted.offer_id or "",
            caller.deps.clients.messaging.UpdateScheduledMessage,
            request,
        )
    return Json(
        {"scheduled_message": scheduled_shape(answer.message), "warnings": list(answer.warnings)}
    )


@router.delete(
    "/scheduled/{scheduled_message_id}",
    response_model=NothingAnswer,
    operation_id="DeleteScheduledMessage",
)
async def delete_scheduled(caller: LoyaltyWriter, scheduled_message_id: str) -> Response:
    """Nothing more leaves by it."""
    with api_fields({"message_id": ""}):
        await caller.deps.clients.messaging.DeleteScheduledMessage(
            messaging_pb2.DeleteScheduledMessageRequest(
                chain_id=caller.chain_id,
                message_id=known_id(scheduled_message_id),
                actor=caller.actor,
            )
        )
    return Json({})


@router.post("/audience", response_model=AudienceAnswer, operation_id="SearchAudience")
async def search_audience(caller: LoyaltyReader, body: SearchAudience) -> Response:
    """Who would get a message, and who cannot be reached (LS-59, LS-61)."""
    wanted = audience_filter(body.filter)
    filters = {"filter": wanted.SerializeToString(deterministic=True).hex()}
    position = cursors.read(caller.deps, caller.chain_id, "audience", filters, body.cursor)
    with api_fields(_FILTER):
        answer = await caller.deps.clients.messaging.ListAudience(
            messaging_pb2.ListAudienceRequest(
                chain_id=caller.chain_id,
                filter=wanted,
                limit=body.limit or 50,
                cursor=position[0] if position else "",
            )
        )
    page: AudienceAnswer = {
        "customers": [audience_member_shape(one) for one in answer.members],
        "total": answer.total,
        "reachable": answer.reachable,
    }
    if answer.cursor:
        page["cursor"] = cursors.give(
            caller.deps, caller.chain_id, "audience", filters, [answer.cursor]
        )
    return Json(page)


@router.post("/sends", response_model=SendAnswer, operation_id="CreateSend")
async def create_send(caller: LoyaltyWriter, body: CreateSendIn) -> Response:
    """Send an offer or words, now or at a time; once by its key (LS-60, LS-63)."""
    wanted = body.send
    request = messaging_pb2.CreateSendRequest(
        idempotency_key=caller.key(body.idempotency_key),
        chain_id=caller.chain_id,
        offer_id=wanted.offer_id or "",
        filter=audience_filter(wanted.filter),
        excluded_member_ids=wanted.excluded_customer_ids,
        member_ids=wanted.customer_ids,
        sms_body=wanted.sms_body or "",
        email_subject=wanted.email_subject or "",
        email_body=wanted.email_body or "",
        actor=caller.actor,
        english=_words(wanted.english),
    )
    if wanted.send_at is not None:
        request.send_at.FromDatetime(wanted.send_at)
    with api_fields(_SEND):
        answer = await with_offer(
            caller.deps,
            caller.chain_id,
            request.offer_id,
            caller.deps.clients.messaging.CreateSend,
            request,
        )
    return Json({"send": send_shape(answer.send), "warnings": list(answer.warnings)})


@router.post("/sends/preview", response_model=PreviewSendAnswer, operation_id="PreviewSend")
async def preview_send(caller: LoyaltyReader, body: PreviewSendIn) -> Response:
    """How a send would read, whom it can reach now and how many texts that takes; sends nothing."""
    wanted = body.send
    kind = (
        messaging_pb2.MESSAGE_KIND_OFFER
        if wanted.offer_id
        else messaging_pb2.MESSAGE_KIND_ANNOUNCEMENT
    )
    request = messaging_pb2.PreviewSendRequest(
        chain_id=caller.chain_id,
        kind=kind,
        offer_id=wanted.offer_id or "",
        filter=audience_filter(wanted.filter),
        excluded_member_ids=wanted.excluded_customer_ids,
        member_ids=wanted.customer_ids,
        words=_words(wanted),
        english=_words(wanted.english),
    )
    with api_fields(_SEND):
        answer = await with_offer(
            caller.deps,
            caller.chain_id,
            request.offer_id,
            caller.deps.clients.messaging.PreviewSend,
            request,
        )
    shown: PreviewSendAnswer = {
        "messages": [shown_message_shape(one) for one in answer.messages],
        "texts": sum(one.segments * one.reachable for one in answer.messages),
    }
    return Json(shown)


@router.get("/sends", response_model=SendsAnswer, operation_id="ListSends")
async def list_sends(
    caller: LoyaltyReader,
    offer_id: Sought | None = None,
    limit: Annotated[int | None, Query(ge=1, le=PAGE_MAX)] = None,
    cursor: SoughtCursor | None = None,
) -> Response:
    """Sends, the newest first; of one offer if wished."""
    wanted = known_id(offer_id, field="offer_id") if offer_id else ""
    filters = {"offer_id": wanted}
    position = cursors.read(caller.deps, caller.chain_id, "sends", filters, cursor)
    answer = await caller.deps.clients.messaging.ListSends(
        messaging_pb2.ListSendsRequest(
            chain_id=caller.chain_id,
            offer_id=wanted,
            limit=limit or 20,
            cursor=position[0] if position else "",
        )
    )
    page: SendsAnswer = {"sends": [send_shape(one) for one in answer.sends]}
    if answer.cursor:
        page["cursor"] = cursors.give(
            caller.deps, caller.chain_id, "sends", filters, [answer.cursor]
        )
    return Json(page)


@router.get("/sends/{send_id}", response_model=SendAnswer, operation_id="RetrieveSend")
async def get_send(caller: LoyaltyReader, send_id: str) -> Response:
    """One send with what became of it so far."""
    with api_fields({"send_id": ""}):
        answer = await caller.deps.clients.messaging.GetSend(
            messaging_pb2.GetSendRequest(chain_id=caller.chain_id, send_id=known_id(send_id))
        )
    return Json({"send": send_shape(answer.send)})


@router.post("/sends/{send_id}/stop", response_model=SendAnswer, operation_id="StopSend")
async def stop_send(caller: LoyaltyWriter, send_id: str) -> Response:
    """What has not left does not leave."""
    with api_fields({"send_id": ""}):
        answer = await caller.deps.clients.messaging.StopSend(
            messaging_pb2.StopSendRequest(
                chain_id=caller.chain_id, send_id=known_id(send_id), actor=caller.actor
            )
        )
    return Json({"send": send_shape(answer.send)})
