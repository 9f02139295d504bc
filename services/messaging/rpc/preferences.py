"""What a chain chooses for its messages, and its own words."""

from __future__ import annotations

from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.messaging import templates
from services.messaging.domain import errors
from services.messaging.domain.chain import Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.message_settings import MessageSettings, ReceiptMode
from services.messaging.rpc import reading, writing
from services.messaging.rpc.door import Door
from services.messaging.templates import Words
from services.messaging.usecases import own_words, preferences
from services.messaging.usecases.own_words import MessageTemplate


class PreferencesServicer(Door):
    """Settings and words of a chain."""

    async def GetMessageSettings(
        self, request: pb.GetMessageSettingsRequest, context: object
    ) -> pb.GetMessageSettingsResponse:
        """`preferences.get_settings`."""
        view = await preferences.get_settings(self._deps, reading.chain_id(request.chain_id))
        return pb.GetMessageSettingsResponse(
            settings=_settings(view.settings), sms_today=view.sms_today
        )

    async def UpdateMessageSettings(
        self, request: pb.UpdateMessageSettingsRequest, context: object
    ) -> pb.UpdateMessageSettingsResponse:
        """`preferences.update_settings`."""

        def given(field: str) -> bool:
            return request.HasField(field)  # type: ignore[arg-type]

        settings = await preferences.update_settings(
            self._deps,
            preferences.SettingsChange(
                chain_id=reading.chain_id(request.chain_id),
                receipts=_receipts(request.receipts) if given("receipts") else None,
                expiry_warnings=request.expiry_warnings if given("expiry_warnings") else None,
                tier_changes=request.tier_changes if given("tier_changes") else None,
                collect_email_points=(
                    request.collect_email_points if given("collect_email_points") else None
                ),
                quiet_from=request.quiet_from if given("quiet_from") else None,
                quiet_until=request.quiet_until if given("quiet_until") else None,
                daily_sms_cap=request.daily_sms_cap if given("daily_sms_cap") else None,
            ),
        )
        return pb.UpdateMessageSettingsResponse(settings=_settings(settings))

    async def ListTemplates(
        self, request: pb.ListTemplatesRequest, context: object
    ) -> pb.ListTemplatesResponse:
        """`own_words.list_templates`."""
        found = await own_words.list_templates(self._deps, reading.chain_id(request.chain_id))
        return pb.ListTemplatesResponse(templates=[_template(one) for one in found])

    async def SetTemplate(
        self, request: pb.SetTemplateRequest, context: object
    ) -> pb.SetTemplateResponse:
        """`own_words.set_template`."""
        saved, warnings = await own_words.set_template(
            self._deps, reading.chain_id(request.chain_id), _read(request.template)
        )
        return pb.SetTemplateResponse(template=_template(saved), warnings=warnings)

    async def ResetTemplate(
        self, request: pb.ResetTemplateRequest, context: object
    ) -> pb.ResetTemplateResponse:
        """`own_words.reset_template`."""
        template = await own_words.reset_template(
            self._deps,
            reading.chain_id(request.chain_id),
            reading.kind(request.kind),
            _channel(request.channel),
            _language(request.language),
        )
        return pb.ResetTemplateResponse(template=_template(template))

    async def PreviewMessage(
        self, request: pb.PreviewMessageRequest, context: object
    ) -> pb.PreviewMessageResponse:
        """`own_words.preview_message`."""
        shown = await own_words.preview_message(
            self._deps, reading.chain_id(request.chain_id), _read(request.template)
        )
        return pb.PreviewMessageResponse(
            subject=shown.words.subject,
            body=shown.words.body,
            encoding=writing.encoding(shown.length),
            segments=shown.length.segments if shown.length else 0,
            beyond_gsm=shown.beyond_gsm,
            warnings=shown.warnings,
        )


def _receipts(mode: pb.ReceiptMode.ValueType) -> ReceiptMode:
    try:
        return ReceiptMode(pb.ReceiptMode.Name(mode).removeprefix("RECEIPT_MODE_"))
    except ValueError:
        raise errors.ReceiptModeInvalid from None


def _channel(channel: types_pb2.Channel.ValueType) -> Channel:
    found = reading.channel(channel)
    if found is None:
        raise errors.TemplateUnknown(field="channel")
    return found


def _language(language: types_pb2.Language.ValueType) -> Language:
    try:
        return Language(types_pb2.Language.Name(language).removeprefix("LANGUAGE_"))
    except ValueError:
        raise errors.TemplateUnknown(field="language") from None


def _read(template: pb.MessageTemplate) -> MessageTemplate:
    return MessageTemplate(
        kind=reading.kind(template.kind),
        channel=_channel(template.channel),
        language=_language(template.language),
        words=Words(
            subject=template.subject.replace("\0", ""), body=template.body.replace("\0", "")
        ),
        own=True,
    )


def _template(template: MessageTemplate) -> pb.MessageTemplate:
    return pb.MessageTemplate(
        kind=writing.to_kind(template.kind),
        channel=writing.to_channel(template.channel),
        language=writing.to_language(template.language),
        subject=template.words.subject,
        body=template.words.body,
        own=template.own,
        variables=templates.variables(template.kind),
    )


def _settings(settings: MessageSettings) -> pb.MessageSettings:
    quiet = settings.quiet
    return pb.MessageSettings(
        receipts=pb.ReceiptMode.Value(f"RECEIPT_MODE_{settings.receipts.value}"),
        expiry_warnings=settings.expiry_warnings,
        tier_changes=settings.tier_changes,
        collect_email_points=settings.collect_email_points,
        quiet_from=f"{quiet.start:%H:%M}" if quiet else "",
        quiet_until=f"{quiet.until:%H:%M}" if quiet else "",
        daily_sms_cap=settings.daily_sms_cap,
        version=settings.version,
    )
