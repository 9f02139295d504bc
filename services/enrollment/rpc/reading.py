"""Requests as callers sent them, read into our words; what has no meaning is refused here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.enrollment.domain.chains import Language, Plan
from services.enrollment.domain.errors import (
    ActorInvalid,
    ConsentInvalid,
    EnrolledAtInvalid,
    LanguageInvalid,
    PlanInvalid,
    QueryInvalid,
    RoleInvalid,
    SourceInvalid,
)
from services.enrollment.domain.ids import (
    SYSTEM,
    Actor,
    ActorKind,
    ApiKeyId,
    ChainId,
    ChallengeId,
    MemberId,
    ProgramId,
    SalonId,
    StaffId,
    TabletId,
    read_actor,
    read_id,
)
from services.enrollment.domain.members import FirstGrant, Source
from services.enrollment.domain.search import Sort
from services.enrollment.domain.staff import Role
from services.enrollment.usecases.deps import Request
from services.enrollment.wire import CHANNELS, LANGUAGES, PLANS, SOURCES

W = TypeVar("W")

ROLES = {
    Role.OWNER: pb.Staff.ROLE_OWNER,
    Role.MANAGER: pb.Staff.ROLE_MANAGER,
    Role.CASHIER: pb.Staff.ROLE_CASHIER,
}
ACTOR_KINDS = {
    ActorKind.MEMBER: types_pb2.Actor.KIND_MEMBER,
    ActorKind.STAFF: types_pb2.Actor.KIND_STAFF,
    ActorKind.DEVICE: types_pb2.Actor.KIND_DEVICE,
    ActorKind.API_KEY: types_pb2.Actor.KIND_API_KEY,
    ActorKind.OPERATOR: types_pb2.Actor.KIND_OPERATOR,
    ActorKind.SYSTEM: types_pb2.Actor.KIND_SYSTEM,
}
_SORTS = {
    pb.SearchMembersRequest.SORT_UNSPECIFIED: Sort.NEWEST,
    pb.SearchMembersRequest.SORT_NEWEST: Sort.NEWEST,
    pb.SearchMembersRequest.SORT_OLDEST: Sort.OLDEST,
    pb.SearchMembersRequest.SORT_NAME: Sort.NAME,
}


def _turned(table: Mapping[W, Any]) -> dict[int, W]:
    return {int(number): word for word, number in table.items()}


_PLANS = _turned(PLANS)
_LANGUAGES = _turned(LANGUAGES)
_CHANNELS = _turned(CHANNELS)
_SOURCES = _turned(SOURCES)
_ROLES = _turned(ROLES)
_ACTOR_KINDS = _turned(ACTOR_KINDS)


def request_of(message: Any) -> Request:
    """What makes this request the same one when it comes again."""
    body: Message = type(message)()
    body.CopyFrom(message)
    body.ClearField("idempotency_key")
    return Request(key=message.idempotency_key, body=body.SerializeToString(deterministic=True))


def chain_id(text: str) -> ChainId:
    """Refuses with NotFound."""
    return ChainId(read_id(text, field="chain_id"))


def salon_id(text: str, *, field: str = "salon_id") -> SalonId:
    """Refuses with NotFound."""
    return SalonId(read_id(text, field=field))


def staff_id(text: str) -> StaffId:
    """Refuses with NotFound."""
    return StaffId(read_id(text, field="staff_id"))


def tablet_id(text: str) -> TabletId:
    """Refuses with NotFound."""
    return TabletId(read_id(text, field="tablet_id"))


def program_id(text: str) -> ProgramId:
    """Refuses with NotFound."""
    return ProgramId(read_id(text, field="program_id"))


def api_key_id(text: str) -> ApiKeyId:
    """Refuses with NotFound."""
    return ApiKeyId(read_id(text, field="api_key_id"))


def member_id(text: str) -> MemberId:
    """Refuses with NotFound."""
    return MemberId(read_id(text, field="member_id"))


def challenge_id(text: str) -> ChallengeId:
    """Refuses with NotFound."""
    return ChallengeId(read_id(text, field="challenge_id"))


def actor(message: types_pb2.Actor) -> Actor:
    """Who acts; nobody named means the platform itself. Refuses with ActorInvalid."""
    if message.kind == types_pb2.Actor.KIND_UNSPECIFIED and not message.id:
        return SYSTEM
    kind = _ACTOR_KINDS.get(message.kind)
    if kind is None:
        raise ActorInvalid(field="actor")
    return read_actor(kind=kind, id_text=message.id)


def plan_or_none(number: int) -> Plan | None:
    """None when no plan is named. Refuses with PlanInvalid."""
    if number == types_pb2.PLAN_UNSPECIFIED:
        return None
    if number not in _PLANS:
        raise PlanInvalid(field="plan")
    return _PLANS[number]


def language_or_none(number: int) -> Language | None:
    """None when no language is named. Refuses with LanguageInvalid."""
    if number == types_pb2.LANGUAGE_UNSPECIFIED:
        return None
    if number not in _LANGUAGES:
        raise LanguageInvalid(field="language")
    return _LANGUAGES[number]


def source(number: int) -> Source:
    """Refuses with SourceInvalid."""
    if number not in _SOURCES:
        raise SourceInvalid(field="source")
    return _SOURCES[number]


def role(number: int) -> Role:
    """Refuses with RoleInvalid."""
    if number not in _ROLES:
        raise RoleInvalid(field="role")
    return _ROLES[number]


def sort(number: int) -> Sort:
    """Newest first when none is named. Refuses with QueryInvalid."""
    if number not in _SORTS:
        raise QueryInvalid(field="sort")
    return _SORTS[pb.SearchMembersRequest.Sort.ValueType(number)]


def first_grant(message: pb.ConsentGrant) -> FirstGrant:
    """Refuses with ConsentInvalid."""
    channel = _CHANNELS.get(message.channel)
    if channel is None:
        raise ConsentInvalid(field="consents")
    return FirstGrant(channel=channel, wording_version=message.wording_version)


def moment_or_none(message: Timestamp, *, given: bool) -> datetime | None:
    """Refuses with EnrolledAtInvalid a moment outside of the calendar."""
    if not given:
        return None
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise EnrolledAtInvalid(field="enrolled_at") from None
