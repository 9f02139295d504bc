"""Sales in memory, beside the real ledger."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from uuid import UUID, uuid4

import grpc
from loyalty.events.v1.points_events_pb2 import SaleChanged, SaleCounted
from loyalty.points.v1 import points_pb2 as pb

from services.chassis import outbox
from services.chassis.outbox import OutboxEvent
from services.chassis.postgres import in_transaction
from services.points.domain.errors import Refusal
from services.points.rpc.servicer import PointsServicer


class SaleUnknown(Refusal):
    code = "sale_unknown"
    field = "sale_id"


class SaleIsCounted(Refusal):
    code = "sale_counted"
    field = "sale_id"


class SaleOfAnother(Refusal):
    code = "sale_of_another"
    field = "sale_id"


STATUS = {
    SaleUnknown: grpc.StatusCode.NOT_FOUND,
    SaleIsCounted: grpc.StatusCode.FAILED_PRECONDITION,
    SaleOfAnother: grpc.StatusCode.FAILED_PRECONDITION,
}


class Desk(PointsServicer):
    """Keeps sales in memory."""

    def __init__(self, deps, queue):
        super().__init__(deps, queue)
        self.sales: dict[str, pb.Sale] = {}
        self.lock = asyncio.Lock()

    def _sale(self, request) -> pb.Sale:
        sale = self.sales.get(request.sale_id)
        if sale is None or sale.chain_id != request.chain_id:
            raise SaleUnknown
        return sale

    def _price(self, sale: pb.Sale) -> None:
        gross = sum(int(Decimal(line.quantity) * line.unit_price_minor) for line in sale.lines)
        off = 0
        for discount in sale.discounts:
            if discount.percentage:
                discount.applied_minor = int(gross * Decimal(discount.percentage) / 100)
            elif discount.HasField("amount_minor"):
                discount.applied_minor = min(gross, discount.amount_minor)
            off += discount.applied_minor
        sale.total_minor = gross - off

    def _put(self, sale: pb.Sale, reward_id: str, member_id: str, given: pb.RewardDiscount) -> None:
        if sale.state == pb.SALE_STATE_COUNTED:
            raise SaleIsCounted
        if sale.member_id and sale.member_id != member_id:
            raise SaleOfAnother
        if any(one.reward_id == reward_id for one in sale.discounts):
            return
        sale.member_id = member_id
        discount = sale.discounts.add(reward_id=reward_id, name=given.name)
        if given.percentage:
            discount.percentage = given.percentage
        elif given.HasField("amount"):
            discount.amount_minor = given.amount.amount
        self._price(sale)

    def _take(self, sale: pb.Sale, reward_id: str) -> None:
        if all(one.reward_id != reward_id for one in sale.discounts):
            return
        if sale.state == pb.SALE_STATE_COUNTED:
            raise SaleIsCounted
        kept = [one for one in sale.discounts if one.reward_id != reward_id]
        del sale.discounts[:]
        sale.discounts.extend(kept)
        self._price(sale)

    async def CreateSale(self, request, context):
        sale = pb.Sale(
            id=str(uuid4()),
            chain_id=request.chain_id,
            salon_id=request.salon_id,
            member_id=request.member_id,
            state=pb.SALE_STATE_OPEN,
            currency=request.currency,
            lines=request.lines,
        )
        self._price(sale)
        self.sales[sale.id] = sale
        return pb.CreateSaleResponse(sale=sale)

    async def GetSale(self, request, context):
        return pb.GetSaleResponse(sale=self._sale(request))

    async def ApplyReward(self, request, context):
        async with self.lock:
            sale = self._sale(request)
            self._put(sale, request.reward_id, request.member_id, request.discount)
            return pb.ApplyRewardResponse(sale=sale)

    async def RemoveReward(self, request, context):
        async with self.lock:
            sale = self._sale(request)
            self._take(sale, request.reward_id)
            return pb.RemoveRewardResponse(sale=sale)

    async def DebitPoints(self, request, context):
        async with self.lock:
            if not request.sale_id:
                return await super().DebitPoints(request, context)
            sale = self._sale(request)
            known = any(one.reward_id == request.reward_id for one in sale.discounts)
            if not known and sale.state == pb.SALE_STATE_COUNTED:
                raise SaleIsCounted
            account = await self.GetAccount(
                pb.GetAccountRequest(chain_id=request.chain_id, account_id=request.account_id), None
            )
            if sale.member_id and sale.member_id != account.account.member_id:
                raise SaleOfAnother
            answer = await super().DebitPoints(request, context)
            if not known:
                self._put(sale, request.reward_id, answer.entry.member_id, request.discount)
            return answer

    async def ReturnPoints(self, request, context):
        async with self.lock:
            for sale in self.sales.values():
                if any(one.reward_id == request.reward_id for one in sale.discounts):
                    self._take(sale, request.reward_id)
            return await super().ReturnPoints(request, context)

    async def CountSale(self, request, context):
        async with self.lock:
            sale = self._sale(request)
            rewards = [one.reward_id for one in sale.discounts if one.reward_id]
            already = sale.state == pb.SALE_STATE_COUNTED
            if not already:
                sale.state = pb.SALE_STATE_COUNTED
                counted = SaleCounted(
                    chain_id=sale.chain_id,
                    sale_id=sale.id,
                    account_id=request.account_id,
                    member_id=sale.member_id,
                    salon_id=sale.salon_id,
                    reward_ids=rewards,
                    actor=request.actor,
                )
                await self._tell("sale.counted", counted)
            return pb.CountSaleResponse(sale=sale, already_counted=already)

    async def RefundSale(self, request, context):
        async with self.lock:
            sale = self._sale(request)
            rewards = [one.reward_id for one in sale.discounts if one.reward_id]
            changed = SaleChanged(
                chain_id=sale.chain_id,
                sale_id=sale.id,
                change_id=request.change_id,
                member_id=sale.member_id,
                salon_id=sale.salon_id,
                returned_reward_ids=rewards,
                actor=request.actor,
            )
            await self._tell("sale.changed", changed)
            return pb.RefundSaleResponse(effect=pb.ChangeEffect(sale=sale))

    async def _tell(self, kind, message):
        now = self._deps.clock.now(UUID(message.chain_id))
        message.occurred_at.FromDatetime(now)
        event = OutboxEvent(
            topic="loyalty.points.v1",
            key=message.account_id or message.sale_id,
            type=kind,
            chain_id=UUID(message.chain_id),
            subject=message.sale_id,
            payload=message.SerializeToString(),
            occurred_at=now,
        )
        await in_transaction(self._deps.pool, lambda conn: outbox.append(conn, [event]))
