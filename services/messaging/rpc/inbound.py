"""Texts that arrive, and the number that they go to."""

from __future__ import annotations

from loyalty.messaging.v1 import messaging_pb2 as pb

from services.messaging import phones
from services.messaging.domain import errors
from services.messaging.rpc import reading
from services.messaging.rpc.door import Door
from services.messaging.usecases import inbound, numbers, statuses

PROVIDER_MESSAGE_ID_LENGTH_MAX = 128


class InboundServicer(Door):
    """What phones say to us."""

    async def ReceiveSms(
        self, request: pb.ReceiveSmsRequest, context: object
    ) -> pb.ReceiveSmsResponse:
        """`inbound.receive_sms`."""
        keyword = await inbound.receive_sms(
            self._deps,
            inbound.ReceiveSms(
                provider_message_id=_message_id(request.provider_message_id),
                phone=phones.e164(getattr(request, "from"), field="from"),
                number=phones.recipient(request.to) if request.to else "",
                body=request.body.replace("\0", ""),
                chain_id=reading.chain_id(request.chain_id) if request.chain_id else None,
            ),
        )
        return pb.ReceiveSmsResponse(keyword=keyword.value)

    async def ReceiveStatus(
        self, request: pb.ReceiveStatusRequest, context: object
    ) -> pb.ReceiveStatusResponse:
        """`statuses.receive_status`."""
        moved = await statuses.receive_status(
            self._deps,
            statuses.ReceiveStatus(
                provider_message_id=_message_id(request.provider_message_id),
                status=request.status,
                error_code=request.error_code[: statuses.ERROR_CODE_LENGTH_MAX],
            ),
        )
        return pb.ReceiveStatusResponse(moved=moved)

    async def GetSenderNumber(
        self, request: pb.GetSenderNumberRequest, context: object
    ) -> pb.GetSenderNumberResponse:
        """`numbers.sender_number`."""
        number = await numbers.sender_number(self._deps, reading.chain_id(request.chain_id))
        return pb.GetSenderNumberResponse(number=number)


def _message_id(text: str) -> str:
    """A provider's id of a message. Refuses with ProviderMessageIdInvalid."""
    if not 1 <= len(text) <= PROVIDER_MESSAGE_ID_LENGTH_MAX or not text.isprintable():
        raise errors.ProviderMessageIdInvalid
    return text
