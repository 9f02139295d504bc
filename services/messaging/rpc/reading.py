"""Words of a request as the use cases take them; what has no possible form is refused here."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.messaging.domain import errors
from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import MessageKind
from services.messaging.domain.offer import OfferId

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200
KEY_LENGTH_MAX = 128
YEAR_MIN = 1970
YEAR_MAX = 9998

_UUID_FORM = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", re.ASCII)
_SEQUENCE_FORM = re.compile(rb"[1-9][0-9]{0,17}")


def chain_id(text: str) -> ChainId:
    """A chain's id. Refuses with IdInvalid."""
    return ChainId(uuid(text, field="chain_id"))


def member_id(text: str, *, field: str = "member_id") -> MemberId:
    """A member's id. Refuses with IdInvalid."""
    return MemberId(uuid(text, field=field))


def offer_id(text: str) -> OfferId:
    """An offer's id. Refuses with IdInvalid."""
    return OfferId(uuid(text, field="offer_id"))


def uuid(text: str, *, field: str) -> UUID:
    """An id of ours. Refuses with IdInvalid."""
    if _UUID_FORM.fullmatch(text) is None:
        raise errors.IdInvalid(field=field)
    return UUID(text)


def moment(stamp: Timestamp, *, field: str) -> datetime:
    """A point in time that every zone has a day for. Refuses with NumberOutOfRange."""
    try:
        found = stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None or not YEAR_MIN <= found.year <= YEAR_MAX:
        raise errors.NumberOutOfRange(
            field=field, params={"minimum": str(YEAR_MIN), "maximum": str(YEAR_MAX)}
        )
    return found


def limit(asked: int) -> int:
    """How many a page holds. Refuses with LimitInvalid."""
    if asked == 0:
        return PAGE_SIZE
    if not 1 <= asked <= PAGE_SIZE_MAX:
        raise errors.LimitInvalid(params={"limit_max": str(PAGE_SIZE_MAX)})
    return asked


def sequence(cursor: str) -> int | None:
    """The place that a cursor names; None at the start. Refuses with CursorInvalid."""
    if not cursor:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise errors.CursorInvalid from None
    if _SEQUENCE_FORM.fullmatch(raw) is None:
        raise errors.CursorInvalid
    return int(raw)


def words(text: str) -> str:
    """What an owner wrote, without the spaces around it."""
    return text.replace("\0", "").strip()


def kind(kind: pb.MessageKind.ValueType) -> MessageKind:
    """A kind of message. Refuses with TemplateUnknown."""
    try:
        return MessageKind(pb.MessageKind.Name(kind).removeprefix("MESSAGE_KIND_"))
    except ValueError:
        raise errors.TemplateUnknown from None


def channel(channel: types_pb2.Channel.ValueType) -> Channel | None:
    """A channel; None where none is said."""
    if channel == types_pb2.CHANNEL_SMS:
        return Channel.SMS
    return Channel.EMAIL if channel == types_pb2.CHANNEL_EMAIL else None


def idempotency_key(text: str) -> str:
    """The caller's key of a request. Refuses with IdInvalid."""
    if not 1 <= len(text) <= KEY_LENGTH_MAX or not text.isprintable():
        raise errors.IdInvalid(field="idempotency_key")
    return text
