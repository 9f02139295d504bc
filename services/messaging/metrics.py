"""Every metric of the messaging service."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from services.chassis.metrics import REGISTRY

DELIVERIES = Counter(
    "loyalty_deliveries_total",
    "Deliveries that came to an end, by kind, channel and state",
    ["kind", "channel", "state"],
    registry=REGISTRY,
)
ATTEMPTS = Counter(
    "loyalty_delivery_attempts_total",
    "Messages handed to a provider, by provider and outcome",
    ["provider", "outcome"],
    registry=REGISTRY,
)
DELIVERY_SECONDS = Histogram(
    "loyalty_delivery_seconds",
    "Time from the cause of a message to its acceptance by the provider",
    ["kind"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900),
    registry=REGISTRY,
)
