"""The catalog as Square writes it: items with their variations inside, and categories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NotRequired

from loyalty.points.v1 import points_pb2
from loyalty.points.v1.points_pb2 import CatalogObject
from typing_extensions import TypedDict

from services.gateway.pos.shapes import MoneyShape, moment

TYPES: Final[Mapping[str, points_pb2.CatalogObjectType.ValueType]] = {
    "ITEM": points_pb2.CATALOG_OBJECT_TYPE_ITEM,
    "ITEM_VARIATION": points_pb2.CATALOG_OBJECT_TYPE_ITEM_VARIATION,
    "CATEGORY": points_pb2.CATALOG_OBJECT_TYPE_CATEGORY,
}
_NAMES: Final = {value: name for name, value in TYPES.items()}


class ObjectReferenceShape(TypedDict):
    """An object by its id."""

    id: str


class VariationDataShape(TypedDict):
    """A variation: what a line of an order names."""

    item_id: str
    name: str
    pricing_type: str
    price_money: NotRequired[MoneyShape]


class VariationShape(TypedDict):
    """A variation inside of its item."""

    type: str
    id: str
    updated_at: str
    version: int
    is_deleted: bool
    present_at_all_locations: bool
    item_variation_data: VariationDataShape


class ItemDataShape(TypedDict):
    """An item, the categories it is in, and its variations."""

    name: str
    categories: NotRequired[list[ObjectReferenceShape]]
    variations: NotRequired[list[VariationShape]]


class CategoryDataShape(TypedDict):
    """A category, and the one that it lies in."""

    name: str
    parent_category: NotRequired[ObjectReferenceShape]
    is_top_level: bool


class CatalogObjectShape(TypedDict):
    """An item, a variation or a category."""

    type: str
    id: str
    updated_at: str
    version: int
    is_deleted: bool
    present_at_all_locations: bool
    item_data: NotRequired[ItemDataShape]
    item_variation_data: NotRequired[VariationDataShape]
    category_data: NotRequired[CategoryDataShape]


def by_item(variations: Iterable[CatalogObject]) -> dict[str, list[CatalogObject]]:
    """Variations by the item that they belong to."""
    found: dict[str, list[CatalogObject]] = {}
    for variation in variations:
        found.setdefault(variation.item_id, []).append(variation)
    return found


def object_shape(
    made: CatalogObject, variations: Mapping[str, Sequence[CatalogObject]]
) -> CatalogObjectShape:
    """One object; an item gets its own of these variations."""
    shape: CatalogObjectShape = {
        "type": _NAMES[made.type],
        "id": made.id,
        "updated_at": moment(made.updated_at),
        "version": made.version,
        "is_deleted": made.deleted,
        "present_at_all_locations": True,
    }
    match made.type:
        case points_pb2.CATALOG_OBJECT_TYPE_ITEM:
            shape["item_data"] = _item_data(made, variations.get(made.id, ()))
        case points_pb2.CATALOG_OBJECT_TYPE_ITEM_VARIATION:
            shape["item_variation_data"] = _variation_data(made)
        case _:
            shape["category_data"] = _category_data(made)
    return shape


def _item_data(item: CatalogObject, variations: Sequence[CatalogObject]) -> ItemDataShape:
    data: ItemDataShape = {"name": item.name}
    if item.category_ids:
        data["categories"] = [{"id": category_id} for category_id in item.category_ids]
    if variations:
        data["variations"] = [_variation(variation) for variation in variations]
    return data


def _variation(variation: CatalogObject) -> VariationShape:
    return {
        "type": "ITEM_VARIATION",
        "id": variation.id,
        "updated_at": moment(variation.updated_at),
        "version": variation.version,
        "is_deleted": variation.deleted,
        "present_at_all_locations": True,
        "item_variation_data": _variation_data(variation),
    }


def _variation_data(variation: CatalogObject) -> VariationDataShape:
    has_price = variation.HasField("price")
    data: VariationDataShape = {
        "item_id": variation.item_id,
        "name": variation.name,
        "pricing_type": "FIXED_PRICING" if has_price else "VARIABLE_PRICING",
    }
    if has_price:
        price = variation.price
        data["price_money"] = {"amount": price.amount, "currency": price.currency}
    return data


def _category_data(category: CatalogObject) -> CategoryDataShape:
    data: CategoryDataShape = {"name": category.name, "is_top_level": not category.category_ids}
    if category.category_ids:
        data["parent_category"] = {"id": category.category_ids[0]}
    return data
