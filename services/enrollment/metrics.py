"""Every metric of enrollment."""

from __future__ import annotations

from prometheus_client import Counter

from services.chassis.metrics import REGISTRY

MEMBERS_ENROLLED_TOTAL = Counter(
    "loyalty_members_enrolled_total",
    "Enrolments, by the door by which the member came and outcome: created, known",
    ["source", "outcome"],
    registry=REGISTRY,
)
CODES_REQUESTED_TOTAL = Counter(
    "loyalty_codes_requested_total",
    "One-time codes that were asked for, by channel and outcome: accepted, limited",
    ["channel", "outcome"],
    registry=REGISTRY,
)
CODES_CHECKED_TOTAL = Counter(
    "loyalty_codes_checked_total",
    "One-time codes that were tried, by outcome: right, wrong",
    ["outcome"],
    registry=REGISTRY,
)
STAFF_SIGN_INS_TOTAL = Counter(
    "loyalty_staff_sign_ins_total",
    "Attempts to sign in as staff, by outcome: right, wrong, limited",
    ["outcome"],
    registry=REGISTRY,
)
REVOCATIONS_UNHEARD_TOTAL = Counter(
    "loyalty_revocations_unheard_total",
    "Ended tokens that could not be announced; caches keep them for some seconds more",
    registry=REGISTRY,
)
