"""gRPC between services: refusals arrive whole, faults of ours do not, deadlines hold."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from chassis.v1 import business_clock_pb2 as pb
from chassis.v1 import business_clock_pb2_grpc as pb_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local import ports
from services.chassis import context, jobs
from services.chassis.clock import BusinessClock, SystemClock
from services.chassis.clock_service import REFUSALS, BusinessClockServicer, DueSource, DueWork
from services.chassis.errors import (
    InvariantViolated,
    KeyReused,
    RateLimited,
    RemoteRefusal,
    Unavailable,
)
from services.chassis.grpc_client import channel
from services.chassis.grpc_server import GrpcServer, RefusalTable
from services.chassis.jobs import Job, JobRunner
from services.chassis.metrics import REGISTRY
from services.chassis.postgres import Connection, Pool, transaction


class Refusal(Exception):
    """The base class of a demo service's refusals."""

    code = "REFUSED"


class NotEnough(Refusal):
    code = "NOT_ENOUGH"
    field = "points"

    def __init__(self) -> None:
        super().__init__("canary detail")
        self.params = {"available": 3, "requested": 10}


class Elsewhere(Refusal):
    code = "ELSEWHERE"


TABLE: RefusalTable = {
    Refusal: grpc.StatusCode.FAILED_PRECONDITION,
    Elsewhere: grpc.StatusCode.NOT_FOUND,
}


@dataclass
class Demo(pb_grpc.BusinessClockServicer):
    """Answers with whatever a test puts in; a contract of the chassis lends its methods."""

    fault: Exception | None = None
    wait: asyncio.Event | None = None
    request_ids: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def RunDue(self, request: pb.RunDueRequest, context_: Any) -> pb.RunDueResponse:
        self.request_ids.append(context.request_id())
        try:
            if self.wait is not None:
                await self.wait.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        if self.fault is not None:
            raise self.fault
        self.ended.append("done")
        return pb.RunDueResponse(jobs_run=7)

    async def Now(self, request: pb.NowRequest, context_: Any) -> Any:
        raise NotImplementedError

    async def SetOffset(self, request: pb.SetOffsetRequest, context_: Any) -> Any:
        raise NotImplementedError

    async def NextDue(self, request: pb.NextDueRequest, context_: Any) -> Any:
        raise NotImplementedError

    async def Progress(self, request: pb.ProgressRequest, context_: Any) -> Any:
        raise NotImplementedError


@contextlib.asynccontextmanager
async def serving(servicer: Any, table: RefusalTable = TABLE) -> AsyncIterator[GrpcServer]:
    server = GrpcServer("127.0.0.1:0")
    server.register(lambda real: pb_grpc.add_BusinessClockServicer_to_server(servicer, real), table)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0.1)


@contextlib.asynccontextmanager
async def stub_to(port: int, **options: Any) -> AsyncIterator[pb_grpc.BusinessClockStub]:
    opened = channel(f"127.0.0.1:{port}", **options)
    try:
        yield pb_grpc.BusinessClockStub(opened)
    finally:
        await opened.close(None)


async def call(demo: Demo, **options: Any) -> pb.RunDueResponse:
    async with serving(demo) as server, stub_to(server.port, **options) as stub:
        return await stub.RunDue(pb.RunDueRequest())


async def test_an_answer_and_the_request_id_travel() -> None:
    demo = Demo()
    with context.bind(request_id="till-7"):
        assert (await call(demo)).jobs_run == 7
    await call(demo)
    assert demo.request_ids[0] == "till-7"
    assert demo.request_ids[1] not in ("", "till-7")


async def test_a_refusal_reaches_the_caller_whole() -> None:
    with pytest.raises(RemoteRefusal) as refused:
        await call(Demo(fault=NotEnough()))

    refusal = refused.value
    assert refusal.status is grpc.StatusCode.FAILED_PRECONDITION
    assert (refusal.code, refusal.field) == ("NOT_ENOUGH", "points")
    assert refusal.params == {"available": "3", "requested": "10"}
    assert "canary" not in str(refusal)


@pytest.mark.parametrize(
    ("fault", "status", "code", "retry_after"),
    [
        (Elsewhere(), grpc.StatusCode.NOT_FOUND, "ELSEWHERE", 0),
        (KeyReused(), grpc.StatusCode.INVALID_ARGUMENT, "IDEMPOTENCY_KEY_REUSED", 0),
        (RateLimited(42), grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED", 42),
        (
            RemoteRefusal(code="PEER", status=grpc.StatusCode.ALREADY_EXISTS),
            grpc.StatusCode.ALREADY_EXISTS,
            "PEER",
            0,
        ),
    ],
)
async def test_each_refusal_has_its_status(
    fault: Exception, status: grpc.StatusCode, code: str, retry_after: int
) -> None:
    with pytest.raises(RemoteRefusal) as refused:
        await call(Demo(fault=fault))
    assert (refused.value.status, refused.value.code) == (status, code)
    assert refused.value.retry_after_seconds == retry_after


@pytest.mark.parametrize(
    "fault", [ValueError("canary +15145550101"), InvariantViolated("canary"), KeyError("canary")]
)
async def test_a_fault_of_ours_tells_the_caller_nothing(fault: Exception) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call(Demo(fault=fault))
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert failed.value.details() == "internal"
    assert "canary" not in repr(failed.value)


async def test_an_engine_that_is_away_makes_the_caller_come_back() -> None:
    for fault in (Unavailable("canary"), ConnectionResetError("canary")):
        with pytest.raises(Unavailable) as away:
            await call(Demo(fault=fault))
        assert "canary" not in str(away.value)


async def test_a_callee_that_hangs_costs_the_caller_its_deadline_and_no_more() -> None:
    demo = Demo(wait=asyncio.Event())
    loop = asyncio.get_running_loop()
    async with serving(demo) as server, stub_to(server.port, deadline_seconds=0.3) as stub:
        started = loop.time()
        with pytest.raises(Unavailable):
            await stub.RunDue(pb.RunDueRequest())
        assert loop.time() - started < 1.5
        async with asyncio.timeout(5):
            while not demo.ended:
                await asyncio.sleep(0.01)

    assert demo.ended == ["cancelled"]
    assert len(demo.request_ids) == 1


async def test_a_peer_that_is_not_there_is_unavailable_soon() -> None:
    loop = asyncio.get_running_loop()
    async with stub_to(ports.free_port()) as stub:
        started = loop.time()
        with pytest.raises(Unavailable):
            await stub.RunDue(pb.RunDueRequest())
        assert loop.time() - started < 3


async def test_a_peer_that_comes_back_is_found_again() -> None:
    port = ports.free_port()
    async with stub_to(port) as stub:
        with pytest.raises(Unavailable):
            await stub.RunDue(pb.RunDueRequest(), timeout=0.5)
        server = GrpcServer(f"127.0.0.1:{port}")
        server.register(
            lambda real: pb_grpc.add_BusinessClockServicer_to_server(Demo(), real), TABLE
        )
        await server.start()
        try:
            async with asyncio.timeout(10):
                while True:
                    with contextlib.suppress(Unavailable):
                        assert (await stub.RunDue(pb.RunDueRequest())).jobs_run == 7
                        break
        finally:
            await server.stop(0.1)


async def test_a_stop_finishes_the_calls_in_hand_and_health_says_so_first() -> None:
    demo = Demo(wait=asyncio.Event())
    server = GrpcServer("127.0.0.1:0")
    server.register(lambda real: pb_grpc.add_BusinessClockServicer_to_server(demo, real), TABLE)
    await server.start()
    async with stub_to(server.port) as stub:
        opened = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
        health = health_pb2_grpc.HealthStub(opened)
        request = health_pb2.HealthCheckRequest()
        assert (await health.Check(request)).status == health_pb2.HealthCheckResponse.SERVING
        in_hand = asyncio.ensure_future(stub.RunDue(pb.RunDueRequest()))
        async with asyncio.timeout(5):
            while not demo.request_ids:
                await asyncio.sleep(0.01)
        await server.refuse_new_calls()
        assert (await health.Check(request)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        stopping = asyncio.create_task(server.stop(5))
        assert demo.wait is not None
        demo.wait.set()
        assert (await in_hand).jobs_run == 7
        await stopping
        await opened.close(None)


class Stopping(Demo):
    """Gives up what reaches it, as a server does that has begun to stop."""

    async def RunDue(self, request: pb.RunDueRequest, context_: Any) -> pb.RunDueResponse:
        await context_.abort(grpc.StatusCode.CANCELLED, "CANCELLED")
        raise AssertionError


async def test_a_call_that_a_stopping_peer_gives_up_is_one_to_repeat() -> None:
    """CANCELLED that nobody here asked for: the effect is unknown, and the key makes it safe."""
    with pytest.raises(Unavailable):
        await call(Stopping())


async def test_calls_are_counted_by_method_and_outcome() -> None:
    def handled(outcome: str) -> float:
        labels = {"method": "chassis.v1.BusinessClock/RunDue", "outcome": outcome}
        return REGISTRY.get_sample_value("loyalty_rpc_handled_seconds_count", labels) or 0

    before = handled("OK"), handled("FAILED_PRECONDITION")
    await call(Demo())
    with pytest.raises(RemoteRefusal):
        await call(Demo(fault=NotEnough()))
    assert (handled("OK"), handled("FAILED_PRECONDITION")) == (before[0] + 1, before[1] + 1)


async def test_a_walk_through_time_moves_the_clock_and_does_what_falls_due(
    pool: Pool, chain: UUID
) -> None:
    """One service's side of the sandbox clock: next due, move, run, and how far it has come."""
    clock = BusinessClock(SystemClock(), pool)
    ran: list[str] = []

    async def expire(conn: Connection, job: Job) -> None:
        ran.append(job.key)

    swept = 0

    async def sweep(_chain: UUID) -> int:
        nonlocal swept
        swept += 1
        return 1

    start = clock.real_now()

    async def next_sweep(_chain: UUID) -> Any:
        return None if swept else start + timedelta(days=5)

    due = DueWork(
        runner=JobRunner(pool, {"expire": expire}, clock),
        sources=[DueSource(next_due=next_sweep, run_due=sweep)],
    )
    async with transaction(pool) as conn:
        for days in (20, 10):
            await jobs.enqueue(
                conn,
                chain_id=chain,
                kind="expire",
                key=f"day {days}",
                due_at=start + timedelta(days=days),
                payload={},
            )
    servicer = BusinessClockServicer(pool=pool, clock=clock, due=due)
    async with serving(servicer, REFUSALS) as server, stub_to(server.port) as stub:
        visited = []
        while True:
            found = await stub.NextDue(pb.NextDueRequest(chain_id=str(chain)))
            if not found.HasField("next_due_at"):
                break
            moment = found.next_due_at.ToDatetime(tzinfo=start.tzinfo)
            visited.append(round((moment - start) / timedelta(days=1)))
            offset = (moment - clock.real_now()) // timedelta(microseconds=1)
            moved = await stub.SetOffset(
                pb.SetOffsetRequest(chain_id=str(chain), offset_microseconds=offset)
            )
            assert moved.now.ToDatetime(tzinfo=start.tzinfo) >= moment
            await stub.RunDue(pb.RunDueRequest(chain_id=str(chain)))
        progress = await stub.Progress(pb.ProgressRequest())
        shown = await stub.Now(pb.NowRequest(chain_id=str(chain)))

        assert shown.now.ToDatetime(tzinfo=start.tzinfo) >= start + timedelta(days=20)
        assert timedelta(microseconds=shown.offset_microseconds) == clock.offset(chain)
        assert visited == [5, 10, 20]
        assert ran == ["day 10", "day 20"]
        assert progress.outbox_pending == 0
        for wrong in (
            pb.SetOffsetRequest(chain_id=str(chain), offset_microseconds=0),
            pb.SetOffsetRequest(chain_id="x", offset_microseconds=0),
            pb.SetOffsetRequest(chain_id=str(chain), offset_microseconds=2**63 - 1),
        ):
            with pytest.raises(RemoteRefusal):
                await stub.SetOffset(wrong)
