"""Rewards under pressure, and the salon's remedies."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.e2e.chains import Chain, balance, earn, enrol, fresh_key, make_tier, take

pytestmark = pytest.mark.stack

TAKES = 50
USES = 200


async def used(client: httpx.AsyncClient, chain: Chain, reward_id: str) -> httpx.Response:
    """ "Utiliser"."""
    return await client.post(
        f"/v2/loyalty/rewards/{reward_id}/redeem",
        json={"idempotency_key": fresh_key(), "location_id": chain.salon_id},
    )


async def test_fifty_takes_of_what_the_balance_affords_once(
    alices: Chain, client: httpx.AsyncClient
) -> None:
    """One reward, balance right, forty-nine clear refusals."""
    tier = await make_tier(alices, client, 10)
    account = await enrol(alices, client)
    await earn(alices, client, account, 19)

    answers = await asyncio.gather(*(take(client, account, tier["id"]) for _ in range(TAKES)))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, *[400] * (TAKES - 1)]
    assert await balance(client, account) == 9
    found = await client.post(
        "/v2/loyalty/rewards/search", json={"query": {"loyalty_account_id": account}}
    )
    assert len(found.json()["rewards"]) == 1


async def test_any_number_of_uses_is_one(alices: Chain, client: httpx.AsyncClient) -> None:
    """LS-38: exactly one of many parallel uses succeeds; the others are told so."""
    tier = await make_tier(alices, client, 1)
    account = await enrol(alices, client)
    await earn(alices, client, account, 1)
    reward = (await take(client, account, tier["id"])).json()["reward"]

    answers = await asyncio.gather(*(used(client, alices, reward["id"]) for _ in range(USES)))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, *[409] * (USES - 1)]
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["errors"][0]["code"] == "CONFLICT"


async def test_restoring_makes_it_usable_again_and_leaves_the_points(
    alices: Chain, client: httpx.AsyncClient
) -> None:
    """LS-75: points unchanged, the second press refused, the event is told."""
    tier = await make_tier(alices, client, 2)
    account = await enrol(alices, client)
    await earn(alices, client, account, 3)
    reward = (await take(client, account, tier["id"])).json()["reward"]
    path = f"/v2/loyalty/rewards/{reward['id']}/restore"
    early = await client.post(path, json={"idempotency_key": fresh_key()})
    first_use = await used(client, alices, reward["id"])

    restored = await client.post(path, json={"idempotency_key": fresh_key()})
    second = await client.post(path, json={"idempotency_key": fresh_key()})
    assert await balance(client, account) == 1
    second_use = await used(client, alices, reward["id"])
    events = await client.post(
        "/v2/loyalty/events/search",
        json={"query": {"filter": {"loyalty_account_filter": {"loyalty_account_id": account}}}},
    )

    assert (early.status_code, second.status_code) == (409, 409)
    assert restored.json()["reward"]["status"] == "ISSUED"
    assert first_use.json()["event"]["id"] != second_use.json()["event"]["id"]
    assert [event["type"] for event in events.json()["events"]] == [
        "REDEEM_REWARD",
        "RESTORE_REWARD",
        "REDEEM_REWARD",
        "CREATE_REWARD",
        "ACCUMULATE_POINTS",
    ]


@pytest.mark.parametrize(("return_points", "left"), [(None, 5), (True, 5), (False, 3)])
async def test_voiding_asks_whether_the_points_come_back(
    alices: Chain, client: httpx.AsyncClient, return_points: bool | None, left: int
) -> None:
    """D35: yes by default."""
    tier = await make_tier(alices, client, 2)
    account = await enrol(alices, client)
    await earn(alices, client, account, 5)
    reward = (await take(client, account, tier["id"])).json()["reward"]
    body = {"idempotency_key": fresh_key()}
    if return_points is not None:
        body["return_points"] = return_points  # type: ignore[assignment]

    answer = await client.post(f"/v2/loyalty/rewards/{reward['id']}/void", json=body)

    assert answer.json()["reward"]["status"] == "DELETED"
    assert await balance(client, account) == left
    assert (await used(client, alices, reward["id"])).status_code == 409


async def test_a_reward_of_another_account_is_found_nowhere_else(
    alices: Chain, client: httpx.AsyncClient
) -> None:
    tier = await make_tier(alices, client, 1)
    first, second = await enrol(alices, client), await enrol(alices, client)
    await earn(alices, client, first, 1)
    await take(client, first, tier["id"])

    async def of(account: str, status: str) -> int:
        found = await client.post(
            "/v2/loyalty/rewards/search",
            json={"query": {"loyalty_account_id": account, "status": status}},
        )
        return len(found.json()["rewards"])

    assert [await of(first, "ISSUED"), await of(first, "REDEEMED")] == [1, 0]
    assert await of(second, "ISSUED") == 0
