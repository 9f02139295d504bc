"""Work that goes round all chains: what fails in one keeps no other waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar
from uuid import UUID

import structlog

from services.chassis.errors import TooBusy, Unavailable
from services.chassis.postgres import is_lost

log = structlog.get_logger(__name__)

C = TypeVar("C", bound=UUID)


async def for_each(
    chain_ids: Iterable[C], work: Callable[[C], Awaitable[int]], *, failed: str
) -> int:
    """Do the work of each chain in turn; the sum of what it returned.

    What fails in one is logged under the name `failed` and left to the next round. A lost database
    would fail in all of them: it is raised, to be waited for. What takes too long, or waits too
    long for a lock, is its own chain's trouble.
    """
    done = 0
    for chain_id in chain_ids:
        try:
            done += await work(chain_id)
        except Exception as error:
            away = isinstance(error, Unavailable) and not isinstance(error, TooBusy)
            if away or is_lost(error):
                raise
            log.error(failed, chain_id=str(chain_id), exc_info=error)
    return done
