"""When the database took a row down, and up to when all that was taken down can be seen.

A moment of recording is the database's own: the start of the statement that writes the row, on the
chain's clock. The transaction has locked something by then, so it is known to be under way. That is
what makes `horizon` true: whoever could still commit an earlier moment is seen, and waited for.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.chassis.errors import InvariantViolated, Unavailable
from services.chassis.postgres import Connection

# Far above what any transaction that records something takes.
WAIT_SECONDS_MAX: Final = 3.0
POLL_SECONDS: Final = 0.005

_WRITERS = """
SELECT backend_xid::text FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND backend_xid IS NOT NULL
"""


def recorded_at(chain_id: str) -> str:
    """SQL for the moment of recording; `chain_id` is SQL that names the chain."""
    return f"""(statement_timestamp() + coalesce(
        (SELECT offset_microseconds * interval '1 microsecond' FROM business_clock
         WHERE business_clock.chain_id = {chain_id}), interval '0'))"""  # noqa: S608


_HORIZON = f"SELECT {recorded_at('$1::uuid')} AS at, ARRAY({_WRITERS}) AS writers"


async def horizon(conn: Connection, chain_id: UUID) -> datetime:
    """A moment before which nothing will be recorded any more, and everything can be seen.

    It is the moment of the call, on the chain's clock: waits until the transactions that were
    writing then have ended. `conn` must be in no transaction. Raises Unavailable when one of them
    takes too long.
    """
    if conn.is_in_transaction():
        raise InvariantViolated("inside a transaction the writers of others do not change")
    (row,) = await conn.fetch(_HORIZON, chain_id)
    at: datetime = row["at"]
    writers: list[str] = row["writers"]
    waited = timedelta()
    while writers:
        if waited.total_seconds() >= WAIT_SECONDS_MAX:
            raise Unavailable("a write takes long; ask again")
        await asyncio.sleep(POLL_SECONDS)
        waited += timedelta(seconds=POLL_SECONDS)
        writing = {each["backend_xid"] for each in await conn.fetch(_WRITERS)}
        writers = [writer for writer in writers if writer in writing]
    return at
