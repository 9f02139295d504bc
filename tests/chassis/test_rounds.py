"""What goes round all chains: one that fails keeps no other waiting."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from services.chassis import rounds
from services.chassis.errors import Unavailable


async def test_what_fails_in_one_chain_is_done_in_the_others() -> None:
    first, poisoned, last = (uuid4() for _ in range(3))

    async def work(chain_id: UUID) -> int:
        if chain_id == poisoned:
            raise ValueError("a later release wrote this")
        return 2

    assert await rounds.for_each([first, poisoned, last], work, failed="failed") == 4


async def test_a_lost_database_ends_the_round() -> None:
    asked = []

    async def work(chain_id: UUID) -> int:
        asked.append(chain_id)
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        await rounds.for_each([uuid4(), uuid4()], work, failed="failed")
    assert len(asked) == 1
