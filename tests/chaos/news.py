"""Facts as enrollment and offers publish them, for many chains, and poison among them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.events.v1.enrollment_events_pb2 import (
    ChainChanged,
    CodeRequested,
    ContactChanged,
    FirstGrant,
    MemberEnrolled,
    SalonChanged,
)
from loyalty.events.v1.offers_events_pb2 import OfferChanged
from loyalty.types.v1 import types_pb2

from services.chassis.events import Event
from services.chassis.handling import Handler
from services.chassis.postgres import Pool, transaction

NOW = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
ZONES = ("America/Toronto", "America/Vancouver", "Europe/Paris")
HEADERS = ("ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_chainid")


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One event on its way: what its record carries."""

    type: str
    chain_id: UUID
    key: str
    payload: bytes
    id: str
    # For poison: what its dead letter must say.
    reason: str = ""

    @property
    def has_no_id(self) -> bool:
        """Whether nobody can tell that it came before."""
        return self.id.startswith("no id")

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """CloudEvents' Kafka binding."""
        values = (self.id, self.type, "enrollment", NOW.isoformat(), self.key, str(self.chain_id))
        return [
            (name, value.encode()) for name, value in zip(HEADERS, values, strict=True) if value
        ]

    @property
    def event(self) -> Event:
        """The event that a consumer reads from it."""
        return Event(
            id=UUID(self.id),
            type=self.type,
            source="enrollment",
            subject=self.key,
            chain_id=self.chain_id,
            time=NOW,
            topic="",
            partition=0,
            offset=0,
            key=self.key,
            payload=self.payload,
            request_id="",
        )


def _news(kind: str, chain_id: UUID, key: object, fact: Message) -> News:
    return News(
        type=kind,
        chain_id=chain_id,
        key=str(key),
        payload=fact.SerializeToString(),
        id=str(uuid4()),
    )


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def chains(chain_ids: Sequence[UUID], *, versions: int) -> list[News]:
    """Every chain in each of its versions."""
    return [
        _news(
            "chain.changed",
            chain_id,
            chain_id,
            ChainChanged(
                chain_id=str(chain_id),
                slug=f"salon-{chain_id.hex[:8]}",
                name=f"Salon {version}",
                plan=types_pb2.PLAN_PRO,
                sandbox=True,
                home_time_zone=ZONES[version % len(ZONES)],
                currency="CAD",
                language=types_pb2.LANGUAGE_FR,
                version=version,
            ),
        )
        for version in range(1, versions + 1)
        for chain_id in chain_ids
    ]


def salons(chain_ids: Sequence[UUID], *, versions: int) -> list[News]:
    """Two salons of every chain in each of their versions."""
    ids = {chain_id: (uuid4(), uuid4()) for chain_id in chain_ids}
    return [
        _news(
            "salon.changed",
            chain_id,
            chain_id,
            SalonChanged(
                chain_id=str(chain_id),
                salon_id=str(salon_id),
                name="Plateau",
                time_zone=ZONES[version % len(ZONES)],
                active=version % 2 == 1,
                version=version,
            ),
        )
        for version in range(1, versions + 1)
        for chain_id in chain_ids
        for salon_id in ids[chain_id]
    ]


def members(chain_ids: Sequence[UUID], *, each: int) -> list[News]:
    """So many members of every chain."""
    return [
        _news(
            "member.enrolled",
            chain_id,
            member_id,
            MemberEnrolled(chain_id=str(chain_id), member_id=str(member_id)),
        )
        for chain_id in chain_ids
        for member_id in (uuid4() for _ in range(each))
    ]


def contacts(chain_ids: Sequence[UUID], *, each: int, versions: int) -> list[News]:
    """How so many members of every chain are reached: they join, then change their e-mail."""
    people = [(chain_id, uuid4()) for chain_id in chain_ids for _ in range(each)]

    def contact(chain_id: UUID, member_id: UUID, number: int, version: int) -> ContactChanged:
        grant = FirstGrant(
            channel=types_pb2.CHANNEL_SMS, wording_version="join-1", granted_at=_stamp(NOW)
        )
        joins = version == 1
        return ContactChanged(
            chain_id=str(chain_id),
            member_id=str(member_id),
            phone=f"+1438{2_000_000 + number:07d}",
            email=f"alice-{number}-{version}@example.com",
            given_name="Alice",
            language=types_pb2.LANGUAGE_FR,
            registered_by=types_pb2.CHANNEL_SMS,
            version=version,
            enrolled_now=joins,
            first_grants=[grant] if joins and number % 2 == 0 else [],
            source=types_pb2.ENROLLMENT_SOURCE_WEB,
        )

    return [
        _news("contact.changed", chain_id, member_id, contact(chain_id, member_id, number, version))
        for version in range(1, versions + 1)
        for number, (chain_id, member_id) in enumerate(people)
    ]


def codes(chain_ids: Sequence[UUID], *, each: int) -> list[News]:
    """One-time codes on their way."""
    return [
        _news(
            "code.requested",
            chain_id,
            chain_id,
            CodeRequested(
                chain_id=str(chain_id),
                challenge_id=str(uuid4()),
                channel=types_pb2.CHANNEL_SMS,
                address=f"+1438{3_000_000 + number:07d}",
                sealed_code=b"sealed",
                language=types_pb2.LANGUAGE_FR,
                expires_at=_stamp(NOW + timedelta(minutes=10)),
            ),
        )
        for chain_id in chain_ids
        for number in range(each)
    ]


def offers(chain_ids: Sequence[UUID], *, each: int, versions: int) -> list[News]:
    """Offers in each of their versions; the last version of every third one deletes it."""
    made = [(chain_id, uuid4()) for chain_id in chain_ids for _ in range(each)]
    return [
        _news(
            "offer.changed",
            chain_id,
            offer_id,
            OfferChanged(
                chain_id=str(chain_id),
                offer_id=str(offer_id),
                title=f"Gloss offert {version}",
                start_date="2026-11-01",
                end_date=f"2026-12-{version:02d}",
                coupon_expiry_date="2027-01-31" if version % 2 else "",
                shown_in_app=version % 2 == 0,
                deleted=version == versions and number % 3 == 0,
                version=version,
                home_time_zone=ZONES[version % len(ZONES)],
            ),
        )
        for version in range(1, versions + 1)
        for number, (chain_id, offer_id) in enumerate(made)
    ]


def _foreign(victim: News) -> bytes:
    """The victim's payload, speaking of another chain than its header."""
    return victim.payload.replace(str(victim.chain_id).encode(), str(uuid4()).encode())


def poisoned(news: Sequence[News], *, share: float) -> list[News]:
    """Events that can never be applied: illegible, of a wrong chain, without an id or a type."""
    found: list[News] = []
    for number in range(round(len(news) * share)):
        victim = replace(random.choice(news), id=str(uuid4()))
        kinds: list[dict[str, Any]] = [
            {"payload": b"\xff\xfe not a message", "reason": "is no"},
            {"payload": _foreign(victim), "reason": "chain"},
            {"id": f"no id {number}", "reason": "unparseable"},
            {"type": "", "reason": "unparseable: the header ce_type is missing"},
        ]
        found.append(replace(victim, **kinds[number % len(kinds)]))
    return found


async def apply_in_order(pool: Pool, handlers: dict[str, Handler], news: Sequence[News]) -> None:
    """What consumers are to end at: every event once, in order."""
    for one in news:
        handler = handlers.get(one.type)
        if handler is not None:
            async with transaction(pool) as conn:
                await handler(conn, one.event)
