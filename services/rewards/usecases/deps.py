"""What the use cases stand on, and the key that a request comes with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.chassis.clock import BusinessClock
from services.chassis.idempotency import Claim
from services.chassis.postgres import Pool
from services.rewards.clients import Points
from services.rewards.countdown import Countdowns
from services.rewards.domain.ids import ChainId


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """Made once in `main`."""

    pool: Pool
    clock: BusinessClock
    points: Points
    countdowns: Countdowns
    # What `together` has made so far, by the work that it does.
    gatherings: dict[Any, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """The caller's idempotency key, with a fingerprint of what the request asks."""

    key: str
    fingerprint: bytes

    def claim(self, *, chain_id: ChainId, operation: str) -> Claim:
        """The key in the scope of a chain and an operation."""
        return Claim(
            chain_id=chain_id, operation=operation, key=self.key, fingerprint=self.fingerprint
        )
