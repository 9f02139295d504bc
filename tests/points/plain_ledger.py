"""A plain model of one member's points, written from the rules and not from the code.

Rules: D2 (shares by floors), D3 (debt), D8 and X1 to X14 (ends), D10 (order), D35 (returns), D37
(refunds after expiry), R33 and R34 (exchanges). One program, whose sales have no tax and no tip.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil, floor
from zoneinfo import ZoneInfo

TORONTO = ZoneInfo("America/Toronto")
LAST = datetime.max.replace(tzinfo=UTC)


class Refused(Exception):
    """The rules say no; `code` says how."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(eq=False)
class Pot:
    """Points that came together."""

    points: int
    left: int
    end: datetime | None
    at: datetime
    nth: int
    sale: Sold | None = None

    def place(self) -> tuple[datetime, datetime, int]:
        return (self.end or LAST, self.at, self.nth)

    def ended(self, now: datetime) -> bool:
        return self.end is not None and self.end <= now


@dataclass(eq=False)
class Item:
    """A line of a sale: how many are left of it, and what money."""

    uid: str
    quantity: int
    money: Fraction
    # Of one, as it was sold.
    price: Fraction = field(init=False)

    def __post_init__(self) -> None:
        self.price = self.money / self.quantity


@dataclass(eq=False)
class Sold:
    """A sale with what is left of it."""

    id: str
    at: datetime
    items: list[Item]
    spend_minor: int | None
    visit: tuple[int, int]
    times: Fraction
    months: int | None
    clamps: bool
    base: int = 0
    bonus: int = 0
    # What shares are taken of.
    whole: tuple[int, int, Fraction] = (0, 0, Fraction(0))
    nothing_left: bool = False
    expired: int = 0
    counted_expired: int = 0
    changes: set[str] = field(default_factory=set)
    # What was paid and not given back.
    paid: Fraction = field(init=False)

    def __post_init__(self) -> None:
        self.paid = self.money

    @property
    def money(self) -> Fraction:
        return sum((item.money for item in self.items), Fraction(0))

    def worth(self) -> tuple[int, int]:
        """Base and bonus of what there is."""
        points, minimum = self.visit
        if self.spend_minor is not None:
            base = floor(self.money / self.spend_minor)
        else:
            base = points if self.money > 0 and self.money >= minimum else 0
        return base, floor(base * (self.times - 1))

    def begin(self) -> None:
        self.base, self.bonus = self.worth()
        self.whole = (self.base, self.bonus, self.money)

    def take_out(self, back: dict[str, int]) -> None:
        """Lines that come back, whole or in part, at their price."""
        self.paid = max(Fraction(0), self.paid - self.price_of(back))
        for item in self.items:
            off = back.get(item.uid, 0)
            if off:
                item.money = item.money * (item.quantity - off) / item.quantity
                item.quantity -= off
        gone = all(item.quantity == 0 for item in self.items)
        self.nothing_left = gone or self.paid < 1 <= self.money

    def price_of(self, back: dict[str, int]) -> Fraction:
        """What was paid for some lines."""
        return sum((item.price * back.get(item.uid, 0) for item in self.items), Fraction(0))

    def recount(self) -> None:
        """What it holds after a refund."""
        if self.nothing_left:
            self.base = self.bonus = 0
        elif self.base + self.bonus == 0:
            return
        elif self.spend_minor is None:
            if self.money < self.visit[1]:
                self.base = self.bonus = 0
        else:
            base, bonus, money = self.whole
            gone = 1 - self.money / money
            held = base + bonus - floor((base + bonus) * gone)
            self.base = base - floor(base * gone)
            self.bonus = held - self.base


@dataclass
class Member:
    """What a member has, and how it came and went."""

    pots: list[Pot] = field(default_factory=list)
    debt: int = 0
    lifetime: int = 0
    months: int | None = None
    entries: list[tuple[str, int, datetime]] = field(default_factory=list)
    taken: dict[str, list[tuple[Pot, int]]] = field(default_factory=dict)
    returned: set[str] = field(default_factory=set)

    def usable(self, now: datetime) -> int:
        return sum(pot.left for pot in self.pots if not pot.ended(now)) - self.debt

    def ends(self, now: datetime) -> list[tuple[datetime, int]]:
        """What will end, by its day."""
        found: dict[datetime, int] = {}
        for pot in self.pots:
            if pot.left and pot.end is not None and not pot.ended(now):
                found[pot.end] = found.get(pot.end, 0) + pot.left
        return sorted(found.items())

    def settle(self, now: datetime) -> None:
        """What has ended goes, each pot at its own moment."""
        for pot in sorted(self.pots, key=Pot.place):
            if pot.left and pot.end is not None and pot.ended(now):
                self.entries.append(("EXPIRY", -pot.left, pot.end))
                if pot.sale is not None:
                    pot.sale.expired += pot.left
                pot.left = 0

    def earn(self, points: int, now: datetime) -> None:
        self.settle(now)
        self._gain("EARN", points, at=now, months=self.months)

    def adjust(self, points: int, now: datetime, *, below_zero: bool) -> None:
        if points < 0 and self.usable(now) + points < 0 and not below_zero:
            raise Refused("balance_below_zero")
        self.settle(now)
        self.entries.append(("ADJUSTMENT", points, now))
        if points > 0:
            self._fill(points, at=now, months=self.months)
        else:
            self._spend(-points, self.pots)

    def take(self, reward: str, points: int, now: datetime) -> None:
        if reward in self.taken:
            return
        if self.usable(now) < points:
            raise Refused("insufficient_points")
        self.settle(now)
        self.entries.append(("REWARD", -points, now))
        self.taken[reward] = self._spend(points, self.pots)

    def give_back(self, reward: str, now: datetime) -> None:
        """Into the pots that it came from; what has no pot any more is new."""
        if reward not in self.taken:
            raise Refused("debit_unknown")
        if reward in self.returned:
            return
        self.settle(now)
        self.returned.add(reward)
        parts = sorted(self.taken[reward], key=lambda part: part[0].place())
        self.entries.append(("REWARD_RETURN", sum(points for _, points in parts), now))
        for pot, points in parts:
            if not pot.ended(now):
                paid = min(self.debt, points)
                self.debt -= paid
                pot.left += points - paid
        homeless = sum(points for pot, points in parts if pot.ended(now))
        if homeless:
            self._fill(homeless, at=now, months=self.months)

    def count(self, sold: Sold, now: datetime) -> None:
        """A sale earns as of its count: no till said when it was sold."""
        self.settle(now)
        sold.at = now
        sold.begin()
        if sold.base + sold.bonus:
            self._gain("EARN", sold.base + sold.bonus, at=now, months=sold.months, sale=sold)

    def refund(self, sold: Sold, change: str, how: object, now: datetime) -> None:
        """All of it, lines by uid, or an amount of money."""
        if change in sold.changes:
            return
        if sold.nothing_left:
            raise Refused("refund_exceeds_sale")
        before = sold.base + sold.bonus
        match how:
            case dict():
                if sold.price_of(how) - sold.paid >= 1:
                    raise Refused("refund_exceeds_sale")
                sold.take_out(how)
            case int():
                if how < 1:
                    raise Refused("number_out_of_range")
                off = min(Fraction(how), sold.paid)
                for item in sold.items:
                    item.money = item.money * (1 - off / sold.paid)
                sold.paid -= off
                sold.nothing_left = sold.paid < 1
            case _:
                sold.nothing_left, sold.paid = True, Fraction(0)
                for item in sold.items:
                    item.money, item.quantity = Fraction(0), 0
        sold.recount()
        self._changed(sold, change, before - sold.base - sold.bonus, now)

    def exchange(
        self, sold: Sold, change: str, back: dict[str, int], added: list[Item], now: datetime
    ) -> None:
        """Lines for other lines: as much more or less as the sale's own terms make of it."""
        if change in sold.changes:
            return
        if sold.nothing_left:
            raise Refused("refund_exceeds_sale")
        fresh = sum((item.money for item in added), Fraction(0))
        left = sold.paid - sold.price_of(back) + fresh
        if left <= -1:
            raise Refused("refund_exceeds_sale")
        before = sold.base + sold.bonus
        then = sold.worth()
        sold.take_out(back)
        sold.items += added
        sold.paid = max(Fraction(0), left)
        sold.nothing_left = False
        now_worth = sold.worth()
        sold.base = _within(sold.base, then[0], now_worth[0])
        sold.bonus = _within(sold.bonus, then[1], now_worth[1])
        sold.whole = (sold.base, sold.bonus, sold.money)
        self._changed(sold, change, before - sold.base - sold.bonus, now)

    def _changed(self, sold: Sold, change: str, lost: int, now: datetime) -> None:
        self.settle(now)
        sold.changes.add(change)
        if lost < 0:
            self._gain("EARN", -lost, at=now, months=sold.months, sale=sold)
            return
        own = [pot for pot in self.pots if pot.sale is sold]
        gone = min(sold.expired - sold.counted_expired, max(0, lost - sum(pot.left for pot in own)))
        sold.counted_expired += gone
        points = lost - gone
        if sold.clamps:
            points = min(points, max(0, self.usable(now)))
        if points:
            self.entries.append(("REFUND", -points, now))
            first = sum(part for _, part in self._spend(points, own, owing=False))
            self._spend(points - first, self.pots)

    def _gain(
        self, kind: str, points: int, *, at: datetime, months: int | None, sale: Sold | None = None
    ) -> None:
        self.entries.append((kind, points, at))
        self.lifetime += points
        self._fill(points, at=at, months=months, sale=sale)

    def _fill(
        self, points: int, *, at: datetime, months: int | None, sale: Sold | None = None
    ) -> None:
        paid = min(self.debt, points)
        self.debt -= paid
        end = None if months is None else end_of(at, months)
        self.pots.append(
            Pot(points=points, left=points - paid, end=end, at=at, nth=len(self.pots), sale=sale)
        )

    def _spend(self, points: int, pots: list[Pot], *, owing: bool = True) -> list[tuple[Pot, int]]:
        used = []
        for pot in sorted(pots, key=Pot.place):
            part = min(points, pot.left)
            if part:
                pot.left -= part
                points -= part
                used.append((pot, part))
        if owing:
            self.debt += points
        return used


def end_of(at: datetime, months: int) -> datetime:
    """The midnight after the last day of the month that lies so many months after this one."""
    wall = at.astimezone(TORONTO)
    year, month = wall.year, wall.month
    for _ in range(months + 1):
        month += 1
        if month == 13:
            year, month = year + 1, 1
    return datetime(year, month, 1, tzinfo=TORONTO).astimezone(UTC)


def refundable(sold: Sold) -> int:
    """The most money that can be given back yet."""
    return ceil(sold.paid)


def _within(held: int, then: int, now: int) -> int:
    return max(0, min(held + now - then, max(held, now)))
