"""What a sale earns, previewed and counted: once, by its own terms (SQ-17 to SQ-19, SQ-58)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.e2e.chains import Chain, balance, earn, enrol, fresh_key, make_tier, open_chain, take
from tests.e2e.sales import (
    cad,
    category,
    count,
    item,
    post,
    problem,
    read,
    set_rules,
    sold,
    spend,
    try_to_count,
    upsert,
    visit,
)
from tests.stack import Stack

pytestmark = pytest.mark.stack

CALCULATE = "/v2/loyalty/programs/main/calculate"


@pytest.fixture(scope="module")
async def chain(stack: Stack) -> Chain:
    return await open_chain(stack, "Ventes")


@pytest.fixture
async def client(chain: Chain) -> AsyncIterator[httpx.AsyncClient]:
    async with chain.client() as client:
        yield client


async def customer_of(client: httpx.AsyncClient, account_id: str) -> str:
    """The member of an account."""
    answer = await client.get(f"/v2/loyalty/accounts/{account_id}")
    return str(answer.json()["loyalty_account"]["customer_id"])


async def test_the_preview_is_what_completing_gives_and_writes_nothing(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """SQ-17: cart $42, 1/$1 → 42; the preview creates no event."""
    await set_rules(client, spend())
    account = await enrol(chain, client)
    order = await post(client, chain, sold("coupe", 4200))
    told = await client.post(
        CALCULATE, json={"order_id": order["id"], "loyalty_account_id": account}
    )
    of_account = {"filter": {"loyalty_account_filter": {"loyalty_account_id": account}}}
    before = await client.post("/v2/loyalty/events/search", json={"query": of_account})
    events = await count(client, chain, account, order["id"])

    assert told.status_code == 200, told.text
    assert (told.json()["points"], told.json()["promotion_points"]) == (42, 0)
    assert before.json()["events"] == []
    assert [event["accumulate_points"]["points"] for event in events] == [42]
    assert events[0]["accumulate_points"]["order_id"] == order["id"]
    assert events[0]["location_id"] == chain.salon_id
    assert await balance(client, account) == 42


async def test_lines_that_earn_nothing_are_told_at_the_till(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """SQ-53, SQ-58: $60 of service and $40 excluded → 60, and the words for the member."""
    ids = await upsert(client, category("Produits"), item("Coupe"), item("Shampoing", "#Produits"))
    await set_rules(client, spend(excluded_category_ids=[ids["#Produits"]]))
    order = await post(
        client,
        chain,
        sold("coupe", 6000, catalog_object_id=ids["#Coupe-une"]),
        sold("shampoing", 4000, name="Shampoing", catalog_object_id=ids["#Shampoing-une"]),
    )
    french = await client.post(
        CALCULATE, json={"order_id": order["id"]}, headers={"Accept-Language": "fr-CA"}
    )
    english = await client.post(CALCULATE, json={"order_id": order["id"]})

    assert french.json()["points"] == 60
    assert french.json()["silent_line_items"] == [
        {"uid": "shampoing", "name": "Shampoing", "text": "ne donne pas de points"}
    ]
    assert english.json()["silent_line_items"][0]["text"] == "earns no points"


async def test_a_reward_is_available_by_balance_or_in_the_wallet(stack: Stack) -> None:
    """SQ-19: enough for the cheapest, or one taken before that is not on a sale yet."""
    chain = await open_chain(stack)
    async with chain.client() as client:
        await set_rules(client, spend())
        account = await enrol(chain, client)
        customer = await customer_of(client, account)
        tier = await make_tier(chain, client, 30)
        await make_tier(chain, client, 100)

        async def available(order_id: str) -> object:
            told = await client.post(CALCULATE, json={"order_id": order_id})
            assert told.status_code == 200, told.text
            return told.json().get("reward_available")

        anonymous = (await post(client, chain, sold("a", 2900)))["id"]
        mine = (await post(client, chain, sold("a", 100), customer_id=customer))["id"]
        seen = [await available(anonymous), await available(mine)]
        await count(client, chain, account, anonymous)
        seen.append(await available(mine))
        third = (await post(client, chain, sold("a", 100)))["id"]
        await count(client, chain, account, third)
        seen.append(await available(mine))
        reward = (await take(client, account, tier["id"])).json()["reward"]
        assert await balance(client, account) == 0
        seen.append(await available(mine))
        applied = await client.post(
            f"/v2/loyalty/rewards/{reward['id']}/apply", json={"order_id": mine}
        )
        assert applied.status_code == 200, applied.text
        seen.append(await available(mine))

    assert seen == [None, False, False, True, True, False]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "MISSING_REQUIRED_PARAMETER", "order_id"),
        (
            {"order_id": "x", "transaction_amount_money": cad(1)},
            "CONFLICTING_PARAMETERS",
            "order_id",
        ),
        ({"order_id": "x"}, "NOT_FOUND", "order_id"),
        (
            {"transaction_amount_money": {"amount": 1, "currency": "USD"}},
            "UNSUPPORTED_CURRENCY",
            "transaction_amount_money.currency",
        ),
        (
            {"transaction_amount_money": cad(100), "loyalty_account_id": fresh_key()},
            "NOT_FOUND",
            "loyalty_account_id",
        ),
    ],
)
async def test_a_preview_is_of_one_thing_that_is_there(
    client: httpx.AsyncClient, body: dict[str, object], code: str, field: str
) -> None:
    answer = await client.post(CALCULATE, json=body)

    assert problem(answer) == (404 if code == "NOT_FOUND" else 400, code, field)


async def test_one_sale_earns_once_whatever_the_key(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """N2: five tills with five keys at once → one earning, five equal answers."""
    await set_rules(client, spend())
    account = await enrol(chain, client)
    order = (await post(client, chain, sold("coupe", 4200)))["id"]
    answers = await asyncio.gather(*(try_to_count(client, chain, account, order) for _ in range(5)))
    counted = await read(client, order)

    assert [answer.status_code for answer in answers] == [200] * 5
    assert len({answer.text for answer in answers}) == 1
    assert await balance(client, account) == 42
    assert counted["state"] == "COMPLETED"
    assert counted["closed_at"]
    assert counted["loyalty"]["points"] == counted["loyalty"]["held_points"] == 42
    assert counted["loyalty"]["loyalty_account_id"] == account


async def test_a_sale_that_earns_nothing_is_counted_too(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """SQ-24: $2 below the threshold → no events, and the order is done."""
    await set_rules(client, visit(2000))
    account = await enrol(chain, client)
    order = (await post(client, chain, sold("gel", 200)))["id"]
    first = await count(client, chain, account, order)
    again = await count(client, chain, account, order)

    assert first == again == []
    assert (await read(client, order))["state"] == "COMPLETED"
    assert await balance(client, account) == 0


async def test_a_sale_belongs_to_the_member_on_it(chain: Chain, client: httpx.AsyncClient) -> None:
    """SQ-18: nobody else's account counts it; one of nobody becomes hers."""
    await set_rules(client, spend())
    alice, bob = await enrol(chain, client), await enrol(chain, client)
    customer = await customer_of(client, alice)
    hers = (await post(client, chain, sold("a", 1000), customer_id=customer))["id"]
    nobodys = (await post(client, chain, sold("a", 1000)))["id"]
    refused = await try_to_count(client, chain, bob, hers)
    await count(client, chain, alice, nobodys)
    too_late = await try_to_count(client, chain, bob, nobodys)

    assert problem(refused) == (400, "INVALID_VALUE", "accumulate_points.order_id")
    assert too_late.status_code in {400, 409}
    assert (await read(client, nobodys))["customer_id"] == customer
    assert await balance(client, bob) == 0
    assert await balance(client, alice) == 10


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ({"order_id": "x"}, "NOT_FOUND"),
        ({"order_id": "x", "points": 1}, "CONFLICTING_PARAMETERS"),
        ({"order_id": "x", "occurred_at": "2026-01-01T00:00:00Z"}, "CONFLICTING_PARAMETERS"),
        ({}, "MISSING_REQUIRED_PARAMETER"),
    ],
)
async def test_points_come_by_an_order_or_by_a_number(
    chain: Chain, client: httpx.AsyncClient, part: dict[str, object], code: str
) -> None:
    account = await enrol(chain, client)
    answer = await try_to_count(client, chain, account, "", accumulate_points=part)

    assert problem(answer)[1] == code


async def test_the_bonus_of_a_tier_is_told_beside_the_points(stack: Stack) -> None:
    """T2, T3, SQ-05: at Argent a sale of $30 gives 30 and 7 more (37.5 dropped)."""
    chain = await open_chain(stack, "Paliers")
    async with chain.client() as client:
        tiers = [
            {"name": "Base", "threshold": 0, "multiplier": "1"},
            {"name": "Argent", "threshold": 500, "multiplier": "1.25"},
            {"name": "Or", "threshold": 1000, "multiplier": "1.5"},
        ]
        await set_rules(client, spend(), tiers=tiers)
        account = await enrol(chain, client)
        at_base = (await client.get(f"/v2/loyalty/accounts/{account}")).json()["loyalty_account"]
        first = (await post(client, chain, sold("a", 51_000)))["id"]
        rising = await count(client, chain, account, first)
        at_argent = (await client.get(f"/v2/loyalty/accounts/{account}")).json()["loyalty_account"]
        second = (await post(client, chain, sold("a", 3000)))["id"]
        preview = await client.post(
            CALCULATE, json={"order_id": second, "loyalty_account_id": account}
        )
        events = await count(client, chain, account, second)

        assert at_base["tier"]["name"] == "Base"
        assert at_base["tier"]["next_tier"]["missing_points"] == 500
        # No bonus on the sale that made the step.
        assert rising[0]["accumulate_points"]["points"] == 510
        assert "tier_bonus_points" not in rising[0]["accumulate_points"]
        assert (at_argent["tier"]["name"], at_argent["tier"]["progress_points"]) == ("Argent", 510)
        assert at_argent["tier"]["kept_until"]
        assert (preview.json()["points"], preview.json()["tier_bonus_points"]) == (37, 7)
        assert events[0]["accumulate_points"]["points"] == 37
        assert events[0]["accumulate_points"]["tier_bonus_points"] == 7
        assert await balance(client, account) == 547


async def test_points_of_one_sale_are_found_by_its_order(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    await set_rules(client, spend())
    account = await enrol(chain, client)
    one, other = [(await post(client, chain, sold("a", 1000)))["id"] for _ in range(2)]
    events = await count(client, chain, account, one)
    await count(client, chain, account, other)

    async def found(order_id: str) -> list[dict[str, object]]:
        query = {"filter": {"order_filter": {"order_id": order_id}}}
        answer = await client.post("/v2/loyalty/events/search", json={"query": query})
        assert answer.status_code == 200, answer.text
        listed: list[dict[str, object]] = answer.json()["events"]
        return listed

    assert await found(one) == events
    assert await found(fresh_key()) == await found("nonsense") == []


async def test_a_late_upload_is_found_by_who_follows_the_feed(stack: Stack) -> None:
    """A partner that asks for what is new since its last call sees a sale of the day before."""
    chain = await open_chain(stack)
    async with chain.client() as client:
        account = await enrol(chain, client)
        await earn(chain, client, account, 1)
        (known,) = (await client.post("/v2/loyalty/events/search", json={})).json()["events"]
        happened = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30)
        order = await post(client, chain, sold("coupe", 2000), occurred_at=happened.isoformat())
        counted = await count(client, chain, account, order["id"])
        window = {"created_at": {"start_at": known["created_at"]}}
        query = {"filter": {"date_time_filter": window}}
        found = await client.post("/v2/loyalty/events/search", json={"query": query})

    late, again = found.json()["events"]
    assert (again["id"], [late]) == (known["id"], counted)
    assert late["created_at"] > known["created_at"]
    assert datetime.fromisoformat(late["occurred_at"]) == happened
