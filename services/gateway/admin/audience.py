"""Who gets a message: all at first, fewer by filters and by ticks taken off by hand (LS-59, LS-61).

Thousands of members are chosen without naming them: the form carries the filter, and the ids of
those alone whose tick was taken off on a page that is not open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from loyalty.enrollment.v1.enrollment_pb2 import FindMembersRequest, Member
from loyalty.messaging.v1.messaging_pb2 import (
    AudienceFilter,
    AudienceMember,
    ListAudienceRequest,
    ListAudienceResponse,
)
from loyalty.types.v1 import types_pb2
from starlette.datastructures import FormData

from services.gateway.admin.desk import Desk
from services.gateway.web.forms import new_key
from services.gateway.web.i18n import N_

PAGE_SIZE: Final = 50
# More ticks taken off than a hand takes off; a filter says it better.
EXCLUDED_MAX: Final = 2000
# Fields of one page: its members twice, the exclusions of the other pages, the filter, the words.
FIELDS_MAX: Final = EXCLUDED_MAX + 2 * PAGE_SIZE + 200
TEXT_LENGTH_MAX: Final = 5000

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(r"[0-9]{1,9}")

CHANNELS: Final = (("SMS", N_("Texto")), ("EMAIL", N_("Courriel")))
LANGUAGES: Final = (("fr", "Français"), ("en", "English"))
BARRIERS: Final = {
    "no_consent": N_("n'a pas accepté les messages"),
    "no_address": N_("n'a pas d'adresse pour ce canal"),
    "unverified": N_("n'a pas encore confirmé son adresse"),
}


class Choice:
    """The form of a send as it was posted; an empty one is the page when it is opened."""

    def __init__(self, form: FormData | None = None) -> None:
        self._form = form or FormData()

    def text(self, name: str) -> str:
        """A field without the spaces around it."""
        found = self._form.get(name, "")
        return found.strip()[:TEXT_LENGTH_MAX].replace("\x00", "") if isinstance(found, str) else ""

    def many(self, name: str) -> list[str]:
        """Every value of a field that may stand several times."""
        return [found[:64] for found in self._form.getlist(name) if isinstance(found, str)]

    def number(self, name: str) -> int | None:
        """A whole number, or None where there is none."""
        found = self.text(name)
        return int(found) if _NUMBER.fullmatch(found) else None

    @property
    def key(self) -> str:
        """The page's own key and all that the form says: pressed twice, it counts once (LS-60)."""
        said = "\x00".join(
            f"{name}={value}" for name, value in sorted(self._form.multi_items(), key=str)
        )
        try:
            return str(uuid5(UUID(self.text("k")), said))
        except ValueError:
            return new_key()

    @property
    def excluded(self) -> list[str]:
        """Members whose tick was taken off, on this page or on one before (LS-61)."""
        shown, ticked = set(self.many("shown")), set(self.many("tick"))
        earlier = [one for one in self.many("excluded") if one not in shown]
        off = [one for one in self.many("shown") if one not in ticked]
        ids = dict.fromkeys(one for one in (*earlier, *off) if _ID.fullmatch(one))
        return list(ids)[:EXCLUDED_MAX]

    @property
    def filter(self) -> AudienceFilter:
        """ "Filtres": all that is set must hold."""
        months = {int(one) for one in self.many("month") if one in {str(m) for m in range(1, 13)}}
        return AudienceFilter(
            visited_within_days=min(self.number("visited_within_days") or 0, 36_500),
            not_visited_for_days=min(self.number("not_visited_for_days") or 0, 36_500),
            balance_min=self.number("balance_min"),
            balance_max=self.number("balance_max"),
            tier_ids=[one for one in self.many("tier") if one],
            birthday_months=sorted(months),
            salon_ids=[one for one in self.many("salon") if _ID.fullmatch(one)],
            languages=[
                types_pb2.LANGUAGE_FR if one == "fr" else types_pb2.LANGUAGE_EN
                for one in self.many("language")
                if one in {"fr", "en"}
            ],
            channels=[
                types_pb2.Channel.Value(f"CHANNEL_{one}")
                for one in self.many("channel")
                if one in {"SMS", "EMAIL"}
            ],
        )

    @property
    def filters(self) -> bool:
        """Whether anything is filtered at all."""
        return self.filter.ByteSize() > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One line of the list."""

    member_id: str
    name: str
    by_text: bool
    # In words, why nothing reaches her; empty = it does.
    barrier: str
    balance: int
    tier_name: str
    ticked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A page of the list, and how many the whole of it holds."""

    recipients: Sequence[Recipient]
    total: int
    reachable: int
    # Of the total, those whose tick was taken off.
    excluded: Sequence[str]
    cursor: str

    @property
    def chosen(self) -> int:
        """How many ticks there are."""
        return max(0, self.total - len(self.excluded))

    @property
    def excluded_elsewhere(self) -> list[str]:
        """Exclusions that this page does not show."""
        here = {one.member_id for one in self.recipients}
        return [one for one in self.excluded if one not in here]


async def audience_of(desk: Desk, choice: Choice, *, cursor: str) -> Audience:
    """A page of those whom the filter leaves, with their names and their ticks."""
    answer: ListAudienceResponse = await desk.deps.clients.messaging.ListAudience(
        ListAudienceRequest(
            chain_id=desk.chain_id, filter=choice.filter, limit=PAGE_SIZE, cursor=cursor
        )
    )
    excluded = choice.excluded
    names = await _names(desk, [member.member_id for member in answer.members])
    return Audience(
        recipients=[
            _recipient(desk, member, names, ticked=member.member_id not in set(excluded))
            for member in answer.members
        ],
        total=answer.total,
        reachable=answer.reachable,
        excluded=excluded,
        cursor=answer.cursor,
    )


def _recipient(
    desk: Desk, member: AudienceMember, names: dict[str, str], *, ticked: bool
) -> Recipient:
    return Recipient(
        member_id=member.member_id,
        name=names.get(member.member_id) or desk.say("Sans nom"),
        by_text=member.channel == types_pb2.CHANNEL_SMS,
        barrier=desk.say(BARRIERS[member.barrier]) if member.barrier in BARRIERS else "",
        balance=member.balance,
        tier_name=member.tier_name,
        ticked=ticked,
    )


async def _names(desk: Desk, member_ids: list[str]) -> dict[str, str]:
    if not member_ids:
        return {}
    found = await desk.deps.clients.enrollment.FindMembers(
        FindMembersRequest(chain_id=desk.chain_id, member_ids=member_ids)
    )
    return {member.id: _name(member) for member in found.members}


def _name(member: Member) -> str:
    return f"{member.given_name} {member.family_name}".strip() or member.phone or member.email
