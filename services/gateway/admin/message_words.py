""" "Messages automatiques": when they leave, and in whose words (D20, SQ-06, SQ-09, SQ-67)."""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter, Response
from loyalty.messaging.v1 import messaging_pb2
from loyalty.messaging.v1.messaging_pb2 import (
    GetMessageSettingsRequest,
    ListTemplatesRequest,
    MessageKind,
    MessageSettings,
    MessageTemplate,
    ResetTemplateRequest,
    SetTemplateRequest,
    UpdateMessageSettingsRequest,
)
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.desk import Desk, DeskDep, ManagerDesk
from services.gateway.admin.fill_ins import fill_ins
from services.gateway.admin.messages import KINDS
from services.gateway.admin.preview import preview_of
from services.gateway.admin.sending import WARNINGS
from services.gateway.errors import ApiError
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    problems_of,
    read_fields,
)
from services.gateway.web.i18n import N_

router = APIRouter()

RECEIPTS: Final = (
    ("ALWAYS", N_("Après chaque vente")),
    ("FIRST_ONLY", N_("À la première vente seulement")),
    ("NEVER", N_("Jamais")),
)
_SETTINGS: Final = {
    name: name
    for name in ("receipts", "collect_email_points", "quiet_from", "quiet_until", "daily_sms_cap")
}
_WORDS: Final = {"subject": "subject", "body": "body"} | {
    f"template.{name}": name for name in ("subject", "body")
}
_NUMBER = re.compile(r"[0-9]{1,9}")


async def _templates(desk: Desk) -> list[MessageTemplate]:
    request = ListTemplatesRequest(chain_id=desk.chain_id)
    return list((await desk.deps.clients.messaging.ListTemplates(request)).templates)


def _settings_fields(settings: MessageSettings) -> Fields:
    mode = messaging_pb2.ReceiptMode.Name(settings.receipts).removeprefix("RECEIPT_MODE_")
    return Fields(
        receipts=mode,
        expiry_warnings="1" if settings.expiry_warnings else "",
        tier_changes="1" if settings.tier_changes else "",
        collect_email_points=str(settings.collect_email_points),
        quiet_from=settings.quiet_from,
        quiet_until=settings.quiet_until,
        daily_sms_cap=str(settings.daily_sms_cap),
    )


async def _page(
    desk: Desk, *, fields: Fields | None = None, problems: Problems = NO_PROBLEMS
) -> Response:
    messaging = desk.deps.clients.messaging
    answer = await messaging.GetMessageSettings(GetMessageSettingsRequest(chain_id=desk.chain_id))
    return desk.show(
        "messages.html",
        here="messages",
        problems=problems,
        fields=fields or _settings_fields(answer.settings),
        sms_today=answer.sms_today,
        receipts=[(mode, desk.say(words)) for mode, words in RECEIPTS],
        templates=[_line(desk, template) for template in await _templates(desk)],
    )


def _line(desk: Desk, template: MessageTemplate) -> dict[str, object]:
    return {
        "address": _address(template),
        "place": tuple(KINDS).index(template.kind) if template.kind in KINDS else len(KINDS),
        "kind": desk.say(KINDS[template.kind]) if template.kind in KINDS else "",
        "by_text": template.channel == types_pb2.CHANNEL_SMS,
        "language": "en" if template.language == types_pb2.LANGUAGE_EN else "fr",
        "own": template.own,
    }


def _address(template: MessageTemplate) -> str:
    """The part of the address that names a template: "receipt-sms-fr"."""
    kind = MessageKind.Name(template.kind).removeprefix("MESSAGE_KIND_")
    channel = types_pb2.Channel.Name(template.channel).removeprefix("CHANNEL_")
    language = types_pb2.Language.Name(template.language).removeprefix("LANGUAGE_")
    return f"{kind}-{channel}-{language}".lower()


@router.get("/admin/messages")
async def messages(desk: DeskDep) -> Response:
    """When messages leave by themselves, and every wording that may be changed."""
    return await _page(desk)


@router.post("/admin/messages")
async def save_settings(desk: ManagerDesk) -> Response:
    """ "Sauvegarder" of the settings."""
    fields = await read_fields(desk.request)
    numbers: dict[str, int] = {}
    for name in ("collect_email_points", "daily_sms_cap"):
        typed = fields.text(name) or "0"
        if not _NUMBER.fullmatch(typed):
            words = desk.say("Entrez un nombre entier; 0 pour aucun.")
            return await _page(desk, fields=fields, problems=Problems(fields={name: words}))
        numbers[name] = int(typed)
    modes = {mode: f"RECEIPT_MODE_{mode}" for mode, _words in RECEIPTS}
    request = UpdateMessageSettingsRequest(
        chain_id=desk.chain_id,
        receipts=messaging_pb2.ReceiptMode.Value(
            modes.get(fields["receipts"], "RECEIPT_MODE_UNSPECIFIED")
        ),
        expiry_warnings=fields["expiry_warnings"] == "1",
        tier_changes=fields["tier_changes"] == "1",
        quiet_from=fields.text("quiet_from"),
        quiet_until=fields.text("quiet_until"),
        actor=desk.principal.actor,
        **numbers,
    )
    try:
        await desk.deps.clients.messaging.UpdateMessageSettings(request)
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language, shown=_SETTINGS)
        return await _page(desk, fields=fields, problems=problems)
    return desk.go("messages", done="saved")


async def _template(desk: Desk, address: str) -> MessageTemplate:
    for template in await _templates(desk):
        if _address(template) == address:
            return template
    raise ApiError.of("NOT_FOUND")


async def _editor(
    desk: Desk,
    template: MessageTemplate,
    fields: Fields,
    *,
    preview: bool = False,
    problems: Problems = NO_PROBLEMS,
) -> Response:
    shown = []
    if not problems:
        wanted = MessageTemplate()
        wanted.CopyFrom(template)
        if preview:
            wanted.subject, wanted.body = fields.text("subject"), fields.text("body")
        try:
            shown = [await preview_of(desk, wanted)]
        except RemoteRefusal as refusal:
            problems = problems_of(refusal, desk.language, shown=_WORDS)
    warning = WARNINGS.get(desk.request.query_params.get("warning", ""), "")
    return desk.show(
        "message_words.html",
        here="messages",
        problems=problems,
        line=_line(desk, template),
        names=fill_ins(desk, template.variables),
        fields=fields,
        previews=shown,
        warning=desk.say(warning) if warning else "",
    )


@router.get("/admin/messages/{address}")
async def words_page(desk: ManagerDesk, address: str) -> Response:
    """The words of one message, with how they will read."""
    template = await _template(desk, address)
    return await _editor(desk, template, Fields(subject=template.subject, body=template.body))


@router.post("/admin/messages/{address}")
async def save_words(desk: ManagerDesk, address: str) -> Response:
    """ "Sauvegarder", the preview, or back to the given words."""
    fields = await read_fields(desk.request)
    template = await _template(desk, address)
    messaging = desk.deps.clients.messaging
    if fields["go"] == "preview":
        return await _editor(desk, template, fields, preview=True)
    if fields["go"] == "reset":
        await messaging.ResetTemplate(
            ResetTemplateRequest(
                chain_id=desk.chain_id,
                kind=template.kind,
                channel=template.channel,
                language=template.language,
                actor=desk.principal.actor,
            )
        )
        return desk.go(f"messages/{address}", done="saved")
    template.subject, template.body = fields.text("subject"), fields.text("body")
    try:
        answer = await messaging.SetTemplate(
            SetTemplateRequest(
                chain_id=desk.chain_id, template=template, actor=desk.principal.actor
            )
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language, shown=_WORDS)
        return await _editor(desk, template, fields, problems=problems)
    told = [one for one in answer.warnings if one in WARNINGS][:1]
    return desk.go(f"messages/{address}", done="saved", **({"warning": told[0]} if told else {}))
