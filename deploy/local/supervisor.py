"""The one resident process of `make up`: starts the services and starts them again when they end.

`python -m deploy.local.supervisor --state .local`. A service that meets a database it cannot reach
ends by design; it comes back after a delay that doubles while it keeps ending. A file
`run/<name>.hold` keeps it down, which tests use to watch the others without it. SIGTERM ends the
gateway first, then the others, then itself. Services that outlived a killed supervisor are
adopted by the next one.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from deploy.local import engines, processes, services
from deploy.local.kafka_servers import EngineMissing
from deploy.local.layout import ROOT, Layout, open_layout
from deploy.local.wishes import current

NAME = "supervisor"
TICK_SECONDS = 0.1
DELAY_SECONDS_MIN, DELAY_SECONDS_MAX = 0.5, 10.0
# A process that ran this long was well; its next end counts as the first.
WELL_SECONDS = 30.0
# One that ends with 0 sooner than this was not asked to: it ends by itself.
ASKED_SECONDS = 2.0
DRAIN_SECONDS = 25
EXIT_CODE_SECONDS_MAX = 1.0


@dataclass(slots=True)
class Watch:
    """What is known of one process: how often it ended lately and when to try again."""

    started: float = 0.0
    ended_in_a_row: int = 0
    next_try: float = 0.0
    seen_alive: bool = False


class Supervisor:
    """Keeps the planned services and our own engines alive."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._services = {service.name: service for service in services.read_plan(layout)}
        self._wishes = current(layout)
        self._watches = {name: Watch() for name in (*engines.own(self._wishes), *self._services)}
        # Kept until their end is known: a forgotten Popen object takes the exit status with it.
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._exits: dict[int, int] = {}
        self._stopping = False

    def stop_soon(self, _number: int, _frame: FrameType | None) -> None:
        """Signal handler: end after this tick."""
        self._stopping = True

    def run(self) -> None:
        """Watch until told to stop."""
        while not self._stopping:
            self._reap()
            for name, watch in self._watches.items():
                self._look_after(name, watch)
            time.sleep(TICK_SECONDS)
        self._stop_services()

    def _look_after(self, name: str, watch: Watch) -> None:
        now = time.monotonic()
        if processes.alive(self._layout.run, name):
            if not watch.seen_alive:
                watch.seen_alive, watch.started = True, now
            return
        if watch.seen_alive:
            watch.seen_alive = False
            self._note_end(name, watch, now)
        if now >= watch.next_try and not self._is_held(name):
            self._start(name, watch)

    def _is_held(self, name: str) -> bool:
        return (self._layout.run / f"{name}.hold").exists()

    def _note_end(self, name: str, watch: Watch, now: float) -> None:
        if self._is_held(name):
            # Ended on purpose: it starts as soon as it is let go, however often that happens.
            watch.ended_in_a_row, watch.next_try = 0, 0.0
            _say(f"{name} ended and is held")
            return
        record = processes.read_record(self._layout.run, name)
        code = self._exit_code(record.pid) if record else None
        ran_seconds = now - watch.started
        # Whoever was asked to stop ends with 0, and did nothing that calls for patience.
        well = ran_seconds > WELL_SECONDS or (code == 0 and ran_seconds > ASKED_SECONDS)
        watch.ended_in_a_row = 1 if well else watch.ended_in_a_row + 1
        delay = min(DELAY_SECONDS_MAX, DELAY_SECONDS_MIN * 2 ** (watch.ended_in_a_row - 1))
        watch.next_try = now + delay
        _say(f"{name} ended (exit {code}), starting again in {delay} s")
        self._write_ends(name, watch, code)

    def _start(self, name: str, watch: Watch) -> None:
        watch.next_try = time.monotonic() + DELAY_SECONDS_MAX
        try:
            if name in self._services:
                service = self._services[name]
                process = processes.spawn(
                    service.command,
                    name=name,
                    folder=self._layout.run,
                    log=Path(service.log),
                    env=service.env,
                    cwd=ROOT,
                    port=service.port,
                )
                self._children[process.pid] = process
            else:
                engines.start(name, self._layout, self._wishes)
        except (OSError, processes.StartFailed, EngineMissing) as error:
            _say(f"{name}: {error}")
            watch.next_try = time.monotonic() + DELAY_SECONDS_MIN
            return
        watch.seen_alive, watch.started, watch.next_try = True, time.monotonic(), 0.0
        _say(f"{name} started")

    def _write_ends(self, name: str, watch: Watch, code: int | None) -> None:
        """Tell `make up` and `make status` how often a process ended lately."""
        path = self._layout.run / "plan" / "ends.json"
        known: dict[str, object] = {}
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            known = json.loads(path.read_text())
        known[name] = {"in_a_row": watch.ended_in_a_row, "exit": code}
        path.write_text(json.dumps(known))

    def _exit_code(self, pid: int) -> int | None:
        """How a process ended; None for one that an earlier supervisor had started.

        When its first thread has ended others may still be ending, and only the last one's end
        tells the code.
        """
        child = self._children.pop(pid, None)
        if child is None:
            return None

        def told() -> bool:
            self._reap()
            return pid in self._exits

        processes.wait_until(told, seconds=EXIT_CODE_SECONDS_MAX)
        child.returncode = self._exits.pop(pid, None)
        return child.returncode

    def _reap(self) -> None:
        """Take leave of children that ended, and remember how."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                self._exits[pid] = os.waitstatus_to_exitcode(status)

    def _stop_services(self) -> None:
        """The front door closes first, so that nobody is let in while the rooms empty."""
        folder = self._layout.run
        processes.stop(folder, services.GATEWAY, drain_seconds=DRAIN_SECONDS)
        others = [name for name in self._services if name != services.GATEWAY]
        with ThreadPoolExecutor(max_workers=len(others) or 1) as pool:
            for name in others:
                pool.submit(processes.stop, folder, name, drain_seconds=DRAIN_SECONDS)


def _say(line: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), line, flush=True)


def main(arguments: list[str]) -> None:
    """Command line of the supervisor."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.supervisor")
    parser.add_argument("--state", type=Path, required=True)
    supervisor = Supervisor(open_layout(parser.parse_args(arguments).state))
    signal.signal(signal.SIGTERM, supervisor.stop_soon)
    signal.signal(signal.SIGINT, supervisor.stop_soon)
    supervisor.run()


if __name__ == "__main__":
    main(sys.argv[1:])
