"""The HTTP server as a role of the process: it starts and stops with the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator

import uvicorn
from fastapi import FastAPI

from services.gateway.settings import Settings

# A tap that opened a connection expects it to live between two taps of a till.
KEEP_ALIVE_SECONDS = 75
# Beyond this the process answers 503 rather than making everyone wait.
CONCURRENCY_MAX = 4096


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the runner decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def serve(
    app: FastAPI, settings: Settings, *, before_stop: Callable[[], Awaitable[None]]
) -> None:
    """Answer HTTP until cancelled, then finish the requests in hand.

    `before_stop` ends what would otherwise never finish: streams of live news.
    """
    config = uvicorn.Config(
        app,
        host=settings.bind_host,
        port=settings.http_port,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        limit_concurrency=CONCURRENCY_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(settings.drain_seconds / 2)),
        ssl_certfile=settings.tls_cert_file or None,
        ssl_keyfile=settings.tls_key_file or None,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(), name="http")
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await before_stop()
        await serving
        raise
