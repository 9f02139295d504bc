"""Examples of programs, accounts, rewards and events for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.gateway.example_ids import (
    ACCOUNT,
    CUSTOMER,
    EVENT,
    KEY,
    LOCATION,
    MEMBER_TIERS,
    PHONE,
    PROGRAM,
    REWARD,
    THEN,
    TIER,
    Example,
)
from services.gateway.promotion_examples import promotion_calls

_DEFINITION = {
    "scope": "ORDER",
    "discount_type": "FIXED_PERCENTAGE",
    "percentage_discount": "10",
}
_TIER_IN = {"name": "10 % de rabais", "points": 10, "definition": _DEFINITION}
_TIER = {
    "id": TIER,
    "points": 10,
    "name": "10 % de rabais",
    "created_at": THEN,
    "definition": _DEFINITION,
    "pricing_rule_reference": {"object_id": TIER, "catalog_version": 1},
}
_REFUNDS = {
    "visit_refund_basis": "REMAINING",
    "debt_rule": "ALLOW_NEGATIVE",
    "reward_on_refund": "RETURN",
}
_PROGRAM = {
    "id": PROGRAM,
    "status": "ACTIVE",
    "name": "Vos points",
    "reward_tiers": [_TIER],
    "terminology": {"one": "point", "other": "points"},
    "location_ids": [LOCATION],
    "accrual_rules": [
        {"accrual_type": "VISIT", "points": 1, "visit_data": {"tax_mode": "BEFORE_TAX"}}
    ],
    "tiers": [],
    "refund_settings": _REFUNDS,
    "cool_down_seconds": 0,
    "created_at": THEN,
    "updated_at": THEN,
    "version": 1,
}
# What an owner saves of the rules, each section by itself or all at once.
_RULES_IN = {
    "accrual_rules": [
        {
            "accrual_type": "SPEND",
            "points": 1,
            "spend_data": {
                "amount_money": {"amount": 1000, "currency": "CAD"},
                "tax_mode": "BEFORE_TAX",
            },
        }
    ],
    "expiration_policy": {"expiration_duration": "P12M"},
    "tiers": [
        {"name": "Bronze", "threshold": 0, "multiplier": "1"},
        {"name": "Argent", "threshold": 500, "multiplier": "1.25"},
    ],
    "refund_settings": {"debt_rule": "CLAMP_ZERO"},
}
_RULED = {
    **_PROGRAM,
    **_RULES_IN,
    "tiers": [
        {"id": MEMBER_TIERS[0], "name": "Bronze", "threshold": 0, "multiplier": "1"},
        {"id": MEMBER_TIERS[1], "name": "Argent", "threshold": 500, "multiplier": "1.25"},
    ],
    "tiers_launched_at": THEN,
    "refund_settings": {**_REFUNDS, "debt_rule": "CLAMP_ZERO"},
    "version": 2,
}
ACCOUNT_SHOWN = {
    "id": ACCOUNT,
    "program_id": PROGRAM,
    "balance": 0,
    "lifetime_points": 0,
    "customer_id": CUSTOMER,
    "created_at": THEN,
    "updated_at": THEN,
    "enrolled_at": THEN,
    "mapping": {"id": ACCOUNT, "created_at": THEN, "phone_number": PHONE},
}
REWARD_SHOWN = {
    "id": REWARD,
    "status": "ISSUED",
    "customer_id": CUSTOMER,
    "name": "10 % de rabais",
    "points": 10,
    "definition": _DEFINITION,
    "created_at": THEN,
    "updated_at": THEN,
    "loyalty_account_id": ACCOUNT,
    "reward_tier_id": TIER,
}
_USED = {**REWARD_SHOWN, "status": "REDEEMED", "redeemed_at": THEN, "location_id": LOCATION}
EVENT_SHOWN = {
    "id": EVENT,
    "created_at": THEN,
    "occurred_at": THEN,
    "loyalty_account_id": ACCOUNT,
    "customer_id": CUSTOMER,
    "source": "LOYALTY_API",
}
_EARNED = {
    **EVENT_SHOWN,
    "type": "ACCUMULATE_POINTS",
    "location_id": LOCATION,
    "accumulate_points": {"loyalty_program_id": PROGRAM, "points": 3},
}
_ADJUSTED = {
    **EVENT_SHOWN,
    "type": "ADJUST_POINTS",
    "adjust_points": {"loyalty_program_id": PROGRAM, "points": -1, "reason": "Erreur"},
}
_REDEEMED = {
    **EVENT_SHOWN,
    "type": "REDEEM_REWARD",
    "location_id": LOCATION,
    "redeem_reward": {"reward_id": REWARD, "loyalty_program_id": PROGRAM},
}

LOYALTY_EXAMPLES: Final[Mapping[str, Example]] = {
    "ListLoyaltyPrograms": Example(None, {"programs": [_PROGRAM]}),
    "RetrieveLoyaltyProgram": Example(None, {"program": _PROGRAM}),
    "CreateLoyaltyProgram": Example(
        {
            "idempotency_key": KEY,
            "program": {
                "name": "Vos points",
                "terminology": {"one": "point", "other": "points"},
                "accrual_rules": [{"accrual_type": "VISIT", "points": 1}],
                "reward_tiers": [_TIER_IN],
            },
        },
        {"program": _PROGRAM},
    ),
    "UpdateLoyaltyProgram": Example(
        {"idempotency_key": KEY, "program": {"points_code": "00001234", **_RULES_IN}},
        {"program": {**_RULED, "points_code": "00001234", "multi_point_code": "918273"}},
    ),
    "CreateRewardTier": Example(
        {"idempotency_key": KEY, "reward_tier": _TIER_IN}, {"reward_tier": _TIER}
    ),
    "UpdateRewardTier": Example({"reward_tier": _TIER_IN}, {"reward_tier": _TIER}),
    "DeleteRewardTier": Example(None, {}),
    **{
        operation: Example(*call)
        for operation, call in promotion_calls(key=KEY, program_id=PROGRAM, then=THEN).items()
    },
    "CreateLoyaltyAccount": Example(
        {
            "idempotency_key": KEY,
            "loyalty_account": {"program_id": PROGRAM, "mapping": {"phone_number": PHONE}},
        },
        {"loyalty_account": ACCOUNT_SHOWN},
    ),
    "SearchLoyaltyAccounts": Example(
        {"query": {"mappings": [{"phone_number": PHONE}]}, "limit": 10},
        {"loyalty_accounts": [ACCOUNT_SHOWN]},
    ),
    "RetrieveLoyaltyAccount": Example(None, {"loyalty_account": ACCOUNT_SHOWN}),
    "AccumulateLoyaltyPoints": Example(
        {
            "idempotency_key": KEY,
            "location_id": LOCATION,
            "accumulate_points": {"points": 3},
        },
        {"events": [_EARNED]},
    ),
    "AdjustLoyaltyPoints": Example(
        {"idempotency_key": KEY, "adjust_points": {"points": -1, "reason": "Erreur"}},
        {"event": _ADJUSTED},
    ),
    "CreateLoyaltyReward": Example(
        {
            "idempotency_key": KEY,
            "reward": {"loyalty_account_id": ACCOUNT, "reward_tier_id": TIER},
        },
        {"reward": REWARD_SHOWN},
    ),
    "SearchLoyaltyRewards": Example(
        {"query": {"loyalty_account_id": ACCOUNT, "status": "ISSUED"}, "limit": 10},
        {"rewards": [REWARD_SHOWN]},
    ),
    "RetrieveLoyaltyReward": Example(None, {"reward": REWARD_SHOWN}),
    "DeleteLoyaltyReward": Example(None, {}),
    "RedeemLoyaltyReward": Example(
        {"idempotency_key": KEY, "location_id": LOCATION}, {"event": _REDEEMED}
    ),
    "RestoreLoyaltyReward": Example({"idempotency_key": KEY}, {"reward": REWARD_SHOWN}),
    "VoidLoyaltyReward": Example(
        {"idempotency_key": KEY, "return_points": True},
        {"reward": {**REWARD_SHOWN, "status": "DELETED"}, "balance": 10},
    ),
    "SearchLoyaltyEvents": Example(
        {
            "query": {
                "filter": {
                    "loyalty_account_filter": {"loyalty_account_id": ACCOUNT},
                    "type_filter": {"types": ["ACCUMULATE_POINTS", "REDEEM_REWARD"]},
                }
            },
            "limit": 30,
        },
        {"events": [_REDEEMED, _EARNED]},
    ),
}
