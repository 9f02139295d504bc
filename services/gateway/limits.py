"""How often one person, device or key may knock at which door: one table of named limits.

Most limits count in Redis, exactly. The limit of an API key stands on the hot path: it counts in
this process and is brought into step with the other processes twice a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.requests import HTTPConnection

from services.chassis.errors import RateLimited
from services.chassis.limits import Limiter
from services.chassis.signing import derive_key

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`times` at once or spread, refilled evenly over `per_seconds`."""

    times: int
    per_seconds: float
    # What happens while Redis is away: doors that guard a secret close, the others stay open.
    fail_open: bool = True


LIMITS: Final[Mapping[str, Limit]] = {
    # A whole salon joins from one address: its own wireless network.
    "join": Limit(times=40, per_seconds=600),
    "code_request_network": Limit(times=60, per_seconds=900, fail_open=False),
    "code_verify": Limit(times=10, per_seconds=900, fail_open=False),
    "scan": Limit(times=30, per_seconds=60),
    # Typed earn codes and multi-point codes; points counts the wrong ones by itself.
    "code": Limit(times=20, per_seconds=60, fail_open=False),
    # Tries for one e-mail are enrollment's to count: a right password ends its count.
    "sign_in_network": Limit(times=60, per_seconds=900, fail_open=False),
    # Keys that nobody has. They cannot be guessed; this only spares enrollment the questions.
    "unknown_token": Limit(times=1200, per_seconds=60),
    "decode": Limit(times=30, per_seconds=60),
    "tablet": Limit(times=60, per_seconds=60),
    "reward": Limit(times=60, per_seconds=60),
    "page": Limit(times=600, per_seconds=60),
    "operator": Limit(times=600, per_seconds=60),
}

WINDOW_SECONDS = 10
SYNC_SECONDS = 0.5
REDIS_SECONDS_MAX = 0.5


@dataclass(slots=True, kw_only=True)
class _Window:
    """One API key's requests in the present window."""

    start: int
    # What all processes had counted when we last asked.
    known: int = 0
    # Ours since then.
    unsent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left to an API key, for the RateLimit headers."""

    limit: int
    remaining: int
    reset_seconds: int


class Limits:
    """Checks the named limits. Keys are digests: neither Redis nor a log sees a phone."""

    def __init__(
        self,
        redis: Redis,
        *,
        secret: str,
        api_requests_per_second: int,
        trusted: tuple[IPv4Network | IPv6Network, ...] = (),
    ) -> None:
        self._redis = redis
        self._limiter = Limiter(redis)
        self._digest_key = derive_key(secret, "limits")
        self._window_max = api_requests_per_second * WINDOW_SECONDS
        self._windows: dict[str, _Window] = {}
        self._trusted = trusted

    async def check(self, name: str, *key: str) -> None:
        """Count one knock; raises `RateLimited` with the seconds to wait when it is one too many.

        `key` says whose: a chain and a session, a network, an address. What is refused does not
        count.
        """
        limit = LIMITS[name]
        decision = await self._limiter.allow(
            f"{name}:{self._digest(*key)}",
            per_seconds=limit.per_seconds,
            burst=limit.times,
            fail_open=limit.fail_open,
        )
        if not decision.allowed:
            raise RateLimited(max(1, decision.retry_after_seconds))

    def count_api_key(self, key_id: str) -> Allowance:
        """Count one request of an API key; raises `RateLimited` beyond its share of the window."""
        now = time.time()
        start = int(now) // WINDOW_SECONDS * WINDOW_SECONDS
        window = self._windows.get(key_id)
        if window is None or window.start != start:
            window = self._windows[key_id] = _Window(start=start)
        reset = max(1, round(start + WINDOW_SECONDS - now))
        used = window.known + window.unsent
        if used >= self._window_max:
            raise RateLimited(reset)
        window.unsent += 1
        return Allowance(
            limit=self._window_max, remaining=self._window_max - used - 1, reset_seconds=reset
        )

    async def run(self) -> None:
        """Bring the API keys' windows into step with the other processes until cancelled."""
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            try:
                async with asyncio.timeout(REDIS_SECONDS_MAX):
                    await self._sync()
            except (RedisError, OSError, TimeoutError):
                # Each process then counts for itself; an API call is not refused for that.
                log.warning("api_limits_out_of_step")

    async def _sync(self) -> None:
        start = int(time.time()) // WINDOW_SECONDS * WINDOW_SECONDS
        self._windows = {key: held for key, held in self._windows.items() if held.start >= start}
        pending = [(key, held, held.unsent) for key, held in self._windows.items() if held.unsent]
        if not pending:
            return
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key, held, unsent in pending:
                name = f"limit:api_key:{self._digest(key)}:{held.start}"
                pipeline.incrby(name, unsent)
                pipeline.expire(name, WINDOW_SECONDS * 2)
            answers = await pipeline.execute()
        for (_, held, unsent), total in zip(pending, answers[::2], strict=True):
            held.known = int(total)
            held.unsent -= unsent

    def _digest(self, *parts: str) -> str:
        joined = "\x00".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(joined, key=self._digest_key, digest_size=16).hexdigest()

    def network_of(self, connection: HTTPConnection) -> str:
        """The visitor's address: the peer's, or what a trusted proxy says of it."""
        peer = connection.client.host if connection.client else "unknown"
        if not self._trusted:
            return peer
        hops = [hop.strip() for hop in connection.headers.get("x-forwarded-for", "").split(",")]
        # From the nearest hop outwards: the first address that is not one of our proxies.
        for hop in [peer, *reversed([hop for hop in hops if hop])]:
            try:
                address = ip_address(hop)
            except ValueError:
                return peer
            if not any(address in network for network in self._trusted):
                return str(address)
        return peer
