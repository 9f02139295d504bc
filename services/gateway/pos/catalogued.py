"""Things of the catalog that a rule or a promotion names: another chain's are not found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loyalty.points.v1 import points_pb2

from services.gateway.errors import ApiError
from services.gateway.pos.caller import Caller

_ASKED_AT_ONCE = 200

CATEGORIES: Final = frozenset({points_pb2.CATALOG_OBJECT_TYPE_CATEGORY})
VARIATIONS: Final = frozenset({points_pb2.CATALOG_OBJECT_TYPE_ITEM_VARIATION})
# An item stands for all its variations.
ITEMS: Final = VARIATIONS | {points_pb2.CATALOG_OBJECT_TYPE_ITEM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An id that a request names, of which kind it has to be, and where it stands."""

    id: str
    types: frozenset[points_pb2.CatalogObjectType.ValueType]
    field: str


def named(
    ids: Sequence[str] | None,
    types: frozenset[points_pb2.CatalogObjectType.ValueType],
    field: str,
) -> list[Named]:
    """All ids of a list."""
    return [
        Named(id=one, types=types, field=f"{field}[{place}]") for place, one in enumerate(ids or ())
    ]


async def require_known(
    caller: Caller, names: Sequence[Named], *, kept: frozenset[str] = frozenset()
) -> None:
    """Refuse what the chain's catalog does not hold in that kind.

    `kept` may have left the catalog since: what stands in a program may be sent back to it.
    """
    asked = sorted({name.id for name in names} - kept)
    found: dict[str, points_pb2.CatalogObjectType.ValueType] = {}
    for start in range(0, len(asked), _ASKED_AT_ONCE):
        answer = await caller.deps.clients.points.ListCatalogObjects(
            points_pb2.ListCatalogObjectsRequest(
                chain_id=caller.chain_id, ids=asked[start : start + _ASKED_AT_ONCE]
            )
        )
        found |= {one.id: one.type for one in answer.objects if not one.deleted}
    for name in names:
        if name.id not in kept and found.get(name.id) not in name.types:
            raise ApiError.of("NOT_FOUND", field=name.field)
