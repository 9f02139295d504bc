"""Events that a consumer finds missing, and the wish that their source publishes them again."""

from __future__ import annotations

import structlog
from aiokafka import TopicPartition
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.chassis import replay
from services.chassis.metrics import CONSUMER_GAP_TOTAL

log = structlog.get_logger(__name__)


def source_of(topic: str) -> str:
    """The service that publishes a topic: topics are named `<product>.<service>.…`."""
    _, _, rest = topic.partition(".")
    return rest.partition(".")[0] or topic


class Gaps:
    """What one consumer group has missed, and whom it still has to ask."""

    def __init__(self, *, group: str, redis: Redis | None) -> None:
        self._group = group
        self._redis = redis
        self._sources: set[str] = set()
        self.count = 0

    def found(self, partition: TopicPartition, *, why: str) -> None:
        """Take note that events are missing on a partition."""
        self.count += 1
        CONSUMER_GAP_TOTAL.labels(self._group).inc()
        self._sources.add(source_of(partition.topic))
        log.error(
            "events_missing",
            group=self._group,
            topic=partition.topic,
            partition=partition.partition,
            why=why,
        )

    async def ask_for_replays(self) -> None:
        """Tell the sources whose events are missing; what cannot be told now is told later."""
        if self._redis is None:
            return
        for source in list(self._sources):
            try:
                await replay.wish(self._redis, source=source, consumer=self._group)
            except (RedisError, OSError):
                return
            self._sources.discard(source)
