"""Earns of tills on their way to points: gathered while calls are in flight, each for itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from loyalty.points.v1 import points_pb2 as pb
from loyalty.points.v1 import points_pb2_grpc

from services.chassis import grpc_client
from services.chassis.errors import Unavailable
from services.gateway import gathering
from services.gateway.errors import ApiError
from services.gateway.gathering import EarnGathering

POISON = "poison"


class Points(points_pb2_grpc.PointsServiceServicer):
    """A points service at the other end of a real channel, which holds its calls until told."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.open = asyncio.Event()

    async def EarnPoints(
        self, request: pb.EarnPointsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.EarnPointsResponse:
        """Answer each item with a balance that tells whose answer it is."""
        keys = [item.idempotency_key for item in request.items]
        self.calls.append(keys)
        await self.open.wait()
        if POISON in keys:
            await context.abort(grpc.StatusCode.INTERNAL, "internal")
        return pb.EarnPointsResponse(
            outcomes=[pb.EarnOutcome(earned=pb.Earned(balance=int(key))) for key in keys]
        )


def held() -> Points:
    """Points that answers once its door is opened."""
    return Points()  # type: ignore[abstract]  # the other methods are not asked


@asynccontextmanager
async def serving(points: Points, *, queue_items_max: int = 1000) -> AsyncIterator[EarnGathering]:
    server = grpc.aio.server()
    points_pb2_grpc.add_PointsServiceServicer_to_server(points, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = grpc_client.channel(f"127.0.0.1:{port}")
    stub = points_pb2_grpc.PointsServiceStub(channel)
    try:
        yield EarnGathering(stub, queue_items_max=queue_items_max)
    finally:
        await channel.close(None)
        await server.stop(None)


def earn(key: int | str) -> pb.EarnItem:
    return pb.EarnItem(idempotency_key=str(key))


async def called(points: Points, times: int) -> None:
    async with asyncio.timeout(10):
        while len(points.calls) < times:
            await asyncio.sleep(0.01)


async def test_earns_gather_while_two_calls_are_in_flight_and_each_gets_its_own_answer() -> None:
    points = held()
    async with serving(points) as earns:
        first = [asyncio.create_task(earns.count(earn(key))) for key in range(2)]
        await called(points, 1)
        second = [asyncio.create_task(earns.count(earn(2)))]
        await called(points, 2)
        rest = [asyncio.create_task(earns.count(earn(key))) for key in range(3, 600)]
        await asyncio.sleep(0)
        points.open.set()
        answers = await asyncio.gather(*first, *second, *rest)

    assert [answer.earned.balance for answer in answers] == list(range(600))
    sizes = [len(keys) for keys in points.calls]
    assert max(sizes) == gathering.CALL_ITEMS_MAX
    assert len(sizes) < 10


async def test_an_earn_alone_waits_for_nobody() -> None:
    points = held()
    points.open.set()
    async with serving(points) as earns:
        assert (await earns.count(earn(7))).earned.balance == 7

    assert points.calls == [["7"]]


async def test_a_poisoned_earn_harms_only_itself() -> None:
    points = held()
    points.open.set()
    async with serving(points) as earns:
        keys = ["1", POISON, "2"]
        answers = await asyncio.gather(
            *(earns.count(earn(key)) for key in keys), return_exceptions=True
        )

    assert isinstance(answers[0], pb.EarnOutcome)
    assert answers[0].earned.balance == 1
    assert isinstance(answers[1], grpc.aio.AioRpcError)
    assert isinstance(answers[2], pb.EarnOutcome)
    assert answers[2].earned.balance == 2


async def test_one_earn_too_many_is_told_to_come_again() -> None:
    points = held()
    async with serving(points, queue_items_max=3) as earns:
        waiting = [asyncio.create_task(earns.count(earn(key))) for key in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(ApiError) as refused:
            await earns.count(earn(9))
        points.open.set()
        answers = await asyncio.gather(*waiting)

    assert refused.value.status == 503
    assert refused.value.retry_after_seconds == 1
    assert [answer.earned.balance for answer in answers] == [0, 1, 2]


async def test_a_caller_who_gives_up_takes_nobody_along() -> None:
    points = held()
    async with serving(points) as earns:
        leaving = asyncio.create_task(earns.count(earn(1)))
        staying = asyncio.create_task(earns.count(earn(2)))
        await called(points, 1)
        leaving.cancel()
        points.open.set()
        answer = await staying

    assert answer.earned.balance == 2
    assert leaving.cancelled()


async def test_when_points_is_away_everybody_is_told_so() -> None:
    channel = grpc_client.channel("127.0.0.1:1", deadline_seconds=0.5)
    earns = EarnGathering(points_pb2_grpc.PointsServiceStub(channel))
    answers = await asyncio.gather(
        *(earns.count(earn(key)) for key in range(3)), return_exceptions=True
    )
    await channel.close(None)

    assert all(isinstance(answer, Unavailable) for answer in answers)
