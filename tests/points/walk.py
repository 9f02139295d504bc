"""A walk at random through everything that moves points, real service and plain model together."""

from __future__ import annotations

import copy
import random
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1.types_pb2 import Money

from services.chassis.errors import RemoteRefusal
from services.points.domain.ids import ChainId
from services.points.usecases import sweeps
from tests.points.house import House, new_id, refusal_of
from tests.points.plain_ledger import Item, Member, Refused, Sold, refundable

STEPS_MAX = 50
# How often the account is looked at; its entries tell the rest in the end.
LOOKS = 0.4
KINDS = {value: name.removeprefix("ENTRY_KIND_") for name, value in pb.EntryKind.items() if value}
SPEND = [100, 1000, 700]
VISIT_MINIMUM = 2000


@dataclass
class Walk:
    """One member of a chain of her own, whose clock only this walk moves."""

    house: House
    chance: random.Random
    member: Member = field(default_factory=Member)
    offset: timedelta = timedelta()
    spend_minor: int | None = None
    clamps: bool = False
    tiers: bool = False
    open_sales: list[tuple[str, Sold]] = field(default_factory=list)
    sales: list[Sold] = field(default_factory=list)
    rewards: list[tuple[str, int]] = field(default_factory=list)
    earned: list[pb.EarnItem] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return self.house.clock.at + self.offset

    async def run(self) -> None:
        """A program, up to fifty steps, then the whole ledger against the model's."""
        await self._open()
        ways = [
            self._wait,
            self._wait,
            self._earn,
            self._earn,
            self._adjust,
            self._take,
            self._give_back,
            self._sell,
            self._sell,
            self._refund,
            self._refund,
            self._exchange,
            self._expire,
            self._save_policy,
            self._count_late,
            self._say_again,
        ]
        for _ in range(self.chance.randint(1, STEPS_MAX)):
            await self.chance.choice(ways)()
            if self.chance.random() < LOOKS:
                await self._compare()
        await self._compare()
        await self._expire()
        await self._compare_ledger()

    async def _open(self) -> None:
        chance, house = self.chance, self.house
        await house.keep_chain()
        await house.open()
        self.spend_minor = chance.choice([*SPEND, None])
        self.clamps = chance.random() < 0.3
        self.tiers = chance.random() < 0.3
        if self.spend_minor is None:
            rule = pb.AccrualRule(type=pb.ACCRUAL_TYPE_VISIT, points=5, minimum_minor=VISIT_MINIMUM)
        else:
            rule = pb.AccrualRule(
                type=pb.ACCRUAL_TYPE_SPEND, points=1, amount_minor=self.spend_minor
            )
        debt = pb.DEBT_RULE_CLAMP_ZERO if self.clamps else pb.DEBT_RULE_ALLOW_NEGATIVE
        await house.update_program(
            rules=pb.ProgramRules(
                accrual_rules=[rule],
                refunds=pb.RefundSettings(debt_rule=debt),
                tiers=pb.Tiers(
                    tiers=[
                        pb.Tier(name="Base", threshold=0),
                        pb.Tier(name="Argent", threshold=60, multiplier="1.25"),
                        pb.Tier(name="Or", threshold=200, multiplier="1.5"),
                    ]
                )
                if self.tiers
                else None,
            )
        )
        await self._save_policy()

    # -- steps ---------------------------------------------------------------------------------

    async def _wait(self) -> None:
        self.offset += timedelta(hours=self.chance.randint(1, 24 * 45))
        self.house.deps.clock.put_offset(self.house.chain_id, self.offset)
        self.steps.append(f"wait until {self.now}")

    async def _save_policy(self) -> None:
        months = self.chance.choice([None, 1, 1, 2, 3])
        policy = f"P{months}M" if months else "never"
        await self.house.update_program(rules=pb.ProgramRules(expiry_policy=policy))
        self.member.months = months
        self.steps.append(f"policy {policy}")

    async def _expire(self) -> None:
        self.steps.append("expire")
        await sweeps.run_due(self.house.deps, ChainId(UUID(self.house.chain_id)))
        self.member.settle(self.now)

    async def _earn(self) -> None:
        points = self.chance.randint(1, 40)
        item = self.house.item(till=pb.TillOrigin(points=points))
        self.steps.append(f"earn {points}")
        (outcome,) = await self.house.earn_all([item])
        self.member.earn(points, self.now)
        assert outcome.earned.balance == self.member.usable(self.now)
        self.earned.append(item)

    async def _say_again(self) -> None:
        """A resend: of an earn, or of a sale that was counted."""
        if self.earned and self.chance.random() < 0.5:
            self.steps.append("earn again")
            await self.house.earn_all([self.chance.choice(self.earned)])
        elif self.sales:
            sold = self.chance.choice(self.sales)
            self.steps.append("count again")
            answer = await self.house.stub.CountSale(self._count_request(sold.id))
            assert answer.already_counted
            self.member.settle(self.now)

    async def _adjust(self) -> None:
        points = self.chance.choice([-60, -25, -7, -1, 3, 20])
        below = self.chance.random() < 0.4
        self.steps.append(f"adjust {points} below zero {below}")
        await self._agree(
            self.house.adjust(points, allow_negative_balance=below),
            lambda: self.member.adjust(points, self.now, below_zero=below),
        )

    async def _take(self) -> None:
        reward, points = new_id(), self.chance.randint(1, 60)
        if self.rewards and self.chance.random() < 0.2:
            reward, points = self.chance.choice(self.rewards)
        self.steps.append(f"take {points}")
        await self._agree(
            self.house.debit(points, reward_id=reward),
            lambda: self.member.take(reward, points, self.now),
        )
        if reward in self.member.taken:
            self.rewards.append((reward, points))

    async def _give_back(self) -> None:
        reward = self.chance.choice(self.rewards)[0] if self.rewards else new_id()
        self.steps.append("give back")
        await self._agree(
            self.house.give_back(reward), lambda: self.member.give_back(reward, self.now)
        )

    async def _sell(self) -> None:
        sold = await self._post_sale()
        if self.chance.random() < 0.2 and not self.tiers:
            self.open_sales.append((sold.id, sold))
            return
        await self._count(sold)

    async def _count_late(self) -> None:
        """A sale that was left open; its points date from the day of the count."""
        if self.open_sales:
            _, sold = self.open_sales.pop()
            await self._count(sold)

    async def _refund(self) -> None:
        if not self.sales:
            return
        sold, change = self.chance.choice(self.sales), self._change_id()
        if sold.changes and self.chance.random() < 0.15:
            return
        how: Any = None
        request = pb.RefundSaleRequest(
            idempotency_key=new_id(),
            chain_id=self.house.chain_id,
            sale_id=sold.id,
            change_id=change,
            full=pb.FullRefund(),
            dry_run=self.chance.random() < 0.1,
        )
        what = self.chance.choice(["full", "items", "items", "amount", "amount"])
        if what == "items" and not sold.nothing_left:
            how = self._some_of(sold)
            request.items.CopyFrom(pb.ItemsRefund(lines=_returned(how)))
        elif what == "amount" and not sold.nothing_left:
            how = self.chance.randint(1, refundable(sold))
            request.amount.CopyFrom(Money(amount=how, currency="CAD"))
        self.steps.append(f"refund {how} of {sold.id} dry {request.dry_run}")
        if request.dry_run:
            await self._try_dry(self.house.stub.RefundSale(request), sold, change, how)
            return
        await self._agree(
            self.house.stub.RefundSale(request),
            lambda: self.member.refund(sold, change, how, self.now),
        )
        if self.chance.random() < 0.3 and change in sold.changes:
            request.idempotency_key = new_id()
            again = await self.house.stub.RefundSale(request)
            assert again.effect.repeated_change

    async def _try_dry(
        self, call: Awaitable[pb.RefundSaleResponse], sold: Sold, change: str, how: Any
    ) -> None:
        """A preview says what the model would do, and does nothing."""
        member, theirs = copy.deepcopy((self.member, sold))
        if sold.nothing_left:
            assert (await refusal_of(call)).code == "refund_exceeds_sale"
            return
        said = ""
        try:
            member.refund(theirs, change, how, self.now)
        except Refused as refused:
            said = refused.code
        if said:
            assert (await refusal_of(call)).code == said
            return
        assert (await call).effect.balance == member.usable(self.now)

    async def _exchange(self) -> None:
        going = [sold for sold in self.sales if not sold.nothing_left]
        if not going:
            return
        sold, change = self.chance.choice(going), self._change_id()
        back, added = self._some_of(sold), self._items()
        self.steps.append(f"exchange {back} of {sold.id} for {added}")
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

    # -- how ------------------------------------------------------------------------------------

    async def _post_sale(self) -> Sold:
        items = self._items()
        request = pb.CreateSaleRequest(
            idempotency_key=new_id(),
            chain_id=self.house.chain_id,
            salon_id=self.house.salon_id,
            member_id=self.house.alice,
            currency="CAD",
            lines=_lines(items),
        )
        sale = (await self.house.stub.CreateSale(request)).sale
        self.steps.append(f"sell {sale.id}: {items}")
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

    async def _count(self, sold: Sold) -> None:
        """The terms are those of the count; the tier's multiplier is as the account says it."""
        if self.tiers:
            sold.times = Fraction((await self._account()).tier.tier.multiplier or 1)
        sold.months = self.member.months
        self.steps.append(f"count {sold.id} times {sold.times}")
        answer = await self.house.stub.CountSale(self._count_request(sold.id))
        self.member.count(sold, self.now)
        assert (answer.sale.earned.base, answer.sale.earned.tier_bonus) == (sold.base, sold.bonus)
        assert answer.balance == self.member.usable(self.now)
        self.sales.append(sold)

    def _count_request(self, sale_id: str) -> pb.CountSaleRequest:
        return pb.CountSaleRequest(
            idempotency_key=new_id(),
            chain_id=self.house.chain_id,
            account_id=self.house.alices_account,
            sale_id=sale_id,
            salon_id=self.house.salon_id,
        )

    def _change_id(self) -> str:
        return f"change-{len(self.steps)}"

    def _items(self) -> list[Item]:
        items = []
        for place in range(self.chance.randint(1, 3)):
            quantity, price = self.chance.randint(1, 3), self.chance.randint(1, 3000)
            uid = f"line-{len(self.steps)}-{place}"
            items.append(Item(uid=uid, quantity=quantity, money=Fraction(quantity * price)))
        return items

    def _some_of(self, sold: Sold) -> dict[str, int]:
        there = [item for item in sold.items if item.quantity]
        chosen = self.chance.sample(there, self.chance.randint(1, len(there)))
        return {item.uid: self.chance.randint(1, item.quantity) for item in chosen}

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

    async def _compare(self) -> None:
        account = await self._account()
        assert account.balance == self.member.usable(self.now)
        assert account.lifetime_points == self.member.lifetime
        told = [(e.expires_at.ToDatetime(tzinfo=UTC), e.points) for e in account.expiring]
        assert told == self.member.ends(self.now)

    async def _compare_ledger(self) -> None:
        """Every entry, in its order, and what is left of each lot."""
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
