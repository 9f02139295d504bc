"""Publishing again what was published before: the drill for a broker that has lost events.

`python -m services.chassis.replay points` puts the kept events of the database at `DATABASE_URL`
back on the list of those that wait; the running relay sends them, oldest first, and consumers drop
what they have had. A consumer that finds events missing wishes for the same through Redis.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from services.chassis import outbox
from services.chassis.errors import Unavailable
from services.chassis.postgres import Pool, create_pool

# Events are kept at least this long after they were written, and until they have left; the inbox
# remembers longer (retention.py), so that none that can be replayed is ever taken for a new one.
KEPT_DAYS = 7
BATCH_SIZE = 5_000
# A replay costs every consumer of the service time; one a minute is enough for any gap.
PAUSE_SECONDS = 60
WISH_SECONDS = 24 * 3600

_LIST_AGAIN = """
WITH chosen AS MATERIALIZED (
    SELECT id FROM outbox
    WHERE id > $1 AND id <= $2 AND ($3::timestamptz IS NULL OR recorded_at >= $3)
    ORDER BY id LIMIT $4
), listed AS (
    INSERT INTO outbox_waiting (id, replayed_at) SELECT id, now() FROM chosen
    ON CONFLICT (id) DO NOTHING RETURNING id
)
SELECT (SELECT max(id) FROM chosen) AS last, (SELECT count(*) FROM listed) AS count
"""


async def replay(pool: Pool, *, days: int | None = None) -> int:
    """Have kept events published again, those that wait anyway not twice; how many.

    All of them, or those written in the last so many days. When they left nobody noted: one that
    was written before the days asked for and held up until then is not among them.
    Repeatable. An interruption leaves some of them to the next call.
    """
    start = None if days is None else datetime.now(UTC) - timedelta(days=days)
    end = await pool.fetchval("SELECT coalesce(max(id), 0) FROM outbox")
    last, total = 0, 0
    while True:
        row = await pool.fetchrow(_LIST_AGAIN, last, end, start, BATCH_SIZE)
        if row is None or row["last"] is None:
            break
        last, total = row["last"], total + row["count"]
    if total:
        await pool.execute("SELECT pg_notify($1, '')", outbox.CHANNEL)
    return total


def _wish_key(source: str) -> str:
    return f"replay:{source}"


async def wish(redis: Redis, *, source: str, consumer: str) -> None:
    """Ask a source service to publish its kept events again; asking twice is asking once."""
    await redis.set(_wish_key(source), consumer, ex=WISH_SECONDS)


async def take_wish(redis: Redis, *, source: str) -> bool:
    """Whether someone waits for a replay and the last one is long enough ago; then it is taken."""
    if not await redis.exists(_wish_key(source)):
        return False
    if not await redis.set(f"{_wish_key(source)}:done", "1", nx=True, ex=PAUSE_SECONDS):
        return False
    await redis.delete(_wish_key(source))
    return True


async def _replay_service(url: str, service: str, days: int | None) -> int:
    pool = await create_pool(url, size_max=1, name=f"{service} replay")
    try:
        return await replay(pool, days=days)
    finally:
        await pool.close()


def main(arguments: Sequence[str]) -> int:
    """Replay one service's outbox; 0 when its relay has been given the work."""
    parser = argparse.ArgumentParser(prog="python -m services.chassis.replay")
    parser.add_argument("service", help="whose outbox stands at DATABASE_URL")
    parser.add_argument(
        "--days", type=int, help="only what was written in the last so many days; else all"
    )
    chosen = parser.parse_args(arguments)
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        sys.stderr.write("DATABASE_URL: missing; PostgreSQL address with the service's own role\n")
        return 2
    try:
        count = asyncio.run(_replay_service(url, chosen.service, chosen.days))
    except Unavailable as error:
        sys.stderr.write(f"{chosen.service}: {error}\n")
        return 1
    sys.stdout.write(f"{chosen.service}: {count} events will be published again\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
