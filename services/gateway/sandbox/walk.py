"""Moves a sandbox chain's business time forward, from due time to due time, in all services."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from chassis.v1.business_clock_pb2 import (
    NextDueRequest,
    NowRequest,
    NowResponse,
    RunDueRequest,
    SetOffsetRequest,
)
from chassis.v1.business_clock_pb2_grpc import BusinessClockStub

from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.gateway.settling import settle

log = structlog.get_logger(__name__)

# A day's work of a big chain may take a while; a call that takes longer is stuck.
RUN_SECONDS_MAX: Final = 60.0
SETTLE_SECONDS_MAX: Final = 30.0
# The clock ticks on while an answer is lost: the same request again finds it a little ahead.
REPEAT_SLACK: Final = timedelta(minutes=1)
# Work that stays due although it was run is left to the services' own retries.
ROUNDS_MAX: Final = 20


class MovedBack(Exception):
    """The clock was asked to show a time that lies behind it; `now` is what it shows."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now.isoformat())
        self.now = now


def _moment(answer: NowResponse) -> datetime:
    return answer.now.ToDatetime(tzinfo=UTC)


async def now(clocks: Mapping[str, BusinessClockStub], chain_id: str) -> datetime:
    """The chain's business time: that of the service which is furthest ahead.

    They differ only while a walk is under way or was cut off; the next walk brings them together.
    """
    answers = await asyncio.gather(
        *(clock.Now(NowRequest(chain_id=chain_id)) for clock in clocks.values())
    )
    return max(_moment(answer) for answer in answers)


async def walk_to(
    target: datetime,
    *,
    clocks: Mapping[str, BusinessClockStub],
    chain_id: str,
    clock: Clock,
) -> datetime:
    """Bring every service of the chain to `target`, each due moment met on its own day.

    Repeatable: a walk that was cut off goes on where it stopped. Raises `MovedBack`, or
    `Unavailable` when a service cannot come along.
    """
    present = await now(clocks, chain_id)
    if target < present - REPEAT_SLACK:
        raise MovedBack(present)
    # What happened before the walk belongs to the time before it.
    await _run_due(clocks, chain_id)
    last_due: datetime | None = None
    while True:
        due = await _next_due(clocks, chain_id)
        present = await now(clocks, chain_id)
        # What is still due after it was run must not keep the clock from going on.
        is_new = due is not None and due != last_due
        step = max(present, min(due, target) if due is not None and is_new else target)
        last_due = due
        await _set(clocks, chain_id, step - clock.now())
        await _run_due(clocks, chain_id)
        if step >= target:
            return await now(clocks, chain_id)


async def _next_due(clocks: Mapping[str, BusinessClockStub], chain_id: str) -> datetime | None:
    answers = await asyncio.gather(
        *(clock.NextDue(NextDueRequest(chain_id=chain_id)) for clock in clocks.values())
    )
    moments = [
        answer.next_due_at.ToDatetime(tzinfo=UTC)
        for answer in answers
        if answer.HasField("next_due_at")
    ]
    return min(moments, default=None)


async def _set(clocks: Mapping[str, BusinessClockStub], chain_id: str, offset: timedelta) -> None:
    microseconds = offset // timedelta(microseconds=1)
    present = await asyncio.gather(
        *(clock.Now(NowRequest(chain_id=chain_id)) for clock in clocks.values())
    )
    # Offsets only grow, also when the machine's clock was set back between two steps.
    microseconds = max(microseconds, *(answer.offset_microseconds for answer in present))
    await asyncio.gather(
        *(
            clock.SetOffset(SetOffsetRequest(chain_id=chain_id, offset_microseconds=microseconds))
            for clock in clocks.values()
        )
    )


async def _run_due(clocks: Mapping[str, BusinessClockStub], chain_id: str) -> None:
    """Run what is due, let the events arrive, and run what fell due by them, until quiet."""
    for _ in range(ROUNDS_MAX):
        ran = await asyncio.gather(
            *(
                clock.RunDue(RunDueRequest(chain_id=chain_id), timeout=RUN_SECONDS_MAX)
                for clock in clocks.values()
            )
        )
        if not await settle(clocks, seconds_max=SETTLE_SECONDS_MAX):
            raise Unavailable("the services' events did not come to rest")
        if not any(answer.jobs_run for answer in ran):
            return
    log.warning("walk_left_work_due", chain_id=chain_id)
