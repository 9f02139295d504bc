"""Programs, their codes and reward definitions through the API."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from tests.e2e.chains import (
    Chain,
    balance,
    earn,
    enrol,
    fresh_key,
    key_with,
    make_tier,
    open_chain,
    take,
)
from tests.stack import Stack

pytestmark = pytest.mark.stack


async def save(client: httpx.AsyncClient, program_id: str, **said: Any) -> httpx.Response:
    """Change a program."""
    return await client.put(
        f"/v2/loyalty/programs/{program_id}",
        json={"idempotency_key": fresh_key(), "program": said},
    )


async def program_of(client: httpx.AsyncClient, program_id: str = "main") -> dict[str, Any]:
    """The program as this key sees it."""
    answer = await client.get(f"/v2/loyalty/programs/{program_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["program"]
    return found


async def test_a_new_program_has_codes_of_its_own(client: httpx.AsyncClient) -> None:
    """LS-05, D39, LS-74: three digits to start, six for several points; a second program."""
    answer = await client.post(
        "/v2/loyalty/programs",
        json={"idempotency_key": fresh_key(), "program": {"name": "Barbiers"}},
    )
    program = answer.json()["program"]
    other = await program_of(client)

    assert re.fullmatch(r"[0-9]{3}", program["points_code"])
    assert re.fullmatch(r"[0-9]{6}", program["multi_point_code"])
    assert program["id"] != other["id"]
    assert (other["name"], program["name"]) == ("Vos points", "Barbiers")


async def test_codes_are_the_owners(alices: Chain, client: httpx.AsyncClient) -> None:
    """LS-03, LS-08: the owner's key reads them; a till's key neither reads nor sets them."""
    till_key = await key_with(alices, "LOYALTY_READ", "LOYALTY_WRITE")
    async with alices.client(till_key) as till:
        seen = await till.get(f"/v2/loyalty/programs/{alices.program_id}")
        listed = await till.get("/v2/loyalty/programs")
        named = await save(till, alices.program_id, name="Vos points")
        refused = await save(till, alices.program_id, points_code="4321")
    owner = await program_of(client)

    assert owner["points_code"] == alices.told["points_code"]
    assert named.status_code == 200
    for answer in (seen, listed, named):
        assert "_code" not in answer.text
    assert refused.status_code == 403
    assert (await program_of(client))["points_code"] == owner["points_code"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("12345678", 200),
        ("00001234", 200),
        ("123", 200),
        ("123456789", 400),
        ("12a4", 400),
        ("", 400),
        ("12", 400),
        (1234, 400),
        ("١٢٣٤", 400),
        ("9" * 1_000_000, 400),
    ],
)
async def test_a_points_code_has_three_to_eight_digits(
    client: httpx.AsyncClient, code: Any, status: int
) -> None:
    """LS-06: kept with its zeros; anything else is refused by its field and changes nothing."""
    before = (await program_of(client))["points_code"]
    answer = await save(client, "main", points_code=code)

    assert answer.status_code == status
    if status == 200:
        assert answer.json()["program"]["points_code"] == code
    else:
        assert answer.json()["errors"][0]["field"] == "program.points_code"
        assert (await program_of(client))["points_code"] == before


async def test_each_program_keeps_its_own_multi_point_code(client: httpx.AsyncClient) -> None:
    """LS-02: a new code on one program leaves the others' alone."""
    made = await client.post(
        "/v2/loyalty/programs",
        json={"idempotency_key": fresh_key(), "program": {"name": "Spa"}},
    )
    spa = made.json()["program"]
    await save(client, "main", multi_point_code="9182")

    assert (await program_of(client))["multi_point_code"] == "9182"
    assert (await program_of(client, spa["id"]))["multi_point_code"] == spa["multi_point_code"]


async def test_what_cannot_be_honoured_is_refused_with_a_reason(
    client: httpx.AsyncClient,
) -> None:
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"location_ids": [fresh_key()]}, "program.location_ids"),
        ({"accrual_rules": []}, "program.accrual_rules"),
        (
            {"reward_tiers": [{"name": "X", "points": 1, "id": fresh_key()}]},
            "program.reward_tiers[0].id",
        ),
        (
            {
                "reward_tiers": [
                    {
                        "name": "X",
                        "points": 1,
                        "definition": {
                            "discount_type": "FIXED_AMOUNT",
                            "fixed_discount_money": {"amount": 500, "currency": "USD"},
                        },
                    }
                ]
            },
            "program.reward_tiers[0].definition.fixed_discount_money.currency",
        ),
    ]
    before = await program_of(client)
    for said, field in wishes:
        answer = await save(client, "main", **said)
        assert answer.status_code in {400, 404}, answer.text
        assert answer.json()["errors"][0]["field"] == field
    assert await program_of(client) == before


async def test_squares_own_fields_are_taken_without_a_word(client: httpx.AsyncClient) -> None:
    answer = await save(
        client,
        "main",
        terminology={"one": "étoile", "other": "étoiles", "many": "?"},
        accrual_rules=[
            {"accrual_type": "VISIT", "points": 2, "visit_data": {"tax_mode": "AFTER_TAX"}}
        ],
        created_at="2020-01-01T00:00:00Z",
        unheard_of={"deep": [1, 2, 3]},
    )
    program = answer.json()["program"]

    assert answer.status_code == 200
    assert program["terminology"] == {"one": "étoile", "other": "étoiles"}
    assert program["accrual_rules"][0]["points"] == 2


async def test_tiers_are_the_whole_list_and_sent_twice_change_nothing(stack: Stack) -> None:
    """A retry of a list makes no second set, and keeps every id."""
    chain = await open_chain(stack)
    tiers = [
        {"name": "Soin", "points": 10},
        {
            "name": "Coupe",
            "points": 20,
            "definition": {
                "discount_type": "FIXED_AMOUNT",
                "fixed_discount_money": {"amount": 2000, "currency": "CAD"},
            },
        },
    ]
    body = {"idempotency_key": fresh_key(), "program": {"reward_tiers": tiers}}
    path = f"/v2/loyalty/programs/{chain.program_id}"
    async with chain.client() as client:
        first = (await client.put(path, json=body)).json()["program"]["reward_tiers"]
        again = (await client.put(path, json=body)).json()["program"]["reward_tiers"]
        changed = (await save(client, "main", reward_tiers=[{**first[0], "points": 12}])).json()[
            "program"
        ]["reward_tiers"]
        emptied = (await save(client, "main", reward_tiers=[])).json()["program"]["reward_tiers"]

    assert again == first
    assert [tier["points"] for tier in first] == [10, 20]
    assert first[1]["definition"]["fixed_discount_money"] == {"amount": 2000, "currency": "CAD"}
    assert [(tier["id"], tier["points"]) for tier in changed] == [(first[0]["id"], 12)]
    assert emptied == []


async def test_the_sixteenth_reward_is_refused_until_one_goes(stack: Stack) -> None:
    """SQ-50: at most fifteen; two parallel creations at fourteen → one succeeds."""
    chain = await open_chain(stack)
    path = f"/v2/loyalty/programs/{chain.program_id}/reward-tiers"

    def body() -> dict[str, Any]:
        return {"idempotency_key": fresh_key(), "reward_tier": {"name": "Soin", "points": 5}}

    async with chain.client() as client:
        for _ in range(14):
            await make_tier(chain, client, 5)
        both = await asyncio.gather(*(client.post(path, json=body()) for _ in range(2)))
        listed = (await program_of(client))["reward_tiers"]
        sixteenth = await client.post(path, json=body())
        by_list = await save(client, "main", reward_tiers=[*listed, {"name": "Trop", "points": 1}])
        after = (await program_of(client))["reward_tiers"]
        gone = await client.delete(f"{path}/{listed[0]['id']}")
        room = await client.post(path, json=body())

    assert sorted(answer.status_code for answer in both) == [200, 409]
    for refused in (sixteenth, by_list):
        assert refused.status_code == 409
        assert refused.json()["errors"][0]["code"] == "REWARD_LIMIT"
    assert after == listed
    assert len(listed) == 15
    assert (gone.status_code, room.status_code) == (200, 200)


async def test_a_taken_reward_keeps_its_terms(alices: Chain, client: httpx.AsyncClient) -> None:
    """SQ-49: taken at 10 %, changed to 20 %: hers stays at 10 %, a new one is 20 %."""
    tier = await make_tier(alices, client, 5)
    account = await enrol(alices, client)
    await earn(alices, client, account, 10)
    hers = (await take(client, account, tier["id"])).json()["reward"]
    path = f"/v2/loyalty/programs/{alices.program_id}/reward-tiers/{tier['id']}"
    discount = {"discount_type": "FIXED_PERCENTAGE", "percentage_discount": "20"}
    changed = await client.put(
        path, json={"reward_tier": {"name": "Mieux", "points": 5, "definition": discount}}
    )
    kept = (await client.get(f"/v2/loyalty/rewards/{hers['id']}")).json()["reward"]
    fresh = (await take(client, account, tier["id"])).json()["reward"]

    assert changed.status_code == 200
    assert kept["definition"]["percentage_discount"] == "10"
    assert kept["name"] == "Soin offert"
    assert fresh["definition"]["percentage_discount"] == "20"


async def test_a_higher_threshold_leaves_the_points(
    alices: Chain, client: httpx.AsyncClient
) -> None:
    """SQ-48: 3 of 5, the reward becomes 10: the member has 3 of 10 and no reward."""
    tier = await make_tier(alices, client, 5)
    account = await enrol(alices, client)
    await earn(alices, client, account, 3)
    path = f"/v2/loyalty/programs/{alices.program_id}/reward-tiers/{tier['id']}"
    await client.put(path, json={"reward_tier": {"name": tier["name"], "points": 10}})
    refused = await take(client, account, tier["id"])

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["code"] == "INSUFFICIENT_POINTS"
    assert await balance(client, account) == 3


async def test_a_deleted_reward_cannot_be_taken(alices: Chain, client: httpx.AsyncClient) -> None:
    tier = await make_tier(alices, client, 1)
    account = await enrol(alices, client)
    await earn(alices, client, account, 1)
    path = f"/v2/loyalty/programs/{alices.program_id}/reward-tiers/{tier['id']}"
    await client.delete(path)
    refused = await take(client, account, tier["id"])

    assert refused.status_code in {404, 409}
    assert refused.json()["errors"][0]["field"] == "reward.reward_tier_id"
    assert await balance(client, account) == 1
    assert (await client.delete(path)).status_code == 404
