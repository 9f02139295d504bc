"""One example of a request and its answer for every call of the API, for the OpenAPI document.

The ids are made up; the requests are such that a chain with these ids would accept them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from services.gateway.promotion_examples import promotion_calls

KEY = "0d7a4f34-6a52-4f0b-9d2e-1b0c8f7a6e55"
PROGRAM = "5f0c8f3e-6a0e-4b51-9a57-0d8c0c5f1a10"
TIER = "8f6b7c1a-2f6d-4d0e-8b3b-6f6c2f1f2a20"
MEMBER_TIERS = ("0a1b2c3d-4e5f-4a6b-9c7d-8e9f0a1b2ce1", "0a1b2c3d-4e5f-4a6b-9c7d-8e9f0a1b2ce2")
ACCOUNT = "c0a8012e-7d4b-5c55-8b35-3d1d1f9a4b30"
CUSTOMER = "2b1d6f0c-9e53-4b8e-a6a4-7b0f6d5c3c40"
REWARD = "7e1f4a9d-5b7c-4f62-9c0a-4a8b2d6e5d50"
LOCATION = "a4d5f6b7-1c2d-4e3f-8a9b-0c1d2e3f4e60"
OFFER = "3c4d5e6f-7a8b-4c9d-8e1f-2a3b4c5d6f70"
EVENT = "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c80"
DEVICE = "6d7e8f9a-0b1c-4d2e-9f3a-4b5c6d7e8f90"
STAFF = "1f2e3d4c-5b6a-4978-8695-a4b3c2d1e0a1"
API_KEY = "4b5a6978-8796-4a5b-8c4d-3e2f1a0b9cb2"
CHAIN = "e1d2c3b4-a596-4788-9a7b-6c5d4e3f2ac3"
PHONE = "+15145550142"
THEN = "2026-11-21T15:04:05.678Z"


class Example(NamedTuple):
    """What a caller sends, and what comes back; `request` is None where there is no body."""

    request: Mapping[str, Any] | None
    answer: Mapping[str, Any]


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
_ACCOUNT = {
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
_REWARD = {
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
_USED = {**_REWARD, "status": "REDEEMED", "redeemed_at": THEN, "location_id": LOCATION}
_EVENT = {
    "id": EVENT,
    "created_at": THEN,
    "loyalty_account_id": ACCOUNT,
    "customer_id": CUSTOMER,
    "source": "LOYALTY_API",
}
_EARNED = {
    **_EVENT,
    "type": "ACCUMULATE_POINTS",
    "location_id": LOCATION,
    "accumulate_points": {"loyalty_program_id": PROGRAM, "points": 3},
}
_ADJUSTED = {
    **_EVENT,
    "type": "ADJUST_POINTS",
    "adjust_points": {"loyalty_program_id": PROGRAM, "points": -1, "reason": "Erreur"},
}
_REDEEMED = {
    **_EVENT,
    "type": "REDEEM_REWARD",
    "location_id": LOCATION,
    "redeem_reward": {"reward_id": REWARD, "loyalty_program_id": PROGRAM},
}
_LOCATION = {
    "id": LOCATION,
    "name": "Salon Léonie Plateau",
    "timezone": "America/Toronto",
    "status": "ACTIVE",
    "created_at": THEN,
    "merchant_id": CHAIN,
    "language_code": "fr-CA",
    "currency": "CAD",
    "country": "CA",
    "type": "PHYSICAL",
    "business_name": "Salon Léonie",
    "address": {"address_line_1": "4321, avenue du Mont-Royal Est"},
    "phone_number": "+15145550100",
}
_MERCHANT = {
    "id": CHAIN,
    "business_name": "Salon Léonie",
    "country": "CA",
    "language_code": "fr-CA",
    "currency": "CAD",
    "status": "ACTIVE",
    "main_location_id": LOCATION,
    "created_at": THEN,
    "plan": "PRO",
    "slug": "salon-leonie",
    "timezone": "America/Toronto",
    "sandbox": True,
}
_CUSTOMER_IN = {
    "given_name": "Alice",
    "family_name": "Tremblay",
    "phone_number": PHONE,
    "birthday": "1990-05-17",
    "language_code": "fr",
}
_CUSTOMER = {
    **_CUSTOMER_IN,
    "id": CUSTOMER,
    "created_at": THEN,
    "updated_at": THEN,
    "creation_source": "DIRECTORY",
    "version": 1,
}
_OFFER_IN = {
    "title": "Soin offert",
    "description": "Un soin hydratant avec toute coupe.",
    "start_date": "2026-12-01",
    "end_date": "2026-12-31",
    "coupon_expiry_date": "2027-01-31",
}
_OFFER = {
    **_OFFER_IN,
    "id": OFFER,
    "type": "INSTANT",
    "exclusion": "",
    "shown_in_app": True,
    "visible_now": False,
    "created_at": THEN,
    "updated_at": THEN,
    "version": 1,
}
_DEVICE = {
    "id": DEVICE,
    "name": "Comptoir",
    "attributes": {"type": "TABLET", "manufacturer": "", "name": "Comptoir"},
    "status": {"category": "AVAILABLE"},
    "location_id": LOCATION,
    "program_id": PROGRAM,
    "tablet_url": "https://meche.example/t/mt_…",
    "created_at": THEN,
}
_STAFF = {
    "id": STAFF,
    "email": "bob@example.com",
    "name": "Bob",
    "role": "MANAGER",
    "status": "ACTIVE",
    "language_code": "fr",
    "created_at": THEN,
}
_API_KEY = {
    "id": API_KEY,
    "name": "Caisse 1",
    "hint": "mk_test_Wy7DThvTeY",
    "scopes": ["LOYALTY_READ", "LOYALTY_WRITE"],
    "location_ids": [],
    "created_at": THEN,
}
_CHAIN = {
    "id": CHAIN,
    "slug": "salon-leonie",
    "name": "Salon Léonie",
    "plan": "PRO",
    "sandbox": True,
    "home_time_zone": "America/Toronto",
    "currency": "CAD",
    "language_code": "fr",
    "created_at": THEN,
}
_NEW_CHAIN = {
    "base_url": "https://meche.example",
    "chain_id": CHAIN,
    "chain_slug": "salon-leonie",
    "name": "Salon Léonie",
    "plan": "PRO",
    "sandbox": True,
    "home_time_zone": "America/Toronto",
    "currency": "CAD",
    "api_key": "mk_test_…",
    "program_id": PROGRAM,
    "location_ids": [LOCATION],
    "owner": {"id": STAFF, "email": "leonie@example.com", "password": "…"},
    "member_url": "https://meche.example/m/salon-leonie",
    "tablet_url": "https://meche.example/t/mt_…",
    "points_code": "482",
    "multi_point_code": "918273",
    "text_to_join": {"number": "+15145550100"},
}
_MESSAGE = {
    "id": EVENT,
    "channel": "SMS",
    "kind": "WELCOME",
    "created_at": THEN,
}

EXAMPLES: Final[Mapping[str, Example]] = {
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
        {"loyalty_account": _ACCOUNT},
    ),
    "SearchLoyaltyAccounts": Example(
        {"query": {"mappings": [{"phone_number": PHONE}]}, "limit": 10},
        {"loyalty_accounts": [_ACCOUNT]},
    ),
    "RetrieveLoyaltyAccount": Example(None, {"loyalty_account": _ACCOUNT}),
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
        {"reward": _REWARD},
    ),
    "SearchLoyaltyRewards": Example(
        {"query": {"loyalty_account_id": ACCOUNT, "status": "ISSUED"}, "limit": 10},
        {"rewards": [_REWARD]},
    ),
    "RetrieveLoyaltyReward": Example(None, {"reward": _REWARD}),
    "DeleteLoyaltyReward": Example(None, {}),
    "RedeemLoyaltyReward": Example(
        {"idempotency_key": KEY, "location_id": LOCATION}, {"event": _REDEEMED}
    ),
    "RestoreLoyaltyReward": Example({"idempotency_key": KEY}, {"reward": _REWARD}),
    "VoidLoyaltyReward": Example(
        {"idempotency_key": KEY, "return_points": True},
        {"reward": {**_REWARD, "status": "DELETED"}, "balance": 10},
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
    "ListOffers": Example(None, {"offers": [_OFFER]}),
    "CreateOffer": Example({"idempotency_key": KEY, "offer": _OFFER_IN}, {"offer": _OFFER}),
    "RetrieveOffer": Example(None, {"offer": _OFFER}),
    "UpdateOffer": Example(
        {"offer": {"end_date": "2027-01-15", "coupon_expiry_date": None}},
        {"offer": {**_OFFER, "end_date": "2027-01-15"}},
    ),
    "DeleteOffer": Example(None, {"offer": _OFFER}),
    "ListLocations": Example(None, {"locations": [_LOCATION]}),
    "RetrieveLocation": Example(None, {"location": _LOCATION}),
    "CreateLocation": Example(
        {"idempotency_key": KEY, "location": {"name": "Salon Léonie Plateau"}},
        {"location": _LOCATION},
    ),
    "UpdateLocation": Example({"location": {"status": "ACTIVE"}}, {"location": _LOCATION}),
    "ListMerchants": Example(None, {"merchant": [_MERCHANT]}),
    "RetrieveMerchant": Example(None, {"merchant": _MERCHANT}),
    "CreateCustomer": Example({"idempotency_key": KEY, **_CUSTOMER_IN}, {"customer": _CUSTOMER}),
    "ListCustomers": Example(None, {"customers": [_CUSTOMER]}),
    "SearchCustomers": Example(
        {"query": {"filter": {"text": {"fuzzy": "tremb"}}}, "limit": 20, "count": True},
        {"customers": [_CUSTOMER], "count": 1},
    ),
    "RetrieveCustomer": Example(None, {"customer": _CUSTOMER}),
    "UpdateCustomer": Example(
        {"note": "aime le thé"}, {"customer": {**_CUSTOMER, "note": "aime le thé"}}
    ),
    "DeleteCustomer": Example(None, {"customer": _CUSTOMER}),
    "ListMessages": Example(
        None,
        {
            "messages": [
                {
                    **_MESSAGE,
                    "customer_id": CUSTOMER,
                    "status": "SENT",
                    "attempts": 1,
                    "updated_at": THEN,
                }
            ]
        },
    ),
    "ListDevices": Example(None, {"devices": [_DEVICE]}),
    "CreateDevice": Example(
        {"idempotency_key": KEY, "device": {"name": "Comptoir", "location_id": LOCATION}},
        {"device": _DEVICE},
    ),
    "RotateDevice": Example(None, {"device": _DEVICE}),
    "RevokeDevice": Example(None, {}),
    "ListStaff": Example(None, {"staff": [_STAFF]}),
    "CreateStaff": Example(
        {
            "idempotency_key": KEY,
            "staff": {
                "email": "bob@example.com",
                "name": "Bob",
                "password": "un-long-mot-de-passe",
                "role": "MANAGER",
            },
        },
        {"staff": _STAFF},
    ),
    "SetStaffStatus": Example({"active": False}, {"staff": {**_STAFF, "status": "INACTIVE"}}),
    "ListApiKeys": Example(None, {"api_keys": [_API_KEY]}),
    "CreateApiKey": Example(
        {
            "idempotency_key": KEY,
            "api_key": {"name": "Caisse 1", "scopes": ["LOYALTY_READ", "LOYALTY_WRITE"]},
        },
        {"api_key": _API_KEY, "token": "mk_test_…"},
    ),
    "RevokeApiKey": Example(None, {}),
    "RetrieveSandboxClock": Example(None, {"now": THEN}),
    "MoveSandboxClock": Example(
        {"now": "2027-01-31T23:59:00-05:00"}, {"now": "2027-02-01T04:59:00.012Z"}
    ),
    "ListSandboxMessages": Example(
        None,
        {
            "messages": [
                {
                    **_MESSAGE,
                    "to": PHONE,
                    "subject": "",
                    "body": "Bienvenue chez Salon Léonie!",
                }
            ]
        },
    ),
    "ReceiveSandboxSms": Example(
        {"from": PHONE, "to": "+15145550100", "body": "ARRET"}, {"keyword": "stop"}
    ),
    "CreateChain": Example(
        {
            "idempotency_key": KEY,
            "name": "Salon Léonie",
            "sandbox": True,
            "plan": "PRO",
            "owner": {"email": "leonie@example.com", "name": "Léonie"},
            "salon": {"name": "Salon Léonie Plateau"},
        },
        _NEW_CHAIN,
    ),
    "ListChains": Example(None, {"chains": [_CHAIN]}),
    "RetrieveChain": Example(None, {"chain": _CHAIN}),
    "SetChainPlan": Example({"plan": "PRO"}, {"chain": _CHAIN}),
}
