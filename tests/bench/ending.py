"""The end of the points of many accounts, beside one statement that writes the same (P11, P13)."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from deploy.local import processes
from tests.bench import beside, ends, gates, relay
from tests.bench.beside import Beside
from tests.bench.driving import Drives
from tests.bench.ends import Ends
from tests.bench.process import child
from tests.bench.yardstick import SCHEMA

LOAD_SECONDS_MAX = 1_200

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
), told AS (
    INSERT INTO outbox (event_id, chain_id, topic, key, type, subject, payload, occurred_at,
                        published_at)
    SELECT id, chain_id, 'bench', account_id, 'points.expired', account_id,
           decode(repeat('ab', 200), 'hex'), occurred_at, now()
    FROM posted RETURNING id
)
INSERT INTO outbox_waiting (id) SELECT id FROM told
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One sweep for points that end, with nobody beside it."""

    accounts: int
    seconds: float
    set_based_seconds: float
    cpu_seconds: float
    faults: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the end of points took, what it left to others, and how fast its news left."""

    few: Sweep
    many: Sweep
    beside: Beside
    # Events a second, with nothing else to do.
    relay_rate: float
    faults: Sequence[str]


async def measure(drives: Drives) -> Ending:
    """Sweep few accounts, then some beside earns, then many; then let the relay go on."""
    stack, size = drives.stack, drives.size
    conn = await asyncpg.connect(stack.admin_url(), command_timeout=LOAD_SECONDS_MAX)
    try:
        few = await _sweep(drives, conn, ends.of(drives.world, size.few_accounts))
        await relay.drained(conn)
        together = await beside.measure(drives, conn)
        many = await _sweep(drives, conn, ends.of(drives.world, size.accounts))
        return Ending(
            few=few,
            many=many,
            beside=together,
            relay_rate=await relay.rate(conn),
            # The ledger check would miss the earns that these accounts were loaded without.
            faults=await gates.books(drives),
        )
    finally:
        await conn.close()


async def _sweep(drives: Drives, conn: asyncpg.Connection[asyncpg.Record], chain: Ends) -> Sweep:
    """One statement in the scratch schema, then the sweep; points itself stands still meanwhile.

    It would sweep too, and publish, which is measured by itself.
    """
    stack = drives.stack
    record = processes.alive(stack.layout.run, "points")
    if record is None:
        raise RuntimeError("points does not run")
    transaction = conn.transaction()
    await transaction.start()
    for schema in (SCHEMA, "public"):
        await chain.load(conn, schema=schema)
    processes.send(record, signal.SIGSTOP)
    try:
        await transaction.commit()
        await conn.execute("VACUUM ANALYZE")
        set_based = await _set_based(conn, chain)
        said = await asyncio.to_thread(child, "tests.bench.expiry", {}, stack.env("points"))
    finally:
        processes.send(record, signal.SIGCONT)
    print(f"  {chain.accounts:,} accounts ended in {said['seconds']:.1f} s", flush=True)
    return Sweep(
        accounts=said["accounts"],
        seconds=said["seconds"],
        set_based_seconds=set_based,
        cpu_seconds=said["cpu_seconds"],
        faults=await chain.broken(conn),
    )


async def _set_based(conn: asyncpg.Connection[asyncpg.Record], chain: Ends) -> float:
    await conn.execute(f"SET search_path = {SCHEMA}")
    begun = time.perf_counter()
    await conn.execute(_SET_BASED, chain.chain_id)
    seconds = time.perf_counter() - begun
    await conn.execute("SET search_path = public")
    return seconds
