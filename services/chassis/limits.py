"""Limits that all replicas share through Redis: requests per span, and guesses at a code.

Time is the Redis server's, so that clocks of replicas do not matter. Redis 6.2 commands only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.chassis.metrics import LIMITS_UNAVAILABLE_TOTAL

log = structlog.get_logger(__name__)

# While Redis is away one request in this many seconds tries it; the others decide without it.
AWAY_SECONDS = 1.0
# What a caller is told to wait when a limit fails closed.
RETRY_AFTER_AWAY_SECONDS = 5
# The longest that a guesser is made to wait between two tries.
DELAY_SECONDS_MAX = 24 * 3600

# GCRA: the key holds the theoretical arrival time in microseconds.
_GCRA = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval = tonumber(ARGV[1])
local tolerance = interval * (tonumber(ARGV[2]) - 1)
local tat = tonumber(redis.call('GET', KEYS[1]) or '0')
if tat < now then tat = now end
if tat - now > tolerance then
    return tat - now - tolerance
end
tat = tat + interval
redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000) + 1)
return 0
"""

# A guess is counted before it is checked. `n`: guesses in the window, `until`: blocked until (ms),
# `s`: how often it was blocked. Once the window's guesses are used, one guess is let through after
# each delay, and every delay is twice the last.
_RESERVE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local most, window, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local state = redis.call('HMGET', KEYS[1], 'n', 'ends', 's', 'until')
local n, ends = tonumber(state[1] or '0'), tonumber(state[2] or '0')
local strikes, blocked = tonumber(state[3] or '0'), tonumber(state[4] or '0')
if blocked > now then return blocked - now end
if strikes == 0 and ends <= now then
    n, ends = 0, now + window
end
n = n + 1
if n >= most then
    blocked = now + math.min(window * 2 ^ strikes, longest)
    strikes = strikes + 1
end
redis.call('HSET', KEYS[1], 'n', n, 'ends', string.format('%.0f', ends),
           's', strikes, 'until', string.format('%.0f', blocked))
local keep = math.max(ends, blocked) - now + window
if strikes > 0 then keep = math.max(keep, longest) end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', keep))
return 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a request may go on, and if not, when it is worth coming back."""

    allowed: bool
    retry_after_seconds: int


ALLOWED = Decision(allowed=True, retry_after_seconds=0)


def _seconds_up(value: int, *, per_second: int) -> int:
    """Whole seconds, rounded up and at least one: `Retry-After: 0` invites a storm."""
    return max(1, -(-value // per_second))


class _Away:
    """Remembers that Redis was away, so that not every request waits for its time-out."""

    def __init__(self) -> None:
        self._until = 0.0

    def __bool__(self) -> bool:
        return time.monotonic() < self._until

    def noticed(self, error: Exception) -> None:
        """Redis did not answer just now."""
        self._until = time.monotonic() + AWAY_SECONDS
        log.warning("limits_without_redis", fault=type(error).__name__)

    @staticmethod
    def decide(*, fail_open: bool) -> Decision:
        """What holds while Redis is away."""
        LIMITS_UNAVAILABLE_TOTAL.labels("open" if fail_open else "closed").inc()
        if fail_open:
            return ALLOWED
        return Decision(allowed=False, retry_after_seconds=RETRY_AFTER_AWAY_SECONDS)


class Limiter:
    """So many requests per span for each key, shared by all replicas."""

    def __init__(self, redis: Redis) -> None:
        self._gcra = redis.register_script(_GCRA)
        self._away = _Away()

    async def allow(self, key: str, *, per_seconds: float, burst: int, fail_open: bool) -> Decision:
        """Count one request of `key`: `burst` at once, and `burst` per `per_seconds` for good.

        While Redis is away the answer is yes when `fail_open`, else no.
        """
        if self._away:
            return self._away.decide(fail_open=fail_open)
        interval = max(1, round(per_seconds * 1_000_000 / burst))
        try:
            wait = int(await self._gcra(keys=[f"limit:{key}"], args=[interval, burst]))
        except (RedisError, OSError) as error:
            self._away.noticed(error)
            return self._away.decide(fail_open=fail_open)
        if wait == 0:
            return ALLOWED
        return Decision(allowed=False, retry_after_seconds=_seconds_up(wait, per_second=1_000_000))


class Attempts:
    """Guesses at a code, counted before the code is looked at. Closed while Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._reserve = redis.register_script(_RESERVE)
        self._away = _Away()

    async def reserve(
        self, key: str, *, attempts_max: int = 5, window_seconds: int = 900
    ) -> Decision:
        """Take one of the key's guesses, however many ask at the same moment.

        `attempts_max` guesses in `window_seconds`; after that one guess per delay, the first delay
        being the window and each next one twice as long, up to a day. A right answer calls
        `forgive`.
        """
        if self._away:
            return self._away.decide(fail_open=False)
        limits = [attempts_max, window_seconds * 1000, DELAY_SECONDS_MAX * 1000]
        try:
            wait = int(await self._reserve(keys=[f"attempts:{key}"], args=limits))
        except (RedisError, OSError) as error:
            self._away.noticed(error)
            return self._away.decide(fail_open=False)
        if wait == 0:
            return ALLOWED
        return Decision(allowed=False, retry_after_seconds=_seconds_up(wait, per_second=1000))

    async def forgive(self, key: str) -> None:
        """Forget the key's guesses: the answer was right."""
        try:
            await self._redis.delete(f"attempts:{key}")
        except (RedisError, OSError) as error:
            self._away.noticed(error)
