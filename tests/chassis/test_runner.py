"""The life of a service process: it starts, says how it is, and ends without losing anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from chassis.v1 import business_clock_pb2 as pb
from chassis.v1 import business_clock_pb2_grpc as pb_grpc

from deploy.local import ports
from deploy.local.databases import DatabaseUrls
from services.chassis.grpc_client import channel
from services.chassis.postgres import Pool
from tests import engines
from tests.chassis.test_consumer import numbered, send
from tests.chassis.test_relay import read

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """One running demo service."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.ops = f"http://127.0.0.1:{environment['OPS_PORT']}"
        self.grpc = f"127.0.0.1:{environment['GRPC_PORT']}"
        self.process: asyncio.subprocess.Process
        self.out = b""
        self.err = b""

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.chassis.demo_service",
            env=self.environment,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(self.ops + path)

    async def ready(self) -> None:
        async with asyncio.timeout(40):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await self.get("/readyz")).status_code == 200:
                        return
                assert self.process.returncode is None, await self.ended()
                await asyncio.sleep(0.05)

    async def ended(self) -> int:
        out, err = await asyncio.wait_for(self.process.communicate(), 40)
        self.out, self.err = self.out + out, self.err + err
        assert self.process.returncode is not None
        return self.process.returncode

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
async def demo(urls: DatabaseUrls, kafka_bootstrap: str, redis_url: str) -> AsyncIterator[Process]:
    process = Process(
        {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto' / 'gen'}",
            "DATABASE_URL": urls.service_url,
            "KAFKA_BOOTSTRAP": kafka_bootstrap,
            "KAFKA_SESSION_TIMEOUT_MS": "2000",
            "REDIS_URL": redis_url,
            "GRPC_PORT": str(ports.free_port()),
            "OPS_PORT": str(ports.free_port()),
            "DEMO_TOPIC": f"loyalty.p{uuid4().hex[:10]}.v1",
        }
    )
    yield process
    if hasattr(process, "process") and process.process.returncode is None:
        process.process.kill()
        await process.ended()


async def test_a_process_says_how_it_is(demo: Process) -> None:
    await demo.start()
    await demo.ready()

    assert (await demo.get("/healthz")).status_code == 200
    ready = (await demo.get("/readyz")).json()
    assert ready["status"] == "ready"
    assert ready["checks"] == dict.fromkeys(("postgres", "migrations", "redis", "kafka"), "ok")
    metrics = (await demo.get("/metrics")).text
    for name in (
        "loyalty_outbox_unpublished",
        "loyalty_outbox_oldest_unpublished_seconds",
        "loyalty_postgres_pool_connections",
        "loyalty_event_loop_lag_seconds",
    ):
        assert f"\n{name}" in metrics
    assert (await demo.get("/version")).json() == {"service": "chassis", "version": "dev"}

    demo.process.send_signal(signal.SIGTERM)
    assert await demo.ended() == 0
    assert demo.lines()[-1]["event"] == "stopped"
    assert demo.err == b""


async def test_an_orderly_stop_finishes_calls_and_publishes_what_is_there(
    demo: Process, pool: Pool, kafka_bootstrap: str
) -> None:
    await demo.start()
    await demo.ready()
    topic = demo.environment["DEMO_TOPIC"]
    await send(kafka_bootstrap, topic, numbered(*range(20)))
    opened = channel(demo.grpc)
    wait = opened.unary_unary(
        "/demo.Slow/Wait",
        request_serializer=pb.RunDueRequest.SerializeToString,
        response_deserializer=pb.RunDueResponse.FromString,
    )
    in_hand = asyncio.ensure_future(wait(pb.RunDueRequest()))
    async with asyncio.timeout(20):
        while not await pool.fetchval("SELECT count(*) FROM outbox"):
            await asyncio.sleep(0.02)
    demo.process.send_signal(signal.SIGTERM)

    assert (await in_hand).jobs_run == 1
    assert await demo.ended() == 0
    await opened.close(None)
    waiting = await pool.fetchval("SELECT count(*) FROM outbox_waiting")
    written = await pool.fetchval("SELECT count(*) FROM outbox")
    assert waiting == 0
    assert len(await read(kafka_bootstrap, f"{topic}.answers", written)) == written


async def test_kills_lose_nothing_and_double_nothing(
    demo: Process, pool: Pool, kafka_bootstrap: str
) -> None:
    """Three times `kill -9` in the middle of 600 events: one answer to each in the end."""
    topic = demo.environment["DEMO_TOPIC"]
    await send(kafka_bootstrap, topic, numbered(*range(600)))
    for kill in range(1, 4):
        await demo.start()
        async with asyncio.timeout(30):
            while await pool.fetchval("SELECT count(*) FROM outbox") < min(600, 150 * kill):
                await asyncio.sleep(0.005)
        demo.process.kill()
        await demo.ended()
    await demo.start()
    async with asyncio.timeout(40):
        while await pool.fetchval("SELECT count(*) FROM outbox") < 600 or await pool.fetchval(
            "SELECT count(*) FROM outbox_waiting"
        ):
            await asyncio.sleep(0.05)

    answered = await pool.fetch("SELECT payload FROM outbox ORDER BY id")
    assert [int(row["payload"]) for row in answered] == list(range(600))
    opened = channel(demo.grpc)
    progress = await pb_grpc.BusinessClockStub(opened).Progress(pb.ProgressRequest())
    await opened.close(None)
    assert progress.outbox_pending == 0
    assert sum(position.next_offset for position in progress.consumed) == 600
    assert sum(position.next_offset for position in progress.published) >= 600


async def test_a_failed_role_ends_the_process_with_its_reason(demo: Process) -> None:
    demo.environment["DEMO_CRASH"] = "true"
    await demo.start()
    assert await demo.ended() == 1
    failed = [line for line in demo.lines() if line["event"] == "role_failed"]
    assert failed[0]["role"] == "crash"
    assert "a role failed" in failed[0]["exception"]


async def test_a_role_that_will_not_end_does_not_keep_the_process(demo: Process) -> None:
    """Goal: an orderly stop ends within its drain, and says who stood in its way."""
    demo.environment |= {"DEMO_STUBBORN": "true", "DRAIN_SECONDS": "3"}
    await demo.start()
    await demo.ready()
    demo.process.send_signal(signal.SIGTERM)

    assert await demo.ended() == 0
    left = [line for line in demo.lines() if line["event"] == "role_did_not_end"]
    assert [line["role"] for line in left] == ["stay"]


async def test_a_taken_port_is_named(demo: Process) -> None:
    first = await asyncio.start_server(lambda *_: None, "127.0.0.1", int(demo.grpc[10:]))
    await demo.start()
    assert await demo.ended() == 1
    assert f"GRPC_PORT: {demo.grpc[10:]} is taken" in demo.err.decode()
    first.close()


async def test_a_schema_that_is_behind_is_refused_with_the_command_to_run(
    demo: Process, postgres: engines.Postgres
) -> None:
    empty = await postgres.create_empty_database("chassis")
    demo.environment["DATABASE_URL"] = empty.service_url
    await demo.start()
    assert await demo.ended() == 1
    assert "python -m services.chassis.migrate chassis" in demo.err.decode()


async def test_without_redis_a_process_is_degraded_but_ready(demo: Process, tmp_path: Path) -> None:
    own = engines.Redis(tmp_path)
    own.start()
    demo.environment["REDIS_URL"] = own.url
    await demo.start()
    await demo.ready()
    own.stop()
    async with asyncio.timeout(20):
        while (answer := await demo.get("/readyz")).json()["status"] != "degraded":
            await asyncio.sleep(0.1)
    assert answer.status_code == 200
    assert answer.json()["checks"]["postgres"] == "ok"
    assert answer.json()["checks"]["redis"] != "ok"


async def test_settings_can_be_checked_without_starting(demo: Process) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.chassis.demo_service",
        "--check-config",
        env={**demo.environment, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"},
        cwd=ROOT,
    )
    assert await asyncio.wait_for(process.wait(), 40) == 0


def test_the_chassis_imports_without_connecting_or_reading_the_environment() -> None:
    """Imports cause nothing: no thread, and no look at our settings."""
    code = (
        "import os, pkgutil, importlib\n"
        "class Guard(dict):\n"
        "    def __getitem__(self, name):\n"
        "        assert not name.endswith((b'_URL', b'_PORT', b'_KEY')), name\n"
        "        return super().__getitem__(name)\n"
        "import services.chassis as chassis, threading\n"
        "names = [m.name for m in pkgutil.iter_modules(chassis.__path__)]\n"
        "os.environ._data = Guard(os.environ._data)\n"
        "for name in names: importlib.import_module('services.chassis.' + name)\n"
        "assert len(names) > 20, names\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto' / 'gen'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
