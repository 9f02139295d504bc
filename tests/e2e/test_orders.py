"""A till posts its sale: priced to the cent, honoured or refused, never half understood."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.e2e.chains import Chain, enrol, fresh_key, key_with, open_chain
from tests.e2e.sales import (
    cad,
    count,
    item,
    post,
    problem,
    read,
    sold,
    try_to_count,
    try_to_post,
    try_to_refund,
    upsert,
)
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
async def chain(stack: Stack) -> Chain:
    return await open_chain(stack, "Commandes")


@pytest.fixture
async def client(chain: Chain) -> AsyncIterator[httpx.AsyncClient]:
    async with chain.client() as client:
        yield client


async def test_an_order_is_priced_to_the_cent(chain: Chain, client: httpx.AsyncClient) -> None:
    """10 % off the cut, $5 off the whole, 5 % of tax on top, a tip."""
    made = await post(
        client,
        chain,
        sold("coupe", 8000, name="Coupe", applied_discounts=[{"discount_uid": "dix"}]),
        sold("soin", 2000, "2"),
        discounts=[
            {"uid": "dix", "scope": "LINE_ITEM", "percentage": "10"},
            {"uid": "cinq", "scope": "ORDER", "amount_money": cad(500)},
        ],
        taxes=[{"uid": "tps", "name": "TPS", "percentage": "5", "scope": "ORDER"}],
        total_tip_money=cad(1000),
        reference_id="caisse-7",
    )
    coupe, soin = made["line_items"]

    # 72.00 and 40.00: the five dollars are spread 3.21 and 1.79.
    assert (coupe["total_discount_money"], soin["total_discount_money"]) == (cad(1121), cad(179))
    assert made["total_discount_money"] == cad(1300)
    assert made["total_tax_money"] == cad(535)
    assert made["total_tip_money"] == cad(1000)
    assert made["total_money"] == cad(10_700 + 535 + 1000) == made["net_amount_due_money"]
    assert made["net_amounts"]["total_money"] == made["total_money"]
    paid = [line["total_money"]["amount"] for line in (coupe, soin)]
    assert sum(paid) == 10_700 + 535
    assert [one["applied_money"] for one in made["discounts"]] == [cad(800), cad(500)]
    assert made["taxes"][0]["applied_money"] == cad(535)
    assert (made["state"], made["reference_id"]) == ("OPEN", "caisse-7")
    assert await read(client, made["id"]) == made


async def test_a_tax_in_the_price_changes_no_total(chain: Chain, client: httpx.AsyncClient) -> None:
    taxes = [{"uid": "tva", "percentage": "5", "type": "INCLUSIVE"}]
    made = await post(client, chain, sold("coupe", 10_500), taxes=taxes)

    assert (made["total_money"], made["total_tax_money"]) == (cad(10_500), cad(500))
    assert made["line_items"][0]["total_discount_money"] == cad(0)


async def test_the_same_key_gives_the_same_order_and_another_body_is_refused(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    body: dict[str, Any] = {
        "idempotency_key": fresh_key(),
        "order": {"location_id": chain.salon_id, "line_items": [sold("coupe", 8000)]},
    }
    first = await client.post("/v2/orders", json=body)
    again = await client.post("/v2/orders", json=body)
    body["order"]["line_items"] = [sold("coupe", 8001)]
    other = await client.post("/v2/orders", json=body)

    assert first.json() == again.json()
    assert problem(other)[:2] == (400, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize(
    ("told", "tip"),
    [
        ({}, 0),
        ({"total_tip_money": cad(300)}, 300),
        ({"tenders": [{"type": "CARD", "tip_money": cad(200)}, {"tip_money": cad(100)}]}, 300),
        ({"total_tip_money": cad(300), "tenders": [{"tip_money": cad(300)}]}, 300),
    ],
)
async def test_a_tip_comes_with_the_order_or_with_its_tenders(
    chain: Chain, client: httpx.AsyncClient, told: dict[str, Any], tip: int
) -> None:
    """D13: it is told, and never earns."""
    made = await post(client, chain, sold("coupe", 8000), **told)

    assert made["total_tip_money"] == cad(tip)
    assert made["total_money"] == cad(8000 + tip)


async def test_two_tips_that_disagree_are_refused(chain: Chain, client: httpx.AsyncClient) -> None:
    told = {"total_tip_money": cad(300), "tenders": [{"tip_money": cad(200)}]}
    answer = await try_to_post(client, chain, sold("coupe", 8000), **told)

    assert problem(answer) == (400, "CONFLICTING_PARAMETERS", "order.total_tip_money")


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"service_charges": [{"name": "x"}]}, "BAD_REQUEST", "service_charges"),
        ({"returns": [{"uid": "x"}]}, "BAD_REQUEST", "returns"),
        ({"refunds": [{"id": "x"}]}, "BAD_REQUEST", "refunds"),
        ({"rewards": [{"id": "x"}]}, "BAD_REQUEST", "rewards"),
        ({"rounding_adjustment": {"amount_money": cad(-2)}}, "BAD_REQUEST", "rounding_adjustment"),
        ({"pricing_options": {"auto_apply_taxes": True}}, "BAD_REQUEST", "pricing_options"),
        ({"state": "COMPLETED"}, "INVALID_VALUE", "state"),
        (
            {"discounts": [{"percentage": "10", "reward_ids": ["r"]}]},
            "BAD_REQUEST",
            "discounts[0].reward_ids",
        ),
        (
            {"discounts": [{"percentage": "10", "pricing_rule_id": "r"}]},
            "BAD_REQUEST",
            "discounts[0].pricing_rule_id",
        ),
        (
            {"discounts": [{"percentage": "10", "amount_money": cad(1)}]},
            "CONFLICTING_PARAMETERS",
            "discounts[0].amount_money",
        ),
        ({"discounts": [{"name": "x"}]}, "MISSING_REQUIRED_PARAMETER", "discounts[0].percentage"),
        (
            {"discounts": [{"catalog_object_id": "x"}]},
            "BAD_REQUEST",
            "discounts[0].catalog_object_id",
        ),
        (
            {"discounts": [{"uid": "d", "scope": "LINE_ITEM", "percentage": "10"}]},
            "INVALID_VALUE",
            "discounts[0].scope",
        ),
        (
            {"taxes": [{"uid": "t", "percentage": "5"}, {"uid": "t", "percentage": "9"}]},
            "INVALID_VALUE",
            "taxes[1].uid",
        ),
        ({"taxes": [{"percentage": "100.1"}]}, "INVALID_VALUE", "taxes[0].percentage"),
        ({"customer_id": fresh_key()}, "NOT_FOUND", "customer_id"),
        ({"location_id": fresh_key()}, "NOT_FOUND", "location_id"),
        (
            {"total_tip_money": {"amount": 1, "currency": "USD"}},
            "UNSUPPORTED_CURRENCY",
            "total_tip_money.currency",
        ),
        ({"occurred_at": "2020-01-01T00:00:00Z"}, "INVALID_TIME", "occurred_at"),
    ],
)
async def test_what_a_sale_cannot_be_is_refused_with_its_field(
    chain: Chain, client: httpx.AsyncClient, said: dict[str, Any], code: str, field: str
) -> None:
    """Nothing that would change the total is dropped without a word."""
    answer = await try_to_post(client, chain, sold("coupe", 8000), **said)

    status = 404 if code == "NOT_FOUND" else 400
    assert problem(answer) == (status, code, f"order.{field}")


@pytest.mark.parametrize(
    ("line", "code", "field"),
    [
        ({"quantity": "0"}, "VALUE_TOO_LOW", "quantity"),
        ({"quantity": "-1"}, "VALUE_REGEX_MISMATCH", "quantity"),
        ({"quantity": "1.000001"}, "VALUE_REGEX_MISMATCH", "quantity"),
        ({"item_type": "GIFT_CARD"}, "BAD_REQUEST", "item_type"),
        ({"base_price_money": None}, "MISSING_REQUIRED_PARAMETER", "base_price_money"),
        (
            {"base_price_money": {"amount": 1, "currency": "USD"}},
            "UNSUPPORTED_CURRENCY",
            "base_price_money.currency",
        ),
        ({"modifiers": [{"base_price_money": cad(100)}]}, "BAD_REQUEST", "modifiers[0]"),
        ({"modifiers": [{"catalog_object_id": "x"}]}, "BAD_REQUEST", "modifiers[0]"),
        (
            {"pricing_blocklists": {"blocked_taxes": [{"uid": "x"}]}},
            "BAD_REQUEST",
            "pricing_blocklists",
        ),
        ({"applied_taxes": [{"tax_uid": "t"}]}, "INVALID_VALUE", "applied_taxes[0].tax_uid"),
        (
            {"applied_service_charges": [{"service_charge_uid": "x"}]},
            "BAD_REQUEST",
            "applied_service_charges",
        ),
        (
            {"base_price_money": None, "catalog_object_id": "nothing"},
            "NOT_FOUND",
            "catalog_object_id",
        ),
    ],
)
async def test_a_line_that_cannot_be_is_refused_with_its_field(
    chain: Chain, client: httpx.AsyncClient, line: dict[str, Any], code: str, field: str
) -> None:
    answer = await try_to_post(client, chain, sold("soin", 100), {**sold("coupe", 8000), **line})

    status = 404 if code == "NOT_FOUND" else 400
    assert problem(answer) == (status, code, f"order.line_items[1].{field}")


async def test_what_means_nothing_here_is_taken_without_a_word(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    made = await post(
        client,
        chain,
        sold("coupe", 8000, note="x", metadata={"a": "b"}, quantity_unit={"precision": 2}),
        source={"name": "Caisse"},
        fulfillments=[{"type": "PICKUP"}],
        metadata={"a": "b"},
        ticket_name="42",
        service_charges=[],
        returns=[],
        state="OPEN",
        total_money=cad(1),
        net_amounts={"total_money": cad(1)},
        version=9,
    )

    assert made["total_money"] == cad(8000)
    assert made["version"] == 1


async def test_an_amount_goes_on_one_line_or_on_the_order(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """Square would take the amount off each line; nobody shall guess."""
    applied: dict[str, Any] = {"applied_discounts": [{"discount_uid": "d"}]}
    discounts = [{"uid": "d", "amount_money": cad(100)}]
    both = await try_to_post(
        client, chain, sold("a", 500, **applied), sold("b", 500, **applied), discounts=discounts
    )
    one = await post(client, chain, sold("a", 500, **applied), sold("b", 500), discounts=discounts)

    assert problem(both) == (400, "INVALID_VALUE", "order.discounts[0].amount_money")
    assert one["discounts"][0]["scope"] == "LINE_ITEM"
    assert [line["total_money"] for line in one["line_items"]] == [cad(400), cad(500)]


async def test_two_lines_of_one_name_are_refused(chain: Chain, client: httpx.AsyncClient) -> None:
    answer = await try_to_post(client, chain, sold("a", 500), sold("a", 600))

    assert problem(answer)[:2] == (400, "INVALID_VALUE")
    assert problem(answer)[2].startswith("order.line_items")


async def test_lines_without_a_uid_are_given_one(chain: Chain, client: httpx.AsyncClient) -> None:
    plain = {"quantity": "1", "base_price_money": cad(500)}
    made = await post(client, chain, plain, sold("line-1", 600), plain)

    uids = [line["uid"] for line in made["line_items"]]
    assert uids[1] == "line-1"
    assert len(set(uids)) == 3


async def test_a_line_has_the_catalogs_price_where_it_says_none(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    ids = await upsert(client, item("Soin", price=6500), item("Conseil"))
    line = {"uid": "soin", "quantity": "2", "catalog_object_id": ids["#Soin-une"]}
    made = await post(client, chain, line)
    own = await post(client, chain, {**line, "base_price_money": cad(6000)})
    free = await try_to_post(client, chain, {**line, "catalog_object_id": ids["#Conseil-une"]})

    assert made["total_money"] == cad(13_000)
    assert made["line_items"][0]["catalog_object_id"] == ids["#Soin-une"]
    assert own["total_money"] == cad(12_000)
    field = "order.line_items[0].base_price_money"
    assert problem(free) == (400, "MISSING_REQUIRED_PARAMETER", field)


async def test_a_resend_gets_the_first_order_whatever_became_of_it_and_of_the_price(
    chain: Chain, client: httpx.AsyncClient
) -> None:
    """api.md 4: counted and dearer in the catalog since, the answer is what it was."""
    ids = await upsert(client, item("Masque", price=6500))
    line = {"quantity": "2", "catalog_object_id": ids["#Masque-une"]}
    order = {"location_id": chain.salon_id, "line_items": [line]}
    body = {"idempotency_key": fresh_key(), "order": order}
    made = await client.post("/v2/orders", json=body)
    await count(client, chain, await enrol(chain, client), made.json()["order"]["id"])
    known = await client.get(f"/v2/catalog/object/{ids['#Masque-une']}")
    dearer = known.json()["object"]
    dearer["item_variation_data"]["price_money"]["amount"] = 9900
    await upsert(client, dearer)

    again = await client.post("/v2/orders", json=body)
    fresh = await client.post("/v2/orders", json={**body, "idempotency_key": fresh_key()})

    assert (made.status_code, again.json()) == (200, made.json())
    assert made.json()["order"]["total_money"] == cad(13_000)
    assert fresh.json()["order"]["total_money"] == cad(19_800)


async def test_orders_are_retrieved_together_and_strangers_left_out(
    chain: Chain, charlies: Chain, client: httpx.AsyncClient
) -> None:
    first, second = await post(client, chain, sold("a", 1)), await post(client, chain, sold("b", 2))
    asked = [second["id"], fresh_key(), "nonsense", first["id"], second["id"]]
    together = await client.post("/v2/orders/batch-retrieve", json={"order_ids": asked})
    async with charlies.client() as stranger:
        hidden = await stranger.post("/v2/orders/batch-retrieve", json={"order_ids": asked})
        missing = await stranger.get(f"/v2/orders/{first['id']}")

    assert together.json()["orders"] == [second, first]
    assert hidden.json() == {"orders": []}
    assert missing.status_code == 404


async def test_a_key_of_one_salon_sees_no_order_of_another(stack: Stack) -> None:
    """Foreign orders are not found, whatever is asked of them."""
    chain = await open_chain(stack, salons=[{"name": "Plateau"}, {"name": "Rosemont"}])
    plateau, rosemont = chain.told["location_ids"]
    scopes = ("LOYALTY_READ", "LOYALTY_WRITE", "ORDERS_READ", "ORDERS_WRITE")
    token = await key_with(chain, *scopes, salon_ids=(rosemont,))
    async with chain.client() as owner, chain.client(token) as till:
        account = await enrol(chain, owner)
        there = (await post(owner, chain, sold("a", 100), location_id=plateau))["id"]
        here = (await post(till, chain, sold("a", 100), location_id=rosemont))["id"]
        wrong_place = await try_to_post(till, chain, sold("a", 100), location_id=plateau)
        calculate = "/v2/loyalty/programs/main/calculate"
        hidden = [
            await till.get(f"/v2/orders/{there}"),
            await till.post(calculate, json={"order_id": there}),
            await try_to_count(till, chain, account, there, location_id=rosemont),
            await try_to_count(till, chain, account, there, location_id=plateau),
            await try_to_refund(till, there),
        ]
        found = await till.post("/v2/orders/batch-retrieve", json={"order_ids": [there, here]})
        elsewhere = await try_to_count(owner, chain, account, here, location_id=plateau)
        counted = await try_to_count(till, chain, account, here, location_id=rosemont)

    assert problem(wrong_place) == (404, "NOT_FOUND", "order.location_id")
    assert [answer.status_code for answer in hidden] == [404] * len(hidden)
    assert [order["id"] for order in found.json()["orders"]] == [here]
    assert problem(elsewhere) == (400, "LOCATION_MISMATCH", "location_id")
    assert counted.status_code == 200


async def test_orders_have_scopes_of_their_own(chain: Chain, client: httpx.AsyncClient) -> None:
    made = await post(client, chain, sold("a", 100))
    loyalty = await key_with(chain, "LOYALTY_READ", "LOYALTY_WRITE")
    orders = await key_with(chain, "ORDERS_READ")
    async with chain.client(loyalty) as till, chain.client(orders) as reader:
        refused = [
            await till.get(f"/v2/orders/{made['id']}"),
            await try_to_post(till, chain, sold("a", 100)),
            await till.get("/v2/catalog/list"),
            await try_to_post(reader, chain, sold("a", 100)),
        ]
        seen = await reader.get(f"/v2/orders/{made['id']}")

    assert {problem(answer)[:2] for answer in refused} == {(403, "INSUFFICIENT_SCOPES")}
    assert seen.json()["order"] == made
