"""Who gets a message: all at first, fewer by filters and by ticks taken off by hand (LS-59, LS-61).

Thousands of members are chosen without naming them: the form carries the filter, and the ids of
those alone whose tick was taken off on a page that is not open. After "Tout décocher" it is the
other way round: nobody, but those whose tick was put.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from loyalty.enrollment.v1.enrollment_pb2 import SearchMembersRequest
from loyalty.messaging.v1.messaging_pb2 import (
    AudienceCount,
    AudienceFilter,
    AudienceMember,
    CountAudienceRequest,
    CountAudienceResponse,
    ListAudienceRequest,
    ListAudienceResponse,
)
from loyalty.types.v1 import types_pb2
from starlette.datastructures import FormData

from services.gateway.admin.desk import Desk
from services.gateway.admin.member_names import member_names
from services.gateway.web.forms import new_key
from services.gateway.web.i18n import N_, language_name

PAGE_SIZE: Final = 50
# More ticks than a hand puts or takes off; a filter says it better.
BY_HAND_MAX: Final = 2000
# Fields of one page: its members twice, the ticks of the other pages, the filter, the words.
FIELDS_MAX: Final = BY_HAND_MAX + 2 * PAGE_SIZE + 200
SEARCH_LENGTH_MAX: Final = 100
# Nobody's id: asked for where a search finds nobody.
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
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
    def none_at_first(self) -> bool:
        """Whether nobody is ticked but those whose tick was put: after "Tout décocher"."""
        return self.text("go") == "none" or (
            self.text("base") == "none" and self.text("go") != "all"
        )

    @property
    def by_hand(self) -> list[str]:
        """Members whose tick a hand took off, or put where none was; on any page (LS-61)."""
        if self.text("go") in {"all", "none"}:
            return []
        shown, ticked = self.many("shown"), set(self.many("tick"))
        here = [one for one in shown if (one in ticked) is self.none_at_first]
        earlier = [one for one in self.many("by_hand") if one not in set(shown)]
        # None is left out, however many: who is not in this list gets the message after all.
        return list(dict.fromkeys(one for one in (*earlier, *here) if _ID.fullmatch(one)))

    @property
    def excluded(self) -> list[str]:
        """Who does not get it, of all."""
        return [] if self.none_at_first else self.by_hand

    @property
    def only(self) -> list[str]:
        """Who alone gets it; never empty where nobody is ticked, for that would mean all."""
        return (self.by_hand or [_NOBODY]) if self.none_at_first else []

    @property
    def said(self) -> list[tuple[str, str]]:
        """All of it, for the question before it is sent: the ticks as they are by now."""
        kept = {"go", "shown", "tick", "by_hand", "base", "next"}
        fields = [
            (name, value)
            for name, value in self._form.multi_items()
            if name not in kept and isinstance(value, str)
        ]
        base = "none" if self.none_at_first else "all"
        return [*fields, ("base", base), *(("by_hand", one) for one in self.by_hand)]

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
class Size:
    """How many are ticked, and whom of them it would reach now, by channel and language."""

    chosen: int
    reachable: Sequence[AudienceCount]

    def members(self, *, by_text: bool, language: str = "") -> int:
        """How many it reaches by texts, or by e-mails; in one language, or in any."""
        return sum(
            one.members
            for one in self.reachable
            if (one.channel == types_pb2.CHANNEL_SMS) is by_text
            and language in {"", language_name(one.language)}
        )

    @property
    def texts(self) -> int:
        """How many get a text."""
        return self.members(by_text=True)

    @property
    def emails(self) -> int:
        """How many get an e-mail."""
        return self.members(by_text=False)

    @property
    def already(self) -> int:
        """To how many of them this offer was sent before."""
        return sum(one.already for one in self.reachable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A page of the list, and what the ticks come to."""

    recipients: Sequence[Recipient]
    size: Size
    # Ticks put or taken off by hand, on this page and on others.
    by_hand: Sequence[str]
    cursor: str

    @property
    def by_hand_elsewhere(self) -> list[str]:
        """Those of them whom this page does not show."""
        here = {one.member_id for one in self.recipients}
        return [one for one in self.by_hand if one not in here]


async def audience_of(desk: Desk, choice: Choice, *, cursor: str, offer_id: str = "") -> Audience:
    """A page of those whom the filter and the search leave, with their names and their ticks."""
    request = ListAudienceRequest(
        chain_id=desk.chain_id,
        filter=choice.filter,
        limit=PAGE_SIZE,
        cursor=cursor,
        member_ids=await _found(desk, choice.text("search")),
        only_reachable=choice.text("reachable") == "1",
    )
    answer: ListAudienceResponse
    answer, size = await asyncio.gather(
        desk.deps.clients.messaging.ListAudience(request), size_of(desk, choice, offer_id=offer_id)
    )
    by_hand = set(choice.by_hand)
    names = await member_names(desk, [member.member_id for member in answer.members])
    return Audience(
        recipients=[
            _recipient(
                desk,
                member,
                names,
                ticked=(member.member_id in by_hand) is choice.none_at_first,
            )
            for member in answer.members
        ],
        size=size,
        by_hand=choice.by_hand,
        cursor=answer.cursor,
    )


async def size_of(desk: Desk, choice: Choice, *, offer_id: str = "") -> Size:
    """What the ticks come to, and to whom of them an offer was sent before."""
    answer: CountAudienceResponse = await desk.deps.clients.messaging.CountAudience(
        CountAudienceRequest(
            chain_id=desk.chain_id,
            filter=choice.filter,
            excluded_member_ids=choice.excluded,
            member_ids=choice.only,
            offer_id=offer_id,
        )
    )
    return Size(chosen=answer.chosen, reachable=answer.reachable)


async def _found(desk: Desk, search: str) -> list[str]:
    """Whom a search by name, e-mail or the end of a phone number finds; empty = not searched."""
    if not search:
        return []
    answer = await desk.deps.clients.enrollment.SearchMembers(
        SearchMembersRequest(
            chain_id=desk.chain_id,
            query=search[:SEARCH_LENGTH_MAX],
            limit=PAGE_SIZE,
            sort=SearchMembersRequest.SORT_NAME,
        )
    )
    return [member.id for member in answer.members] or [_NOBODY]


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
