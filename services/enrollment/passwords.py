"""Passwords of staff: hashed and checked with argon2id, off the event loop."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, two passes, one lane.
MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
# Each hash holds its memory and a core; more at once would only wait for each other.
HASHES_AT_ONCE = 2
# 96 bits of chance.
GENERATED_BYTES = 12


class Passwords:
    """Hashes and checks passwords, two at a time, without holding up other requests."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._pool = ThreadPoolExecutor(HASHES_AT_ONCE, thread_name_prefix="argon2")
        self._nobodys_hash: str | None = None

    async def hash(self, password: str) -> str:
        """What is stored of a password."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, self._hasher.hash, password
        )

    async def is_right(self, password: str, stored: str | None) -> bool:
        """Whether the password fits what is stored; as long for nobody (None) as for somebody."""
        if self._nobodys_hash is None:
            self._nobodys_hash = await self.hash(secrets.token_urlsafe(GENERATED_BYTES))
        fits = await asyncio.get_running_loop().run_in_executor(
            self._pool, self._verify, stored or self._nobodys_hash, password
        )
        return fits and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def generated_password() -> str:
    """A password that nobody chose, to be shown once."""
    return secrets.token_urlsafe(GENERATED_BYTES)
