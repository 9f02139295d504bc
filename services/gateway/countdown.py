"""How long a used reward still shows: Redis runs the countdown, PostgreSQL decides."""

from __future__ import annotations

from typing import NamedTuple

import orjson
import structlog
from loyalty.rewards.v1.rewards_pb2 import GetRewardRequest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.gateway.clients import Clients

log = structlog.get_logger(__name__)


class Countdown(NamedTuple):
    """What is left of a display window, and which session, device or key began it (D5)."""

    seconds_left: int
    used_by_session: str


class Countdowns:
    """Reads display windows; only the rewards service writes them."""

    def __init__(self, redis: Redis, clients: Clients) -> None:
        self._redis = redis
        self._clients = clients

    async def read(self, chain_id: str, reward_id: str) -> Countdown:
        """The display window of a used reward; 0 seconds = over or not begun.

        Redis is asked first. When it has none or is away, the rewards service answers. Raises
        what that call raises: `RemoteRefusal` for an unknown reward, `Unavailable`.
        """
        hint = await self._hint(f"countdown:{chain_id}:{reward_id}")
        if hint is not None:
            return hint
        answer = await self._clients.rewards.GetReward(
            GetRewardRequest(chain_id=chain_id, reward_id=reward_id)
        )
        reward = answer.reward
        return Countdown(reward.display_seconds_left, reward.used_by_session)

    async def _hint(self, key: str) -> Countdown | None:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.get(key)
                pipeline.pttl(key)
                raw, left_ms = await pipeline.execute()
        except (RedisError, OSError, TimeoutError):
            log.warning("countdown_hint_out_of_reach")
            return None
        if raw is None or left_ms <= 0:
            return None
        try:
            session = orjson.loads(raw).get("session", "")
        except (orjson.JSONDecodeError, AttributeError):
            return None
        # The last running second shows as 1, so that 0 always means over.
        return Countdown(-(-left_ms // 1000), str(session))
