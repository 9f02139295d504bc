"""News for open screens: heard by the member's own, by all of hers, and only a hint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from services.gateway.live import LiveHub, event_stream


@asynccontextmanager
async def running(redis_url: str) -> AsyncIterator[LiveHub]:
    """A hub as a process runs it."""
    async with Redis.from_url(redis_url, socket_timeout=0.5) as redis:
        hub = LiveHub(redis)
        task = asyncio.create_task(hub.run())
        try:
            yield hub
        finally:
            await hub.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def told(news: AsyncIterator[str], hub: LiveHub, member_id: str, kind: str) -> str:
    """What the screen hears when this is published, again and again until it is heard."""
    hearing = asyncio.ensure_future(anext(news))
    async with asyncio.timeout(10):
        while not hearing.done():
            await hub.publish("chain", member_id, kind)
            await asyncio.wait({hearing}, timeout=0.1)
    return hearing.result()


async def test_news_reaches_the_members_screens_in_every_process(redis_url: str) -> None:
    alice, charlie = str(uuid4()), str(uuid4())
    async with (
        running(redis_url) as one,
        running(redis_url) as two,
        one.subscribe(alice) as phone,
        two.subscribe(alice) as tablet,
        one.subscribe(charlie) as other,
    ):
        assert await told(phone, two, alice, "points") == "points"
        assert await told(tablet, one, alice, "points") == "points"
        stranger = asyncio.ensure_future(anext(other))
        done, _ = await asyncio.wait({stranger}, timeout=0.3)
        stranger.cancel()

    assert not done


async def test_a_silent_redis_fails_no_request() -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        await LiveHub(nowhere).publish("chain", "member", "points")


async def test_news_of_one_moment_is_told_once_each(redis_url: str) -> None:
    alice = str(uuid4())
    async with running(redis_url) as hub, hub.subscribe(alice) as phone:
        await told(phone, hub, alice, "points")
        for _ in range(50):
            await hub.publish("chain", alice, "rewards")
        await hub.publish("chain", alice, "countdown")
        heard = []
        async with asyncio.timeout(10):
            while "countdown" not in heard:
                heard.append(await anext(phone))

    assert [kind for kind in heard if kind != "points"] == ["rewards", "countdown"]


async def test_only_known_news_is_told(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        with pytest.raises(ValueError, match="no such news"):
            await LiveHub(redis).publish("chain", "member", "gossip")


async def test_a_revocation_is_heard(redis_url: str) -> None:
    heard = asyncio.Event()
    async with running(redis_url) as hub, Redis.from_url(redis_url) as redis:
        hub.on_revoked(lambda _: heard.set())
        async with asyncio.timeout(10):
            while not heard.is_set():
                await redis.publish("revoked", "anything")
                await asyncio.sleep(0.05)


async def test_streams_end_when_the_process_stops(redis_url: str) -> None:
    async with running(redis_url) as hub:
        stream = event_stream(hub, str(uuid4()))
        lines = aiter(stream.body_iterator)
        assert "retry" in str(await anext(lines))
        waiting = asyncio.ensure_future(anext(lines, "the end"))
        await asyncio.sleep(0)
        await hub.close()
        async with asyncio.timeout(5):
            assert await waiting == "the end"


async def test_a_screen_that_went_away_leaves_nothing_behind(redis_url: str) -> None:
    member = str(uuid4())
    async with running(redis_url) as hub:
        async with hub.subscribe(member) as news:
            assert await told(news, hub, member, "rewards") == "rewards"
        assert not hub._queues
