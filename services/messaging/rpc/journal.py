"""The journal of deliveries, and the sandbox mailbox."""

from __future__ import annotations

from loyalty.messaging.v1 import messaging_pb2 as pb

from services.messaging import phones
from services.messaging.domain.delivery import DeliveryEntry, DeliveryState
from services.messaging.domain.mailbox import SandboxMessage
from services.messaging.rpc import reading, writing
from services.messaging.rpc.door import Door
from services.messaging.usecases import journal

# What is still under way shows as queued.
_STATUS_NAME = {DeliveryState.SENDING: "QUEUED"}


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
        )
        page = entries[:limit]
        return pb.ListDeliveriesResponse(
            deliveries=[_delivery(entry) for entry in page],
            cursor=writing.cursor(page[-1].sequence) if len(entries) > limit else "",
        )


def _message(message: SandboxMessage) -> pb.SandboxMessage:
    return pb.SandboxMessage(
        id=str(message.id),
        channel=writing.to_channel(message.channel),
        to=message.recipient,
        subject=message.subject,
        body=message.body,
        kind=pb.MessageKind.Value(f"MESSAGE_KIND_{message.kind.value}"),
        created_at=writing.timestamp(message.created_at),
    )


def _delivery(entry: DeliveryEntry) -> pb.Delivery:
    status = _STATUS_NAME.get(entry.state, entry.state.value)
    return pb.Delivery(
        id=str(entry.id),
        chain_id=str(entry.chain_id),
        member_id=str(entry.member_id) if entry.member_id else "",
        channel=writing.to_channel(entry.channel),
        kind=pb.MessageKind.Value(f"MESSAGE_KIND_{entry.kind.value}"),
        status=pb.DeliveryStatus.Value(f"DELIVERY_STATUS_{status}"),
        attempts=entry.attempts,
        reason=entry.reason,
        created_at=writing.timestamp(entry.created_at),
        updated_at=writing.timestamp(entry.updated_at),
    )
