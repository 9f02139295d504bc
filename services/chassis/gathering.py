"""Work that arrives together is done together; what arrives alone waits for nobody.

While a call is in flight the next items gather in a bounded queue, and the next call takes them
all, up to its limit. Each item keeps its own answer and its own refusal.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeAlias, TypeVar

import structlog

from services.chassis import context
from services.chassis.errors import InvariantViolated, RateLimited, RemoteRefusal, Unavailable
from services.chassis.metrics import GATHERED_ITEMS, GATHERING_ITEMS
from services.chassis.patience import Patience

log = structlog.get_logger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# As many as one call takes.
CALL_ITEMS_MAX: Final = 256
# Two keep the other side busy while the next items gather; more would only be smaller.
IN_FLIGHT_MAX: Final = 2
# Two small calls cost more than one: a call goes out beside another one when it is as large as
# this, or when somebody has waited so long that the other one must be held up.
BESIDE_ITEMS_MIN: Final = 32
BESIDE_SECONDS: Final = 0.1
# Some hundred milliseconds of work: whoever comes later is better told to come again.
QUEUE_ITEMS_MAX: Final = 4096

# What is true of a whole call and would be of each of its items alone.
SHARED: Final = (Unavailable, RemoteRefusal, RateLimited)

# Does the work of some items and answers them in their order, refusals as exceptions. It is told
# how many seconds are left to the one that has waited longest.
Work: TypeAlias = Callable[[Sequence[Item], float], Awaitable[Sequence[Answer | Exception]]]

# A stream of events is read in rounds. Of few events each is passed on as it comes; where there
# are more than this leaves time for, rounds grow until they are so long.
REST_SECONDS_PER_EVENT: Final = 0.002
REST_SECONDS_MAX: Final = 0.15


def rest_after(events: int) -> float:
    """Seconds to rest after a round of so many events, so that the next one finds some together."""
    return min(REST_SECONDS_PER_EVENT * events, REST_SECONDS_MAX)


class _Parcel(Generic[Item, Answer]):
    """What one caller brings, and what it gets."""

    __slots__ = ("answers", "done", "items", "left", "request_id", "until")

    def __init__(self, items: Sequence[Item], done: asyncio.Future[None], until: float) -> None:
        self.items = items
        self.answers: list[Answer | Exception | None] = [None] * len(items)
        self.left = len(items)
        self.done = done
        self.until = until
        self.request_id = context.request_id()

    @property
    def is_over(self) -> bool:
        """Whether its caller waits no more."""
        return self.done.done()

    def give_up(self) -> None:
        """Tell its caller that there was no answer in time."""
        self.done.set_exception(Unavailable("there was no answer in time"))


_Place: TypeAlias = tuple[_Parcel[Item, Answer], int]


class Gathering(Generic[Item, Answer]):
    """The one way of a kind of work in this process.

    An item that fails a whole call is found out by halves and harms only itself; `work` must be
    repeatable for that. A caller that gives up is not waited for, and what it
    brought is not begun any more.
    """

    def __init__(
        self,
        name: str,
        work: Work[Item, Answer],
        *,
        full: Callable[[], Exception],
        seconds_max: float,
        call_items_max: int = CALL_ITEMS_MAX,
        queue_items_max: int = QUEUE_ITEMS_MAX,
        in_flight_max: int = IN_FLIGHT_MAX,
        beside_items_min: int = BESIDE_ITEMS_MIN,
    ) -> None:
        self._name = name
        self._work = work
        self._full = full
        self._seconds_max = seconds_max
        self._call_items_max = call_items_max
        self._queue_items_max = queue_items_max
        self._in_flight_max = in_flight_max
        self._beside_items_min = beside_items_min
        self._in_flight = 0
        self._watch: asyncio.TimerHandle | None = None
        self._waiting: deque[_Place[Item, Answer]] = deque()
        self._patience: Patience[_Parcel[Item, Answer]] = Patience()
        self._workers: set[asyncio.Task[None]] = set()
        self._sizes = GATHERED_ITEMS.labels(name)
        GATHERING_ITEMS.labels(name).set_function(lambda: len(self._waiting))

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way."""
        return self._in_flight > 0

    async def one(self, item: Item) -> Answer:
        """The answer of one item; raises its refusal, or what `many` raises."""
        answer = (await self.many((item,)))[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def many(self, items: Sequence[Item]) -> list[Answer | Exception]:
        """Answers in the order of the items; a refused or failed one is its exception.

        Takes all of them or raises what `full` makes. Raises `Unavailable` when they had to wait
        too long.
        """
        if not items:
            return []
        if len(self._waiting) + len(items) > self._queue_items_max:
            raise self._full()
        loop = asyncio.get_running_loop()
        parcel: _Parcel[Item, Answer] = _Parcel(
            items, loop.create_future(), loop.time() + self._seconds_max
        )
        for place in range(len(items)):
            self._waiting.append((parcel, place))
        if self._may_begin(beside=self._in_flight):
            await self._lead(parcel)
        if parcel.left:
            self._watch_over()
            self._patience.add(parcel)
            await parcel.done
        return parcel.answers  # type: ignore[return-value]  # none is left unanswered

    async def drain(self) -> None:
        """Finish what is queued; for a gentle stop."""
        while self._workers:
            await asyncio.gather(*self._workers, return_exceptions=True)

    def _may_begin(self, *, beside: int) -> bool:
        """Whether those who wait are worth a call beside so many others."""
        if not beside:
            return True
        return beside < self._in_flight_max and len(self._waiting) >= self._beside_items_min

    def _watch_over(self) -> None:
        """See to it that nobody waits long for a call that is held up."""
        if self._watch or not self._waiting or self._in_flight >= self._in_flight_max:
            return
        oldest = self._waiting[0][0].until - self._seconds_max
        loop = asyncio.get_running_loop()
        self._watch = loop.call_at(oldest + BESIDE_SECONDS, self._begin_late)

    def _begin_late(self) -> None:
        self._watch = None
        loop = asyncio.get_running_loop()
        if self._waiting and self._in_flight < self._in_flight_max:
            oldest = self._waiting[0][0].until - self._seconds_max
            if loop.time() >= oldest + BESIDE_SECONDS:
                self._begin(self._next_batch())
        self._watch_over()

    async def _lead(self, parcel: _Parcel[Item, Answer]) -> None:
        """Do one's own work where nobody else's has come along, else have it done beside.

        Alone it so costs no task, and ends with its caller as any other call does.
        """
        self._in_flight += 1
        batch: list[_Place[Item, Answer]] = []
        try:
            # Whoever arrives in the same turn of the loop comes along.
            await asyncio.sleep(0)
            batch = self._next_batch()
            if all(owner is parcel for owner, _ in batch):
                mine, batch = batch, []
                await self._serve(mine)
        except BaseException:
            parcel.done.cancel()
            raise
        finally:
            self._in_flight -= 1
            self._go_on(batch)

    def _go_on(self, batch: list[_Place[Item, Answer]]) -> None:
        """Have the rest done, which is somebody's already or worth a call."""
        if not batch and self._may_begin(beside=self._in_flight):
            batch = self._next_batch()
        self._begin(batch)
        self._watch_over()

    def _begin(self, batch: list[_Place[Item, Answer]]) -> None:
        """Have a batch done by a task of its own, which goes on while there is more."""
        if batch:
            self._in_flight += 1
            worker = asyncio.create_task(self._serve_all(batch), name=self._name)
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _serve_all(self, batch: list[_Place[Item, Answer]]) -> None:
        try:
            while batch:
                await self._serve(batch)
                batch = []
                if self._may_begin(beside=self._in_flight - 1):
                    batch = self._next_batch()
        finally:
            self._in_flight -= 1
            self._watch_over()

    def _next_batch(self) -> list[_Place[Item, Answer]]:
        batch: list[_Place[Item, Answer]] = []
        while self._waiting and len(batch) < self._call_items_max:
            place = self._waiting.popleft()
            # Whoever has given up is not served before those who still wait.
            if not place[0].done.done():
                batch.append(place)
        return batch

    async def _serve(self, batch: Sequence[_Place[Item, Answer]]) -> None:
        if not batch:
            return
        self._sizes.observe(len(batch))
        until = min(parcel.until for parcel, _ in batch)
        # A call for several requests belongs to none of them.
        request_ids = {parcel.request_id for parcel, _ in batch}
        request_id = request_ids.pop() if len(request_ids) == 1 else ""
        try:
            with context.bind(request_id=request_id):
                answers = await self._work(
                    [parcel.items[place] for parcel, place in batch],
                    max(until - asyncio.get_running_loop().time(), 0.001),
                )
            if len(answers) != len(batch):
                raise InvariantViolated(f"{len(answers)} answers for {len(batch)} {self._name}")
        except SHARED as error:
            _answer(batch, [error] * len(batch))
        except Exception as error:
            if len(batch) == 1:
                _answer(batch, [error])
                return
            # One of them is poison.
            log.warning(
                "gathering_split", queue=self._name, items=len(batch), fault=type(error).__name__
            )
            half = len(batch) // 2
            await self._serve(batch[:half])
            await self._serve(batch[half:])
        except BaseException:
            for parcel, _ in batch:
                parcel.done.cancel()
            raise
        else:
            _answer(batch, answers)


def _answer(batch: Sequence[_Place[Item, Answer]], answers: Sequence[Answer | Exception]) -> None:
    for (parcel, place), answer in zip(batch, answers, strict=True):
        parcel.answers[place] = answer
        parcel.left -= 1
        if not parcel.left and not parcel.done.done():
            parcel.done.set_result(None)
