"""The catalog over gRPC."""

from __future__ import annotations

from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.points.domain.catalog import CatalogDraft, CatalogObject, CatalogType, Price
from services.points.domain.sale_errors import CatalogTypeInvalid
from services.points.rpc import reading, writing
from services.points.rpc.door import Context, Door
from services.points.usecases import catalog
from services.points.usecases.catalog import CatalogQuery

_TYPES: dict[int, CatalogType] = {
    pb.CatalogObjectType.Value(f"CATALOG_OBJECT_TYPE_{kind.value}"): kind for kind in CatalogType
}


class CatalogServicer(Door):
    """What tills sell."""

    async def UpsertCatalogObjects(
        self, request: pb.UpsertCatalogObjectsRequest, context: Context
    ) -> pb.UpsertCatalogObjectsResponse:
        """See `usecases.catalog.upsert_objects`."""
        answer = await catalog.upsert_objects(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            idempotency_key=request.idempotency_key,
            drafts=[
                _draft(each, field=f"objects[{place}]")
                for place, each in enumerate(request.objects)
            ],
        )
        return pb.UpsertCatalogObjectsResponse(
            objects=[_object(each) for each in answer.objects], new_ids=answer.new_ids
        )

    async def ListCatalogObjects(
        self, request: pb.ListCatalogObjectsRequest, context: Context
    ) -> pb.ListCatalogObjectsResponse:
        """See `usecases.catalog.list_objects` and `get_objects`."""
        chain_id = reading.chain_id(request.chain_id)
        ids = reading.catalog_filter(request.ids)
        if ids is not None:
            found = await catalog.get_objects(self._deps, chain_id=chain_id, ids=ids)
            return pb.ListCatalogObjectsResponse(objects=[_object(each) for each in found])
        page = await catalog.list_objects(
            self._deps,
            CatalogQuery(
                chain_id=chain_id,
                types=tuple(_type(number, field="types") for number in request.types),
                item_ids=reading.catalog_filter(request.item_ids),
                after_id=reading.catalog_id(request.after_id, field="after_id")
                if request.after_id
                else "",
                limit=request.limit,
            ),
        )
        return pb.ListCatalogObjectsResponse(
            objects=[_object(each) for each in page.objects], more=page.more
        )


def _type(number: int, *, field: str) -> CatalogType:
    if number not in _TYPES:
        raise CatalogTypeInvalid(field=field)
    return _TYPES[number]


def _draft(message: pb.CatalogObject, *, field: str) -> CatalogDraft:
    return CatalogDraft(
        id=reading.catalog_id(message.id, field=f"{field}.id"),
        type=_TYPES.get(message.type),
        name=message.name,
        item_id=reading.catalog_id(message.item_id, field=f"{field}.item_id")
        if message.item_id
        else "",
        category_ids=tuple(
            reading.catalog_id(each, field=f"{field}.category_ids") for each in message.category_ids
        ),
        price=Price(
            amount_minor=message.price.amount,
            currency=reading.currency(message.price.currency, field=f"{field}.price"),
        )
        if message.HasField("price")
        else None,
        deleted=message.deleted,
        version=message.version,
    )


def _object(found: CatalogObject) -> pb.CatalogObject:
    price = found.price
    return pb.CatalogObject(
        id=found.id,
        type=pb.CatalogObjectType.Value(f"CATALOG_OBJECT_TYPE_{found.type.value}"),
        name=found.name,
        item_id=found.item_id or "",
        category_ids=found.category_ids,
        deleted=found.deleted,
        version=found.version,
        updated_at=writing.timestamp(found.updated_at),
        price=types_pb2.Money(amount=price.amount_minor, currency=price.currency)
        if price
        else None,
    )
