"""Answers as they are kept for resends of the same request."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from services.chassis.errors import InvariantViolated
from services.rewards.domain.discounts import AmountOff, Discount, InKind, PercentOff
from services.rewards.domain.ids import ChainId, RewardId
from services.rewards.domain.rewards import Reward, RewardState

_MOMENTS = frozenset(
    ["created_at", "updated_at", "redeemed_at", "display_until", "expires_at", "voided_at"]
)
_IDS = frozenset(
    [
        "id",
        "chain_id",
        "member_id",
        "account_id",
        "program_id",
        "definition_id",
        "offer_id",
        "redeemed_salon_id",
        "sale_id",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a caller got, as it was at that moment."""

    reward: Reward
    # Of the account after its points moved; 0 where none did.
    balance: int = 0
    already_taken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """The request has begun and its reward waits for the points service."""

    chain_id: ChainId
    reward_id: RewardId


def encode(answer: Answer | Settling) -> bytes:
    """The bytes to keep."""
    if isinstance(answer, Settling):
        settling = {"chain_id": str(answer.chain_id), "reward_id": str(answer.reward_id)}
        return orjson.dumps({"settling": settling})
    reward = {
        field.name: _plain(getattr(answer.reward, field.name)) for field in fields(answer.reward)
    }
    return orjson.dumps(
        {"reward": reward, "balance": answer.balance, "already_taken": answer.already_taken}
    )


def decode(kept: bytes) -> Answer | Settling:
    """What was kept."""
    values: dict[str, Any] = orjson.loads(kept)
    if "settling" in values:
        settling = values["settling"]
        return Settling(
            chain_id=ChainId(UUID(settling["chain_id"])),
            reward_id=RewardId(UUID(settling["reward_id"])),
        )
    reward = {name: _typed(name, value) for name, value in values["reward"].items()}
    # Answers that were kept before there were sales do not speak of one.
    reward.setdefault("sale_id", None)
    return Answer(
        reward=Reward(**reward),
        balance=values["balance"],
        already_taken=values["already_taken"],
    )


def _plain(value: object) -> object:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case RewardState():
            return value.value
        case PercentOff(percentage=percentage):
            return {"percentage": str(percentage)}
        case AmountOff(minor=minor, currency=currency):
            return {"minor": minor, "currency": currency}
        case InKind():
            return {"in_kind": True}
    return value


def _typed(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _MOMENTS:
        return datetime.fromisoformat(value)
    if name in _IDS:
        return UUID(value)
    if name == "state":
        return RewardState(value)
    return _discount(value) if name == "discount" else value


def _discount(value: dict[str, Any]) -> Discount:
    if "percentage" in value:
        return PercentOff(percentage=Decimal(value["percentage"]))
    if "minor" in value:
        return AmountOff(minor=value["minor"], currency=value["currency"])
    return InKind()


def decode_done(kept: bytes) -> Answer:
    """The answer of a request that never waits for points."""
    answer = decode(kept)
    if isinstance(answer, Settling):
        raise InvariantViolated("an answer that waits for points was kept where none can")
    return answer
