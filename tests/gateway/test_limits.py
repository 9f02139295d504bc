"""Limits at the gateway's doors: who knocks too often is told when to come back."""

from __future__ import annotations

from ipaddress import ip_network
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from starlette.requests import HTTPConnection

from services.chassis.errors import RateLimited
from services.gateway.limits import LIMITS, Limits

SECRET = "a-secret-of-a-test-that-is-long-enough"


def make(redis: Redis, *, api: int = 10, trusted: tuple[str, ...] = ()) -> Limits:
    """Limits over this Redis."""
    return Limits(
        redis,
        secret=SECRET,
        api_requests_per_second=api,
        trusted=tuple(ip_network(one) for one in trusted),
    )


def visit(peer: str, forwarded: str = "") -> HTTPConnection:
    """A request from this peer."""
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return HTTPConnection({"type": "http", "client": (peer, 1), "headers": headers})


@pytest.mark.parametrize("name", sorted(LIMITS))
async def test_each_door_closes_after_its_limit_for_one_key_only(redis_url: str, name: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        limits = make(redis)
        mine, other = str(uuid4()), str(uuid4())
        answered = 0
        try:
            # The limit refills while we knock; twice its times is more than that can give.
            for _ in range(LIMITS[name].times * 2):
                await limits.check(name, mine)
                answered += 1
        except RateLimited as refused:
            wait = refused.retry_after_seconds
        assert answered >= LIMITS[name].times
        assert wait >= 1
        await limits.check(name, other)


async def test_redis_never_sees_who_knocks(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await make(redis).check("code_request_network", "chain", "203.0.113.7")

        keys = [str(key) for key in await redis.keys("*")]
    assert any("code_request_network" in key for key in keys)
    assert not any("203.0.113" in key for key in keys)


async def test_doors_that_guard_a_secret_close_without_redis() -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        limits = make(nowhere)
        await limits.check("join", "somebody")
        with pytest.raises(RateLimited):
            await limits.check("sign_in_network", "somewhere")


async def test_an_api_key_has_its_share_of_every_ten_seconds(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        limits = make(redis, api=1)
        key = str(uuid4())
        left = []
        wait = 0
        try:
            # A window may end in between, so that up to two shares are used.
            for _ in range(21):
                left.append(limits.count_api_key(key).remaining)
        except RateLimited as refused:
            wait = refused.retry_after_seconds

    assert left[-1] == 0
    assert 1 <= wait <= 10


async def test_processes_count_an_api_key_together(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        one, two = make(redis, api=100), make(redis, api=100)
        key = str(uuid4())
        for _ in range(100):
            one.count_api_key(key)
        first = two.count_api_key(key)
        await one._sync()
        await two._sync()
        second = two.count_api_key(key)

    # Unless a new window began in between, the other's hundred are known now.
    if second.reset_seconds <= first.reset_seconds:
        assert second.remaining <= first.remaining - 100


@pytest.mark.parametrize(
    ("peer", "forwarded", "network"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.5", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", "1.1.1.1, 198.51.100.1, 10.0.0.9", "198.51.100.1"),
        ("10.0.0.5", "nonsense", "10.0.0.5"),
        ("10.0.0.5", "", "10.0.0.5"),
    ],
)
async def test_only_trusted_proxies_are_believed(peer: str, forwarded: str, network: str) -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as redis:
        limits = make(redis, trusted=("10.0.0.0/8",))
        assert limits.network_of(visit(peer, forwarded)) == network
        assert make(redis).network_of(visit(peer, forwarded)) == peer
