"""A plain model of whom a chain may write to, from the rows alone (D11, D18, D26, D36).

It shares no line with the service: dictionaries, and the sentences of the decisions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

SHARED = "+15145550100"
# Whoever said STOP to the shared number before anybody wrote to him from it.
EVERYBODY = UUID(int=0)
ALWAYS = frozenset({"ONE_TIME_CODE", "KEYWORD_ANSWER", "TEXT_TO_JOIN"})
ASKS_FOR_CONSENT = frozenset({"OFFER", "BIRTHDAY", "ANNOUNCEMENT"})


@dataclass(slots=True, kw_only=True)
class Member:
    """The one member of a chain, as she is reached today."""

    phone: str
    email: str
    phone_proved: bool
    email_proved: bool


@dataclass(slots=True, kw_only=True)
class Shop:
    """A chain."""

    live: bool
    plan: str
    member: Member
    own_number: str = ""

    @property
    def speaks_from(self) -> str:
        return self.own_number if self.own_number and self.plan == "PRO" else SHARED


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """The last thing that was said about an address."""

    agreed: bool
    # The number that a STOP went to.
    stopped_at: str = ""


@dataclass(slots=True, kw_only=True)
class Model:
    """What was said, and who wrote to whom from which number."""

    shops: dict[UUID, Shop] = field(default_factory=dict)
    said: dict[tuple[UUID, str], Word] = field(default_factory=dict)
    wrote: set[tuple[UUID, str, str]] = field(default_factory=set)

    def may_leave(self, chain_id: UUID, kind: str, address: str) -> bool:
        """Whether a message of this kind may leave to this address now (D18)."""
        if kind in ALWAYS:
            return True
        shop, word = self.shops[chain_id], self.said.get((chain_id, address))
        if word is not None and not word.agreed:
            return False
        everywhere = self.said.get((EVERYBODY, address))
        if everywhere is not None and not everywhere.agreed and shop.speaks_from == SHARED:
            return False
        hers = shop.member
        if kind not in ASKS_FOR_CONSENT:
            # A receipt that waited must not tell her balance to whoever has her old phone.
            return address in {hers.phone, hers.email}
        if kind == "BIRTHDAY" and shop.plan == "PARTANT":
            return False
        proved = {hers.phone: hers.phone_proved, hers.email: hers.email_proved}
        return word is not None and proved.get(address, False)

    def first_grant(self, chain_id: UUID, address: str) -> None:
        """A grant that comes with an enrolment counts where nobody ever said anything (D36)."""
        self.said.setdefault((chain_id, address), Word(agreed=True))

    def say(self, chain_id: UUID, address: str, *, agreed: bool, at: str = "") -> None:
        """A later act; one that changes nothing is none."""
        word = self.said.get((chain_id, address))
        if word is None or word.agreed != agreed:
            stopped_at = "" if agreed else at
            self.said[chain_id, address] = Word(agreed=agreed, stopped_at=stopped_at)

    def stop(self, phone: str, number: str, meant: UUID | None) -> None:
        """STOP: one chain by its mailbox or number, else every live one that wrote from it."""
        wrote = [one for one in self._live() if (one, number, phone) in self.wrote]
        for chain_id in [meant] if meant else wrote or [EVERYBODY]:
            self.say(chain_id, phone, agreed=False, at=number)

    def yes(self, phone: str, number: str, meant: UUID | None) -> None:
        """YES: restores what that STOP silenced, or grants where one chain can be meant."""
        mine = [one for one in self.shops if self.shops[one].member.phone == phone]
        if meant:
            if meant in mine:
                self.say(meant, phone, agreed=True)
            return
        mine = [one for one in mine if self.shops[one].live]
        if not mine:
            return
        if (EVERYBODY, phone) in self.said:
            self.say(EVERYBODY, phone, agreed=True)
        stopped = [one for one in mine if self._stopped_at(one, phone) == number]
        if stopped or len(mine) == 1:
            for chain_id in stopped or mine:
                self.say(chain_id, phone, agreed=True)

    def _live(self) -> list[UUID]:
        return [one for one, shop in self.shops.items() if shop.live]

    def _stopped_at(self, chain_id: UUID, phone: str) -> str | None:
        word = self.said.get((chain_id, phone))
        return word.stopped_at if word is not None and not word.agreed else None
