"""What points tells messaging, as its events say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.events.v1 import points_events_pb2 as facts

from services.chassis.events import Event
from services.chassis.postgres import in_transaction
from services.messaging import consumers
from services.messaging.domain.chain import MemberId
from tests.messaging.conftest import MessagingHarness


def stamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


@dataclass(kw_only=True)
class Ledger:
    """One member's account in a chain's program."""

    messaging: MessagingHarness
    chain_id: UUID
    member_id: MemberId
    account_id: str = field(default_factory=lambda: str(uuid4()))
    program_id: str = field(default_factory=lambda: str(uuid4()))
    salon_id: str = field(default_factory=lambda: str(uuid4()))
    balance: int = 0
    sequence: int = 0

    def event(self, kind: str, fact: Message) -> Event:
        """An event as the consumer reads it."""
        return Event(
            id=uuid4(),
            type=kind,
            source="points",
            subject="",
            chain_id=UUID(str(self.chain_id)),
            time=self.messaging.clock.now(),
            topic=consumers.POINTS,
            partition=0,
            offset=0,
            key=self.account_id,
            payload=fact.SerializeToString(),
            request_id="",
        )

    async def tell(self, kind: str, fact: Message) -> None:
        """One event arrives."""
        await self.tell_together([(kind, fact)])

    async def tell_together(self, facts: Sequence[tuple[str, Message]]) -> None:
        """Some events arrive in one go, as the consumer hands them over."""
        events = [self.event(kind, fact) for kind, fact in facts]
        standings = consumers.standings(self.messaging.deps)
        await in_transaction(self.messaging.pool, lambda conn: standings.apply(conn, events))

    @property
    def names(self) -> dict[str, Any]:
        return {
            "chain_id": str(self.chain_id),
            "account_id": self.account_id,
            "member_id": str(self.member_id),
            "program_id": self.program_id,
        }

    async def program(self, **changes: Any) -> None:
        given: dict[str, Any] = {
            "chain_id": str(self.chain_id),
            "program_id": self.program_id,
            "name": "Vos points",
            "term_one": "point",
            "term_other": "points",
            "active": True,
            "version": 1,
        }
        await self.tell("program.changed", facts.ProgramChanged(**{**given, **changes}))

    def posted(self, points: int, **changes: Any) -> facts.PointsPosted:
        """The next posting of the account."""
        self.balance += points
        self.sequence += 1
        given: dict[str, Any] = {
            **self.names,
            "posting_id": str(uuid4()),
            "points": points,
            "balance_after": self.balance,
            "sequence": self.sequence,
            "occurred_at": stamp(self.now),
        }
        return facts.PointsPosted(**{**given, **changes})

    @property
    def now(self) -> datetime:
        return self.messaging.deps.clock.now(self.chain_id)

    async def earn(self, points: int, **changes: Any) -> facts.PointsPosted:
        """A visit: points by scan, in the salon."""
        fact = self.posted(points, source="SCAN", salon_id=self.salon_id, **changes)
        await self.tell("points.earned", fact)
        return fact

    async def adjust(self, points: int, **changes: Any) -> facts.PointsPosted:
        fact = self.posted(points, reason="ERROR", **changes)
        await self.tell("points.adjusted", fact)
        return fact

    async def sale(self, points: int, *, promotion: int = 0) -> facts.SaleCounted:
        """A sale: its postings, then its own event."""
        told = self.sale_facts(points, promotion=promotion)
        for kind, fact in told:
            await self.tell(kind, fact)
        counted = told[-1][1]
        assert isinstance(counted, facts.SaleCounted)
        return counted

    def sale_facts(self, points: int, *, promotion: int = 0) -> list[tuple[str, Message]]:
        """What points tells of a sale, in order."""
        sale_id = str(uuid4())
        told: list[tuple[str, Message]] = []
        if points:
            base = self.posted(points, source="TILL", sale_id=sale_id, salon_id=self.salon_id)
            told.append(("points.earned", base))
        if promotion:
            bonus = self.posted(promotion, sale_id=sale_id, salon_id=self.salon_id)
            told.append(("points.promoted", bonus))
        counted = facts.SaleCounted(
            **self.names,
            sale_id=sale_id,
            salon_id=self.salon_id,
            points=points + promotion,
            occurred_at=stamp(self.now),
        )
        return [*told, ("sale.counted", counted)]

    async def tier(self, name: str, *, risen: bool = True) -> facts.TierChanged:
        fact = self.rising(name, risen=risen)
        await self.tell("tier.changed", fact)
        return fact

    def rising(self, name: str, *, risen: bool = True) -> facts.TierChanged:
        """The account on another level."""
        return facts.TierChanged(
            **self.names,
            tier_id=str(uuid4()),
            tier_name=name,
            risen=risen,
            occurred_at=stamp(self.now),
        )

    async def expiring(self, points: int, last_day: str) -> facts.PointsExpiring:
        fact = self.ending(points, last_day)
        await self.tell("points.expiring", fact)
        return fact

    def ending(self, points: int, last_day: str) -> facts.PointsExpiring:
        """Points of the account that end in two weeks."""
        return facts.PointsExpiring(
            **self.names,
            points=points,
            last_day=last_day,
            expires_at=stamp(self.now + timedelta(days=16)),
            balance=self.balance,
            occurred_at=stamp(self.now),
        )


async def a_member(messaging: MessagingHarness, **words: Any) -> Ledger:
    """Alice, who joined some days ago and was welcomed, with her account."""
    chain_id = await messaging.chain()
    contact = await messaging.enroll(chain_id, **words)
    await messaging.drain()
    messaging.clock.advance(timedelta(days=3))
    ledger = Ledger(messaging=messaging, chain_id=chain_id, member_id=contact.member_id)
    await ledger.program()
    return ledger


async def regular(messaging: MessagingHarness, **words: Any) -> Ledger:
    """Alice, who has had her first points before."""
    ledger = await a_member(messaging, **words)
    await ledger.earn(4)
    await messaging.drain()
    return ledger
