"""What rewards refuses, with a stable code each. Words for people live at the edge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class Refusal(Exception):
    """An expected no: the caller can do something about it, and nothing has changed."""

    code: ClassVar[str]

    def __init__(self, *, field: str = "", params: Mapping[str, str] | None = None) -> None:
        super().__init__(self.code)
        self.field = field
        self.params: dict[str, str] = dict(params or {})


class NotFound(Refusal):
    """There is none, or it is not theirs; callers cannot tell which."""

    code = "not_found"


class InvalidValue(Refusal):
    """A field is missing, too long, out of range or of the wrong form."""

    code = "invalid_value"


class InvalidCursor(Refusal):
    """The cursor was not given out for this search."""

    code = "invalid_cursor"


class RewardLimit(Refusal):
    """The chain has as many living reward definitions as it may have (SQ-50)."""

    code = "reward_limit"


class DefinitionRetired(Refusal):
    """The reward definition was deleted; those who took it keep theirs."""

    code = "definition_retired"


class OfferNotRunning(Refusal):
    """The offer has not begun, is over or was deleted."""

    code = "offer_not_running"


class AlreadyUsed(Refusal):
    """The reward was used before; `params` say when and in which salon (LS-38)."""

    code = "already_used"


class RewardExpired(Refusal):
    """The coupon's last usable day is over (LS-54)."""

    code = "reward_expired"


class RewardVoided(Refusal):
    """The reward was voided (SQ-16)."""

    code = "reward_voided"


class RewardPending(Refusal):
    """The reward's points are still being debited; in a moment it is issued or gone."""

    code = "reward_pending"


class RewardOnSale(Refusal):
    """The reward is on an open sale, `sale_id`: it is used with it, or taken off it first."""

    code = "reward_on_sale"


class NotRedeemed(Refusal):
    """The reward is not a used one, so there is nothing to end or to restore (LS-75)."""

    code = "not_redeemed"


class NotThisDevice(Refusal):
    """Only the screen on which the reward was used may end its display window (D5)."""

    code = "not_this_device"
