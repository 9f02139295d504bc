"""News for a member's open screens: one Redis subscription per process, server-sent events out.

News is a hint to look again, never the fact itself: whoever misses one sees the truth at the next
load. Publishing therefore never fails a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.responses import StreamingResponse

from services.chassis.gathering import rest_after
from services.gateway import metrics

log = structlog.get_logger(__name__)

# Proxies close silent connections; a comment line this often keeps them.
HEARTBEAT_SECONDS = 15.0
# A screen that does not read is told once that something changed; more would say no more.
QUEUE_MAX = 16
# One person's open screens; beyond it the oldest connection ends.
SCREENS_MAX = 20
RECONNECT_SECONDS = 1.0
KINDS = frozenset({"points", "rewards", "countdown"})
REVOKED = "revoked"
_CLOSED = ""

_PUBLISH = """
for place = 1, #ARGV, 2 do redis.call('PUBLISH', ARGV[place], ARGV[place + 1]) end
"""


class LiveHub:
    """Passes news of members to the screens that this process serves."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pubsub = redis.pubsub(ignore_subscribe_messages=True)
        self._queues: dict[str, list[asyncio.Queue[str]]] = {}
        self._on_revoked: list[Callable[[str], None]] = []
        self._closed = False
        self._publish = redis.register_script(_PUBLISH)
        # Channel and kind → whose: what is not yet published, each thing once.
        self._news: dict[tuple[str, str], str] = {}
        self._telling: asyncio.Task[None] | None = None
        # Two first commands at once would each open a connection, and one of them be lost.
        self._commands = asyncio.Lock()

    def on_revoked(self, handler: Callable[[str], None]) -> None:
        """Call this with the text of every revocation that enrollment makes known."""
        self._on_revoked.append(handler)

    async def publish(self, chain_id: str, member_id: str, kind: str) -> None:
        """Tell the member's open screens that something of hers changed; best effort."""
        if kind not in KINDS:
            raise ValueError(f"no such news: {kind}")
        # A request does not wait for Redis. News of one moment goes out in one command.
        self._news[f"live:{member_id}", kind] = chain_id
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(), name="live news")

    async def _tell(self) -> None:
        while self._news:
            news, self._news = self._news, {}
            try:
                await self._publish(args=[word for pair in news for word in pair])
            except (RedisError, OSError, TimeoutError):
                log.warning("live_news_not_published", chains=len(set(news.values())))
            await asyncio.sleep(rest_after(len(news)))

    @asynccontextmanager
    async def subscribe(self, member_id: str) -> AsyncIterator[AsyncIterator[str]]:
        """The member's news for as long as the context is open; ends when the process stops."""
        queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_MAX)
        queues = self._queues.setdefault(member_id, [])
        queues.append(queue)
        if len(queues) > SCREENS_MAX:
            _put(queues[0], _CLOSED)
        if len(queues) == 1:
            await self._listen(member_id)
        metrics.LIVE_SCREENS.inc()
        try:
            yield self._drain(queue)
        finally:
            metrics.LIVE_SCREENS.dec()
            queues.remove(queue)
            if not queues and self._queues.get(member_id) is queues:
                del self._queues[member_id]
                await self._listen_no_more(member_id)

    async def _listen(self, member_id: str) -> None:
        try:
            async with self._commands:
                await self._pubsub.subscribe(f"live:{member_id}")
        except (RedisError, OSError, TimeoutError):
            # `run` subscribes again to every name once it has a connection.
            log.warning("live_subscription_waits_for_redis")

    async def _listen_no_more(self, member_id: str) -> None:
        try:
            async with self._commands:
                # Somebody may have opened a screen of hers while we waited.
                if member_id not in self._queues:
                    await self._pubsub.unsubscribe(f"live:{member_id}")
        except (RedisError, OSError, TimeoutError):
            log.warning("live_unsubscription_waits_for_redis")

    async def _drain(self, queue: asyncio.Queue[str]) -> AsyncIterator[str]:
        while not self._closed:
            kind = await queue.get()
            if kind == _CLOSED:
                return
            yield kind

    async def run(self) -> None:
        """Read the subscription until cancelled; survives a Redis that goes and comes back."""
        while not self._closed:
            try:
                async with self._commands:
                    names = [REVOKED, *(f"live:{member_id}" for member_id in self._queues)]
                    await self._pubsub.subscribe(*names)
                while not self._closed:
                    message = await self._pubsub.get_message(timeout=HEARTBEAT_SECONDS)
                    if message is not None:
                        self._heard(_text(message["channel"]), _text(message["data"]))
            except (RedisError, OSError, TimeoutError):
                log.warning("live_lost_redis", retry_seconds=RECONNECT_SECONDS)
                async with self._commands:
                    await self._pubsub.aclose()  # type: ignore[no-untyped-call]
                    self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
                await asyncio.sleep(RECONNECT_SECONDS)
                # What was revoked meanwhile went unheard: nothing remembered may be trusted.
                self._heard(REVOKED, "")

    def _heard(self, channel: str, data: str) -> None:
        if channel == REVOKED:
            for handler in self._on_revoked:
                handler(data)
            return
        for queue in self._queues.get(channel.removeprefix("live:"), ()):
            _put(queue, data)

    async def close(self) -> None:
        """End every open stream, so that the server can stop in time."""
        self._closed = True
        if self._telling is not None:
            await asyncio.wait({self._telling})
        for queues in self._queues.values():
            for queue in queues:
                _put(queue, _CLOSED)
        try:
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError):
            log.warning("live_close_without_redis")


def _put(queue: asyncio.Queue[str], kind: str) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(kind)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def event_stream(hub: LiveHub, member_id: str) -> StreamingResponse:
    """The member's news as server-sent events (`event: points`), with a heartbeat."""

    async def lines() -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        async with hub.subscribe(member_id) as news:
            waiting = asyncio.ensure_future(anext(news, None))
            try:
                while True:
                    done, _ = await asyncio.wait({waiting}, timeout=HEARTBEAT_SECONDS)
                    if not done:
                        yield ": still here\n\n"
                        continue
                    kind = waiting.result()
                    if kind is None:
                        return
                    yield f"event: {kind}\ndata: {{}}\n\n"
                    waiting = asyncio.ensure_future(anext(news, None))
            finally:
                waiting.cancel()

    return StreamingResponse(
        lines(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
