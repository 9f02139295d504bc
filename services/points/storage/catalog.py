"""The catalog of a chain: written under one lock, read by pages, and looked into by sales."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from services.chassis.postgres import Connection
from services.points.domain.catalog import (
    DEPTH_MAX,
    CatalogObject,
    CatalogType,
    Price,
    Sellable,
    Upserted,
)
from services.points.domain.ids import CatalogId, ChainId
from services.points.storage.catalog_documents import object_document

_COLUMNS = """
chain_id, id, type, name, item_id, category_ids, price_minor, price_currency, deleted, version,
updated_at
"""

_READ = f"""
SELECT {_COLUMNS} FROM catalog_object WHERE chain_id = $1 AND id = ANY($2::text[]) ORDER BY id
"""  # noqa: S608

_LIVING = f"""
SELECT {_COLUMNS} FROM catalog_object
WHERE chain_id = $1 AND id = ANY($2::text[]) AND NOT deleted
ORDER BY id
"""  # noqa: S608

_PAGE = f"""
SELECT {_COLUMNS} FROM catalog_object
WHERE chain_id = $1 AND id > $2 AND type = ANY($3::text[]) AND NOT deleted
ORDER BY id
LIMIT $4
"""  # noqa: S608

_VARIATIONS_PAGE = f"""
SELECT {_COLUMNS} FROM catalog_object
WHERE chain_id = $1 AND id > $2 AND type = ANY($3::text[]) AND NOT deleted
  AND item_id = ANY($5::text[])
ORDER BY id
LIMIT $4
"""  # noqa: S608

_PARENTS = """
SELECT id, category_ids[1] AS parent_id FROM catalog_object
WHERE chain_id = $1 AND type = 'CATEGORY' AND NOT deleted
"""

_PUT = """
INSERT INTO catalog_object (
    chain_id, id, type, name, item_id, category_ids, price_minor, price_currency, deleted, version,
    updated_at)
SELECT $1, id, type, name, item_id, category_ids, price_minor, price_currency, deleted, version, $3
FROM jsonb_to_recordset($2) AS given (
    id text, type text, name text, item_id text, category_ids text[], price_minor bigint,
    price_currency text, deleted boolean, version bigint)
ON CONFLICT (chain_id, id) DO UPDATE
    SET name = excluded.name, item_id = excluded.item_id, category_ids = excluded.category_ids,
        price_minor = excluded.price_minor, price_currency = excluded.price_currency,
        deleted = excluded.deleted, version = excluded.version, updated_at = excluded.updated_at
"""

_DELETE_VARIATIONS = """
UPDATE catalog_object SET deleted = true, version = version + 1, updated_at = $3
WHERE chain_id = $1 AND item_id = ANY($2::text[]) AND NOT deleted
"""

_LEAVE_CATEGORIES = """
UPDATE catalog_object
SET category_ids = ARRAY(
        SELECT category_id
        FROM unnest(category_ids) WITH ORDINALITY AS kept (category_id, place)
        WHERE category_id <> ALL($2::text[])
        ORDER BY place),
    version = version + 1, updated_at = $3
WHERE chain_id = $1 AND category_ids && $2::text[]
"""

# What is sold, its item's categories, and those above them. UNION keeps each once.
_RESOLVE = """
WITH RECURSIVE sold AS (
    SELECT named.id, item.id AS item_id, named.item_id IS NOT NULL AS is_variation,
           item.category_ids
    FROM catalog_object AS named
    JOIN catalog_object AS item
      ON item.chain_id = named.chain_id AND item.id = coalesce(named.item_id, named.id)
    WHERE named.chain_id = $1 AND named.id = ANY($2::text[]) AND named.type <> 'CATEGORY'
      AND NOT named.deleted AND NOT item.deleted
), lies_in (id, category_id, depth) AS (
    SELECT sold.id, nearest.category_id, 1
    FROM sold CROSS JOIN unnest(sold.category_ids) AS nearest (category_id)
  UNION
    SELECT lies_in.id, above.category_id, lies_in.depth + 1
    FROM lies_in
    JOIN catalog_object AS category
      ON category.chain_id = $1 AND category.id = lies_in.category_id
    CROSS JOIN unnest(category.category_ids) AS above (category_id)
    WHERE lies_in.depth < $3
)
SELECT sold.id, sold.item_id, sold.is_variation,
       array_agg(DISTINCT lies_in.category_id)
           FILTER (WHERE lies_in.category_id IS NOT NULL) AS category_ids
FROM sold LEFT JOIN lies_in ON lies_in.id = sold.id
GROUP BY sold.id, sold.item_id, sold.is_variation
"""


async def lock_catalog(conn: Connection, chain_id: ChainId) -> None:
    """Let only one upsert of a chain's catalog happen at a time, until the transaction ends."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))", f"catalog:{chain_id}"
    )


async def objects(
    conn: Connection, chain_id: ChainId, ids: Sequence[CatalogId]
) -> dict[CatalogId, CatalogObject]:
    """Objects by id, deleted ones too; those not there are left out."""
    rows = await conn.fetch(_READ, chain_id, ids)
    return {found.id: found for found in map(_object, rows)}


async def living(
    conn: Connection, chain_id: ChainId, ids: Sequence[CatalogId]
) -> list[CatalogObject]:
    """Objects by id, in order of id; deleted ones and those not there are left out."""
    return [_object(row) for row in await conn.fetch(_LIVING, chain_id, ids)]


async def page(
    conn: Connection,
    chain_id: ChainId,
    *,
    types: Sequence[CatalogType],
    item_ids: Sequence[CatalogId] | None,
    after_id: str,
    limit: int,
) -> list[CatalogObject]:
    """Objects of some types after an id; of `item_ids`, where given, only the variations."""
    names = [kind.value for kind in types]
    if item_ids is None:
        rows = await conn.fetch(_PAGE, chain_id, after_id, names, limit)
    else:
        rows = await conn.fetch(_VARIATIONS_PAGE, chain_id, after_id, names, limit, item_ids)
    return [_object(row) for row in rows]


async def parents(conn: Connection, chain_id: ChainId) -> dict[CatalogId, CatalogId | None]:
    """Each category of the chain with the one that it lies in."""
    rows = await conn.fetch(_PARENTS, chain_id)
    return {
        CatalogId(row["id"]): CatalogId(row["parent_id"]) if row["parent_id"] else None
        for row in rows
    }


async def put(conn: Connection, chain_id: ChainId, upsert: Upserted, *, now: datetime) -> None:
    """Write what an upsert has changed. The catalog must be locked.

    With an item its variations go; what lay in a deleted category lies in it no more.
    """
    if not upsert.changed:
        return
    await conn.execute(_PUT, chain_id, [object_document(each) for each in upsert.changed], now)
    if items := upsert.deleted_ids(CatalogType.ITEM):
        await conn.execute(_DELETE_VARIATIONS, chain_id, items, now)
    if categories := upsert.deleted_ids(CatalogType.CATEGORY):
        await conn.execute(_LEAVE_CATEGORIES, chain_id, categories, now)


async def lines_resolved(
    conn: Connection, chain_id: ChainId, catalog_object_ids: Sequence[CatalogId]
) -> dict[CatalogId, Sellable]:
    """What the named variations and items are at this moment, with every category above (SQ-55).

    Left out is what is not sold: unknown or deleted objects, and categories.
    """
    if not catalog_object_ids:
        return {}
    rows = await conn.fetch(_RESOLVE, chain_id, catalog_object_ids, DEPTH_MAX)
    return {
        CatalogId(row["id"]): Sellable(
            item_id=CatalogId(row["item_id"]),
            variation_id=CatalogId(row["id"]) if row["is_variation"] else None,
            category_ids=tuple(CatalogId(each) for each in row["category_ids"] or ()),
        )
        for row in rows
    }


def _object(row: asyncpg.Record) -> CatalogObject:
    return CatalogObject(
        chain_id=ChainId(row["chain_id"]),
        id=CatalogId(row["id"]),
        type=CatalogType(row["type"]),
        name=row["name"],
        item_id=CatalogId(row["item_id"]) if row["item_id"] else None,
        category_ids=tuple(CatalogId(each) for each in row["category_ids"]),
        price=Price(amount_minor=row["price_minor"], currency=row["price_currency"])
        if row["price_currency"]
        else None,
        deleted=row["deleted"],
        version=row["version"],
        updated_at=row["updated_at"],
    )
