"""The catalog as tills have sent it, put in order for people (SQ-53, SQ-54)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from loyalty.points.v1.points_pb2 import (
    CATALOG_OBJECT_TYPE_CATEGORY,
    CATALOG_OBJECT_TYPE_ITEM,
    CATALOG_OBJECT_TYPE_ITEM_VARIATION,
    CatalogObject,
    ListCatalogObjectsRequest,
)

from services.gateway.admin.desk import Desk
from services.gateway.web.speaker import Speaker

PAGE_LIMIT: Final = 200
# Five thousand objects: more than a salon sells, and as much as one page can show.
PAGES_MAX: Final = 25
# How deep categories lie in each other; the points service allows no more.
DEPTH_MAX: Final = 10


def plain(words: str) -> str:
    """Words without case and accents, to sort and to search by."""
    parts = unicodedata.normalize("NFKD", words.casefold())
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category by its whole path ("Soins › Visage"), with the items that stand in it first."""

    object: CatalogObject | None
    name: str
    items: Sequence[CatalogObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """A chain's catalog. `is_cut`: there is more than one page of ours can show."""

    objects: Mapping[str, CatalogObject]
    variations: Mapping[str, Sequence[CatalogObject]] = field(default_factory=dict)
    is_cut: bool = False

    def of_type(self, wanted: int) -> list[CatalogObject]:
        """Objects of one type, by name."""
        found = [each for each in self.objects.values() if each.type == wanted]
        return sorted(found, key=lambda each: (plain(self.name_of(each.id)), each.id))

    def name_of(self, object_id: str) -> str:
        """The name of an object: of a variation with its item's, of a category its path."""
        found = self.objects.get(object_id)
        if found is None:
            return ""
        if found.type == CATALOG_OBJECT_TYPE_CATEGORY:
            return " › ".join(self._path(found))
        item = self.objects.get(found.item_id)
        if item is None:
            return found.name
        siblings = self.variations.get(item.id, ())
        # The only variation of an item needs no name of its own.
        return f"{item.name} – {found.name}" if len(siblings) > 1 and found.name else item.name

    def _path(self, category: CatalogObject) -> list[str]:
        names = [category.name]
        for _ in range(DEPTH_MAX):
            parent = self.objects.get(category.category_ids[0]) if category.category_ids else None
            if parent is None:
                break
            category = parent
            names.insert(0, category.name)
        return names

    def categories(self) -> list[Category]:
        """Every category with its items, by name; items without one at the bottom (SQ-54)."""
        held: dict[str, list[CatalogObject]] = {}
        for item in self.of_type(CATALOG_OBJECT_TYPE_ITEM):
            known = [each for each in item.category_ids if each in self.objects]
            held.setdefault(known[0] if known else "", []).append(item)
        groups = [
            Category(object=each, name=self.name_of(each.id), items=held.get(each.id, []))
            for each in self.of_type(CATALOG_OBJECT_TYPE_CATEGORY)
        ]
        if without := held.get(""):
            groups.append(Category(object=None, name="", items=without))
        return groups

    def is_within(self, item: CatalogObject, category_ids: Iterable[str]) -> bool:
        """Whether an item stands in one of these categories, or below one."""
        wanted = set(category_ids)
        left = list(item.category_ids)
        for _ in range(DEPTH_MAX):
            if wanted.intersection(left):
                return True
            left = [
                parent
                for each in left
                if each in self.objects
                for parent in self.objects[each].category_ids
            ]
        return False


async def catalog_of(desk: Desk) -> Catalog:
    """The whole catalog of the chain, as far as a page can show it."""
    found: list[CatalogObject] = []
    for _ in range(PAGES_MAX):
        answer = await desk.deps.clients.points.ListCatalogObjects(
            ListCatalogObjectsRequest(
                chain_id=desk.chain_id,
                limit=PAGE_LIMIT,
                after_id=found[-1].id if found else "",
            )
        )
        found += answer.objects
        if not answer.more:
            return _catalog(found)
    return _catalog(found, is_cut=True)


async def names_of_objects(desk: Speaker, ids: Iterable[str]) -> dict[str, str]:
    """What these items and variations are called; unknown ones are left out."""
    wanted = sorted({each for each in ids if each})[:PAGE_LIMIT]
    if not wanted:
        return {}
    points = desk.deps.clients.points
    request = ListCatalogObjectsRequest(chain_id=desk.chain_id, ids=wanted)
    found = {each.id: each for each in (await points.ListCatalogObjects(request)).objects}
    return {each.id: each.name for each in found.values()}


def _catalog(found: Sequence[CatalogObject], *, is_cut: bool = False) -> Catalog:
    variations: dict[str, list[CatalogObject]] = {}
    for each in found:
        if each.type == CATALOG_OBJECT_TYPE_ITEM_VARIATION:
            variations.setdefault(each.item_id, []).append(each)
    return Catalog(objects={each.id: each for each in found}, variations=variations, is_cut=is_cut)
