"""A slower disk on demand: a dozen lines of C in front of PostgreSQL's `fdatasync`."""

from __future__ import annotations

import contextlib
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.local import postgres_server, processes

SOURCE = Path(__file__).with_name("flush.c")
DELAY_MICROSECONDS = 1_000


class Flush:
    """How slow PostgreSQL's flushes are; None of it where there is no compiler."""

    def __init__(self, folder: Path) -> None:
        self._library = folder / "flush.so"
        self._delay = folder / "flush-delay"
        self.works = False

    def build(self) -> None:
        """Compile the library into the folder, which PostgreSQL's own user can read."""
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            return
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(self._library), str(SOURCE)]
        built = subprocess.run([*command, "-ldl"], capture_output=True, check=False, text=True)
        self.works = built.returncode == 0
        if not self.works:
            print(f"no emulated flush, for the compiler says:\n{built.stderr}", flush=True)
            return
        self.delay(0)
        for path in (self._library, self._delay):
            path.chmod(0o644)

    def delay(self, microseconds: int) -> None:
        """Add so much to each flush from now on; running servers see it at once."""
        with self._delay.open("r+b" if self._delay.exists() else "wb") as file:
            file.write(struct.pack("=I", microseconds))

    @contextlib.contextmanager
    def slow(self) -> Iterator[None]:
        """A millisecond more for each flush, as long as the context is open."""
        self.delay(DELAY_MICROSECONDS)
        try:
            yield
        finally:
            self.delay(0)

    @contextlib.contextmanager
    def preloaded(self) -> Iterator[None]:
        """Whoever starts PostgreSQL meanwhile starts it with the library in front."""
        if not self.works:
            yield
            return
        spawn = processes.spawn

        def spawn_behind(command: Any, *, name: str, env: Mapping[str, str], **said: Any) -> Any:
            if name == postgres_server.NAME:
                env = {
                    **env,
                    "LD_PRELOAD": str(self._library),
                    "FLUSH_DELAY_FILE": str(self._delay),
                }
            return spawn(command, name=name, env=env, **said)

        processes.spawn = spawn_behind
        try:
            yield
        finally:
            processes.spawn = spawn
