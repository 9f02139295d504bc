"""What people and machines read of a run: a table for each round, the ratios, and JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench.measures import Measure, spread
from tests.bench.platform import FOLDER

NOT_MEASURED: Final = (
    "an emulated 1 ms flush (P2)",
    "expiry (P11)",
    "fan-out (P12)",
    "10 k against 1 M accounts (P13)",
    "the relay's rate (P16)",
    "a soak (P17)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: its measures, the queue's cost when idle, and the gates that failed."""

    measures: Mapping[str, Measure]
    idle: Mapping[str, Any]
    faults: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A ratio of performance.md, and how it is read off a round."""

    name: str
    words: str
    bound: float
    at_least: bool
    read: Callable[[Round], float]


GOALS: Final = (
    Goal(
        name="P1",
        words="accumulate / pgbench 8",
        bound=0.50,
        at_least=True,
        read=lambda r: _over(r.measures["accumulate"].rate, r.measures["pgbench_8"].rate),
    ),
    Goal(
        name="P3",
        words="p99 accumulate / p99 pgbench 64",
        bound=2.0,
        at_least=False,
        read=lambda r: _over(r.measures["accumulate"].p99_ms, r.measures["pgbench_64"].p99_ms),
    ),
    Goal(
        name="P5",
        words="hot account / many accounts",
        bound=0.9,
        at_least=True,
        read=lambda r: _over(r.measures["hot"].rate, r.measures["accumulate"].rate),
    ),
    Goal(
        name="P5b",
        words="p99 of the same",
        bound=1.5,
        at_least=False,
        read=lambda r: _over(r.measures["hot"].p99_ms, r.measures["accumulate"].p99_ms),
    ),
    Goal(
        name="P9",
        words="read / accumulate",
        bound=1.3,
        at_least=True,
        read=lambda r: _over(r.measures["read"].rate, r.measures["accumulate"].rate),
    ),
    Goal(
        name="P10",
        words="take + use pairs / pgbench pairs",
        bound=0.30,
        at_least=True,
        read=lambda r: _over(r.measures["pairs"].rate, r.measures["pgbench_pairs"].rate),
    ),
    Goal(
        name="P14",
        words="idle p50 with / without the queue",
        bound=1.15,
        at_least=False,
        read=lambda r: _over(r.idle["with"], r.idle["without"]),
    ),
)


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0


def one(number: int, taken: Round) -> str:
    """The table of a round."""
    lines = [
        f"\nround {number}{'  VOID: a gate failed' if taken.faults else ''}",
        f"  {'':<14} {'per second':>11} {'p50 ms':>8} {'p99 ms':>8} {'driver':>7}  answers",
    ]
    for name, found in taken.measures.items():
        cpu = f"{found.driver_cpu:.0%}" if found.driver_cpu else ""
        answers = ", ".join(f"{status}: {count}" for status, count in found.statuses.items())
        lines.append(
            f"  {name:<14} {found.rate:>11,.0f} {found.p50_ms:>8.2f} {found.p99_ms:>8.2f} "
            f"{cpu:>7}  {answers}"
        )
    lines.append(f"  idle: {taken.idle['with']:.2f} ms queued, {taken.idle['without']:.2f} ms not")
    lines.append("  " + "  ".join(f"{goal.name} {goal.read(taken):.2f}" for goal in GOALS))
    lines += [f"  FAULT {fault}" for fault in taken.faults]
    return "\n".join(lines)


def summary(rounds: Sequence[Round]) -> str:
    """The goals over all rounds whose gates held."""
    sound = [taken for taken in rounds if not taken.faults]
    void = len(rounds) - len(sound)
    lines = [f"\n{len(rounds)} rounds" + (f", {void} of them void" if void else "")]
    if sound:
        lines.append(f"  {'':<4} {'':<34} {'median':>7} {'min':>7} {'max':>7}  goal")
        for goal in GOALS:
            median, least, most = spread([goal.read(taken) for taken in sound])
            reached = median >= goal.bound if goal.at_least else median <= goal.bound
            sign = "≥" if goal.at_least else "≤"
            lines.append(
                f"  {goal.name:<4} {goal.words:<34} {median:>7.2f} {least:>7.2f} {most:>7.2f}  "
                f"{sign} {goal.bound:.2f} {'reached' if reached else 'MISSED'}"
            )
    lines.append(f"Not measured yet: {'; '.join(NOT_MEASURED)}.")
    return "\n".join(lines)


def keep(rounds: Sequence[Round], *, size: Mapping[str, int], seconds: float) -> Path:
    """Write everything as JSON beside the earlier runs."""
    written = {
        "size": dict(size),
        "seconds": round(seconds, 1),
        "processors": os.cpu_count(),
        "not_measured": list(NOT_MEASURED),
        "rounds": [
            {
                "void": bool(taken.faults),
                "faults": list(taken.faults),
                "measures": {name: asdict(found) for name, found in taken.measures.items()},
                "idle_ms": dict(taken.idle),
                "ratios": {goal.name: goal.read(taken) for goal in GOALS},
            }
            for taken in rounds
        ],
    }
    path = FOLDER / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written, indent=2) + "\n")
    return path
