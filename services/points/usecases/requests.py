"""Requests by their key: checked at the door, and recognised by a keyed fingerprint."""

from __future__ import annotations

import hmac

from services.chassis.idempotency import KEY_LENGTH_MAX, Claim
from services.points.domain.errors import KeyInvalid
from services.points.domain.ids import ChainId
from services.points.usecases.deps import Deps


def require_key(key: str) -> None:
    """Refuses a missing or overlong idempotency key, and one that no text column takes."""
    if not key or len(key) > KEY_LENGTH_MAX or "\x00" in key:
        raise KeyInvalid(length_max=KEY_LENGTH_MAX)


def claim(
    deps: Deps,
    *,
    chain_id: ChainId,
    operation: str,
    key: str,
    meaning: tuple[object, ...],
    answer: bytes | None = None,
) -> Claim:
    """A request by its key, with a fingerprint of what it asks.

    Who asks is not part of the meaning: a resend may come after a new sign-in or a new API key.
    """
    require_key(key)
    return Claim(
        chain_id=chain_id,
        operation=operation,
        key=key,
        fingerprint=hmac.digest(deps.fingerprint_key, repr(meaning).encode(), "sha256"),
        answer=answer,
    )
