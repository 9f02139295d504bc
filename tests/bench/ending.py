"""Measured once, at the end: points of many accounts that end, and the relay that tells of it."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg

from deploy.local import processes
from tests.bench.platform import Platform, World
from tests.bench.process import child
from tests.bench.yardstick import SCHEMA

POINTS = 10
# Of the events that wait then, the relay publishes as many as it can in this time.
RELAY_SECONDS = 15.0

# Accounts with one lot each that ended an hour ago, in a chain of their own.
_LOAD = """
WITH opened AS (
    INSERT INTO {schema}.account (chain_id, id, member_id, program_id, balance, lifetime_points,
                                  sequence, opened_at, updated_at, expiry_due)
    SELECT $1, gen_random_uuid(), gen_random_uuid(), $2, {points}, {points}, 1, now(), now(),
           now() - interval '1 hour'
    FROM generate_series(1, $3::int)
    RETURNING chain_id, id, expiry_due
)
INSERT INTO {schema}.lot (chain_id, id, account_id, posting_id, points, remaining, policy,
                          earned_at, expires_at)
SELECT chain_id, uuidv7(), id, uuidv7(), {points}, {points}, 'P3M', now() - interval '90 days',
       expiry_due
FROM opened
"""

_PROGRAM = """
INSERT INTO public.program_account (chain_id, id, program_id, side)
SELECT $1, gen_random_uuid(), $2, side
FROM unnest(ARRAY['issued', 'redeemed', 'adjusted', 'expired']) AS side
"""

# The same rows as the sweep writes, by one statement that knows nothing of rules.
_SET_BASED = """
WITH ended AS MATERIALIZED (
    SELECT chain_id, id, account_id, remaining, expires_at FROM lot
    WHERE chain_id = $1 AND remaining > 0 AND expires_at <= now()
), posted AS (
    INSERT INTO posting (
        chain_id, id, account_id, source, destination, points, kind, sequence, balance_after,
        actor_kind, business_key, occurred_at, recorded_at)
    SELECT account.chain_id, uuidv7(), account.id, account.id, account.program_id,
           ended.remaining, 'expiry', account.sequence + 1, account.balance - ended.remaining,
           'SYSTEM', 'expiry:' || ended.id, ended.expires_at, now()
    FROM ended JOIN account ON account.chain_id = ended.chain_id AND account.id = ended.account_id
    RETURNING chain_id, id, account_id, points, sequence, balance_after, occurred_at
), used AS (
    INSERT INTO lot_use (chain_id, posting_id, lot_id, points)
    SELECT posted.chain_id, posted.id, ended.id, ended.remaining
    FROM posted JOIN ended USING (chain_id, account_id)
), drained AS (
    UPDATE lot SET remaining = 0 FROM ended
    WHERE lot.chain_id = ended.chain_id AND lot.id = ended.id
), kept AS (
    UPDATE account
    SET balance = posted.balance_after, sequence = posted.sequence, expiry_due = NULL,
        updated_at = now()
    FROM posted WHERE account.chain_id = posted.chain_id AND account.id = posted.account_id
)
INSERT INTO outbox (event_id, chain_id, topic, key, type, subject, payload, occurred_at)
SELECT id, chain_id, 'bench', account_id, 'points.expired', account_id,
       decode(repeat('ab', 200), 'hex'), occurred_at
FROM posted
"""

_LAWS = """
SELECT (SELECT count(*) FROM account
        WHERE chain_id = $1 AND balance = 0 AND expiry_due IS NULL AND sequence = 2) AS accounts,
       (SELECT count(*) FROM posting
        WHERE chain_id = $1 AND kind = 'expiry' AND points = $2) AS postings,
       (SELECT count(*) FROM lot WHERE chain_id = $1 AND remaining = 0) AS lots,
       (SELECT count(*) FROM outbox WHERE chain_id = $1 AND type = 'points.expired') AS events
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the end of many accounts' points took, and how fast its news left."""

    accounts: int
    seconds: float
    set_based_seconds: float
    cpu_seconds: float
    relay_rate: float
    faults: list[str]


async def measure(stack: Platform, world: World, *, accounts: int) -> Ending:
    """Sweep once beside nobody else, then let the relay go on for a while."""
    conn = await asyncpg.connect(stack.admin_url(), command_timeout=1_200)
    chain_id, program_id = uuid4(), UUID(world.chain.program_id)
    record = processes.alive(stack.layout.run, "points")
    if record is None:
        raise RuntimeError("points does not run")
    try:
        for schema in (SCHEMA, "public"):
            load = _LOAD.format(schema=schema, points=POINTS)
            await conn.execute(load, chain_id, program_id, accounts)
        await conn.execute(_PROGRAM, chain_id, program_id)
        await conn.execute("VACUUM ANALYZE")
        set_based = await _set_based(conn, chain_id)
        # Its relay would publish meanwhile: that is measured by itself.
        processes.send(record, signal.SIGSTOP)
        try:
            said = await asyncio.to_thread(child, "tests.bench.expiry", {}, stack.env("points"))
        finally:
            processes.send(record, signal.SIGCONT)
        relay_rate = await _relay_rate(conn)
        faults = await _broken(conn, chain_id, accounts=accounts)
    finally:
        await conn.close()
    return Ending(
        accounts=said["accounts"],
        seconds=said["seconds"],
        set_based_seconds=set_based,
        cpu_seconds=said["cpu_seconds"],
        relay_rate=relay_rate,
        faults=faults,
    )


async def _set_based(conn: asyncpg.Connection[asyncpg.Record], chain_id: UUID) -> float:
    await conn.execute(f"SET search_path = {SCHEMA}")
    begun = time.perf_counter()
    await conn.execute(_SET_BASED, chain_id)
    seconds = time.perf_counter() - begun
    await conn.execute("SET search_path = public")
    return seconds


async def _relay_rate(conn: asyncpg.Connection[asyncpg.Record]) -> float:
    waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
    before = await conn.fetchval(waiting)
    begun = time.perf_counter()
    left = before
    while left and time.perf_counter() - begun < RELAY_SECONDS:
        await asyncio.sleep(min(0.5, RELAY_SECONDS / 10))
        left = await conn.fetchval(waiting)
    return float(before - left) / (time.perf_counter() - begun)


async def _broken(
    conn: asyncpg.Connection[asyncpg.Record], chain_id: UUID, *, accounts: int
) -> list[str]:
    laws = await conn.fetchrow(_LAWS, chain_id, POINTS)
    assert laws is not None
    return [
        f"{accounts} accounts had points that ended, and {count} {what} say so"
        for what, count in laws.items()
        if count != accounts
    ]
