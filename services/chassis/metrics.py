"""Every metric that all services share, in a registry of our own.

A service adds its own metrics to the same `REGISTRY`, which `/metrics` shows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry()


class HistogramOfMany(Collector):
    """A histogram that counts any number of equal values at the price of one; without labels."""

    def __init__(self, name: str, words: str, *, buckets: Sequence[float]) -> None:
        self._name = name
        self._words = words
        self._bounds = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0
        REGISTRY.register(self)

    def observe(self, value: float, *, count: int) -> None:
        """Count a value so many times."""
        self._counts[bisect_left(self._bounds, value)] += count
        self._sum += value * count

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What a scrape shows."""
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        counts = [float(count) for count in accumulate(self._counts)]
        yield HistogramMetricFamily(
            self._name,
            self._words,
            buckets=list(zip(bounds, counts, strict=True)),
            sum_value=self._sum,
        )


RPC_HANDLED_SECONDS = Histogram(
    "loyalty_rpc_handled_seconds",
    "Time that a gRPC method took, by method and outcome (a gRPC status)",
    ["method", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
PEER_CALLS_TOTAL = Counter(
    "loyalty_peer_calls_total",
    "Calls to other services, by method and outcome",
    ["method", "outcome"],
    registry=REGISTRY,
)
OUTBOX_UNPUBLISHED = Gauge(
    "loyalty_outbox_unpublished",
    "Events written but not yet published, counted up to 100,000",
    registry=REGISTRY,
)
OUTBOX_OLDEST_UNPUBLISHED_SECONDS = Gauge(
    "loyalty_outbox_oldest_unpublished_seconds",
    "How long the first of the events that wait to be published has waited",
    registry=REGISTRY,
)
OUTBOX_LAG_SECONDS = HistogramOfMany(
    "loyalty_outbox_lag_seconds",
    "Time from the begin of the transaction that wrote an event until the broker had it, but for "
    "replays",
    buckets=(
        *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2),
        *(5, 10, 30, 60, 300),
    ),
)
OUTBOX_PUBLISHED_TOTAL = Counter(
    "loyalty_outbox_published_total", "Events published", ["topic"], registry=REGISTRY
)
OUTBOX_REPLAYS_TOTAL = Counter(
    "loyalty_outbox_replays_total", "Replays that consumers asked for", registry=REGISTRY
)
CONSUMER_LAG = Gauge(
    "loyalty_consumer_lag",
    "Events on the topic that the group has not read yet",
    ["group", "topic"],
    registry=REGISTRY,
)
CONSUMER_EVENTS_TOTAL = Counter(
    "loyalty_consumer_events_total",
    "Events read, by outcome: applied, known, ignored, dead",
    ["group", "outcome"],
    registry=REGISTRY,
)
CONSUMER_GAP_TOTAL = Counter(
    "loyalty_consumer_gap_total",
    "Times that events were missing and a replay was asked for",
    ["group"],
    registry=REGISTRY,
)
DEAD_LETTERS_TOTAL = Counter(
    "loyalty_dead_letters_total",
    "Events that can never be applied",
    ["group"],
    registry=REGISTRY,
)
JOBS_TOTAL = Counter(
    "loyalty_jobs_total",
    "Timed work, by outcome: done, retried, failed",
    ["kind", "outcome"],
    registry=REGISTRY,
)
LIMITS_UNAVAILABLE_TOTAL = Counter(
    "loyalty_limits_unavailable_total",
    "Rate limits decided without Redis, by what was decided: open, closed",
    ["decision"],
    registry=REGISTRY,
)
POSTGRES_POOL_CONNECTIONS = Gauge(
    "loyalty_postgres_pool_connections",
    "Connections of the pool, by state: idle, busy",
    ["state"],
    registry=REGISTRY,
)
EVENT_LOOP_LAG_SECONDS = Gauge(
    "loyalty_event_loop_lag_seconds",
    "How late the process's event loop came back from its last short sleep",
    registry=REGISTRY,
)
GATHERED_ITEMS = Histogram(
    "loyalty_gathered_items",
    "Items that were done in one call or transaction, by queue",
    ["queue"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
    registry=REGISTRY,
)
GATHERING_ITEMS = Gauge(
    "loyalty_gathering_items",
    "Items that wait for the next call or transaction, by queue",
    ["queue"],
    registry=REGISTRY,
)
