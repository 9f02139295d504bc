"""How words will read, how long they are, and what they cost in messages; sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from loyalty.messaging.v1.messaging_pb2 import (
    MessageKind,
    MessageTemplate,
    PreviewMessageRequest,
    PreviewSendRequest,
    SendWords,
)
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.audience import Choice
from services.gateway.admin.desk import Desk
from services.gateway.arriving import with_offer
from services.gateway.web.forms import NO_PROBLEMS, Problems, problems_of

# The box of a form at which each part of refused words stands.
PARTS: Final = ("sms_body", "email_subject", "email_body")
WORDS_AT: Final = {part: part for part in PARTS} | {
    f"english.{part}": f"english_{part}" for part in PARTS
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the owner wrote; empty = the chain's own words for such a message."""

    sms_body: str = ""
    email_subject: str = ""
    email_body: str = ""

    @classmethod
    def read(cls, text: Callable[[str], str], prefix: str = "") -> Words:
        """The boxes of a form."""
        return cls(
            sms_body=text(f"{prefix}sms_body"),
            email_subject=text(f"{prefix}email_subject"),
            email_body=text(f"{prefix}email_body"),
        )

    @property
    def sent(self) -> SendWords:
        """As messaging takes them."""
        return SendWords(
            sms_body=self.sms_body, email_subject=self.email_subject, email_body=self.email_body
        )


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
    # How many would get this very message now; of words by themselves nobody is counted.
    reachable: int = 0


async def previews_of(
    desk: Desk,
    kind: MessageKind.ValueType,
    words: Words,
    english: Words = Words(),
    *,
    offer_id: str = "",
    choice: Choice | None = None,
) -> tuple[list[Preview], Problems]:
    """The message by text and by e-mail exactly as it would leave, or what is wrong with it."""
    request = PreviewSendRequest(
        chain_id=desk.chain_id,
        kind=kind,
        offer_id=offer_id,
        words=words.sent,
        english=english.sent,
        filter=choice.filter if choice else None,
        excluded_member_ids=choice.excluded if choice else (),
        member_ids=choice.only if choice else (),
    )
    try:
        answer = await with_offer(
            desk.deps,
            desk.chain_id,
            offer_id,
            desk.deps.clients.messaging.PreviewSend,
            request,
        )
    except RemoteRefusal as refusal:
        return [], problems_of(refusal, desk.language, shown=WORDS_AT)
    return [
        Preview(
            by_text=one.channel == types_pb2.CHANNEL_SMS,
            language="en" if one.language == types_pb2.LANGUAGE_EN else "fr",
            subject=one.subject,
            body=one.body,
            segments=one.segments,
            beyond_gsm=one.beyond_gsm,
            warnings=tuple(one.warnings),
            reachable=one.reachable,
        )
        for one in answer.messages
    ], NO_PROBLEMS


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
