"""What `make up`, `make down`, `make status`, `make logs` and `make reset` show to a person."""

import argparse
import contextlib
import os
import subprocess
import sys
import time

from deploy.local import engines, greeting, launch, processes, seed, services, supervisor, wishes
from deploy.local.layout import ROOT, Layout, forget, open_layout

LOG_LINES = "40"


class Progress:
    """One line for each thing that has happened, with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, line: str) -> None:
        print(f"  {time.monotonic() - self._started:5.1f} s  {line}", flush=True)


def up(layout: Layout) -> int:
    """Start the platform, then say what to open."""
    print("Mèche is starting.", flush=True)
    try:
        asked = wishes.gather(layout, os.environ, running=launch.is_running(layout))
        progress = Progress()
        launch.up(layout, asked, progress)
        seed.ensure(layout, asked, progress)
    except wishes.WishRefused as refusal:
        print(refusal)
        return 1
    except (launch.UpFailed, seed.SeedFailed) as failure:
        print(f"\n{failure}\n\nStopped half-way. `make logs` shows more, `make down` clears away.")
        return 1
    greeting.show(layout, asked)
    return 0


def down(layout: Layout) -> int:
    """Stop what this checkout has started."""
    launch.down(layout, Progress())
    print("Everything of this checkout is stopped; data is kept. `make reset` forgets it.")
    return 0


def status(layout: Layout) -> int:
    """A table of the processes; 0 when every service is ready."""
    book = layout.ports()
    healthy = True
    print(f"{'process':<12} {'pid':>8} {'port':>6} {'ops':>6}  state")
    for name in (*reversed(engines.NAMES), supervisor.NAME, *services.NAMES):
        record = processes.alive(layout.run, name)
        state = "running" if record else "stopped"
        ops = ""
        if name in services.NAMES:
            ops = str(book.find(f"{name}.ops") or "")
            ready, words = services.readiness(layout, name) if record else (False, "")
            healthy = healthy and ready
            state = "ready" if ready else f"not ready: {words[:60]}" if record else "stopped"
        elif record is None and name in engines.NAMES:
            state = "stopped" if name in engines.own(wishes.current(layout)) else "elsewhere"
        pid, port = (record.pid, record.port or "") if record else ("", "")
        print(f"{name:<12} {pid:>8} {port:>6} {ops:>6}  {state}")
    return 0 if healthy else 1


def logs(layout: Layout, name: str | None) -> int:
    """The last lines of one log or of all; followed as they grow at a terminal."""
    chosen = [layout.log(name)] if name else sorted(layout.logs.glob("*.log"))
    there = [str(path) for path in chosen if path.exists()]
    if not there:
        print(f"There is no log{f' of {name}' if name else ''} yet.")
        return 1
    follow = ["-F"] if sys.stdout.isatty() else []
    with contextlib.suppress(KeyboardInterrupt):
        return subprocess.run(["tail", "-n", LOG_LINES, *follow, *there], check=False).returncode
    return 0


def reset(layout: Layout) -> int:
    """Stop, then forget everything that this checkout keeps, after asking."""
    if os.environ.get("YES") != "1":
        print(f"This deletes every chain, member and point in {layout.data}.")
        if not sys.stdin.isatty() or input("Type yes to go on: ").strip().lower() != "yes":
            print("Nothing was deleted. `make reset YES=1` does not ask.")
            return 1
    launch.down(layout, Progress())
    forget(layout)
    print("Forgotten. `make up` starts afresh.")
    return 0


def run(layout: Layout, service: str, module: str) -> int:
    """Run a command of a service in that service's own environment."""
    if not launch.is_running(layout):
        print("The platform does not run. Start it: make up")
        return 1
    environment = services.environment(service, layout, wishes.current(layout))
    return subprocess.run(
        [sys.executable, "-m", module], env=environment, cwd=ROOT, check=False
    ).returncode


def main(arguments: list[str]) -> int:
    """Command line of the front door's recipes."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("up", "down", "status", "reset"):
        verbs.add_parser(verb)
    verbs.add_parser("logs").add_argument("service", nargs="?", choices=None)
    runner = verbs.add_parser("run")
    runner.add_argument("service", choices=services.NAMES)
    runner.add_argument("module")
    options = parser.parse_args(arguments)
    layout = open_layout()
    simple = {"up": up, "down": down, "status": status, "reset": reset}
    if options.verb == "logs":
        return logs(layout, options.service)
    if options.verb == "run":
        return run(layout, options.service, options.module)
    return simple[options.verb](layout)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
