"""The "flux d'activité" of a member: her enrolment, entries of the ledger, facts about rewards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.enrollment.v1.enrollment_pb2 import Member
from loyalty.points.v1 import points_pb2
from loyalty.points.v1.points_pb2 import Entry, ListEntriesRequest
from loyalty.rewards.v1 import rewards_pb2
from loyalty.rewards.v1.rewards_pb2 import GetRewardRequest, ListRewardEventsRequest, RewardEvent
from loyalty.types.v1 import types_pb2
from loyalty.types.v1.types_pb2 import Actor

from services.chassis.errors import RemoteRefusal
from services.gateway.clients import Clients
from services.gateway.web import i18n
from services.gateway.web.i18n import N_

PAGE_ITEMS: Final = 30


class What(StrEnum):
    """Each kind of thing that a feed tells."""

    ENROLLED = "enrolled"
    EARNED = "earned"
    EXCHANGED = "exchanged"
    PROMOTION = "promotion"
    ADJUSTED = "adjusted"
    TAKEN = "taken"
    COUPON = "coupon"
    RETURNED = "returned"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    USED = "used"
    RESTORED = "restored"
    VOIDED = "voided"
    REWARD_EXPIRED = "reward_expired"


_ENTRIES: Final[Mapping[int, What]] = {
    points_pb2.ENTRY_KIND_EARN: What.EARNED,
    points_pb2.ENTRY_KIND_PROMOTION: What.PROMOTION,
    points_pb2.ENTRY_KIND_ADJUSTMENT: What.ADJUSTED,
    points_pb2.ENTRY_KIND_REWARD: What.TAKEN,
    points_pb2.ENTRY_KIND_REWARD_RETURN: What.RETURNED,
    points_pb2.ENTRY_KIND_REFUND: What.REFUNDED,
    points_pb2.ENTRY_KIND_EXPIRY: What.EXPIRED,
}

_EVENTS: Final[Mapping[int, What]] = {
    rewards_pb2.REWARD_EVENT_KIND_TAKEN: What.COUPON,
    rewards_pb2.REWARD_EVENT_KIND_USED: What.USED,
    rewards_pb2.REWARD_EVENT_KIND_RESTORED: What.RESTORED,
    rewards_pb2.REWARD_EVENT_KIND_VOIDED: What.VOIDED,
    rewards_pb2.REWARD_EVENT_KIND_EXPIRED: What.REWARD_EXPIRED,
}

# LS-72, D17: the first is preselected.
REASONS: Final[Mapping[points_pb2.AdjustmentReason.ValueType, str]] = {
    points_pb2.ADJUSTMENT_REASON_SALON: N_("Ajustement au salon"),
    points_pb2.ADJUSTMENT_REASON_PHONE_FORGOTTEN: N_("Téléphone oublié"),
    points_pb2.ADJUSTMENT_REASON_ERROR: N_("Erreur"),
    points_pb2.ADJUSTMENT_REASON_GOODWILL: N_("Geste commercial"),
    points_pb2.ADJUSTMENT_REASON_SOCIAL: N_("Réseaux sociaux"),
    points_pb2.ADJUSTMENT_REASON_OTHER: N_("Autre raison"),
}

# What the feed shows besides: given by itself for an e-mail address (SQ-08), chosen by nobody.
_SHOWN_REASONS: Final[Mapping[points_pb2.AdjustmentReason.ValueType, str]] = {
    **REASONS,
    points_pb2.ADJUSTMENT_REASON_MAILING_LIST: N_("Inscription à la liste de diffusion"),
}

EARNED_BY: Final[Mapping[int, str]] = {
    points_pb2.EARN_SOURCE_SCAN: N_("Code QR scanné"),
    points_pb2.EARN_SOURCE_MULTI_POINT_SCAN: N_("Multi-points et code QR"),
    points_pb2.EARN_SOURCE_MANUAL_CODE: N_("Code numérique"),
    points_pb2.EARN_SOURCE_TABLET: N_("Tablette"),
    points_pb2.EARN_SOURCE_TILL: N_("Caisse"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that happened. Points are signed; `tier_bonus` is a part of them."""

    what: What
    at: Timestamp
    id: str
    member_id: str
    program_id: str = ""
    points: int = 0
    tier_bonus: int = 0
    # Only of an entry of the ledger.
    balance_after: int | None = None
    reward_name: str = ""
    reason: int = 0
    note: str = ""
    earned_by: int = 0
    enrolled_by: int = 0
    salon_id: str = ""
    sale_id: str = ""
    actor: Actor

    @property
    def instant(self) -> datetime:
        """When it happened."""
        return self.at.ToDatetime(UTC)


# The place of a thing in the order of a feed: seconds, nanoseconds, id.
Mark = tuple[int, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Newest first; `older` is the mark to go on from, empty at the end."""

    items: Sequence[Item]
    older: str = ""


def read_mark(text: str) -> Mark | None:
    """The mark of an address; None for the newest page and for what is no mark."""
    try:
        seconds, nanos, last_id = text.split(".", 2)
        mark = (int(seconds), int(nanos), str(UUID(last_id)))
    except ValueError:
        return None
    # What a timestamp can hold.
    return mark if 0 <= mark[0] < 2**34 and 0 <= mark[1] < 10**9 else None


async def page_of(clients: Clients, member: Member, mark: Mark | None) -> Page:
    """One page of everything that happened to a member."""
    entries_asked = ListEntriesRequest(
        chain_id=member.chain_id, member_ids=[member.id], limit=PAGE_ITEMS
    )
    events_asked = ListRewardEventsRequest(
        chain_id=member.chain_id, member_ids=[member.id], limit=PAGE_ITEMS
    )
    if mark is not None:
        before = Timestamp(seconds=mark[0], nanos=mark[1])
        entries_asked.before_time.CopyFrom(before)
        events_asked.before_time.CopyFrom(before)
        entries_asked.before_id = events_asked.before_id = mark[2]
    entries, events = await asyncio.gather(
        clients.points.ListEntries(entries_asked), clients.rewards.ListRewardEvents(events_asked)
    )
    names = {event.reward_id: event.reward_name for event in events.events}
    items = await items_of(clients, member.chain_id, entries.entries, names)
    # What took or gave points back stands in the ledger already.
    items += [_of_event(event) for event in events.events if not event.points]
    if mark is None or _enrolled(member) < mark:
        items.append(_enrolment(member))
    ends = [
        _place(source[-1].occurred_at, source[-1].id)
        for source, more in ((entries.entries, entries.more), (events.events, events.more))
        if more
    ]
    return _page(items, oldest=max(ends, default=None))


def _page(items: list[Item], *, oldest: Mark | None) -> Page:
    """The newest items; none is older than where one of the sources was cut."""
    whole = sorted(
        (item for item in items if oldest is None or _place(item.at, item.id) >= oldest),
        key=lambda item: _place(item.at, item.id),
        reverse=True,
    )
    shown = whole[:PAGE_ITEMS]
    if len(whole) > len(shown):
        oldest = _place(shown[-1].at, shown[-1].id)
    older = "" if oldest is None else ".".join(str(part) for part in oldest)
    return Page(items=shown, older=older)


async def items_of(
    clients: Clients,
    chain_id: str,
    entries: Iterable[Entry],
    reward_names: Mapping[str, str] | None = None,
) -> list[Item]:
    """Entries of the ledger as items, with the names of their rewards."""
    entries = list(entries)
    names = dict(reward_names or {})
    missing = {entry.reward_id for entry in entries if entry.reward_id} - names.keys()
    found = await asyncio.gather(*(_reward_name(clients, chain_id, each) for each in missing))
    names |= dict(zip(missing, found, strict=True))
    return [_of_entry(entry, names) for entry in entries]


async def _reward_name(clients: Clients, chain_id: str, reward_id: str) -> str:
    try:
        answer = await clients.rewards.GetReward(
            GetRewardRequest(chain_id=chain_id, reward_id=reward_id)
        )
    except RemoteRefusal:
        return ""
    return answer.reward.name


def _of_entry(entry: Entry, names: Mapping[str, str]) -> Item:
    what = _ENTRIES.get(entry.kind, What.ADJUSTED)
    if what is What.EARNED and entry.change_id:
        what = What.EXCHANGED
    return Item(
        what=what,
        at=entry.occurred_at,
        id=entry.id,
        member_id=entry.member_id,
        program_id=entry.program_id,
        points=entry.points,
        tier_bonus=entry.tier_bonus,
        balance_after=entry.balance_after,
        reward_name=names.get(entry.reward_id, ""),
        reason=entry.reason,
        note=entry.note,
        earned_by=entry.source,
        salon_id=entry.salon_id,
        sale_id=entry.sale_id,
        actor=entry.actor,
    )


def _of_event(event: RewardEvent) -> Item:
    return Item(
        what=_EVENTS.get(event.kind, What.USED),
        at=event.occurred_at,
        id=event.id,
        member_id=event.member_id,
        program_id=event.program_id,
        reward_name=event.reward_name,
        salon_id=event.salon_id,
        actor=event.actor,
    )


def _enrolment(member: Member) -> Item:
    return Item(
        what=What.ENROLLED,
        at=member.enrolled_at,
        id=member.id,
        member_id=member.id,
        enrolled_by=member.source,
        salon_id=member.salon_id,
        actor=Actor(kind=_ENROLLED_AT.get(member.source, Actor.KIND_MEMBER)),
    )


# By which doors others than she herself have enrolled her.
_ENROLLED_AT: Final[Mapping[int, Actor.Kind.ValueType]] = {
    types_pb2.ENROLLMENT_SOURCE_TILL: Actor.KIND_API_KEY,
    types_pb2.ENROLLMENT_SOURCE_PANEL: Actor.KIND_STAFF,
    types_pb2.ENROLLMENT_SOURCE_IMPORT: Actor.KIND_STAFF,
}


def _enrolled(member: Member) -> Mark:
    return _place(member.enrolled_at, member.id)


def _place(at: Timestamp, item_id: str) -> Mark:
    return (at.seconds, at.nanos, item_id)


def worth_of(item: Item, language: str, *, terms: tuple[str, str] | None = None) -> str:
    """How many: "12 points", or "30 + 7 bonus" where a tier added some (SQ-03, SQ-05).

    `terms` are a program's own words for one point and for several.
    """
    if item.tier_bonus:
        return i18n.translate(
            language,
            "%(base)s + %(bonus)s bonus",
            base=i18n.format_number(item.points - item.tier_bonus, language),
            bonus=i18n.format_number(item.tier_bonus, language),
        )
    if not item.points:
        return ""
    # What was put right by hand went up or down; what was earned only went up.
    up = "+" if item.what is What.ADJUSTED else ""
    sign, points = "−" if item.points < 0 else up, abs(item.points)
    if terms is None:
        return sign + i18n.translate_count(language, "%(num)s point", "%(num)s points", points)
    one, many = ("%(num)s " + term.replace("%", "%%") for term in terms)
    return sign + i18n.translate_count(language, one, many, points)


def reason_words(reason: int) -> str:
    """The words of a reason; none for what was not adjusted by hand."""
    return next((words for value, words in _SHOWN_REASONS.items() if value == reason), "")
