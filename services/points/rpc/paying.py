"""Paying for rewards over gRPC."""

from __future__ import annotations

from loyalty.points.v1 import points_pb2 as pb

from services.chassis import grpc_server
from services.points.domain.errors import Refusal
from services.points.domain.ledger import Entry
from services.points.rpc import reading, sale_reading, writing
from services.points.rpc.door import Context, Door
from services.points.usecases import debit_batch, paying
from services.points.usecases.paying import Debit, Return


class PayingServicer(Door):
    """Points that leave for rewards, and come back."""

    async def DebitPoints(
        self, request: pb.DebitPointsRequest, context: Context
    ) -> pb.DebitPointsResponse:
        """See `usecases.paying.debit_points`."""
        entry = await paying.debit_points(self._deps, _debit(request))
        return _debited(entry)

    async def DebitPointsBatch(
        self, request: pb.DebitPointsBatchRequest, context: Context
    ) -> pb.DebitPointsBatchResponse:
        """See `usecases.debit_batch.debit_many`."""
        wanted: list[Debit | Refusal] = []
        for item in request.items:
            try:
                wanted.append(_debit(item))
            except Refusal as refusal:
                wanted.append(refusal)
        results = await debit_batch.debit_many(self._deps, wanted)
        return pb.DebitPointsBatchResponse(outcomes=[self._outcome(result) for result in results])

    def _outcome(self, result: Entry | Exception) -> pb.DebitOutcome:
        if isinstance(result, Entry):
            return pb.DebitOutcome(debited=_debited(result))
        return pb.DebitOutcome(
            refusal=grpc_server.item_refusal("DebitPointsBatch", result, self._refusals)
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
                on_no_sale=request.on_no_sale,
            ),
        )
        return pb.ReturnPointsResponse(
            entry=writing.entry(entry), balance=entry.posting.balance_after
        )


def _debit(request: pb.DebitPointsRequest) -> Debit:
    return Debit(
        chain_id=reading.chain_id(request.chain_id),
        account_id=reading.account_id(request.account_id),
        reward_id=reading.reward_id(request.reward_id),
        points=request.points,
        salon_id=reading.salon_id(request.salon_id),
        actor=reading.actor(request.actor),
        sale_id=sale_reading.sale_id(request.sale_id) if request.sale_id else None,
        offer=sale_reading.reward_offer(request.discount) if request.sale_id else None,
    )


def _debited(entry: Entry) -> pb.DebitPointsResponse:
    return pb.DebitPointsResponse(entry=writing.entry(entry), balance=entry.posting.balance_after)
