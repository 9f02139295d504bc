"""Bringing the whole platform up and down again. What a person sees of it stands in `__main__`."""

import asyncio
import contextlib
import fcntl
import json
import sys
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from deploy import topics
from deploy.local import (
    certificate,
    databases,
    engines,
    kafka_servers,
    ports,
    processes,
    services,
    supervisor,
)
from deploy.local.layout import ROOT, Layout
from deploy.local.wishes import APACHE, EMBEDDED, Wishes, remember

Tell = Callable[[str], None]

READY_SECONDS_MAX = 90
# A service that ends this often before it was ready once will not come up by itself.
ENDS_MAX = 3
LOG_BYTES_MAX = 50 * 1024 * 1024


class UpFailed(Exception):
    """The platform did not come up; the message names what failed and shows its last lines."""


@contextlib.contextmanager
def alone(layout: Layout) -> Iterator[None]:
    """One `up` or `down` of a state folder at a time; the second waits for the first."""
    with (layout.folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def is_running(layout: Layout) -> bool:
    """Whether a supervisor keeps this platform alive."""
    return processes.alive(layout.run, supervisor.NAME) is not None


def up(layout: Layout, wishes: Wishes, tell: Tell) -> None:
    """Start what is missing and return when every service is ready.

    Repeatable: what runs already with the same code and settings is left running.
    """
    with alone(layout):
        _refuse_taken_port(layout, wishes)
        remember(layout, wishes)
        if wishes.lan:
            certificate.ensure(layout.folder / "tls", urlsplit(wishes.public_url).hostname or "")
        fresh = _start_engines(layout, wishes, tell)
        _prepare(layout, wishes, tell, replay="kafka" in fresh)
        _start_services(layout, wishes, tell)
        wait_ready(layout, tell)


def down(layout: Layout, tell: Tell) -> None:
    """Stop what this state folder has started, gently first; data stays."""
    with alone(layout):
        _stop_services(layout, tell)
        engines.stop_all(layout, tell)


def _start_engines(layout: Layout, wishes: Wishes, tell: Tell) -> set[str]:
    """Start the engines; a change from one kind of Kafka to the other replaces the broker."""
    note = layout.run / "plan" / "kafka-kind"
    kind = wishes.kafka if wishes.kafka in (APACHE, EMBEDDED) else "address"
    if note.exists() and note.read_text() != kind and kafka_servers.NAME not in _given(wishes):
        _stop_services(layout, tell)
        processes.stop(layout.run, kafka_servers.NAME)
    try:
        fresh = engines.start_all(layout, wishes, tell)
    except (processes.StartFailed, kafka_servers.EngineMissing, RuntimeError) as error:
        raise UpFailed(str(error)) from error
    note.write_text(kind)
    return fresh


def _given(wishes: Wishes) -> set[str]:
    return set(engines.NAMES) - set(engines.own(wishes))


def _prepare(layout: Layout, wishes: Wishes, tell: Tell, *, replay: bool) -> None:
    """Databases and topics, migrated and refilled, before any service looks at them."""
    try:
        asyncio.run(_prepare_together(layout, wishes, tell, replay=replay))
    except ExceptionGroup as failures:
        lines = [f"{type(failure).__name__}: {failure}" for failure in failures.exceptions]
        raise UpFailed("The databases or topics are not ready:\n" + "\n".join(lines)) from failures


async def _prepare_together(layout: Layout, wishes: Wishes, tell: Tell, *, replay: bool) -> None:
    """All services and the topics at the same time."""
    async with asyncio.TaskGroup() as together:
        together.create_task(_ensure_topics(layout, wishes, tell))
        for name in services.WITH_DATABASE:
            together.create_task(_prepare_database(name, layout, wishes, tell, replay=replay))


async def _prepare_database(
    name: str, layout: Layout, wishes: Wishes, tell: Tell, *, replay: bool
) -> None:
    """Roles, database, migrations; then the outbox again, since a fresh broker knows nothing."""
    from services.chassis import postgres
    from services.chassis import replay as chassis_replay
    from services.chassis.migrate import migrate

    both = await databases.prepare(
        engines.addresses(layout, wishes).postgres_admin_url,
        name,
        password=layout.secrets().database_password,
        database=name,
    )
    applied = await migrate(both.owner_url, name, quiet=True)
    line = f"{name}: {len(applied)} migrations applied" if applied else f"{name}: schema is current"
    if replay:
        pool = await postgres.create_pool(both.service_url, size_max=1, name=f"{name}-replay")
        try:
            count = await chassis_replay.replay(pool)
        finally:
            await pool.close()
        if count:
            line += f", {count} events to be sent again"
    tell(line)


async def _ensure_topics(layout: Layout, wishes: Wishes, tell: Tell) -> None:
    """Create the topics on a real Kafka; the embedded broker was started with them."""
    if wishes.kafka == EMBEDDED:
        return
    created = await topics.create_missing(engines.addresses(layout, wishes).kafka_bootstrap)
    tell(f"kafka: {created} topics created" if created else "kafka: topics are there")


def _start_services(layout: Layout, wishes: Wishes, tell: Tell) -> None:
    """Hand the plan to a supervisor; one that runs an older plan or older code is replaced."""
    planned = services.plan(layout, wishes)
    mark = services.fingerprint(planned)
    note = layout.run / "plan" / "fingerprint"
    if is_running(layout):
        if note.exists() and note.read_text() == mark:
            return
        tell("code or settings have changed: starting the services again")
        _stop_services(layout, tell)
    (layout.run / "plan" / "ends.json").unlink(missing_ok=True)
    for hold in layout.run.glob("*.hold"):
        hold.unlink()
    _put_long_logs_aside(layout)
    services.write_plan(layout, planned)
    note.write_text(mark)
    processes.spawn(
        [sys.executable, "-m", "deploy.local.supervisor", "--state", str(layout.folder)],
        name=supervisor.NAME,
        folder=layout.run,
        log=layout.log(supervisor.NAME),
        env=services.base_environment(),
        cwd=ROOT,
    )


def _put_long_logs_aside(layout: Layout) -> None:
    """A log that has grown long makes room for a new one; the one before it is kept."""
    for log in layout.logs.glob("*.log"):
        if log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.before"))


def _stop_services(layout: Layout, tell: Tell) -> None:
    """End the supervisor, which ends its services; then any that outlived a killed supervisor."""
    drain = supervisor.DRAIN_SECONDS * 2 + 10
    if processes.stop(layout.run, supervisor.NAME, drain_seconds=drain):
        tell("services stopped")
    for name in services.NAMES:
        if processes.stop(layout.run, name, drain_seconds=supervisor.DRAIN_SECONDS):
            tell(f"{name} stopped")


def wait_ready(layout: Layout, tell: Tell) -> None:
    """Wait for every /readyz, telling of each; fail early on a service that keeps ending."""
    started = time.monotonic()
    waiting = list(services.NAMES)
    while waiting:
        for name in list(waiting):
            if services.readiness(layout, name)[0]:
                waiting.remove(name)
                tell(f"{name} is ready")
            else:
                _fail_if_hopeless(layout, name)
        if waiting and time.monotonic() - started > READY_SECONDS_MAX:
            name = waiting[0]
            _, said = services.readiness(layout, name)
            raise UpFailed(f"{name} is not ready: {said}\n{processes.tail(layout.log(name))}")
        if waiting:
            time.sleep(0.1)


def _fail_if_hopeless(layout: Layout, name: str) -> None:
    ends: dict[str, dict[str, int | None]] = {}
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        ends = json.loads((layout.run / "plan" / "ends.json").read_text())
    of_this = ends.get(name, {})
    if (of_this.get("in_a_row") or 0) >= ENDS_MAX or of_this.get("exit") == 2:
        raise UpFailed(
            f"{name} does not start (exit {of_this.get('exit')}). Its last lines:\n"
            f"{processes.tail(layout.log(name))}"
        )


def _refuse_taken_port(layout: Layout, wishes: Wishes) -> None:
    """The front door's port is a promise to people, so it is never changed silently."""
    record = processes.alive(layout.run, services.GATEWAY)
    if record is not None and record.port == wishes.port:
        return
    if not ports.is_free(wishes.port, wishes.bind_host):
        raise UpFailed(
            f"port {wishes.port} is taken by another program; choose one: make up PORT=8090"
        )
