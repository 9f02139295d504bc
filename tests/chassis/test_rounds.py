"""What goes round all chains: one that fails keeps no other waiting."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from services.chassis import rounds
from services.chassis.errors import Unavailable
from services.chassis.postgres import Connection, Pool, in_transaction


async def test_what_fails_in_one_chain_is_done_in_the_others() -> None:
    first, poisoned, last = (uuid4() for _ in range(3))

    async def work(chain_id: UUID) -> int:
        if chain_id == poisoned:
            raise ValueError("a later release wrote this")
        return 2

    assert await rounds.for_each([first, poisoned, last], work, failed="failed") == 4


async def test_a_chain_whose_work_takes_too_long_keeps_no_other_waiting(pool: Pool) -> None:
    """A send that never ends in its time would else hold up every chain after it, for ever."""
    first, slow, last = (uuid4() for _ in range(3))
    done = []

    async def work(chain_id: UUID) -> int:
        async def statement(conn: Connection) -> None:
            if chain_id == slow:
                await conn.execute("SET LOCAL statement_timeout = 1")
                await conn.execute("SELECT pg_sleep(60)")

        await in_transaction(pool, statement)
        done.append(chain_id)
        return 1

    assert await rounds.for_each([first, slow, last], work, failed="failed") == 2
    assert done == [first, last]


async def test_a_lost_database_ends_the_round() -> None:
    asked = []

    async def work(chain_id: UUID) -> int:
        asked.append(chain_id)
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        await rounds.for_each([uuid4(), uuid4()], work, failed="failed")
    assert len(asked) == 1
