"""Sales: what a till sold, line by line, priced so that every cent belongs to a line (D2).

What a sale earns is in `accrual` and `terms`; what happens to it afterwards in `refunds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from services.points.domain.errors import NumberOutOfRange
from services.points.domain.ids import (
    AccountId,
    CatalogId,
    ChainId,
    LineUid,
    RewardId,
    SaleId,
    SalonId,
)
from services.points.domain.sale_errors import AmountAmbiguous, LineRepeated, LineUnknown

# As many as Square takes for one order.
LINES_MAX = 500
# Far above any salon's sale, far below what a column holds: a slip is refused, sums never wrap.
AMOUNT_MINOR_MAX = 10**12
QUANTITY_MAX = Decimal(1_000_000)
QUANTITY_DECIMALS_MAX = 5
PERCENTAGE_MAX = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleLine:
    """One line as it was sold. `category_ids` are those of the count, parents included (SQ-55).

    `gross_minor` is quantity times `unit_price_minor`; `net_minor` what is left of it after every
    discount and before tax; `tax_minor` the tax, whether it was on top or in the price.
    """

    uid: LineUid
    name: str = ""
    item_id: CatalogId | None = None
    variation_id: CatalogId | None = None
    category_ids: tuple[CatalogId, ...] = ()
    quantity: Decimal
    unit_price_minor: int = 0
    gross_minor: int
    net_minor: int
    tax_minor: int = 0

    @property
    def sold_id(self) -> CatalogId | None:
        """What of the catalog it is: a variation, or an item without."""
        return self.variation_id or self.item_id

    @property
    def paid_minor(self) -> int:
        """What the line costs the member, tax included."""
        return self.net_minor + self.tax_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """Takes a percentage or an amount off some lines, or off the whole sale."""

    percentage: Decimal | None = None
    amount_minor: int | None = None
    # Empty: every line.
    line_uids: tuple[LineUid, ...] = ()
    # The reward that gives it, if one does.
    reward_id: RewardId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """A percentage or an amount, on top of the discounted price or contained in it."""

    percentage: Decimal | None = None
    amount_minor: int | None = None
    inclusive: bool = False
    # Empty: every line.
    line_uids: tuple[LineUid, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """Lines with their discounts and taxes, and what each of those came to, in their order."""

    lines: tuple[SaleLine, ...]
    discounts_minor: tuple[int, ...]
    taxes_minor: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What a till sold, to whom if a member was on it, where and when."""

    chain_id: ChainId
    id: SaleId
    account_id: AccountId | None
    salon_id: SalonId
    currency: str
    occurred_at: datetime
    lines: tuple[SaleLine, ...]
    tip_minor: int = 0
    discounts: tuple[Discount, ...] = ()

    @property
    def goods_minor(self) -> int:
        """Lines with their taxes; a tip is none of them."""
        return sum(line.paid_minor for line in self.lines)

    @property
    def paid_minor(self) -> int:
        """All that the member paid."""
        return self.goods_minor + self.tip_minor


def line_of(
    *,
    uid: LineUid,
    quantity: Decimal,
    price_minor: int,
    name: str = "",
    item_id: CatalogId | None = None,
    variation_id: CatalogId | None = None,
    category_ids: tuple[CatalogId, ...] = (),
) -> SaleLine:
    """A line at its price, nothing off and no tax yet. Half a cent goes to the even one.

    Refuses with NumberOutOfRange.
    """
    _require_quantity(quantity)
    _require_amount("line_items.base_price_money", price_minor)
    gross = _cents(quantity * price_minor)
    _require_amount("line_items", gross)
    return SaleLine(
        uid=uid,
        name=name,
        item_id=item_id,
        variation_id=variation_id,
        category_ids=category_ids,
        quantity=quantity,
        unit_price_minor=price_minor,
        gross_minor=gross,
        net_minor=gross,
    )


def checked(sale: Sale) -> Sale:
    """The sale itself. Refuses repeated lines (LineRepeated) and numbers that no sale has."""
    if len(sale.lines) > LINES_MAX:
        raise NumberOutOfRange(field="line_items", minimum=0, maximum=LINES_MAX)
    seen: set[LineUid] = set()
    for line in sale.lines:
        if line.uid in seen:
            raise LineRepeated(uid=line.uid)
        seen.add(line.uid)
        _require_quantity(line.quantity)
        for amount in (line.gross_minor, line.net_minor, line.tax_minor):
            _require_amount("line_items", amount)
    _require_amount("tip_money", sale.tip_minor)
    _require_amount("total_money", sale.paid_minor)
    return sale


def priced(
    lines: Sequence[SaleLine], *, discounts: Sequence[Discount] = (), taxes: Sequence[Tax] = ()
) -> tuple[SaleLine, ...]:
    """Lines with their discounts and taxes; see `pricing`."""
    return pricing(lines, discounts=discounts, taxes=taxes).lines


def pricing(
    lines: Sequence[SaleLine], *, discounts: Sequence[Discount] = (), taxes: Sequence[Tax] = ()
) -> Pricing:
    """What lines come to, from `gross_minor` anew: percentages before amounts, those of some lines
    before those of all.

    Each discount and tax is spread over its lines by amount with the largest remainder (D2); a
    discount takes no more than there is. Refuses with AmountAmbiguous, LineUnknown,
    NumberOutOfRange.
    """
    fresh = [replace(line, net_minor=line.gross_minor, tax_minor=0) for line in lines]
    taken = [0] * len(discounts)
    for at in sorted(range(len(discounts)), key=lambda at: _discount_order(discounts[at])):
        discount = discounts[at]
        places = _places(fresh, discount.line_uids, field="discounts")
        amounts = [fresh[place].net_minor for place in places]
        taken[at] = min(_worth(discount, of=sum(amounts), field="discounts"), sum(amounts))
        for place, part in zip(places, spread(taken[at], over=amounts), strict=True):
            fresh[place] = replace(fresh[place], net_minor=fresh[place].net_minor - part)
    taxed, taxes_minor = _taxed(fresh, taxes)
    return Pricing(lines=taxed, discounts_minor=tuple(taken), taxes_minor=taxes_minor)


def spread(total: int, *, over: Sequence[int]) -> tuple[int, ...]:
    """Parts of `total` in proportion to `over`, to the cent: largest remainder, then first.

    The parts sum to `total`, and none exceeds its amount unless `total` exceeds them all. Where
    every amount is zero the first takes all; where there is none there are no parts.
    """
    whole = sum(over)
    if whole == 0:
        return tuple(total if place == 0 else 0 for place in range(len(over)))
    parts = [total * amount // whole for amount in over]
    left = total - sum(parts)
    by_remainder = sorted(
        range(len(over)), key=lambda place: (-(total * over[place] % whole), place)
    )
    for place in by_remainder[:left]:
        parts[place] += 1
    return tuple(parts)


def exact(quantity: Decimal) -> Fraction:
    """A quantity without any rounding."""
    return Fraction(quantity)


def _taxed(
    lines: Sequence[SaleLine], taxes: Sequence[Tax]
) -> tuple[tuple[SaleLine, ...], tuple[int, ...]]:
    """Every tax counts on the discounted price; what is contained in a price leaves the net."""
    taxed = list(lines)
    came_to = []
    for tax in taxes:
        places = _places(taxed, tax.line_uids, field="taxes")
        # Of the discounted price, not of what another tax has left of it.
        amounts = [lines[place].net_minor for place in places]
        worth = _contained(tax, sum(amounts)) if tax.inclusive else None
        if worth is None:
            worth = _worth(tax, of=sum(amounts), field="taxes")
        parts = spread(worth, over=amounts)
        came_to.append(sum(parts))
        for place, part in zip(places, parts, strict=True):
            line = taxed[place]
            net = line.net_minor - part if tax.inclusive else line.net_minor
            if net < 0:
                raise NumberOutOfRange(field="taxes", minimum=0, maximum=line.net_minor)
            taxed[place] = replace(line, net_minor=net, tax_minor=line.tax_minor + part)
    return tuple(taxed), tuple(came_to)


def _discount_order(discount: Discount) -> tuple[bool, bool]:
    return (discount.percentage is None, not discount.line_uids)


def _places(lines: Sequence[SaleLine], uids: tuple[LineUid, ...], *, field: str) -> tuple[int, ...]:
    if not uids:
        return tuple(range(len(lines)))
    by_uid = {line.uid: place for place, line in enumerate(lines)}
    for uid in uids:
        if uid not in by_uid:
            raise LineUnknown(field=field, uid=uid)
    return tuple(sorted({by_uid[uid] for uid in uids}))


def _worth(part: Discount | Tax, *, of: int, field: str) -> int:
    if part.amount_minor is not None and part.percentage is None:
        _require_amount(field, part.amount_minor)
        return part.amount_minor
    if part.percentage is None or part.amount_minor is not None:
        raise AmountAmbiguous(field=field)
    _require_percentage(field, part.percentage)
    return _cents(of * part.percentage / 100)


def _contained(tax: Tax, price_minor: int) -> int | None:
    """What a contained percentage makes of a price; None where the tax is an amount."""
    if tax.percentage is None or tax.amount_minor is not None:
        return None
    _require_percentage("taxes", tax.percentage)
    share = Fraction(tax.percentage) / (100 + Fraction(tax.percentage))
    # round() of a fraction goes to the even one at the half, as every cent here.
    return round(price_minor * share)


def _cents(amount: Decimal) -> int:
    return int(amount.to_integral_value(rounding=ROUND_HALF_EVEN))


def _require_percentage(field: str, percentage: Decimal) -> None:
    if not (percentage.is_finite() and 0 <= percentage <= PERCENTAGE_MAX):
        raise NumberOutOfRange(field=field, minimum=0, maximum=PERCENTAGE_MAX)


def _require_amount(field: str, amount_minor: int) -> None:
    if not 0 <= amount_minor <= AMOUNT_MINOR_MAX:
        raise NumberOutOfRange(field=field, minimum=0, maximum=AMOUNT_MINOR_MAX)


def _require_quantity(quantity: Decimal) -> None:
    exponent = quantity.as_tuple().exponent
    sound = isinstance(exponent, int) and -exponent <= QUANTITY_DECIMALS_MAX
    if not (sound and 0 < quantity <= QUANTITY_MAX):
        raise NumberOutOfRange(field="line_items.quantity", minimum="0.00001", maximum=QUANTITY_MAX)
