"""Work of one kind in one transaction with whatever else of its kind arrives meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar, cast

from services.chassis.errors import RateLimited
from services.chassis.gathering import Gathering
from services.chassis.postgres import STATEMENT_TIMEOUT_MS, Connection, in_transaction
from services.rewards.usecases.deps import Deps

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# Answers some items in their order, refusals as exceptions. What it raises undoes all of them;
# each is then done alone, unless it is `Unavailable`.
Work: TypeAlias = Callable[[Deps, Connection, Sequence[Item]], Awaitable[list[Answer | Exception]]]


async def together(deps: Deps, work: Work[Item, Answer], item: Item) -> Answer:
    """Do `work` for an item; raises its refusal.

    Repeatable work only: it may be done again when its transaction could not be. Refuses with
    `RateLimited` when too many wait.
    """
    known = deps.gatherings.get(work)
    if known is None:
        known = deps.gatherings[work] = _gathering(deps, work)
    return await cast("Gathering[Item, Answer]", known).one(item)


def _gathering(deps: Deps, work: Work[Item, Answer]) -> Gathering[Item, Answer]:
    async def write(items: Sequence[Item], _seconds: float) -> list[Answer | Exception]:
        return await in_transaction(deps.pool, lambda conn: work(deps, conn, items))

    return Gathering(
        work.__name__,
        write,
        full=lambda: RateLimited(1),
        seconds_max=STATEMENT_TIMEOUT_MS / 1000,
    )
