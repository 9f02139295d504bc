"""How words will read, how long they are, and what they cost in messages; sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loyalty.messaging.v1.messaging_pb2 import (
    MESSAGE_KIND_ANNOUNCEMENT,
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
    # "fr" or "en"; empty where everybody reads the same.
    language: str
    subject: str
    body: str
    # Texts that it takes; 0 for an e-mail.
    segments: int
    # Letters that leave room for 70 signs in a text instead of 160.
    beyond_gsm: str
    warnings: tuple[str, ...]


async def previews_of(
    desk: Desk, kind: MessageKind.ValueType, words: Words, english: Words = Words()
) -> tuple[list[Preview], Problems]:
    """The message by text and by e-mail as its readers get it, or what is wrong with it.

    Words of her own are the same in both languages unless she wrote English ones too.
    """
    found: list[Preview] = []
    for channel in (types_pb2.CHANNEL_SMS, types_pb2.CHANNEL_EMAIL):
        for language, prefix, written in _versions(kind, channel, words, english):
            template = MessageTemplate(
                kind=kind,
                channel=channel,
                language=types_pb2.LANGUAGE_EN if language == "en" else types_pb2.LANGUAGE_FR,
                subject=written.email_subject if channel == types_pb2.CHANNEL_EMAIL else "",
                body=_body(written, channel),
            )
            try:
                shown = await preview_of(desk, template)
            except RemoteRefusal as refusal:
                field = "sms_body" if channel == types_pb2.CHANNEL_SMS else "email_body"
                if refusal.field.rpartition(".")[2] == "subject":
                    field = "email_subject"
                shown_at = {refusal.field: prefix + field}
                return [], problems_of(refusal, desk.language, shown=shown_at)
            found.append(replace(shown, language=language))
    return found, NO_PROBLEMS


def _body(words: Words, channel: types_pb2.Channel.ValueType) -> str:
    return words.sms_body if channel == types_pb2.CHANNEL_SMS else words.email_body


def _versions(
    kind: MessageKind.ValueType,
    channel: types_pb2.Channel.ValueType,
    words: Words,
    english: Words,
) -> list[tuple[str, str, Words]]:
    """Who reads what on a channel: language ("" = everybody), prefix of its fields, words."""
    if kind == MESSAGE_KIND_ANNOUNCEMENT:
        words, english = _on_every_channel(words), _on_every_channel(english)
    own, own_english = _body(words, channel), _body(english, channel)
    if not own_english:
        return [("", "", words)] if own else [("fr", "", words), ("en", "", words)]
    return [("fr", "", words), ("en", "english_", english)]


def _on_every_channel(words: Words) -> Words:
    """What was written for one channel is said on the other too, as it will be when it leaves."""
    if not words.sms_body and not words.email_body:
        return words
    return Words(
        sms_body=words.sms_body or words.email_body,
        email_subject=words.email_subject or "{{ chain }}",
        email_body=words.email_body or words.sms_body,
    )


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
