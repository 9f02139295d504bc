"""The sender: takes due deliveries one by one and brings each a step further.

Deliveries are their own list of work instead of rows in the chassis' job table, whose handlers
run inside a transaction: a provider must not be spoken to within one (ADR 0009).
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog

from services.chassis import rounds
from services.chassis.clock_service import DueSource
from services.chassis.errors import Unavailable
from services.chassis.postgres import LOST_CONNECTION, is_lost
from services.messaging.domain.chain import ChainId
from services.messaging.usecases import sending, timely
from services.messaging.usecases.deps import Deps

log = structlog.get_logger(__name__)

# Each waits on a provider most of its time; together they leave the pool to the other roles.
SENDERS = 4
# A notice of a new delivery can be lost with its connection; this bounds how late it is found.
POLL_SECONDS = 2.0
TROUBLE_SECONDS = 1.0
LISTEN_CHECK_SECONDS = 30.0
# A birthday is a matter of the day, a planned send one of the minute.
TIMELY_SECONDS = 20.0
# A message in hand is finished before the process ends, as long as no provider hangs.
LAST_STEP_SECONDS = 12.0
_TROUBLE: tuple[type[Exception], ...] = (Unavailable, *LOST_CONNECTION)


async def send_deliveries(deps: Deps, woken: asyncio.Event) -> None:
    """Send whatever is due, for ever; `woken` is set when there may be something new."""
    async with asyncio.TaskGroup() as senders:
        for _ in range(SENDERS):
            senders.create_task(_sender(deps, woken))


async def _sender(deps: Deps, woken: asyncio.Event) -> None:
    while True:
        try:
            if await _one_step(deps):
                continue
            woken.clear()
            # Look once more: what was queued before `clear` would else wait for the next poll.
            if await _one_step(deps):
                continue
            rest = await sending.seconds_to_next(deps, longest=POLL_SECONDS)
        except _TROUBLE as error:
            if not isinstance(error, Unavailable) and not is_lost(error):
                raise
            log.warning("sender_lost_database", fault=type(error).__name__)
            await asyncio.sleep(TROUBLE_SECONDS)
            continue
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), rest)


async def _one_step(deps: Deps) -> bool:
    """One delivery, finished even when the process is told to stop meanwhile.

    Cut off between provider and database it would have to be looked up later, or, with SMTP, stay
    unknown.
    """
    step = asyncio.ensure_future(sending.send_next(deps))
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        await asyncio.wait([step], timeout=LAST_STEP_SECONDS)
        step.cancel()
        raise


async def listen(deps: Deps, woken: asyncio.Event) -> None:
    """Wake the senders when a delivery is queued, for ever; survives a lost connection."""

    def heard(_conn: object, _pid: int, _channel: str, _payload: object) -> None:
        woken.set()

    while True:
        try:
            async with sending.queue_notices(deps, heard) as ask:
                while True:
                    await asyncio.sleep(LISTEN_CHECK_SECONDS)
                    await ask()
        except _TROUBLE as error:
            if not isinstance(error, Unavailable) and not is_lost(error):
                raise
            log.warning("listener_lost_database", fault=type(error).__name__)
            await asyncio.sleep(TROUBLE_SECONDS)


async def keep_time(deps: Deps) -> None:
    """Queue birthdays and planned sends when their time comes, for ever; in every chain."""
    while True:
        try:
            await run_due(deps)
        except _TROUBLE as error:
            if not isinstance(error, Unavailable) and not is_lost(error):
                raise
            log.warning("timely_lost_database", fault=type(error).__name__)
        await asyncio.sleep(TIMELY_SECONDS)


async def run_due(deps: Deps) -> None:
    """Queue what is due in every chain, once; what fails in one is tried again the next time.

    No chain waits for another: a send that takes too long would else hold up all that come after.
    """
    await rounds.for_each(
        await timely.chains(deps), partial(timely.run_due, deps), failed="timely_failed"
    )


def due_source(deps: Deps) -> DueSource:
    """What a walk through business time asks of us: messages leave on the day that caused them."""

    async def next_due(chain_id: UUID) -> datetime | None:
        # Quiet hours and full days end at a business time; retries wait in real time only.
        found = (
            await sending.next_waiting(deps, ChainId(chain_id)),
            await timely.next_due(deps, ChainId(chain_id)),
        )
        return min((one for one in found if one is not None), default=None)

    async def run_due(chain_id: UUID) -> int:
        await sending.release(deps, ChainId(chain_id))
        steps = await timely.run_due(deps, ChainId(chain_id))
        while await sending.send_next(deps, chain_id=ChainId(chain_id)):
            steps += 1
        return steps

    return DueSource(next_due=next_due, run_due=run_due)
