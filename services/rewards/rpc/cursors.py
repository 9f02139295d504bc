"""Opaque places in a search. A cursor fits the search that gave it out and no other."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.rewards.domain.errors import InvalidCursor
from services.rewards.domain.ids import RewardId
from services.rewards.domain.searches import RewardPlace, RewardSearch

CURSOR_LENGTH_MAX = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION = 1
_FILTER_BYTES = 8
_LENGTH = 1 + _FILTER_BYTES + 8 + 16


def encode(wanted: RewardSearch, *, place: RewardPlace) -> str:
    """The cursor that continues a search after `place`."""
    microseconds = (place.updated_at - _EPOCH) // timedelta(microseconds=1)
    raw = (
        bytes([_VERSION])
        + _filters(wanted)
        + microseconds.to_bytes(8, "big", signed=True)
        + place.reward_id.bytes
    )
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(cursor: str, *, wanted: RewardSearch) -> RewardPlace:
    """Where the search goes on; refuses with `InvalidCursor` what it did not give out."""
    if len(cursor) > CURSOR_LENGTH_MAX or not cursor.isascii():
        raise InvalidCursor(field="cursor")
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidCursor(field="cursor") from None
    head = bytes([_VERSION]) + _filters(wanted)
    if len(raw) != _LENGTH or not raw.startswith(head):
        raise InvalidCursor(field="cursor")
    microseconds = int.from_bytes(raw[len(head) : len(head) + 8], "big", signed=True)
    try:
        updated_at = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise InvalidCursor(field="cursor") from None
    return RewardPlace(updated_at=updated_at, reward_id=RewardId(UUID(bytes=raw[-16:])))


def _filters(wanted: RewardSearch) -> bytes:
    words = [str(wanted.chain_id), str(wanted.account_id), str(wanted.member_id)]
    words += sorted(state.value for state in wanted.states)
    return hashlib.sha256(" ".join(words).encode()).digest()[:_FILTER_BYTES]
