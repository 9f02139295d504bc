"""Many tills that press at the same moment, each on a connection of its own."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from tests.chaos.tills import GIVE_UP_SECONDS, LATER, PAUSE_SECONDS, Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """One request of one till."""

    path: str
    body: dict[str, Any]


@dataclass(kw_only=True)
class Outcome:
    """What a crowd was answered, in the order of its presses."""

    answers: list[httpx.Response]
    seconds: float
    # How often "come again" was said; those tills did, by the same key.
    later: Counter[int] = field(default_factory=Counter)

    @property
    def statuses(self) -> Counter[int]:
        """How often each status came."""
        return Counter(answer.status_code for answer in self.answers)

    def with_status(self, status: int) -> list[httpx.Response]:
        """The answers of one status."""
        return [answer for answer in self.answers if answer.status_code == status]


class Crowd:
    """Sends presses all at once, by turns through each door."""

    def __init__(self, chain: Chain, doors: Sequence[str]) -> None:
        self._chain = chain
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._clients = [
            httpx.AsyncClient(
                base_url=door,
                timeout=GIVE_UP_SECONDS,
                limits=limits,
                headers={"Authorization": f"Bearer {chain.api_key}"},
            )
            for door in doors
        ]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients))

    async def press(self, presses: Sequence[Press]) -> Outcome:
        """The final answer to every press; all are sent before the first answer is awaited."""
        begun = time.monotonic()
        later: Counter[int] = Counter()
        answers = await asyncio.gather(
            *(
                self._final(self._clients[place % len(self._clients)], press, later)
                for place, press in enumerate(presses)
            )
        )
        return Outcome(answers=answers, seconds=time.monotonic() - begun, later=later)

    async def _final(
        self, client: httpx.AsyncClient, press: Press, later: Counter[int]
    ) -> httpx.Response:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while True:
                answer = await client.post(press.path, json=press.body)
                if answer.status_code not in LATER:
                    return answer
                later[answer.status_code] += 1
                await asyncio.sleep(PAUSE_SECONDS)


def assert_well_formed(answer: httpx.Response, code: str, words: str) -> None:
    """A refusal has Square's shape, this code, these words, and the id of its request."""
    (error,) = json.loads(answer.content)["errors"]
    assert error["category"] == "INVALID_REQUEST_ERROR"
    assert error["code"] == code, answer.text
    assert words in error["detail"]
    assert answer.headers["request_id"]
