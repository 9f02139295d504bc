"""The one service that rewards asks: points, by the reward's id and outside any transaction."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
from loyalty.points.v1.points_pb2 import DebitPointsRequest, Entry, ReturnPointsRequest
from loyalty.points.v1.points_pb2_grpc import PointsServiceStub

from services.chassis.errors import RemoteRefusal, Unavailable
from services.rewards.domain.ids import AccountId
from services.rewards.domain.settlements import Settlement
from services.rewards.events import actor_message

# Well below a settlement's lease: a call that was given up has ended there before another begins.
CALL_SECONDS_MAX = 3.0
# How points says that no points were ever taken for a reward.
DEBIT_UNKNOWN = "debit_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What the points service did for a reward, now or when it was first asked."""

    balance: int
    # Whose account of which program it was.
    member_id: str
    program_id: str


class Points:
    """Debits and returns the points of rewards. Both are repeatable by the reward's id.

    Both raise `RemoteRefusal` when points said no and did nothing, and `Unavailable` when it is
    not known whether anything was done.
    """

    def __init__(self, stub: PointsServiceStub) -> None:
        self._stub = stub

    async def debit(
        self, settlement: Settlement, *, account_id: AccountId, points: int
    ) -> Movement:
        """Take the points of a reward from the account."""
        request = DebitPointsRequest(
            chain_id=str(settlement.chain_id),
            account_id=str(account_id),
            reward_id=str(settlement.reward_id),
            points=points,
            salon_id="" if settlement.salon_id is None else str(settlement.salon_id),
            actor=actor_message(settlement.actor),
        )
        try:
            answer = await self._stub.DebitPoints(request, timeout=CALL_SECONDS_MAX)
        except grpc.aio.AioRpcError as error:
            raise _unknown(error) from error
        return _movement(answer.entry, answer.balance)

    async def give_back(self, settlement: Settlement) -> Movement:
        """Return the points that were debited for a reward."""
        request = ReturnPointsRequest(
            chain_id=str(settlement.chain_id),
            reward_id=str(settlement.reward_id),
            actor=actor_message(settlement.actor),
        )
        try:
            answer = await self._stub.ReturnPoints(request, timeout=CALL_SECONDS_MAX)
        except grpc.aio.AioRpcError as error:
            raise _unknown(error) from error
        return _movement(answer.entry, answer.balance)


def nothing_to_return(refusal: RemoteRefusal) -> bool:
    """Whether points says that it never debited anything for the reward."""
    return refusal.code == DEBIT_UNKNOWN


def _movement(entry: Entry, balance: int) -> Movement:
    return Movement(balance=balance, member_id=entry.member_id, program_id=entry.program_id)


def _unknown(error: grpc.aio.AioRpcError) -> Unavailable:
    return Unavailable(f"points answered {error.code().name}; what it did is not known")
