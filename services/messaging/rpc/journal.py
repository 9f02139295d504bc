"""The journal of deliveries, and the sandbox mailbox."""

from __future__ import annotations

from loyalty.messaging.v1 import messaging_pb2 as pb

from services.messaging import phones
from services.messaging.domain.delivery import DeliveryState
from services.messaging.domain.mailbox import SandboxMessage
from services.messaging.rpc import reading, writing
from services.messaging.rpc.door import Door
from services.messaging.usecases import journal, status

# What is still under way shows as queued.
_STATES = {
    pb.DeliveryStatus.Value(f"DELIVERY_STATUS_{state.value}"): (state,)
    for state in DeliveryState
    if state not in {DeliveryState.QUEUED, DeliveryState.SENDING}
} | {pb.DELIVERY_STATUS_QUEUED: (DeliveryState.QUEUED, DeliveryState.SENDING)}


class JournalServicer(Door):
    """What was sent, and what became of it."""

    async def ListSandboxMessages(
        self, request: pb.ListSandboxMessagesRequest, context: object
    ) -> pb.ListSandboxMessagesResponse:
        """`journal.list_sandbox_messages`, once what is under way has arrived."""
        chain_id, limit = reading.chain_id(request.chain_id), reading.limit(request.limit)
        await journal.wait_for_mailbox(self._deps, chain_id)
        messages = await journal.list_sandbox_messages(
            self._deps,
            chain_id,
            to=phones.recipient(request.to) if request.to else "",
            channel=reading.channel(request.channel),
            limit=limit,
        )
        return pb.ListSandboxMessagesResponse(messages=[_message(one) for one in messages])

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, context: object
    ) -> pb.ListDeliveriesResponse:
        """`journal.list_deliveries`, page by page."""
        limit = reading.limit(request.limit)
        entries = await journal.list_deliveries(
            self._deps,
            reading.chain_id(request.chain_id),
            member_id=reading.member_id(request.member_id) if request.member_id else None,
            before_sequence=reading.sequence(request.cursor),
            limit=limit + 1,
            send_id=reading.uuid(request.send_id, field="send_id") if request.send_id else None,
            states=[state for one in request.statuses for state in _STATES.get(one, ())],
        )
        page = entries[:limit]
        return pb.ListDeliveriesResponse(
            deliveries=[writing.delivery(entry) for entry in page],
            cursor=writing.cursor(page[-1].sequence) if len(entries) > limit else "",
        )

    async def SendStatus(
        self, request: pb.SendStatusRequest, context: object
    ) -> pb.SendStatusResponse:
        """`status.send_status`."""
        entry = await status.send_status(
            self._deps,
            reading.chain_id(request.chain_id),
            reading.member_id(request.member_id),
            idempotency_key=reading.idempotency_key(request.idempotency_key),
        )
        return pb.SendStatusResponse(delivery=writing.delivery(entry))


def _message(message: SandboxMessage) -> pb.SandboxMessage:
    return pb.SandboxMessage(
        id=str(message.id),
        channel=writing.to_channel(message.channel),
        to=message.recipient,
        subject=message.subject,
        body=message.body,
        kind=writing.to_kind(message.kind),
        created_at=writing.timestamp(message.created_at),
    )
