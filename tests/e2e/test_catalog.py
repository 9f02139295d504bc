"""The catalog over the API: whole or not at all, listed with variations inside of their items."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.e2e.chains import Chain, fresh_key, open_chain
from tests.e2e.sales import (
    cad,
    category,
    item,
    post,
    problem,
    set_rules,
    sold,
    spend,
    try_to_upsert,
    upsert,
)
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
async def chain(stack: Stack) -> Chain:
    return await open_chain(stack, "Catalogue")


async def listed(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    """The whole catalog, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await client.get("/v2/catalog/list", params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["objects"]) <= 100
        found += page["objects"]
        if "cursor" not in page:
            return found
        params["cursor"] = page["cursor"]


async def of(client: httpx.AsyncClient, object_id: str, **params: str) -> dict[str, Any]:
    """One object's answer."""
    answer = await client.get(f"/v2/catalog/object/{object_id}", params=params)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_new_objects_get_ids_and_find_one_another(chain: Chain) -> None:
    async with chain.client() as client:
        answer = await try_to_upsert(
            client,
            category("Soins"),
            category("Profonds", parent_category={"id": "#Soins"}),
            item("Masque", "#Profonds", price=6500),
        )
        told = answer.json()
        ids = {one["client_object_id"]: one["object_id"] for one in told["id_mappings"]}
        objects = {one["id"]: one for one in told["objects"]}
        masque = objects[ids["#Masque"]]
        shown = await of(client, ids["#Masque"], include_related_objects="true")

    assert set(ids) == {"#Soins", "#Profonds", "#Masque", "#Masque-une"}
    assert len(objects) == 3
    parent = objects[ids["#Profonds"]]["category_data"]["parent_category"]
    assert parent == {"id": ids["#Soins"]}
    assert masque["item_data"]["categories"] == [{"id": ids["#Profonds"]}]
    variation = masque["item_data"]["variations"][0]
    assert variation["id"] == ids["#Masque-une"]
    assert variation["item_variation_data"]["price_money"] == cad(6500)
    assert variation["item_variation_data"]["item_id"] == ids["#Masque"]
    assert shown["object"] == masque
    assert [one["id"] for one in shown["related_objects"]] == [ids["#Profonds"]]


async def test_the_list_has_pages_and_types(chain: Chain) -> None:
    """SQ-54: items without a category are in it too."""
    async with chain.client() as client:
        many = [item(f"Soin {place}") for place in range(130)]
        ids = await upsert(client, category("Soins"), *many)
        everything = await listed(client)
        items = await listed(client, types="ITEM")
        variations = await listed(client, types="item_variation, TAX")
        none = await listed(client, types="TAX,DISCOUNT")
        wrong = await client.get("/v2/catalog/list", params={"types": "ITEM,PIGEON"})
        cursor = (await client.get("/v2/catalog/list")).json()["cursor"]
        other_list = await client.get(
            "/v2/catalog/list", params={"types": "ITEM", "cursor": cursor}
        )

    assert len(everything) == len({one["id"] for one in everything}) == 131
    assert {one["type"] for one in everything} == {"ITEM", "CATEGORY"}
    assert len(items) == 130
    assert all(len(one["item_data"]["variations"]) == 1 for one in items)
    assert {one["id"] for one in variations} == {ids[f"#Soin {place}-une"] for place in range(130)}
    assert none == []
    assert problem(wrong) == (400, "INVALID_ENUM_VALUE", "types")
    assert problem(other_list) == (400, "INVALID_CURSOR", "cursor")


async def test_a_key_writes_once_and_answers_the_same(chain: Chain) -> None:
    async with chain.client() as client:
        body = {"idempotency_key": fresh_key(), "batches": [{"objects": [item("Coupe")]}]}
        first = await client.post("/v2/catalog/batch-upsert", json=body)
        again = await client.post("/v2/catalog/batch-upsert", json=body)
        missing = await client.post("/v2/catalog/batch-upsert", json={"batches": body["batches"]})
        items = await listed(client)

    assert first.status_code == 200
    assert first.json() == again.json()
    assert problem(missing) == (400, "MISSING_REQUIRED_PARAMETER", "idempotency_key")
    assert len(items) == 1


async def test_an_object_is_changed_by_its_id_and_its_version(chain: Chain) -> None:
    async with chain.client() as client:
        ids = await upsert(client, item("Coupe", price=4000))
        change = {"type": "ITEM", "id": ids["#Coupe"], "item_data": {"name": "Coupe longue"}}
        changed = await try_to_upsert(client, {**change, "version": 1})
        stale = await try_to_upsert(client, {**change, "version": 1})
        unversioned = await try_to_upsert(client, change)
        after = (await of(client, ids["#Coupe"]))["object"]

    assert changed.status_code == unversioned.status_code == 200
    assert problem(stale) == (409, "CONFLICT", "batches[0].objects[0].version")
    assert after["item_data"]["name"] == "Coupe longue"
    # A variation that its item does not name stays.
    assert [one["id"] for one in after["item_data"]["variations"]] == [ids["#Coupe-une"]]


async def test_what_is_deleted_is_gone(chain: Chain) -> None:
    async with chain.client() as client:
        ids = await upsert(client, item("Coupe"), item("Soin"))
        gone = await try_to_upsert(
            client, {"type": "ITEM", "id": ids["#Coupe"], "is_deleted": True}
        )
        left = await listed(client)
        missing = await client.get(f"/v2/catalog/object/{ids['#Coupe']}")

    assert gone.status_code == 200, gone.text
    assert [one["id"] for one in left] == [ids["#Soin"]]
    assert missing.status_code == 404


async def test_a_fault_in_one_object_keeps_none(chain: Chain) -> None:
    async with chain.client() as client:
        lost = await try_to_upsert(client, category("Bon"), item("Coupe", "#Nulle part"))
        unknown = await try_to_upsert(client, category("Bon"), item("Coupe", "nothing"))
        itself = await try_to_upsert(client, category("Bon", parent_category={"id": "#Bon"}))
        twice = await try_to_upsert(client, category("Bon"), category("Bon"))
        unnamed = await try_to_upsert(client, {"type": "CATEGORY", "id": "#c"})
        tax = await try_to_upsert(client, {"type": "TAX", "id": "#t"})
        kept = await listed(client)

    at = "batches[0].objects"
    assert problem(lost) == (404, "NOT_FOUND", f"{at}[1].item_data.categories")
    assert problem(unknown) == (404, "NOT_FOUND", f"{at}[1].item_data.categories")
    assert problem(itself)[:2] == (400, "INVALID_VALUE")
    assert problem(itself)[2] == f"{at}[0].category_data.parent_category"
    assert problem(twice) == (400, "INVALID_VALUE", f"{at}[1].id")
    assert problem(unnamed) == (400, "MISSING_REQUIRED_PARAMETER", f"{at}[0].category_data")
    assert problem(tax) == (400, "INVALID_ENUM_VALUE", f"{at}[0].type")
    assert kept == []


async def test_an_exclusion_holds_for_items_that_come_later(chain: Chain) -> None:
    """SQ-55: a new item in an excluded category earns nothing; moved out it earns."""
    async with chain.client() as client:
        ids = await upsert(client, category("Coloration"))
        await set_rules(client, spend(excluded_category_ids=[ids["#Coloration"]]))
        ids |= await upsert(client, item("Mèches", ids["#Coloration"]))

        async def worth() -> int:
            line = sold("m", 5000, catalog_object_id=ids["#Mèches-une"])
            order = (await post(client, chain, line))["id"]
            told = await client.post(
                "/v2/loyalty/programs/main/calculate", json={"order_id": order}
            )
            return int(told.json()["points"])

        inside = await worth()
        moved = {"type": "ITEM", "id": ids["#Mèches"], "item_data": {"name": "Mèches"}}
        assert (await try_to_upsert(client, moved)).status_code == 200
        outside = await worth()

    assert (inside, outside) == (0, 50)


async def test_a_stranger_sees_and_changes_nothing(chain: Chain, charlies: Chain) -> None:
    async with chain.client() as client, charlies.client() as stranger:
        ids = await upsert(client, category("Soins"), item("Coupe", "#Soins"))
        hidden = await stranger.get(f"/v2/catalog/object/{ids['#Coupe']}")
        change = {"type": "CATEGORY", "id": ids["#Soins"], "category_data": {"name": "À moi"}}
        refused = await try_to_upsert(stranger, change)
        theirs = await listed(stranger)
        name = (await of(client, ids["#Soins"]))["object"]["category_data"]["name"]

    assert hidden.status_code == refused.status_code == 404
    assert not {ids["#Coupe"], ids["#Soins"]} & {one["id"] for one in theirs}
    assert name == "Soins"
