"""Texts that arrive, and the number that they go to."""

from __future__ import annotations

from loyalty.messaging.v1 import messaging_pb2 as pb

from services.messaging import phones
from services.messaging.domain import errors
from services.messaging.rpc import reading
from services.messaging.rpc.door import Door
from services.messaging.usecases import inbound, numbers

PROVIDER_MESSAGE_ID_LENGTH_MAX = 128


class InboundServicer(Door):
    """What phones say to us."""

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
                chain_id=reading.chain_id(request.chain_id) if request.chain_id else None,
            ),
        )
        return pb.ReceiveSmsResponse(keyword=keyword.value)

    async def GetSenderNumber(
        self, request: pb.GetSenderNumberRequest, context: object
    ) -> pb.GetSenderNumberResponse:
        """`numbers.sender_number`."""
        number = await numbers.sender_number(self._deps, reading.chain_id(request.chain_id))
        return pb.GetSenderNumberResponse(number=number)
