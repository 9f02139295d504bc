"""The salons that the gateway remembers: asked for once, forgotten when they change."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from loyalty.enrollment.v1.enrollment_pb2 import ListSalonsRequest, ListSalonsResponse, Salon

from services.chassis.errors import Unavailable
from services.gateway.deps import Salons

CHAIN = "chain"


class Enrollment:
    """Tells what salons there are, once its door is open."""

    def __init__(self) -> None:
        self.salons = ["first"]
        self.asked = 0
        self.away = False
        self.open = asyncio.Event()
        self.open.set()

    async def ListSalons(self, _request: ListSalonsRequest) -> ListSalonsResponse:
        self.asked += 1
        told = [Salon(id=salon_id) for salon_id in self.salons]
        await self.open.wait()
        if self.away:
            raise Unavailable("enrollment is away")
        return ListSalonsResponse(salons=told)


@pytest.fixture
def enrollment() -> Enrollment:
    return Enrollment()


@pytest.fixture
def salons(enrollment: Enrollment) -> Salons:
    clients: Any = SimpleNamespace(enrollment=enrollment)
    return Salons(clients)


async def _asked(enrollment: Enrollment, times: int) -> None:
    async with asyncio.timeout(10):
        while enrollment.asked < times:
            await asyncio.sleep(0)


async def test_many_who_ask_at_once_make_one_call(salons: Salons, enrollment: Enrollment) -> None:
    enrollment.open.clear()
    asking = [asyncio.create_task(salons.find(CHAIN, "first")) for _ in range(64)]
    await _asked(enrollment, 1)
    # Who leaves takes nobody along.
    asking[0].cancel()
    await asyncio.sleep(0)
    enrollment.open.set()
    found = await asyncio.gather(*asking[1:])
    assert [salon.id for salon in found if salon] == ["first"] * 63
    assert enrollment.asked == 1
    assert [salon.id for salon in await salons.of(CHAIN)] == ["first"]
    assert enrollment.asked == 1


async def test_an_answer_from_before_a_change_is_not_remembered(
    salons: Salons, enrollment: Enrollment
) -> None:
    enrollment.open.clear()
    early = asyncio.create_task(salons.of(CHAIN))
    await _asked(enrollment, 1)
    enrollment.salons = ["first", "second"]
    salons.forget(CHAIN)
    late = asyncio.create_task(salons.find(CHAIN, "second"))
    await _asked(enrollment, 2)
    enrollment.open.set()
    assert [salon.id for salon in await early] == ["first"]
    assert (await late) is not None
    assert [salon.id for salon in await salons.of(CHAIN)] == ["first", "second"]


async def test_after_a_failure_it_asks_again(salons: Salons, enrollment: Enrollment) -> None:
    enrollment.away = True
    with pytest.raises(Unavailable):
        await salons.of(CHAIN)
    enrollment.away = False
    assert [salon.id for salon in await salons.of(CHAIN)] == ["first"]
