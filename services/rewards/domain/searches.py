"""What a search asks for, and where one of its pages ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.rewards.domain.ids import (
    AccountId,
    ChainId,
    MemberId,
    RewardEventId,
    RewardId,
    SaleId,
    SalonId,
)
from services.rewards.domain.rewards import RewardEventKind, RewardState


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardPlace:
    """The last reward of a page."""

    updated_at: datetime
    reward_id: RewardId


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSearch:
    """AND between the filters; an empty one lets everything through."""

    chain_id: ChainId
    account_id: AccountId | None = None
    member_id: MemberId | None = None
    states: Sequence[RewardState] = ()
    after: RewardPlace | None = None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPlace:
    """The last event of a page."""

    at: datetime
    event_id: RewardEventId


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSearch:
    """AND between the filters, OR inside each; an empty one lets everything through."""

    chain_id: ChainId
    account_ids: Sequence[AccountId] = ()
    member_ids: Sequence[MemberId] = ()
    salon_ids: Sequence[SalonId] = ()
    kinds: Sequence[RewardEventKind] = ()
    reward_id: RewardId | None = None
    sale_id: SaleId | None = None
    # [since, until).
    since: datetime | None = None
    until: datetime | None = None
    before: EventPlace | None = None
    # Order and bounds go by when events were recorded in place of when they occurred.
    by_recording: bool = False
    limit: int
