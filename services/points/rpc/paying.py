"""Paying for rewards over gRPC."""

from __future__ import annotations

from loyalty.points.v1 import points_pb2 as pb

from services.points.rpc import reading, writing
from services.points.rpc.door import Context, Door
from services.points.usecases import paying
from services.points.usecases.paying import Debit, Return


class PayingServicer(Door):
    """Points that leave for rewards, and come back."""

    async def DebitPoints(
        self, request: pb.DebitPointsRequest, context: Context
    ) -> pb.DebitPointsResponse:
        """See `usecases.paying.debit_points`."""
        entry = await paying.debit_points(
            self._deps,
            Debit(
                chain_id=reading.chain_id(request.chain_id),
                account_id=reading.account_id(request.account_id),
                reward_id=reading.reward_id(request.reward_id),
                points=request.points,
                salon_id=reading.salon_id(request.salon_id),
                actor=reading.actor(request.actor),
            ),
        )
        return pb.DebitPointsResponse(
            entry=writing.entry(entry), balance=entry.posting.balance_after
        )

    async def ReturnPoints(
        self, request: pb.ReturnPointsRequest, context: Context
    ) -> pb.ReturnPointsResponse:
        """See `usecases.paying.return_points`."""
        entry = await paying.return_points(
            self._deps,
            Return(
                chain_id=reading.chain_id(request.chain_id),
                reward_id=reading.reward_id(request.reward_id),
                salon_id=reading.salon_id(request.salon_id),
                actor=reading.actor(request.actor),
            ),
        )
        return pb.ReturnPointsResponse(
            entry=writing.entry(entry), balance=entry.posting.balance_after
        )
