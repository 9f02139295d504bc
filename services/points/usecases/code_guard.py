"""Guessing at codes: counted before a code is looked at, per member and per session (D39).

Five guesses in 15 minutes, then a doubling delay; without Redis no code is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from services.chassis.errors import RateLimited
from services.chassis.postgres import Connection
from services.points import metrics
from services.points.domain.codes import (
    CHAIN_FAILURES_PER_HOUR_CEILING,
    CodeKind,
    CodeTry,
    is_right,
)
from services.points.domain.errors import CodesUnavailable
from services.points.domain.ids import ChainId
from services.points.storage import code_failures
from services.points.storage.programs import SealedCodes
from services.points.usecases.deps import Deps

log = structlog.get_logger(__name__)

ATTEMPTS_MAX = 5
WINDOW_SECONDS = 900
# To tell a long wait from a lost Redis; only asked once a guess was turned down.
PING_SECONDS_MAX = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesser:
    """Who types codes: a member (or her account) and the session or device that she types on."""

    chain_id: ChainId
    holder_id: UUID | None
    session_id: str

    def counters(self, kind: CodeKind) -> list[str]:
        """What the guesses at one kind of code are counted by; each kind by itself."""
        room = f"{kind.value}-code:{self.chain_id}"
        counters = []
        if self.holder_id is not None:
            counters.append(f"{room}:holder:{self.holder_id}")
        if self.session_id:
            counters.append(f"{room}:session:{self.session_id}")
        return counters


async def reserve(
    deps: Deps, kinds: Iterable[CodeKind], guesser: Guesser
) -> RateLimited | CodesUnavailable | None:
    """Take one guess at each kind of code; returns what the guesser is told if there is none left.

    It is returned, not raised: a resend of an earn that counted gets its first answer all the same.
    """
    for kind in kinds:
        for counter in guesser.counters(kind):
            decision = await deps.attempts.reserve(
                counter, attempts_max=ATTEMPTS_MAX, window_seconds=WINDOW_SECONDS
            )
            if not decision.allowed:
                if not await _redis_answers(deps):
                    return CodesUnavailable(field=kind.field)
                return RateLimited(decision.retry_after_seconds, field=kind.field)
    return None


async def forgive(deps: Deps, kinds: Iterable[CodeKind], guesser: Guesser) -> None:
    """The code was right: forget the guesses at this kind of code."""
    for kind in kinds:
        for counter in guesser.counters(kind):
            await deps.attempts.forgive(counter)


async def _redis_answers(deps: Deps) -> bool:
    try:
        async with asyncio.timeout(PING_SECONDS_MAX):
            await deps.redis.ping()
    except (RedisError, OSError):
        return False
    return True


def typed_right(deps: Deps, kind: CodeKind, *, typed: str, sealed: SealedCodes) -> bool:
    """Whether the typed code is the program's; the same time is taken for every wrong one."""
    kept = sealed.points_code if kind is CodeKind.POINTS else sealed.multi_point_code
    return is_right(typed=typed, kept=deps.codes.open(kept).decode())


async def record(
    deps: Deps, conn: Connection, *, failed: list[CodeTry], right: list[CodeTry]
) -> None:
    """Write down wrong codes and forget those before a right one; alert at a chain's ceiling."""
    await code_failures.forget(conn, right)
    counted = await code_failures.record_failures(conn, failed, now=deps.clock.real_now())
    for failed_try in failed:
        metrics.CODE_FAILURES_TOTAL.labels(failed_try.kind.value).inc()
    for chain_id, (before, after) in counted.items():
        if before < CHAIN_FAILURES_PER_HOUR_CEILING <= after:
            metrics.CODE_FAILURE_CEILINGS_TOTAL.inc()
            log.warning("code_failures_ceiling", chain_id=str(chain_id), failures=after)
