"""One HTTP server inside the process's own event loop, without signal handlers of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn

START_TIMEOUT_SECONDS = 10.0


class _Server(uvicorn.Server):
    """Leaves signals to the runner, which stops all roles in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


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
        self._server = _Server(
            uvicorn.Config(
                application,
                host=host,
                port=port,
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
        )

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
