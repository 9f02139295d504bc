"""What became of rewards on counted sales, as the points service tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.rewards.domain.actors import Actor
from services.rewards.domain.ids import ChainId, RewardId, SaleId, SalonId


class SaleFactKind(StrEnum):
    """What happened to a reward with its sale; each at most once a reward and sale."""

    # The sale was counted with the reward on it.
    USED = "used"
    # A refund or an exchange gave it back (R36); always later than its use.
    RETURNED = "returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleFact:
    """One reward, one sale, and what became of the two."""

    chain_id: ChainId
    reward_id: RewardId
    sale_id: SaleId
    kind: SaleFactKind
    salon_id: SalonId | None
    actor: Actor
    occurred_at: datetime
