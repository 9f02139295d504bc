"""One HTTP server inside the process's own event loop, without signal handlers of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

START_TIMEOUT_SECONDS = 10.0


class _Server(uvicorn.Server):
    """Leaves signals to the runner, which stops all roles in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


class _InOnePiece:
    """A connection that sends together what one step of the loop has written.

    uvicorn writes head and body of an answer apart, and uvloop sends each at once: two system
    calls, two packets, and two times that the caller wakes up.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._written: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it at the end of this step."""
        if not self._written:
            asyncio.get_running_loop().call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        """Send the rest and close."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        written, self._written = self._written, []
        # Whoever has gone meanwhile is sent nothing more.
        if written and not self._transport.is_closing():
            self._transport.write(written[0] if len(written) == 1 else b"".join(written))


class _Connection(HttpToolsProtocol):
    """uvicorn's own, over a connection that sends in one piece."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast("Any", _InOnePiece(transport)))


class PortTaken(Exception):
    """Somebody else listens on the port."""


class HttpServer:
    """Serves one ASGI application on one port."""

    def __init__(
        self,
        application: Any,
        *,
        host: str,
        port: int,
        certificate_file: str | None = None,
        key_file: str | None = None,
        grace_seconds: float = 5.0,
    ) -> None:
        self._address = f"{host}:{port}"
        self.config = uvicorn.Config(
            application,
            host=host,
            port=port,
            http=_Connection,
            log_config=None,
            access_log=False,
            server_header=False,
            # What a proxy says of a visitor is judged where it is used.
            proxy_headers=False,
            date_header=True,
            lifespan="off",
            ssl_certfile=certificate_file,
            ssl_keyfile=key_file,
            timeout_graceful_shutdown=max(1, int(grace_seconds)),
            timeout_keep_alive=20,
        )
        self._server = _Server(self.config)

    async def run(self) -> None:
        """Serve until stopped; raises `PortTaken` when the port is not ours to take."""
        try:
            await self._server.serve()
        except SystemExit as error:
            # uvicorn leaves the process so when it cannot bind.
            raise PortTaken(self._address) from error

    async def started(self) -> None:
        """Wait until the port takes connections."""
        async with asyncio.timeout(START_TIMEOUT_SECONDS):
            # uvicorn tells nobody when it has started; it only sets a flag.
            while not self._server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def stop(self) -> None:
        """Finish the requests in hand and end."""
        self._server.should_exit = True
