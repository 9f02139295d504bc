"""The running countdown in Redis that phones, tablets and tills read: a hint, never the truth."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.rewards.domain.ids import ChainId, RewardId
from services.rewards.domain.rewards import Reward
from services.rewards.metrics import COUNTDOWN_FAILURES_TOTAL

log = structlog.get_logger(__name__)

# A use must not wait for a hint.
TIMEOUT_SECONDS = 0.25


def key(chain_id: ChainId, reward_id: RewardId) -> str:
    """Where the countdown of a reward lies."""
    return f"countdown:{chain_id}:{reward_id}"


class Countdowns:
    """Writes countdowns, best effort: without Redis nothing changes but a metric."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._ending: set[asyncio.Task[None]] = set()

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
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._redis.set(key(reward.chain_id, reward.id), value, px=left_ms)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed("show", error)

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
