"""How long rows are kept that serve for a while, and their removal in small steps.

The rules of the plumbing's own tables stand here; a service brings those of its tables.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import structlog

from services.chassis.postgres import LOST_CONNECTION, Pool
from services.chassis.replay import KEPT_DAYS

log = structlog.get_logger(__name__)

# Small steps hold few locks and leave the disk to the requests.
BATCH_SIZE = 2_000
PAUSE_SECONDS = 3_600.0
FIRST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One table, and the statement that removes at most so many rows older than so many days."""

    table: str
    days: int
    statement: str


RULES = (
    # A day longer than anybody counts on, for it is the moment of writing that counts.
    Rule(
        table="outbox",
        days=KEPT_DAYS + 1,
        statement="""
        DELETE FROM outbox WHERE id IN (
            SELECT id FROM outbox
            WHERE recorded_at < now() - make_interval(days => $1)
              AND NOT EXISTS (SELECT FROM outbox_waiting WHERE outbox_waiting.id = outbox.id)
            LIMIT $2)
        """,
    ),
    # Longer than the outbox of any source: a replayed event must still be known.
    Rule(
        table="inbox",
        days=30,
        statement="""
        DELETE FROM inbox WHERE ctid IN (
            SELECT ctid FROM inbox WHERE recorded_at < now() - make_interval(days => $1) LIMIT $2)
        """,
    ),
    # A till that was offline over a long weekend still gets its first answer.
    Rule(
        table="idempotency",
        days=KEPT_DAYS,
        statement="""
        DELETE FROM idempotency WHERE ctid IN (
            SELECT ctid FROM idempotency
            WHERE recorded_at < now() - make_interval(days => $1) LIMIT $2)
        """,
    ),
    # Longer than a year: the key of a yearly job must not come free before it comes round.
    Rule(
        table="job",
        days=400,
        statement="""
        DELETE FROM job WHERE id IN (
            SELECT id FROM job
            WHERE finished_at < now() - make_interval(days => $1) AND state <> 'failed' LIMIT $2)
        """,
    ),
)


async def purge(pool: Pool, rules: Sequence[Rule] = RULES) -> dict[str, int]:
    """Remove everything that is past its time; how many rows went, by table. Repeatable."""
    removed: dict[str, int] = {}
    for rule in rules:
        removed[rule.table] = 0
        while True:
            status = await pool.execute(rule.statement, rule.days, BATCH_SIZE)
            count = int(status.rpartition(" ")[2])
            removed[rule.table] += count
            if count < BATCH_SIZE:
                break
            await asyncio.sleep(0.05)
    return removed


async def keep(pool: Pool, rules: Sequence[Rule]) -> None:
    """Purge every hour for as long as the process lives."""
    await asyncio.sleep(FIRST_PAUSE_SECONDS)
    while True:
        with contextlib.suppress(asyncpg.PostgresError, *LOST_CONNECTION):
            removed = await purge(pool, rules)
            if any(removed.values()):
                log.info("rows_past_their_time_removed", **removed)
        await asyncio.sleep(PAUSE_SECONDS)
