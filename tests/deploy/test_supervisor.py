"""The supervisor of `make up`: what it starts, starts again, leaves alone and ends."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import launch, processes, services, supervisor
from deploy.local.layout import ROOT, Layout, forget, open_layout
from deploy.local.wishes import Wishes, remember

SLEEPS = "import time; time.sleep(600)"
# A process that needs a moment to end in good order, and says so.
TIDY = """
import signal, sys, time
def end(*_):
    print('tidied up', flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, end)
print('at work', flush=True)
time.sleep(600)
"""


class Watched:
    """A supervisor over two small processes in a state folder of its own."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def start(self, **programs: str) -> None:
        remember(
            self.layout,
            Wishes(
                port=1,
                public_url="http://127.0.0.1:1",
                lan=False,
                kafka="elsewhere:9092",
                postgres_url="postgresql://elsewhere",
                redis_url="redis://elsewhere",
            ),
        )
        planned = [
            services.Service(
                name=name,
                command=[sys.executable, "-c", program],
                env=dict(os.environ),
                log=str(self.layout.log(name)),
                port=1,
            )
            for name, program in programs.items()
        ]
        services.write_plan(self.layout, planned)
        self.start_supervisor()

    def start_supervisor(self) -> None:
        processes.spawn(
            [sys.executable, "-m", "deploy.local.supervisor", "--state", str(self.layout.folder)],
            name=supervisor.NAME,
            folder=self.layout.run,
            log=self.layout.log(supervisor.NAME),
            env=services.base_environment(),
            cwd=ROOT,
        )

    def pid(self, name: str) -> int | None:
        record = processes.alive(self.layout.run, name)
        return record.pid if record else None

    def seconds(self, name: str) -> float:
        """How long a process has been running."""
        return time.time() - (self.layout.run / f"{name}.json").stat().st_mtime

    def wait_alive(self, name: str, *, other_than: int | None = None) -> int:
        assert processes.wait_until(lambda: self.pid(name) not in (None, other_than), seconds=15), (
            processes.tail(self.layout.log(supervisor.NAME))
        )
        return self.pid(name) or 0

    def wait_said(self, name: str, words: str) -> None:
        log = self.layout.log(name)
        assert processes.wait_until(
            lambda: log.exists() and words in log.read_text(), seconds=15
        ), processes.tail(log)

    def kill(self, name: str) -> int:
        record = processes.alive(self.layout.run, name)
        assert record is not None
        processes.send(record, signal.SIGKILL)
        return record.pid


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    one = Watched(open_layout(tmp_path / "state"))
    yield one
    processes.stop(one.layout.run, supervisor.NAME)
    for name in services.NAMES:
        processes.stop(one.layout.run, name, drain_seconds=1)
    forget(one.layout)


def test_a_killed_service_comes_back_by_itself(watched: Watched) -> None:
    """Goal: consumers end by design when their database is away; somebody must start them."""
    watched.start(points=SLEEPS, rewards=SLEEPS)
    first, neighbour = watched.wait_alive("points"), watched.wait_alive("rewards")

    watched.kill("points")

    assert watched.wait_alive("points", other_than=first) != first
    assert watched.pid("rewards") == neighbour


def test_one_that_was_asked_to_stop_comes_back_without_a_growing_delay(watched: Watched) -> None:
    """Goal: restarting a service by hand, again and again, costs half a second each time."""
    watched.start(points=TIDY)
    pid = watched.wait_alive("points")
    for _ in range(2):
        assert processes.wait_until(lambda: watched.seconds("points") > 2.2, seconds=5)
        record = processes.alive(watched.layout.run, "points")
        assert record is not None
        processes.send(record, signal.SIGTERM)
        pid = watched.wait_alive("points", other_than=pid)

    said = watched.layout.log(supervisor.NAME).read_text()
    assert said.count("points ended (exit 0), starting again in 0.5 s") == 2


def test_a_held_service_stays_down_until_it_is_let_go(watched: Watched) -> None:
    """Goal: a test can watch the others while one is away."""
    watched.start(points=SLEEPS, rewards=SLEEPS)
    watched.wait_alive("points")
    first = watched.wait_alive("rewards")
    hold = watched.layout.run / "points.hold"
    hold.touch()
    watched.kill("points")
    # The neighbour's return shows that the supervisor has looked at everybody since.
    watched.kill("rewards")
    watched.wait_alive("rewards", other_than=first)

    assert watched.pid("points") is None
    hold.unlink()
    watched.wait_alive("points")


def test_an_end_on_purpose_does_not_count_as_a_crash(watched: Watched) -> None:
    """Goal: a service that tests kill again and again comes back at once each time."""
    watched.start(points=SLEEPS, rewards=SLEEPS)
    hold = watched.layout.run / "points.hold"
    first = watched.wait_alive("points")
    neighbour = watched.wait_alive("rewards")
    hold.touch()
    watched.kill("points")
    # The neighbour's return shows that the supervisor has looked at everybody since.
    watched.kill("rewards")
    watched.wait_alive("rewards", other_than=neighbour)
    hold.unlink()
    watched.wait_alive("points", other_than=first)

    ends = json.loads((watched.layout.run / "plan" / "ends.json").read_text())
    assert set(ends) == {"rewards"}


def test_the_end_is_orderly_and_complete(watched: Watched) -> None:
    """Goal: `make down` lets services finish and leaves none behind."""
    watched.start(points=TIDY, gateway=TIDY)
    for name in ("points", "gateway"):
        watched.wait_said(name, "at work")
    launch.down(watched.layout, lambda _: None)

    assert watched.pid("points") is None
    assert watched.pid("gateway") is None
    assert not launch.is_running(watched.layout)
    for name in ("points", "gateway"):
        assert watched.layout.log(name).read_text() == "at work\ntidied up\n"


def test_services_that_outlive_a_killed_supervisor_are_adopted(watched: Watched) -> None:
    """Goal: killing the supervisor costs nobody a running service, nor doubles one."""
    watched.start(points=SLEEPS)
    first = watched.wait_alive("points")
    watched.kill(supervisor.NAME)
    watched.start_supervisor()
    watched.kill("points")

    assert watched.wait_alive("points", other_than=first) != first


def test_a_service_that_cannot_start_is_named_with_its_last_lines(watched: Watched) -> None:
    """Goal: whoever starts the platform reads the reason, not a stack of processes."""
    watched.start(points="print('the disk is full', flush=True); raise SystemExit(3)")

    with pytest.raises(launch.UpFailed) as failure:
        launch.wait_ready(watched.layout, lambda _: None)

    assert "points does not start (exit 3)" in str(failure.value)
    assert "the disk is full" in str(failure.value)


def test_a_pid_that_belongs_to_somebody_else_now_is_never_signalled(tmp_path: Path) -> None:
    """Goal: `make down` stops all of it and only it, even after the machine reused a pid."""
    me = os.getpid()
    processes.write_record(tmp_path, processes.Record(name="points", pid=me, started="1"))

    assert processes.alive(tmp_path, "points") is None
    assert not processes.stop(tmp_path, "points")
