"""Several Hypothesis runs beside each other, each in a thread, over services on one event loop.

Hypothesis calls plain functions, one walk after the other; a service that waits for its database
has time for the steps of other walks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar
from unittest import SkipTest

P = ParamSpec("P")
T = TypeVar("T")

NOBODY = -1


class Lanes:
    """Lanes that carry out their steps on the loop on which this was made.

    The first lane whose step fails has the others leave, so that it finds the fewest steps that
    fail in peace.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._left_to: int | None = None

    async def run(self, count: int, lane: Callable[[int], None]) -> None:
        """Call `lane` with the number of each; raises what the first that failed has raised."""
        pool = ThreadPoolExecutor(count, thread_name_prefix="lane")
        try:
            ends = await asyncio.gather(
                *(self._loop.run_in_executor(pool, lane, number) for number in range(count)),
                return_exceptions=True,
            )
        finally:
            # Where the test was cut off, its lanes are still on the way: they stop at a step.
            self._left_to = NOBODY
            pool.shutdown(wait=False)
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, SkipTest):
                raise end

    def do(
        self,
        lane: int,
        step: Callable[P, Coroutine[Any, Any, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """A step of a lane. Raises `SkipTest`, at which Hypothesis stops, in one that leaves."""
        if self._left_to not in (None, lane):
            raise SkipTest("another lane failed")
        try:
            return asyncio.run_coroutine_threadsafe(step(*args, **kwargs), self._loop).result()
        except Exception:
            with self._lock:
                if self._left_to is None:
                    self._left_to = lane
            if self._left_to != lane:
                raise SkipTest("another lane failed") from None
            raise
