"""Sales, their counting and their refunds over gRPC."""

from __future__ import annotations

from loyalty.points.v1 import points_pb2 as pb

from services.points.rpc import reading, sale_reading, sale_writing, writing
from services.points.rpc.door import Context, Door
from services.points.usecases import calculating, counting, refunding, sales
from services.points.usecases.calculating import Preview
from services.points.usecases.counting import Count


class SalesServicer(Door):
    """What tills sold, what it earns, and what of it comes back."""

    async def CreateSale(
        self, request: pb.CreateSaleRequest, context: Context
    ) -> pb.CreateSaleResponse:
        """See `usecases.sales.create_sale`."""
        view = await sales.create_sale(self._deps, sale_reading.new_sale(request))
        return pb.CreateSaleResponse(sale=sale_writing.sale(view))

    async def PriceSale(
        self, request: pb.PriceSaleRequest, context: Context
    ) -> pb.PriceSaleResponse:
        """See `usecases.sales.price_sale`."""
        view = await sales.price_sale(
            self._deps,
            sale_reading.new_sale(request.sale),
            [
                (reading.reward_id(one.reward_id), sale_reading.reward_offer(one.discount))
                for one in request.rewards
            ],
        )
        priced = sale_writing.sale(view)
        priced.ClearField("id")
        return pb.PriceSaleResponse(sale=priced)

    async def GetSale(self, request: pb.GetSaleRequest, context: Context) -> pb.GetSaleResponse:
        """See `usecases.sales.get_sale`."""
        view = await sales.get_sale(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            sale_id=sale_reading.sale_id(request.sale_id),
        )
        return pb.GetSaleResponse(sale=sale_writing.sale(view))

    async def ApplyReward(
        self, request: pb.ApplyRewardRequest, context: Context
    ) -> pb.ApplyRewardResponse:
        """See `usecases.sales.apply_reward`."""
        view = await sales.apply_reward(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            sale_id=sale_reading.sale_id(request.sale_id),
            reward_id=reading.reward_id(request.reward_id),
            member_id=reading.member_id(request.member_id),
            offer=sale_reading.reward_offer(request.discount),
        )
        return pb.ApplyRewardResponse(sale=sale_writing.sale(view))

    async def RemoveReward(
        self, request: pb.RemoveRewardRequest, context: Context
    ) -> pb.RemoveRewardResponse:
        """See `usecases.sales.remove_reward`."""
        view = await sales.remove_reward(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            sale_id=sale_reading.sale_id(request.sale_id),
            reward_id=reading.reward_id(request.reward_id),
        )
        return pb.RemoveRewardResponse(sale=sale_writing.sale(view))

    async def CalculatePoints(
        self, request: pb.CalculatePointsRequest, context: Context
    ) -> pb.CalculatePointsResponse:
        """See `usecases.calculating.calculate_points`."""
        previewed = await calculating.calculate_points(
            self._deps,
            Preview(
                chain_id=reading.chain_id(request.chain_id),
                program_id=reading.program_id(request.program_id),
                sale_id=sale_reading.sale_id(request.sale_id) if request.sale_id else None,
                amount_minor=request.amount.amount if request.HasField("amount") else None,
                currency=request.amount.currency,
                account_id=reading.account_id(request.account_id) if request.account_id else None,
                salon_id=reading.salon_id(request.salon_id),
            ),
        )
        worth = previewed.worth
        return pb.CalculatePointsResponse(
            points=sale_writing.points(worth.points),
            promotion_id=str(worth.promotion_id or ""),
            silent_line_uids=worth.silent_lines,
            balance=previewed.balance,
        )

    async def CountSale(
        self, request: pb.CountSaleRequest, context: Context
    ) -> pb.CountSaleResponse:
        """See `usecases.counting.count_sale`."""
        counted = await counting.count_sale(
            self._deps,
            Count(
                idempotency_key=request.idempotency_key,
                chain_id=reading.chain_id(request.chain_id),
                account_id=reading.account_id(request.account_id),
                sale_id=sale_reading.sale_id(request.sale_id),
                salon_id=reading.salon_id(request.salon_id),
                actor=reading.actor(request.actor),
            ),
        )
        return pb.CountSaleResponse(
            entries=[writing.entry(found) for found in counted.entries],
            sale=sale_writing.sale(counted.view),
            balance=counted.balance,
            already_counted=counted.already_counted,
        )

    async def RefundSale(
        self, request: pb.RefundSaleRequest, context: Context
    ) -> pb.RefundSaleResponse:
        """See `usecases.refunding.refund_sale`."""
        changed = await refunding.refund_sale(self._deps, sale_reading.sale_refund(request))
        return pb.RefundSaleResponse(effect=sale_writing.effect(changed))

    async def ExchangeSale(
        self, request: pb.ExchangeSaleRequest, context: Context
    ) -> pb.ExchangeSaleResponse:
        """See `usecases.refunding.exchange_sale`."""
        changed = await refunding.exchange_sale(self._deps, sale_reading.sale_exchange(request))
        return pb.ExchangeSaleResponse(effect=sale_writing.effect(changed))
