"""The least that one call between two processes takes: a gRPC echo, one call at a time.

`python -m tests.bench.echo` reads its orders from stdin and prints the median in milliseconds as
JSON; with `serve` it is the other side, which prints its port.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

import grpc.aio
import uvloop

from tests.bench.measures import at

SERVICE, METHOD = "bench.Echo", "Say"
# About the size of one earn.
MESSAGE = b"x" * 200


async def serve() -> None:
    """Say everything back, until the other side closes our stdin."""

    async def say(request: bytes, _context: object) -> bytes:
        return request

    server = grpc.aio.server()
    handlers = {METHOD: grpc.unary_unary_rpc_method_handler(say)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


async def call(port: int, *, seconds: float) -> dict[str, Any]:
    """The median of one call after the other; the first fifth of the time warms up."""
    times: list[float] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        say = channel.unary_unary(f"/{SERVICE}/{METHOD}", None, None)
        begun = time.perf_counter()
        while (now := time.perf_counter()) < begun + seconds:
            await say(MESSAGE)
            if now > begun + seconds / 5:
                times.append(time.perf_counter() - now)
    return {"p50_ms": at(sorted(times), 0.5) * 1e3}


def main(orders: dict[str, Any]) -> dict[str, Any]:
    """Start the other side, measure, end it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.echo", "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        said = asyncio.run(call(port, seconds=orders["seconds"]))
        other.communicate()
    return said


if __name__ == "__main__":
    uvloop.install()
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        sys.stdout.write(json.dumps(main(json.load(sys.stdin))))
