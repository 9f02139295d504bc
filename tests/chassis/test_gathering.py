"""Work that gathers while calls are in flight: each item for itself, none for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from services.chassis import context
from services.chassis.errors import Unavailable
from services.chassis.gathering import (
    BESIDE_ITEMS_MIN,
    CALL_ITEMS_MAX,
    REST_SECONDS_MAX,
    Gathering,
    rest_after,
)

POISON = -1


class TooMany(Exception):
    """The queue is full."""


class Refused(Exception):
    """An item is not wanted."""


class Work:
    """Doubles numbers once its door is open, and remembers what came in which call."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.request_ids: list[str] = []
        self.ended: list[list[int]] = []
        self.open = asyncio.Event()

    async def __call__(self, items: Sequence[int], _seconds: float) -> list[int | Exception]:
        self.calls.append(list(items))
        self.request_ids.append(context.request_id())
        await self.open.wait()
        if POISON in items:
            raise ValueError("poison")
        self.ended.append(list(items))
        return [Refused() if item == 13 else item * 2 for item in items]


def gathering(work: Work, **changes: Any) -> Gathering[int, int]:
    return Gathering("tests", work, **{"full": TooMany, "seconds_max": 20.0, **changes})


async def called(work: Work, times: int) -> None:
    async with asyncio.timeout(10):
        while len(work.calls) < times:
            await asyncio.sleep(0)


async def test_items_gather_while_two_calls_are_in_flight_and_each_gets_its_own_answer() -> None:
    work = Work()
    numbers = gathering(work)
    first = asyncio.create_task(numbers.one(100))
    await called(work, 1)
    second = asyncio.create_task(numbers.one(101))
    await called(work, 2)
    rest = [asyncio.create_task(numbers.one(number)) for number in range(200, 800)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(work.calls) == 2
    work.open.set()
    assert await asyncio.gather(first, second, *rest) == [
        200,
        202,
        *(number * 2 for number in range(200, 800)),
    ]
    sizes = [len(call) for call in work.calls]
    assert sizes[:2] == [1, 1]
    assert max(sizes) == CALL_ITEMS_MAX
    assert len(sizes) <= 6


async def test_a_few_wait_for_the_call_under_way_and_many_go_out_beside_it() -> None:
    """Two small calls cost more than one; a large one keeps the other side busy."""
    work = Work()
    numbers = gathering(work, seconds_max=600.0)
    first = asyncio.create_task(numbers.one(0))
    await called(work, 1)
    few = [asyncio.create_task(numbers.one(100 + each)) for each in range(1, BESIDE_ITEMS_MIN)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(work.calls) == 1
    last = asyncio.create_task(numbers.one(100))
    await called(work, 2)
    assert len(work.calls[1]) == BESIDE_ITEMS_MIN
    work.open.set()
    assert await asyncio.gather(first, *few, last) == [
        0,
        *(2 * (100 + each) for each in range(1, BESIDE_ITEMS_MIN)),
        200,
    ]


async def test_nobody_waits_for_a_call_that_is_held_up() -> None:
    """One earn meets a locked account: the next of other accounts goes out all the same."""
    work, held = Work(), asyncio.Event()
    work.open.set()

    async def hold(items: Sequence[int], seconds: float) -> list[int | Exception]:
        answers = await work(items, seconds)
        if 0 in items:
            await held.wait()
        return answers

    numbers: Gathering[int, int] = Gathering("tests", hold, full=TooMany, seconds_max=20)
    stuck = asyncio.create_task(numbers.one(0))
    await called(work, 1)
    for number in (1, 2):
        assert await numbers.one(number) == number * 2
    assert work.calls == [[0], [1], [2]]
    assert not stuck.done()
    held.set()
    assert await stuck == 0


async def test_items_of_the_same_moment_travel_together() -> None:
    work = Work()
    work.open.set()
    numbers = gathering(work)
    assert await asyncio.gather(*(numbers.one(number) for number in range(5))) == [0, 2, 4, 6, 8]
    assert work.calls == [[0, 1, 2, 3, 4]]


async def test_an_item_alone_waits_for_nobody_and_costs_no_task() -> None:
    work = Work()
    work.open.set()
    before = len(asyncio.all_tasks())

    async def look(items: Sequence[int], seconds: float) -> list[int | Exception]:
        assert len(asyncio.all_tasks()) == before
        return await work(items, seconds)

    numbers: Gathering[int, int] = Gathering("tests", look, full=TooMany, seconds_max=20)
    assert await numbers.one(4) == 8


async def test_a_refused_item_is_told_so_and_its_neighbours_are_done() -> None:
    work = Work()
    work.open.set()
    answers = await gathering(work).many([1, 13, 2])
    assert [answers[0], answers[2]] == [2, 4]
    assert isinstance(answers[1], Refused)
    with pytest.raises(Refused):
        await gathering(work).one(13)


async def test_a_poisoned_item_harms_only_itself() -> None:
    work = Work()
    work.open.set()
    answers = await gathering(work).many([1, POISON, 2, 3])
    assert [answers[0], *answers[2:]] == [2, 4, 6]
    assert isinstance(answers[1], ValueError)
    # By halves: two hundred neighbours cost a dozen calls, not two hundred.
    assert work.calls == [[1, POISON, 2, 3], [1, POISON], [1], [POISON], [2, 3]]


async def test_what_is_away_for_one_is_away_for_all_and_is_asked_once() -> None:
    calls = []

    async def away(items: Sequence[int], _seconds: float) -> list[int | Exception]:
        calls.append(len(items))
        raise Unavailable("away")

    numbers: Gathering[int, int] = Gathering("tests", away, full=TooMany, seconds_max=20)
    answers = await asyncio.gather(*map(numbers.one, range(9)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert calls == [9]


async def test_one_item_too_many_is_refused_and_nothing_is_lost() -> None:
    work = Work()
    numbers = gathering(work, queue_items_max=3, in_flight_max=1)
    served = asyncio.create_task(numbers.one(0))
    await called(work, 1)
    waiting = [asyncio.create_task(numbers.one(number)) for number in range(1, 4)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await numbers.one(4)
    with pytest.raises(TooMany):
        await numbers.many([5, 6])
    work.open.set()
    assert await asyncio.gather(served, *waiting) == [0, 2, 4, 6]


async def test_a_caller_who_gives_up_takes_nobody_along_and_is_not_begun_any_more() -> None:
    work = Work()
    numbers = gathering(work, in_flight_max=1)
    served = asyncio.create_task(numbers.one(0))
    await called(work, 1)
    leaving = asyncio.create_task(numbers.one(1))
    staying = asyncio.create_task(numbers.one(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.sleep(0)
    work.open.set()
    assert (await served, await staying) == (0, 4)
    assert leaving.cancelled()
    assert work.calls == [[0], [2]]


async def test_a_lone_caller_who_gives_up_ends_its_own_call() -> None:
    work = Work()
    numbers = gathering(work)
    leaving = asyncio.create_task(numbers.one(1))
    await called(work, 1)
    leaving.cancel()
    work.open.set()
    assert await numbers.one(2) == 4
    assert work.ended == [[2]]


async def test_who_waits_behind_a_lone_caller_that_gives_up_is_served() -> None:
    work = Work()
    numbers = gathering(work, in_flight_max=1)
    leaving = asyncio.create_task(numbers.one(1))
    await called(work, 1)
    staying = asyncio.create_task(numbers.one(2))
    await asyncio.sleep(0)
    leaving.cancel()
    work.open.set()
    async with asyncio.timeout(10):
        assert await staying == 4


async def test_whoever_waits_too_long_is_told_so() -> None:
    work = Work()
    numbers = gathering(work, seconds_max=0.05, in_flight_max=1)
    served = asyncio.create_task(numbers.one(1))
    await called(work, 1)
    with pytest.raises(Unavailable):
        await numbers.one(2)
    work.open.set()
    assert await served == 2
    assert work.calls == [[1]]


async def test_each_who_waits_too_long_is_told_so_in_turn() -> None:
    work = Work()
    numbers = gathering(work, seconds_max=0.05, in_flight_max=1)
    loop = asyncio.get_running_loop()
    served = asyncio.create_task(numbers.one(1))
    await called(work, 1)

    async def waited(number: int) -> float:
        begun = loop.time()
        with pytest.raises(Unavailable):
            await numbers.one(number)
        return loop.time() - begun

    told = []
    for number in range(2, 5):
        told.append(asyncio.create_task(waited(number)))
        gives_up = asyncio.create_task(numbers.one(number + 10))
        await asyncio.sleep(0.01)
        gives_up.cancel()
    assert min(await asyncio.gather(*told)) >= 0.05
    # Nobody waits now; the next one is told so too.
    assert await waited(9) >= 0.05
    work.open.set()
    assert await served == 2
    assert work.calls == [[1]]


async def test_a_call_for_several_requests_belongs_to_none_of_them() -> None:
    work = Work()
    work.open.set()
    numbers = gathering(work)

    async def asked(number: int) -> int:
        with context.bind(request_id=f"request-{number}"):
            return await numbers.one(number)

    await asked(1)
    await asyncio.gather(asked(2), asked(3))
    assert work.request_ids == ["request-1", ""]


async def test_a_gentle_stop_finishes_what_is_queued() -> None:
    work = Work()
    numbers = gathering(work)
    waiting = [asyncio.create_task(numbers.one(number)) for number in range(600)]
    await called(work, 1)
    work.open.set()
    await numbers.drain()
    assert sum(map(len, work.ended)) == 600
    await asyncio.gather(*waiting, return_exceptions=True)


def test_rounds_rest_little_after_few_events_and_never_long() -> None:
    """One event hardly waits for the next; a flood is passed on in few rounds."""
    assert rest_after(0) == 0
    assert rest_after(1) < 0.01
    assert rest_after(20) == 20 * rest_after(1)
    assert rest_after(10_000) == REST_SECONDS_MAX
