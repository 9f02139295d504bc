"""What a key may do, told by the official SDK as Square tells it: scopes, salons, versions."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from square.core.api_error import ApiError

from tests.e2e.chains import Chain, fresh_key, fresh_phone, key_with, open_chain
from tests.sdk.members import earn, open_account
from tests.sdk.till import AsyncTill, SyncTill, Till, codes_of, field_of
from tests.stack import Stack

pytestmark = pytest.mark.stack

Kind = type[SyncTill] | type[AsyncTill]
NOTHING = "0d7a4f34-6a52-4f0b-9d2e-1b0c8f7a6e55"
# Every call of the suite that needs a scope, by the one that opens it.
CALLS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "LOYALTY_READ": [
        ("loyalty.programs.list", {}),
        ("loyalty.programs.get", {"program_id": "main"}),
        ("loyalty.programs.calculate", {"program_id": "main", "order_id": NOTHING}),
        ("loyalty.programs.promotions.list", {"program_id": "main"}),
        ("loyalty.programs.promotions.get", {"program_id": "main", "promotion_id": NOTHING}),
        ("loyalty.accounts.get", {"account_id": NOTHING}),
        ("loyalty.accounts.search", {}),
        ("loyalty.rewards.get", {"reward_id": NOTHING}),
        ("loyalty.rewards.search", {}),
        ("loyalty.search_events", {}),
    ],
    "LOYALTY_WRITE": [
        (
            "loyalty.accounts.create",
            {
                "loyalty_account": {"program_id": "main", "mapping": {"phone_number": "+1"}},
                "idempotency_key": "k",
            },
        ),
        (
            "loyalty.accounts.accumulate_points",
            {
                "account_id": NOTHING,
                "accumulate_points": {"points": 1},
                "idempotency_key": "k",
                "location_id": NOTHING,
            },
        ),
        (
            "loyalty.accounts.adjust",
            {
                "account_id": NOTHING,
                "adjust_points": {"points": 1, "reason": "Erreur"},
                "idempotency_key": "k",
            },
        ),
        (
            "loyalty.rewards.create",
            {
                "reward": {"loyalty_account_id": NOTHING, "reward_tier_id": NOTHING},
                "idempotency_key": "k",
            },
        ),
        (
            "loyalty.rewards.redeem",
            {"reward_id": NOTHING, "idempotency_key": "k", "location_id": NOTHING},
        ),
        ("loyalty.rewards.delete", {"reward_id": NOTHING}),
        ("loyalty.programs.promotions.cancel", {"program_id": "main", "promotion_id": NOTHING}),
    ],
    "ORDERS_READ": [("orders.get", {"order_id": NOTHING})],
    "ORDERS_WRITE": [
        (
            "orders.create",
            {"order": {"location_id": NOTHING, "line_items": []}, "idempotency_key": "k"},
        )
    ],
    "ITEMS_READ": [("catalog.list", {})],
    "ITEMS_WRITE": [("catalog.batch_upsert", {"idempotency_key": "k", "batches": []})],
    "CUSTOMERS_READ": [
        ("customers.get", {"customer_id": NOTHING}),
        ("customers.search", {}),
        ("customers.list", {}),
    ],
    "CUSTOMERS_WRITE": [
        ("customers.create", {"given_name": "Alice", "phone_number": "+1"}),
        ("customers.update", {"customer_id": NOTHING, "note": "x"}),
        ("customers.delete", {"customer_id": NOTHING}),
    ],
    "MERCHANT_PROFILE_READ": [("locations.list", {})],
}


async def refusal_of(call: Awaitable[Any]) -> tuple[int, str]:
    """Status and code of a refused call; 200 and nothing for one that was answered."""
    try:
        await call
    except ApiError as refused:
        return int(refused.status_code or 0), codes_of(refused)[0]
    return 200, ""


@pytest.mark.parametrize("scope", CALLS)
async def test_a_key_without_the_scope_is_told_so_and_with_it_goes_through(
    kind: Kind, chain: Chain, scope: str
) -> None:
    """The scope is looked at before anything that the call names."""
    others = sorted(set(CALLS) - {scope})
    without = kind(chain.base_url, await key_with(chain, *others))
    with_it = kind(chain.base_url, await key_with(chain, scope))
    for name, said in CALLS[scope]:
        refused = await refusal_of(without(name, **said))
        assert refused == (403, "INSUFFICIENT_SCOPES"), name
        assert (await refusal_of(with_it(name, **said)))[0] in {200, 400, 404}, name


async def test_a_key_that_nobody_made_is_unauthorized(kind: Kind, chain: Chain) -> None:
    with pytest.raises(ApiError) as refused:
        await kind(chain.base_url, "mk_test_nobody")("loyalty.programs.list")

    assert refused.value.status_code == 401
    assert refused.value.body["errors"][0] == {
        "category": "AUTHENTICATION_ERROR",
        "code": "UNAUTHORIZED",
        "detail": refused.value.body["errors"][0]["detail"],
    }


@pytest.mark.parametrize("version", ["2026-9-16", "2026-02-30", "latest"])
async def test_a_malformed_version_is_refused_by_every_door(
    kind: Kind, chain: Chain, version: str
) -> None:
    till = kind(chain.base_url, chain.api_key, version=version)
    for name in ("loyalty.programs.list", "catalog.list", "customers.list", "locations.list"):
        refused = await refusal_of(till(name))
        assert refused == (400, "INVALID_SQUARE_VERSION_FORMAT"), name


async def test_any_well_formed_version_is_accepted(kind: Kind, chain: Chain) -> None:
    till = kind(chain.base_url, chain.api_key, version="2023-08-16")

    assert (await till("loyalty.programs.list")).programs


async def test_a_key_of_one_salon_speaks_for_no_other(kind: Kind, stack: Stack) -> None:
    """Sales, earns and uses at another salon are not found; what is the chain's is seen."""
    chain = await open_chain(stack, salons=[{"name": "Plateau"}, {"name": "Rosemont"}])
    plateau, rosemont = chain.told["location_ids"]
    owner: Till = kind(chain.base_url, chain.api_key)
    account = await open_account(owner)
    await earn(owner, chain, account.id, 1)
    key = await key_with(chain, *CALLS, salon_ids=(rosemont,))
    till: Till = kind(chain.base_url, key)

    def accumulate(location_id: str) -> Awaitable[Any]:
        return till(
            "loyalty.accounts.accumulate_points",
            account_id=account.id,
            accumulate_points={"points": 1},
            idempotency_key=fresh_key(),
            location_id=location_id,
        )

    def sell(location_id: str) -> Awaitable[Any]:
        line = {
            "name": "Coupe",
            "quantity": "1",
            "base_price_money": {"amount": 100, "currency": "CAD"},
        }
        return till(
            "orders.create",
            order={"location_id": location_id, "line_items": [line]},
            idempotency_key=fresh_key(),
        )

    for call in (accumulate, sell):
        assert await refusal_of(call(plateau)) == (404, "NOT_FOUND")
        assert await refusal_of(call(rosemont)) == (200, "")
    assert [one.id for one in (await till("locations.list")).locations] == [rosemont]
    events = (await till("loyalty.search_events")).events
    assert {event.location_id for event in events} == {rosemont}


async def test_what_is_another_chains_is_not_found(kind: Kind, chain: Chain, stack: Stack) -> None:
    """Charlie's key finds nothing of Alice's, by no call."""
    till: Till = kind(chain.base_url, chain.api_key)
    account = await open_account(till, fresh_phone())
    stranger: Till = kind(chain.base_url, (await open_chain(stack, "Charlie")).api_key)
    with pytest.raises(ApiError) as refused:
        await stranger("loyalty.accounts.get", account_id=account.id)
    for name, said in (
        ("loyalty.programs.get", {"program_id": chain.program_id}),
        ("loyalty.programs.promotions.list", {"program_id": chain.program_id}),
        ("customers.get", {"customer_id": account.customer_id}),
        ("loyalty.rewards.search", {"query": {"loyalty_account_id": account.id}}),
    ):
        assert (await refusal_of(stranger(name, **said)))[0] == 404, name

    assert (refused.value.status_code, codes_of(refused.value)) == (404, ["NOT_FOUND"])
    assert field_of(refused.value) == ""
