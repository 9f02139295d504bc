"""Processor time of the platform's processes, as Linux counts it; elsewhere none is seen."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

PROC = Path("/proc")


def seconds(run: Path) -> dict[str, float]:
    """Seconds of processor time so far, by the name of the process; its children are its own."""
    if not (PROC / "self" / "stat").exists():
        return {}
    names = {}
    for path in run.glob("*.json"):
        record = json.loads(path.read_text())
        names[record["pid"]] = record["name"]
    ticks = os.sysconf("SC_CLK_TCK")
    used: dict[str, float] = {}
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid, parent = int(folder.name), int(fields[1])
        name = names.get(pid) or names.get(parent)
        if name is not None:
            # Of children that have ended, only their parent knows.
            counted = fields[11:15] if pid in names else fields[11:13]
            used[name] = used.get(name, 0.0) + sum(map(int, counted)) / ticks
    return used


def microseconds_each(
    before: Mapping[str, float], after: Mapping[str, float], *, count: int
) -> dict[str, float]:
    """What each of `count` requests took of each process, the dearest first."""
    spent = {name: (after[name] - before.get(name, 0.0)) * 1e6 for name in after}
    each = {name: round(total / count, 1) for name, total in spent.items() if count and total > 0}
    return dict(sorted(each.items(), key=lambda pair: -pair[1]))
