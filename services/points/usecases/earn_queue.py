"""Earns that arrive together are written together; one that arrives alone waits for nobody.

While a transaction is in flight the next arrivals gather in a bounded queue; the next transaction
takes them all, at most 256. There is no timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from services.chassis import context
from services.chassis.errors import Unavailable
from services.chassis.postgres import in_transaction
from services.points import metrics
from services.points.domain.errors import Overloaded
from services.points.usecases.deps import Deps
from services.points.usecases.earn_batch import earn_batch
from services.points.usecases.earn_items import Arrival, Outcome

log = structlog.get_logger(__name__)

BATCH_ITEMS_MAX = 256
# Two keep the database busy while Python prepares; more would only meet at its locks.
IN_FLIGHT_MAX = 2
# Some two hundred milliseconds of work: whoever comes later is better told to come again.
QUEUE_ITEMS_MAX = 4096


class EarnFailed(Exception):
    """This earn alone could not be written, for a reason that is ours; nothing was done."""

    code = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    arrival: Arrival
    answer: asyncio.Future[Outcome]


class EarnQueue:
    """The one way in for earns of a process."""

    def __init__(self, deps: Deps, *, queue_items_max: int = QUEUE_ITEMS_MAX) -> None:
        self._deps = deps
        self._queue_items_max = queue_items_max
        self._waiting: deque[_Waiting] = deque()
        self._flushers: set[asyncio.Task[None]] = set()

    async def count(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Outcomes of some earns in their order; other callers' earns may share the transaction.

        Takes all of them or refuses with Overloaded. Raises `Unavailable` when the database is
        away. A caller that gives up is not waited for; what was written stays, under its keys.
        """
        if not arrivals:
            return []
        if len(self._waiting) + len(arrivals) > self._queue_items_max:
            raise Overloaded
        loop = asyncio.get_running_loop()
        answers = [loop.create_future() for _ in arrivals]
        for arrival, answer in zip(arrivals, answers, strict=True):
            self._waiting.append(_Waiting(arrival=arrival, answer=answer))
        metrics.EARN_QUEUE_ITEMS.set(len(self._waiting))
        if len(self._flushers) < IN_FLIGHT_MAX:
            flusher = asyncio.create_task(self._flush(), name="earn-flush")
            self._flushers.add(flusher)
            flusher.add_done_callback(self._flushers.discard)
        return list(await asyncio.gather(*answers))

    async def drain(self) -> None:
        """Finish what is queued; for a gentle stop."""
        while self._flushers:
            await asyncio.gather(*self._flushers, return_exceptions=True)

    async def _flush(self) -> None:
        while self._waiting:
            batch: list[_Waiting] = []
            while self._waiting and len(batch) < BATCH_ITEMS_MAX:
                waiting = self._waiting.popleft()
                # Whoever has given up is not served before those who still wait.
                if not waiting.answer.done():
                    batch.append(waiting)
            metrics.EARN_QUEUE_ITEMS.set(len(self._waiting))
            if batch:
                await self._serve(batch)

    async def _serve(self, batch: Sequence[_Waiting]) -> None:
        metrics.EARN_BATCH_ITEMS.observe(len(batch))
        try:
            outcomes = await self._write([waiting.arrival for waiting in batch])
        except Unavailable as error:
            for waiting in batch:
                _answer(waiting, error)
        except Exception as error:
            if len(batch) == 1:
                log.error("earn_failed", exc_info=error)
                _answer(batch[0], Outcome(result=EarnFailed()))
                return
            # One of them is poison. Alone it harms only itself.
            log.warning("earn_batch_split", items=len(batch), fault=type(error).__name__)
            for waiting in batch:
                await self._serve([waiting])
        except BaseException as error:
            for waiting in batch:
                waiting.answer.cancel()
            raise error
        else:
            for waiting, outcome in zip(batch, outcomes, strict=True):
                _answer(waiting, outcome)

    async def _write(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        # A transaction of several requests belongs to none of them.
        request_ids = {arrival.request_id for arrival in arrivals}
        with context.bind(request_id=request_ids.pop() if len(request_ids) == 1 else ""):
            return await in_transaction(
                self._deps.pool, lambda conn: earn_batch(self._deps, conn, arrivals)
            )


def _answer(waiting: _Waiting, outcome: Outcome | Exception) -> None:
    if waiting.answer.done():
        return
    if isinstance(outcome, Outcome):
        waiting.answer.set_result(outcome)
    else:
        waiting.answer.set_exception(outcome)
