"""What one measurement says, and what is made of several."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Rate per second and times in milliseconds; the rest only where HTTP was driven."""

    rate: float
    p50_ms: float
    p99_ms: float
    # By status, or by what was wrong with an answer.
    answers: Mapping[str, int] = field(default_factory=dict)
    driver_cpu: float = 0.0
    # How late the events of what was written left.
    lag_p99_s: float = 0.0
    # Processor time of one request, in microseconds, by process.
    cpu_us: Mapping[str, float] = field(default_factory=dict)


def measure(times: Sequence[float], *, rate: float) -> Measure:
    """A measure from the seconds that each request took."""
    ordered = sorted(times)
    return Measure(rate=rate, p50_ms=at(ordered, 0.50) * 1e3, p99_ms=at(ordered, 0.99) * 1e3)


def at(ordered: Sequence[float], share: float) -> float:
    """The value below which this share of the ordered values lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, minimum, maximum."""
    return statistics.median(values), min(values), max(values)


def over(numerator: float, denominator: float) -> float:
    """A ratio; nothing where there is nothing to compare with."""
    return numerator / denominator if denominator else 0.0
