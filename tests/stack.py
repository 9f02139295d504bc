"""The whole platform for tests, started by the same code as `make up`, in the folder of the run."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.local import engines as local_engines
from deploy.local import kafka_servers, launch, ports, processes, seed, services
from deploy.local.databases import DatabaseUrls
from deploy.local.layout import ROOT, Layout, open_layout
from deploy.local.wishes import EMBEDDED, Wishes, current
from tests.engines import locked

READY_SECONDS_MAX = 60


class NotAlone(Exception):
    """A test that stops services runs while others use them; it must be marked `chaos`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a command ended and what it printed."""

    exit_code: int
    output: str


class Stack:
    """Six services and three engines. Tests make chains of their own and share the rest."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.base_url = f"http://127.0.0.1:{layout.ports().get('gateway.http')}"
        self.operator_key = layout.secrets().operator_key
        self.demo: dict[str, Any] = json.loads(layout.demo.read_text())

    def ops_url(self, service: str) -> str:
        """Where a service shows /healthz, /readyz, /metrics and /version."""
        return services.ops_url(self.layout, service)

    def env(self, service: str) -> dict[str, str]:
        """The environment of a service's process, for commands that stand beside it."""
        return services.environment(service, self.layout, current(self.layout))

    def log(self, service: str) -> Path:
        """Everything that a service has written."""
        return self.layout.log(service)

    def pid(self, name: str) -> int | None:
        """The process id of a service or engine that runs."""
        record = processes.alive(self.layout.run, name)
        return record.pid if record else None

    def send(self, name: str, number: signal.Signals) -> None:
        """Signal a service or engine, for example SIGSTOP and SIGCONT."""
        _refuse_company()
        record = processes.alive(self.layout.run, name)
        if record is None:
            raise ProcessLookupError(f"{name} does not run")
        processes.send(record, number)

    async def kill(self, name: str) -> None:
        """`kill -9` a service or engine; it stays down until `restart`."""
        _refuse_company()
        self._hold(name).touch()
        record = processes.alive(self.layout.run, name)
        if record is not None:
            processes.send(record, signal.SIGKILL)
            await asyncio.to_thread(processes.wait_gone, record, seconds=10)

    async def restart(self, name: str) -> None:
        """Start what was killed; end what runs in good order first. Returns when it is ready."""
        _refuse_company()
        self._hold(name).touch()
        await asyncio.to_thread(processes.stop, self.layout.run, name)
        self.let_go(name)
        await self.wait_ready(name)

    def let_go(self, name: str) -> None:
        """Let the supervisor start what was killed, without waiting for it."""
        self._hold(name).unlink(missing_ok=True)

    async def wait_accepts(self, name: str) -> None:
        """Wait until a service or engine takes connections, which is before it is ready."""
        record_name = f"{name}.grpc" if name in services.WITH_DATABASE else name
        book = self.layout.ports()
        port = book.get("gateway.http" if name == services.GATEWAY else record_name)

        def accepts() -> bool:
            return self.pid(name) is not None and kafka_servers.accepts(port)

        up = await asyncio.to_thread(
            processes.wait_until, accepts, seconds=READY_SECONDS_MAX, every=0.05
        )
        if not up:
            raise AssertionError(f"{name} did not come back:\n{processes.tail(self.log(name))}")

    async def wait_ready(self, name: str) -> None:
        """Wait until a service says that it is ready, or an engine accepts connections."""

        def ready() -> bool:
            if name in services.NAMES:
                return services.readiness(self.layout, name)[0]
            port = self.layout.ports().get(name)
            return self.pid(name) is not None and kafka_servers.accepts(port)

        up = await asyncio.to_thread(
            processes.wait_until, ready, seconds=READY_SECONDS_MAX, every=0.05
        )
        if not up:
            raise AssertionError(f"{name} did not come back:\n{processes.tail(self.log(name))}")

    def readiness(self, service: str) -> tuple[bool, dict[str, Any]]:
        """Whether a service takes work, and what its checks say."""
        ready, text = services.readiness(self.layout, service)
        said: dict[str, Any] = json.loads(text) if text.startswith("{") else {"status": text}
        return ready, said

    def database(self, service: str) -> DatabaseUrls:
        """Both addresses of a service's database."""
        return services.database_urls(service, self.layout, current(self.layout))

    @property
    def redis_url(self) -> str:
        """The address of the platform's Redis."""
        return local_engines.addresses(self.layout, current(self.layout)).redis_url

    async def samples(self, service: str, name: str) -> list[tuple[dict[str, str], float]]:
        """What a metric of a service says now, by its labels."""
        async with httpx.AsyncClient() as client:
            shown = await client.get(f"{self.ops_url(service)}/metrics", timeout=10)
        return [(labels, value) for found, labels, value in _samples(shown.text) if found == name]

    async def run(self, service: str, module: str, *arguments: str) -> Said:
        """A command of an operator, in the environment of a service."""
        ended = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", module, *arguments],
            env=self.env(service),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return Said(exit_code=ended.returncode, output=ended.stdout + ended.stderr)

    async def ledger_check(self) -> Said:
        """`make ledger-check`: 0 when every point is accounted for."""
        return await self.run("points", "services.points.ledger_check")

    def _hold(self, name: str) -> Path:
        if name not in (*services.NAMES, *local_engines.NAMES):
            raise ValueError(f"there is no process called {name}")
        return self.layout.run / f"{name}.hold"


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def _refuse_company() -> None:
    if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
        raise NotAlone("mark this test `chaos`: others use the same platform at this moment")


def start(run_folder: Path) -> Stack:
    """The one platform of this run, started by whoever asks first."""
    folder = run_folder / "stack"
    with locked(run_folder / "locks" / "stack"):
        failed = run_folder / "stack-failed"
        if failed.exists():
            raise AssertionError(failed.read_text())
        layout = open_layout(folder)
        if not layout.demo.exists():
            try:
                _start(layout)
            except (launch.UpFailed, seed.SeedFailed) as failure:
                failed.write_text(f"the platform did not start: {failure}")
                raise
    return Stack(layout)


def _start(layout: Layout) -> None:
    port = ports.free_port()
    wishes = Wishes(
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        lan=False,
        kafka=os.environ.get("KAFKA_BOOTSTRAP") or os.environ.get("KAFKA") or EMBEDDED,
        postgres_url=os.environ.get("DATABASE_URL_ADMIN") or os.environ.get("POSTGRES_URL"),
        redis_url=os.environ.get("REDIS_URL"),
    )
    lines: list[str] = []
    launch.up(layout, wishes, lines.append)
    seed.ensure(layout, wishes, lines.append)
