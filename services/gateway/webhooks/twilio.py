"""Twilio's webhooks: a text that arrives, and a status that moves on (LS-20, LS-79).

Both are repeatable: messaging knows each provider id once, and states only move forward. An answer
of 5xx makes Twilio come again; what is refused for good is answered 200, so that it does not.
"""

from __future__ import annotations

from typing import Final

import structlog
from fastapi import APIRouter, Request
from loyalty.messaging.v1.messaging_pb2 import ReceiveSmsRequest, ReceiveStatusRequest
from starlette.responses import Response

from services.chassis.errors import RemoteRefusal
from services.gateway.deps import Deps, DepsDep
from services.gateway.errors import ApiError
from services.gateway.webhooks.signature import is_signed

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/webhooks/twilio", include_in_schema=False)

FIELDS_MAX: Final = 100
# An empty TwiML document: the answer to a text leaves by itself, through the deliveries.
NO_ANSWER: Final = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


async def _signed_fields(request: Request, deps: Deps) -> dict[str, str]:
    """What Twilio posted; anything that it did not sign for this very address is refused."""
    form = await request.form(max_files=0, max_fields=FIELDS_MAX)
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    url = deps.settings.public_url.rstrip("/") + path
    token = deps.settings.twilio_auth_token.get_secret_value()
    signature = request.headers.get("x-twilio-signature", "")
    if not is_signed(token, url, fields, signature):
        await deps.limits.check("unknown_token", deps.limits.network_of(request))
        raise ApiError.of("FORBIDDEN")
    return dict(fields)


def _twiml() -> Response:
    return Response(NO_ANSWER, media_type="application/xml")


@router.post("/sms")
async def sms(request: Request, deps: DepsDep) -> Response:
    """A text arrives at one of our numbers."""
    fields = await _signed_fields(request, deps)
    try:
        await deps.clients.messaging.ReceiveSms(
            ReceiveSmsRequest(
                provider_message_id=fields.get("MessageSid") or fields.get("SmsSid", ""),
                to=fields.get("To", ""),
                body=fields.get("Body", ""),
                **{"from": fields.get("From", "")},
            )
        )
    except RemoteRefusal as refusal:
        # Short codes and letters send no STOP; the same webhook again would be refused again.
        log.info("inbound_text_refused", code=refusal.code)
    return _twiml()


@router.post("/status")
async def status(request: Request, deps: DepsDep) -> Response:
    """What became of a text that left."""
    fields = await _signed_fields(request, deps)
    try:
        await deps.clients.messaging.ReceiveStatus(
            ReceiveStatusRequest(
                provider_message_id=fields.get("MessageSid") or fields.get("SmsSid", ""),
                status=fields.get("MessageStatus") or fields.get("SmsStatus", ""),
                error_code=fields.get("ErrorCode", ""),
            )
        )
    except RemoteRefusal as refusal:
        log.info("status_refused", code=refusal.code)
    return Response(status_code=204)
