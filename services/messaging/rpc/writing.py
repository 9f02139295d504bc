"""What an answer says, on the wire."""

from __future__ import annotations

import base64
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.messaging.domain.chain import Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import DeliveryEntry, DeliveryState, MessageKind
from services.messaging.domain.segments import Encoding, Length

# What is still under way shows as queued.
_STATUS_NAME = {DeliveryState.SENDING: "QUEUED"}
_ENCODINGS = {Encoding.GSM7: "GSM_7", Encoding.UCS2: "UCS_2"}


def cursor(sequence: int) -> str:
    """The place after an entry, as a caller carries it."""
    return base64.urlsafe_b64encode(str(sequence).encode()).decode().rstrip("=")


def to_channel(channel: Channel) -> types_pb2.Channel.ValueType:
    """A channel on the wire."""
    return types_pb2.Channel.Value(f"CHANNEL_{channel.value}")


def to_kind(kind: MessageKind) -> pb.MessageKind.ValueType:
    """A kind of message on the wire."""
    return pb.MessageKind.Value(f"MESSAGE_KIND_{kind.value}")


def to_language(language: Language) -> types_pb2.Language.ValueType:
    """A language on the wire."""
    return types_pb2.Language.Value(f"LANGUAGE_{language.value}")


def encoding(length: Length | None) -> str:
    """The alphabet of a text; empty for an e-mail."""
    return _ENCODINGS[length.encoding] if length else ""


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
        kind=to_kind(entry.kind),
        status=pb.DeliveryStatus.Value(f"DELIVERY_STATUS_{status}"),
        attempts=entry.attempts,
        reason=entry.reason,
        created_at=timestamp(entry.created_at),
        updated_at=timestamp(entry.updated_at),
    )
