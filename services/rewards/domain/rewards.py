"""Rewards and coupons in a member's wallet, and what may become of them.

pending → issued ⇄ redeemed        a coupon starts at issued
            issued → voiding → voided
            issued → expired       coupons only

An issued reward may be on an open sale (`sale_id`); it is then used when that sale is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.rewards.domain.actors import Actor
from services.rewards.domain.discounts import Discount
from services.rewards.domain.errors import (
    AlreadyUsed,
    NotFound,
    NotRedeemed,
    Refusal,
    RewardExpired,
    RewardOnSale,
    RewardPending,
    RewardVoided,
)
from services.rewards.domain.ids import (
    AccountId,
    ChainId,
    DefinitionId,
    MemberId,
    OfferId,
    ProgramId,
    RewardEventId,
    RewardId,
    SaleId,
    SalonId,
)

# LS-36: the client shows the screen to staff for five minutes.
DISPLAY_WINDOW = timedelta(seconds=300)


class RewardState(StrEnum):
    """Where a reward stands. `voiding` is voided while its points are still on their way back."""

    PENDING = "pending"
    ISSUED = "issued"
    REDEEMED = "redeemed"
    VOIDING = "voiding"
    VOIDED = "voided"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """One definition or offer taken by one member, with the terms of that moment."""

    id: RewardId
    chain_id: ChainId
    member_id: MemberId
    account_id: AccountId | None
    program_id: ProgramId | None
    definition_id: DefinitionId | None
    offer_id: OfferId | None
    name: str
    description: str
    exclusion: str
    points: int
    discount: Discount | None
    state: RewardState
    created_at: datetime
    updated_at: datetime
    redeemed_at: datetime | None
    display_until: datetime | None
    used_by_session: str
    redeemed_salon_id: SalonId | None
    expires_at: datetime | None
    voided_at: datetime | None
    points_returned: bool
    # The open sale that it is on, or the sale that it was used on.
    sale_id: SaleId | None
    version: int

    def state_at(self, now: datetime) -> RewardState:
        """The state as everyone sees it: a coupon past its end has expired, job or no job."""
        if self.state is RewardState.ISSUED and self.has_expired(now):
            return RewardState.EXPIRED
        if self.state is RewardState.VOIDING:
            return RewardState.VOIDED
        return self.state

    def has_expired(self, now: datetime) -> bool:
        """`expires_at` is the first instant after the last usable day (OF2)."""
        return self.expires_at is not None and now >= self.expires_at

    def display_seconds_left(self, now: datetime) -> int:
        """What is left of the display window; the last running second counts as one (RW3)."""
        if self.state is not RewardState.REDEEMED or self.display_until is None:
            return 0
        return max(0, -((now - self.display_until) // timedelta(seconds=1)))


class RewardEventKind(StrEnum):
    """What happened to a reward."""

    TAKEN = "taken"
    USED = "used"
    RESTORED = "restored"
    VOIDED = "voided"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardEvent:
    """A fact about a reward; never changed."""

    id: RewardEventId
    chain_id: ChainId
    reward_id: RewardId
    member_id: MemberId
    account_id: AccountId | None
    program_id: ProgramId | None
    definition_id: DefinitionId | None
    kind: RewardEventKind
    points: int
    salon_id: SalonId | None
    actor: Actor
    occurred_at: datetime
    reward_name: str
    # Taken or used on this sale, or given back by its refund.
    sale_id: SaleId | None = None
    # When the database took it down, on the chain's clock; None while it has not.
    recorded_at: datetime | None = None


def points_moved(reward: Reward, kind: RewardEventKind) -> int:
    """What the account gained by an event: the take costs, a void may give back (D35)."""
    if kind is RewardEventKind.TAKEN:
        return -reward.points
    if kind is RewardEventKind.VOIDED and reward.points_returned:
        return reward.points
    return 0


def why_not_usable(
    reward: Reward | None, *, member_id: MemberId | None, now: datetime
) -> Refusal | None:
    """Why this reward cannot be used or voided, None when it can.

    Another member's reward is refused as if there were none (LS-38).
    """
    if reward is None or (member_id is not None and reward.member_id != member_id):
        return NotFound(field="reward_id")
    match reward.state_at(now):
        case RewardState.ISSUED:
            return None
        case RewardState.REDEEMED:
            return _already_used(reward)
        case RewardState.EXPIRED:
            return RewardExpired(field="reward_id", params=_moment("expires_at", reward.expires_at))
        case RewardState.PENDING:
            return RewardPending(field="reward_id")
        case _:
            return RewardVoided(field="reward_id")


def why_not_applicable(reward: Reward | None, *, sale_id: SaleId, now: datetime) -> Refusal | None:
    """Why this reward cannot go on a sale, None when it can or is on it already (SQ-19, SQ-20)."""
    refusal = why_not_usable(reward, member_id=None, now=now)
    if refusal is None and reward is not None and reward.sale_id not in (None, sale_id):
        return why_on_sale(reward)
    return refusal


def why_not_removable(reward: Reward | None) -> Refusal | None:
    """Why this reward cannot come off its sale, None when it can or is on none."""
    if reward is None:
        return NotFound(field="reward_id")
    match reward.state:
        case RewardState.ISSUED | RewardState.EXPIRED:
            return None
        case RewardState.REDEEMED:
            return _already_used(reward)
        case RewardState.PENDING:
            return RewardPending(field="reward_id")
        case _:
            return RewardVoided(field="reward_id")


def why_on_sale(reward: Reward | None) -> Refusal | None:
    """Why a reward that is usable otherwise is held back: the till has it on an open sale."""
    if reward is None or reward.state is not RewardState.ISSUED or reward.sale_id is None:
        return None
    return RewardOnSale(field="reward_id", params={"sale_id": str(reward.sale_id)})


def why_not_restorable(reward: Reward | None, *, now: datetime) -> Refusal | None:
    """Why this reward cannot go back to "gagnée", None when it can (LS-75)."""
    if reward is None:
        return NotFound(field="reward_id")
    if reward.state is not RewardState.REDEEMED:
        return NotRedeemed(field="reward_id")
    if reward.has_expired(now):
        return RewardExpired(field="reward_id", params=_moment("expires_at", reward.expires_at))
    return None


def _already_used(reward: Reward) -> AlreadyUsed:
    params = _moment("redeemed_at", reward.redeemed_at)
    if reward.redeemed_salon_id is not None:
        params["salon_id"] = str(reward.redeemed_salon_id)
    if reward.sale_id is not None:
        params["sale_id"] = str(reward.sale_id)
    return AlreadyUsed(field="reward_id", params=params)


def _moment(name: str, at: datetime | None) -> dict[str, str]:
    return {} if at is None else {name: at.isoformat()}
