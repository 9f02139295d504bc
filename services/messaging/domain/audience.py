"""Audiences: whom a message to many is for (LS-59 to LS-61)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.messaging.domain.chain import Language, MemberId
from services.messaging.domain.consent import Channel
from services.messaging.domain.errors import AudienceInvalid, NumberOutOfRange

DAYS_MAX = 3_660
# Beyond this many ticks by hand a filter says it better.
MEMBERS_MAX = 10_000
CHOICES_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceFilter:
    """All that is set must hold; as it stands, everybody (LS-59)."""

    # 0: not asked.
    visited_within_days: int = 0
    not_visited_for_days: int = 0
    balance_min: int | None = None
    balance_max: int | None = None
    tier_ids: tuple[UUID, ...] = ()
    birthday_months: tuple[int, ...] = ()
    salon_ids: tuple[UUID, ...] = ()
    languages: tuple[Language, ...] = ()
    # By which they joined (LS-60).
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A filter with the ticks taken off by hand, or only those who were ticked (LS-61)."""

    filter: AudienceFilter = AudienceFilter()
    excluded: tuple[MemberId, ...] = ()
    only: tuple[MemberId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceMember:
    """One of an audience: ids and what was asked, never a name."""

    member_id: MemberId
    channel: Channel | None
    # "no_consent", "no_address", "unverified"; empty where a message would reach her now.
    barrier: str
    balance: int
    tier_name: str
    last_visit_at: datetime | None
    language: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceCount:
    """How many may be reached by one channel in one language."""

    channel: Channel
    language: Language
    members: int
    # Of them, those to whom the offer was sent before.
    already: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceSize:
    """What a message to an audience would come to."""

    chosen: int
    # Whom of them it may reach now.
    reachable: tuple[AudienceCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What a page of an audience shows, where it is less than all; it changes no count."""

    # None: whoever they are.
    only: tuple[MemberId, ...] | None = None
    reachable: bool = False


def checked(audience: Audience) -> Audience:
    """The audience, if it is a possible one. Refuses with NumberOutOfRange, AudienceInvalid."""
    asked = audience.filter
    for field, days in (
        ("visited_within_days", asked.visited_within_days),
        ("not_visited_for_days", asked.not_visited_for_days),
    ):
        if not 0 <= days <= DAYS_MAX:
            raise NumberOutOfRange(field=field, params={"minimum": "0", "maximum": str(DAYS_MAX)})
    if any(not 1 <= month <= 12 for month in asked.birthday_months):
        raise NumberOutOfRange(field="birthday_months", params={"minimum": "1", "maximum": "12"})
    if max(len(audience.excluded), len(audience.only)) > MEMBERS_MAX:
        raise AudienceInvalid(field="member_ids", params={"limit_max": str(MEMBERS_MAX)})
    if max(len(asked.tier_ids), len(asked.salon_ids)) > CHOICES_MAX:
        raise AudienceInvalid(field="filter", params={"limit_max": str(CHOICES_MAX)})
    return audience


def stored(audience: Audience) -> dict[str, Any]:
    """An audience as it rests until its send goes out."""
    asked = asdict(audience.filter)
    listed = {
        name: [str(one) for one in found] if name.endswith("_ids") else list(found)
        for name, found in asked.items()
        if isinstance(found, tuple)
    }
    return {
        "filter": {**asked, **listed},
        "excluded": [str(one) for one in audience.excluded],
        "only": [str(one) for one in audience.only],
    }


def restored(rest: Mapping[str, Any]) -> Audience:
    """The audience that was stored."""
    asked = rest["filter"]
    return Audience(
        filter=AudienceFilter(
            visited_within_days=asked["visited_within_days"],
            not_visited_for_days=asked["not_visited_for_days"],
            balance_min=asked["balance_min"],
            balance_max=asked["balance_max"],
            tier_ids=tuple(UUID(one) for one in asked["tier_ids"]),
            birthday_months=tuple(asked["birthday_months"]),
            salon_ids=tuple(UUID(one) for one in asked["salon_ids"]),
            languages=tuple(Language(one) for one in asked["languages"]),
            channels=tuple(Channel(one) for one in asked["channels"]),
        ),
        excluded=tuple(MemberId(UUID(one)) for one in rest["excluded"]),
        only=tuple(MemberId(UUID(one)) for one in rest["only"]),
    )
