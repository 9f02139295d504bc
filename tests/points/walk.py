"""A walk through everything that moves points, real service and plain model together.

Who walks says the steps; what a step means for a sale is worked out from what is left of the sale.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, TypeAlias
from uuid import UUID

from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1.types_pb2 import Money

from services.chassis.errors import RemoteRefusal
from services.points.domain.ids import ChainId
from services.points.usecases import sweeps
from tests.points.house import House, new_id, refusal_of
from tests.points.plain_ledger import Item, Member, Refused, Sold, refundable

KINDS = {value: name.removeprefix("ENTRY_KIND_") for name, value in pb.EntryKind.items() if value}
VISIT_MINIMUM = 2000
LADDER = pb.Tiers(
    tiers=[
        pb.Tier(name="Base", threshold=0),
        pb.Tier(name="Argent", threshold=10, multiplier="1.25"),
        pb.Tier(name="Or", threshold=60, multiplier="1.5"),
    ]
)

# Quantity and price of each line.
Basket: TypeAlias = list[tuple[int, int]]
# Which line, and how many of it.
Wanted: TypeAlias = list[tuple[int, int]]
# All of it, an amount of money, or how many of each line.
How: TypeAlias = int | dict[str, int] | None
# A reward that was paid for, and with how many points.
Taken: TypeAlias = tuple[str, int]


@dataclass
class Walk:
    """One member of a chain of her own, whose clock only this walk moves."""

    house: House
    member: Member = field(default_factory=Member)
    offset: timedelta = timedelta()
    spend_minor: int | None = None
    clamps: bool = False
    tiers: bool = False
    sales: list[Sold] = field(default_factory=list)
    named: int = 0

    @property
    def now(self) -> datetime:
        return self.house.clock.at + self.offset

    async def open(
        self, *, spend_minor: int | None, clamps: bool, tiers: bool, months: int | None
    ) -> None:
        """A program: a point for so much money or five for a visit, debts or not, tiers or not."""
        house = self.house
        self.spend_minor, self.clamps, self.tiers = spend_minor, clamps, tiers
        if spend_minor is None:
            rule = pb.AccrualRule(type=pb.ACCRUAL_TYPE_VISIT, points=5, minimum_minor=VISIT_MINIMUM)
        else:
            rule = pb.AccrualRule(type=pb.ACCRUAL_TYPE_SPEND, points=1, amount_minor=spend_minor)
        debt = pb.DEBT_RULE_CLAMP_ZERO if clamps else pb.DEBT_RULE_ALLOW_NEGATIVE
        await house.keep_chain()
        await house.open()
        await house.update_program(
            rules=pb.ProgramRules(
                accrual_rules=[rule],
                refunds=pb.RefundSettings(debt_rule=debt),
                tiers=LADDER if tiers else None,
                expiry_policy=_policy(months),
            )
        )
        self.member.months = months

    # -- steps ---------------------------------------------------------------------------------

    async def wait(self, time: timedelta) -> None:
        self.offset += time
        self.house.deps.clock.put_offset(self.house.chain_id, self.offset)

    async def save_policy(self, months: int | None) -> None:
        await self.house.update_program(rules=pb.ProgramRules(expiry_policy=_policy(months)))
        self.member.months = months

    async def expire(self) -> None:
        await sweeps.run_due(self.house.deps, ChainId(UUID(self.house.chain_id)))
        self.member.settle(self.now)

    async def earn(self, points: int) -> pb.EarnItem:
        item = self.house.item(till=pb.TillOrigin(points=points))
        (outcome,) = await self.house.earn_all([item])
        assert not outcome.HasField("refusal"), outcome.refusal
        self.member.earn(points, self.now)
        assert outcome.earned.balance == self.member.usable(self.now)
        return item

    async def earn_again(self, item: pb.EarnItem) -> None:
        """A resend is answered as the first was, and does nothing."""
        (outcome,) = await self.house.earn_all([item])
        assert not outcome.HasField("refusal"), outcome.refusal

    async def adjust(self, points: int, *, below_zero: bool) -> None:
        await self._agree(
            self.house.adjust(points, allow_negative_balance=below_zero),
            lambda: self.member.adjust(points, self.now, below_zero=below_zero),
        )

    async def take(self, points: int) -> Taken | None:
        """A new reward; None where she cannot pay for it."""
        reward = new_id()
        await self.take_again((reward, points))
        return (reward, points) if reward in self.member.taken else None

    async def take_again(self, taken: Taken) -> None:
        """A reward is paid for once."""
        reward, points = taken
        await self._agree(
            self.house.debit(points, reward_id=reward),
            lambda: self.member.take(reward, points, self.now),
        )

    async def give_back(self, reward: str) -> None:
        await self._agree(
            self.house.give_back(reward), lambda: self.member.give_back(reward, self.now)
        )

    async def post(self, basket: Basket) -> Sold:
        """A sale that is left open."""
        items = self._items(basket)
        request = pb.CreateSaleRequest(
            idempotency_key=new_id(),
            chain_id=self.house.chain_id,
            salon_id=self.house.salon_id,
            member_id=self.house.alice,
            currency="CAD",
            lines=_lines(items),
        )
        sale = (await self.house.stub.CreateSale(request)).sale
        return Sold(
            id=sale.id,
            at=self.now,
            items=items,
            spend_minor=self.spend_minor,
            visit=(5, VISIT_MINIMUM),
            times=Fraction(1),
            months=None,
            clamps=self.clamps,
        )

    async def count(self, sold: Sold) -> None:
        """The terms are those of the count; the tier's multiplier is as the account says it."""
        if self.tiers:
            sold.times = Fraction((await self._account()).tier.tier.multiplier or 1)
        sold.months = self.member.months
        answer = await self.house.stub.CountSale(self._count_request(sold.id))
        self.member.count(sold, self.now)
        assert (answer.sale.earned.base, answer.sale.earned.tier_bonus) == (sold.base, sold.bonus)
        assert answer.balance == self.member.usable(self.now)
        self.sales.append(sold)

    async def count_again(self, sold: Sold) -> None:
        answer = await self.house.stub.CountSale(self._count_request(sold.id))
        assert answer.already_counted
        self.member.settle(self.now)

    async def sell(self, basket: Basket) -> Sold:
        """A sale that is counted at once."""
        sold = await self.post(basket)
        await self.count(sold)
        return sold

    async def refund(self, sold: Sold, how: How, *, again: bool) -> None:
        """Refund, and perhaps a resend under another key, which is known by its change."""
        change = self._name("change")
        request = self._refund_request(sold, change, how)
        await self._agree(
            self.house.stub.RefundSale(request),
            lambda: self.member.refund(sold, change, how, self.now),
        )
        if again and change in sold.changes:
            request.idempotency_key = new_id()
            repeated = await self.house.stub.RefundSale(request)
            assert repeated.effect.repeated_change

    async def preview(self, sold: Sold, how: How) -> None:
        """A preview says what the model would do, and does nothing."""
        change = self._name("change")
        request = self._refund_request(sold, change, how)
        request.dry_run = True
        call = self.house.stub.RefundSale(request)
        member, theirs = copy.deepcopy((self.member, sold))
        said = ""
        try:
            member.refund(theirs, change, how, self.now)
        except Refused as refused:
            said = refused.code
        if said:
            assert (await refusal_of(call)).code == said
            return
        assert (await call).effect.balance == member.usable(self.now)

    async def exchange(self, sold: Sold, back: dict[str, int], basket: Basket) -> None:
        change, added = self._name("change"), self._items(basket)
        request = pb.ExchangeSaleRequest(
            idempotency_key=new_id(),
            chain_id=self.house.chain_id,
            sale_id=sold.id,
            change_id=change,
            returned=_returned(back),
            added=_lines(added),
        )
        await self._agree(
            self.house.stub.ExchangeSale(request),
            lambda: self.member.exchange(sold, change, back, added, self.now),
        )

    # -- how -----------------------------------------------------------------------------------

    def _refund_request(self, sold: Sold, change: str, how: How) -> pb.RefundSaleRequest:
        request = pb.RefundSaleRequest(
            idempotency_key=new_id(),
            chain_id=self.house.chain_id,
            sale_id=sold.id,
            change_id=change,
            full=pb.FullRefund(),
        )
        if isinstance(how, dict):
            request.items.CopyFrom(pb.ItemsRefund(lines=_returned(how)))
        elif how is not None:
            request.amount.CopyFrom(Money(amount=how, currency="CAD"))
        return request

    def _count_request(self, sale_id: str) -> pb.CountSaleRequest:
        return pb.CountSaleRequest(
            idempotency_key=new_id(),
            chain_id=self.house.chain_id,
            account_id=self.house.alices_account,
            sale_id=sale_id,
            salon_id=self.house.salon_id,
        )

    def _name(self, what: str) -> str:
        self.named += 1
        return f"{what}-{self.named}"

    def _items(self, basket: Basket) -> list[Item]:
        return [
            Item(uid=self._name("line"), quantity=quantity, money=Fraction(quantity * price))
            for quantity, price in basket
        ]

    async def _agree(self, call: Awaitable[object], model: Any) -> None:
        """Service and model say yes together, or no with one code."""
        code = said = ""
        try:
            await call
        except RemoteRefusal as refusal:
            code = refusal.code
        try:
            model()
        except Refused as refused:
            said = refused.code
        assert code == said

    async def _account(self) -> pb.Account:
        request = pb.GetAccountRequest(
            chain_id=self.house.chain_id, account_id=self.house.alices_account
        )
        return (await self.house.stub.GetAccount(request)).account

    async def compare(self) -> None:
        """What she holds, what she ever got, and what ends when."""
        account = await self._account()
        assert account.balance == self.member.usable(self.now)
        assert account.lifetime_points == self.member.lifetime
        told = [(e.expires_at.ToDatetime(tzinfo=UTC), e.points) for e in account.expiring]
        assert told == self.member.ends(self.now)

    async def end(self) -> None:
        """What is due is done; then every entry, in its order, and what is left of each lot."""
        await self.expire()
        lines: list[pb.LedgerLine] = []
        page = pb.GetLedgerResponse(more=True)
        while page.more:
            page = await self.house.stub.GetLedger(
                pb.GetLedgerRequest(
                    chain_id=self.house.chain_id,
                    account_id=self.house.alices_account,
                    before_sequence=lines[-1].entry.sequence if lines else 0,
                    limit=200,
                )
            )
            lines += page.lines
        found = [
            (
                KINDS[each.entry.kind],
                each.entry.points,
                each.entry.occurred_at.ToDatetime(tzinfo=UTC),
            )
            for each in reversed(lines)
        ]
        assert found == self.member.entries
        assert page.balance == sum(points for _, points, _ in found)
        assert page.balance == sum(total.points for total in page.totals)
        rows = await self.house.deps.pool.fetch(
            "SELECT points, remaining, expires_at FROM lot WHERE chain_id = $1 ORDER BY id",
            self.house.chain_id,
        )
        lots = [(row["points"], row["remaining"], row["expires_at"]) for row in rows]
        assert lots == [(pot.points, pot.left, pot.end) for pot in self.member.pots]


def _lines(items: list[Item]) -> list[pb.SaleLine]:
    return [
        pb.SaleLine(
            uid=item.uid,
            name="Soin",
            quantity=str(item.quantity),
            unit_price_minor=int(item.money / item.quantity),
        )
        for item in items
    ]


def _returned(back: dict[str, int]) -> list[pb.ReturnedLine]:
    return [pb.ReturnedLine(uid=uid, quantity=str(quantity)) for uid, quantity in back.items()]


def some_of(sold: Sold, wanted: Wanted) -> dict[str, int]:
    """Lines that are still there, in the order of asking, and no more of each than there is."""
    there = [item for item in sold.items if item.quantity]
    chosen = [(there[place % len(there)], quantity) for place, quantity in wanted]
    return {item.uid: min(quantity, item.quantity) for item, quantity in chosen}


def share_of(sold: Sold, part: Wanted | int | None) -> How:
    """How a part comes back of what there is; no more money than can be given back yet."""
    if part is None or sold.nothing_left:
        return None
    return min(part, refundable(sold)) if isinstance(part, int) else some_of(sold, part)


def _policy(months: int | None) -> str:
    return f"P{months}M" if months else "never"
