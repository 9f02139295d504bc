"""The one service that rewards asks: points, by the reward's id and outside any transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from loyalty.points.v1.points_pb2 import (
    ApplyRewardRequest,
    DebitOutcome,
    DebitPointsBatchRequest,
    DebitPointsBatchResponse,
    DebitPointsRequest,
    Entry,
    GetSaleRequest,
    RemoveRewardRequest,
    ReturnPointsRequest,
    RewardDiscount,
)
from loyalty.points.v1.points_pb2_grpc import PointsServiceStub
from loyalty.types.v1.types_pb2 import Money

from services.chassis.errors import RemoteRefusal, Unavailable
from services.chassis.gathering import Gathering
from services.chassis.grpc_client import PeerFailed, item_refused
from services.rewards.domain.discounts import AmountOff, PercentOff
from services.rewards.domain.ids import ChainId, RewardId, SaleId
from services.rewards.domain.rewards import Reward
from services.rewards.domain.settlements import Settlement
from services.rewards.events import actor_message

Answered = TypeVar("Answered")

# Well below a settlement's lease: a call that was given up has ended there before another begins.
CALL_SECONDS_MAX = 3.0
# How points says that no points were ever taken for a reward.
DEBIT_UNKNOWN = "debit_unknown"
# How points says that it is too late: the reward was used with its sale.
SALE_COUNTED = "sale_counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What the points service did for a reward, now or when it was first asked."""

    balance: int
    # Whose account of which program it was.
    member_id: str
    program_id: str


class Points:
    """Debits and returns the points of rewards, and puts rewards on sales and takes them off.

    All of it is repeatable by the reward's id. Each raises `RemoteRefusal` when points said no and
    did nothing, and `Unavailable` when it is not known whether anything was done.
    """

    def __init__(self, stub: PointsServiceStub) -> None:
        self._stub = stub
        self._debits: Gathering[DebitPointsRequest, Movement] = Gathering(
            "debits",
            self._debit_many,
            full=lambda: Unavailable("too many takes wait for points"),
            # With the wait: the settlement's lease must outlast it.
            seconds_max=CALL_SECONDS_MAX,
        )

    async def debit(self, settlement: Settlement, reward: Reward) -> Movement:
        """Take the points of a reward from its account; with a sale, its discount goes on that.

        Debits without a sale travel together; each is answered by itself.
        """
        request = DebitPointsRequest(
            chain_id=str(settlement.chain_id),
            account_id=str(reward.account_id),
            reward_id=str(settlement.reward_id),
            points=reward.points,
            salon_id=_text(settlement.salon_id),
            actor=actor_message(settlement.actor),
        )
        if reward.sale_id is None:
            return await self._debits.one(request)
        request.sale_id = str(reward.sale_id)
        request.discount.CopyFrom(_discount(reward))
        answer = await self._ask(self._stub.DebitPoints, request)
        return _movement(answer.entry, answer.balance)

    async def _debit_many(
        self, requests: Sequence[DebitPointsRequest], seconds: float
    ) -> list[Movement | Exception]:
        async def ask(batch: DebitPointsBatchRequest, timeout: float) -> DebitPointsBatchResponse:
            # Who has waited longest must not be given up while points is still at it.
            return await self._stub.DebitPointsBatch(batch, timeout=min(timeout, seconds))

        answer = await self._ask(ask, DebitPointsBatchRequest(items=requests))
        return [_outcome(outcome) for outcome in answer.outcomes]

    async def give_back(self, settlement: Settlement, *, on_no_sale: bool = False) -> Movement:
        """Return the points that were debited for a reward; it comes off its open sale.

        With `on_no_sale` a sale that it was used with is not looked at: staff gave it back since.
        """
        request = ReturnPointsRequest(
            chain_id=str(settlement.chain_id),
            reward_id=str(settlement.reward_id),
            actor=actor_message(settlement.actor),
            on_no_sale=on_no_sale,
        )
        answer = await self._ask(self._stub.ReturnPoints, request)
        return _movement(answer.entry, answer.balance)

    async def apply(self, reward: Reward, sale_id: SaleId) -> None:
        """Put an issued reward on an open sale."""
        request = ApplyRewardRequest(
            chain_id=str(reward.chain_id),
            sale_id=str(sale_id),
            reward_id=str(reward.id),
            member_id=str(reward.member_id),
            discount=_discount(reward),
        )
        await self._ask(self._stub.ApplyReward, request)

    async def remove(self, *, chain_id: ChainId, reward_id: RewardId, sale_id: SaleId) -> None:
        """Take a reward off an open sale."""
        request = RemoveRewardRequest(
            chain_id=str(chain_id), sale_id=str(sale_id), reward_id=str(reward_id)
        )
        await self._ask(self._stub.RemoveReward, request)

    async def has_on_sale(self, *, chain_id: ChainId, reward_id: RewardId, sale_id: SaleId) -> bool:
        """Whether a reward is on a sale; a sale that is not there has none."""
        request = GetSaleRequest(chain_id=str(chain_id), sale_id=str(sale_id))
        try:
            answer = await self._ask(self._stub.GetSale, request)
        except RemoteRefusal as refusal:
            if refusal.status is grpc.StatusCode.NOT_FOUND:
                return False
            raise Unavailable("points does not say what is on the sale") from refusal
        return any(discount.reward_id == str(reward_id) for discount in answer.sale.discounts)

    async def _ask(self, method: Callable[..., Awaitable[Answered]], request: Message) -> Answered:
        try:
            return await method(request, timeout=CALL_SECONDS_MAX)
        except grpc.aio.AioRpcError as error:
            said = error.code().name
            raise Unavailable(f"points answered {said}; what it did is not known") from error


def nothing_to_return(refusal: RemoteRefusal) -> bool:
    """Whether points says that it never debited anything for the reward."""
    return refusal.code == DEBIT_UNKNOWN


def used_with_its_sale(refusal: RemoteRefusal) -> bool:
    """Whether points says that the reward's sale was counted, so that it stays on it."""
    return refusal.code == SALE_COUNTED


def _outcome(outcome: DebitOutcome) -> Movement | Exception:
    if outcome.WhichOneof("outcome") == "debited":
        return _movement(outcome.debited.entry, outcome.debited.balance)
    refused = item_refused(outcome.refusal)
    if isinstance(refused, PeerFailed):
        return Unavailable("points failed; what it did is not known")
    return refused


def _movement(entry: Entry, balance: int) -> Movement:
    return Movement(balance=balance, member_id=entry.member_id, program_id=entry.program_id)


def _discount(reward: Reward) -> RewardDiscount:
    """What the reward takes off a sale, by the terms that it was taken with (SQ-49).

    An offer's coupon says it in words only, so a sale's total stays.
    """
    match reward.discount:
        case PercentOff() as percent:
            return RewardDiscount(name=reward.name, percentage=percent.text)
        case AmountOff(minor=minor, currency=currency):
            return RewardDiscount(name=reward.name, amount=Money(amount=minor, currency=currency))
    return RewardDiscount(name=reward.name, in_kind=True)


def _text(value: object) -> str:
    return "" if value is None else str(value)
