"""Scheduled messages: birthdays."""

from __future__ import annotations

from loyalty.messaging.v1 import messaging_pb2 as pb

from services.chassis.idempotency import fingerprint
from services.messaging.domain import errors
from services.messaging.domain.offer import OfferId
from services.messaging.domain.schedule import ScheduledId, ScheduledWords, WordsChange
from services.messaging.rpc import reading, writing
from services.messaging.rpc.door import Door
from services.messaging.usecases import schedules


class SchedulesServicer(Door):
    """Messages that go out by themselves."""

    async def CreateScheduledMessage(
        self, request: pb.CreateScheduledMessageRequest, context: object
    ) -> pb.CreateScheduledMessageResponse:
        """`schedules.create`."""
        given = request.message
        if given.type != pb.SCHEDULED_MESSAGE_TYPE_BIRTHDAY:
            raise errors.ScheduledTypeInvalid
        asked = pb.CreateScheduledMessageRequest(chain_id=request.chain_id, message=given)
        shown = await schedules.create(
            self._deps,
            schedules.CreateScheduled(
                idempotency_key=reading.idempotency_key(request.idempotency_key),
                fingerprint=fingerprint(asked.SerializeToString(deterministic=True)),
                chain_id=reading.chain_id(request.chain_id),
                days_before=given.days_before,
                offer_id=reading.offer_id(given.offer_id) if given.offer_id else None,
                words=_words(given),
                enabled=given.enabled,
                english=_words(given.english),
            ),
        )
        return pb.CreateScheduledMessageResponse(message=_message(shown), warnings=shown.warnings)

    async def UpdateScheduledMessage(
        self, request: pb.UpdateScheduledMessageRequest, context: object
    ) -> pb.UpdateScheduledMessageResponse:
        """`schedules.update`."""

        offer_id: OfferId | str | None = None
        if request.HasField("offer_id"):
            offer_id = reading.offer_id(request.offer_id) if request.offer_id else ""
        shown = await schedules.update(
            self._deps,
            schedules.ScheduledChange(
                chain_id=reading.chain_id(request.chain_id),
                id=_id(request.message_id),
                days_before=request.days_before if request.HasField("days_before") else None,
                offer_id=offer_id,
                words=_change(request),
                english=_change(request.english),
                enabled=request.enabled if request.HasField("enabled") else None,
            ),
        )
        return pb.UpdateScheduledMessageResponse(message=_message(shown), warnings=shown.warnings)

    async def DeleteScheduledMessage(
        self, request: pb.DeleteScheduledMessageRequest, context: object
    ) -> pb.DeleteScheduledMessageResponse:
        """`schedules.delete`."""
        await schedules.delete(
            self._deps, reading.chain_id(request.chain_id), _id(request.message_id)
        )
        return pb.DeleteScheduledMessageResponse()

    async def ListScheduledMessages(
        self, request: pb.ListScheduledMessagesRequest, context: object
    ) -> pb.ListScheduledMessagesResponse:
        """`schedules.list_messages`."""
        listed = await schedules.list_messages(self._deps, reading.chain_id(request.chain_id))
        return pb.ListScheduledMessagesResponse(
            messages=[_message(one) for one in listed.messages], allowed=listed.allowed
        )


def _words(given: pb.ScheduledMessage | pb.SendWords) -> ScheduledWords:
    return ScheduledWords(
        sms_body=reading.words(given.sms_body),
        email_subject=reading.words(given.email_subject),
        email_body=reading.words(given.email_body),
    )


def _change(asked: pb.UpdateScheduledMessageRequest | pb.WordsChange) -> WordsChange:
    def said(field: str) -> str | None:
        given = asked.HasField(field)  # type: ignore[arg-type]
        return reading.words(getattr(asked, field)) if given else None

    return WordsChange(
        sms_body=said("sms_body"),
        email_subject=said("email_subject"),
        email_body=said("email_body"),
    )


def _id(text: str) -> ScheduledId:
    return ScheduledId(reading.uuid(text, field="message_id"))


def _message(shown: schedules.Shown) -> pb.ScheduledMessage:
    message = shown.message
    return pb.ScheduledMessage(
        id=str(message.id),
        chain_id=str(message.chain_id),
        type=pb.SCHEDULED_MESSAGE_TYPE_BIRTHDAY,
        days_before=message.days_before,
        offer_id=str(message.offer_id) if message.offer_id else "",
        sms_body=message.words.sms_body,
        email_subject=message.words.email_subject,
        email_body=message.words.email_body,
        enabled=message.enabled,
        held_by_plan=shown.held_by_plan,
        created_at=writing.timestamp(message.created_at),
        updated_at=writing.timestamp(message.updated_at),
        version=message.version,
        english=pb.SendWords(
            sms_body=message.english.sms_body,
            email_subject=message.english.email_subject,
            email_body=message.english.email_body,
        ),
    )
