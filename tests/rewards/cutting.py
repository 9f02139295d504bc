"""Ending a piece of work in the middle, as a crash would."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any


@types.coroutine
def _stepped(
    work: Coroutine[Any, Any, Any], *, steps: int, kill: Callable[[], object]
) -> Generator[Any, Any, Any]:
    """Run `work` and call `kill` when it waits for the `steps`-th time."""
    waits = 0
    thrown: BaseException | None = None
    result: Any = None
    while True:
        try:
            awaited = work.send(result) if thrown is None else work.throw(thrown)
        except StopIteration as end:
            return end.value
        waits += 1
        if waits == steps:
            kill()
        thrown = result = None
        try:
            result = yield awaited
        except BaseException as error:
            thrown = error


async def cut_off_after(steps: int, work: Coroutine[Any, Any, Any]) -> bool:
    """Run `work` until it waits for the `steps`-th time and end it there; False if it got done."""

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        await _stepped(work, steps=steps, kill=task.cancel)

    try:
        await asyncio.create_task(run())
    except asyncio.CancelledError:
        return True
    return False
