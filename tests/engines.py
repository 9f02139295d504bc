"""Real engines for tests: one PostgreSQL for a whole run, a Redis and a broker for each worker.

Everything of a run lies in one folder under the system's temporary folder, with a record of each
process. The controlling pytest process stops them at the end; what a killed run left behind is
stopped by the next one.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.local import (
    databases,
    kafka_servers,
    ports,
    postgres_server,
    processes,
    redis_server,
)
from deploy.local.databases import DatabaseUrls
from deploy.local.layout import open_layout

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "meche-test-"
RUN_VARIABLE = "MECHE_TEST_RUN"


def open_run() -> Path:
    """Make the folder of this run, first clearing away runs whose controller is gone."""
    temporary = Path(tempfile.gettempdir())
    for left in temporary.glob(f"{PREFIX}*"):
        if (left / "run" / "controller.json").exists() and not processes.alive(
            left / "run", "controller"
        ):
            close_run(left)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    # PostgreSQL runs as another user when we are root, and must be able to pass through here.
    folder.chmod(0o711)
    me = os.getpid()
    record = processes.Record(name="controller", pid=me, started=processes.started_at(me) or "")
    processes.write_record(folder / "run", record)
    return folder


def close_run(folder: Path) -> None:
    """Stop the platform and every engine of a run, and forget their data but for the logs."""
    stack = folder / "stack"
    if stack.exists():
        # Only runs that used the platform pay for loading it.
        from deploy.local import launch

        launch.down(open_layout(stack), lambda _: None)
        kept = ROOT / ".local" / "test-logs"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(stack / "logs", kept, dirs_exist_ok=True)
    for path in sorted((folder / "run").glob("*.json")):
        name = path.stem
        if name == "controller":
            continue
        if name == postgres_server.NAME:
            postgres_server.stop(folder / "run")
        else:
            processes.stop(folder / "run", name, drain_seconds=5)
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one worker at a time beyond this point."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class Postgres:
    """Hands out freshly migrated databases, copied from one template per service."""

    def __init__(self, *, admin_url: str, folder: Path, password: str) -> None:
        self.admin_url = admin_url
        self._folder = folder
        self._password = password
        self._made: list[str] = []

    async def create_database(self, service: str) -> DatabaseUrls:
        """A database of its own with every migration applied and the rights of both roles."""
        template = f"template_{service}_{self._folder.name[len(PREFIX) :]}".lower()
        with locked(self._folder / "locks" / service):
            ready = self._folder / "locks" / f"{service}.ready"
            if not ready.exists():
                await self._make_template(service, template)
                ready.touch()
        name = f"{service}_{secrets.token_hex(6)}"
        await databases.clone(self.admin_url, service, template=template, database=name)
        return databases.urls(self.admin_url, service, password=self._password, database=name)

    async def create_empty_database(self, service: str) -> DatabaseUrls:
        """A database of its own without a single table, with the rights of both roles."""
        with locked(self._folder / "locks" / service):
            return await databases.prepare(
                self.admin_url,
                service,
                password=self._password,
                database=f"{service}_{secrets.token_hex(6)}",
            )

    async def _make_template(self, service: str, template: str) -> None:
        from services.chassis.migrate import migrate

        both = await databases.prepare(
            self.admin_url, service, password=self._password, database=template
        )
        await migrate(both.owner_url, service, quiet=True)


def start_postgres(folder: Path) -> Postgres:
    """The PostgreSQL of this run: the address in the environment, else the embedded one."""
    with locked(folder / "locks" / "postgres"):
        noted = folder / "postgres.json"
        if not noted.exists():
            given = os.environ.get("DATABASE_URL_ADMIN") or os.environ.get("POSTGRES_URL")
            password = secrets.token_hex(12)
            noted.write_text(
                json.dumps(
                    {"admin_url": given or _embedded(folder, password), "password": password}
                )
            )
    facts = json.loads(noted.read_text())
    return Postgres(admin_url=facts["admin_url"], folder=folder, password=facts["password"])


def _embedded(folder: Path, password: str) -> str:
    port = ports.free_port()
    postgres_server.start(
        state=folder / "postgres",
        run=folder / "run",
        log=folder / "logs" / "postgres.log",
        port=port,
        password=password,
        unsafe=True,
    )
    return postgres_server.url(port=port, password=password)


class Server:
    """One Redis or broker of one worker, that a test may also kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = ports.free_port()
        self.password = secrets.token_hex(8)

    def stop(self) -> None:
        for name in ("redis", "kafka"):
            processes.stop(self.folder / "run", name, drain_seconds=5)


class Redis(Server):
    """A Redis 6.2 of its own."""

    @property
    def url(self) -> str:
        return redis_server.url(port=self.port, password=self.password)

    def start(self) -> None:
        redis_server.start(
            state=self.folder / "redis",
            run=self.folder / "run",
            log=self.folder / "logs" / "redis.log",
            port=self.port,
            password=self.password,
        )


class Broker(Server):
    """An embedded broker of its own. After `stop` and `start` it has forgotten everything."""

    @property
    def bootstrap(self) -> str:
        return kafka_servers.bootstrap(self.port)

    def start(self) -> None:
        kafka_servers.start_embedded(
            run=self.folder / "run", log=self.folder / "logs" / "kafka.log", port=self.port
        )
