"""A till that speaks through the official SDK, whichever of its two clients it has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import reduce
from typing import Any, Protocol

import httpx
from square import AsyncSquare, Square
from square.core.api_error import ApiError

REPEATS_MAX = 5


class Till(Protocol):
    """`await till("loyalty.accounts.get", account_id=…)`, whether the client is sync or async."""

    async def __call__(self, name: str, **said: Any) -> Any:
        """The answer of one call of the SDK."""

    async def every(self, name: str, **said: Any) -> list[Any]:
        """All items of a list, fetched with the SDK's own pager."""


class SyncTill:
    """Calls of `Square`, in a thread so that the test's loop goes on."""

    def __init__(self, base_url: str, token: str, **options: Any) -> None:
        self.square = Square(base_url=base_url, token=token, **options)

    async def __call__(self, name: str, **said: Any) -> Any:
        """One call."""
        return await asyncio.to_thread(_find(self.square, name), **said)

    async def every(self, name: str, **said: Any) -> list[Any]:
        """All items of a list."""
        return await asyncio.to_thread(lambda: list(_find(self.square, name)(**said)))


class AsyncTill:
    """Calls of `AsyncSquare`."""

    def __init__(self, base_url: str, token: str, **options: Any) -> None:
        self.square = AsyncSquare(base_url=base_url, token=token, **options)

    async def __call__(self, name: str, **said: Any) -> Any:
        """One call."""
        return await _find(self.square, name)(**said)

    async def every(self, name: str, **said: Any) -> list[Any]:
        """All items of a list."""
        return [item async for item in await _find(self.square, name)(**said)]


class StubbornTill:
    """A till that sends a call again, word for word, when the line was cut before the answer."""

    def __init__(self, till: Till) -> None:
        self.till = till

    async def __call__(self, name: str, **said: Any) -> Any:
        """One call, as often as it takes."""
        return await _again(lambda: self.till(name, **said))

    async def every(self, name: str, **said: Any) -> list[Any]:
        """All items of a list, page by page, each as often as it takes."""
        items: list[Any] = []
        cursor: str | None = None
        while True:
            page = await self(name, cursor=cursor, **said)
            items += page.items or []
            cursor = page.response.cursor
            if not cursor:
                return items


async def pages_of(till: Till, name: str, items: str, **said: Any) -> list[list[Any]]:
    """The pages of a search, cursor after cursor, for calls that the SDK has no pager for."""
    pages: list[list[Any]] = []
    cursor: str | None = None
    while True:
        answer = await till(name, cursor=cursor, **said)
        pages.append(getattr(answer, items) or [])
        cursor = answer.cursor
        if cursor is None:
            return pages


async def _again(call: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(REPEATS_MAX):
        with suppress(httpx.TransportError):
            return await call()
    raise AssertionError(f"no answer in {REPEATS_MAX} attempts")


class NotingTill:
    """A till that writes down which calls it made."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.made: set[str] = set()

    async def __call__(self, name: str, **said: Any) -> Any:
        """One call."""
        self.made.add(name)
        return await self.till(name, **said)

    async def every(self, name: str, **said: Any) -> list[Any]:
        """All items of a list."""
        self.made.add(name)
        return await self.till.every(name, **said)


def calls_of(client: Any, name: str) -> set[str]:
    """Every call that the SDK has under a name, such as `loyalty`, and below."""
    found: set[str] = set()
    for part, member in vars(type(client)).items():
        if part.startswith("_") or part == "with_raw_response":
            continue
        if isinstance(member, property):
            found |= calls_of(getattr(client, part), f"{name}.{part}")
        else:
            found.add(f"{name}.{part}")
    return found


def _find(square: Any, name: str) -> Any:
    return reduce(getattr, name.split("."), square)


def codes_of(error: ApiError) -> list[str]:
    """Square's codes of a refusal."""
    return [one["code"] for one in error.body["errors"]]


def field_of(error: ApiError) -> str:
    """The field that the first error names."""
    return str(error.body["errors"][0].get("field", ""))
