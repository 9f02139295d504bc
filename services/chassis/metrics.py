"""Every metric that all services share, in a registry of our own.

A service adds its own metrics to the same `REGISTRY`, which `/metrics` shows.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

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
    "Age of the oldest event that waits to be published",
    registry=REGISTRY,
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
