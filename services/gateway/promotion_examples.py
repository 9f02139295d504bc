"""Examples of promotions for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PROMOTION: Final = "d3e4f5a6-b7c8-4d9e-8f0a-1b2c3d4e5fd1"

_TUESDAYS: Final = (
    "BEGIN:VEVENT\nDTSTART:20261201T090000\nDURATION:PT3H\n"
    "RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20261231T235959\nEND:VEVENT"
)
_PROMOTION_IN: Final[Mapping[str, Any]] = {
    "name": "Mardis doux",
    "incentive": {
        "type": "POINTS_MULTIPLIER",
        "points_multiplier_data": {"multiplier": "1.5"},
    },
    "available_time": {"time_periods": [_TUESDAYS]},
    "trigger_limit": {"times": 1, "interval": "DAY"},
    "minimum_spend_amount_money": {"amount": 2000, "currency": "CAD"},
}


def promotion_calls(
    *, key: str, program_id: str, then: str
) -> Mapping[str, tuple[Mapping[str, Any] | None, Mapping[str, Any]]]:
    """Each operation with what a caller sends, None where there is no body, and what comes back."""
    promotion = {
        **_PROMOTION_IN,
        "id": PROMOTION,
        "status": "SCHEDULED",
        "available_time": {
            "start_date": "2026-12-01",
            "end_date": "2026-12-29",
            "time_periods": [_TUESDAYS],
        },
        "created_at": then,
        "updated_at": then,
        "loyalty_program_id": program_id,
    }
    canceled = {**promotion, "status": "CANCELED", "canceled_at": then}
    return {
        "CreateLoyaltyPromotion": (
            {"idempotency_key": key, "loyalty_promotion": _PROMOTION_IN},
            {"loyalty_promotion": promotion},
        ),
        "ListLoyaltyPromotions": (None, {"loyalty_promotions": [promotion]}),
        "RetrieveLoyaltyPromotion": (None, {"loyalty_promotion": promotion}),
        "CancelLoyaltyPromotion": (None, {"loyalty_promotion": canceled}),
    }
