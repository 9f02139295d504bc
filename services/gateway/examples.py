"""One example of a request and its answer for every call of the API, for the OpenAPI document.

The ids are made up; the requests are such that a chain with these ids would accept them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.gateway.example_ids import (
    API_KEY,
    CHAIN,
    CUSTOMER,
    DEVICE,
    EVENT,
    KEY,
    LOCATION,
    PHONE,
    PROGRAM,
    STAFF,
    THEN,
    Example,
)
from services.gateway.loyalty_examples import LOYALTY_EXAMPLES
from services.gateway.sale_examples import SALE_EXAMPLES
from services.gateway.telling_examples import OFFER_IN, OFFER_SHAPE, TELLING_EXAMPLES

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
    "address": {"address_line_1": "12, rue Principale, Montréal QC H2X 1Y4"},
    "phone_number": "+15145550100",
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
    **LOYALTY_EXAMPLES,
    **SALE_EXAMPLES,
    **TELLING_EXAMPLES,
    "ListOffers": Example(None, {"offers": [OFFER_SHAPE]}),
    "CreateOffer": Example({"idempotency_key": KEY, "offer": OFFER_IN}, {"offer": OFFER_SHAPE}),
    "RetrieveOffer": Example(None, {"offer": OFFER_SHAPE}),
    "UpdateOffer": Example(
        {"offer": {"end_date": "2027-01-15", "coupon_expiry_date": None}},
        {"offer": {**OFFER_SHAPE, "end_date": "2027-01-15"}},
    ),
    "DeleteOffer": Example(None, {"offer": OFFER_SHAPE}),
    "ListLocations": Example(None, {"locations": [_LOCATION]}),
    "RetrieveLocation": Example(None, {"location": _LOCATION}),
    "CreateLocation": Example(
        {"idempotency_key": KEY, "location": {"name": "Salon Léonie Plateau"}},
        {"location": _LOCATION},
    ),
    "UpdateLocation": Example({"location": {"status": "ACTIVE"}}, {"location": _LOCATION}),
    "ListMerchants": Example(None, {"merchant": [_MERCHANT]}),
    "RetrieveMerchant": Example(None, {"merchant": _MERCHANT}),
    "UpdateMerchant": Example(
        {"merchant": {name: _MERCHANT[name] for name in ("address", "phone_number")}},
        {"merchant": _MERCHANT},
    ),
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
