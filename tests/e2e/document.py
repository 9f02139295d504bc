"""The served OpenAPI document as a list of calls that can be made with real ids."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import httpx

from services.gateway import examples, promotion_examples
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
    "program_id": examples.PROGRAM,
    "tier_id": examples.TIER,
    "promotion_id": promotion_examples.PROMOTION,
    "account_id": examples.ACCOUNT,
    "customer_id": examples.CUSTOMER,
    "reward_id": examples.REWARD,
    "location_id": examples.LOCATION,
    "offer_id": examples.OFFER,
    "device_id": examples.DEVICE,
    "staff_id": examples.STAFF,
    "api_key_id": examples.API_KEY,
    "chain_id": examples.CHAIN,
}


def about(example: Any, ids: dict[str, str]) -> Any:
    """The example with real ids, a fresh key and a fresh phone."""
    if example is None:
        return None
    text = json.dumps(example)
    for name, made_up in _EXAMPLE_IDS.items():
        text = text.replace(made_up, ids[name])
    text = text.replace(examples.KEY, fresh_key()).replace(examples.PHONE, fresh_phone())
    text = text.replace("bob@example.com", f"{fresh_key()}@example.com")
    text = text.replace("leonie@example.com", f"{fresh_key()}@example.com")
    return json.loads(text)


async def furnish(chain: Chain) -> dict[str, str]:
    """A chain with one of everything; its ids by the names that paths give them."""
    async with chain.client() as client:
        tier = await make_tier(chain, client, 1)
        account = await enrol(chain, client)
        await earn(chain, client, account, 20)
        reward = (await take(client, account, tier["id"])).json()["reward"]
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
            ("/v2/staff", "staff", "CreateStaff"),
            ("/v2/devices", "device", "CreateDevice"),
            ("/v2/api-keys", "api_key", "CreateApiKey"),
        ):
            body = about(examples.EXAMPLES[example].request, made)
            answer = await client.post(path, json=body)
            assert answer.status_code == 200, answer.text
            ids[f"{name.removeprefix('loyalty_')}_id"] = answer.json()[name]["id"]
    return ids


READS = (
    ("GET", "/v2/loyalty/programs"),
    ("GET", "/v2/loyalty/programs/main/promotions"),
    ("GET", "/v2/loyalty/offers"),
    ("GET", "/v2/locations"),
    ("GET", "/v2/merchants/me"),
    ("GET", "/v2/customers"),
    ("GET", "/v2/devices"),
    ("GET", "/v2/staff"),
    ("GET", "/v2/api-keys"),
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
