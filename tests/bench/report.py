"""What people and machines read of a run: tables of its parts, the goals, and JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.driving import DRIVER_CPU_MAX
from tests.bench.ending import Ending
from tests.bench.fanout import Fanout
from tests.bench.goals import GOALS, NOT_MEASURED, Run
from tests.bench.linearity import Linearity
from tests.bench.measures import Measure, spread
from tests.bench.platform import FOLDER
from tests.bench.rounds import Round
from tests.bench.soak import Soak


def of_round(number: int, taken: Round) -> str:
    """The table of a round."""
    lines = [
        f"\nround {number}{'  VOID: a gate failed' if taken.faults else ''}",
        f"  {'':<15} {'per second':>11} {'p50 ms':>8} {'p99 ms':>8} {'lag s':>6} {'driver':>7}"
        "  answers",
    ]
    lines += [_row(name, found) for name, found in taken.measures.items()]
    lines.append(
        f"  idle: {taken.idle_ms['with']:.2f} ms queued, {taken.idle_ms['without']:.2f} ms not; "
        f"a gRPC echo: {taken.echo_ms:.2f} ms"
    )
    driven = {name: found.cpu_us for name, found in taken.measures.items() if found.cpu_us}
    if driven:
        lines.append("  processor time of one request in microseconds")
    for name, spent in driven.items():
        parts = ", ".join(f"{who} {micros:.0f}" for who, micros in spent.items() if micros >= 1)
        lines.append(f"  {name:<15} {sum(spent.values()):>11,.0f}  {parts}")
    return _with_faults(lines, taken.faults)


def _row(name: str, found: Measure) -> str:
    cpu = f"{found.driver_cpu:.0%}" if found.driver_cpu else ""
    if found.driver_cpu > DRIVER_CPU_MAX:
        cpu += "!"
    lag = f"{found.lag_p99_s:.2f}" if found.lag_p99_s else ""
    answers = ", ".join(f"{status}: {count}" for status, count in found.answers.items())
    return (
        f"  {name:<15} {found.rate:>11,.0f} {found.p50_ms:>8.2f} {found.p99_ms:>8.2f} {lag:>6} "
        f"{cpu:>7}  {answers}"
    )


def of_linearity(found: Linearity) -> str:
    """Turn by turn, what many accounts and few let through."""
    lines = [f"\n{found.many_accounts:,} accounts, and {found.few_accounts:,} on another stack"]
    for number, turn in enumerate(found.turns, 1):
        for name, many in turn.many.items():
            few = turn.few[name]
            lines.append(
                f"  {number} {name:<12} {many.rate:>8,.0f} a second, {few.rate:>8,.0f} at few; "
                f"{sum(many.cpu_us.values()):,.0f} µs of processor time, "
                f"{sum(few.cpu_us.values()):,.0f} at few"
            )
    return _with_faults(lines, found.faults)


def of_fanout(sent: Fanout) -> str:
    """What a send to many took."""
    lines = ["\nan offer to many" + ("" if sent.alone else ", beside messages of others")]
    for queued in (sent.few, sent.many):
        ours, theirs = (
            " ".join(f"{seconds:.3f}" for seconds in times)
            for times in (queued.seconds, queued.set_based_seconds)
        )
        lines.append(f"  {queued.members:,} queued in {ours} s, by one statement in {theirs} s")
    if sent.unavailable:
        lines.append(f"  {sent.unavailable} times out of reach, and asked again")
    left = sent.events_left_after_seconds
    told = "their events had not left a minute later" if left is None else f"{left:.1f} s later"
    lines.append(
        f"  {sent.sent:,} handed over in {sent.hand_over_seconds:.1f} s, their events out {told}: "
        f"{sent.sent_rate:,.0f} a second"
    )
    return _with_faults(lines, sent.faults)


def of_soak(soak: Soak) -> str:
    """What a long time did."""
    left = soak.drained_seconds
    lines = [
        f"\na soak of {soak.seconds:.0f} s: its first and last {soak.window_seconds:.0f} s",
        _row("first", soak.first),
        _row("last", soak.last),
        f"  {soak.updates:,} updates of accounts, {soak.hot_share:.2%} HOT; the table is "
        f"{soak.growth:.2f} of what it was, with its indexes {soak.growth_with_indexes:.2f}",
        f"  events left {soak.lag_p99_s:.1f} s late (p99), and all had left "
        + ("not a minute" if left is None else f"{left:.1f} s")
        + " afterwards",
    ]
    return _with_faults(lines, soak.faults)


def of_ending(ended: Ending) -> str:
    """What the end of points took."""
    lines = ["\npoints that end"]
    for swept in (ended.few, ended.many):
        lines.append(
            f"  {swept.accounts:,} accounts in {swept.seconds:.2f} s "
            f"({swept.cpu_seconds:.1f} s of Python), one statement {swept.set_based_seconds:.2f} s"
        )
    both = ended.beside
    lines += [
        f"  {both.accounts:,} accounts in {both.sweep_seconds:.1f} s, earns beside them for "
        f"{both.together_seconds:.1f} s",
        _row("alone", both.alone),
        _row("beside", both.together),
        f"  the relay by itself published {ended.relay_rate:,.0f} events a second",
    ]
    faults = [*ended.faults, *ended.few.faults, *both.faults, *ended.many.faults]
    return _with_faults(lines, faults)


def _with_faults(lines: Sequence[str], faults: Sequence[str]) -> str:
    return "\n".join([*lines, *(f"  FAULT {fault}" for fault in faults)])


def summary(run: Run) -> str:
    """The goals over everything whose gates held."""
    void = len(run.rounds) - len(run.sound)
    lines = [
        f"\n{len(run.rounds)} rounds" + (f", {void} of them void" if void else ""),
        f"  {'':<5} {'':<39} {'median':>7} {'min':>7} {'max':>7}  goal",
    ]
    for goal in GOALS:
        values = goal.read(run)
        if not values:
            lines.append(f"  {goal.name:<5} {goal.words:<39} not measured")
            continue
        median, least, most = spread(values)
        lines.append(
            f"  {goal.name:<5} {goal.words:<39} {median:>7.2f} {least:>7.2f} {most:>7.2f}  "
            f"{'≥' if goal.at_least else '≤'} {goal.bound:.2f} "
            f"{'reached' if goal.reached(median) else 'MISSED'}"
        )
    if run.replays:
        again = sum(taken.replays > 0 for taken in run.rounds)
        lines.append(
            f"points published its events again {run.replays} times, for a consumer that the "
            f"broker had left behind; in {again} rounds, whose lag is left out"
        )
    if any(found.driver_cpu > DRIVER_CPU_MAX for found in _driven(run)):
        lines.append(f"!: the driver took more than {DRIVER_CPU_MAX:.0%} of a processor itself")
    lines.append("Not measured:")
    return "\n".join([*lines, *(f"  {each}" for each in NOT_MEASURED)])


def _driven(run: Run) -> list[Measure]:
    return [found for taken in run.rounds for found in taken.measures.values()]


def keep(run: Run, *, size: Mapping[str, Any]) -> Path:
    """Write everything as JSON beside the earlier runs."""
    written = {
        "size": dict(size),
        "processors": os.cpu_count(),
        "not_measured": list(NOT_MEASURED),
        **asdict(run),
        "void": [bool(taken.faults) for taken in run.rounds],
        "goals": {
            goal.name: {"bound": goal.bound, "at_least": goal.at_least, "read": goal.read(run)}
            for goal in GOALS
        },
    }
    path = FOLDER / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written, indent=2) + "\n")
    return path
