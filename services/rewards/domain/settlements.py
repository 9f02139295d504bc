"""Bringing points and reward to agree: the take, the void, the undoing of a take, and sales.

The points service is asked by the reward's id, which it knows as a key: asking again changes
nothing. What is not known is repeated until it is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.rewards.domain.actors import Actor
from services.rewards.domain.ids import ChainId, RewardId, SalonId, SettlementId

# Longer than the deadline of a call to points plus the time in which a cancelled one ends there,
# so that a second asker never overlaps with the first.
LEASE_SECONDS = 8.0
# A debit whose answer was lost may in theory still arrive; after this it cannot any more.
UNDO_AFTER_SECONDS = 60.0
RETRY_SECONDS_MIN = 2.0
RETRY_SECONDS_MAX = 60.0


class SettlementKind(StrEnum):
    """What the points service is asked for."""

    # Debit the points of a pending reward, then issue it.
    TAKE = "take"
    # Return the points of a voiding reward, then mark it voided.
    VOID = "void"
    # Return the points of a take that came to nothing, if any were debited.
    UNDO = "undo"
    # Put an issued reward on its open sale.
    APPLY = "apply"
    # Take it off again.
    REMOVE = "remove"
    # Take a voiding reward off its sale, then mark it voided; its points stay spent.
    VOID_KEPT = "void_kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One reward whose points are not known to agree with it, with who wanted what."""

    id: SettlementId
    chain_id: ChainId
    reward_id: RewardId
    kind: SettlementKind
    request_key: str
    salon_id: SalonId | None
    actor: Actor
    attempts: int


def retry_seconds(attempts: int) -> float:
    """The pause after so many attempts without an answer."""
    return float(min(RETRY_SECONDS_MIN * 2 ** min(attempts - 1, 10), RETRY_SECONDS_MAX))
