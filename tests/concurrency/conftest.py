"""Two front doors of one platform: what one process settles by itself proves little."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.local import ports, processes
from deploy.local.layout import ROOT
from deploy.local.services import GATEWAY
from tests.chaos.tills import Chain, open_chain
from tests.concurrency.crowd import Crowd
from tests.stack import Stack

START_SECONDS_MAX = 60


@pytest.fixture(scope="module")
async def second_door(stack: Stack, run_folder: Path) -> AsyncIterator[str]:
    """The address of a second gateway beside the platform's own."""
    http, grpc, ops = (ports.free_port() for _ in range(3))
    name = "second-gateway"
    log = run_folder / "logs" / f"{name}.log"
    # Its record lies with the engines of the run, which are ended with it.
    processes.spawn(
        [sys.executable, "-m", f"services.{GATEWAY}.main"],
        name=name,
        folder=run_folder / "run",
        log=log,
        env={
            **stack.env(GATEWAY),
            "HTTP_PORT": str(http),
            "GRPC_PORT": str(grpc),
            "OPS_PORT": str(ops),
        },
        cwd=ROOT,
        port=http,
    )

    def ready() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{ops}/readyz", timeout=3).status_code == 200
        except httpx.TransportError:
            return False

    assert processes.wait_until(ready, seconds=START_SECONDS_MAX), processes.tail(log)
    yield f"http://127.0.0.1:{http}"
    processes.stop(run_folder / "run", name)


@pytest.fixture(scope="module")
async def chain(stack: Stack) -> Chain:
    """A chain of this module's own."""
    return await open_chain(stack.base_url, stack.operator_key)


@pytest.fixture
def crowd(stack: Stack, chain: Chain, second_door: str) -> Crowd:
    """Tills that all press at the same moment, half of them at each door."""
    return Crowd(chain, [stack.base_url, second_door])
