"""Whoever hosts the platform: a chain in one call, its plan, and nobody else may (D40)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.chains import fresh_key, open_chain, operator
from tests.stack import Stack

pytestmark = pytest.mark.stack


def wanted(**said: Any) -> dict[str, Any]:
    """A chain that can be made."""
    return {
        "idempotency_key": fresh_key(),
        "name": f"Salon {uuid4().hex[:6]}",
        "sandbox": True,
        "owner": {"email": f"bob-{uuid4().hex[:12]}@example.com", "name": "Bob"},
        **said,
    }


async def test_one_call_makes_all_that_a_client_needs(stack: Stack) -> None:
    chain = await open_chain(stack, plan="essentiel", salons=[{"name": "A"}, {"name": "B"}])
    told = chain.told

    for name in (
        "base_url",
        "api_key",
        "chain_slug",
        "program_id",
        "location_ids",
        "owner",
        "member_url",
        "tablet_url",
        "points_code",
        "multi_point_code",
        "text_to_join",
    ):
        assert told[name], name
    assert told["plan"] == "ESSENTIEL"
    assert len(told["location_ids"]) == 2
    assert told["member_url"] == f"{told['base_url']}/m/{told['chain_slug']}"
    async with httpx.AsyncClient(follow_redirects=True) as visitor:
        assert (await visitor.get(told["member_url"])).status_code == 200
        assert (await visitor.get(told["tablet_url"])).status_code == 200
    async with chain.client() as client:
        program = (await client.get("/v2/loyalty/programs/main")).json()["program"]
    assert (program["id"], program["name"]) == (told["program_id"], "Vos points")


async def test_the_same_key_makes_one_chain(stack: Stack) -> None:
    body = wanted()
    async with operator(stack) as client:
        first = await client.post("/v2/operator/chains", json=body)
        again = await client.post("/v2/operator/chains", json=body)
        other = await client.post("/v2/operator/chains", json={**body, "name": "Another"})

    assert first.status_code == 200
    assert again.json() == first.json()
    assert other.status_code == 400
    assert other.json()["errors"][0]["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_the_plan_is_changed_by_operators_only(stack: Stack) -> None:
    chain = await open_chain(stack, plan="partant")
    path = f"/v2/operator/chains/{chain.told['chain_id']}"
    async with operator(stack) as client, chain.client() as owner:
        refused = await owner.put(f"{path}/plan", json={"plan": "PRO"})
        changed = await client.put(f"{path}/plan", json={"plan": "pro"})
        by_slug = await client.get(f"/v2/operator/chains/{chain.told['chain_slug']}")
        merchant = (await owner.get("/v2/merchants/me")).json()["merchant"]

    assert refused.status_code == 401
    assert changed.json()["chain"]["plan"] == "PRO"
    assert by_slug.json() == changed.json()
    assert merchant["plan"] == "PRO"


async def test_operators_list_every_chain_once(stack: Stack) -> None:
    made = [(await open_chain(stack)).told["chain_id"] for _ in range(2)]
    seen: list[str] = []
    async with operator(stack) as client:
        params: dict[str, str] = {}
        while True:
            page = (await client.get("/v2/operator/chains", params=params)).json()
            seen += [chain["id"] for chain in page["chains"]]
            if "cursor" not in page:
                break
            params = {"cursor": page["cursor"]}

    assert [chain_id for chain_id in seen if chain_id in made] == made
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 10_000}, "name"),
        ({"plan": "GOLD"}, "plan"),
        ({"currency": "DOLLARS"}, "currency"),
        ({"currency": "XXQ"}, "currency"),
        ({"home_time_zone": "Mars/Olympus"}, "home_time_zone"),
        ({"owner": {"email": "nobody"}}, "owner.email"),
        ({"owner": {"email": "a@b.ca", "password": "short"}}, "owner.password"),
        ({"slug": "Not a slug!"}, "slug"),
        ({"sandbox": "yes"}, "sandbox"),
        ({"idempotency_key": None}, "idempotency_key"),
    ],
)
async def test_a_chain_that_cannot_be_is_refused(
    stack: Stack, said: dict[str, Any], field: str
) -> None:
    async with operator(stack) as client:
        answer = await client.post("/v2/operator/chains", json=wanted(**said))

    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["field"] == field


async def test_two_owners_cannot_share_an_address(stack: Stack) -> None:
    chain = await open_chain(stack)
    async with operator(stack) as client:
        answer = await client.post(
            "/v2/operator/chains", json=wanted(owner={"email": chain.told["owner"]["email"]})
        )

    assert answer.status_code == 409
    assert answer.json()["errors"][0]["field"] == "owner.email"
