"""Refunds and exchanges over the API: the worked numbers of the table, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.e2e.chains import Chain, balance, enrol, fresh_key, make_tier, open_chain, take
from tests.e2e.sales import (
    cad,
    category,
    count,
    item,
    post,
    problem,
    read,
    refund,
    refund_amount,
    refund_lines,
    sell,
    set_rules,
    sold,
    spend,
    try_to_exchange,
    try_to_refund,
    upsert,
    visit,
)
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
async def chain(stack: Stack) -> Chain:
    return await open_chain(stack, "Remboursements")


@pytest.fixture
async def client(chain: Chain) -> AsyncIterator[httpx.AsyncClient]:
    async with chain.client() as client:
        yield client


@pytest.fixture(scope="module")
async def ids(chain: Chain) -> dict[str, str]:
    """What the salon sells."""
    async with chain.client() as client:
        return await upsert(
            client, category("Produits"), item("Coupe"), item("Shampoing", "#Produits")
        )


async def status_of(client: httpx.AsyncClient, reward_id: str) -> str:
    """The state of a reward."""
    answer = await client.get(f"/v2/loyalty/rewards/{reward_id}")
    return str(answer.json()["reward"]["status"])


async def test_a_full_refund_takes_all_points_back(chain: Chain, client: httpx.AsyncClient) -> None:
    """R01, SQ-34: earned 100, refund all → −100."""
    await set_rules(client, spend())
    account, order = await sell(client, chain, sold("soin", 10_000))
    told = await refund(client, order, refund_id="r-1")
    event = told["events"][0]

    assert (told["points"], told["balance"]) == (-100, 0)
    assert event["type"] == "REFUND_POINTS"
    assert event["refund_points"] == {
        "loyalty_program_id": chain.program_id,
        "points": -100,
        "order_id": order,
        "change_id": "r-1",
    }
    assert event["loyalty_account_id"] == account
    assert await balance(client, account) == 0
    kept = (await read(client, order))["loyalty"]
    assert (kept["points"], kept["held_points"]) == (100, 0)
    assert [(change["id"], change["type"], change["points"]) for change in kept["changes"]] == [
        ("r-1", "FULL", -100)
    ]


async def test_custom_amounts_add_up_to_the_whole(chain: Chain, client: httpx.AsyncClient) -> None:
    """R03, R04, R05: $33.33 twice and the rest → 33, 33, 34."""
    await set_rules(client, spend())
    account, order = await sell(client, chain, sold("soin", 10_000))
    told = [await refund_amount(client, order, amount) for amount in (3333, 3333, 3334)]

    assert [one["points"] for one in told] == [-33, -33, -34]
    assert await balance(client, account) == 0


async def test_lines_that_earned_take_their_own_share(
    chain: Chain, client: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    """R12, R13, SQ-53: $60 of service, $40 excluded: the product takes 0, half the service 30."""
    await set_rules(client, spend(excluded_category_ids=[ids["#Produits"]]))
    lines = (
        sold("soin", 3000, "2", catalog_object_id=ids["#Coupe-une"]),
        sold("produit", 4000, catalog_object_id=ids["#Shampoing-une"]),
    )
    account, order = await sell(client, chain, *lines)
    product = await refund_lines(client, order, "produit")
    service = await refund_lines(client, order, "soin")

    assert (product["points"], product["events"]) == (0, [])
    assert service["points"] == -30
    assert await balance(client, account) == 30


async def test_a_visit_stays_while_enough_of_it_remains(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """R18, R20, SQ-38, SQ-39, D1: min $20, sale $35: refund $10 → 0; custom $16 → −1."""
    await set_rules(client, visit(2000))
    _, first = await sell(client, chain, sold("a", 2500), sold("b", 1000))
    _, second = await sell(client, chain, sold("a", 3500))

    assert (await refund_lines(client, first, "b"))["points"] == 0
    assert (await refund_amount(client, second, 1600))["points"] == -1


async def test_an_item_that_earned_nothing_takes_nothing(
    chain: Chain, client: httpx.AsyncClient, ids: dict[str, str]
) -> None:
    """R24, SQ-41: the shampoo takes 0, the cut its 2."""
    rule = {
        "accrual_type": "ITEM_VARIATION",
        "points": 2,
        "item_variation_data": {"item_variation_id": ids["#Coupe-une"]},
    }
    await set_rules(client, rule)
    lines = (
        sold("coupe", 4000, catalog_object_id=ids["#Coupe-une"]),
        sold("shampoing", 1500, catalog_object_id=ids["#Shampoing-une"]),
    )
    account, order = await sell(client, chain, *lines)

    assert await balance(client, account) == 2
    assert (await refund_lines(client, order, "shampoing"))["points"] == 0
    assert (await refund_lines(client, order, "coupe"))["points"] == -2


async def test_an_exchange_counts_by_the_terms_of_the_sale(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """R33, R34, SQ-43, SQ-44: $60 → $40 under 1/$1 is −20, also when the rate is 1/$2 now."""
    await set_rules(client, spend())
    loser, losing = await sell(client, chain, sold("a", 6000))
    winner, winning = await sell(client, chain, sold("a", 4000))
    await set_rules(client, spend(per=200))
    less = await try_to_exchange(client, losing, returned=["a"], added=[sold("b", 4000)])
    more = await try_to_exchange(client, winning, returned=["a"], added=[sold("b", 6000)])

    assert less.json()["points"] == -20
    assert less.json()["events"][0]["type"] == "REFUND_POINTS"
    assert await balance(client, loser) == less.json()["balance"] == 40
    assert more.json()["points"] == 20
    gained = more.json()["events"][0]
    assert (gained["type"], gained["accumulate_points"]["points"]) == ("ACCUMULATE_POINTS", 20)
    assert gained["accumulate_points"]["order_id"] == winning
    assert await balance(client, winner) == 60
    (change,) = (await client.get(f"/v2/orders/{winning}")).json()["order"]["loyalty"]["changes"]
    assert change["returned"] == [{"uid": "a", "quantity": "1"}]
    assert [(line["uid"], line["total_money"]) for line in change["added"]] == [("b", cad(6000))]


async def test_a_refund_by_the_same_id_has_no_second_effect(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """R35: $25 of $100, repeated with another key → 25, then nothing; another body is refused."""
    await set_rules(client, spend())
    account, order = await sell(client, chain, sold("a", 7500), sold("b", 2500))
    refund_id = fresh_key()
    first = await refund_lines(client, order, "b", refund_id=refund_id)
    again = await refund_lines(client, order, "b", refund_id=refund_id)
    other = await try_to_refund(client, order, refund_id=refund_id)

    assert first["points"] == -25
    assert "already_counted" not in first
    assert again["already_counted"] is True
    assert await balance(client, account) == 75
    assert problem(other) == (400, "INVALID_VALUE", "refund.refund_id")


async def test_a_reward_comes_back_with_the_sale_it_was_used_on(stack: Stack) -> None:
    """R36, N5: 10 % reward (cost 50) on $100: −90 and the reward is back in the wallet."""
    chain = await open_chain(stack, "Rendus")
    async with chain.client() as client:
        await set_rules(client, spend())
        tier = await make_tier(chain, client, 50)
        account, _ = await sell(client, chain, sold("a", 5000))
        order = (await post(client, chain, sold("a", 10_000)))["id"]
        reward = (await take(client, account, tier["id"])).json()["reward"]
        applied = await client.post(
            f"/v2/loyalty/rewards/{reward['id']}/apply", json={"order_id": order}
        )
        await count(client, chain, account, order)
        assert await status_of(client, reward["id"]) == "REDEEMED"
        preview = await try_to_refund(client, order, dry_run=True)
        told = await refund(client, order)

        assert await status_of(client, reward["id"]) == "ISSUED"
        query = {"filter": {"order_filter": {"order_id": order}}}
        found = await client.post("/v2/loyalty/events/search", json={"query": query})

        assert {event["type"] for event in found.json()["events"]} == {
            "ACCUMULATE_POINTS",
            "REDEEM_REWARD",
            "REFUND_POINTS",
            "RESTORE_REWARD",
        }
        assert applied.json()["order"]["total_money"] == cad(9000)
        assert told["points"] == -90
        assert told["returned_reward_ids"] == [reward["id"]]
        assert preview.json()["returned_reward_ids"] == [reward["id"]]
        assert await balance(client, account) == 0


async def test_a_dry_run_says_it_and_writes_nothing(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """N5: what the cashier sees before confirming; no key is needed."""
    await set_rules(client, spend())
    account, order = await sell(client, chain, sold("a", 10_000))
    before = await read(client, order)
    preview = await client.post(
        "/v2/loyalty/refunds",
        params={"dry_run": "true"},
        json={"refund": {"order_id": order, "refund_id": "r", "type": "FULL"}},
    )
    exchange = await try_to_exchange(
        client, order, returned=["a"], added=[sold("b", 4000)], dry_run=True
    )

    assert (preview.json()["points"], preview.json()["balance"]) == (-100, 0)
    assert exchange.json()["points"] == -60
    assert preview.json()["events"] == exchange.json()["events"] == []
    assert await read(client, order) == before
    assert await balance(client, account) == 100


async def test_points_that_were_spent_become_a_debt(stack: Stack) -> None:
    """R30, D3: $100, 95 spent, refunded in full → balance −95; with CLAMP_ZERO 0."""
    chain = await open_chain(stack, "Dettes")
    async with chain.client() as client:
        await set_rules(client, spend())
        tier = await make_tier(chain, client, 95)
        account, order = await sell(client, chain, sold("a", 10_000))
        assert (await take(client, account, tier["id"])).status_code == 200
        owed = await refund(client, order)
        await set_rules(client, refund_settings={"debt_rule": "CLAMP_ZERO"})
        other, second = await sell(client, chain, sold("a", 10_000))
        assert (await take(client, other, tier["id"])).status_code == 200
        clamped = await refund(client, second)

        assert (owed["points"], owed["balance"], owed["forgiven"]) == (-100, -95, 0)
        assert (clamped["points"], clamped["balance"], clamped["forgiven"]) == (-5, 0, 95)
        assert await balance(client, account) == -95


async def test_a_sale_without_a_member_loses_nothing(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """R32, SQ-45: no member on the original → no adjustment."""
    await set_rules(client, spend())
    order = (await post(client, chain, sold("a", 10_000)))["id"]
    told = await refund(client, order)

    assert (told["points"], told["events"]) == (0, [])


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"type": "ITEMS"}, "MISSING_REQUIRED_PARAMETER", "line_items"),
        ({"type": "CUSTOM_AMOUNT"}, "MISSING_REQUIRED_PARAMETER", "amount_money"),
        ({"type": "HALF"}, "INVALID_ENUM_VALUE", "type"),
        ({"amount_money": cad(1)}, "CONFLICTING_PARAMETERS", "amount_money"),
        (
            {"type": "CUSTOM_AMOUNT", "amount_money": {"amount": 1, "currency": "USD"}},
            "UNSUPPORTED_CURRENCY",
            "amount_money.currency",
        ),
        (
            {"type": "CUSTOM_AMOUNT", "amount_money": cad(10_001)},
            "REFUND_AMOUNT_INVALID",
            "amount_money",
        ),
        (
            {"type": "ITEMS", "line_items": [{"uid": "z", "quantity": "1"}]},
            "INVALID_VALUE",
            "line_items",
        ),
        (
            {"type": "ITEMS", "line_items": [{"uid": "a", "quantity": "2"}]},
            "VALUE_TOO_HIGH",
            "line_items",
        ),
        (
            {"type": "ITEMS", "line_items": [{"uid": "a", "quantity": "0"}]},
            "VALUE_TOO_LOW",
            "line_items[0].quantity",
        ),
        ({"refund_id": " "}, "VALUE_EMPTY", "refund_id"),
    ],
)
async def test_a_refund_that_cannot_be_is_refused_with_its_field(
    chain: Chain, client: httpx.AsyncClient, said: dict[str, Any], code: str, field: str
) -> None:
    await set_rules(client, spend())
    account, order = await sell(client, chain, sold("a", 10_000))
    answer = await try_to_refund(client, order, **said)

    assert problem(answer) == (400, code, f"refund.{field}")
    assert await balance(client, account) == 100


async def test_a_second_full_refund_hears_that_nothing_remains(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """With a field that the caller did send."""
    await set_rules(client, spend())
    account, order = await sell(client, chain, sold("a", 10_000))
    await refund(client, order, refund_id="r-1")
    answer = await try_to_refund(client, order, refund_id="r-2")

    assert problem(answer) == (400, "REFUND_AMOUNT_INVALID", "refund.type")
    assert "0 (in cents)" in answer.json()["errors"][0]["detail"]
    assert await balance(client, account) == 0


async def test_a_refund_of_what_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    for order_id in (fresh_key(), "nonsense"):
        answer = await try_to_refund(client, order_id)

        assert problem(answer) == (404, "NOT_FOUND", "refund.order_id")


async def test_a_sale_that_is_not_counted_yet_has_nothing_to_take_back(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    account = await enrol(chain, client)
    answer = await client.get(f"/v2/loyalty/accounts/{account}")
    customer = answer.json()["loyalty_account"]["customer_id"]
    order = (await post(client, chain, sold("a", 10_000), customer_id=customer))["id"]
    refused = await try_to_refund(client, order)

    assert problem(refused) == (409, "CONFLICT", "refund.order_id")
    assert (await read(client, order))["state"] == "OPEN"


async def test_a_refund_needs_its_key(chain: Chain, client: httpx.AsyncClient) -> None:
    _, order = await sell(client, chain, sold("a", 10_000))
    body = {"refund": {"order_id": order, "refund_id": "r", "type": "FULL"}}
    answer = await client.post("/v2/loyalty/refunds", json=body)

    assert problem(answer) == (400, "MISSING_REQUIRED_PARAMETER", "idempotency_key")


async def test_a_refund_is_told_again_by_its_key(chain: Chain, client: httpx.AsyncClient) -> None:
    await set_rules(client, spend())
    account, order = await sell(client, chain, sold("a", 10_000))
    body = {
        "idempotency_key": fresh_key(),
        "refund": {"order_id": order, "refund_id": fresh_key(), "type": "FULL"},
    }
    first = await client.post("/v2/loyalty/refunds", json=body)
    again = await client.post("/v2/loyalty/refunds", json=body)

    assert first.status_code == again.status_code == 200
    assert first.json()["events"] == again.json()["events"]
    assert first.json()["points"] == again.json()["points"] == -100
    assert await balance(client, account) == 0


async def test_what_an_exchange_cannot_take_is_refused(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    _, order = await sell(client, chain, sold("a", 10_000))
    taxed = sold("b", 100, applied_taxes=[{"tax_uid": "t"}])
    card = sold("b", 100, item_type="GIFT_CARD")
    refused = [
        await try_to_exchange(client, order, returned=["a"], added=[taxed]),
        await try_to_exchange(client, order, returned=["a"], added=[card]),
        await try_to_exchange(client, order, returned=["z"], added=[sold("b", 100)]),
        await try_to_exchange(client, order, returned=["a"], added=[sold("a", 100)]),
    ]

    assert [problem(answer)[2] for answer in refused] == [
        "exchange.added[0].applied_taxes",
        "exchange.added[0].item_type",
        "exchange.returned",
        "exchange.added",
    ]


async def test_strangers_refund_nothing(
    chain: Chain, charlies: Chain, client: httpx.AsyncClient
) -> None:
    await set_rules(client, spend())
    account, order = await sell(client, chain, sold("a", 10_000))
    async with charlies.client() as stranger:
        refused = [
            await try_to_refund(stranger, order),
            await try_to_refund(stranger, order, dry_run=True),
            await try_to_exchange(stranger, order, returned=["a"], added=[sold("b", 1)]),
        ]

    assert [answer.status_code for answer in refused] == [404] * 3
    assert await balance(client, account) == 100
