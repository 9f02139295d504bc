"""The running countdown in Redis that phones, tablets and tills read: a hint, never the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.chassis.errors import Unavailable
from services.chassis.gathering import Gathering
from services.rewards.domain.ids import ChainId, RewardId
from services.rewards.domain.rewards import Reward
from services.rewards.metrics import COUNTDOWN_FAILURES_TOTAL

log = structlog.get_logger(__name__)

# A use must not wait for a hint.
TIMEOUT_SECONDS = 0.25


def key(chain_id: ChainId, reward_id: RewardId) -> str:
    """Where the countdown of a reward lies."""
    return f"countdown:{chain_id}:{reward_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What lies in Redis, and how long."""

    key: str
    value: bytes
    left_ms: int


class Countdowns:
    """Writes countdowns, best effort: without Redis nothing changes but a metric."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._ending: set[asyncio.Task[None]] = set()
        self._showing: Gathering[_Shown, bool] = Gathering(
            "countdowns",
            self._write,
            full=lambda: TimeoutError("too many countdowns wait"),
            seconds_max=TIMEOUT_SECONDS,
        )

    async def show(self, reward: Reward, *, now: datetime) -> None:
        """Let the countdown of a used reward run for what is left of its display window."""
        if reward.display_until is None:
            return
        left_ms = (reward.display_until - now) // timedelta(milliseconds=1)
        if left_ms <= 0:
            return
        value = orjson.dumps(
            {
                "member_id": str(reward.member_id),
                "session": reward.used_by_session,
                "display_until": reward.display_until.isoformat(),
            }
        )
        shown = _Shown(key=key(reward.chain_id, reward.id), value=value, left_ms=left_ms)
        try:
            await self._showing.one(shown)
        except (RedisError, OSError, TimeoutError, Unavailable) as error:
            self._failed("show", error)

    async def _write(self, shown: Sequence[_Shown], seconds: float) -> list[bool | Exception]:
        """One command in one turn for all of them; a Redis that is away is away for all."""
        try:
            async with asyncio.timeout(seconds), self._redis.pipeline(transaction=False) as turn:
                for each in shown:
                    turn.set(each.key, each.value, px=each.left_ms)
                await turn.execute()
        except (RedisError, OSError, TimeoutError) as error:
            return [error] * len(shown)
        return [True] * len(shown)

    async def end(self, *, chain_id: ChainId, reward_id: RewardId) -> None:
        """Take the countdown away; repeatable."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._redis.delete(key(chain_id, reward_id))
        except (RedisError, OSError, TimeoutError) as error:
            self._failed("end", error)

    def end_soon(self, *, chain_id: ChainId, reward_id: RewardId) -> None:
        """Take the countdown away beside the caller's transaction, which must not wait for it."""
        task = asyncio.create_task(self.end(chain_id=chain_id, reward_id=reward_id))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _failed(self, operation: str, error: Exception) -> None:
        COUNTDOWN_FAILURES_TOTAL.labels(operation).inc()
        log.warning("countdown_not_written", operation=operation, fault=type(error).__name__)
