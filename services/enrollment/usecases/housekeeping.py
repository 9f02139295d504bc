"""Deleting what has had its time: dead sessions and old one-time codes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from services.chassis.postgres import Connection, in_transaction
from services.enrollment.domain.credentials import STAFF_SESSION_LIFETIME
from services.enrollment.storage import codes, member_sessions, staff
from services.enrollment.usecases.deps import Deps

# Long enough to look into a complaint.
KEEP_DEAD = timedelta(days=30)
KEEP_CODES = timedelta(days=1)
# Rows of one transaction, and transactions of one round.
BITE = 1_000
BITES_MAX = 100


async def forget_the_dead(deps: Deps) -> int:
    """Delete what ended long ago, in transactions that hold up nobody; how many rows went.

    Repeatable; several processes may do it at once.
    """
    now = deps.clock.real_now()
    forgotten = await _in_bites(deps, codes.forget_challenges, before=now - KEEP_CODES)
    forgotten += await _in_bites(deps, member_sessions.forget_sessions, before=now - KEEP_DEAD)
    return forgotten + await _in_bites(
        deps, staff.forget_sessions, before=now - STAFF_SESSION_LIFETIME - KEEP_DEAD
    )


async def _in_bites(deps: Deps, forget: Callable[..., Awaitable[int]], *, before: datetime) -> int:
    async def bite(conn: Connection) -> int:
        return await forget(conn, before=before, count_max=BITE)

    forgotten = 0
    for _ in range(BITES_MAX):
        count = await in_transaction(deps.pool, bite)
        forgotten += count
        if count < BITE:
            break
    return forgotten
