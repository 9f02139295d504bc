"""Every metric of the gateway."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

from services.chassis.metrics import REGISTRY

HTTP_REQUEST_SECONDS = Histogram(
    "loyalty_http_request_seconds",
    "Time that a request took, by method, route template and status class",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)


@lru_cache(maxsize=4096)
def request_seconds(method: str, route: str, status_class: int) -> Histogram:
    """The series of requests of this kind; `status_class` is 2 for 200 to 299."""
    return HTTP_REQUEST_SECONDS.labels(method, route, f"{status_class}xx")


HTTP_REFUSALS_TOTAL = Counter(
    "loyalty_http_refusals_total", "Refused requests, by public code", ["code"], registry=REGISTRY
)
HTTP_IN_FLIGHT = Gauge(
    "loyalty_http_requests_in_flight", "Requests being answered now", registry=REGISTRY
)
LIVE_SCREENS = Gauge(
    "loyalty_live_screens", "Open streams of live news in this process", registry=REGISTRY
)
