"""Waits until what one service wrote is known to all: outboxes empty, inboxes caught up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from chassis.v1.business_clock_pb2 import ProgressRequest, ProgressResponse
from chassis.v1.business_clock_pb2_grpc import BusinessClockStub

POLL_SECONDS_MIN: Final = 0.02
POLL_SECONDS_MAX: Final = 0.25

_Published = dict[tuple[str, int], int]


async def settle(clocks: Mapping[str, BusinessClockStub], *, seconds_max: float) -> bool:
    """Whether everything that was written before the call has reached every service in time.

    An effect may write events of its own, so two looks in a row must see the same quiet.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds_max
    pause = POLL_SECONDS_MIN
    before: _Published | None = None
    while True:
        seen = await asyncio.gather(
            *(clock.Progress(ProgressRequest()) for clock in clocks.values())
        )
        published = _quiet(seen)
        if published is not None and published == before:
            return True
        before = published
        if loop.time() + pause > end:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS_MAX)


def _quiet(seen: list[ProgressResponse]) -> _Published | None:
    """The published positions when nothing waits anywhere, else None."""
    published: _Published = {
        (place.topic, place.partition): place.next_offset
        for progress in seen
        for place in progress.published
    }
    if any(progress.outbox_pending for progress in seen):
        return None
    for progress in seen:
        for place in progress.consumed:
            if place.next_offset < published.get((place.topic, place.partition), 0):
                return None
    return published
