"""Requests that wait for points: found again by their key while they are on their way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from services.chassis import idempotency
from services.chassis.errors import KeyReused, Unavailable
from services.chassis.idempotency import Claim, ClaimResult, New, Replay
from services.chassis.postgres import Connection
from services.rewards import answers
from services.rewards.answers import Answer, Settling
from services.rewards.domain.settlements import LEASE_SECONDS, Settlement
from services.rewards.storage import settlements

# A caller waits this long for a twin of the same request; then it may ask again.
TWIN_SECONDS_MAX = 4.0
TWIN_POLL_SECONDS = 0.05


class StillSettling(Exception):
    """Somebody is at the same reward at this moment; nothing was written, begin again."""

    code = "still_settling"


# Done, ours to settle, or somebody else's to settle.
Begun: TypeAlias = Answer | Settlement | Settling


async def find_earlier(conn: Connection, claim: Claim) -> Begun | None:
    """What an earlier request of this key came to; None when the key is new and now claimed.

    A settlement that nobody is at is taken on. Raises `KeyReused` for another body.
    """
    (result,) = await idempotency.claim_many(conn, [claim])
    return None if isinstance(result, New) else await earlier_of(conn, result)


async def earlier_of(conn: Connection, result: ClaimResult) -> Begun:
    """The same for a key that was claimed already, and not by a twin in the same batch."""
    if not isinstance(result, Replay):
        raise KeyReused
    kept = answers.decode(result.answer)
    if isinstance(kept, Answer):
        return kept
    taken_on = await settlements.lease(
        conn, chain_id=kept.chain_id, reward_id=kept.reward_id, lease_seconds=LEASE_SECONDS
    )
    return taken_on or kept


async def until_settled(
    begin: Callable[[], Awaitable[Begun]],
    settle: Callable[[Settlement], Awaitable[Answer]],
    *,
    patient: bool = True,
) -> Answer:
    """Begin, then settle what is ours to settle or wait for the twin that does.

    `begin` may raise `StillSettling` to be asked again in a moment. `Unavailable` when the twin
    takes longer than four seconds; who is not patient gets `StillSettling` at once.
    """
    try:
        async with asyncio.timeout(TWIN_SECONDS_MAX) as waiting:
            while True:
                with contextlib.suppress(StillSettling):
                    begun = await begin()
                    if isinstance(begun, Answer):
                        return begun
                    if isinstance(begun, Settlement):
                        # Our own call to points has a deadline of its own.
                        waiting.reschedule(None)
                        return await settle(begun)
                if not patient:
                    raise StillSettling
                await asyncio.sleep(TWIN_POLL_SECONDS)
    except TimeoutError:
        raise Unavailable("the same request is still on its way") from None
