"""How words will read, how long they are, and what they cost in messages; sends nothing."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty.messaging.v1.messaging_pb2 import (
    MessageKind,
    MessageTemplate,
    PreviewMessageRequest,
)
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.desk import Desk
from services.gateway.web.forms import NO_PROBLEMS, Problems, problems_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the owner wrote; empty = the chain's own words for such a message."""

    sms_body: str = ""
    email_subject: str = ""
    email_body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One message as it would arrive."""

    by_text: bool
    # "fr" or "en".
    language: str
    subject: str
    body: str
    # Texts that it takes; 0 for an e-mail.
    segments: int
    # Letters that leave room for 70 signs in a text instead of 160.
    beyond_gsm: str
    warnings: tuple[str, ...]


async def previews_of(
    desk: Desk, kind: MessageKind.ValueType, words: Words
) -> tuple[list[Preview], Problems]:
    """The message by text and by e-mail in the languages of its readers, or what is wrong with it.

    Words of her own are the same in both languages, so they are shown once.
    """
    found: list[Preview] = []
    for channel, subject, body in (
        (types_pb2.CHANNEL_SMS, "", words.sms_body),
        (types_pb2.CHANNEL_EMAIL, words.email_subject, words.email_body),
    ):
        for language in ("fr",) if body else ("fr", "en"):
            template = MessageTemplate(
                kind=kind,
                channel=channel,
                language=types_pb2.LANGUAGE_FR if language == "fr" else types_pb2.LANGUAGE_EN,
                subject=subject,
                body=body,
            )
            try:
                found.append(await preview_of(desk, template))
            except RemoteRefusal as refusal:
                field = "sms_body" if channel == types_pb2.CHANNEL_SMS else "email_body"
                if refusal.field.rpartition(".")[2] == "subject":
                    field = "email_subject"
                told = problems_of(refusal, desk.language, shown={refusal.field: field})
                return [], told
    return found, NO_PROBLEMS


async def preview_of(desk: Desk, template: MessageTemplate) -> Preview:
    """One message; raises what messaging refuses of its words."""
    answer = await desk.deps.clients.messaging.PreviewMessage(
        PreviewMessageRequest(chain_id=desk.chain_id, template=template)
    )
    return Preview(
        by_text=template.channel == types_pb2.CHANNEL_SMS,
        language="en" if template.language == types_pb2.LANGUAGE_EN else "fr",
        subject=answer.subject,
        body=answer.body,
        segments=answer.segments,
        beyond_gsm=answer.beyond_gsm,
        warnings=tuple(answer.warnings),
    )
