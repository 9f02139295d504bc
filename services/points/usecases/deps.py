"""What every use case works with, and the ids that it gives out."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from redis.asyncio import Redis

from services.chassis.clock import BusinessClock
from services.chassis.limits import Attempts
from services.chassis.postgres import Pool
from services.chassis.signing import Sealer, Signer, derive_key
from services.chassis.uuids import uuid_from

# Drawn at a time: eight for each id.
RANDOM_BYTES: Final = 1024


class TimeOrderedIds:
    """UUIDs of version 7 in the order in which this process draws them (RFC 9562, 5.7 and 6.2).

    New rows then stand at the end of their index, and entries of one moment in their order.
    """

    def __init__(self, clock: BusinessClock) -> None:
        self._clock = clock
        self._last = 0
        self._random = _random_numbers()

    def __call__(self) -> UUID:
        """The next id."""
        milliseconds = int(self._clock.real_now().timestamp() * 1000)
        # 48 bits of time with 12 bits that count on within a millisecond, or while time stands.
        self._last = max(self._last + 1, milliseconds << 12)
        high = (self._last >> 12 << 16) | 0x7000 | (self._last & 0xFFF)
        low = (0b10 << 62) | (next(self._random) >> 2)
        return uuid_from(((high << 64) | low).to_bytes(16, "big"))


def _random_numbers() -> Iterator[int]:
    """Numbers of 64 bits from the system; one call to it for many."""
    while True:
        for (number,) in struct.iter_unpack("Q", os.urandom(RANDOM_BYTES)):
            yield number


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """The use cases' tools; made once by `assemble`."""

    pool: Pool
    clock: BusinessClock
    redis: Redis
    attempts: Attempts
    codes: Sealer
    earn_tokens: Signer
    cursors: Signer
    new_id: TimeOrderedIds
    # Bodies of requests hold codes of a few digits: only a keyed fingerprint hides them.
    fingerprint_key: bytes = field(repr=False)


def assemble(*, pool: Pool, clock: BusinessClock, redis: Redis, secret: str) -> Deps:
    """The tools of a process, every key derived from its secret."""
    return Deps(
        pool=pool,
        clock=clock,
        redis=redis,
        attempts=Attempts(redis),
        codes=Sealer(secret, "program-codes"),
        earn_tokens=Signer(secret, "earn-qr"),
        cursors=Signer(secret, "points-cursor"),
        new_id=TimeOrderedIds(clock),
        fingerprint_key=derive_key(secret, "points-fingerprint"),
    )
