"""The `chassis.v1.BusinessClock` service that every service serves for walks through time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
from chassis.v1 import business_clock_pb2 as pb
from chassis.v1 import business_clock_pb2_grpc as pb_grpc

from services.chassis import jobs, positions
from services.chassis.clock import BusinessClock, ClockMovedBack
from services.chassis.grpc_server import RefusalTable
from services.chassis.postgres import Connection, Pool, in_transaction

# The latest moment that a timestamp and a calendar can hold is far beyond this.
OFFSET_YEARS_MAX = 100


class WrongRequest(Exception):
    """A request that names no chain, or no possible time."""

    code = "INVALID_VALUE"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.field = name


REFUSALS: RefusalTable = {
    WrongRequest: grpc.StatusCode.INVALID_ARGUMENT,
    ClockMovedBack: grpc.StatusCode.FAILED_PRECONDITION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSource:
    """Timed work of a service that does not stand in the job table.

    `next_due` is the earliest business moment of a chain at which some waits; `run_due` does what
    is due now and returns how much it did.
    """

    next_due: Callable[[UUID], Awaitable[datetime | None]]
    run_due: Callable[[UUID], Awaitable[int]]


@dataclass(slots=True, kw_only=True)
class DueWork:
    """Everything in a service that happens at a business time."""

    runner: jobs.JobRunner | None = None
    sources: list[DueSource] = field(default_factory=list)


def _chain(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise WrongRequest("chain_id") from None


class BusinessClockServicer(pb_grpc.BusinessClockServicer):
    """Moves a chain's business time and does what falls due."""

    def __init__(self, *, pool: Pool, clock: BusinessClock, due: DueWork) -> None:
        self._pool = pool
        self._clock = clock
        self._due = due

    async def Now(self, request: pb.NowRequest, context: Any) -> pb.NowResponse:
        """The chain's business time here."""
        chain_id = _chain(request.chain_id)
        offset = self._clock.offset(chain_id)
        response = pb.NowResponse(offset_microseconds=offset // timedelta(microseconds=1))
        response.now.FromDatetime(self._clock.now(chain_id))
        return response

    async def SetOffset(self, request: pb.SetOffsetRequest, context: Any) -> pb.SetOffsetResponse:
        """Move a chain's clock forward; repeatable. Refuses with `ClockMovedBack`."""
        chain_id = _chain(request.chain_id)
        if request.offset_microseconds > timedelta(days=366 * OFFSET_YEARS_MAX) / timedelta(
            microseconds=1
        ):
            raise WrongRequest("offset_microseconds")
        offset = timedelta(microseconds=request.offset_microseconds)

        async def work(conn: Connection) -> None:
            await self._clock.set_offset(conn, chain_id, offset)

        await in_transaction(self._pool, work)
        await self._clock.load()
        response = pb.SetOffsetResponse()
        response.now.FromDatetime(self._clock.now(chain_id))
        return response

    async def NextDue(self, request: pb.NextDueRequest, context: Any) -> pb.NextDueResponse:
        """The earliest business moment at which this service has work for the chain."""
        chain_id = _chain(request.chain_id)
        moments: list[datetime | None] = []
        if self._due.runner is not None:
            moments.append(await self._due.runner.next_due(chain_id))
        moments += [await source.next_due(chain_id) for source in self._due.sources]
        response = pb.NextDueResponse()
        known = [moment for moment in moments if moment is not None]
        if known:
            response.next_due_at.FromDatetime(min(known))
        return response

    async def RunDue(self, request: pb.RunDueRequest, context: Any) -> pb.RunDueResponse:
        """Do all work of the chain that is due, until a whole round finds none."""
        chain_id = _chain(request.chain_id)
        total = 0 if self._due.runner is None else await self._due.runner.run_due(chain_id)
        for source in self._due.sources:
            total += await source.run_due(chain_id)
        return pb.RunDueResponse(jobs_run=total)

    async def Progress(self, request: pb.ProgressRequest, context: Any) -> pb.ProgressResponse:
        """How far the outbox and the inboxes are, at one moment."""
        progress = await positions.progress(self._pool)
        return pb.ProgressResponse(
            outbox_pending=progress.outbox_pending,
            published=_positions(progress.published),
            consumed=_positions(progress.consumed),
        )


def _positions(found: Sequence[positions.Position]) -> list[pb.Position]:
    return [
        pb.Position(
            group=position.group,
            topic=position.topic,
            partition=position.partition,
            next_offset=position.next_offset,
        )
        for position in found
    ]
