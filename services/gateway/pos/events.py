"""Loyalty events: the ledger's entries and the facts about rewards, as one list, newest first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal, NotRequired

from fastapi import APIRouter
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.points.v1 import points_pb2
from loyalty.rewards.v1 import rewards_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import ApiError, Json
from services.gateway.pos import cursors
from services.gateway.pos.caller import Caller, LoyaltyReader
from services.gateway.pos.event_shapes import EventShape, entry_event, reward_event
from services.gateway.pos.fields import Cursor, Id, Part, TimeRange, id_or_none
from services.gateway.pos.found import account_of, sale_or_none

router = APIRouter(prefix="/loyalty/events", tags=["Loyalty events"])

PAGE_MAX = 30
SALONS_MAX = 50
# A key of one salon skips events of others; after so many pages the caller goes on by cursor.
ROUNDS_MAX = 10

EventType = Literal[
    "ACCUMULATE_POINTS",
    "ACCUMULATE_PROMOTION_POINTS",
    "CREATE_REWARD",
    "REDEEM_REWARD",
    "DELETE_REWARD",
    "ADJUST_POINTS",
    "EXPIRE_POINTS",
    "OTHER",
    "REFUND_POINTS",
    "RESTORE_REWARD",
    "MERGE",
]

_ENTRY_KINDS: Final[dict[str, points_pb2.EntryKind.ValueType]] = {
    "ACCUMULATE_POINTS": points_pb2.ENTRY_KIND_EARN,
    "ACCUMULATE_PROMOTION_POINTS": points_pb2.ENTRY_KIND_PROMOTION,
    "REFUND_POINTS": points_pb2.ENTRY_KIND_REFUND,
    "EXPIRE_POINTS": points_pb2.ENTRY_KIND_EXPIRY,
    "ADJUST_POINTS": points_pb2.ENTRY_KIND_ADJUSTMENT,
}
_REWARD_KINDS: Final[dict[str, rewards_pb2.RewardEventKind.ValueType]] = {
    "CREATE_REWARD": rewards_pb2.REWARD_EVENT_KIND_TAKEN,
    "REDEEM_REWARD": rewards_pb2.REWARD_EVENT_KIND_USED,
    "DELETE_REWARD": rewards_pb2.REWARD_EVENT_KIND_VOIDED,
    "RESTORE_REWARD": rewards_pb2.REWARD_EVENT_KIND_RESTORED,
    "OTHER": rewards_pb2.REWARD_EVENT_KIND_EXPIRED,
}


class EventsAnswer(TypedDict):
    """A page of events."""

    events: list[EventShape]
    cursor: NotRequired[str]


class AccountFilter(Part):
    """Of one account."""

    loyalty_account_id: Id


class TypeFilter(Part):
    """Of one of these types."""

    types: Annotated[list[EventType], Field(min_length=1, max_length=20)]


class DateTimeFilter(Part):
    """Recorded in a span of time."""

    created_at: TimeRange


class LocationFilter(Part):
    """At one of these salons."""

    location_ids: Annotated[list[Id], Field(min_length=1, max_length=SALONS_MAX)]


class OrderFilter(Part):
    """Of one sale: points earned, by promotion and refunded; rewards taken on it, used with it and
    given back by its refund."""

    order_id: Id


class EventFilter(Part):
    """All that are given must hold."""

    loyalty_account_filter: AccountFilter | None = None
    type_filter: TypeFilter | None = None
    date_time_filter: DateTimeFilter | None = None
    location_filter: LocationFilter | None = None
    order_filter: OrderFilter | None = None


class EventQuery(Part):
    """Which events."""

    filter: EventFilter | None = None


class SearchEvents(Part):
    """Events, newest first."""

    query: EventQuery | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=PAGE_MAX)] | None = None
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One event with its place in the order."""

    # When it was recorded.
    seconds: int
    nanos: int
    id: str
    salon_id: str
    shape: EventShape

    @property
    def place(self) -> _Place:
        """Later and, within one instant, greater ids come first."""
        return (self.seconds, self.nanos, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The filters, in the services' words; None for a kind that the caller does not want."""

    account_ids: list[str]
    salon_ids: list[str]
    # Empty: of any, and of none.
    sale_id: str
    entry_kinds: list[points_pb2.EntryKind.ValueType] | None
    reward_kinds: list[rewards_pb2.RewardEventKind.ValueType] | None
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One service's share of a page, newest first."""

    found: list[_Found]
    more: bool
    # Set on a first page: the service knows of all that it recorded before it.
    horizon: tuple[int, int] | None


_Place = tuple[int, int, str]
_Page = Callable[[_Place | None, int], Awaitable[_Part]]


@router.post("/search", response_model=EventsAnswer, operation_id="SearchLoyaltyEvents")
async def search_events(caller: LoyaltyReader, body: SearchEvents) -> Response:
    """Events by `created_at`, when they were recorded, newest first: AND between filters, OR inside
    a list. Whatever was recorded before the call is there, so following misses nothing."""
    given = (body.query.filter if body.query else None) or EventFilter()
    filters = given.model_dump(mode="json", exclude_none=True)
    position = cursors.read(caller.deps, caller.chain_id, "events", filters, body.cursor)
    wanted = await _wanted(caller, given)
    if wanted is None:
        return Json({"events": []})
    before = (int(position[0]), int(position[1]), position[2]) if position else None
    limit = body.limit or PAGE_MAX
    found, more_before = await _collect(caller, wanted, before, limit)
    page: EventsAnswer = {"events": [event.shape for event in found]}
    if more_before is not None:
        place = [str(part) for part in more_before]
        page["cursor"] = cursors.give(caller.deps, caller.chain_id, "events", filters, place)
    return Json(page)


async def _wanted(caller: Caller, given: EventFilter) -> _Wanted | None:
    """What to ask the services; None when nothing can match."""
    account_ids, salon_ids = [], []
    if given.loyalty_account_filter is not None:
        field = "query.filter.loyalty_account_filter.loyalty_account_id"
        account_id = given.loyalty_account_filter.loyalty_account_id
        account_ids = [(await account_of(caller, account_id, field=field)).id]
    if given.location_filter is not None:
        mine = {salon.id for salon in await caller.salons()}
        asked = {id_or_none(text) for text in given.location_filter.location_ids}
        salon_ids = sorted(mine & {salon_id for salon_id in asked if salon_id})
        if not salon_ids:
            return None
    sale_id = ""
    if given.order_filter is not None:
        sale = await sale_or_none(caller, given.order_filter.order_id)
        if sale is None:
            return None
        sale_id = sale.id
    span = given.date_time_filter.created_at if given.date_time_filter else TimeRange()
    if span.start_at and span.end_at and span.end_at < span.start_at:
        raise ApiError.of(
            "INVALID_TIME_RANGE", field="query.filter.date_time_filter.created_at.end_at"
        )
    types = list(given.type_filter.types) if given.type_filter else [*_ENTRY_KINDS, *_REWARD_KINDS]
    entry_kinds = [_ENTRY_KINDS[name] for name in types if name in _ENTRY_KINDS]
    reward_kinds = [_REWARD_KINDS[name] for name in types if name in _REWARD_KINDS]
    return _Wanted(
        account_ids=account_ids,
        salon_ids=salon_ids,
        sale_id=sale_id,
        entry_kinds=entry_kinds or None,
        reward_kinds=reward_kinds or None,
        start=span.start_at,
        end=span.end_at,
    )


async def _collect(
    caller: Caller, wanted: _Wanted, before: _Place | None, limit: int
) -> tuple[list[_Found], _Place | None]:
    """A page of events that the caller may see, and where to go on if there is more."""
    pages: list[_Page] = []
    if wanted.entry_kinds is not None:
        pages.append(_entries(caller, wanted))
    if wanted.reward_kinds is not None:
        pages.append(_reward_events(caller, wanted))
    found: list[_Found] = []
    for _ in range(ROUNDS_MAX):
        parts = [await page(before, limit) for page in pages]
        # What one service knows of and another may not yet is left for the next call.
        horizon = min((part.horizon for part in parts if part.horizon), default=None)
        merged = sorted(
            (
                event
                for part in parts
                for event in part.found
                if horizon is None or (event.seconds, event.nanos) < horizon
            ),
            key=lambda event: event.place,
            reverse=True,
        )
        exhausted = not any(part.more for part in parts)
        taken = merged[:limit]
        for at, event in enumerate(taken):
            before = event.place
            if event.salon_id and not caller.may_speak_for(event.salon_id):
                continue
            found.append(event)
            if len(found) == limit:
                is_last = exhausted and at + 1 == len(merged)
                return found, None if is_last else before
        if exhausted and len(taken) == len(merged):
            return found, None
    return found, before


def _entries(caller: Caller, wanted: _Wanted) -> _Page:
    async def page(before: _Place | None, limit: int) -> _Part:
        request = points_pb2.ListEntriesRequest(
            chain_id=caller.chain_id,
            account_ids=wanted.account_ids,
            kinds=wanted.entry_kinds,
            salon_ids=wanted.salon_ids,
            sale_id=wanted.sale_id,
            by_recording=True,
            limit=limit,
        )
        _bound(request, wanted, before)
        answer = await caller.deps.clients.points.ListEntries(request)
        found = [
            _Found(
                seconds=entry.recorded_at.seconds,
                nanos=entry.recorded_at.nanos,
                id=entry.id,
                salon_id=entry.salon_id,
                shape=entry_event(entry),
            )
            for entry in answer.entries
        ]
        return _Part(found=found, more=answer.more, horizon=_horizon(answer))

    return page


def _reward_events(caller: Caller, wanted: _Wanted) -> _Page:
    async def page(before: _Place | None, limit: int) -> _Part:
        request = rewards_pb2.ListRewardEventsRequest(
            chain_id=caller.chain_id,
            account_ids=wanted.account_ids,
            kinds=wanted.reward_kinds,
            salon_ids=wanted.salon_ids,
            sale_id=wanted.sale_id,
            by_recording=True,
            limit=limit,
        )
        _bound(request, wanted, before)
        answer = await caller.deps.clients.rewards.ListRewardEvents(request)
        found = [_found(event) for event in answer.events]
        return _Part(found=found, more=answer.more, horizon=_horizon(answer))

    return page


def _horizon(
    answer: points_pb2.ListEntriesResponse | rewards_pb2.ListRewardEventsResponse,
) -> tuple[int, int] | None:
    if not answer.HasField("horizon"):
        return None
    return (answer.horizon.seconds, answer.horizon.nanos)


def _found(event: rewards_pb2.RewardEvent) -> _Found:
    return _Found(
        seconds=event.recorded_at.seconds,
        nanos=event.recorded_at.nanos,
        id=event.id,
        salon_id=event.salon_id,
        shape=reward_event(event),
    )


def _bound(
    request: points_pb2.ListEntriesRequest | rewards_pb2.ListRewardEventsRequest,
    wanted: _Wanted,
    before: _Place | None,
) -> None:
    """Set the span and the place to go on from."""
    if wanted.start is not None:
        # `from` is a word of Python, so the field has no attribute.
        getattr(request, "from").FromDatetime(wanted.start)
    if wanted.end is not None:
        request.to.FromDatetime(wanted.end)
    if before is not None:
        request.before_time.CopyFrom(Timestamp(seconds=before[0], nanos=before[1]))
        request.before_id = before[2]
