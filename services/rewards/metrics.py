"""Every metric of rewards."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from services.chassis.metrics import REGISTRY

REWARDS_TAKEN_TOTAL = Counter(
    "loyalty_rewards_taken_total",
    "Takes of rewards, by outcome: issued, refused, unknown (finished later)",
    ["outcome"],
    registry=REGISTRY,
)
COUPONS_TAKEN_TOTAL = Counter(
    "loyalty_coupons_taken_total", "Offers put into wallets as coupons", registry=REGISTRY
)
REWARDS_USED_TOTAL = Counter(
    "loyalty_rewards_used_total",
    "Uses of rewards and coupons, by outcome: used, refused",
    ["outcome"],
    registry=REGISTRY,
)
REWARDS_RESTORED_TOTAL = Counter(
    "loyalty_rewards_restored_total", "Used rewards given back by staff", registry=REGISTRY
)
REWARDS_VOIDED_TOTAL = Counter(
    "loyalty_rewards_voided_total",
    "Voided rewards and coupons, by what became of the points: returned, kept",
    ["points"],
    registry=REGISTRY,
)
REWARDS_ON_SALES_TOTAL = Counter(
    "loyalty_rewards_on_sales_total",
    "Rewards and sales, by what happened: applied, refused, removed, used, returned",
    ["act"],
    registry=REGISTRY,
)
COUPONS_EXPIRED_TOTAL = Counter(
    "loyalty_coupons_expired_total", "Coupons that reached their end unused", registry=REGISTRY
)
SETTLEMENTS_OPEN = Gauge(
    "loyalty_settlements_open",
    "Rewards whose points do not agree with them yet",
    registry=REGISTRY,
)
SETTLEMENTS_OLDEST_SECONDS = Gauge(
    "loyalty_settlements_oldest_seconds",
    "Age of the oldest reward whose points do not agree with it yet",
    registry=REGISTRY,
)
SETTLEMENTS_TOTAL = Counter(
    "loyalty_settlements_total",
    "Attempts to bring points and reward to agree after the first one failed, by outcome: "
    "settled, refused, unknown",
    ["kind", "outcome"],
    registry=REGISTRY,
)
COUNTDOWN_FAILURES_TOTAL = Counter(
    "loyalty_countdown_failures_total",
    "Countdowns that Redis did not take, by operation: show, end",
    ["operation"],
    registry=REGISTRY,
)
