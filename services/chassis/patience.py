"""One timer for all who wait equally long: a timer for each costs more than most of them wait."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """Somebody who waits until a moment of the loop's clock, and no longer."""

    until: float

    @property
    def is_over(self) -> bool:
        """Whether the wait has ended, one way or the other."""

    def give_up(self) -> None:
        """End the wait: its time is over."""


W = TypeVar("W", bound=Waiting)


class Patience(Generic[W]):
    """Gives up whoever has waited too long. They must come in the order of their moments."""

    def __init__(self) -> None:
        self._waiting: deque[W] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, one: W) -> None:
        """Let this one, too, wait no longer than it may."""
        while self._waiting and self._waiting[0].is_over:
            self._waiting.popleft()
        self._waiting.append(one)
        if self._timer is None:
            self._see()

    def _see(self) -> None:
        """Give up those whose time has come, and come again for the next one."""
        loop = asyncio.get_running_loop()
        while self._waiting and (self._waiting[0].is_over or self._waiting[0].until <= loop.time()):
            late = self._waiting.popleft()
            if not late.is_over:
                late.give_up()
        self._timer = loop.call_at(self._waiting[0].until, self._see) if self._waiting else None
