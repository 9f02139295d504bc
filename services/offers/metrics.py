"""Every metric of the offers service."""

from __future__ import annotations

from prometheus_client import Counter

from services.chassis.metrics import REGISTRY

OFFER_CHANGES = Counter(
    "loyalty_offer_changes_total",
    "Offers created, updated and deleted.",
    ["change"],
    registry=REGISTRY,
)
