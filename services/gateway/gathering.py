"""Earns of tills that arrive together go to points in one call; one that arrives alone waits for
nobody.

While calls are in flight the next arrivals gather in a bounded queue, and the next call takes them
all, at most 256. There is no timer. Each earn keeps its own key, answer and refusal.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import grpc
import structlog
from loyalty.points.v1.points_pb2 import EarnItem, EarnOutcome, EarnPointsRequest
from loyalty.points.v1.points_pb2_grpc import PointsServiceStub

from services.chassis import context
from services.chassis.errors import Unavailable
from services.chassis.grpc_client import DEADLINE_SECONDS
from services.gateway import metrics
from services.gateway.errors import ApiError

log = structlog.get_logger(__name__)

# As many as points takes in one call.
CALL_ITEMS_MAX: Final = 256
# Two keep points busy while the next ones gather; more would only be smaller.
IN_FLIGHT_MAX: Final = 2
# Some hundred milliseconds of work: whoever comes later is better told to come again.
QUEUE_ITEMS_MAX: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    item: EarnItem
    answer: asyncio.Future[EarnOutcome]
    request_id: str


class EarnGathering:
    """The way of tills' earns from this process to points."""

    def __init__(
        self, points: PointsServiceStub, *, queue_items_max: int = QUEUE_ITEMS_MAX
    ) -> None:
        self._points = points
        self._queue_items_max = queue_items_max
        self._waiting: deque[_Waiting] = deque()
        self._calls: set[asyncio.Task[None]] = set()

    async def count(self, item: EarnItem) -> EarnOutcome:
        """What became of one earn; others may travel with it.

        Refuses with OVERLOADED when too many wait. Raises what a call of its own would raise,
        `Unavailable` also when no answer came in time. A caller that gives up is not waited for.
        """
        if len(self._waiting) >= self._queue_items_max:
            raise ApiError.of("OVERLOADED", retry_after_seconds=1)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[EarnOutcome] = loop.create_future()
        self._waiting.append(_Waiting(item=item, answer=answer, request_id=context.request_id()))
        if len(self._calls) < IN_FLIGHT_MAX:
            call = loop.create_task(self._send(), name="earns to points")
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await answer
        except TimeoutError:
            raise Unavailable("points did not answer in time") from None

    async def _send(self) -> None:
        while self._waiting:
            batch: list[_Waiting] = []
            while self._waiting and len(batch) < CALL_ITEMS_MAX:
                waiting = self._waiting.popleft()
                # Whoever has given up is not served before those who still wait.
                if not waiting.answer.done():
                    batch.append(waiting)
            if batch:
                metrics.GATHERED_EARNS.observe(len(batch))
                await self._serve(batch)

    async def _serve(self, batch: Sequence[_Waiting]) -> None:
        request = EarnPointsRequest(items=[waiting.item for waiting in batch])
        # A call for several requests belongs to none of them.
        request_id = batch[0].request_id if len(batch) == 1 else context.new_request_id()
        try:
            with context.bind(request_id=request_id):
                answered = await self._points.EarnPoints(request)
            for waiting, outcome in zip(batch, answered.outcomes, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(outcome)
        except grpc.aio.AioRpcError as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            # One of them is poison. Alone it harms only itself; keys make the others safe.
            log.warning("gathered_earns_split", items=len(batch), status=error.code().name)
            for waiting in batch:
                await self._serve([waiting])
        except Exception as error:
            _fail(batch, error)
        except BaseException:
            for waiting in batch:
                waiting.answer.cancel()
            raise


def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
