"""Audiences, and messages to many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.chassis.idempotency import fingerprint
from services.messaging.domain import errors
from services.messaging.domain.audience import Audience, AudienceFilter, AudienceMember, Looking
from services.messaging.domain.chain import Language, MemberId
from services.messaging.domain.consent import Channel
from services.messaging.domain.schedule import ScheduledWords
from services.messaging.domain.send import SendId
from services.messaging.rpc import reading, writing
from services.messaging.rpc.door import Door
from services.messaging.usecases import audiences, previewing, sends

Known = TypeVar("Known", Language, Channel)

SENDS_MAX = 100
SENDS_GIVEN = 20
_LANGUAGES: Mapping[int, Language] = {
    types_pb2.LANGUAGE_FR: Language.FR,
    types_pb2.LANGUAGE_EN: Language.EN,
}
_CHANNELS: Mapping[int, Channel] = {
    types_pb2.CHANNEL_SMS: Channel.SMS,
    types_pb2.CHANNEL_EMAIL: Channel.EMAIL,
}


class SendsServicer(Door):
    """Messages to many."""

    async def ListAudience(
        self, request: pb.ListAudienceRequest, context: object
    ) -> pb.ListAudienceResponse:
        """`audiences.list_audience`, page by page."""
        limit = reading.limit(request.limit)
        after = MemberId(reading.uuid(request.cursor, field="cursor")) if request.cursor else None
        page = await audiences.list_audience(
            self._deps,
            reading.chain_id(request.chain_id),
            _filter(request.filter),
            after=after,
            looking=Looking(
                only=tuple(reading.member_id(one) for one in request.member_ids) or None,
                reachable=request.only_reachable,
            ),
            limit=limit + 1,
        )
        shown = page.members[:limit]
        return pb.ListAudienceResponse(
            members=[_member(one) for one in shown],
            cursor=str(shown[-1].member_id) if len(page.members) > limit else "",
            total=page.size.chosen,
            reachable=sum(one.members for one in page.size.reachable),
        )

    async def CountAudience(
        self, request: pb.CountAudienceRequest, context: object
    ) -> pb.CountAudienceResponse:
        """`audiences.count`."""
        size = await audiences.count(
            self._deps,
            reading.chain_id(request.chain_id),
            _audience(request),
            offer_id=reading.offer_id(request.offer_id) if request.offer_id else None,
        )
        return pb.CountAudienceResponse(
            chosen=size.chosen,
            reachable=[
                pb.AudienceCount(
                    channel=writing.to_channel(one.channel),
                    language=writing.to_language(one.language),
                    members=one.members,
                    already=one.already,
                )
                for one in size.reachable
            ],
        )

    async def CreateSend(
        self, request: pb.CreateSendRequest, context: object
    ) -> pb.CreateSendResponse:
        """`sends.create`."""
        asked = pb.CreateSendRequest()
        asked.CopyFrom(request)
        asked.ClearField("idempotency_key")
        asked.ClearField("actor")
        shown = await sends.create(
            self._deps,
            sends.CreateSend(
                idempotency_key=reading.idempotency_key(request.idempotency_key),
                fingerprint=fingerprint(asked.SerializeToString(deterministic=True)),
                chain_id=reading.chain_id(request.chain_id),
                offer_id=reading.offer_id(request.offer_id) if request.offer_id else None,
                words=_words(request),
                english=_words(request.english),
                audience=_audience(request),
                send_at=(
                    reading.moment(request.send_at, field="send_at")
                    if request.HasField("send_at")
                    else None
                ),
            ),
        )
        return pb.CreateSendResponse(send=_send(shown), warnings=shown.warnings)

    async def PreviewSend(
        self, request: pb.PreviewSendRequest, context: object
    ) -> pb.PreviewSendResponse:
        """`previewing.preview_send`."""
        shown = await previewing.preview_send(
            self._deps,
            previewing.PreviewSend(
                chain_id=reading.chain_id(request.chain_id),
                kind=reading.kind(request.kind),
                offer_id=reading.offer_id(request.offer_id) if request.offer_id else None,
                words=_words(request.words),
                english=_words(request.english),
                audience=_audience(request),
            ),
        )
        return pb.PreviewSendResponse(messages=[_shown_message(one) for one in shown])

    async def GetSend(self, request: pb.GetSendRequest, context: object) -> pb.GetSendResponse:
        """`sends.get`."""
        shown = await sends.get(
            self._deps, reading.chain_id(request.chain_id), _send_id(request.send_id)
        )
        return pb.GetSendResponse(send=_send(shown))

    async def ListSends(
        self, request: pb.ListSendsRequest, context: object
    ) -> pb.ListSendsResponse:
        """`sends.page`, page by page."""
        limit = request.limit or SENDS_GIVEN
        if not 1 <= limit <= SENDS_MAX:
            raise errors.LimitInvalid(params={"limit_max": str(SENDS_MAX)})
        found = await sends.page(
            self._deps,
            reading.chain_id(request.chain_id),
            offer_id=reading.offer_id(request.offer_id) if request.offer_id else None,
            before_sequence=reading.sequence(request.cursor),
            limit=limit + 1,
        )
        page = found[:limit]
        return pb.ListSendsResponse(
            sends=[_send(one) for one in page],
            cursor=writing.cursor(page[-1].send.sequence) if len(found) > limit else "",
        )

    async def StopSend(self, request: pb.StopSendRequest, context: object) -> pb.StopSendResponse:
        """`sends.stop`."""
        shown = await sends.stop(
            self._deps, reading.chain_id(request.chain_id), _send_id(request.send_id)
        )
        return pb.StopSendResponse(send=_send(shown))


def _words(asked: pb.CreateSendRequest | pb.SendWords) -> ScheduledWords:
    return ScheduledWords(
        sms_body=reading.words(asked.sms_body),
        email_subject=reading.words(asked.email_subject),
        email_body=reading.words(asked.email_body),
    )


def _audience(
    asked: pb.CreateSendRequest | pb.CountAudienceRequest | pb.PreviewSendRequest,
) -> Audience:
    return Audience(
        filter=_filter(asked.filter),
        excluded=tuple(
            reading.member_id(one, field="excluded_member_ids") for one in asked.excluded_member_ids
        ),
        only=tuple(reading.member_id(one, field="member_ids") for one in asked.member_ids),
    )


def _shown_message(shown: previewing.ShownMessage) -> pb.ShownMessage:
    preview = shown.preview
    return pb.ShownMessage(
        channel=writing.to_channel(shown.channel),
        language=writing.to_language(shown.language),
        subject=preview.words.subject,
        body=preview.words.body,
        encoding=writing.encoding(preview.length),
        segments=preview.length.segments if preview.length else 0,
        beyond_gsm=preview.beyond_gsm,
        warnings=preview.warnings,
        reachable=shown.reachable,
    )


def _send_id(text: str) -> SendId:
    return SendId(reading.uuid(text, field="send_id"))


def _filter(asked: pb.AudienceFilter) -> AudienceFilter:
    return AudienceFilter(
        visited_within_days=asked.visited_within_days,
        not_visited_for_days=asked.not_visited_for_days,
        balance_min=asked.balance_min if asked.HasField("balance_min") else None,
        balance_max=asked.balance_max if asked.HasField("balance_max") else None,
        tier_ids=tuple(reading.uuid(one, field="tier_ids") for one in asked.tier_ids),
        birthday_months=tuple(asked.birthday_months),
        salon_ids=tuple(reading.uuid(one, field="salon_ids") for one in asked.salon_ids),
        languages=_known(asked.languages, _LANGUAGES, field="languages"),
        channels=_known(asked.channels, _CHANNELS, field="channels"),
    )


def _known(numbers: Iterable[int], known: Mapping[int, Known], *, field: str) -> tuple[Known, ...]:
    """Choices of a filter. What is not understood is refused: left out, it would mean everybody."""
    asked = tuple(numbers)
    if any(one not in known for one in asked):
        raise errors.AudienceInvalid(field=field, params={"limit_max": str(len(known))})
    return tuple(known[one] for one in asked)


def _member(member: AudienceMember) -> pb.AudienceMember:
    shown = pb.AudienceMember(
        member_id=str(member.member_id),
        barrier=member.barrier,
        balance=member.balance,
        tier_name=member.tier_name,
        language=writing.to_language(member.language),
    )
    if member.channel is not None:
        shown.channel = writing.to_channel(member.channel)
    if member.last_visit_at is not None:
        shown.last_visit_at.FromDatetime(member.last_visit_at)
    return shown


def _send(shown: sends.Shown) -> pb.Send:
    send, report = shown.send, shown.report
    return pb.Send(
        id=str(send.id),
        chain_id=str(send.chain_id),
        offer_id=str(send.offer_id) if send.offer_id else "",
        status=pb.SendStatus.Value(f"SEND_STATUS_{send.state.value}"),
        send_at=writing.timestamp(send.send_at),
        created_at=writing.timestamp(send.created_at),
        sms_body=send.words.sms_body,
        email_subject=send.words.email_subject,
        email_body=send.words.email_body,
        english=pb.SendWords(
            sms_body=send.english.sms_body,
            email_subject=send.english.email_subject,
            email_body=send.english.email_body,
        ),
        report=pb.SendReport(
            chosen=report.chosen,
            queued=report.queued,
            sent=report.sent,
            delivered=report.delivered,
            failed=report.failed,
            blocked=report.blocked,
            unknown=report.unknown,
            taken=report.taken,
            used=report.used,
            stopped=report.stopped,
        ),
    )
