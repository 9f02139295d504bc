"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 30.0) -> None:
    """Return when the condition holds; fail when it does not come to hold in time."""
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, "the condition did not come to hold"
        await asyncio.sleep(0.02)


class Role(Protocol):
    """Something that runs until it is told to stop."""

    async def run(self) -> None:
        """Run."""

    def stop(self) -> None:
        """End."""


@asynccontextmanager
async def running(role: Role) -> AsyncIterator[asyncio.Task[None]]:
    """Run a role for the length of a block, and have it end in good order."""
    task = asyncio.create_task(role.run())
    try:
        yield task
    finally:
        role.stop()
        try:
            await asyncio.wait_for(task, 15)
        except Exception:
            if not task.cancelled() and task.done() and task.exception() is None:
                raise


@asynccontextmanager
async def killed(role: Role) -> AsyncIterator[asyncio.Task[None]]:
    """Run a role for the length of a block, and then cut it off wherever it is."""
    task = asyncio.create_task(role.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
