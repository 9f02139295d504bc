"""From the wire: every field checked before a use case sees it.

A malformed id is refused like an unknown one: callers learn nothing from the difference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.rewards.v1 import rewards_pb2 as pb
from loyalty.types.v1.types_pb2 import Actor as ActorMessage

from services.chassis.idempotency import KEY_LENGTH_MAX, fingerprint
from services.rewards.domain.actors import Actor, ActorKind
from services.rewards.domain.discounts import AmountOff, Discount, InKind, PercentOff
from services.rewards.domain.errors import InvalidValue, NotFound
from services.rewards.domain.rewards import RewardEventKind, RewardState
from services.rewards.usecases.deps import RequestKey

# Session, device and key ids are ours and short.
SESSION_LENGTH_MAX = 128
# A filter with more members than this is a report, not a search.
FILTER_SIZE_MAX = 200
LIMIT_DEFAULT = 30
BATCH_SIZE_MAX = 256
LIMIT_MAX = 200
_UUID_FORM = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_PLAIN = re.compile(r"[\x20-\x7e]*")

_ACTOR_KINDS = {
    ActorMessage.KIND_MEMBER: ActorKind.MEMBER,
    ActorMessage.KIND_STAFF: ActorKind.STAFF,
    ActorMessage.KIND_DEVICE: ActorKind.DEVICE,
    ActorMessage.KIND_API_KEY: ActorKind.API_KEY,
    ActorMessage.KIND_OPERATOR: ActorKind.OPERATOR,
    ActorMessage.KIND_SYSTEM: ActorKind.SYSTEM,
}
STATES = {
    pb.REWARD_STATUS_PENDING: RewardState.PENDING,
    pb.REWARD_STATUS_ISSUED: RewardState.ISSUED,
    pb.REWARD_STATUS_REDEEMED: RewardState.REDEEMED,
    pb.REWARD_STATUS_VOIDED: RewardState.VOIDED,
    pb.REWARD_STATUS_EXPIRED: RewardState.EXPIRED,
}
EVENT_KINDS = {
    pb.REWARD_EVENT_KIND_TAKEN: RewardEventKind.TAKEN,
    pb.REWARD_EVENT_KIND_USED: RewardEventKind.USED,
    pb.REWARD_EVENT_KIND_RESTORED: RewardEventKind.RESTORED,
    pb.REWARD_EVENT_KIND_VOIDED: RewardEventKind.VOIDED,
    pb.REWARD_EVENT_KIND_EXPIRED: RewardEventKind.EXPIRED,
}
Key = TypeVar("Key")
Value = TypeVar("Value")


def an_id(text: str, *, field: str) -> UUID:
    """A required id; refuses with `NotFound`."""
    if not _UUID_FORM.fullmatch(text):
        raise NotFound(field=field)
    return UUID(text)


def maybe_id(text: str, *, field: str) -> UUID | None:
    """An id or nothing; refuses with `NotFound` what is neither."""
    return an_id(text, field=field) if text else None


def ids(texts: Sequence[str], *, field: str) -> list[UUID]:
    """The ids of a filter, at most 200."""
    return [an_id(text, field=field) for text in bounded(texts, field=field)]


def bounded(values: Sequence[Value], *, field: str) -> Sequence[Value]:
    """A filter of at most 200 values."""
    if len(values) > FILTER_SIZE_MAX:
        raise InvalidValue(field=field, params={"size_max": str(FILTER_SIZE_MAX)})
    return values


def request_key(request: Message, key: str) -> RequestKey:
    """The request's key, with a fingerprint of everything in it but the key and who sent it.

    The same request may be repeated by whoever took over: another tablet, another staff member.
    """
    plain(key, field="idempotency_key", length_max=KEY_LENGTH_MAX, required=True)
    meaning = type(request)()
    meaning.CopyFrom(request)
    meaning.ClearField("idempotency_key")
    meaning.ClearField("actor")
    return RequestKey(
        key=key, fingerprint=fingerprint(meaning.SerializeToString(deterministic=True))
    )


def plain(text: str, *, field: str, length_max: int, required: bool) -> str:
    """A short text of printable ASCII: keys and ids that others made."""
    if required and not text:
        raise InvalidValue(field=field, params={"problem": "missing"})
    if len(text) > length_max:
        raise InvalidValue(
            field=field, params={"problem": "too_long", "length_max": str(length_max)}
        )
    if not _PLAIN.fullmatch(text):
        raise InvalidValue(field=field, params={"problem": "not_plain"})
    return text


def session(text: str, *, required: bool) -> str:
    """Which screen acts: a session, a device or a key."""
    return plain(text, field="session_id", length_max=SESSION_LENGTH_MAX, required=required)


def actor(message: ActorMessage, *, required: bool = False) -> Actor:
    """Who acts; where it must be audited, somebody must be named."""
    kind = _ACTOR_KINDS.get(message.kind, ActorKind.UNKNOWN)
    if required and kind is ActorKind.UNKNOWN:
        raise InvalidValue(field="actor", params={"problem": "missing"})
    plain(message.id, field="actor.id", length_max=SESSION_LENGTH_MAX, required=False)
    return Actor(kind=kind, id=message.id)


def discount(message: pb.Discount) -> Discount | None:
    """What a definition gives; None where nothing is said."""
    match message.WhichOneof("value"):
        case "percentage":
            return PercentOff.parse(message.percentage)
        case "amount":
            return AmountOff.parse(minor=message.amount.amount, currency=message.amount.currency)
        case "in_kind":
            if not message.in_kind:
                raise InvalidValue(field="discount.in_kind", params={"problem": "false"})
            return InKind()
    return None


def required_discount(message: pb.Discount) -> Discount:
    """What a new definition gives."""
    given = discount(message)
    if given is None:
        raise InvalidValue(field="discount", params={"problem": "missing"})
    return given


def states(values: Sequence[pb.RewardStatus.ValueType]) -> list[RewardState]:
    """The statuses of a filter."""
    return [_known(STATES, value, field="statuses") for value in bounded(values, field="statuses")]


def event_kinds(values: Sequence[pb.RewardEventKind.ValueType]) -> list[RewardEventKind]:
    """The kinds of a filter."""
    return [_known(EVENT_KINDS, value, field="kinds") for value in bounded(values, field="kinds")]


def limit(value: int) -> int:
    """How many a page has: 30, or 1 to 200."""
    if not 0 <= value <= LIMIT_MAX:
        raise InvalidValue(field="limit", params={"min": "1", "max": str(LIMIT_MAX)})
    return value or LIMIT_DEFAULT


def moment(message: Timestamp, *, field: str) -> datetime:
    """A moment that a calendar knows."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidValue(field=field, params={"problem": "not_a_moment"}) from error


def batch(items: Sequence[Value]) -> Sequence[Value]:
    """The items of a batch, 1 to 256."""
    if not 1 <= len(items) <= BATCH_SIZE_MAX:
        raise InvalidValue(field="items", params={"min": "1", "max": str(BATCH_SIZE_MAX)})
    return items


def _known(table: Mapping[Key, Value], value: Key, *, field: str) -> Value:
    found = table.get(value)
    if found is None:
        raise InvalidValue(field=field, params={"problem": "unknown"})
    return found
