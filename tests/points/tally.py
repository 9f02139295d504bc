"""Sales to refund and an account to keep them, in memory: a plain model of what storage keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from services.points.domain import expiry, ledger, refunds, sales, terms
from services.points.domain.accrual import AccrualRule, CategoryRule, ItemRule, SpendRule, VisitRule
from services.points.domain.expiry import Ending
from services.points.domain.ids import (
    AccountId,
    CatalogId,
    ChainId,
    ChangeId,
    LineUid,
    LotId,
    MemberId,
    PostingId,
    ProgramId,
    SaleId,
    SalonId,
)
from services.points.domain.ledger import Account, AdjustmentReason, EarnSource, Fact, Movement
from services.points.domain.lots import POLICY_NEVER, Lot
from services.points.domain.refunds import (
    AmountRefund,
    Change,
    Effect,
    FullRefund,
    ItemRefund,
    ReturnedLine,
    Withdrawal,
)
from services.points.domain.sales import Sale, SaleLine
from services.points.domain.terms import DebtRule, SaleTerms, SettledSale

TORONTO = ZoneInfo("America/Toronto")
NOON = datetime(2026, 10, 1, 16, 0, tzinfo=UTC)
CHAIN = ChainId(UUID(int=1))
ACCOUNT = AccountId(UUID(int=2))
PROGRAM = ProgramId(UUID(int=4))
SALON = SalonId(UUID(int=5))

COUPE = CatalogId("coupe")
SHAMPOO = CatalogId("shampoo")
SOIN = CatalogId("soin")
SOINS = CatalogId("soins")
PRODUCTS = CatalogId("products")

SPEND_1 = SpendRule(points=1, amount_minor=100)
SPEND_5 = SpendRule(points=1, amount_minor=500)
SPEND_10 = SpendRule(points=1, amount_minor=1000)
SERVICES_ONLY = SpendRule(points=1, amount_minor=100, excluded_category_ids=frozenset({PRODUCTS}))
VISIT = VisitRule(points=1)
VISIT_20 = VisitRule(points=1, minimum_minor=2000)
COUPE_2 = ItemRule(points=2, variation_id=COUPE)
SOINS_5 = CategoryRule(points=5, category_id=SOINS)


def line(
    uid: str,
    price_minor: int,
    *,
    quantity: str = "1",
    variation: CatalogId | None = None,
    item: CatalogId | None = None,
    category: CatalogId | None = None,
) -> SaleLine:
    """A line without tax or discount."""
    return sales.line_of(
        uid=LineUid(uid),
        quantity=Decimal(quantity),
        price_minor=price_minor,
        item_id=item,
        variation_id=variation,
        category_ids=() if category is None else (category,),
    )


def sold(
    rule: AccrualRule,
    lines: Sequence[SaleLine],
    *,
    tip_minor: int = 0,
    anonymous: bool = False,
    at: datetime = NOON,
    **more: object,
) -> SettledSale:
    """A sale, counted under one rule; `more` are terms."""
    sale = Sale(
        chain_id=CHAIN,
        id=SaleId(UUID(int=6)),
        account_id=None if anonymous else ACCOUNT,
        salon_id=SALON,
        currency="CAD",
        occurred_at=at,
        lines=tuple(lines),
        tip_minor=tip_minor,
    )
    return terms.settled(
        sales.checked(sale),
        SaleTerms(
            program_id=PROGRAM,
            program_version=1,
            rules=(rule,),
            time_zone="America/Toronto",
            **more,  # type: ignore[arg-type]
        ),
    )


def items(*lines: str, id: str = "item") -> ItemRefund:
    """Lines that come back, each as "uid" or "uid*quantity"."""
    parts = [part.partition("*") for part in lines]
    returned = tuple(
        ReturnedLine(uid=LineUid(uid), quantity=Decimal(quantity or "1"))
        for uid, _, quantity in parts
    )
    return ItemRefund(id=ChangeId(id), lines=returned)


def custom(amount_minor: int, *, id: str = "custom") -> AmountRefund:
    """Money without lines."""
    return AmountRefund(id=ChangeId(id), amount_minor=amount_minor)


def full(*, id: str = "full") -> FullRefund:
    """All that remains."""
    return FullRefund(id=ChangeId(id))


@dataclass
class Tally:
    """One account with its lots, and the sales that it earned by."""

    account: Account = field(
        default_factory=lambda: Account(
            chain_id=CHAIN,
            id=ACCOUNT,
            member_id=MemberId(UUID(int=3)),
            program_id=PROGRAM,
            balance=0,
            lifetime_points=0,
            sequence=0,
            opened_at=NOON,
            updated_at=NOON,
        )
    )
    lots: dict[LotId, Lot] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)
    history: list[Change] = field(default_factory=list)
    own: list[LotId] = field(default_factory=list)
    counted_expired: int = 0
    count: int = 100

    @property
    def balance(self) -> int:
        return self.account.balance

    def new_id(self) -> UUID:
        self.count += 1
        return UUID(int=self.count)

    def fact(self, *, at: datetime = NOON, policy: str = POLICY_NEVER) -> Fact:
        return Fact(
            posting_id=PostingId(self.new_id()),
            lot_id=LotId(self.new_id()),
            occurred_at=at,
            policy=policy,
            expires_at=expiry.expires_at(at, policy=policy, zone=TORONTO),
        )

    def open_lots(self) -> list[Lot]:
        return [lot for lot in self.lots.values() if lot.remaining > 0]

    def endings(self) -> list[Ending]:
        """What storage tells of lots that end."""
        return [
            Ending(points=lot.remaining, expires_at=lot.expires_at, zone=TORONTO)
            for lot in self.open_lots()
            if lot.expires_at is not None
        ]

    def take(self, movement: Movement) -> Movement:
        assert movement.before == self.account
        self.account = movement.after
        self.movements.append(movement)
        fresh = {lot.id for lot in movement.lots.opened}
        self.lots.update({lot.id: lot for lot in movement.lots.opened})
        for use in movement.lots.uses:
            if use.lot_id not in fresh:
                lot = self.lots[use.lot_id]
                self.lots[use.lot_id] = replace(lot, remaining=lot.remaining - use.points)
        self.require_laws()
        return movement

    def require_laws(self) -> None:
        assert self.balance == sum(move.posting.signed_points for move in self.movements)
        held = sum(lot.remaining for lot in self.lots.values())
        assert held == max(self.balance, 0)
        assert all(0 <= lot.remaining <= lot.points for lot in self.lots.values())

    def earn(self, points: int, *, at: datetime = NOON, policy: str = POLICY_NEVER) -> LotId:
        movement = ledger.earn(
            self.account,
            points=points,
            source=EarnSource.TILL,
            fact=self.fact(at=at, policy=policy),
        )
        self.take(movement)
        return movement.lots.opened[0].id

    def spend(self, points: int, *, at: datetime = NOON) -> None:
        self.take(
            ledger.adjust(
                self.account,
                points=-points,
                reason=AdjustmentReason.ERROR,
                note="",
                allow_negative_balance=True,
                open_lots=self.open_lots(),
                fact=self.fact(at=at),
            )
        )

    def expire(self, *, now: datetime) -> list[Movement]:
        """What the job does, or a write that comes before it."""
        moved = expiry.movements(self.account, self.open_lots(), now=now, new_id=self.new_id)
        for movement in moved:
            self.take(movement)
        return list(moved)

    def own_expired(self) -> int:
        """What of the sale's own lots has expired, not yet counted by a refund."""
        gone = sum(
            use.points
            for move in self.movements
            if move.posting.kind is ledger.PostingKind.EXPIRY
            for use in move.lots.uses
            if use.lot_id in self.own
        )
        return gone - self.counted_expired

    def sell(self, settled: SettledSale, *, at: datetime = NOON) -> None:
        if settled.worth.points.total:
            policy = settled.terms.expiry_policy
            self.own.append(self.earn(settled.worth.points.total, at=at, policy=policy))

    def refund(
        self,
        settled: SettledSale,
        change: Change,
        *,
        at: datetime = NOON,
        debt_rule: DebtRule = DebtRule.ALLOW_NEGATIVE,
    ) -> tuple[Effect, Withdrawal | None]:
        """Carry a refund or an exchange out as the service would."""
        self.expire(now=at)
        effect = refunds.effect(settled, self.history, change)
        if effect.repeated:
            return effect, None
        self.history.append(change)
        if effect.lost.total <= 0:
            if effect.lost.total < 0:
                self.own.append(self.earn(-effect.lost.total, at=at))
            return effect, None
        own_lots = [self.lots[lot_id] for lot_id in self.own]
        leaving = refunds.withdrawal(
            lost_points=effect.lost.total,
            balance=self.balance,
            own_lots=own_lots,
            own_expired=self.own_expired(),
            debt_rule=debt_rule,
        )
        self.counted_expired += leaving.expired
        movement = refunds.withdrawn(
            self.account,
            leaving,
            reverses=None,
            own_lots=own_lots,
            open_lots=self.open_lots(),
            fact=self.fact(at=at),
        )
        if movement is not None:
            self.take(movement)
        return effect, leaving
