"""Whether the platform has come to rest: nothing waits to be published, applied, settled or sent.

Reads the databases themselves: an event counts as applied when its consumer's inbox knows it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import asyncpg

from deploy.local.services import WITH_DATABASE
from services.messaging import consumers as messaging
from services.offers import consumers as offers
from services.points import consumers as points
from services.rewards import consumers as rewards
from tests.stack import Stack

POLL_SECONDS = 0.25

Databases = dict[str, "asyncpg.Connection[asyncpg.Record]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A consumer group: who it is, what it reads and which events it acts on."""

    service: str
    group: str
    topic: str
    types: tuple[str, ...]

    @property
    def source(self) -> str:
        """The service whose outbox feeds it."""
        return self.topic.split(".")[1]


def readers() -> list[Reader]:
    """Every consumer group of the platform, as the services themselves name them."""
    nothing = cast("Any", None)
    known = [
        ("points", points.GROUP, points.ENROLLMENT, points.handlers(nothing)),
        ("offers", offers.GROUP, offers.ENROLLMENT, offers.handlers(nothing)),
        (
            "messaging",
            messaging.CHAINS_GROUP,
            messaging.ENROLLMENT,
            messaging.chain_handlers(nothing),
        ),
        ("messaging", messaging.OFFERS_GROUP, messaging.OFFERS, messaging.offer_handlers()),
        ("messaging", messaging.REWARDS_GROUP, messaging.REWARDS, messaging.reward_handlers()),
        (
            "messaging",
            messaging.CONTACTS_GROUP,
            messaging.CONTACTS,
            messaging.contact_handlers(nothing),
        ),
        *(
            ("rewards", group, topic, handlers)
            for group, (topic, handlers) in rewards.GROUPS.items()
        ),
    ]
    return [
        Reader(service=service, group=group, topic=topic, types=tuple(handlers))
        for service, group, topic, handlers in known
    ]


@asynccontextmanager
async def databases(stack: Stack) -> AsyncIterator[Databases]:
    """A connection to each service's database, with the rights of the service."""
    held: Databases = {}
    try:
        for service in WITH_DATABASE:
            held[service] = await asyncpg.connect(stack.database(service).service_url)
        yield held
    finally:
        for conn in held.values():
            await conn.close()


async def unapplied(held: Databases, reader: Reader) -> set[UUID]:
    """Events of the source's outbox that this reader has not applied."""
    written = await held[reader.source].fetch(
        "SELECT event_id FROM outbox WHERE topic = $1 AND type = ANY ($2)",
        reader.topic,
        list(reader.types),
    )
    known = await held[reader.service].fetch(
        "SELECT event_id FROM inbox WHERE consumer = $1", reader.group
    )
    return {row["event_id"] for row in written} - {row["event_id"] for row in known}


async def unrest(held: Databases) -> list[str]:
    """What still waits, in words; empty when the platform is at rest."""
    found: list[str] = []
    for service, conn in held.items():
        waiting = await conn.fetchval("SELECT count(*) FROM outbox_waiting")
        if waiting:
            found.append(f"{service}: {waiting} events not published")
    for reader in readers():
        missing = await unapplied(held, reader)
        if missing:
            found.append(f"{reader.group}: {len(missing)} events not applied")
    unsent = await held["messaging"].fetchval(
        "SELECT count(*) FROM delivery WHERE state IN ('QUEUED', 'SENDING')"
    )
    if unsent:
        found.append(f"messaging: {unsent} messages not sent")
    return found


async def wait_rest(stack: Stack, *, seconds: float = 30.0) -> float:
    """Wait until the platform is at rest; the seconds that it took."""
    begun = time.monotonic()
    async with databases(stack) as held:
        while left := await unrest(held):
            waited = time.monotonic() - begun
            assert waited < seconds, f"not at rest after {waited:.0f} s: {left}"
            await asyncio.sleep(POLL_SECONDS)
        taken = time.monotonic() - begun
        letters = [
            f"{service}: {row['consumer']} {row['type']}: {row['reason']}"
            for service, conn in held.items()
            for row in await conn.fetch("SELECT consumer, type, reason FROM dead_letter")
        ]
    assert not letters, letters
    return taken


async def wait_settled(stack: Stack, *, seconds: float = 90.0) -> None:
    """Wait until points and rewards agree on every take.

    A take that came to nothing after an unknown answer is looked at once more after a minute.
    """
    deadline = time.monotonic() + seconds
    async with databases(stack) as held:
        while await held["rewards"].fetchval("SELECT count(*) FROM settlement"):
            assert time.monotonic() < deadline, "takes are still open"
            await asyncio.sleep(POLL_SECONDS)


async def assert_effects_stand_once(stack: Stack, chain_id: str, *, phones: set[str]) -> None:
    """What the events of a chain caused elsewhere stands there once: as many as there were causes.

    Accounts for members, one welcome for each phone, the copy of each offer in its last version.
    """
    chain = UUID(chain_id)
    async with databases(stack) as held:
        members = await held["enrollment"].fetch(
            "SELECT id, phone FROM member WHERE chain_id = $1", chain
        )
        accounts = await held["points"].fetch(
            "SELECT member_id FROM account WHERE chain_id = $1", chain
        )
        welcomes = await held["messaging"].fetch(
            "SELECT recipient FROM sandbox_message WHERE chain_id = $1 AND kind = 'WELCOME'", chain
        )
        made = await held["offers"].fetch(
            "SELECT id, version FROM offer WHERE chain_id = $1 ORDER BY id", chain
        )
        copied = await held["rewards"].fetch(
            "SELECT offer_id AS id, version FROM offer_copy WHERE chain_id = $1 ORDER BY id", chain
        )
    everyone = [row["phone"] for row in members]
    assert phones <= set(everyone)
    assert len(everyone) == len(set(everyone))
    assert sorted(row["member_id"] for row in accounts) == sorted(row["id"] for row in members)
    assert sorted(row["recipient"] for row in welcomes) == sorted(everyone)
    assert [tuple(row) for row in copied] == [tuple(row) for row in made]
