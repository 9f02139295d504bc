"""Every metric of the gateway."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from services.chassis.metrics import REGISTRY

HTTP_REQUEST_SECONDS = Histogram(
    "loyalty_http_request_seconds",
    "Time that a request took, by method, route template and status class",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
HTTP_REFUSALS_TOTAL = Counter(
    "loyalty_http_refusals_total", "Refused requests, by public code", ["code"], registry=REGISTRY
)
HTTP_IN_FLIGHT = Gauge(
    "loyalty_http_requests_in_flight", "Requests being answered now", registry=REGISTRY
)
LIVE_SCREENS = Gauge(
    "loyalty_live_screens", "Open streams of live news in this process", registry=REGISTRY
)
