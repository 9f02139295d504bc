"""Lots: laws that hold of any history, and the worked examples that speak of debt and order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.points.domain import ledger, lots
from services.points.domain.errors import BalanceBelowZero, BalanceTooLarge, InsufficientPoints
from services.points.domain.ids import (
    AccountId,
    ChainId,
    LotId,
    MemberId,
    PostingId,
    ProgramId,
    RewardId,
)
from services.points.domain.ledger import (
    BALANCE_MAX,
    Account,
    AdjustmentReason,
    EarnSource,
    Fact,
    Movement,
    Posting,
)
from services.points.domain.lots import Lot

NOON = datetime(2026, 10, 1, 16, 0, tzinfo=UTC)
CHAIN = ChainId(UUID(int=1))


@dataclass
class Books:
    """A plain model of one account: what storage would keep, kept in memory."""

    account: Account = field(
        default_factory=lambda: Account(
            chain_id=CHAIN,
            id=AccountId(UUID(int=2)),
            member_id=MemberId(UUID(int=3)),
            program_id=ProgramId(UUID(int=4)),
            balance=0,
            lifetime_points=0,
            sequence=0,
            opened_at=NOON,
            updated_at=NOON,
        )
    )
    postings: list[Posting] = field(default_factory=list)
    lots: dict[LotId, Lot] = field(default_factory=dict)
    used: dict[PostingId, dict[LotId, int]] = field(default_factory=dict)
    debits: list[Posting] = field(default_factory=list)
    count: int = 100

    def fact(self, *, at: datetime = NOON) -> Fact:
        self.count += 2
        return Fact(
            posting_id=PostingId(UUID(int=self.count)),
            lot_id=LotId(UUID(int=self.count + 1)),
            occurred_at=at,
        )

    def open_lots(self) -> list[Lot]:
        return [lot for lot in self.lots.values() if lot.remaining > 0]

    def take(self, movement: Movement) -> Movement:
        assert movement.before == self.account
        self.account = movement.after
        self.postings.append(movement.posting)
        fresh = {lot.id for lot in movement.lots.opened}
        self.lots.update({lot.id: lot for lot in movement.lots.opened})
        for use in movement.lots.uses:
            self.used.setdefault(use.posting_id, {})[use.lot_id] = use.points
            if use.lot_id not in fresh:
                lot = self.lots[use.lot_id]
                self.lots[use.lot_id] = replace(lot, remaining=lot.remaining - use.points)
        return movement

    def earn(self, points: int, *, expires_in_days: int | None = None, day: int = 0) -> Movement:
        at = NOON + timedelta(days=day)
        movement = ledger.earn(
            self.account, points=points, source=EarnSource.TILL, fact=self.fact(at=at)
        )
        self.take(movement)
        if expires_in_days is not None:
            for lot in movement.lots.opened:
                self.lots[lot.id] = replace(
                    self.lots[lot.id], expires_at=NOON + timedelta(days=expires_in_days)
                )
        return movement

    def adjust(self, points: int, *, allow_negative_balance: bool = False) -> Movement:
        return self.take(
            ledger.adjust(
                self.account,
                points=points,
                reason=AdjustmentReason.ERROR,
                note="",
                allow_negative_balance=allow_negative_balance,
                open_lots=self.open_lots(),
                fact=self.fact(),
            )
        )

    def debit(self, points: int) -> Movement:
        movement = self.take(
            ledger.debit(
                self.account,
                points=points,
                reward_id=RewardId(UUID(int=self.count + 7)),
                open_lots=self.open_lots(),
                fact=self.fact(),
            )
        )
        self.debits.append(movement.posting)
        return movement

    def give_back(self, undone: Posting, *, day: int = 0) -> Movement:
        self.debits.remove(undone)
        used = [(self.lots[lot], points) for lot, points in self.used[undone.id].items()]
        return self.take(
            ledger.give_back(
                self.account,
                undone=undone,
                used=used,
                fact=self.fact(at=NOON + timedelta(days=day)),
            )
        )

    def held(self) -> list[int]:
        """What each lot still holds, in order of consumption."""
        return [lot.remaining for lot in sorted(self.lots.values(), key=lots.consumption_order)]

    def require_laws(self) -> None:
        """Every law that the ledger check holds against the database."""
        account = self.account
        assert account.balance == sum(posting.signed_points for posting in self.postings)
        assert account.sequence == len(self.postings)
        assert [posting.sequence for posting in self.postings] == list(
            range(1, len(self.postings) + 1)
        )
        remaining = sum(lot.remaining for lot in self.lots.values())
        assert remaining == max(account.balance, 0)
        assert remaining - account.debt == account.balance
        for lot in self.lots.values():
            uses = sum(parts.get(lot.id, 0) for parts in self.used.values())
            assert 0 <= lot.remaining == lot.points - uses <= lot.points
        for posting in self.postings:
            assert posting.points > 0
            assert account.id in (posting.source, posting.destination)
            assert posting.source != posting.destination


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("earn"), st.integers(1, 500), st.one_of(st.none(), st.integers(0, 400))),
        st.tuples(st.just("adjust"), st.integers(-600, 600).filter(bool), st.booleans()),
        st.tuples(st.just("debit"), st.integers(1, 400), st.none()),
        st.tuples(st.just("return"), st.integers(0, 20), st.integers(0, 500)),
    ),
    max_size=50,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_any_history_keeps_every_law(steps: list[tuple[str, int, object]]) -> None:
    """Points are conserved; lots never fall below zero; a balance is its entries and its lots."""
    books = Books()
    for what, number, more in steps:
        try:
            if what == "earn":
                books.earn(number, expires_in_days=more if isinstance(more, int) else None)
            elif what == "adjust":
                books.adjust(number, allow_negative_balance=bool(more))
            elif what == "debit":
                books.debit(number)
            elif books.debits:
                day = more if isinstance(more, int) else 0
                books.give_back(books.debits[number % len(books.debits)], day=day)
        except (BalanceBelowZero, InsufficientPoints):
            assert what in ("adjust", "debit")
        books.require_laws()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.one_of(st.none(), st.integers(1, 90)), st.integers(0, 30)),
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_spending_empties_lots_in_the_order_of_d10(
    earned: list[tuple[int, int | None, int]], data: st.DataObject
) -> None:
    """D10: earliest expiry first, then oldest, never-expiring last; only one lot is left partly."""
    books = Books()
    for points, expires_in_days, day in earned:
        books.earn(points, expires_in_days=expires_in_days, day=day)
    books.debit(data.draw(st.integers(1, books.account.balance)))
    ordered = sorted(books.lots.values(), key=lots.consumption_order)
    keys = [
        (lot.expires_at is None, lot.expires_at or NOON, lot.earned_at, lot.id) for lot in ordered
    ]
    assert keys == sorted(keys)
    fullness = [
        0 if lot.remaining == 0 else 2 if lot.remaining == lot.points else 1 for lot in ordered
    ]
    assert fullness == sorted(fullness)
    assert fullness.count(1) <= 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.data())
def test_a_reward_undone_leaves_the_lots_as_if_it_had_not_been(
    earned: list[int], data: st.DataObject
) -> None:
    """D35: points go back into the very lots they came from."""
    books = Books()
    for points in earned:
        books.earn(points)
    before = dict(books.lots)
    taken = books.debit(data.draw(st.integers(1, books.account.balance)))
    books.give_back(taken.posting)
    assert books.lots == before
    assert books.postings[-1].reverses == taken.posting.id
    books.require_laws()


def test_x13_a_debt_is_paid_first_from_what_is_earned() -> None:
    """X13: balance −10, then 15 earned: 5 are left in the lot, so 5 may expire, not 15."""
    books = Books()
    books.adjust(-10, allow_negative_balance=True)
    books.earn(15)
    assert books.account.balance == 5
    assert books.held() == [5]
    books.require_laws()


def test_a_debt_larger_than_what_is_earned_leaves_an_empty_lot() -> None:
    books = Books()
    books.earn(3)
    books.adjust(-10, allow_negative_balance=True)
    books.earn(4)
    assert (books.account.balance, books.held()) == (-3, [0, 0])
    books.adjust(5)
    assert (books.account.balance, books.held()) == (2, [0, 0, 2])
    books.require_laws()


def test_x10_spending_takes_the_lot_that_ends_first() -> None:
    """X10: lots 30 (31 Jan) and 20 (28 Feb), 25 spent: 5 are left of the first lot."""
    books = Books()
    books.earn(20, expires_in_days=151)
    books.earn(30, expires_in_days=123)
    books.debit(25)
    assert books.held() == [5, 20]


def test_lots_that_never_expire_are_spent_last() -> None:
    """D10."""
    books = Books()
    books.earn(10)
    books.earn(10, expires_in_days=30, day=5)
    books.debit(12)
    assert books.held() == [0, 8]


def test_points_of_a_lot_that_has_expired_meanwhile_come_back_as_a_lot_of_their_own() -> None:
    """D35: the member gets all of them; the expired lot is not brought back to life."""
    books = Books()
    books.earn(10, expires_in_days=30)
    books.earn(10)
    taken = books.debit(15)
    books.give_back(taken.posting, day=31)
    assert books.account.balance == 20
    assert [(lot.points, lot.remaining, lot.expires_at is None) for lot in books.lots.values()] == [
        (10, 0, False),
        (10, 10, True),
        (10, 10, True),
    ]
    books.require_laws()


def test_points_that_come_back_pay_a_debt_first() -> None:
    books = Books()
    books.earn(10)
    taken = books.debit(10)
    books.adjust(-4, allow_negative_balance=True)
    books.give_back(taken.posting)
    assert (books.account.balance, books.held()) == (6, [6])
    books.require_laws()


def test_an_adjustment_below_zero_is_refused_with_the_balance() -> None:
    """LS-73: −10 on 4."""
    books = Books()
    books.earn(4)
    with pytest.raises(BalanceBelowZero) as refused:
        books.adjust(-10)
    assert refused.value.params == {"balance": "4", "points": "-10"}


def test_no_reward_is_paid_for_out_of_a_debt() -> None:
    """D3: not while the balance is below its cost."""
    books = Books()
    books.adjust(-5, allow_negative_balance=True)
    with pytest.raises(InsufficientPoints) as refused:
        books.debit(1)
    assert refused.value.params == {"available_points": "0", "requested_points": "1"}


def test_sums_beyond_63_bits_are_refused_and_not_wrapped() -> None:
    books = Books()
    books.account = replace(books.account, balance=BALANCE_MAX - 5)
    with pytest.raises(BalanceTooLarge):
        books.earn(6)
    books.account = replace(books.account, balance=0, lifetime_points=BALANCE_MAX - 5)
    with pytest.raises(BalanceTooLarge):
        books.earn(6)
    books.account = replace(books.account, balance=-(BALANCE_MAX - 5), lifetime_points=0)
    with pytest.raises(BalanceTooLarge):
        books.adjust(-6, allow_negative_balance=True)


def test_only_what_is_earned_counts_for_the_lifetime() -> None:
    books = Books()
    books.earn(7)
    books.adjust(5)
    books.debit(10)
    books.give_back(books.debits[0])
    assert (books.account.balance, books.account.lifetime_points) == (12, 7)
