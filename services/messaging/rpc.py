"""gRPC servicer of messaging: proto → use case → proto, and the one table of statuses."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc
from loyalty.types.v1 import types_pb2

from services.messaging import phones
from services.messaging.domain import errors
from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.consent import Channel, Standing
from services.messaging.domain.delivery import DeliveryEntry, DeliveryState
from services.messaging.domain.mailbox import SandboxMessage
from services.messaging.usecases import consent, inbound, journal
from services.messaging.usecases.deps import Deps

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200
PROVIDER_MESSAGE_ID_LENGTH_MAX = 128

STATUS: dict[type[Exception], grpc.StatusCode] = {
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.MemberUnknown: grpc.StatusCode.NOT_FOUND,
    errors.ConsentBelongsToMember: grpc.StatusCode.PERMISSION_DENIED,
    errors.EmailMissing: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Refusal: grpc.StatusCode.INVALID_ARGUMENT,
}

_UUID_FORM = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", re.ASCII)
_SEQUENCE_FORM = re.compile(rb"[1-9][0-9]{0,17}")
# What is still under way shows as queued.
_STATUS_NAME = {DeliveryState.SENDING: "QUEUED"}


def register(deps: Deps) -> Callable[[grpc.aio.Server], None]:
    """What adds the servicer to a server."""

    def add(server: grpc.aio.Server) -> None:
        messaging_pb2_grpc.add_MessagingServiceServicer_to_server(Servicer(deps), server)

    return add


class Servicer(messaging_pb2_grpc.MessagingServiceServicer):
    """The messaging service at its door."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def ListSandboxMessages(
        self, request: pb.ListSandboxMessagesRequest, context: object
    ) -> pb.ListSandboxMessagesResponse:
        """`journal.list_sandbox_messages`, once what is under way has arrived."""
        chain_id, limit = _chain_id(request.chain_id), _limit(request.limit)
        await journal.wait_for_mailbox(self._deps, chain_id)
        messages = await journal.list_sandbox_messages(
            self._deps,
            chain_id,
            to=phones.recipient(request.to) if request.to else "",
            channel=_channel(request.channel),
            limit=limit,
        )
        return pb.ListSandboxMessagesResponse(messages=[_message(one) for one in messages])

    async def ReceiveSms(
        self, request: pb.ReceiveSmsRequest, context: object
    ) -> pb.ReceiveSmsResponse:
        """`inbound.receive_sms`."""
        message_id = request.provider_message_id
        if (
            not 1 <= len(message_id) <= PROVIDER_MESSAGE_ID_LENGTH_MAX
            or not message_id.isprintable()
        ):
            raise errors.ProviderMessageIdInvalid
        keyword = await inbound.receive_sms(
            self._deps,
            inbound.ReceiveSms(
                provider_message_id=message_id,
                phone=phones.e164(getattr(request, "from"), field="from"),
                number=phones.recipient(request.to) if request.to else "",
                body=request.body.replace("\0", ""),
                chain_id=_chain_id(request.chain_id) if request.chain_id else None,
            ),
        )
        return pb.ReceiveSmsResponse(keyword=keyword.value)

    async def GetConsents(
        self, request: pb.GetConsentsRequest, context: object
    ) -> pb.GetConsentsResponse:
        """`consent.get_consents`."""
        found = await consent.get_consents(
            self._deps, _chain_id(request.chain_id), _member_id(request.member_id)
        )
        return pb.GetConsentsResponse(
            consents=[_consent(one.channel, one.standing) for one in found]
        )

    async def SetEmailConsent(
        self, request: pb.SetEmailConsentRequest, context: object
    ) -> pb.SetEmailConsentResponse:
        """`consent.set_email_consent`."""
        actor = request.actor
        standing = await consent.set_email_consent(
            self._deps,
            consent.SetEmailConsent(
                chain_id=_chain_id(request.chain_id),
                member_id=_member_id(request.member_id),
                granted=request.granted,
                wording_version=request.wording_version.replace("\0", "")[:64],
                by_herself=(
                    actor.kind == types_pb2.Actor.KIND_MEMBER
                    and actor.id.lower() == request.member_id.lower()
                ),
            ),
        )
        return pb.SetEmailConsentResponse(consent=_consent(Channel.EMAIL, standing))

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, context: object
    ) -> pb.ListDeliveriesResponse:
        """`journal.list_deliveries`, page by page."""
        limit = _limit(request.limit)
        entries = await journal.list_deliveries(
            self._deps,
            _chain_id(request.chain_id),
            member_id=_member_id(request.member_id) if request.member_id else None,
            before_sequence=_sequence(request.cursor),
            limit=limit + 1,
        )
        page = entries[:limit]
        return pb.ListDeliveriesResponse(
            deliveries=[_delivery(entry) for entry in page],
            cursor=_cursor(page[-1].sequence) if len(entries) > limit else "",
        )

    async def GetSenderNumber(
        self, request: pb.GetSenderNumberRequest, context: object
    ) -> pb.GetSenderNumberResponse:
        """`journal.sender_number`."""
        number = journal.sender_number(self._deps, _chain_id(request.chain_id))
        return pb.GetSenderNumberResponse(number=number)


def _chain_id(text: str) -> ChainId:
    if _UUID_FORM.fullmatch(text) is None:
        raise errors.IdInvalid(field="chain_id")
    return ChainId(UUID(text))


def _member_id(text: str) -> MemberId:
    if _UUID_FORM.fullmatch(text) is None:
        raise errors.IdInvalid(field="member_id")
    return MemberId(UUID(text))


def _limit(asked: int) -> int:
    if asked == 0:
        return PAGE_SIZE
    if not 1 <= asked <= PAGE_SIZE_MAX:
        raise errors.LimitInvalid(params={"limit_max": str(PAGE_SIZE_MAX)})
    return asked


def _cursor(sequence: int) -> str:
    return base64.urlsafe_b64encode(str(sequence).encode()).decode().rstrip("=")


def _sequence(cursor: str) -> int | None:
    if not cursor:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise errors.CursorInvalid from None
    if _SEQUENCE_FORM.fullmatch(raw) is None:
        raise errors.CursorInvalid
    return int(raw)


def _channel(channel: types_pb2.Channel.ValueType) -> Channel | None:
    if channel == types_pb2.CHANNEL_SMS:
        return Channel.SMS
    return Channel.EMAIL if channel == types_pb2.CHANNEL_EMAIL else None


def _to_channel(channel: Channel) -> types_pb2.Channel.ValueType:
    return types_pb2.Channel.Value(f"CHANNEL_{channel.value}")


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _consent(channel: Channel, standing: Standing | None) -> pb.Consent:
    if standing is None:
        return pb.Consent(channel=_to_channel(channel), granted=False)
    return pb.Consent(
        channel=_to_channel(channel),
        granted=standing.granted,
        source=standing.source.value,
        changed_at=_timestamp(standing.changed_at),
    )


def _message(message: SandboxMessage) -> pb.SandboxMessage:
    return pb.SandboxMessage(
        id=str(message.id),
        channel=_to_channel(message.channel),
        to=message.recipient,
        subject=message.subject,
        body=message.body,
        kind=pb.MessageKind.Value(f"MESSAGE_KIND_{message.kind.value}"),
        created_at=_timestamp(message.created_at),
    )


def _delivery(entry: DeliveryEntry) -> pb.Delivery:
    status = _STATUS_NAME.get(entry.state, entry.state.value)
    return pb.Delivery(
        id=str(entry.id),
        chain_id=str(entry.chain_id),
        member_id=str(entry.member_id) if entry.member_id else "",
        channel=_to_channel(entry.channel),
        kind=pb.MessageKind.Value(f"MESSAGE_KIND_{entry.kind.value}"),
        status=pb.DeliveryStatus.Value(f"DELIVERY_STATUS_{status}"),
        attempts=entry.attempts,
        reason=entry.reason,
        created_at=_timestamp(entry.created_at),
        updated_at=_timestamp(entry.updated_at),
    )
