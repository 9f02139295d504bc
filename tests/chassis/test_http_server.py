"""The HTTP server: an answer leaves in one piece, a stream piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from services.chassis.http_server import HttpServer

REQUEST = b"GET / HTTP/1.1\r\nhost: salon\r\n\r\n"
LAST_REQUEST = b"GET / HTTP/1.1\r\nhost: salon\r\nconnection: close\r\n\r\n"


class Wire(asyncio.Transport):
    """A connection that remembers what was sent at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Nothing comes unasked."""

    def resume_reading(self) -> None:
        """Nothing waits."""


def connected(app: ASGIApp) -> tuple[Wire, Callable[[bytes], None]]:
    """A connection to a server of ours, and how to say something on it."""
    server = HttpServer(app, host="127.0.0.1", port=0)
    config = server.config
    config.load()
    make: Any = config.http_protocol_class
    protocol = make(config=config, server_state=ServerState(), app_state={})
    wire = Wire()
    protocol.connection_made(wire)
    return wire, protocol.data_received


async def until(wire: Wire, count: int) -> None:
    async with asyncio.timeout(5):
        while len(wire.sent) < count:
            await asyncio.sleep(0)


@pytest.mark.parametrize(("asked", "closes"), [(REQUEST, False), (LAST_REQUEST, True)])
async def test_an_answer_is_one_piece(asked: bytes, closes: bool) -> None:
    """Head and body in one system call; before the connection is closed, too."""
    wire, say = connected(PlainTextResponse("Bonjour"))
    say(asked)
    await until(wire, 1)
    for _ in range(5):
        await asyncio.sleep(0)
    (answer,) = wire.sent
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nBonjour")
    assert wire.closed is closes


async def test_who_has_gone_meanwhile_is_sent_nothing() -> None:
    """uvloop raises at a write on a connection that is gone."""
    left = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("Bonjour")(scope, receive, send)
        wire.closed = True
        left.set()

    wire, say = connected(app)
    say(REQUEST)
    async with asyncio.timeout(5):
        await left.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    assert wire.sent == []


async def test_a_stream_waits_for_nothing_that_comes_later() -> None:
    """The head of live news, and each of them, leaves as soon as it is there."""
    goes_on = asyncio.Event()

    async def news() -> AsyncIterator[str]:
        yield "first"
        await goes_on.wait()
        yield "second"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(news())(scope, receive, send)

    wire, say = connected(app)
    say(REQUEST)
    async with asyncio.timeout(5):
        while b"first" not in b"".join(wire.sent):
            await asyncio.sleep(0)
    assert b"second" not in b"".join(wire.sent)
    goes_on.set()
    async with asyncio.timeout(5):
        while not b"".join(wire.sent).endswith(b"second\r\n0\r\n\r\n"):
            await asyncio.sleep(0)
