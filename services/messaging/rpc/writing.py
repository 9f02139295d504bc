"""What an answer says, on the wire."""

from __future__ import annotations

import base64
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import DeliveryEntry, DeliveryState

# What is still under way shows as queued.
_STATUS_NAME = {DeliveryState.SENDING: "QUEUED"}


def cursor(sequence: int) -> str:
    """The place after an entry, as a caller carries it."""
    return base64.urlsafe_b64encode(str(sequence).encode()).decode().rstrip("=")


def to_channel(channel: Channel) -> types_pb2.Channel.ValueType:
    """A channel on the wire."""
    return types_pb2.Channel.Value(f"CHANNEL_{channel.value}")


def timestamp(moment: datetime) -> Timestamp:
    """A moment on the wire."""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def delivery(entry: DeliveryEntry) -> pb.Delivery:
    """A line of the journal on the wire: no address, no words."""
    status = _STATUS_NAME.get(entry.state, entry.state.value)
    return pb.Delivery(
        id=str(entry.id),
        chain_id=str(entry.chain_id),
        member_id=str(entry.member_id) if entry.member_id else "",
        channel=to_channel(entry.channel),
        kind=pb.MessageKind.Value(f"MESSAGE_KIND_{entry.kind.value}"),
        status=pb.DeliveryStatus.Value(f"DELIVERY_STATUS_{status}"),
        attempts=entry.attempts,
        reason=entry.reason,
        created_at=timestamp(entry.created_at),
        updated_at=timestamp(entry.updated_at),
    )
