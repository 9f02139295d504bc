"""Housekeeping: what no request will ever read again is deleted, in small bites."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from services.chassis.errors import Unavailable
from services.enrollment.usecases.deps import Deps
from services.enrollment.usecases.housekeeping import forget_the_dead

log = structlog.get_logger(__name__)

EVERY_SECONDS = 3_600.0


def housekeeping(deps: Deps) -> Callable[[], Awaitable[None]]:
    """Work for the background of a process; an hour without the database is no harm."""

    async def run() -> None:
        while True:
            try:
                forgotten = await forget_the_dead(deps)
                log.info("housekeeping_done", forgotten=forgotten)
            except Unavailable as fault:
                log.warning("housekeeping_put_off", fault=type(fault).__name__)
            await asyncio.sleep(EVERY_SECONDS)

    return run
