"""When messages leave and in whose words; the chain's number; the status on demand."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from loyalty.messaging.v1 import messaging_pb2
from loyalty.types.v1 import types_pb2
from starlette.responses import Response

from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.pos.caller import Caller, LoyaltyReader, LoyaltyWriter
from services.gateway.pos.fields import known_id
from services.gateway.pos.message_shapes import (
    PreviewAnswer,
    SaveKeyword,
    SaveSettings,
    SaveTemplate,
    SendStatusIn,
    SettingsAnswer,
    TemplateAnswer,
    TemplateIn,
    TemplatesAnswer,
    TextToJoinAnswer,
    preview_shape,
    settings_shape,
    template_shape,
    text_to_join_shape,
)
from services.gateway.pos.messages import DeliveryAnswer, delivery_shape
from services.gateway.pos.shapes import language_value

router = APIRouter(prefix="/messages", tags=["Messages"])

MESSAGE_KINDS = frozenset(messaging_pb2.MessageKind.keys())

_SETTINGS = {
    name: f"settings.{name}"
    for name in ("receipts", "collect_email_points", "quiet_from", "quiet_until", "daily_sms_cap")
}
_TEMPLATE = {
    name: f"template.{name.rpartition('.')[2]}"
    for name in ("kind", "subject", "body", "template", "template.subject", "template.body")
}


@router.get("/settings", response_model=SettingsAnswer, operation_id="RetrieveMessageSettings")
async def get_settings(caller: LoyaltyReader) -> Response:
    """When the chain's messages leave by themselves, and its texts of today."""
    answer = await caller.deps.clients.messaging.GetMessageSettings(
        messaging_pb2.GetMessageSettingsRequest(chain_id=caller.chain_id)
    )
    return Json({"settings": settings_shape(answer.settings), "sms_today": answer.sms_today})


@router.put("/settings", response_model=SettingsAnswer, operation_id="UpdateMessageSettings")
async def update_settings(caller: LoyaltyWriter, body: SaveSettings) -> Response:
    """Change settings; fields that are left out stay."""
    wanted = body.settings
    request = messaging_pb2.UpdateMessageSettingsRequest(
        chain_id=caller.chain_id,
        expiry_warnings=wanted.expiry_warnings,
        tier_changes=wanted.tier_changes,
        collect_email_points=wanted.collect_email_points,
        quiet_from=wanted.quiet_from,
        quiet_until=wanted.quiet_until,
        daily_sms_cap=wanted.daily_sms_cap,
        actor=caller.actor,
    )
    if wanted.receipts is not None:
        request.receipts = messaging_pb2.ReceiptMode.Value(f"RECEIPT_MODE_{wanted.receipts}")
    with api_fields(_SETTINGS):
        answer = await caller.deps.clients.messaging.UpdateMessageSettings(request)
    return Json({"settings": settings_shape(answer.settings)})


@router.get("/templates", response_model=TemplatesAnswer, operation_id="ListMessageTemplates")
async def list_templates(caller: LoyaltyReader) -> Response:
    """Every message whose words may be chosen, with the words that it has."""
    answer = await caller.deps.clients.messaging.ListTemplates(
        messaging_pb2.ListTemplatesRequest(chain_id=caller.chain_id)
    )
    return Json({"templates": [template_shape(one) for one in answer.templates]})


def _template(wanted: TemplateIn) -> messaging_pb2.MessageTemplate:
    name = f"MESSAGE_KIND_{wanted.kind}"
    if name not in MESSAGE_KINDS:
        raise ApiError.of("INVALID_ENUM_VALUE", field="template.kind")
    return messaging_pb2.MessageTemplate(
        kind=messaging_pb2.MessageKind.Value(name),
        channel=types_pb2.Channel.Value(f"CHANNEL_{wanted.channel}"),
        language=language_value(wanted.language_code),
        subject=wanted.subject or "",
        body=wanted.body or "",
    )


@router.put("/templates", response_model=TemplateAnswer, operation_id="SetMessageTemplate")
async def set_template(caller: LoyaltyWriter, body: SaveTemplate) -> Response:
    """Keep words of the chain's own; what cannot be filled in is refused, with what is wrong."""
    with api_fields(_TEMPLATE):
        answer = await caller.deps.clients.messaging.SetTemplate(
            messaging_pb2.SetTemplateRequest(
                chain_id=caller.chain_id, template=_template(body.template), actor=caller.actor
            )
        )
    return Json({"template": template_shape(answer.template), "warnings": list(answer.warnings)})


@router.post("/templates/reset", response_model=TemplateAnswer, operation_id="ResetMessageTemplate")
async def reset_template(caller: LoyaltyWriter, body: SaveTemplate) -> Response:
    """Back to the words that every chain starts with."""
    wanted = _template(body.template)
    with api_fields(_TEMPLATE):
        answer = await caller.deps.clients.messaging.ResetTemplate(
            messaging_pb2.ResetTemplateRequest(
                chain_id=caller.chain_id,
                kind=wanted.kind,
                channel=wanted.channel,
                language=wanted.language,
                actor=caller.actor,
            )
        )
    return Json({"template": template_shape(answer.template)})


@router.post("/preview", response_model=PreviewAnswer, operation_id="PreviewMessage")
async def preview(caller: LoyaltyReader, body: SaveTemplate) -> Response:
    """How words read, how long they are, what they cost in messages; sends nothing."""
    with api_fields(_TEMPLATE):
        answer = await caller.deps.clients.messaging.PreviewMessage(
            messaging_pb2.PreviewMessageRequest(
                chain_id=caller.chain_id, template=_template(body.template)
            )
        )
    return Json(preview_shape(answer))


async def _joining(caller: Caller) -> Response:
    messaging = caller.deps.clients.messaging
    join, sender = await asyncio.gather(
        messaging.GetTextToJoin(messaging_pb2.GetTextToJoinRequest(chain_id=caller.chain_id)),
        messaging.GetSenderNumber(messaging_pb2.GetSenderNumberRequest(chain_id=caller.chain_id)),
    )
    answer: TextToJoinAnswer = {
        "text_to_join": text_to_join_shape(join.text_to_join),
        "allowed": join.allowed,
        "sender_number": sender.number,
    }
    return Json(answer)


@router.get("/text-to-join", response_model=TextToJoinAnswer, operation_id="RetrieveTextToJoin")
async def text_to_join(caller: LoyaltyReader) -> Response:
    """The chain's own number with its keyword, and the number its texts leave from (LS-19)."""
    return await _joining(caller)


@router.put("/text-to-join", response_model=TextToJoinAnswer, operation_id="SetKeyword")
async def set_keyword(caller: LoyaltyWriter, body: SaveKeyword) -> Response:
    """Another keyword for the chain's own number; Pro only (LS-18)."""
    with api_fields({"keyword": "keyword", "number": "", "chain_id": ""}):
        await caller.deps.clients.messaging.SetKeyword(
            messaging_pb2.SetKeywordRequest(
                chain_id=caller.chain_id, keyword=body.keyword, actor=caller.actor
            )
        )
    return await _joining(caller)


@router.post("/status", response_model=DeliveryAnswer, operation_id="SendStatus")
async def send_status(caller: LoyaltyWriter, body: SendStatusIn) -> Response:
    """Send a customer the balance of now, unless STOP is in force (SQ-32)."""
    with api_fields({"member_id": "customer_id"}):
        answer = await caller.deps.clients.messaging.SendStatus(
            messaging_pb2.SendStatusRequest(
                idempotency_key=caller.key(body.idempotency_key),
                chain_id=caller.chain_id,
                member_id=known_id(body.customer_id, field="customer_id"),
                actor=caller.actor,
            )
        )
    return Json({"message": delivery_shape(answer.delivery)})
