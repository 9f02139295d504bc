"""The catalog of a chain: what a till sells, and what sales learn of it (SQ-53 to SQ-57)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import grpc
import pytest
from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1.types_pb2 import Money

from services.points.domain import accrual
from services.points.domain.accrual import SpendRule
from services.points.domain.catalog import DEPTH_MAX, Sellable
from services.points.domain.ids import CatalogId, ChainId, LineUid
from services.points.domain.sales import SaleLine
from services.points.storage import catalog as catalog_rows
from tests.points.house import House, new_id, refusal_of

ITEM = pb.CATALOG_OBJECT_TYPE_ITEM
VARIATION = pb.CATALOG_OBJECT_TYPE_ITEM_VARIATION
CATEGORY = pb.CATALOG_OBJECT_TYPE_CATEGORY


def category(id: str, parent: str = "", **more: Any) -> pb.CatalogObject:
    above = [parent] if parent else []
    return pb.CatalogObject(id=id, type=CATEGORY, name="Catégorie", category_ids=above, **more)


def item(id: str, *categories: str, **more: Any) -> pb.CatalogObject:
    return pb.CatalogObject(id=id, type=ITEM, name="Article", category_ids=categories, **more)


def variation(id: str, of: str, **more: Any) -> pb.CatalogObject:
    return pb.CatalogObject(id=id, type=VARIATION, name="Court", item_id=of, **more)


async def upsert(
    house: House, *objects: pb.CatalogObject, key: str = "", chain_id: str = ""
) -> pb.UpsertCatalogObjectsResponse:
    return await house.stub.UpsertCatalogObjects(
        pb.UpsertCatalogObjectsRequest(
            idempotency_key=key or new_id(),
            chain_id=chain_id or house.chain_id,
            objects=objects,
            actor=house.bob,
        )
    )


async def listed(house: House, **filters: Any) -> pb.ListCatalogObjectsResponse:
    values: dict[str, Any] = {"chain_id": house.chain_id, **filters}
    return await house.stub.ListCatalogObjects(pb.ListCatalogObjectsRequest(**values))


async def resolved(house: House, *ids: str, chain_id: str = "") -> dict[CatalogId, Sellable]:
    async with house.deps.pool.acquire() as conn:
        return await catalog_rows.lines_resolved(
            conn, ChainId(UUID(chain_id or house.chain_id)), [CatalogId(each) for each in ids]
        )


def dollars(of: Sellable, *, excluding: Sequence[str]) -> int:
    """What a line of $40 earns at a point a dollar."""
    rule = SpendRule(
        points=1,
        amount_minor=100,
        excluded_category_ids=frozenset(CatalogId(each) for each in excluding),
    )
    line = SaleLine(
        uid=LineUid("1"),
        item_id=of.item_id,
        variation_id=of.variation_id,
        category_ids=of.category_ids,
        quantity=Decimal(1),
        gross_minor=4000,
        net_minor=4000,
    )
    return accrual.base_points(rule, accrual.whole([line]))


async def test_new_objects_get_ids_and_name_each_other_by_their_own(house: House) -> None:
    answer = await upsert(
        house,
        variation("#coupe", "#service", price=Money(amount=4000, currency="CAD")),
        item("#service", "#cat"),
        category("#cat"),
    )
    coupe, service, cat = answer.objects
    assert dict(answer.new_ids) == {"#coupe": coupe.id, "#service": service.id, "#cat": cat.id}
    assert all(str(UUID(each.id)) == each.id for each in answer.objects)
    assert (coupe.item_id, list(service.category_ids)) == (service.id, [cat.id])
    assert (coupe.price.amount, coupe.price.currency) == (4000, "CAD")
    assert not service.HasField("price")
    assert [each.version for each in answer.objects] == [1, 1, 1]
    stored = (await listed(house)).objects
    assert sorted(stored, key=lambda each: each.id) == sorted(
        answer.objects, key=lambda each: each.id
    )


async def test_the_same_key_returns_the_first_answer(house: House) -> None:
    """Ids too: a till that asks again does not get a second catalog."""
    key = new_id()
    first = await upsert(house, item("#a"), category("#b"), key=key)
    changed = item(first.new_ids["#a"], first.new_ids["#b"])
    assert (await upsert(house, changed)).objects[0].version == 2
    assert await upsert(house, item("#a"), category("#b"), key=key) == first
    assert len((await listed(house)).objects) == 2
    refusal = await refusal_of(upsert(house, item("#a"), key=key))
    assert refusal.code == "IDEMPOTENCY_KEY_REUSED"


async def test_twins_in_flight_make_one_catalog(house: House) -> None:
    key = new_id()
    answers = await asyncio.gather(
        *(upsert(house, item("#a"), variation("#b", "#a"), key=key) for _ in range(6))
    )
    assert all(answer == answers[0] for answer in answers)
    assert len((await listed(house)).objects) == 2


async def test_a_version_grows_only_with_a_change(house: House) -> None:
    first = (await upsert(house, item("#a"))).objects[0]
    house.later(60)
    same = (await upsert(house, item(first.id))).objects[0]
    assert same == first
    changed = item(first.id)
    changed.name = "Autre"
    second = (await upsert(house, changed)).objects[0]
    assert (second.version, second.updated_at.seconds) == (2, first.updated_at.seconds + 60)


async def test_a_change_of_what_was_changed_since_is_refused(house: House) -> None:
    first = (await upsert(house, item("#a"))).objects[0]
    renamed = item(first.id, version=1)
    renamed.name = "Autre"
    assert (await upsert(house, renamed)).objects[0].version == 2
    renamed.name = "Encore"
    refusal = await refusal_of(upsert(house, renamed))
    assert (refusal.code, refusal.field) == ("catalog_version_stale", "objects[0].version")
    assert refusal.params == {"version": "2"}
    assert (await listed(house)).objects[0].name == "Autre"


async def test_all_or_none_is_written(house: House) -> None:
    ghost = new_id()
    refusal = await refusal_of(upsert(house, category("#a"), item("#b", "#a"), item(ghost)))
    assert (refusal.code, refusal.field) == ("catalog_object_unknown", "objects[2].id")
    assert (refusal.status, refusal.params) == (grpc.StatusCode.NOT_FOUND, {"id": ghost})
    assert not (await listed(house)).objects


async def test_a_thousand_objects_at_most(house: House) -> None:
    answer = await upsert(house, *(item(f"#{n}") for n in range(1000)))
    assert len({each.id for each in answer.objects}) == 1000
    for many in ([], [item(f"#{n}") for n in range(1001)]):
        refusal = await refusal_of(upsert(house, *many))
        assert (refusal.code, refusal.field) == ("number_out_of_range", "objects")


@pytest.mark.parametrize(
    ("made", "code", "field"),
    [
        (item(""), "id_invalid", "id"),
        (item("#" + "x" * 36), "id_invalid", "id"),
        (item("#a\x00"), "id_invalid", "id"),
        (pb.CatalogObject(id="#a", name="A"), "catalog_type_invalid", "type"),
        (pb.CatalogObject(id="#a", type=9, name="A"), "catalog_type_invalid", "type"),  # type: ignore[arg-type]
        (pb.CatalogObject(id="#a", type=ITEM, name=" "), "text_invalid", "name"),
        (pb.CatalogObject(id="#a", type=ITEM, name="a\nb"), "text_invalid", "name"),
        (pb.CatalogObject(id="#a", type=ITEM, name="n" * 256), "text_invalid", "name"),
        (variation("#a", ""), "id_invalid", "item_id"),
        (variation("#a", "#ghost"), "catalog_object_unknown", "item_id"),
        (variation("#a", "ghost"), "catalog_object_unknown", "item_id"),
        (variation("#a", "#a"), "catalog_object_unknown", "item_id"),
        (item("#a", "#a"), "catalog_object_unknown", "category_ids"),
        (item("#a", "ghost"), "catalog_object_unknown", "category_ids"),
        (item("#a", item_id="x"), "catalog_field_foreign", "item_id"),
        (item("#a", price=Money(amount=1, currency="CAD")), "catalog_field_foreign", "price"),
        (variation("#a", "x", category_ids=["b"]), "catalog_field_foreign", "category_ids"),
        (item("#a", *map(str, range(51))), "number_out_of_range", "category_ids"),
        (
            variation("#a", "x", price=Money(amount=-1, currency="CAD")),
            "number_out_of_range",
            "price",
        ),
        (variation("#a", "x", price=Money(amount=1, currency="$")), "currency_invalid", "price"),
        (item("#a", deleted=True), "catalog_object_unknown", "id"),
    ],
)
async def test_a_wrong_object_is_refused_by_its_part(
    house: House, made: pb.CatalogObject, code: str, field: str
) -> None:
    refusal = await refusal_of(upsert(house, made))
    assert (refusal.code, refusal.field) == (code, f"objects[0].{field}")


async def test_an_object_stands_once_in_an_upsert_and_keeps_its_type(house: House) -> None:
    refusal = await refusal_of(upsert(house, item("#a"), category("#a")))
    assert (refusal.code, refusal.field) == ("catalog_object_repeated", "objects[1].id")
    made = (await upsert(house, item("#a"))).objects[0]
    refusal = await refusal_of(upsert(house, category(made.id)))
    assert (refusal.code, refusal.field) == ("catalog_type_invalid", "objects[0].type")


async def test_a_category_never_lies_in_itself(house: House) -> None:
    for objects in (
        [category("#a", "#a")],
        [category("#a", "#b"), category("#b", "#c"), category("#c", "#a")],
    ):
        refusal = await refusal_of(upsert(house, *objects))
        assert (refusal.code, refusal.field) == (
            "category_tree_invalid",
            "objects[0].category_ids",
        )
    ids = (await upsert(house, category("#a"), category("#b", "#a"), category("#c", "#b"))).new_ids
    refusal = await refusal_of(upsert(house, item("#i"), category(ids["#a"], ids["#c"])))
    assert (refusal.code, refusal.field) == ("category_tree_invalid", "objects[1].category_ids")


async def test_parallel_moves_leave_no_circle(house: House) -> None:
    ids = (await upsert(house, category("#a"), category("#b"))).new_ids
    outcomes = await asyncio.gather(
        upsert(house, category(ids["#a"], ids["#b"])),
        upsert(house, category(ids["#b"], ids["#a"])),
        return_exceptions=True,
    )
    refused = [each for each in outcomes if isinstance(each, Exception)]
    assert [getattr(each, "code", each) for each in refused] == ["category_tree_invalid"]


async def test_categories_lie_only_so_deep(house: House) -> None:
    deep = [category("#1"), *(category(f"#{n}", f"#{n - 1}") for n in range(2, DEPTH_MAX + 1))]
    ids = (await upsert(house, *reversed(deep))).new_ids
    made = (await upsert(house, item("#i", ids[f"#{DEPTH_MAX}"]))).objects[0]
    found = (await resolved(house, made.id))[CatalogId(made.id)]
    assert set(found.category_ids) == set(ids.values())
    refusal = await refusal_of(upsert(house, category("#more", ids[f"#{DEPTH_MAX}"])))
    assert (refusal.code, refusal.params) == (
        "category_tree_invalid",
        {"depth_max": str(DEPTH_MAX)},
    )
    # From above as well: what lies below it would be too deep.
    refusal = await refusal_of(upsert(house, category("#top"), category(ids["#1"], "#top")))
    assert refusal.code == "category_tree_invalid"


async def test_sq_55_new_items_of_an_excluded_category_earn_nothing(house: House) -> None:
    """SQ-55: exclude "Coloration", then create an item in it → 0; moved out, it earns again."""
    ids = (await upsert(house, category("#coloration"), category("#coupes"))).new_ids
    excluded = [ids["#coloration"]]
    made = await upsert(house, item("#mèches", excluded[0]), variation("#court", "#mèches"))
    of, court = made.new_ids["#mèches"], CatalogId(made.new_ids["#court"])
    found = (await resolved(house, court))[court]
    assert (found.item_id, found.variation_id) == (of, court)
    assert dollars(found, excluding=excluded) == 0
    await upsert(house, item(of, ids["#coupes"]))
    assert dollars((await resolved(house, court))[court], excluding=excluded) == 40


async def test_sq_55_a_category_is_excluded_with_all_below_it(house: House) -> None:
    ids = (
        await upsert(
            house,
            category("#produits"),
            category("#soins", "#produits"),
            item("#masque", "#soins"),
        )
    ).new_ids
    masque = CatalogId(ids["#masque"])
    found = (await resolved(house, masque))[masque]
    assert (found.item_id, found.variation_id) == (masque, None)
    assert set(found.category_ids) == {ids["#soins"], ids["#produits"]}
    assert dollars(found, excluding=[ids["#produits"]]) == 0
    await upsert(house, category(ids["#soins"]))
    assert dollars((await resolved(house, masque))[masque], excluding=[ids["#produits"]]) == 40


async def test_many_lines_are_resolved_at_once(house: House) -> None:
    """Twice in one, in no category, a category, deleted, unknown, and of another chain."""
    ids = (
        await upsert(
            house,
            category("#top"),
            category("#left", "#top"),
            category("#right", "#top"),
            item("#both", "#left", "#right"),
            item("#none"),
            variation("#some", "#none"),
            item("#gone"),
        )
    ).new_ids
    await upsert(house, item(ids["#gone"], deleted=True))
    theirs = await upsert(house, item("#x"), chain_id=house.charlies_chain)
    found = await resolved(house, *ids.values(), "unknown", theirs.new_ids["#x"])
    assert set(found) == {ids["#both"], ids["#none"], ids["#some"]}
    both = found[CatalogId(ids["#both"])]
    assert sorted(both.category_ids) == sorted([ids["#left"], ids["#right"], ids["#top"]])
    assert found[CatalogId(ids["#some"])] == Sellable(
        item_id=CatalogId(ids["#none"]), variation_id=CatalogId(ids["#some"]), category_ids=()
    )
    assert await resolved(house) == {}


async def test_variations_go_with_their_item(house: House) -> None:
    ids = (await upsert(house, item("#a"), variation("#v", "#a"), variation("#w", "#a"))).new_ids
    gone = pb.CatalogObject(id=ids["#a"], type=ITEM, deleted=True)
    answer = (await upsert(house, gone)).objects[0]
    assert (answer.deleted, answer.version, answer.name) == (True, 2, "Article")
    assert not (await listed(house)).objects
    refusal = await refusal_of(upsert(house, variation("#x", ids["#a"])))
    assert (refusal.code, refusal.field) == ("catalog_object_unknown", "objects[0].item_id")
    assert (await upsert(house, gone)).objects[0] == answer
    back = await upsert(house, item(ids["#a"]), variation(ids["#v"], ids["#a"]))
    assert [(each.version, each.deleted) for each in back.objects] == [(3, False), (3, False)]


async def test_what_lay_in_a_deleted_category_lies_in_it_no_more(house: House) -> None:
    """An item that is read and written back does not stumble over it."""
    ids = (
        await upsert(
            house, category("#a"), category("#b"), category("#c", "#a"), item("#i", "#a", "#b")
        )
    ).new_ids
    await upsert(house, category(ids["#a"], deleted=True))
    found = {each.id: each for each in (await listed(house)).objects}
    assert set(found) == {ids["#b"], ids["#c"], ids["#i"]}
    assert list(found[ids["#i"]].category_ids) == [ids["#b"]]
    assert (found[ids["#i"]].version, list(found[ids["#c"]].category_ids)) == (2, [])
    assert (await upsert(house, found[ids["#i"]])).objects[0] == found[ids["#i"]]


async def test_the_catalog_is_listed_by_id_page_by_page(house: House) -> None:
    made = await upsert(
        house,
        *(item(f"#{n}") for n in range(5)),
        *(variation(f"#v{n}", f"#{n % 2}") for n in range(4)),
        category("#c"),
    )
    found: list[str] = []
    page = await listed(house, types=[ITEM], limit=2)
    while page.objects:
        found += [each.id for each in page.objects]
        assert page.more == (len(found) < 5)
        page = await listed(house, types=[ITEM], limit=2, after_id=found[-1])
    assert found == sorted(made.new_ids[f"#{n}"] for n in range(5))
    both = await listed(house, types=[CATEGORY, VARIATION])
    assert (len(both.objects), both.more) == (5, False)
    of_one = await listed(house, item_ids=[made.new_ids["#0"]])
    assert {each.id for each in of_one.objects} == {made.new_ids["#v0"], made.new_ids["#v2"]}
    named = await listed(house, ids=[made.new_ids["#c"], made.new_ids["#v1"], new_id(), "\x00"])
    assert {each.id for each in named.objects} == {made.new_ids["#c"], made.new_ids["#v1"]}
    assert not (await listed(house, item_ids=["\x00"])).objects


async def test_a_list_that_makes_no_sense_is_refused(house: House) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"limit": -1}, "limit"),
        ({"limit": 201}, "limit"),
        ({"types": [9]}, "types"),
        ({"ids": [str(n) for n in range(201)]}, "ids"),
        ({"item_ids": [str(n) for n in range(201)]}, "item_ids"),
        ({"after_id": "\x00"}, "after_id"),
    ]
    for filters, field in wrong:
        assert (await refusal_of(listed(house, **filters))).field == field


async def test_charlies_chain_sees_and_writes_nothing_of_chain_as_catalog(house: House) -> None:
    made = (await upsert(house, item("#a"))).objects[0]
    theirs = house.charlies_chain
    assert not (await listed(house, chain_id=theirs)).objects
    assert not (await listed(house, chain_id=theirs, ids=[made.id])).objects
    for written in (item(made.id), variation("#v", made.id)):
        refusal = await refusal_of(upsert(house, written, chain_id=theirs))
        assert refusal.code == "catalog_object_unknown"
    assert await resolved(house, made.id, chain_id=theirs) == {}
