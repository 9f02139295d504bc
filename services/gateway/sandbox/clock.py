"""The business time of a sandbox chain: shown, and moved forward."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakValueDictionary

from fastapi import APIRouter
from google.protobuf.timestamp_pb2 import Timestamp
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import ApiError, Json
from services.gateway.pos.fields import Moment, Part
from services.gateway.pos.shapes import moment
from services.gateway.sandbox import walk
from services.gateway.sandbox.doors import ClockMover, ClockReader

router = APIRouter()

# Far enough for every expiry that a program can have; a typing slip should not leave 2026 forever.
YEARS_MAX: Final = 30
_walking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


class ClockAnswer(TypedDict):
    """What the chain's clock shows."""

    now: str


class MoveClock(Part):
    """The time to go to."""

    now: Moment


def _shown(now: datetime) -> str:
    stamp = Timestamp()
    stamp.FromDatetime(now)
    return moment(stamp)


@router.get("/clock", response_model=ClockAnswer, operation_id="RetrieveSandboxClock")
async def get_clock(caller: ClockReader) -> Response:
    """The chain's business time; it ticks like real time, ahead of it by what it was moved."""
    return Json({"now": _shown(await walk.now(caller.deps.clients.clocks, caller.chain_id))})


@router.post("/clock", response_model=ClockAnswer, operation_id="MoveSandboxClock")
async def move_clock(caller: ClockMover, body: MoveClock) -> Response:
    """Move the chain's business time forward.

    Answers when every service has reached that time and run what fell due on the way, in order.
    """
    deps = caller.deps
    if body.now > deps.clock.now() + timedelta(days=366 * YEARS_MAX):
        raise ApiError.of("CLOCK_TOO_FAR", field="now", params={"years_max": str(YEARS_MAX)})
    # One walk at a time: two would run each other's due work in another order.
    lock = _walking.setdefault(caller.chain_id, asyncio.Lock())
    async with lock:
        try:
            now = await walk.walk_to(
                body.now, clocks=deps.clients.clocks, chain_id=caller.chain_id, clock=deps.clock
            )
        except walk.MovedBack as back:
            raise ApiError.of(
                "CLOCK_MOVED_BACK", field="now", params={"now": _shown(back.now)}
            ) from None
    return Json({"now": _shown(now)})
