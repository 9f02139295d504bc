"""What an answer says, on the wire."""

from __future__ import annotations

import base64
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.types.v1 import types_pb2

from services.messaging.domain.consent import Channel


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
