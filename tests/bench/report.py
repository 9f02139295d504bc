"""What people and machines read of a run: a table for each round, the ratios, and JSON."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from tests.bench.ending import Ending
from tests.bench.measures import Measure, spread
from tests.bench.platform import FOLDER

NOT_MEASURED: Final = (
    "earns beside an expiry (a part of P11)",
    "fan-out (P12)",
    "the relay's lag (a part of P16)",
    "a soak (P17)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: its measures, the queue's cost when idle, and the gates that failed."""

    measures: Mapping[str, Measure]
    idle: Mapping[str, float]
    faults: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All rounds, with what was measured before and after them."""

    rounds: Sequence[Round]
    # While there were few accounts.
    few: Mapping[str, Sequence[Measure]]
    ending: Ending
    seconds: float = 0.0

    def after(self, *, seconds: float) -> Self:
        """The run with its length."""
        return replace(self, seconds=seconds)

    @property
    def sound(self) -> list[Round]:
        """The rounds whose gates held."""
        return [taken for taken in self.rounds if not taken.faults]

    @property
    def broken(self) -> bool:
        """Whether any gate failed."""
        return bool(self.ending.faults) or len(self.sound) < len(self.rounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A ratio of performance.md, and how it is read off a run: one value a round, or one in all."""

    name: str
    words: str
    bound: float
    at_least: bool
    read: Callable[[Run], Sequence[float]]


def _each(
    name: str, over: str, *, value: Callable[[Measure], float]
) -> Callable[[Run], Sequence[float]]:
    """A ratio of two measures of one round."""
    return lambda run: [
        _over(value(taken.measures[name]), value(taken.measures[over]))
        for taken in run.sound
        if name in taken.measures
    ]


def _rate(measure: Measure) -> float:
    return measure.rate


def _p99(measure: Measure) -> float:
    return measure.p99_ms


def _linearity(name: str) -> Callable[[Run], Sequence[float]]:
    """The rate of each round over the median of those while there were few accounts."""
    return lambda run: [
        _over(taken.measures[name].rate, statistics.median(map(_rate, run.few[name])))
        for taken in run.sound
    ]


def _idle(run: Run) -> Sequence[float]:
    return [_over(taken.idle["with"], taken.idle["without"]) for taken in run.sound]


def _expiry(run: Run) -> Sequence[float]:
    ended = run.ending
    return [] if ended.faults else [_over(ended.seconds, ended.set_based_seconds)]


def _relay(run: Run) -> Sequence[float]:
    rates = [taken.measures["accumulate"].rate for taken in run.sound]
    if run.ending.faults or not rates:
        return []
    return [_over(run.ending.relay_rate, statistics.median(rates))]


def _goal(
    name: str,
    words: str,
    read: Callable[[Run], Sequence[float]],
    *,
    least: float | None = None,
    most: float | None = None,
) -> Goal:
    bound = least if least is not None else most
    assert bound is not None
    return Goal(name=name, words=words, bound=bound, at_least=least is not None, read=read)


GOALS: Final = (
    _goal("P1", "accumulate / pgbench 8", _each("accumulate", "pgbench_8", value=_rate), least=0.5),
    _goal(
        "P2",
        "the same at 1 ms a flush, pgbench 64",
        _each("accumulate_slow", "pgbench_slow", value=_rate),
        least=0.5,
    ),
    _goal(
        "P3",
        "p99 accumulate / p99 pgbench 64",
        _each("accumulate", "pgbench_64", value=_p99),
        most=2.0,
    ),
    _goal("P5", "hot account / many", _each("hot", "accumulate", value=_rate), least=0.9),
    _goal("P5b", "p99 of the same", _each("hot", "accumulate", value=_p99), most=1.5),
    _goal("P9", "read / accumulate", _each("read", "accumulate", value=_rate), least=1.3),
    _goal("P9b", "p99 of the same", _each("read", "accumulate", value=_p99), most=1.0),
    _goal(
        "P10",
        "take + use pairs / pgbench pairs",
        _each("pairs", "pgbench_pairs", value=_rate),
        least=0.30,
    ),
    _goal("P11", "expiry / one set-based statement", _expiry, most=1.0),
    _goal("P13", "earns at many accounts / at few", _linearity("accumulate"), least=0.9),
    _goal("P13b", "reads at many accounts / at few", _linearity("read"), least=0.9),
    _goal("P14", "idle p50 with / without the queue", _idle, most=1.15),
    _goal("P16", "relay / accumulate", _relay, least=2.0),
)


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0


def one(number: int, taken: Round) -> str:
    """The table of a round."""
    lines = [
        f"\nround {number}{'  VOID: a gate failed' if taken.faults else ''}",
        f"  {'':<15} {'per second':>11} {'p50 ms':>8} {'p99 ms':>8} {'driver':>7}  answers",
    ]
    for name, found in taken.measures.items():
        cpu = f"{found.driver_cpu:.0%}" if found.driver_cpu else ""
        answers = ", ".join(f"{status}: {count}" for status, count in found.statuses.items())
        lines.append(
            f"  {name:<15} {found.rate:>11,.0f} {found.p50_ms:>8.2f} {found.p99_ms:>8.2f} "
            f"{cpu:>7}  {answers}"
        )
    lines.append(f"  idle: {taken.idle['with']:.2f} ms queued, {taken.idle['without']:.2f} ms not")
    driven = {name: found.cpu_us for name, found in taken.measures.items() if found.cpu_us}
    if driven:
        lines.append("  processor time of one request in microseconds")
    for name, spent in driven.items():
        parts = ", ".join(f"{who} {micros:.0f}" for who, micros in spent.items() if micros >= 1)
        lines.append(f"  {name:<15} {sum(spent.values()):>11,.0f}  {parts}")
    lines += [f"  FAULT {fault}" for fault in taken.faults]
    return "\n".join(lines)


def of_ending(ended: Ending) -> str:
    """What the end of points took."""
    lines = [
        f"\n{ended.accounts:,} accounts expired in {ended.seconds:.1f} s "
        f"({ended.cpu_seconds:.1f} s of Python), one statement {ended.set_based_seconds:.1f} s; "
        f"the relay then published {ended.relay_rate:,.0f} events a second"
    ]
    return "\n".join([*lines, *(f"  FAULT {fault}" for fault in ended.faults)])


def summary(run: Run) -> str:
    """The goals over all rounds whose gates held."""
    void = len(run.rounds) - len(run.sound)
    lines = [
        f"\n{len(run.rounds)} rounds" + (f", {void} of them void" if void else ""),
        f"  {'':<5} {'':<37} {'median':>7} {'min':>7} {'max':>7}  goal",
    ]
    for goal in GOALS:
        values = goal.read(run)
        if not values:
            lines.append(f"  {goal.name:<5} {goal.words:<37} not measured")
            continue
        median, least, most = spread(values)
        reached = median >= goal.bound if goal.at_least else median <= goal.bound
        sign = "≥" if goal.at_least else "≤"
        lines.append(
            f"  {goal.name:<5} {goal.words:<37} {median:>7.2f} {least:>7.2f} {most:>7.2f}  "
            f"{sign} {goal.bound:.2f} {'reached' if reached else 'MISSED'}"
        )
    lines.append(f"Not measured: {'; '.join(NOT_MEASURED)}.")
    return "\n".join(lines)


def keep(run: Run, *, size: Mapping[str, Any]) -> Path:
    """Write everything as JSON beside the earlier runs."""
    written = {
        "size": dict(size),
        "seconds": round(run.seconds, 1),
        "processors": os.cpu_count(),
        "not_measured": list(NOT_MEASURED),
        "few_accounts": {name: [asdict(each) for each in few] for name, few in run.few.items()},
        "rounds": [
            {
                "void": bool(taken.faults),
                "faults": list(taken.faults),
                "measures": {name: asdict(found) for name, found in taken.measures.items()},
                "idle_ms": dict(taken.idle),
            }
            for taken in run.rounds
        ],
        "ending": asdict(run.ending),
        "ratios": {goal.name: list(goal.read(run)) for goal in GOALS},
    }
    path = FOLDER / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written, indent=2) + "\n")
    return path
