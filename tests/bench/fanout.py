"""An offer sent to very many: queued at once, then handed over one by one (P12, P13).

It goes through the running platform, by the owner's own call. The chain is a sandbox, so that its
mailbox stands in for the providers: it takes whatever comes, where a real one has its own rate.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from tests.bench import relay
from tests.bench.platform import Platform
from tests.bench.sizes import Size
from tests.bench.yardstick import SCHEMA
from tests.e2e.chains import fresh_key, open_chain

# What is stopped of a send to many keeps the senders busy: of those there is one.
TURNS_OF_FEW = 3
TURNS_OF_MANY = 1
TRIES_MAX = 5
SEND_SECONDS_MAX = 120.0
CAUGHT_UP_SECONDS_MAX = 60.0

# Members as messaging knows them: how to reach them, that they agreed, what they have.
_LOAD = """
WITH made AS (
    INSERT INTO contact (chain_id, member_id, phone, email, given_name, language, registered_by,
                         birthday, phone_verified, email_verified, version)
    SELECT $1, gen_random_uuid(), '+1514' || (2000000 + place), '', 'Alice', 'FR', 'SMS', '', true,
           false, 1
    FROM generate_series($2::int, $3::int) AS place
    RETURNING chain_id, member_id, phone
), agreed AS (
    INSERT INTO consent (chain_id, channel, address, granted, source, number, changed_at)
    SELECT chain_id, 'SMS', phone, true, 'ENROLLMENT', '', now() FROM made
), known AS (
    INSERT INTO member_account (chain_id, account_id, member_id, program_id, balance, sequence)
    SELECT chain_id, gen_random_uuid(), member_id, $4, 5, 5 FROM made
)
INSERT INTO member_standing (chain_id, member_id, last_visit_at)
SELECT chain_id, member_id, now() - interval '10 days' FROM made
"""

# The same recipients as a send has, by one statement that asks for no audience.
_SET_BASED = f"""
INSERT INTO {SCHEMA}.send_recipient (chain_id, send_id, member_id, channel)
SELECT chain_id, $2::uuid, member_id, 'SMS' FROM public.contact WHERE chain_id = $1
"""

_LAWS = """
SELECT (SELECT count(*) FROM public.delivery WHERE send_id = $1 AND state = 'SENT') AS sent,
       (SELECT count(*) FROM public.delivery_attempt AS attempt
        JOIN public.delivery ON delivery.chain_id = attempt.chain_id
            AND delivery.id = attempt.delivery_id WHERE send_id = $1) AS attempts,
       (SELECT count(DISTINCT recipient) FROM public.sandbox_message AS message
        JOIN public.delivery ON delivery.chain_id = message.chain_id
            AND delivery.id = message.id WHERE send_id = $1) AS reached,
       (SELECT count(*) FROM public.outbox JOIN public.delivery
            ON delivery.chain_id = outbox.chain_id AND delivery.id = outbox.key::uuid
        WHERE send_id = $1 AND outbox.type = 'delivery.sent') AS events
"""
_LEFT = """
SELECT EXISTS (SELECT FROM delivery WHERE send_id = $1 AND state IN ('QUEUED', 'SENDING'))
    OR EXISTS (SELECT FROM message_send WHERE id = $1 AND waiting > 0 AND state = 'SENDING')
"""
_BUSY = """
SELECT EXISTS (SELECT FROM public.delivery WHERE state IN ('QUEUED', 'SENDING'))
    OR EXISTS (SELECT FROM public.inbox WHERE recorded_at > now() - interval '2 seconds')
"""


class NotTaken(Exception):
    """The platform did not take a send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueue:
    """Times of queueing a send to so many, and of one statement that writes the same rows."""

    members: int
    seconds: Sequence[float] = ()
    set_based_seconds: Sequence[float] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fanout:
    """A send to many."""

    few: Enqueue
    many: Enqueue
    # Of the last send: how many were handed over in how long, their events with the broker.
    sent: int = 0
    hand_over_seconds: float = 0.0
    events_left_after_seconds: float | None = None
    # Whether messaging had nothing else to do.
    alone: bool = True
    # Answers that the service was out of reach; each was asked again.
    unavailable: int = 0
    faults: Sequence[str] = ()

    @property
    def sent_rate(self) -> float:
        """Messages a second, until the broker had their events."""
        left = self.events_left_after_seconds
        seconds = self.hand_over_seconds + (relay.DRAIN_SECONDS_MAX if left is None else left)
        return self.sent / seconds if seconds else 0.0


@dataclass(slots=True, kw_only=True)
class _Salon:
    """The chain that sends, and what went wrong so far."""

    client: httpx.AsyncClient
    conn: asyncpg.Connection[asyncpg.Record]
    chain_id: UUID
    program_id: UUID
    offer_id: str
    faults: list[str] = field(default_factory=list)
    members: int = 0
    unavailable: int = 0

    async def load(self, members: int) -> None:
        """Have so many members."""
        await self.conn.execute(_LOAD, self.chain_id, self.members + 1, members, self.program_id)
        await self.conn.execute("VACUUM ANALYZE")
        self.members = members

    async def send(self) -> tuple[str, float]:
        """The offer to everybody now: the send, and how long until it was queued; NotTaken.

        One that takes longer than its owner waits is planned, and queued by itself: that counts.
        """
        body = {"idempotency_key": fresh_key(), "send": {"offer_id": self.offer_id}}
        begun = time.perf_counter()
        for _ in range(TRIES_MAX):
            answer = await self.client.post("/v2/messages/sends", json=body)
            if answer.status_code != 503:
                break
            # As the answer asks for: again, with the same key.
            self.unavailable += 1
        else:
            raise NotTaken(f"a send to {self.members} was not taken in {TRIES_MAX} tries")
        send = _read(answer)["send"]
        while send["status"] == "SCHEDULED":
            await asyncio.sleep(0.1)
            send = _read(await self.client.get(f"/v2/messages/sends/{send['id']}"))["send"]
        seconds = time.perf_counter() - begun
        if send["report"]["chosen"] != self.members:
            self.faults.append(f"{self.members} members, and {send['report']['chosen']} chosen")
        return send["id"], seconds

    async def stop(self, send_id: str) -> None:
        """Let nothing more of it leave."""
        _read(await self.client.post(f"/v2/messages/sends/{send_id}/stop"))

    async def enqueue(self, *, turns: int) -> tuple[Enqueue, str]:
        """Both ways in turns; every send but the last is stopped at once."""
        ours, theirs, send_id = [], [], ""
        for turn in range(turns):
            begun = time.perf_counter()
            await self.conn.execute(_SET_BASED, self.chain_id, fresh_key())
            theirs.append(time.perf_counter() - begun)
            send_id, seconds = await self.send()
            ours.append(seconds)
            if turn < turns - 1:
                await self.stop(send_id)
        print(f"  {self.members:,} queued in {min(ours):.2f} to {max(ours):.2f} s", flush=True)
        return Enqueue(members=self.members, seconds=ours, set_based_seconds=theirs), send_id


async def measure(stack: Platform, size: Size) -> Fanout:
    """Send to few, to many, then watch for a while how they are handed over."""
    chain = await open_chain(stack)
    conn = await asyncpg.connect(stack.admin_url("messaging"), command_timeout=600)
    try:
        async with chain.client() as client:
            client.timeout = httpx.Timeout(SEND_SECONDS_MAX)
            salon = _Salon(
                client=client,
                conn=conn,
                chain_id=UUID(chain.told["chain_id"]),
                program_id=UUID(chain.program_id),
                offer_id=await _offer(client),
            )
            alone = await _caught_up(conn)
            await conn.execute(
                f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA};"
                f"CREATE TABLE {SCHEMA}.send_recipient (LIKE public.send_recipient INCLUDING ALL)"
            )
            found = await _sent(salon, size)
            return replace(
                found, alone=alone, unavailable=salon.unavailable, faults=tuple(salon.faults)
            )
    finally:
        await conn.close()


async def _sent(salon: _Salon, size: Size) -> Fanout:
    """To few, to many, and out."""
    few, many = Enqueue(members=size.few_members), Enqueue(members=size.members)
    try:
        await salon.load(size.few_members)
        few, send_id = await salon.enqueue(turns=TURNS_OF_FEW)
        await salon.stop(send_id)
        await salon.load(size.members)
        many, send_id = await salon.enqueue(turns=TURNS_OF_MANY)
        return await _handed_over(salon, size, send_id, few=few, many=many)
    except NotTaken as why:
        salon.faults.append(str(why))
        return Fanout(few=few, many=many)


async def _handed_over(
    salon: _Salon, size: Size, send_id: str, *, few: Enqueue, many: Enqueue
) -> Fanout:
    """Watch the last send go out; what has not gone out in its time is stopped."""
    begun = time.perf_counter()
    left = True
    while left and time.perf_counter() - begun < size.hand_over_seconds:
        await asyncio.sleep(0.2)
        left = await salon.conn.fetchval(_LEFT, UUID(send_id))
    if left:
        await salon.stop(send_id)
    seconds = time.perf_counter() - begun
    drained = await relay.drained(salon.conn)
    # So many rows since the last look of the server's own: without it the joins take an hour.
    await salon.conn.execute("ANALYZE")
    laws = await salon.conn.fetchrow(_LAWS, UUID(send_id))
    assert laws is not None
    sent = laws["sent"]
    if not left and sent != size.members:
        salon.faults.append(f"{size.members} were to get a message, {sent} did")
    salon.faults += [
        f"{sent} deliveries were sent, and {count} {what} say so"
        for what, count in laws.items()
        if count != sent
    ]
    return Fanout(
        few=few,
        many=many,
        sent=sent,
        hand_over_seconds=seconds,
        events_left_after_seconds=drained,
    )


async def _offer(client: httpx.AsyncClient) -> str:
    today = datetime.now(UTC).date()
    offer = {
        "title": "Soin offert",
        "start_date": (today - timedelta(days=2)).isoformat(),
        "end_date": (today + timedelta(days=30)).isoformat(),
    }
    answer = await client.post(
        "/v2/loyalty/offers", json={"idempotency_key": fresh_key(), "offer": offer}
    )
    return str(_read(answer)["offer"]["id"])


async def _caught_up(conn: asyncpg.Connection[asyncpg.Record]) -> bool:
    """Wait until messaging has nothing else to do; False when that takes too long."""
    begun = time.monotonic()
    while await conn.fetchval(_BUSY):
        if time.monotonic() - begun > CAUGHT_UP_SECONDS_MAX:
            return False
        await asyncio.sleep(1)
    return True


def _read(answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code != 200:
        raise RuntimeError(answer.text)
    read: dict[str, Any] = answer.json()
    return read
