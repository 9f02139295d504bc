"""Cursors: signed, and good only for the list that gave them out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson

from services.gateway.deps import Deps
from services.gateway.errors import ApiError

_DIGEST_BYTES = 8


def _binding(chain_id: str, listing: str, query: Mapping[str, object]) -> bytes:
    text = orjson.dumps([chain_id, listing, query], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).digest()[:_DIGEST_BYTES]


def give(
    deps: Deps, chain_id: str, listing: str, query: Mapping[str, object], position: list[str]
) -> str:
    """A cursor to what follows `position` in this chain's listing with this query."""
    payload = _binding(chain_id, listing, query) + orjson.dumps(position)
    return deps.signer("cursor").sign(payload)


def read(
    deps: Deps,
    chain_id: str,
    listing: str,
    query: Mapping[str, object],
    cursor: str | None,
) -> list[str] | None:
    """The position behind a cursor, None without one; raises INVALID_CURSOR for any other."""
    if not cursor:
        return None
    payload = deps.signer("cursor").verify(cursor)
    binding = _binding(chain_id, listing, query)
    if payload is None or payload[:_DIGEST_BYTES] != binding:
        raise ApiError.of("INVALID_CURSOR", field="cursor")
    position: list[str] = orjson.loads(payload[_DIGEST_BYTES:])
    return position
