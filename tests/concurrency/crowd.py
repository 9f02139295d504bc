"""Many tills that press at the same moment, each on a connection of its own.

A client library would queue them; here all connections are open before the first press is sent.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.chaos.tills import GIVE_UP_SECONDS, LATER, PAUSE_SECONDS, Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """One request of one till."""

    path: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a till was told."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as JSON."""
        said: dict[str, Any] = json.loads(self.body)
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a crowd was answered, in the order of its presses."""

    answers: list[Answer]
    seconds: float
    # How often "come again" was said; those tills did, by the same key.
    later: int

    @property
    def statuses(self) -> Counter[int]:
        """How often each status came."""
        return Counter(answer.status for answer in self.answers)

    def with_status(self, status: int) -> list[Answer]:
        """The answers of one status."""
        return [answer for answer in self.answers if answer.status == status]


class Crowd:
    """Sends presses all at once, by turns through each door."""

    def __init__(self, chain: Chain, doors: Sequence[str]) -> None:
        self._chain = chain
        self._doors = [urlsplit(door) for door in doors]

    async def press(self, presses: Sequence[Press]) -> Outcome:
        """The final answer to every press; none is sent before all tills are connected."""
        connected = asyncio.Barrier(len(presses) + 1)
        tills = [
            asyncio.create_task(self._till(place, press, connected))
            for place, press in enumerate(presses)
        ]
        await connected.wait()
        begun = time.monotonic()
        told = await asyncio.gather(*tills)
        return Outcome(
            answers=[answer for answer, _ in told],
            seconds=time.monotonic() - begun,
            later=sum(again for _, again in told),
        )

    async def _till(
        self, place: int, press: Press, connected: asyncio.Barrier
    ) -> tuple[Answer, int]:
        """One till's final answer, and how often it had to come again."""
        door = self._doors[place % len(self._doors)]
        request = self._request(press, host=door.netloc)
        connection = await asyncio.open_connection(door.hostname, door.port)
        await connected.wait()
        again = 0
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while (answer := await _exchange(connection, request)).status in LATER:
                again += 1
                await asyncio.sleep(PAUSE_SECONDS)
                connection = await asyncio.open_connection(door.hostname, door.port)
        return answer, again

    def _request(self, press: Press, *, host: str) -> bytes:
        body = json.dumps(press.body).encode()
        lines = [
            f"POST {press.path} HTTP/1.1",
            f"Host: {host}",
            f"Authorization: Bearer {self._chain.api_key}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


async def _exchange(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes
) -> Answer:
    """Send one request and read its whole answer, to the end of the connection."""
    reader, writer = connection
    try:
        writer.write(request)
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.transport.abort()
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert len(body) == int(headers["content-length"]), head
    return Answer(status=int(first.split(" ")[1]), headers=headers, body=body)


def assert_well_formed(answer: Answer, code: str, words: str) -> None:
    """A refusal has Square's shape, this code, these words, and the id of its request."""
    (error,) = answer.json()["errors"]
    assert error["category"] == "INVALID_REQUEST_ERROR"
    assert error["code"] == code, error
    assert words in error["detail"]
    assert answer.headers["request_id"]
