"""Fixtures that every test may ask for: real engines, and the whole platform.

What they do stands in `tests/engines.py`; nothing is started until a test asks for it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.tools.chromium import ensure as find_chromium
from tests import engines

if TYPE_CHECKING:
    from tests.stack import Stack


def pytest_configure(config: pytest.Config) -> None:
    """The controller opens the folder of the run; workers find it in their environment."""
    if engines.RUN_VARIABLE not in os.environ:
        os.environ[engines.RUN_VARIABLE] = str(engines.open_run())
        config.stash[_OPENED_HERE] = True


def pytest_unconfigure(config: pytest.Config) -> None:
    """The controller ends last and stops whatever the run has started."""
    if config.stash.get(_OPENED_HERE, False):
        engines.close_run(Path(os.environ.pop(engines.RUN_VARIABLE)))


_OPENED_HERE = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def run_folder() -> Path:
    """Where this run keeps its engines."""
    return Path(os.environ[engines.RUN_VARIABLE])


@pytest.fixture(scope="session")
def worker_folder(run_folder: Path) -> Path:
    """Where this worker keeps what it shares with nobody."""
    folder = run_folder / os.environ.get("PYTEST_XDIST_WORKER", "alone")
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def postgres(run_folder: Path) -> engines.Postgres:
    """`await postgres.create_database("points")` gives a fresh, migrated database."""
    return engines.start_postgres(run_folder)


@pytest.fixture(scope="session")
def redis_server(worker_folder: Path) -> Iterator[engines.Redis]:
    """This worker's Redis, for tests that stop it and start it again."""
    server = engines.Redis(worker_folder / "redis-own")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url(redis_server: engines.Redis) -> str:
    """The address of this worker's Redis."""
    return os.environ.get("REDIS_URL") or redis_server.url


@pytest.fixture(scope="session")
def kafka_bootstrap(worker_folder: Path) -> Iterator[str]:
    """The address of this worker's broker; a consumer group has one member in it."""
    given = os.environ.get("KAFKA_BOOTSTRAP")
    if given:
        yield given
        return
    broker = engines.Broker(worker_folder / "kafka-own")
    broker.start()
    yield broker.bootstrap
    broker.stop()


@pytest.fixture
async def own_broker(tmp_path: Path) -> AsyncIterator[engines.Broker]:
    """A broker for one test, which may stop it and start it again on the same port."""
    broker = engines.Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def stack(run_folder: Path) -> Stack:
    """The whole platform as `make up` starts it; one for all workers of a run.

    Make a chain of your own by `POST /v2/operator/chains`; only tests marked `chaos` stop services.
    """
    from tests.stack import start

    return start(run_folder)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one the test fails and says how to get it."""
    return find_chromium()
