"""The catalog: what a till sells, as far as earning asks (SQ-53 to SQ-55).

Items with their variations lie in categories, categories in other categories. Ids are the till's
words for things; only new ones, written "#name", get an id here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.points.domain.errors import IdInvalid, NumberOutOfRange, TextInvalid
from services.points.domain.ids import CatalogId, ChainId
from services.points.domain.sale_errors import (
    CatalogFieldForeign,
    CatalogObjectRepeated,
    CatalogObjectUnknown,
    CatalogTypeInvalid,
    CatalogVersionStale,
    CategoryTreeInvalid,
)
from services.points.domain.sales import AMOUNT_MINOR_MAX
from services.points.domain.texts import tidy_text

OBJECTS_MAX = 1000
NAME_LENGTH_MAX = 255
# Of one item.
CATEGORIES_MAX = 50
# How deep categories lie in one another; each sale looks up that far.
DEPTH_MAX = 10
# What the id of an object begins with that is not there yet.
NEW_MARK = "#"


class CatalogType(StrEnum):
    """What is in the catalog."""

    ITEM = "ITEM"
    ITEM_VARIATION = "ITEM_VARIATION"
    CATEGORY = "CATEGORY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a variation costs."""

    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogObject:
    """An item, a variation of one, or a category.

    `category_ids` are those of an item, or the one parent of a category; of what lies above them
    the catalog is asked when something is sold.
    """

    chain_id: ChainId
    id: CatalogId
    type: CatalogType
    name: str
    item_id: CatalogId | None = None
    category_ids: tuple[CatalogId, ...] = ()
    price: Price | None = None
    deleted: bool = False
    version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogDraft:
    """An object as somebody wrote it, whole; of one to delete only the id is read."""

    id: str
    type: CatalogType | None
    name: str
    item_id: str = ""
    category_ids: tuple[str, ...] = ()
    price: Price | None = None
    deleted: bool = False
    # That of the object which is to be changed; 0 is whatever it has come to.
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sellable:
    """What a line of a sale names, with every category that it lies in, parents included."""

    item_id: CatalogId
    variation_id: CatalogId | None
    category_ids: tuple[CatalogId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upserted:
    """Objects as they are after an upsert, in the order of their drafts, and the ids of new ones.

    `changed` are those that differ from before.
    """

    objects: tuple[CatalogObject, ...]
    changed: tuple[CatalogObject, ...]
    new_ids: Mapping[str, CatalogId]

    def deleted_ids(self, of_type: CatalogType) -> list[CatalogId]:
        """Objects of a type that this upsert has deleted."""
        return [each.id for each in self.changed if each.deleted and each.type is of_type]


def named_ids(drafts: Sequence[CatalogDraft]) -> list[CatalogId]:
    """Every object that must be there already for these drafts to make sense."""
    names = (
        name for draft in drafts for name in (draft.id, draft.item_id, *draft.category_ids) if name
    )
    return [CatalogId(name) for name in dict.fromkeys(names) if not name.startswith(NEW_MARK)]


def upserted(
    drafts: Sequence[CatalogDraft],
    *,
    chain_id: ChainId,
    kept: Mapping[CatalogId, CatalogObject],
    new_id: Callable[[], UUID],
    now: datetime,
) -> Upserted:
    """What becomes of the catalog; `kept` holds what `named_ids` names, as far as it is there.

    The field of a refusal names the draft and its part. Refuses with NumberOutOfRange,
    CatalogObjectRepeated, CatalogObjectUnknown, CatalogTypeInvalid, CatalogFieldForeign,
    CatalogVersionStale, IdInvalid, or TextInvalid.
    """
    if not 1 <= len(drafts) <= OBJECTS_MAX:
        raise NumberOutOfRange(field="objects", minimum=1, maximum=OBJECTS_MAX)
    new_ids: dict[str, CatalogId] = {}
    seen: set[str] = set()
    for field, draft in _places(drafts):
        if draft.id in seen:
            raise CatalogObjectRepeated(field=f"{field}.id", id=draft.id)
        seen.add(draft.id)
        if draft.id.startswith(NEW_MARK) and not draft.deleted:
            new_ids[draft.id] = CatalogId(str(new_id()))
        elif CatalogId(draft.id) not in kept:
            raise CatalogObjectUnknown(field=f"{field}.id", id=draft.id)
    after: dict[CatalogId, CatalogObject] = {}
    changed = []
    for field, draft in _places(drafts):
        before = kept.get(CatalogId(draft.id))
        written = _written(draft, before, new_ids, chain_id=chain_id, now=now, field=field)
        if before is None or replace(before, version=0, updated_at=now) != written:
            written = replace(written, version=before.version + 1 if before else 1)
            changed.append(written)
        else:
            written = before
        after[written.id] = written
    _require_references(drafts, tuple(after.values()), {**kept, **after})
    return Upserted(objects=tuple(after.values()), changed=tuple(changed), new_ids=new_ids)


def require_tree(
    upsert: Upserted, parents: Mapping[CatalogId, CatalogId | None], *, depth_max: int = DEPTH_MAX
) -> None:
    """Refuses with CategoryTreeInvalid what makes a category lie in itself, or too deep.

    `parents` are those of all categories of the chain before the upsert.
    """
    after = dict(parents)
    for each in upsert.changed:
        if each.type is not CatalogType.CATEGORY:
            continue
        if each.deleted:
            after.pop(each.id, None)
        else:
            after[each.id] = each.category_ids[0] if each.category_ids else None
    depths: dict[CatalogId, int] = {}
    for category_id in after:
        trail: list[CatalogId] = []
        above: CatalogId | None = category_id
        while above in after and above not in depths and len(trail) <= depth_max:
            trail.append(above)
            above = after[above]
        top = depths.get(above, 0) if above else 0
        if top + len(trail) > depth_max:
            raise CategoryTreeInvalid(field=_field_of(upsert, trail), depth_max=depth_max)
        for below, passed in enumerate(reversed(trail), start=1):
            depths[passed] = top + below


def _field_of(upsert: Upserted, trail: Sequence[CatalogId]) -> str:
    """The draft that bends a trail of categories: the first of it that was written now."""
    changed = {each.id for each in upsert.changed}
    for place, each in enumerate(upsert.objects):
        if each.id in trail and each.id in changed:
            return f"objects[{place}].category_ids"
    return "objects"


def _places(drafts: Sequence[CatalogDraft]) -> Iterator[tuple[str, CatalogDraft]]:
    return ((f"objects[{place}]", draft) for place, draft in enumerate(drafts))


def _written(
    draft: CatalogDraft,
    before: CatalogObject | None,
    new_ids: Mapping[str, CatalogId],
    *,
    chain_id: ChainId,
    now: datetime,
    field: str,
) -> CatalogObject:
    """The object that a draft makes, its version open yet."""
    if draft.type is None or (before is not None and draft.type is not before.type):
        raise CatalogTypeInvalid(field=f"{field}.type")
    if before is not None:
        if draft.version not in (0, before.version):
            raise CatalogVersionStale(field=f"{field}.version", version=before.version)
        if draft.deleted:
            return replace(before, deleted=True, version=0, updated_at=now)
    _require_own_data(draft, draft.type, field=field)
    name = _name(draft, field=f"{field}.name")
    return CatalogObject(
        chain_id=chain_id,
        id=new_ids.get(draft.id, CatalogId(draft.id)),
        type=draft.type,
        name=name,
        item_id=_meant(draft.item_id, new_ids, field=f"{field}.item_id") if draft.item_id else None,
        category_ids=tuple(
            dict.fromkeys(
                _meant(name, new_ids, field=f"{field}.category_ids") for name in draft.category_ids
            )
        ),
        price=draft.price,
        version=0,
        updated_at=now,
    )


def _name(draft: CatalogDraft, *, field: str) -> str:
    """A variation may be the only one of its item and go without a name."""
    name = tidy_text(field, draft.name, length_max=NAME_LENGTH_MAX)
    if not name and draft.type is not CatalogType.ITEM_VARIATION:
        raise TextInvalid(field=field, length_max=NAME_LENGTH_MAX)
    return name


def _meant(name: str, new_ids: Mapping[str, CatalogId], *, field: str) -> CatalogId:
    if name.startswith(NEW_MARK):
        if name not in new_ids:
            raise CatalogObjectUnknown(field=field, id=name)
        return new_ids[name]
    return CatalogId(name)


def _require_own_data(draft: CatalogDraft, kind: CatalogType, *, field: str) -> None:
    is_variation = kind is CatalogType.ITEM_VARIATION
    if is_variation and not draft.item_id:
        raise IdInvalid(field=f"{field}.item_id")
    if draft.item_id and not is_variation:
        raise CatalogFieldForeign(field=f"{field}.item_id")
    if draft.price is not None and not is_variation:
        raise CatalogFieldForeign(field=f"{field}.price")
    if draft.category_ids and is_variation:
        raise CatalogFieldForeign(field=f"{field}.category_ids")
    most = 1 if kind is CatalogType.CATEGORY else CATEGORIES_MAX
    if len(draft.category_ids) > most:
        raise NumberOutOfRange(field=f"{field}.category_ids", minimum=0, maximum=most)
    price = draft.price
    if price is not None and not 0 <= price.amount_minor <= AMOUNT_MINOR_MAX:
        raise NumberOutOfRange(field=f"{field}.price", minimum=0, maximum=AMOUNT_MINOR_MAX)


def _require_references(
    drafts: Sequence[CatalogDraft],
    written: Sequence[CatalogObject],
    all_objects: Mapping[CatalogId, CatalogObject],
) -> None:
    """Refuses an item or a category that is not there after the upsert, or is something else."""

    def require(object_id: CatalogId, kind: CatalogType, field: str) -> None:
        found = all_objects.get(object_id)
        if found is None or found.deleted or found.type is not kind:
            raise CatalogObjectUnknown(field=field, id=object_id)

    for (field, _), each in zip(_places(drafts), written, strict=True):
        if each.deleted:
            continue
        if each.item_id is not None:
            require(each.item_id, CatalogType.ITEM, f"{field}.item_id")
        for category_id in each.category_ids:
            require(category_id, CatalogType.CATEGORY, f"{field}.category_ids")
