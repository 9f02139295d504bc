"""Objects of the catalog as documents: rows on their way in, and an answer kept for its key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from services.points.domain.catalog import CatalogObject, CatalogType, Price
from services.points.domain.ids import CatalogId, ChainId

Document: TypeAlias = dict[str, Any]


def object_document(found: CatalogObject) -> Document:
    """One object; its chain is not in it."""
    return {
        "id": found.id,
        "type": found.type.value,
        "name": found.name,
        "item_id": found.item_id,
        "category_ids": list(found.category_ids),
        "price_minor": found.price.amount_minor if found.price else None,
        "price_currency": found.price.currency if found.price else None,
        "deleted": found.deleted,
        "version": found.version,
        "updated_at": found.updated_at.isoformat(),
    }


def object_from(document: Mapping[str, Any], *, chain_id: ChainId) -> CatalogObject:
    """The object of a document."""
    item_id, currency = document["item_id"], document["price_currency"]
    return CatalogObject(
        chain_id=chain_id,
        id=CatalogId(document["id"]),
        type=CatalogType(document["type"]),
        name=document["name"],
        item_id=CatalogId(item_id) if item_id else None,
        category_ids=tuple(CatalogId(each) for each in document["category_ids"]),
        price=Price(amount_minor=document["price_minor"], currency=currency) if currency else None,
        deleted=document["deleted"],
        version=document["version"],
        updated_at=datetime.fromisoformat(document["updated_at"]),
    )
