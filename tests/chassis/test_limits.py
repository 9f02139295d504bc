"""Limits in Redis: bursts, waiting times, guesses, and what holds without Redis."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.chassis.limits import Attempts, Limiter
from services.chassis.runner import open_redis
from tests import engines


async def test_a_burst_passes_and_the_next_is_told_when_to_come_back(redis: Redis) -> None:
    limiter = Limiter(redis)

    decisions = [
        await limiter.allow("a", per_seconds=60, burst=5, fail_open=True) for _ in range(7)
    ]

    assert [decision.allowed for decision in decisions] == [True] * 5 + [False] * 2
    assert decisions[5].retry_after_seconds in (11, 12)


async def test_keys_do_not_share_a_limit(redis: Redis) -> None:
    limiter = Limiter(redis)
    for key in ("a", "b"):
        assert (await limiter.allow(key, per_seconds=60, burst=1, fail_open=True)).allowed


async def test_a_limit_refills_with_time(redis: Redis) -> None:
    limiter = Limiter(redis)
    for _ in range(2):
        assert (await limiter.allow("a", per_seconds=0.4, burst=2, fail_open=True)).allowed
    assert not (await limiter.allow("a", per_seconds=0.4, burst=2, fail_open=True)).allowed

    async with asyncio.timeout(5):
        while not (await limiter.allow("a", per_seconds=0.4, burst=2, fail_open=True)).allowed:
            await asyncio.sleep(0.02)


async def test_replicas_share_a_limit(redis: Redis) -> None:
    limiters = [Limiter(redis) for _ in range(4)]

    decisions = await asyncio.gather(
        *(
            limiters[number % 4].allow("a", per_seconds=3600, burst=10, fail_open=False)
            for number in range(40)
        )
    )

    assert sum(decision.allowed for decision in decisions) == 10


async def test_a_race_of_a_hundred_guesses_lets_five_through(redis: Redis) -> None:
    attempts = Attempts(redis)

    decisions = await asyncio.gather(*(attempts.reserve("member:1") for _ in range(100)))

    assert sum(decision.allowed for decision in decisions) == 5
    refused = [decision for decision in decisions if not decision.allowed]
    assert all(895 <= decision.retry_after_seconds <= 900 for decision in refused)


async def test_each_delay_after_the_guesses_is_twice_the_last(redis: Redis) -> None:
    """Two guesses, then one guess a delay: 1 s, 2 s, 4 s."""
    attempts = Attempts(redis)
    for _ in range(2):
        assert (await attempts.reserve("k", attempts_max=2, window_seconds=1)).allowed

    delays = []
    for _ in range(2):
        decision = await attempts.reserve("k", attempts_max=2, window_seconds=1)
        assert not decision.allowed
        delays.append(decision.retry_after_seconds)
        async with asyncio.timeout(10):
            while not decision.allowed:
                await asyncio.sleep(0.05)
                decision = await attempts.reserve("k", attempts_max=2, window_seconds=1)
    delays.append(
        (await attempts.reserve("k", attempts_max=2, window_seconds=1)).retry_after_seconds
    )

    assert delays == [1, 2, 4]


async def test_a_window_that_was_not_used_up_starts_anew(redis: Redis) -> None:
    attempts = Attempts(redis)
    for _ in range(2):
        assert (await attempts.reserve("k", attempts_max=3, window_seconds=1)).allowed
    key = "attempts:k"
    async with asyncio.timeout(5):
        # The window's end is in the state; wait until Redis's clock has passed it.
        while True:
            seconds, microseconds = await redis.time()
            ends = await redis.hget(key, "ends")
            if ends is None or seconds * 1000 + microseconds // 1000 >= int(ends):
                break
            await asyncio.sleep(0.05)

    assert (await attempts.reserve("k", attempts_max=3, window_seconds=1)).allowed
    assert (await attempts.reserve("k", attempts_max=3, window_seconds=1)).allowed


async def test_a_right_answer_forgives_earlier_guesses(redis: Redis) -> None:
    attempts = Attempts(redis)
    for _ in range(4):
        await attempts.reserve("k")
    await attempts.forgive("k")

    decisions = [await attempts.reserve("k") for _ in range(6)]

    assert [decision.allowed for decision in decisions] == [True] * 5 + [False]


@pytest.fixture
def own_redis(tmp_path: Path) -> engines.Redis:
    return engines.Redis(tmp_path)


async def test_without_redis_reads_go_on_and_guesses_do_not(own_redis: engines.Redis) -> None:
    own_redis.start()
    client = open_redis(own_redis.url)
    limiter, attempts = Limiter(client), Attempts(client)
    assert (await attempts.reserve("k")).allowed
    own_redis.stop()

    opened = await limiter.allow("a", per_seconds=1, burst=1, fail_open=True)
    closed = await limiter.allow("a", per_seconds=1, burst=1, fail_open=False)
    guess = await attempts.reserve("k")

    assert opened.allowed
    assert not closed.allowed
    assert not guess.allowed
    assert closed.retry_after_seconds > 0

    own_redis.start()
    try:
        async with asyncio.timeout(15):
            while not (await attempts.reserve("k")).allowed:
                await asyncio.sleep(0.1)
    finally:
        await client.aclose()
        own_redis.stop()
