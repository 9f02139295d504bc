"""Earns that arrive together are written together; one that arrives alone waits for nobody."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from services.chassis import gathering
from services.chassis.errors import Unavailable
from services.chassis.gathering import (
    CALL_ITEMS_MAX,
    IN_FLIGHT_MAX,
    QUEUE_ITEMS_MAX,
    Gathering,
)
from services.chassis.postgres import STATEMENT_TIMEOUT_MS, Pool, in_transaction
from services.points.domain.errors import Overloaded
from services.points.usecases.deps import Deps
from services.points.usecases.earn_batch import earn_batch
from services.points.usecases.earn_items import Arrival, Outcome

log = structlog.get_logger(__name__)

BATCH_ITEMS_MAX = CALL_ITEMS_MAX
TRANSACTIONS_MAX = IN_FLIGHT_MAX
# A transaction costs more than the call that brings its earns, so it is worth a second one's.
BESIDE_ITEMS_MIN = 2 * gathering.BESIDE_ITEMS_MIN


class EarnFailed(Exception):
    """This earn alone could not be written, for a reason that is ours; nothing was done."""

    code = "internal"


class EarnQueue:
    """The one way in for earns of a process: two transactions at a time, each for many.

    They may have a pool of their own, of that many connections.
    """

    def __init__(
        self, deps: Deps, *, pool: Pool | None = None, queue_items_max: int = QUEUE_ITEMS_MAX
    ) -> None:
        pool = pool or deps.pool

        async def write(arrivals: Sequence[Arrival], _seconds: float) -> list[Outcome | Exception]:
            return [*await in_transaction(pool, lambda conn: earn_batch(deps, conn, arrivals))]

        self._gathering: Gathering[Arrival, Outcome] = Gathering(
            "earns",
            write,
            full=Overloaded,
            seconds_max=STATEMENT_TIMEOUT_MS / 1000,
            queue_items_max=queue_items_max,
            in_flight_max=TRANSACTIONS_MAX,
            beside_items_min=BESIDE_ITEMS_MIN,
        )

    async def count(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Outcomes of some earns in their order; other callers' earns may share the transaction.

        Takes all of them or refuses with Overloaded. Raises `Unavailable` when the database is
        away. A caller that gives up is not waited for; what was written stays, under its keys.
        """
        answers = await self._gathering.many(arrivals)
        return [_outcome(answer) for answer in answers]

    def is_busy(self) -> bool:
        """Whether earns are in hand at this moment."""
        return self._gathering.is_busy

    async def drain(self) -> None:
        """Finish what is queued; for a gentle stop."""
        await self._gathering.drain()


def _outcome(answer: Outcome | Exception) -> Outcome:
    if isinstance(answer, Outcome):
        return answer
    if isinstance(answer, Unavailable):
        raise answer
    log.error("earn_failed", exc_info=answer)
    return Outcome(result=EarnFailed())
