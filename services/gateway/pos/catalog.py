"""The catalog: what a till sells, as far as earning asks (SQ-53 to SQ-55)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, NotRequired

from fastapi import APIRouter, Query
from loyalty.points.v1 import points_pb2
from loyalty.points.v1.points_pb2 import CatalogObject
from pydantic import AfterValidator, Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.chassis.errors import RemoteRefusal
from services.gateway.errors import ApiError, Json, from_remote
from services.gateway.pos import catalog_bodies, cursors
from services.gateway.pos.caller import Caller, ItemReader, ItemWriter
from services.gateway.pos.catalog_bodies import OBJECTS_MAX, CatalogBatch
from services.gateway.pos.catalog_shapes import TYPES, CatalogObjectShape, by_item, object_shape
from services.gateway.pos.fields import ID_LENGTH_MAX, Key, Part, SoughtCursor, single_line
from services.gateway.pos.shapes import moment

router = APIRouter(prefix="/catalog", tags=["Catalog"])

PAGE: Final = 100
READ_AT_ONCE: Final = 200
# What a list holds when the caller names no types: variations stand inside of their items.
TOP_TYPES: Final = ("ITEM", "CATEGORY")
# Square's other types: there are none of them here, so they match nothing.
_SQUARES_TYPES: Final = frozenset(
    {
        "IMAGE",
        "TAX",
        "DISCOUNT",
        "MODIFIER_LIST",
        "MODIFIER",
        "PRICING_RULE",
        "PRODUCT_SET",
        "TIME_PERIOD",
        "MEASUREMENT_UNIT",
        "SUBSCRIPTION_PLAN",
        "SUBSCRIPTION_PLAN_VARIATION",
        "ITEM_OPTION",
        "ITEM_OPTION_VAL",
        "CUSTOM_ATTRIBUTE_DEFINITION",
        "QUICK_AMOUNTS_SETTINGS",
        "COMPONENT",
        "COMPOSITION",
        "RESOURCE",
        "CHECKOUT_LINK",
        "ADDRESS",
        "SUBSCRIPTION_PRODUCT",
        "AVAILABILITY_PERIOD",
    }
)

SoughtTypes = Annotated[str, Query(max_length=400), AfterValidator(single_line)]
SoughtVersion = Annotated[int, Query(ge=0, le=2**53)]


class IdMappingShape(TypedDict):
    """The id that a new object got."""

    client_object_id: str
    object_id: str


class UpsertAnswer(TypedDict):
    """What was kept, and the ids of what is new."""

    objects: list[CatalogObjectShape]
    updated_at: str
    id_mappings: NotRequired[list[IdMappingShape]]


class ObjectsAnswer(TypedDict):
    """A page of the catalog."""

    objects: list[CatalogObjectShape]
    cursor: NotRequired[str]


class ObjectAnswer(TypedDict):
    """One object, and if wished those that it names."""

    object: CatalogObjectShape
    related_objects: NotRequired[list[CatalogObjectShape]]


class UpsertObjects(Part):
    """Objects to make or to change, whole; all of them or none."""

    idempotency_key: Key | None = None
    batches: Annotated[list[CatalogBatch], Field(min_length=1, max_length=OBJECTS_MAX)]


@router.post("/batch-upsert", response_model=UpsertAnswer, operation_id="BatchUpsertCatalogObjects")
async def upsert_objects(caller: ItemWriter, body: UpsertObjects) -> Response:
    """Make or change items, variations and categories; all of them or none.

    An object is told whole; a variation that an item does not name stays. `is_deleted` (ours, in a
    request) takes one away. What was sold before keeps the categories of its day (SQ-56).
    """
    key = caller.key(body.idempotency_key)
    asked, own_ids = catalog_bodies.read(body.batches, currency=(await caller.chain()).currency)
    try:
        answer = await caller.deps.clients.points.UpsertCatalogObjects(
            points_pb2.UpsertCatalogObjectsRequest(
                idempotency_key=key,
                chain_id=caller.chain_id,
                objects=[one.made for one in asked],
                actor=caller.actor,
            )
        )
    except RemoteRefusal as refusal:
        names: dict[str, str] = {"objects": "batches"}
        for place, one in enumerate(asked):
            names |= one.names(place)
        raise from_remote(refusal, names) from None
    latest = max(answer.objects, key=lambda made: made.updated_at.ToNanoseconds())
    told: UpsertAnswer = {
        "objects": _nested(answer.objects),
        "updated_at": moment(latest.updated_at),
    }
    if answer.new_ids:
        told["id_mappings"] = [
            {"client_object_id": own_ids.get(name, name), "object_id": object_id}
            for name, object_id in answer.new_ids.items()
        ]
    return Json(told)


def _nested(objects: Iterable[CatalogObject]) -> list[CatalogObjectShape]:
    """Objects with their variations inside of those items that are among them."""
    found = list(objects)
    items = {made.id for made in found if made.type == TYPES["ITEM"]}
    variations = by_item(made for made in found if made.item_id in items)
    return [object_shape(made, variations) for made in found if made.item_id not in items]


@router.get("/list", response_model=ObjectsAnswer, operation_id="ListCatalog")
async def list_catalog(
    caller: ItemReader,
    types: SoughtTypes | None = None,
    cursor: SoughtCursor | None = None,
    catalog_version: SoughtVersion | None = None,
) -> Response:
    """The catalog in pages of at most 100: of the types asked for, or items and categories."""
    if catalog_version is not None:
        raise ApiError.of("CATALOG_VERSION_UNSUPPORTED", field="catalog_version")
    wanted = _types(types)
    filters: dict[str, object] = {"types": wanted}
    deps = caller.deps
    position = cursors.read(deps, caller.chain_id, "catalog", filters, cursor)
    if not wanted:
        return Json({"objects": []})
    answer = await deps.clients.points.ListCatalogObjects(
        points_pb2.ListCatalogObjectsRequest(
            chain_id=caller.chain_id,
            types=[TYPES[name] for name in wanted],
            limit=PAGE,
            after_id=position[0] if position else "",
        )
    )
    items = [made.id for made in answer.objects if made.type == TYPES["ITEM"]]
    variations = by_item(await _variations_of(caller, items))
    page: ObjectsAnswer = {"objects": [object_shape(made, variations) for made in answer.objects]}
    if answer.more:
        last = answer.objects[-1].id
        page["cursor"] = cursors.give(deps, caller.chain_id, "catalog", filters, [last])
    return Json(page)


def _types(text: str | None) -> list[str]:
    """The types that a comma-separated text names, in a fixed order."""
    if text is None:
        return list(TOP_TYPES)
    named = {part.strip().upper() for part in text.split(",")}
    if not named <= TYPES.keys() | _SQUARES_TYPES:
        raise ApiError.of(
            "INVALID_ENUM_VALUE", field="types", params={"expected": ", ".join(TYPES)}
        )
    return [name for name in TYPES if name in named]


async def _variations_of(caller: Caller, item_ids: list[str]) -> list[CatalogObject]:
    """All variations of some items."""
    found: list[CatalogObject] = []
    is_more, after_id = bool(item_ids), ""
    while is_more:
        answer = await caller.deps.clients.points.ListCatalogObjects(
            points_pb2.ListCatalogObjectsRequest(
                chain_id=caller.chain_id,
                item_ids=item_ids,
                limit=READ_AT_ONCE,
                after_id=after_id,
            )
        )
        found += answer.objects
        is_more = answer.more
        after_id = found[-1].id if found else ""
    return found


@router.get("/object/{object_id}", response_model=ObjectAnswer, operation_id="GetCatalogObject")
async def get_object(
    caller: ItemReader, object_id: str, *, include_related_objects: bool = False
) -> Response:
    """One object; with `include_related_objects` also its categories, or the item it is of."""
    found = await _by_ids(caller, [object_id])
    if not found:
        raise ApiError.of("NOT_FOUND")
    made = found[0]
    is_item = made.type == TYPES["ITEM"]
    variations = by_item(await _variations_of(caller, [made.id] if is_item else []))
    told: ObjectAnswer = {"object": object_shape(made, variations)}
    if include_related_objects:
        named = [*made.category_ids, *([made.item_id] if made.item_id else [])]
        related = await _by_ids(caller, named)
        told["related_objects"] = [object_shape(one, {}) for one in related]
    return Json(told)


async def _by_ids(caller: Caller, object_ids: list[str]) -> list[CatalogObject]:
    """Living objects of the catalog; what cannot be an id of one is not among them."""
    ids = [text for text in object_ids if 0 < len(text) <= ID_LENGTH_MAX]
    if not ids:
        return []
    answer = await caller.deps.clients.points.ListCatalogObjects(
        points_pb2.ListCatalogObjectsRequest(chain_id=caller.chain_id, ids=ids)
    )
    return [made for made in answer.objects if not made.deleted]
