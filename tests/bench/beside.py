"""Earns while the points of many accounts end in the same process (P11)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from tests.bench import ends, gates
from tests.bench.driving import ACCUMULATE, Driven, Drives
from tests.bench.ends import Ends
from tests.bench.measures import Measure
from tests.bench.platform import SWEEP_SECONDS

LOOK_SECONDS = 0.1
SWEEP_SECONDS_MAX = 300.0
# Less than this together says nothing of either.
TOGETHER_SECONDS_MIN = 1.0

_BEGUN = "SELECT EXISTS (SELECT FROM public.posting WHERE chain_id = $1)"
_OVER = """
SELECT NOT EXISTS (
    SELECT FROM public.lot WHERE chain_id = $1 AND remaining > 0 AND expires_at <= now())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Earns alone, and earns while points sweeps."""

    accounts: int
    alone: Measure
    together: Measure
    # How long both went on at the same time, and how long the sweep took in all.
    together_seconds: float
    sweep_seconds: float
    faults: Sequence[str]


async def measure(drives: Drives, conn: asyncpg.Connection[asyncpg.Record]) -> Beside:
    """Earn alone; then earn while accounts end, which the service finds out by itself."""
    alone = await drives.drive(ACCUMULATE)
    chain = ends.of(drives.world, drives.size.beside_accounts)
    transaction = conn.transaction()
    await transaction.start()
    await chain.load(conn, schema="public")
    await conn.execute("ANALYZE public.account, public.lot")
    seconds = drives.size.seconds + SWEEP_SECONDS
    driving = asyncio.create_task(drives.run(ACCUMULATE, seconds=seconds))
    await asyncio.sleep(drives.size.warm_up_seconds)
    await transaction.commit()
    begun, over = await _watched(conn, chain)
    return await _judged(drives, conn, chain, alone, await driving, begun=begun, over=over)


async def _watched(conn: asyncpg.Connection[asyncpg.Record], chain: Ends) -> tuple[float, float]:
    """When the sweep had written its first chunk, and when its last."""
    moments = []
    for question in (_BEGUN, _OVER):
        until = time.monotonic() + SWEEP_SECONDS_MAX
        while not await conn.fetchval(question, chain.chain_id):
            if time.monotonic() > until:
                raise RuntimeError("points did not sweep in time")
            await asyncio.sleep(LOOK_SECONDS)
        moments.append(time.time())
    return moments[0], moments[1]


async def _judged(
    drives: Drives,
    conn: asyncpg.Connection[asyncpg.Record],
    chain: Ends,
    alone: Measure,
    driven: Driven,
    *,
    begun: float,
    over: float,
) -> Beside:
    start, end = begun - driven.counted_from, over - driven.counted_from
    together = driven.between(start, end)
    seconds = min(end, driven.seconds) - max(start, 0.0)
    faults = gates.wrong_answers({"alone": alone, "beside an expiry": together})
    if seconds < TOGETHER_SECONDS_MIN:
        faults.append(f"earns and the expiry were together for {seconds:.1f} s only")
    return Beside(
        accounts=chain.accounts,
        alone=alone,
        together=together,
        together_seconds=seconds,
        sweep_seconds=over - begun,
        faults=[*faults, *await chain.broken(conn)],
    )
