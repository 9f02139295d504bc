"""Detached processes that are remembered on disk and never mistaken for somebody else's.

A record holds the pid together with the start time that the kernel gave it. A pid that was
given to another process since then has another start time, so it is never signalled.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TAIL_LINES = 25


class StartFailed(Exception):
    """A process did not come up. The message names it and shows its last lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One started process, as it is kept in `run/<name>.json`."""

    name: str
    pid: int
    started: str
    port: int | None = None


def started_at(pid: int) -> str | None:
    """The kernel's start time of a live process; None when it is gone or only a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        return None if fields[0] in ("Z", "X") else fields[19]
    listed = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.strip() or None


def write_record(folder: Path, record: Record) -> None:
    """Remember a process. Whole or not at all: a reader never sees half a record."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{record.name}.{os.getpid()}.tmp"
    draft.write_text(json.dumps(asdict(record)))
    draft.replace(folder / f"{record.name}.json")


def read_record(folder: Path, name: str) -> Record | None:
    """What is remembered of a process, alive or not."""
    try:
        return Record(**json.loads((folder / f"{name}.json").read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


def alive(folder: Path, name: str) -> Record | None:
    """The record of a process that still runs and is still the one that we started."""
    record = read_record(folder, name)
    if record is None or started_at(record.pid) != record.started:
        return None
    return record


def spawn(
    command: Sequence[str],
    *,
    name: str,
    folder: Path,
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    port: int | None = None,
    user: int | None = None,
    group: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, its output in `log`, and remember it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            user=user,
            group=group,
            extra_groups=[] if user is not None else None,
            start_new_session=True,
        )
    started = started_at(process.pid) or "gone"
    write_record(folder, Record(name=name, pid=process.pid, started=started, port=port))
    return process


def stop(
    folder: Path, name: str, *, gentle: signal.Signals = signal.SIGTERM, drain_seconds: float = 25
) -> bool:
    """Ask a process to end, insist after the drain, and forget it. True when one was running."""
    record = alive(folder, name)
    if record is not None:
        send(record, gentle)
        if not wait_gone(record, seconds=drain_seconds):
            send(record, signal.SIGKILL)
            wait_gone(record, seconds=5)
    (folder / f"{name}.json").unlink(missing_ok=True)
    return record is not None


def send(record: Record, number: signal.Signals) -> None:
    """Signal a process, but only if it is still the one that the record names."""
    if started_at(record.pid) == record.started:
        try:
            os.kill(record.pid, number)
        except ProcessLookupError:
            return


def wait_gone(record: Record, *, seconds: float) -> bool:
    """Wait until a process has ended, reaping it when it is our own child."""

    def gone() -> bool:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(record.pid, os.WNOHANG)
        return started_at(record.pid) != record.started

    return wait_until(gone, seconds=seconds)


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.02) -> bool:
    """Poll a condition; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, for a person who wants to know why."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(it wrote no log)"
