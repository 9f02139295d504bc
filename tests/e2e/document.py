"""The served OpenAPI document as a list of calls that can be made with real ids."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

import httpx

from services.gateway import example_ids
from services.gateway.examples import EXAMPLES
from services.gateway.promotion_examples import PROMOTION
from tests.e2e.chains import Chain, earn, enrol, fresh_key, fresh_phone, make_tier, take


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation of the document."""

    id: str
    method: str
    path: str
    scopes: tuple[str, ...]
    example: Any

    @property
    def is_operators(self) -> bool:
        """Whether it wants the operator's key."""
        return self.path.startswith("/v2/operator/")

    @property
    def names_something(self) -> bool:
        """Whether its path names one thing of a chain."""
        return "{" in self.path

    async def send(
        self, client: httpx.AsyncClient, ids: dict[str, str], body: Any = ...
    ) -> httpx.Response:
        """Make the call about these ids, with its example or another body."""
        path = re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], self.path)
        sent = about(self.example, ids) if body is ... else body
        if self.example is None and body is ...:
            return await client.request(self.method, path)
        return await client.request(self.method, path, json=sent)


async def calls(base_url: str) -> list[Call]:
    """Every call of the platform's document."""
    async with httpx.AsyncClient(base_url=base_url) as client:
        document = (await client.get("/openapi.json")).json()
    found = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            found.append(
                Call(
                    id=operation["operationId"],
                    method=method.upper(),
                    path=path,
                    scopes=tuple(operation["x-scopes"]),
                    example=content.get("application/json", {}).get("example"),
                )
            )
    return found


# The made-up ids of the examples, by the name that paths give them.
_EXAMPLE_IDS = {
    "program_id": example_ids.PROGRAM,
    "tier_id": example_ids.TIER,
    "account_id": example_ids.ACCOUNT,
    "customer_id": example_ids.CUSTOMER,
    "reward_id": example_ids.REWARD,
    "location_id": example_ids.LOCATION,
    "offer_id": example_ids.OFFER,
    "device_id": example_ids.DEVICE,
    "staff_id": example_ids.STAFF,
    "api_key_id": example_ids.API_KEY,
    "chain_id": example_ids.CHAIN,
    "order_id": example_ids.ORDER,
    "open_order_id": example_ids.OPEN_ORDER,
    "object_id": example_ids.ITEM,
    "promotion_id": PROMOTION,
}


def about(example: Any, ids: dict[str, str]) -> Any:
    """The example with real ids, a fresh key and a fresh phone."""
    if example is None:
        return None
    text = json.dumps(example)
    for name, made_up in _EXAMPLE_IDS.items():
        text = text.replace(made_up, ids[name])
    text = text.replace(example_ids.KEY, fresh_key()).replace(example_ids.PHONE, fresh_phone())
    text = text.replace("bob@example.com", f"{fresh_key()}@example.com")
    text = text.replace("leonie@example.com", f"{fresh_key()}@example.com")
    return json.loads(text)


async def furnish(chain: Chain) -> dict[str, str]:
    """A chain with one of everything; its ids by the names that paths give them."""
    async with chain.client() as client:
        tier = await make_tier(chain, client, 1)
        account = await enrol(chain, client)
        await earn(chain, client, account, 20)
        taken = await take(client, account, tier["id"])
        assert taken.status_code == 200, taken.text
        reward = taken.json()["reward"]
        ids = {
            "chain_id": chain.told["chain_id"],
            "merchant_id": chain.told["chain_id"],
            "program_id": chain.program_id,
            "location_id": chain.salon_id,
            "tier_id": tier["id"],
            "account_id": account,
            "reward_id": reward["id"],
            "customer_id": reward["customer_id"],
        }
        made = {name: fresh_key() for name in _EXAMPLE_IDS} | ids
        for path, name, example in (
            ("/v2/loyalty/offers", "offer", "CreateOffer"),
            (
                "/v2/loyalty/programs/main/promotions",
                "loyalty_promotion",
                "CreateLoyaltyPromotion",
            ),
            ("/v2/messages/scheduled", "scheduled_message", "CreateScheduledMessage"),
            ("/v2/messages/sends", "send", "CreateSend"),
            ("/v2/staff", "staff", "CreateStaff"),
            ("/v2/devices", "device", "CreateDevice"),
            ("/v2/api-keys", "api_key", "CreateApiKey"),
        ):
            body = about(EXAMPLES[example].request, made | ids)
            answer = await _accepted(client, path, body)
            assert answer.status_code == 200, answer.text
            ids[f"{name.removeprefix('loyalty_')}_id"] = answer.json()[name]["id"]
        return ids | await _sell(client, made | ids)


async def _accepted(client: httpx.AsyncClient, path: str, body: Any) -> httpx.Response:
    """The answer, once the news of what the body names has come to whoever must know it."""
    for _ in range(100):
        answer = await client.post(path, json=body)
        if answer.status_code != 404:
            return answer
        await asyncio.sleep(0.1)
    return answer


async def _sell(client: httpx.AsyncClient, ids: dict[str, str]) -> dict[str, str]:
    """A catalog, an open order, and one that was counted and changed as in the examples."""

    async def made(example: str, path: str, **more: str) -> dict[str, Any]:
        body = about(EXAMPLES[example].request, ids | more)
        answer = await client.post(path, json=body)
        assert answer.status_code == 200, (example, answer.text)
        told: dict[str, Any] = answer.json()
        return told

    catalog = await made("BatchUpsertCatalogObjects", "/v2/catalog/batch-upsert")
    mapped = {one["client_object_id"]: one["object_id"] for one in catalog["id_mappings"]}
    open_order = (await made("CreateOrder", "/v2/orders"))["order"]["id"]
    order = (await made("CreateOrder", "/v2/orders"))["order"]["id"]
    counted = await client.post(
        f"/v2/loyalty/accounts/{ids['account_id']}/accumulate",
        json={
            "idempotency_key": fresh_key(),
            "location_id": ids["location_id"],
            "accumulate_points": {"order_id": order},
        },
    )
    assert counted.status_code == 200, counted.text
    # An exchange or a refund by the same id has no second effect: the examples' own are done here.
    await made("CreateLoyaltyRefund", "/v2/loyalty/refunds", order_id=order)
    await made("CreateLoyaltyExchange", "/v2/loyalty/exchanges", order_id=order)
    return {
        "order_id": order,
        "open_order_id": open_order,
        "object_id": mapped["#soin"],
    }


READS = (
    ("GET", "/v2/loyalty/programs"),
    ("GET", "/v2/loyalty/programs/main/promotions"),
    ("GET", "/v2/loyalty/offers"),
    ("GET", "/v2/messages/scheduled"),
    ("GET", "/v2/locations"),
    ("GET", "/v2/merchants/me"),
    ("GET", "/v2/customers"),
    ("GET", "/v2/devices"),
    ("GET", "/v2/staff"),
    ("GET", "/v2/api-keys"),
    ("GET", "/v2/catalog/list"),
    ("POST", "/v2/loyalty/accounts/search"),
    ("POST", "/v2/loyalty/rewards/search"),
    ("POST", "/v2/loyalty/events/search"),
)


def _without_last_use(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "last_used_at"}


async def snapshot(chain: Chain) -> dict[str, Any]:
    """All that the owner can read; when a key was used last does not count."""
    async with chain.client() as client:
        seen = {}
        for method, path in READS:
            answer = await client.request(method, path, json={} if method == "POST" else None)
            assert answer.status_code == 200, answer.text
            seen[path] = json.loads(answer.text, object_hook=_without_last_use)
    return seen
