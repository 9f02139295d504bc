"""Rewards on orders: applied, taken off, given back, used with the sale (SQ-19, SQ-20)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
from tests.e2e.sales import (
    cad,
    count,
    post,
    problem,
    read,
    refund,
    sell,
    set_rules,
    sold,
    spend,
    try_to_exchange,
    try_to_refund,
)
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
async def chain(stack: Stack) -> Chain:
    chain = await open_chain(stack, "Récompenses")
    async with chain.client() as client:
        await set_rules(client, spend())
    return chain


@pytest.fixture
async def client(chain: Chain) -> AsyncIterator[httpx.AsyncClient]:
    async with chain.client() as client:
        yield client


@pytest.fixture(scope="module")
async def tier(chain: Chain) -> str:
    """10 % for 50 points."""
    async with chain.client() as client:
        return str((await make_tier(chain, client, 50))["id"])


async def rich(chain: Chain, client: httpx.AsyncClient) -> str:
    """An account with 100 points."""
    account = await enrol(chain, client)
    await earn(chain, client, account, 100)
    return account


async def take_on(
    client: httpx.AsyncClient, account_id: str, tier_id: str, order_id: str
) -> httpx.Response:
    """A reward that goes on an order as it is taken."""
    reward = {"loyalty_account_id": account_id, "reward_tier_id": tier_id, "order_id": order_id}
    return await client.post(
        "/v2/loyalty/rewards", json={"idempotency_key": fresh_key(), "reward": reward}
    )


async def place(
    client: httpx.AsyncClient, reward_id: str, order_id: str, word: str = "apply"
) -> httpx.Response:
    """A reward on an order, or off it."""
    return await client.post(f"/v2/loyalty/rewards/{reward_id}/{word}", json={"order_id": order_id})


async def reward_of(client: httpx.AsyncClient, reward_id: str) -> dict[str, Any]:
    """The reward as it is now."""
    reward: dict[str, Any] = (await client.get(f"/v2/loyalty/rewards/{reward_id}")).json()["reward"]
    return reward


async def events_of(client: httpx.AsyncClient, order_id: str) -> list[dict[str, Any]]:
    """All that happened with an order."""
    query = {"filter": {"order_filter": {"order_id": order_id}}}
    answer = await client.post("/v2/loyalty/events/search", json={"query": query})
    assert answer.status_code == 200, answer.text
    events: list[dict[str, Any]] = answer.json()["events"]
    return events


async def seen(client: httpx.AsyncClient, order_id: str, kind: str) -> dict[str, Any]:
    """The one event of an order of this type, as soon as it is there."""
    async with asyncio.timeout(20):
        while True:
            found = [event for event in await events_of(client, order_id) if event["type"] == kind]
            if found:
                (event,) = found
                return event
            await asyncio.sleep(0.05)


async def test_ten_per_cent_off_and_back_again(
    chain: Chain, client: httpx.AsyncClient, tier: str
) -> None:
    """SQ-20: 10 % reward on $80 → total $72; removing it restores $80 and the points."""
    account = await rich(chain, client)
    order = (await post(client, chain, sold("coupe", 8000)))["id"]
    taken = await take_on(client, account, tier, order)
    reward = taken.json()["reward"]
    less = await read(client, order)
    spent = await balance(client, account)
    deleted = await client.delete(f"/v2/loyalty/rewards/{reward['id']}")
    again = await read(client, order)

    assert taken.status_code == 200, taken.text
    assert reward["order_id"] == order
    assert less["total_money"] == cad(7200)
    assert less["rewards"] == [{"id": reward["id"], "reward_tier_id": tier}]
    assert less["discounts"][0]["reward_ids"] == [reward["id"]]
    assert less["discounts"][0]["applied_money"] == cad(800)
    assert spent == 50
    assert deleted.status_code == 200, deleted.text
    assert again["total_money"] == cad(8000)
    assert "rewards" not in again
    assert await balance(client, account) == 100


async def test_one_taken_before_goes_on_without_points(
    chain: Chain, client: httpx.AsyncClient, tier: str
) -> None:
    """SQ-19: applying one already taken takes no points again; both ways may be repeated."""
    account = await rich(chain, client)
    order = (await post(client, chain, sold("coupe", 8000)))["id"]
    reward = (await take(client, account, tier)).json()["reward"]
    applied = [await place(client, reward["id"], order) for _ in range(2)]
    on_order = await balance(client, account)
    removed = [await place(client, reward["id"], order, "remove") for _ in range(2)]

    assert [answer.status_code for answer in (*applied, *removed)] == [200] * 4
    assert [one.json()["order"]["total_money"] for one in applied] == [cad(7200)] * 2
    assert [one.json()["order"]["total_money"] for one in removed] == [cad(8000)] * 2
    assert applied[0].json()["reward"]["order_id"] == order
    assert "order_id" not in removed[0].json()["reward"]
    assert on_order == await balance(client, account) == 50
    assert (await reward_of(client, reward["id"]))["status"] == "ISSUED"


async def test_a_reward_is_on_one_order_only(
    chain: Chain, client: httpx.AsyncClient, tier: str
) -> None:
    account = await rich(chain, client)
    first, second = [(await post(client, chain, sold("a", 8000)))["id"] for _ in range(2)]
    reward = (await take_on(client, account, tier, first)).json()["reward"]
    elsewhere = await place(client, reward["id"], second)
    wrong = await place(client, reward["id"], second, "remove")

    assert elsewhere.status_code == 409
    assert problem(wrong) == (409, "CONFLICT", "order_id")
    assert (await read(client, second))["total_money"] == cad(8000)
    assert (await read(client, first))["total_money"] == cad(7200)


async def test_two_takes_on_one_order_pay_twice_and_take_off_twice(
    chain: Chain, client: httpx.AsyncClient, tier: str
) -> None:
    account = await rich(chain, client)
    order = (await post(client, chain, sold("a", 10_000)))["id"]
    answers = await asyncio.gather(*(take_on(client, account, tier, order) for _ in range(3)))

    assert sorted(answer.status_code for answer in answers) == [200, 200, 400]
    assert (await read(client, order))["total_money"] == cad(8100)
    assert await balance(client, account) == 0


async def test_a_counted_sale_uses_its_rewards_for_good(
    chain: Chain, client: httpx.AsyncClient, tier: str
) -> None:
    """SQ-10, SQ-20: used with the sale at its salon; nothing goes on or off afterwards."""
    account = await rich(chain, client)
    order = (await post(client, chain, sold("a", 10_000)))["id"]
    reward = (await take_on(client, account, tier, order)).json()["reward"]
    events = await count(client, chain, account, order)
    assert events[0]["accumulate_points"]["points"] == 90
    now = await reward_of(client, reward["id"])
    assert now["status"] == "REDEEMED", "the till reads it right after its answer"
    late = [
        await take_on(client, account, tier, order),
        await place(client, reward["id"], order),
        await place(client, reward["id"], order, "remove"),
        await client.delete(f"/v2/loyalty/rewards/{reward['id']}"),
    ]

    types = {event["type"]: event for event in await events_of(client, order)}
    assert set(types) == {"ACCUMULATE_POINTS", "CREATE_REWARD", "REDEEM_REWARD"}
    assert types["CREATE_REWARD"]["create_reward"]["order_id"] == order
    assert types["REDEEM_REWARD"]["redeem_reward"]["reward_id"] == reward["id"]
    assert types["REDEEM_REWARD"]["redeem_reward"]["order_id"] == order
    assert types["REDEEM_REWARD"]["location_id"] == chain.salon_id
    assert now["location_id"] == chain.salon_id
    assert [answer.status_code for answer in late] == [409] * 4
    assert await balance(client, account) == 140
    assert (await read(client, order))["total_money"] == cad(9000)


async def test_a_till_that_redeems_besides_uses_a_reward_once(
    chain: Chain, client: httpx.AsyncClient, tier: str
) -> None:
    """Square says that an order redeems its rewards by itself: a till that calls redeem besides is
    told so after the count; before it, the reward is used at once. Both cost the same."""
    for redeems_first in (True, False):
        account = await rich(chain, client)
        order = (await post(client, chain, sold("a", 10_000)))["id"]
        reward = (await take_on(client, account, tier, order)).json()["reward"]
        first = await redeem(client, chain, reward["id"]) if redeems_first else None
        events = await count(client, chain, account, order)
        after = await redeem(client, chain, reward["id"])

        assert first is None or first.status_code == 200
        assert events[0]["accumulate_points"]["points"] == 90
        assert problem(after)[:2] == (409, "CONFLICT")
        assert (await reward_of(client, reward["id"]))["status"] == "REDEEMED"
        assert await balance(client, account) == 140
        assert (await read(client, order))["total_money"] == cad(9000)
        used = [one for one in await events_of(client, order) if one["type"] == "REDEEM_REWARD"]
        assert [one["redeem_reward"]["order_id"] for one in used] == [order]


async def redeem(client: httpx.AsyncClient, chain: Chain, reward_id: str) -> httpx.Response:
    """Use a reward by its own call."""
    return await client.post(
        f"/v2/loyalty/rewards/{reward_id}/redeem",
        json={"idempotency_key": fresh_key(), "location_id": chain.salon_id},
    )


async def test_a_reward_that_a_refund_gave_back_is_found_by_its_order(
    chain: Chain, client: httpx.AsyncClient, tier: str
) -> None:
    """R36: the refund's event names the order; the use on the next order is of that one only."""
    account = await rich(chain, client)
    first, second = [(await post(client, chain, sold("a", 10_000)))["id"] for _ in range(2)]
    reward = (await take_on(client, account, tier, first)).json()["reward"]["id"]
    await count(client, chain, account, first)
    await seen(client, first, "REDEEM_REWARD")
    await refund(client, first)
    restored = await seen(client, first, "RESTORE_REWARD")
    assert (await place(client, reward, second)).status_code == 200
    await count(client, chain, account, second)
    used = await seen(client, second, "REDEEM_REWARD")

    assert restored["restore_reward"]["order_id"] == first
    assert used["redeem_reward"] == {**restored["restore_reward"], "order_id": second}
    of_first = [event["type"] for event in await events_of(client, first)]
    assert sorted(of_first) == [
        "ACCUMULATE_POINTS",
        "CREATE_REWARD",
        "REDEEM_REWARD",
        "REFUND_POINTS",
        "RESTORE_REWARD",
    ]


async def test_an_order_of_another_member_takes_no_reward(
    chain: Chain, client: httpx.AsyncClient, tier: str
) -> None:
    alice, bob = await rich(chain, client), await rich(chain, client)
    answer = await client.get(f"/v2/loyalty/accounts/{bob}")
    bobs = answer.json()["loyalty_account"]["customer_id"]
    order = (await post(client, chain, sold("a", 8000), customer_id=bobs))["id"]
    reward = (await take(client, alice, tier)).json()["reward"]
    refused = [await take_on(client, alice, tier, order), await place(client, reward["id"], order)]

    assert [problem(answer)[:2] for answer in refused] == [(400, "INVALID_VALUE")] * 2
    assert [problem(answer)[2] for answer in refused] == ["reward.order_id", "order_id"]
    assert (await read(client, order))["total_money"] == cad(8000)
    assert await balance(client, alice) == 50


async def test_a_key_of_one_salon_moves_nothing_at_another(stack: Stack) -> None:
    """Rewards go on no order there and are used there by nobody; nothing there is exchanged."""
    chain = await open_chain(stack, salons=[{"name": "Plateau"}, {"name": "Rosemont"}])
    plateau, rosemont = chain.told["location_ids"]
    token = await key_with(chain, "LOYALTY_READ", "LOYALTY_WRITE", salon_ids=(rosemont,))
    async with chain.client() as owner, chain.client(token) as till:
        await set_rules(owner, spend())
        tier = str((await make_tier(chain, owner, 50))["id"])
        account, counted = await sell(owner, chain, sold("a", 20_000))
        reward = (await take(owner, account, tier)).json()["reward"]["id"]
        order = (await post(owner, chain, sold("a", 8_000)))["id"]
        path = f"/v2/loyalty/rewards/{reward}"
        key = {"idempotency_key": fresh_key()}
        hidden = [
            await take_on(till, account, tier, order),
            await till.post(f"{path}/apply", json={"order_id": order}),
            await till.post(f"{path}/redeem", json={**key, "location_id": plateau}),
            await try_to_exchange(till, counted, returned=["a"], added=[sold("b", 100)]),
            await try_to_refund(till, counted),
        ]
        assert (await owner.post(f"{path}/apply", json={"order_id": order})).status_code == 200
        hidden.append(await till.post(f"{path}/remove", json={"order_id": order}))

        assert [answer.status_code for answer in hidden] == [404] * 6, hidden
        assert (await read(owner, order))["total_money"] == cad(7_200)
        assert await balance(owner, account) == 150
        assert (await owner.post(f"{path}/remove", json={"order_id": order})).status_code == 200
        used = await till.post(f"{path}/redeem", json={**key, "location_id": rosemont})
        assert used.status_code == 200, used.text


async def test_what_is_not_there_is_not_found(
    chain: Chain, charlies: Chain, client: httpx.AsyncClient, tier: str
) -> None:
    account = await rich(chain, client)
    order = (await post(client, chain, sold("a", 8000)))["id"]
    reward = (await take(client, account, tier)).json()["reward"]["id"]
    missing = await take_on(client, account, tier, fresh_key())
    nowhere = await place(client, reward, fresh_key())
    nothing = await place(client, fresh_key(), order)
    async with charlies.client() as stranger:
        hidden = [
            await place(stranger, reward, order),
            await place(stranger, reward, order, "remove"),
        ]

    assert problem(missing) == (404, "NOT_FOUND", "reward.order_id")
    assert problem(nowhere) == (404, "NOT_FOUND", "order_id")
    assert [answer.status_code for answer in (nothing, *hidden)] == [404] * 3
    assert await balance(client, account) == 50
