"""Every metric of points, beside those that all services share. No label names a member."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from services.chassis.metrics import REGISTRY

POINTS_EARNED_TOTAL = Counter(
    "loyalty_points_earned_total",
    "Points that members earned, by source: SCAN, MULTI_POINT_SCAN, MANUAL_CODE, TABLET, TILL",
    ["source"],
    registry=REGISTRY,
)
POINTS_DEBITED_TOTAL = Counter(
    "loyalty_points_debited_total", "Points that left for rewards", registry=REGISTRY
)
POINTS_RETURNED_TOTAL = Counter(
    "loyalty_points_returned_total", "Points of rewards that came back", registry=REGISTRY
)
POINTS_ADJUSTED_TOTAL = Counter(
    "loyalty_points_adjusted_total",
    "Points adjusted by hand, by direction: added, removed",
    ["direction"],
    registry=REGISTRY,
)
POINTS_EXPIRED_TOTAL = Counter(
    "loyalty_points_expired_total",
    "Points that ended with their lots, posted by the sweep; what a write posts first is not in it",
    registry=REGISTRY,
)
SALES_COUNTED_TOTAL = Counter(
    "loyalty_sales_counted_total", "Sales that were counted for an account", registry=REGISTRY
)
SALES_CHANGED_TOTAL = Counter(
    "loyalty_sales_changed_total",
    "Refunds and exchanges that were carried out, by kind: full, items, amount, exchange",
    ["kind"],
    registry=REGISTRY,
)
EARNS_TOTAL = Counter(
    "loyalty_earns_total",
    "Earns by outcome: counted, replayed, already_counted, refused, failed",
    ["outcome"],
    registry=REGISTRY,
)
EARN_REFUSALS_TOTAL = Counter(
    "loyalty_earn_refusals_total", "Refused earns by refusal code", ["reason"], registry=REGISTRY
)
CODE_FAILURES_TOTAL = Counter(
    "loyalty_code_failures_total",
    "Wrong codes, by kind: points, multi_point",
    ["kind"],
    registry=REGISTRY,
)
CODE_FAILURE_CEILINGS_TOTAL = Counter(
    "loyalty_code_failure_ceilings_total",
    "Hours in which a chain's wrong codes passed the ceiling that asks for a look",
    registry=REGISTRY,
)
SWEEP_SECONDS = Gauge(
    "loyalty_sweep_seconds",
    "Time that the last sweep took, by what fell due: expiry, tiers",
    ["kind"],
    registry=REGISTRY,
)
SWEEP_ENDED_TIMESTAMP_SECONDS = Gauge(
    "loyalty_sweep_ended_timestamp_seconds",
    "When a sweep last did all that was due, or this process began to sweep, in Unix time",
    ["kind"],
    registry=REGISTRY,
)
SWEEP_OLDEST_DUE_SECONDS = Gauge(
    "loyalty_sweep_oldest_due_seconds",
    "How long the oldest of what is due by real time has waited, after the last sweep",
    ["kind"],
    registry=REGISTRY,
)
EXPIRY_WARNINGS_MISSED = Gauge(
    "loyalty_expiry_warnings_missed",
    "Accounts that were not told in time that points end, noticed within the last two days",
    registry=REGISTRY,
)
LEDGER_IMBALANCE = Gauge(
    "loyalty_ledger_imbalance",
    "Rows that the last ledger check found at fault; 0 is the only good value",
    registry=REGISTRY,
)
LEDGER_CHECK_SECONDS = Gauge(
    "loyalty_ledger_check_seconds", "Time that the last ledger check took", registry=REGISTRY
)
