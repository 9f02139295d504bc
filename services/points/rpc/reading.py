"""Requests from proto into the words of the use cases. Ids are opaque to callers: one that cannot
be one of ours is unknown, not a fault."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.chassis.uuids import uuid_of
from services.points.domain.accrual import RuleType
from services.points.domain.errors import (
    AccountUnknown,
    ChainUnknown,
    CurrencyInvalid,
    GrantInvalid,
    IdInvalid,
    NumberOutOfRange,
    ProgramUnknown,
    SalonUnknown,
)
from services.points.domain.ids import (
    AccountId,
    CatalogId,
    ChainId,
    MemberId,
    PostingId,
    ProgramId,
    PromotionId,
    RewardId,
    SalonId,
)
from services.points.domain.ledger import Actor, ActorKind, AdjustmentReason, PostingKind
from services.points.domain.sale_errors import PromotionUnknown

Id = TypeVar("Id", bound=UUID)

# Of sessions, devices, keys and staff: ours have 36 characters.
FOREIGN_ID_LENGTH_MAX = 128
# As long as an id of ours, and as Square's are.
CATALOG_ID_LENGTH_MAX = 36
# What stands for the chain's first active program.
MAIN = "main"

KINDS: dict[int, PostingKind] = {
    pb.ENTRY_KIND_EARN: PostingKind.EARN,
    pb.ENTRY_KIND_ADJUSTMENT: PostingKind.ADJUSTMENT,
    pb.ENTRY_KIND_REWARD: PostingKind.REWARD,
    pb.ENTRY_KIND_REWARD_RETURN: PostingKind.REWARD_RETURN,
    pb.ENTRY_KIND_PROMOTION: PostingKind.PROMOTION,
    pb.ENTRY_KIND_REFUND: PostingKind.REFUND,
    pb.ENTRY_KIND_EXPIRY: PostingKind.EXPIRY,
}
REASONS: dict[int, AdjustmentReason] = {
    pb.AdjustmentReason.Value(f"ADJUSTMENT_REASON_{reason.value}"): reason
    for reason in AdjustmentReason
}
ACCRUAL_TYPES: dict[int, RuleType] = {
    pb.AccrualType.Value(f"ACCRUAL_TYPE_{accrual.value}"): accrual for accrual in RuleType
}
ACTOR_KINDS: dict[int, ActorKind] = {
    types_pb2.Actor.Kind.Value(f"KIND_{kind.value or 'UNSPECIFIED'}"): kind for kind in ActorKind
}


def _uuid(text: str) -> UUID | None:
    # It also reads bare hex: one spelling is enough.
    if len(text) != 36:
        return None
    try:
        return uuid_of(text)
    except ValueError:
        return None


# The chains and salons of a day are few.
_known_uuid = lru_cache(maxsize=4096)(_uuid)


def chain_id(text: str) -> ChainId:
    """The chain; refuses with ChainUnknown."""
    found = _known_uuid(text)
    if found is None:
        raise ChainUnknown
    return ChainId(found)


def member_id(text: str) -> MemberId:
    """The member; refuses with IdInvalid, for members are not known here."""
    found = _uuid(text)
    if found is None:
        raise IdInvalid(field="member_id")
    return MemberId(found)


def reward_id(text: str) -> RewardId:
    """The reward; refuses with IdInvalid, for rewards are not known here."""
    found = _uuid(text)
    if found is None:
        raise IdInvalid(field="reward_id")
    return RewardId(found)


def account_id(text: str) -> AccountId:
    """The account; refuses with AccountUnknown."""
    found = _uuid(text)
    if found is None:
        raise AccountUnknown
    return AccountId(found)


def program_id(text: str) -> ProgramId | None:
    """The program, None for the default one; refuses with ProgramUnknown."""
    if text in ("", MAIN):
        return None
    found = _uuid(text)
    if found is None:
        raise ProgramUnknown
    return ProgramId(found)


def salon_id(text: str) -> SalonId | None:
    """The salon, None where none is named; refuses with SalonUnknown."""
    if not text:
        return None
    found = _known_uuid(text)
    if found is None:
        raise SalonUnknown
    return SalonId(found)


def grant_uuid(text: str) -> UUID | None:
    """The grant, None where none is named; refuses with GrantInvalid."""
    if not text:
        return None
    found = _uuid(text)
    if found is None:
        raise GrantInvalid
    return found


def posting_id(text: str, *, field: str) -> PostingId:
    """An entry; refuses with IdInvalid."""
    return PostingId(required_uuid(text, field=field))


def required_uuid(text: str, *, field: str) -> UUID:
    """An id that must be one of ours; refuses with IdInvalid."""
    found = _uuid(text)
    if found is None:
        raise IdInvalid(field=field)
    return found


def promotion_id(text: str) -> PromotionId:
    """The promotion; refuses with PromotionUnknown."""
    found = _uuid(text)
    if found is None:
        raise PromotionUnknown
    return PromotionId(found)


def filter_ids(texts: Iterable[str], kind: Callable[[UUID], Id]) -> list[Id] | None:
    """Ids of a filter, None where there is no filter. What cannot be an id matches nothing."""
    given = list(dict.fromkeys(texts))
    if not given:
        return None
    return [kind(found) for found in map(_uuid, given) if found is not None]


def _is_catalog_id(text: str) -> bool:
    return 1 <= len(text) <= CATALOG_ID_LENGTH_MAX and text.isprintable()


def catalog_id(text: str, *, field: str) -> CatalogId:
    """An id of the till's catalog, kept as it came; refuses with IdInvalid."""
    if not _is_catalog_id(text):
        raise IdInvalid(field=field)
    return CatalogId(text)


def catalog_filter(texts: Iterable[str]) -> list[CatalogId] | None:
    """Catalog ids of a filter, None where there is none. What cannot be an id matches nothing."""
    given = list(dict.fromkeys(texts))
    if not given:
        return None
    return [CatalogId(text) for text in given if _is_catalog_id(text)]


def currency(code: str, *, field: str) -> str:
    """A currency by the form of its code; refuses with CurrencyInvalid."""
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise CurrencyInvalid(field=field)
    return code


def foreign_id(text: str, *, field: str) -> str:
    """An id of somebody else's making, kept as it came; refuses with IdInvalid."""
    plain = text.isascii() and text.isprintable()
    if len(text) > FOREIGN_ID_LENGTH_MAX or (
        not plain and any(unicodedata.category(c) == "Cc" for c in text)
    ):
        raise IdInvalid(field=field)
    return text


def actor(message: types_pb2.Actor) -> Actor:
    """Who does it; refuses with IdInvalid."""
    kind = ACTOR_KINDS.get(message.kind)
    if kind is None:
        raise IdInvalid(field="actor")
    return Actor(kind=kind, id=foreign_id(message.id, field="actor"))


def moment(message: Timestamp, *, field: str) -> datetime:
    """A point in time; refuses with NumberOutOfRange what no calendar has."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise NumberOutOfRange(field=field, minimum="0001-01-01", maximum="9999-12-31") from None


def accrual_type(number: int) -> RuleType | None:
    """How the points card shows points, None where it is left out."""
    if number == pb.ACCRUAL_TYPE_UNSPECIFIED:
        return None
    found = ACCRUAL_TYPES.get(number)
    if found is None:
        raise NumberOutOfRange(field="accrual_type", minimum=1, maximum=len(ACCRUAL_TYPES))
    return found


def kinds(numbers: Iterable[int]) -> tuple[PostingKind, ...] | None:
    """Kinds of entries of a filter, None where there is no filter."""
    given = list(dict.fromkeys(numbers))
    if not given:
        return None
    unknown = [number for number in given if number not in KINDS]
    if unknown:
        raise NumberOutOfRange(field="kinds", minimum=min(KINDS), maximum=max(KINDS))
    return tuple(KINDS[number] for number in given)
