"""What tills ask all day on its way to the services: together, and each for itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import grpc
import pytest
from loyalty.enrollment.v1 import enrollment_pb2, enrollment_pb2_grpc
from loyalty.points.v1 import points_pb2 as pb
from loyalty.points.v1 import points_pb2_grpc

from services.chassis import gathering
from services.chassis.errors import Unavailable
from services.gateway.clients import Clients
from services.gateway.errors import ApiError
from services.gateway.gathering import READS_MAX, Gathered
from services.gateway.settings import Settings

POISON = "poison"
NOBODY = "127.0.0.1:1"


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

    async def GetAccounts(
        self, request: pb.GetAccountsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.GetAccountsResponse:
        """The accounts that have a number; in another order, as a service may."""
        self.calls.append(list(request.account_ids))
        await self.open.wait()
        return pb.GetAccountsResponse(
            accounts=[
                pb.Account(id=wanted, chain_id=request.chain_id, balance=int(wanted))
                for wanted in reversed(request.account_ids)
                if wanted.isdigit()
            ]
        )


class Enrollment(enrollment_pb2_grpc.EnrollmentServiceServicer):
    """An enrollment service that knows the members whose id is a number."""

    async def FindMembers(
        self,
        request: enrollment_pb2.FindMembersRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> enrollment_pb2.FindMembersResponse:
        """Those that it knows."""
        return enrollment_pb2.FindMembersResponse(
            members=[
                enrollment_pb2.Member(id=wanted, chain_id=request.chain_id, given_name=wanted)
                for wanted in sorted(request.member_ids)
                if wanted.isdigit()
            ]
        )


def held() -> Points:
    """Points that answers once its door is opened."""
    return Points()  # type: ignore[abstract]  # the other methods are not asked


def clients_to(address: str) -> Clients:
    """The services, all behind one address."""
    names = ("enrollment", "points", "rewards", "messaging", "offers")
    return Clients.connect(
        Settings.model_validate(
            {
                **{f"{name}_address": address for name in names},
                "ops_port": 1,
                "http_port": 1,
                "redis_url": "redis://127.0.0.1:1/0",
                "operator_key": str(uuid4()),
            }
        )
    )


@asynccontextmanager
async def serving(points: Points, *, queue_items_max: int = 1000) -> AsyncIterator[Gathered]:
    server = grpc.aio.server()
    points_pb2_grpc.add_PointsServiceServicer_to_server(points, server)
    enrollment_pb2_grpc.add_EnrollmentServiceServicer_to_server(
        Enrollment(),  # type: ignore[abstract]  # the other methods are not asked
        server,
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    clients = clients_to(f"127.0.0.1:{port}")
    try:
        yield Gathered.over(clients, queue_items_max=queue_items_max)
    finally:
        await clients.close()
        await server.stop(None)


def earn(key: int | str) -> pb.EarnItem:
    return pb.EarnItem(idempotency_key=str(key))


async def called(points: Points, times: int) -> None:
    async with asyncio.timeout(10):
        while len(points.calls) < times:
            await asyncio.sleep(0.01)


async def test_earns_gather_while_two_calls_are_in_flight_and_each_gets_its_own_answer() -> None:
    points = held()
    async with serving(points) as gathered:
        first = [asyncio.create_task(gathered.earns.one(earn(key))) for key in range(2)]
        await called(points, 1)
        second = [asyncio.create_task(gathered.earns.one(earn(2)))]
        await called(points, 2)
        rest = [asyncio.create_task(gathered.earns.one(earn(key))) for key in range(3, 600)]
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
    async with serving(points) as gathered:
        assert (await gathered.earns.one(earn(7))).earned.balance == 7

    assert points.calls == [["7"]]


async def test_a_poisoned_earn_harms_only_itself() -> None:
    points = held()
    points.open.set()
    async with serving(points) as gathered:
        keys = ["1", POISON, "2"]
        answers = await asyncio.gather(
            *(gathered.earns.one(earn(key)) for key in keys), return_exceptions=True
        )

    assert isinstance(answers[0], pb.EarnOutcome)
    assert answers[0].earned.balance == 1
    assert isinstance(answers[1], grpc.aio.AioRpcError)
    assert isinstance(answers[2], pb.EarnOutcome)
    assert answers[2].earned.balance == 2


async def test_one_earn_too_many_is_told_to_come_again() -> None:
    points = held()
    async with serving(points, queue_items_max=3) as gathered:
        waiting = [asyncio.create_task(gathered.earns.one(earn(key))) for key in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(ApiError) as refused:
            await gathered.earns.one(earn(9))
        points.open.set()
        answers = await asyncio.gather(*waiting)

    assert refused.value.status == 503
    assert refused.value.retry_after_seconds == 1
    assert [answer.earned.balance for answer in answers] == [0, 1, 2]


async def test_a_caller_who_gives_up_takes_nobody_along() -> None:
    points = held()
    async with serving(points) as gathered:
        leaving = asyncio.create_task(gathered.earns.one(earn(1)))
        staying = asyncio.create_task(gathered.earns.one(earn(2)))
        await called(points, 1)
        leaving.cancel()
        points.open.set()
        answer = await staying

    assert answer.earned.balance == 2
    assert leaving.cancelled()


async def test_when_points_is_away_everybody_is_told_so() -> None:
    clients = clients_to(NOBODY)
    gathered = Gathered.over(clients)
    answers = await asyncio.gather(
        *(gathered.earns.one(earn(key)) for key in range(3)), return_exceptions=True
    )
    await clients.close()

    assert all(isinstance(answer, Unavailable) for answer in answers)


async def test_looks_at_accounts_gather_and_each_sees_its_own() -> None:
    points = held()
    async with serving(points) as gathered:
        first = asyncio.create_task(gathered.accounts.one(("a", "0")))
        await called(points, 1)
        second = asyncio.create_task(gathered.accounts.one(("a", "1")))
        await called(points, 2)
        rest = [
            asyncio.create_task(gathered.accounts.one(("a", str(number % 300))))
            for number in range(600)
        ]
        await asyncio.sleep(0)
        points.open.set()
        answers = await asyncio.gather(first, second, *rest)

    balances = [answer.balance if answer else None for answer in answers]
    assert balances == [0, 1, *(number % 300 for number in range(600))]
    assert max(map(len, points.calls)) == READS_MAX
    assert len(points.calls) <= 6
    assert all(len(set(call)) == len(call) for call in points.calls)


async def test_an_account_of_another_chain_or_of_nobody_is_not_found() -> None:
    """Charlie asks for Alice's account in the same moment as a till of hers does."""
    points = held()
    points.open.set()
    async with serving(points) as gathered:
        answers = await asyncio.gather(
            gathered.accounts.one(("alices-chain", "7")),
            gathered.accounts.one(("charlies-chain", "x")),
            gathered.accounts.one(("alices-chain", "x")),
        )

    assert [answer and answer.chain_id for answer in answers] == ["alices-chain", None, None]
    assert sorted(map(sorted, points.calls)) == [["7", "x"], ["x"]]


async def test_members_are_found_together() -> None:
    async with serving(held()) as gathered:
        names = [("a", "3"), ("b", "3"), ("a", "unknown"), ("a", "5"), ("a", "3")]
        answers = await asyncio.gather(*map(gathered.members.one, names))

    assert [answer and (answer.chain_id, answer.id) for answer in answers] == [
        ("a", "3"),
        ("b", "3"),
        None,
        ("a", "5"),
        ("a", "3"),
    ]
