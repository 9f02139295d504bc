"""The HTTP server of pages and API, as work of the process."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from services.chassis.http_server import HttpServer
from services.gateway.deps import Deps


class Door:
    """Answers HTTP until cancelled, then ends live streams and finishes the requests in hand."""

    def __init__(self, app: FastAPI, deps: Deps) -> None:
        settings = deps.settings
        self._deps = deps
        self._server = HttpServer(
            app,
            host=settings.bind_host,
            port=settings.http_port,
            certificate_file=settings.tls_cert_file or None,
            key_file=settings.tls_key_file or None,
            grace_seconds=settings.drain_seconds / 2,
        )

    async def run(self) -> None:
        """Serve; raises `PortTaken` when the port is somebody else's."""
        serving = asyncio.create_task(self._server.run(), name="http requests")
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # Streams of live news would never finish by themselves.
            await self._deps.live.close()
            self._server.stop()
            await serving
            raise
        finally:
            await self._deps.clients.close()

    async def is_open(self) -> None:
        """Wait until the port takes connections, for `/readyz`."""
        await self._server.started()
