"""What calls about messages take and answer."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from loyalty.messaging.v1 import messaging_pb2
from loyalty.types.v1 import types_pb2
from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from services.gateway.pos.fields import (
    Flag,
    Id,
    Key,
    Language,
    Line,
    Moment,
    Part,
    several_lines,
)
from services.gateway.pos.shapes import channel_name, language_code, language_value, moment

Channel = Literal["SMS", "EMAIL"]
Body = Annotated[str, Field(strict=True, max_length=5000), AfterValidator(several_lines)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Month = Annotated[int, Field(strict=True, ge=1, le=12)]
Days = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
Ids = Annotated[list[Id], Field(max_length=2000)]


class SettingsShape(TypedDict):
    """What a chain chose for its messages."""

    receipts: Literal["ALWAYS", "FIRST_ONLY", "NEVER"]
    expiry_warnings: bool
    tier_changes: bool
    collect_email_points: int
    quiet_from: str
    quiet_until: str
    daily_sms_cap: int
    version: int


class SettingsAnswer(TypedDict):
    """The settings, and the texts of today by the chain's clock."""

    settings: SettingsShape
    sms_today: NotRequired[int]


class SettingsIn(Part):
    """What changes; the rest stays."""

    receipts: Literal["ALWAYS", "FIRST_ONLY", "NEVER"] | None = None
    expiry_warnings: Flag | None = None
    tier_changes: Flag | None = None
    collect_email_points: Count | None = None
    quiet_from: Line | None = None
    quiet_until: Line | None = None
    daily_sms_cap: Count | None = None


class SaveSettings(Part):
    """Settings to change."""

    settings: SettingsIn


class TemplateShape(TypedDict):
    """Words of one message."""

    kind: str
    channel: str
    language_code: str
    subject: NotRequired[str]
    body: str
    own: bool
    variables: list[str]


class TemplatesAnswer(TypedDict):
    """Every message whose words may be chosen."""

    templates: list[TemplateShape]


class TemplateAnswer(TypedDict):
    """Words, and what to know of them."""

    template: TemplateShape
    warnings: NotRequired[list[str]]


class TemplateIn(Part):
    """Words of a chain's own, or to preview; empty ones are those that it has."""

    kind: Annotated[str, Field(strict=True, max_length=40)]
    channel: Channel
    language_code: Language
    subject: Line | None = None
    body: Body | None = None


class SaveTemplate(Part):
    """Words to keep."""

    template: TemplateIn


class PreviewAnswer(TypedDict):
    """How words read, and what they cost in messages."""

    subject: NotRequired[str]
    body: str
    encoding: NotRequired[str]
    segments: int
    beyond_gsm: NotRequired[str]
    warnings: list[str]


class WordsShape(TypedDict):
    """Words by channel."""

    sms_body: str
    email_subject: str
    email_body: str


class ScheduledShape(TypedDict):
    """A message that leaves by itself."""

    id: str
    type: str
    days_before: int
    offer_id: NotRequired[str]
    sms_body: str
    email_subject: str
    email_body: str
    english: NotRequired[WordsShape]
    enabled: bool
    held_by_plan: bool
    created_at: str
    updated_at: str
    version: int


class ScheduledAnswer(TypedDict):
    """One scheduled message, and what to know of its words."""

    scheduled_message: ScheduledShape
    warnings: NotRequired[list[str]]


class ScheduledListAnswer(TypedDict):
    """The chain's scheduled messages."""

    scheduled_messages: list[ScheduledShape]
    allowed: bool


class EnglishIn(Part):
    """What those read who chose English; where a text is left out, they read the others'."""

    sms_body: Body | None = None
    email_subject: Line | None = None
    email_body: Body | None = None


class ScheduledIn(Part):
    """A birthday message; `days_before` 0 = on the day (LS-66)."""

    type: Literal["BIRTHDAY"] = "BIRTHDAY"
    days_before: Days | None = None
    offer_id: Annotated[str, Field(strict=True, max_length=36)] | None = None
    sms_body: Body | None = None
    email_subject: Line | None = None
    email_body: Body | None = None
    english: EnglishIn | None = None
    enabled: Flag | None = None


class SaveScheduled(Part):
    """A scheduled message to make or to change."""

    scheduled_message: ScheduledIn
    idempotency_key: Key | None = None


class NothingAnswer(TypedDict):
    """Done."""


class TextToJoinShape(TypedDict):
    """The chain's own number and its keyword; without a number nothing is provisioned."""

    number: NotRequired[str]
    keyword: NotRequired[str]


class TextToJoinAnswer(TypedDict):
    """Text-to-join, whether the plan has it, and the number from which texts leave."""

    text_to_join: TextToJoinShape
    allowed: NotRequired[bool]
    sender_number: NotRequired[str]


class SaveKeyword(Part):
    """Another keyword."""

    keyword: Annotated[str, Field(strict=True, min_length=1, max_length=64)]


class SendStatusIn(Part):
    """Whom to tell the balance of now."""

    customer_id: Id
    idempotency_key: Key | None = None


class FilterIn(Part):
    """All that is set must hold; nothing set = every customer."""

    visited_within_days: Count | None = None
    not_visited_for_days: Count | None = None
    balance_min: Count | None = None
    balance_max: Count | None = None
    tier_ids: Ids = Field(default_factory=list)
    birthday_months: Annotated[list[Month], Field(max_length=12)] = Field(default_factory=list)
    location_ids: Ids = Field(default_factory=list)
    language_codes: Annotated[list[Language], Field(max_length=2)] = Field(default_factory=list)
    channels: Annotated[list[Channel], Field(max_length=2)] = Field(default_factory=list)


class SearchAudience(Part):
    """Who would get a message."""

    filter: FilterIn | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=200)] | None = None
    cursor: Annotated[str, Field(strict=True, max_length=2048)] | None = None


class AudienceMemberShape(TypedDict):
    """One of them; with a `barrier` nothing reaches her."""

    customer_id: str
    channel: str
    barrier: NotRequired[str]
    balance: int
    tier_name: NotRequired[str]
    last_visit_at: NotRequired[str]
    language_code: str


class AudienceAnswer(TypedDict):
    """A page of them, all of them counted."""

    customers: list[AudienceMemberShape]
    cursor: NotRequired[str]
    total: int
    reachable: int


class PreviewedSendIn(Part):
    """An offer, or words only, to those whom the filter leaves; `customer_ids` = only these."""

    offer_id: Id | None = None
    filter: FilterIn | None = None
    excluded_customer_ids: Ids = Field(default_factory=list)
    customer_ids: Ids = Field(default_factory=list)
    sms_body: Body | None = None
    email_subject: Line | None = None
    email_body: Body | None = None
    english: EnglishIn | None = None


class SendIn(PreviewedSendIn):
    """The same, now or at a time."""

    send_at: Moment | None = None


class CreateSendIn(Part):
    """A send to make, once by its key."""

    send: SendIn
    idempotency_key: Key | None = None


class PreviewSendIn(Part):
    """A send to look at before it is made."""

    send: PreviewedSendIn


class ShownMessageShape(PreviewAnswer):
    """One version of a message as it would arrive, and at how many it would now."""

    channel: str
    language_code: str
    reachable: int


class PreviewSendAnswer(TypedDict):
    """Every version of a message; `texts` is what all of it would cost now."""

    messages: list[ShownMessageShape]
    texts: int


class ReportShape(TypedDict):
    """What became of it so far."""

    chosen: int
    queued: int
    sent: int
    delivered: int
    failed: int
    blocked: int
    unknown: int
    taken: int
    used: int
    stopped: int


class SendShape(TypedDict):
    """A send."""

    id: str
    offer_id: NotRequired[str]
    status: str
    send_at: str
    created_at: str
    sms_body: str
    email_subject: str
    email_body: str
    english: NotRequired[WordsShape]
    report: ReportShape


class SendAnswer(TypedDict):
    """One send, and what to know of it."""

    send: SendShape
    warnings: NotRequired[list[str]]


class SendsAnswer(TypedDict):
    """Sends, the newest first."""

    sends: list[SendShape]
    cursor: NotRequired[str]


def settings_shape(settings: messaging_pb2.MessageSettings) -> SettingsShape:
    """Settings as callers see them."""
    mode = messaging_pb2.ReceiptMode.Name(settings.receipts).removeprefix("RECEIPT_MODE_")
    return {
        "receipts": mode,  # type: ignore[typeddict-item]
        "expiry_warnings": settings.expiry_warnings,
        "tier_changes": settings.tier_changes,
        "collect_email_points": settings.collect_email_points,
        "quiet_from": settings.quiet_from,
        "quiet_until": settings.quiet_until,
        "daily_sms_cap": settings.daily_sms_cap,
        "version": settings.version,
    }


def template_shape(template: messaging_pb2.MessageTemplate) -> TemplateShape:
    """Words as callers see them."""
    shape: TemplateShape = {
        "kind": messaging_pb2.MessageKind.Name(template.kind).removeprefix("MESSAGE_KIND_"),
        "channel": channel_name(template.channel),
        "language_code": language_code(template.language),
        "body": template.body,
        "own": template.own,
        "variables": list(template.variables),
    }
    if template.subject:
        shape["subject"] = template.subject
    return shape


def preview_shape(
    shown: messaging_pb2.PreviewMessageResponse | messaging_pb2.ShownMessage,
) -> PreviewAnswer:
    """How a message reads and what it costs; what is empty is left out."""
    shape: PreviewAnswer = {
        "body": shown.body,
        "segments": shown.segments,
        "warnings": list(shown.warnings),
    }
    if shown.subject:
        shape["subject"] = shown.subject
    if shown.encoding:
        shape["encoding"] = shown.encoding
    if shown.beyond_gsm:
        shape["beyond_gsm"] = shown.beyond_gsm
    return shape


def shown_message_shape(shown: messaging_pb2.ShownMessage) -> ShownMessageShape:
    """One version of a message as callers see it."""
    return {
        "channel": channel_name(shown.channel),
        "language_code": language_code(shown.language),
        "reachable": shown.reachable,
        **preview_shape(shown),
    }


def words_shape(words: messaging_pb2.SendWords) -> WordsShape:
    """Words by channel as callers see them."""
    return {
        "sms_body": words.sms_body,
        "email_subject": words.email_subject,
        "email_body": words.email_body,
    }


def scheduled_shape(message: messaging_pb2.ScheduledMessage) -> ScheduledShape:
    """A scheduled message as callers see it."""
    shape: ScheduledShape = {
        "id": message.id,
        "type": "BIRTHDAY",
        "days_before": message.days_before,
        "sms_body": message.sms_body,
        "email_subject": message.email_subject,
        "email_body": message.email_body,
        "enabled": message.enabled,
        "held_by_plan": message.held_by_plan,
        "created_at": moment(message.created_at),
        "updated_at": moment(message.updated_at),
        "version": message.version,
    }
    if message.english.ByteSize():
        shape["english"] = words_shape(message.english)
    if message.offer_id:
        shape["offer_id"] = message.offer_id
    return shape


def text_to_join_shape(join: messaging_pb2.TextToJoin) -> TextToJoinShape:
    """A number and its keyword as callers see them."""
    shape: TextToJoinShape = {}
    if join.number:
        shape["number"] = join.number
    if join.keyword:
        shape["keyword"] = join.keyword
    return shape


def audience_filter(wanted: FilterIn | None) -> messaging_pb2.AudienceFilter:
    """A filter as messaging takes it."""
    asked = wanted or FilterIn()
    return messaging_pb2.AudienceFilter(
        visited_within_days=asked.visited_within_days or 0,
        not_visited_for_days=asked.not_visited_for_days or 0,
        balance_min=asked.balance_min,
        balance_max=asked.balance_max,
        tier_ids=asked.tier_ids,
        birthday_months=asked.birthday_months,
        salon_ids=asked.location_ids,
        languages=[language_value(one) for one in asked.language_codes],
        channels=[types_pb2.Channel.Value(f"CHANNEL_{one}") for one in asked.channels],
    )


def audience_member_shape(member: messaging_pb2.AudienceMember) -> AudienceMemberShape:
    """One of an audience as callers see her."""
    shape: AudienceMemberShape = {
        "customer_id": member.member_id,
        "channel": channel_name(member.channel),
        "balance": member.balance,
        "language_code": language_code(member.language),
    }
    if member.barrier:
        shape["barrier"] = member.barrier.upper()
    if member.tier_name:
        shape["tier_name"] = member.tier_name
    if member.HasField("last_visit_at"):
        shape["last_visit_at"] = moment(member.last_visit_at)
    return shape


def send_shape(send: messaging_pb2.Send) -> SendShape:
    """A send as callers see it."""
    report = send.report
    shape: SendShape = {
        "id": send.id,
        "status": messaging_pb2.SendStatus.Name(send.status).removeprefix("SEND_STATUS_"),
        "send_at": moment(send.send_at),
        "created_at": moment(send.created_at),
        "sms_body": send.sms_body,
        "email_subject": send.email_subject,
        "email_body": send.email_body,
        "report": {
            "chosen": report.chosen,
            "queued": report.queued,
            "sent": report.sent,
            "delivered": report.delivered,
            "failed": report.failed,
            "blocked": report.blocked,
            "unknown": report.unknown,
            "taken": report.taken,
            "used": report.used,
            "stopped": report.stopped,
        },
    }
    if send.english.ByteSize():
        shape["english"] = words_shape(send.english)
    if send.offer_id:
        shape["offer_id"] = send.offer_id
    return shape
