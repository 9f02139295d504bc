"""Catalog objects as a till writes them, and what points is asked to keep of them.

Ids that begin with `#` are the till's own for this one call; they get an id of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from loyalty.points.v1.points_pb2 import CatalogObject
from pydantic import AfterValidator, Field

from services.gateway.errors import ApiError
from services.gateway.pos.catalog_shapes import TYPES
from services.gateway.pos.fields import (
    ID_LENGTH_MAX,
    Flag,
    Money,
    Part,
    amount_in,
    not_blank,
    single_line,
)

OBJECTS_MAX: Final = 1000
CATEGORIES_MAX: Final = 50
# Square's own longest; an id that stays has at most 36.
CLIENT_ID_LENGTH_MAX: Final = 192

ObjectName = Annotated[
    str,
    Field(strict=True, max_length=255),
    AfterValidator(single_line),
    AfterValidator(not_blank),
]
ObjectId = Annotated[
    str,
    Field(
        strict=True,
        max_length=CLIENT_ID_LENGTH_MAX,
        description="An id of at most 36, or `#` and any name for a new object.",
    ),
    AfterValidator(single_line),
    AfterValidator(not_blank),
]
Version = Annotated[int, Field(strict=True, ge=0, le=2**53)]


class ObjectReference(Part):
    """Another object, by its id."""

    id: ObjectId


class PriceAtLocation(Part):
    """What differs at one salon; a price of its own is refused."""

    price_money: Money | None = None


class VariationData(Part):
    """A variation: what a line of an order names."""

    item_id: ObjectId | None = None
    name: ObjectName | None = None
    pricing_type: Literal["FIXED_PRICING", "VARIABLE_PRICING"] | None = None
    price_money: Money | None = None
    location_overrides: Annotated[list[PriceAtLocation], Field(max_length=OBJECTS_MAX)] | None = (
        None
    )


class CategoryData(Part):
    """A category, and the one that it lies in."""

    name: ObjectName
    parent_category: ObjectReference | None = None


class NestedVariation(Part):
    """A variation inside of its item."""

    type: Literal["ITEM_VARIATION"]
    id: ObjectId
    version: Version | None = None
    is_deleted: Flag | None = None
    item_variation_data: VariationData


class ItemData(Part):
    """An item, its categories and variations; `category_id` is Square's older form of one."""

    name: ObjectName
    categories: Annotated[list[ObjectReference], Field(max_length=CATEGORIES_MAX)] | None = None
    category_id: ObjectId | None = None
    reporting_category: ObjectReference | None = None
    variations: Annotated[list[NestedVariation], Field(max_length=OBJECTS_MAX)] | None = None


class CatalogObjectIn(Part):
    """An item with its variations, a variation, or a category; with the data of its type."""

    type: Literal["ITEM", "ITEM_VARIATION", "CATEGORY"]
    id: ObjectId
    version: Version | None = None
    is_deleted: Flag | None = None
    item_data: ItemData | None = None
    item_variation_data: VariationData | None = None
    category_data: CategoryData | None = None


class CatalogBatch(Part):
    """Some objects."""

    objects: Annotated[list[CatalogObjectIn], Field(min_length=1, max_length=OBJECTS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One object to keep, and where it stands in the request."""

    made: CatalogObject
    field: str
    data: str

    def names(self, place: int) -> dict[str, str]:
        """What the caller calls the parts of it that points may refuse."""
        mine = f"objects[{place}]"
        within = f"{self.field}.{self.data}"
        return {
            mine: self.field,
            f"{mine}.id": f"{self.field}.id",
            f"{mine}.type": f"{self.field}.type",
            f"{mine}.version": f"{self.field}.version",
            f"{mine}.name": f"{within}.name",
            f"{mine}.item_id": f"{within}.item_id",
            f"{mine}.price": f"{within}.price_money",
            f"{mine}.category_ids": (
                f"{within}.parent_category"
                if self.data == "category_data"
                else f"{within}.categories"
            ),
        }


def read(batches: Sequence[CatalogBatch], *, currency: str) -> tuple[list[Asked], dict[str, str]]:
    """Every object of a request, variations after their items, and its own ids by the short ones.

    Refuses an object twice, data of another type, and what would be priced otherwise elsewhere.
    """
    asked: list[Asked] = []
    for at, batch in enumerate(batches):
        for place, one in enumerate(batch.objects):
            asked += _flat(one, f"batches[{at}].objects[{place}]", currency)
    if len(asked) > OBJECTS_MAX:
        raise ApiError.of(
            "CATALOG_TOO_MANY", field="batches", params={"max_length": str(OBJECTS_MAX)}
        )
    seen: set[str] = set()
    for one_asked in asked:
        object_id = one_asked.made.id
        if object_id in seen:
            raise ApiError.of(
                "CATALOG_OBJECT_REPEATED", field=f"{one_asked.field}.id", params={"id": object_id}
            )
        seen.add(object_id)
    return asked, _shorten(asked)


def _shorten(asked: Sequence[Asked]) -> dict[str, str]:
    """Give the caller's own ids, which may be long, short names; answers which is which."""
    own = [one.made.id for one in asked if one.made.id.startswith("#")]
    short = {text: f"#{place}" for place, text in enumerate(own)}
    for one in asked:
        made = one.made
        made.id = _known(made.id, short, f"{one.field}.id")
        if made.item_id:
            made.item_id = _known(made.item_id, short, f"{one.field}.{one.data}.item_id")
        categories = [
            _known(category_id, short, one.names(0)["objects[0].category_ids"])
            for category_id in made.category_ids
        ]
        del made.category_ids[:]
        made.category_ids.extend(categories)
    return {name: text for text, name in short.items()}


def _known(object_id: str, short: Mapping[str, str], field: str) -> str:
    if object_id.startswith("#"):
        if object_id not in short:
            raise ApiError.of("CATALOG_OBJECT_UNKNOWN", field=field, params={"id": object_id})
        return short[object_id]
    if len(object_id) > ID_LENGTH_MAX:
        raise ApiError.of("VALUE_TOO_LONG", field=field, params={"max_length": str(ID_LENGTH_MAX)})
    return object_id


def _flat(one: CatalogObjectIn, field: str, currency: str) -> list[Asked]:
    """An object, and the variations inside of it."""
    data = {
        "ITEM": one.item_data,
        "ITEM_VARIATION": one.item_variation_data,
        "CATEGORY": one.category_data,
    }
    for type_, found in data.items():
        name = f"{type_.lower()}_data"
        if type_ == one.type and found is None and not one.is_deleted:
            raise ApiError.of("MISSING_REQUIRED_PARAMETER", field=f"{field}.{name}")
        if type_ != one.type and found is not None:
            raise ApiError.of("CATALOG_FIELD_FOREIGN", field=f"{field}.{name}")
    made = CatalogObject(
        id=one.id,
        type=TYPES[one.type],
        deleted=bool(one.is_deleted),
        version=one.version or 0,
    )
    name = f"{one.type.lower()}_data"
    asked = [Asked(made=made, field=field, data=name)]
    if one.item_data is not None:
        made.name = one.item_data.name
        made.category_ids.extend(_categories(one.item_data))
        asked += _variations(one, one.item_data, field, currency)
    elif one.item_variation_data is not None:
        _fill_variation(made, one.item_variation_data, f"{field}.{name}", currency)
        if not made.item_id:
            raise ApiError.of("MISSING_REQUIRED_PARAMETER", field=f"{field}.{name}.item_id")
    elif one.category_data is not None:
        made.name = one.category_data.name
        if one.category_data.parent_category is not None:
            made.category_ids.append(one.category_data.parent_category.id)
    return asked


def _categories(item: ItemData) -> list[str]:
    """The categories of an item; the one for reports where it is in no other."""
    ids = [category.id for category in item.categories or ()]
    if item.category_id is not None:
        ids.append(item.category_id)
    if not ids and item.reporting_category is not None:
        ids.append(item.reporting_category.id)
    return list(dict.fromkeys(ids))


def _variations(one: CatalogObjectIn, item: ItemData, field: str, currency: str) -> list[Asked]:
    asked = []
    for place, nested in enumerate(item.variations or ()):
        inner = f"{field}.item_data.variations[{place}]"
        made = CatalogObject(
            id=nested.id,
            type=TYPES["ITEM_VARIATION"],
            # Nothing is sold of an item that is gone.
            deleted=bool(nested.is_deleted or one.is_deleted),
            version=nested.version or 0,
        )
        data = nested.item_variation_data
        _fill_variation(made, data, f"{inner}.item_variation_data", currency)
        if made.item_id and made.item_id != one.id:
            raise ApiError.of("VARIATION_OF_ANOTHER", field=f"{inner}.item_variation_data.item_id")
        made.item_id = one.id
        made.name = made.name or item.name
        asked.append(Asked(made=made, field=inner, data="item_variation_data"))
    return asked


def _fill_variation(made: CatalogObject, data: VariationData, field: str, currency: str) -> None:
    made.item_id = data.item_id or ""
    made.name = data.name or ""
    for place, override in enumerate(data.location_overrides or ()):
        if override.price_money is not None:
            raise ApiError.of(
                "PRICE_BY_LOCATION_UNSUPPORTED", field=f"{field}.location_overrides[{place}]"
            )
    if data.price_money is None:
        return
    if data.pricing_type == "VARIABLE_PRICING":
        raise ApiError.of(
            "CONFLICTING_PARAMETERS",
            field=f"{field}.price_money",
            params={"fields": f"{field}.pricing_type, {field}.price_money"},
        )
    made.price.amount = amount_in(data.price_money, currency, field=f"{field}.price_money")
    made.price.currency = currency
