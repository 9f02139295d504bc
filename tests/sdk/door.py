"""A door before the gateway that does pass a request on and then loses the answer.

It serves on a free port of the loopback, in a thread of its own, so that the SDK's sync client may
block as it likes.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

_BUSY_BODY = (
    b'{"errors":[{"category":"API_ERROR","code":"SERVICE_UNAVAILABLE","detail":"Try again."}]}'
)
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(_BUSY_BODY), _BUSY_BODY)
)
Outcome = TypeVar("Outcome")

_OF_THE_CONNECTION = (b"connection:", b"accept-encoding:")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in; two that are equal are attempts of one call."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the gateway answered."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """An attempt whose answer was lost, and what the next attempt of the same call was told."""

    request: Request
    lost: Told
    told: Told


# What becomes of an answer: how often this call was answered in vain, to its fate.
Fate = Callable[[int], bytes | None]
PASSED: bytes | None = None
CUT = b""


def one_in_five_is_busy(seed: int) -> Fate:
    """503 in place of one answer in five, the same ones for the same seed.

    Never three times for one call: that is all the patience the SDK has.
    """
    dice = random.Random(seed)
    hand: list[bool] = []

    def fate(in_vain: int) -> bytes | None:
        if not hand:
            hand.extend([True, False, False, False, False])
            dice.shuffle(hand)
        return _BUSY if hand.pop() and in_vain < 2 else PASSED

    return fate


def every_first_is_cut(in_vain: int) -> bytes | None:
    """The connection ends after the gateway has answered, once for every call."""
    return PASSED if in_vain else CUT


@dataclass
class Door:
    """`with Door(base_url, fate) as door:` clients speak to `door.base_url`."""

    upstream: str
    fate: Fate
    base_url: str = ""
    repeats: list[Repeat] = field(default_factory=list)
    passed: int = 0
    _lost: dict[Request, list[Told]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._within(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        async def close() -> None:
            self._server.close()
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        self._within(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _within(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head, body = await _read(reader)
            method, path, _ = head[0].decode().split(" ")
            answer = await self._upstream(head, body)
            instead = self._settle(Request(method, path, body), _told(answer))
            if instead == CUT:
                writer.transport.abort()
                return
            writer.write(answer if instead is None else instead)
            await writer.drain()
        writer.close()

    async def _upstream(self, head: list[bytes], body: bytes) -> bytes:
        address = urlsplit(self.upstream)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"\r\n".join([*head, b"Connection: close", b"", body]))
        try:
            return await reader.read()
        finally:
            writer.close()

    def _settle(self, request: Request, told: Told) -> bytes | None:
        """What the client gets in place of the answer; keeps what was lost to compare with."""
        lost = self._lost.setdefault(request, [])
        self.repeats += [Repeat(request=request, lost=one, told=told) for one in lost[-1:]]
        instead = self.fate(len(lost))
        if instead is None:
            self.passed += 1
            del self._lost[request]
        else:
            lost.append(told)
        return instead


async def _read(reader: asyncio.StreamReader) -> tuple[list[bytes], bytes]:
    """The lines of a request's head, those of the connection left out, and its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n").split(b"\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:")),
        0,
    )
    kept = [line for line in head if not line.lower().startswith(_OF_THE_CONNECTION)]
    return kept, await reader.readexactly(length)


def _told(answer: bytes) -> Told:
    head, _, body = answer.partition(b"\r\n\r\n")
    return Told(status=int(head.split(b" ")[1]), body=body)
