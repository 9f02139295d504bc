"""The goals of performance.md, section 3, and how each is read off a run. Every one is a ratio
of two measures of the same run, but for those whose row names seconds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self, TypeAlias

from tests.bench.driving import ACCUMULATE, HALF, HOT, PAIRS, READ, SINGLE, SLOW
from tests.bench.ending import Ending
from tests.bench.fanout import Enqueue, Fanout
from tests.bench.linearity import Linearity
from tests.bench.measures import Measure, over
from tests.bench.rounds import Round
from tests.bench.soak import Soak

# What the row of a fan-out counts in.
SENT_TO: Final = 100_000

NOT_MEASURED: Final = (
    "P6 to P8: other ledgers are not installed here",
    "P15: there is no gateway without its middleware, and one made for this would be nobody's",
    "kill -9 in the middle: `make chaos` does it",
    "receipts of these earns: messaging does not know the members of loaded accounts, keeps the "
    "news for them and sends none",
    "a provider's own rate: a sandbox's mailbox stands in for it",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that was measured; what was left out is empty or None."""

    fanout: Fanout | None = None
    rounds: Sequence[Round] = ()
    linearity: Linearity | None = None
    soak: Soak | None = None
    ending: Ending | None = None
    # How often points published everything again, because a consumer had fallen behind the broker.
    replays: int = 0
    seconds: float = 0.0

    def after(self, *, seconds: float) -> Self:
        """The run with its length."""
        return replace(self, seconds=seconds)

    @property
    def sound(self) -> list[Round]:
        """The rounds whose gates held."""
        return [taken for taken in self.rounds if not taken.faults]

    @property
    def faults(self) -> list[str]:
        """Every gate that failed."""
        found = [fault for taken in self.rounds for fault in taken.faults]
        for part in (self.fanout, self.linearity, self.soak, self.ending):
            found += part.faults if part else []
        if self.ending:
            for sweep in (self.ending.few, self.ending.beside, self.ending.many):
                found += sweep.faults
        return found


Read: TypeAlias = Callable[[Run], Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A ratio, and how it is read off a run: one value a round, or one in all."""

    name: str
    words: str
    bound: float
    at_least: bool
    read: Read

    def reached(self, value: float) -> bool:
        """Whether it is."""
        return value >= self.bound if self.at_least else value <= self.bound


def _least(name: str, words: str, bound: float, read: Read) -> Goal:
    return Goal(name=name, words=words, bound=bound, at_least=True, read=read)


def _most(name: str, words: str, bound: float, read: Read) -> Goal:
    return Goal(name=name, words=words, bound=bound, at_least=False, read=read)


def _rate(measure: Measure) -> float:
    return measure.rate


def _p99(measure: Measure) -> float:
    return measure.p99_ms


def _each(name: str, below: str, *, value: Callable[[Measure], float]) -> Read:
    """A ratio of two measures of one round."""
    return lambda run: [
        over(value(taken.measures[name]), value(taken.measures[below]))
        for taken in run.sound
        if name in taken.measures
    ]


def _lag(name: str) -> Read:
    """How late events left, in the rounds whose events were not published again."""
    return lambda run: [taken.measures[name].lag_p99_s for taken in run.sound if not taken.replays]


def _unloaded(run: Run) -> Sequence[float]:
    return [
        over(
            taken.measures[SINGLE].p50_ms,
            taken.echo_ms + taken.measures["pgbench_1"].p50_ms,
        )
        for taken in run.sound
    ]


def _idle(run: Run) -> Sequence[float]:
    return [over(taken.idle_ms["with"], taken.idle_ms["without"]) for taken in run.sound]


def _linearity(name: str) -> Read:
    """The rate at many accounts over that at few, turn by turn."""

    def ratios(run: Run) -> Sequence[float]:
        if run.linearity is None or run.linearity.faults:
            return []
        return [over(turn.many[name].rate, turn.few[name].rate) for turn in run.linearity.turns]

    return ratios


def _fanout(value: Callable[[Fanout], Sequence[float]]) -> Read:
    return lambda run: value(run.fanout) if run.fanout and not run.fanout.faults else []


def _per_member(queued: Enqueue) -> float:
    return statistics.median(queued.seconds) / queued.members


def _enqueue(sent: Fanout) -> Sequence[float]:
    pairs = zip(sent.many.seconds, sent.many.set_based_seconds, strict=True)
    return [over(ours, theirs) for ours, theirs in pairs]


def _enqueue_seconds(sent: Fanout) -> Sequence[float]:
    return [seconds * SENT_TO / sent.many.members for seconds in sent.many.seconds]


def _ending(value: Callable[[Ending], float]) -> Read:
    """Of the end of points, where all of its gates held."""

    def read(run: Run) -> Sequence[float]:
        ended = run.ending
        if ended is None:
            return []
        parts = (ended, ended.few, ended.beside, ended.many)
        return [] if any(part.faults for part in parts) else [value(ended)]

    return read


def _relay(run: Run) -> Sequence[float]:
    rates = [taken.measures[ACCUMULATE].rate for taken in run.sound]
    told = _ending(lambda ended: ended.relay_rate)(run)
    return [over(rate, statistics.median(rates)) for rate in told] if rates else []


def _soak(value: Callable[[Soak], float]) -> Read:
    return lambda run: [value(run.soak)] if run.soak and not run.soak.faults else []


GOALS: Final = (
    _least("P1", "accumulate / pgbench 8", 0.5, _each(ACCUMULATE, "pgbench_8", value=_rate)),
    _least("P2", "at 1 ms a flush / pgbench 64", 0.5, _each(SLOW, "pgbench_slow", value=_rate)),
    _most("P3", "p99 / p99 of pgbench 64", 2.0, _each(ACCUMULATE, "pgbench_64", value=_p99)),
    _most("P4", "alone p50 / gRPC echo + pgbench 1", 5.0, _unloaded),
    _least("P5", "hot account / many", 0.9, _each(HOT, ACCUMULATE, value=_rate)),
    _most("P5b", "p99 of the same", 1.5, _each(HOT, ACCUMULATE, value=_p99)),
    _least("P9", "read / accumulate", 1.3, _each(READ, ACCUMULATE, value=_rate)),
    _most("P9b", "p99 of the same", 1.0, _each(READ, ACCUMULATE, value=_p99)),
    _least(
        "P10", "take + use pairs / pgbench pairs", 0.3, _each(PAIRS, "pgbench_pairs", value=_rate)
    ),
    _most(
        "P11",
        "expiry / one set-based statement",
        1.0,
        _ending(lambda ended: over(ended.many.seconds, ended.many.set_based_seconds)),
    ),
    _least(
        "P11b",
        "earns beside an expiry / alone",
        0.6,
        _ending(lambda ended: over(ended.beside.together.rate, ended.beside.alone.rate)),
    ),
    _most(
        "P11c",
        "p99 of the same",
        3.0,
        _ending(lambda ended: over(ended.beside.together.p99_ms, ended.beside.alone.p99_ms)),
    ),
    _most("P12", "queue a send / INSERT … SELECT", 3.0, _fanout(_enqueue)),
    _most("P12b", "seconds to queue 100,000", 1.0, _fanout(_enqueue_seconds)),
    _most(
        "P12c",
        "seconds until 100,000 are out and told",
        30.0,
        _fanout(lambda sent: [over(SENT_TO, sent.sent_rate)]),
    ),
    _least("P13", "earns at many accounts / at few", 0.9, _linearity(ACCUMULATE)),
    _least("P13b", "reads at many accounts / at few", 0.9, _linearity(READ)),
    _most(
        "P13c",
        "expiry of one, of many / of few",
        1.1,
        _ending(
            lambda ended: over(
                ended.many.seconds / ended.many.accounts, ended.few.seconds / ended.few.accounts
            )
        ),
    ),
    _most(
        "P13d",
        "queueing one, of many / of few",
        1.1,
        _fanout(lambda sent: [over(_per_member(sent.many), _per_member(sent.few))]),
    ),
    _most("P14", "idle p50 with / without the queue", 1.15, _idle),
    _least("P16", "relay / accumulate", 2.0, _relay),
    _most("P16b", "relay's lag at full speed, p99 in s", 1.0, _lag(ACCUMULATE)),
    _most("P16c", "relay's lag at half of it, p99 in s", 1.0, _lag(HALF)),
    _least(
        "P17",
        "soak: last rate / first",
        0.9,
        _soak(lambda soak: over(soak.last.rate, soak.first.rate)),
    ),
    _least("P17b", "soak: HOT updates / all of accounts", 0.95, _soak(lambda soak: soak.hot_share)),
    _most("P17c", "soak: accounts' table after / before", 1.2, _soak(lambda soak: soak.growth)),
)
