"""The catalog of a chain: written by tills in one piece, and read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.chassis import idempotency
from services.chassis.postgres import ACQUIRE_TIMEOUT_SECONDS, Connection, in_transaction
from services.points.domain.catalog import (
    CatalogDraft,
    CatalogObject,
    CatalogType,
    named_ids,
    require_tree,
    upserted,
)
from services.points.domain.errors import NumberOutOfRange
from services.points.domain.ids import CatalogId, ChainId
from services.points.storage import catalog as catalog_rows
from services.points.storage.catalog_documents import object_document, object_from
from services.points.usecases import requests
from services.points.usecases.deps import Deps

PAGE_LIMIT_MAX = 200
PAGE_LIMIT_DEFAULT = 100
# Asked for by id, or by the item that they are of.
NAMED_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogAnswer:
    """Objects in the order in which they were written, and the ids that new ones were given."""

    objects: tuple[CatalogObject, ...]
    new_ids: Mapping[str, CatalogId]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogQuery:
    """Which objects of a chain are asked for; no type lets all pass.

    `item_ids` asks for variations of these items alone, None for whatever there is.
    """

    chain_id: ChainId
    types: tuple[CatalogType, ...]
    item_ids: Sequence[CatalogId] | None
    after_id: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogPage:
    """Objects in order of their ids, and whether more follow."""

    objects: tuple[CatalogObject, ...]
    more: bool


async def upsert_objects(
    deps: Deps, *, chain_id: ChainId, idempotency_key: str, drafts: Sequence[CatalogDraft]
) -> CatalogAnswer:
    """Write objects, all or none. Repeatable: the same key returns the first answer.

    Locks the key, then the chain's catalog. What was sold before keeps what it was sold as
    (SQ-56). Refuses with what `catalog.upserted` and `catalog.require_tree` refuse.
    """
    claim = requests.claim(
        deps,
        chain_id=chain_id,
        operation="upsert_catalog",
        key=idempotency_key,
        meaning=tuple(drafts),
    )

    async def work(conn: Connection) -> CatalogAnswer:
        async def upsert() -> bytes:
            return _packed(await _upsert(deps, conn, chain_id, drafts))

        answer = await idempotency.once(conn, claim, upsert)
        return _unpacked(answer, chain_id=chain_id)

    return await in_transaction(deps.pool, work)


async def _upsert(
    deps: Deps, conn: Connection, chain_id: ChainId, drafts: Sequence[CatalogDraft]
) -> CatalogAnswer:
    await catalog_rows.lock_catalog(conn, chain_id)
    now = deps.clock.now(chain_id)
    done = upserted(
        drafts,
        chain_id=chain_id,
        kept=await catalog_rows.objects(conn, chain_id, named_ids(drafts)),
        new_id=deps.new_id,
        now=now,
    )
    if any(each.type is CatalogType.CATEGORY for each in done.changed):
        require_tree(done, await catalog_rows.parents(conn, chain_id))
    await catalog_rows.put(conn, chain_id, done, now=now)
    return CatalogAnswer(objects=done.objects, new_ids=done.new_ids)


async def list_objects(deps: Deps, query: CatalogQuery) -> CatalogPage:
    """A page of the chain's catalog by id; deleted objects are left out.

    Refuses with NumberOutOfRange.
    """
    if not 0 <= query.limit <= PAGE_LIMIT_MAX:
        raise NumberOutOfRange(field="limit", minimum=1, maximum=PAGE_LIMIT_MAX)
    _require_few("item_ids", query.item_ids or ())
    limit = query.limit or PAGE_LIMIT_DEFAULT
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        found = await catalog_rows.page(
            conn,
            query.chain_id,
            types=query.types or tuple(CatalogType),
            item_ids=query.item_ids,
            after_id=query.after_id,
            limit=limit + 1,
        )
    return CatalogPage(objects=tuple(found[:limit]), more=len(found) > limit)


async def get_objects(
    deps: Deps, *, chain_id: ChainId, ids: Sequence[CatalogId]
) -> list[CatalogObject]:
    """Objects by id, in order of id; unknown and deleted ones are left out.

    Refuses with NumberOutOfRange.
    """
    _require_few("ids", ids)
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        return await catalog_rows.living(conn, chain_id, ids)


def _require_few(field: str, ids: Sequence[CatalogId]) -> None:
    if len(ids) > NAMED_MAX:
        raise NumberOutOfRange(field=field, minimum=0, maximum=NAMED_MAX)


def _packed(answer: CatalogAnswer) -> bytes:
    """An answer that is kept: later changes do not reach it."""
    objects = [object_document(each) for each in answer.objects]
    return json.dumps({"objects": objects, "new_ids": dict(answer.new_ids)}).encode()


def _unpacked(answer: bytes, *, chain_id: ChainId) -> CatalogAnswer:
    document = json.loads(answer)
    return CatalogAnswer(
        objects=tuple(object_from(each, chain_id=chain_id) for each in document["objects"]),
        new_ids=document["new_ids"],
    )
