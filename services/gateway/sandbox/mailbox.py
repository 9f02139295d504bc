"""The mailbox of a sandbox chain: what would have left, and texts that arrive."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import uuid4

from fastapi import APIRouter, Query
from loyalty.messaging.v1 import messaging_pb2
from loyalty.types.v1 import types_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import Json, api_fields
from services.gateway.pos.fields import Key, Note, Part, Phone, Sought
from services.gateway.pos.messages import kind_name
from services.gateway.pos.shapes import channel_name, moment
from services.gateway.sandbox.doors import MailboxReader, MailboxWriter
from services.gateway.settling import settle

router = APIRouter()

PAGE_MAX: Final = 200
# Whoever looks into the mailbox wants to see what was sent just now, and who texts a moment after
# she joined is a member: people are slower than scripts.
SETTLE_SECONDS_MAX: Final = 5.0


class SandboxMessageShape(TypedDict):
    """One message that would have left."""

    id: str
    channel: str
    to: str
    subject: str
    body: str
    kind: str
    created_at: str


class SandboxMessagesAnswer(TypedDict):
    """The mailbox, newest first."""

    messages: list[SandboxMessageShape]


class SmsAnswer(TypedDict):
    """What was understood of the text: `stop`, `start`, `help`, `none`."""

    keyword: str


class InboundSms(Part):
    """A text that arrives from a phone."""

    sender: Annotated[Phone, Field(alias="from", min_length=1)]
    to: Phone
    body: Note
    idempotency_key: Key | None = None


@router.get("/messages", response_model=SandboxMessagesAnswer, operation_id="ListSandboxMessages")
async def list_sandbox_messages(
    caller: MailboxReader,
    to: Sought | None = None,
    channel: Literal["SMS", "EMAIL", "sms", "email"] | None = None,
    limit: Annotated[int | None, Query(ge=1, le=PAGE_MAX)] = None,
) -> Response:
    """Every SMS and e-mail that would have left, newest first."""
    deps = caller.deps
    await settle(deps.clients.clocks, seconds_max=SETTLE_SECONDS_MAX)
    wanted = (
        types_pb2.Channel.Value(f"CHANNEL_{channel.upper()}")
        if channel
        else types_pb2.CHANNEL_UNSPECIFIED
    )
    answer = await deps.clients.messaging.ListSandboxMessages(
        messaging_pb2.ListSandboxMessagesRequest(
            chain_id=caller.chain_id, to=to or "", channel=wanted, limit=limit or PAGE_MAX
        )
    )
    messages: list[SandboxMessageShape] = [
        {
            "id": message.id,
            "channel": channel_name(message.channel),
            "to": message.to,
            "subject": message.subject,
            "body": message.body,
            "kind": kind_name(message.kind),
            "created_at": moment(message.created_at),
        }
        for message in answer.messages
    ]
    return Json({"messages": messages})


@router.post("/sms", response_model=SmsAnswer, operation_id="ReceiveSandboxSms")
async def receive_sms(caller: MailboxWriter, body: InboundSms) -> Response:
    """A text arrives from a phone, as if a provider had passed it on: STOP, YES, HELP …"""
    key = caller.key_or_none(body.idempotency_key) or str(uuid4())
    await settle(caller.deps.clients.clocks, seconds_max=SETTLE_SECONDS_MAX)
    with api_fields({"from": "from", "to": "to", "body": "body"}):
        answer = await caller.deps.clients.messaging.ReceiveSms(
            messaging_pb2.ReceiveSmsRequest(
                provider_message_id=f"sandbox-{key}",
                to=body.to,
                body=body.body,
                chain_id=caller.chain_id,
                **{"from": body.sender},
            )
        )
    return Json({"keyword": answer.keyword})
