"""Sales as they are kept: open until they are counted, then held to their terms for good.

Prices are in `sales`, worth in `terms`, what refunds do in `refunds`; here is how a sale moves on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from services.points.domain import earning, sales
from services.points.domain.catalog import Sellable
from services.points.domain.errors import NumberOutOfRange, OccurredInFuture, OccurredTooEarly
from services.points.domain.ids import (
    AccountId,
    CatalogId,
    LineUid,
    MemberId,
    PostingId,
    ProgramId,
    RewardId,
)
from services.points.domain.refunds import Change
from services.points.domain.sale_errors import SaleCounted, SaleOfAnother
from services.points.domain.sales import Discount, Sale, SaleLine, Tax
from services.points.domain.terms import SettledSale

# Of discounts and of taxes; a till has a handful.
PARTS_MAX = 100


class SaleState(StrEnum):
    """Open, or counted: then what was sold and under which terms never changes again."""

    OPEN = "open"
    COUNTED = "counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDraft:
    """A line as a till tells it; without a uid it is given one."""

    uid: str
    name: str
    quantity: Decimal
    # None: that of the catalog, when the sale is made.
    unit_price_minor: int | None
    # A variation, or an item.
    catalog_object_id: CatalogId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDiscount:
    """A discount with its name at the till, and what it took off."""

    uid: str
    name: str
    discount: Discount
    applied_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTax:
    """A tax with its name at the till, and what it came to."""

    uid: str
    name: str
    tax: Tax
    applied_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSale:
    """A sale with all that is known of it but its changes."""

    sale: Sale
    # Whose; the account of `sale` follows when it is counted.
    member_id: MemberId | None
    program_id: ProgramId | None = None
    state: SaleState = SaleState.OPEN
    discounts: tuple[NamedDiscount, ...]
    taxes: tuple[NamedTax, ...]
    reference_id: str
    # The till itself said when it was sold.
    dated: bool = False
    created_at: datetime
    updated_at: datetime
    counted_at: datetime | None = None
    settled: SettledSale | None = None
    # Points of its lots that had expired and that refunds have counted as removed (D37).
    expired_counted: int = 0
    version: int = 1

    @property
    def tax_minor(self) -> int:
        """Taxes of all lines, on top or in the price."""
        return sum(line.tax_minor for line in self.sale.lines)

    @property
    def discount_minor(self) -> int:
        """All that discounts and rewards took off."""
        return sum(named.applied_minor for named in self.discounts)

    @property
    def line_discounts_minor(self) -> tuple[int, ...]:
        """What discounts and rewards took off each line: its taxes say nothing of that."""
        untaxed = sales.priced(self.sale.lines, discounts=self.sale.discounts)
        return tuple(line.gross_minor - line.net_minor for line in untaxed)

    @property
    def reward_ids(self) -> tuple[RewardId, ...]:
        """The rewards that are on it."""
        ids = (named.discount.reward_id for named in self.discounts)
        return tuple(reward_id for reward_id in ids if reward_id is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptChange:
    """A refund or an exchange that was carried out, with what it did."""

    change: Change
    account_id: AccountId | None
    # Signed: what the account gained or lost.
    points: int
    # Signed: by how much the sale counts for more or less of a tier's progress, at its own moment.
    base_points: int
    counts_at: datetime
    posting_id: PostingId | None
    expired_before: int
    forgiven: int
    returned_reward_ids: tuple[RewardId, ...]
    occurred_at: datetime
    recorded_at: datetime


def named_lines(drafts: Sequence[LineDraft], *, taken: Iterable[LineUid]) -> list[LineDraft]:
    """Lines with a uid each: the same ones each time that they are sent."""
    used = set(taken) | {LineUid(draft.uid) for draft in drafts}
    named = []
    number = len(set(taken))
    for draft in drafts:
        if not draft.uid:
            number += 1
            while LineUid(f"line-{number}") in used:
                number += 1
            draft = replace(draft, uid=f"line-{number}")
            used.add(LineUid(draft.uid))
        named.append(draft)
    return named


def repriced(kept: KeptSale) -> KeptSale:
    """The sale with what its discounts and taxes make of it now.

    Refuses with what `sales.pricing` and `sales.checked` refuse.
    """
    for field, count in (("discounts", len(kept.discounts)), ("taxes", len(kept.taxes))):
        if count > PARTS_MAX:
            raise NumberOutOfRange(field=field, minimum=0, maximum=PARTS_MAX)
    discounts = tuple(named.discount for named in kept.discounts)
    pricing = sales.pricing(
        kept.sale.lines, discounts=discounts, taxes=[named.tax for named in kept.taxes]
    )
    return replace(
        kept,
        sale=sales.checked(replace(kept.sale, lines=pricing.lines, discounts=discounts)),
        discounts=tuple(
            replace(named, applied_minor=amount)
            for named, amount in zip(kept.discounts, pricing.discounts_minor, strict=True)
        ),
        taxes=tuple(
            replace(named, applied_minor=amount)
            for named, amount in zip(kept.taxes, pricing.taxes_minor, strict=True)
        ),
    )


def with_reward(
    kept: KeptSale, reward: NamedDiscount, *, member_id: MemberId, now: datetime
) -> KeptSale:
    """The open sale with a reward's discount; a sale of nobody becomes the member's.

    Repeatable by the reward. Refuses with SaleCounted or SaleOfAnother, and what pricing refuses.
    """
    require_open(kept)
    require_of(kept, member_id)
    if reward.discount.reward_id in kept.reward_ids:
        return kept
    kept = replace(kept, member_id=member_id, discounts=(*kept.discounts, reward))
    return _moved(repriced(kept), now=now)


def without_reward(kept: KeptSale, reward_id: RewardId, *, now: datetime) -> KeptSale:
    """The open sale without a reward's discount; one that is not on it changes nothing.

    Refuses with SaleCounted where the reward was counted with the sale.
    """
    if reward_id not in kept.reward_ids:
        return kept
    require_open(kept)
    left = tuple(named for named in kept.discounts if named.discount.reward_id != reward_id)
    return _moved(repriced(replace(kept, discounts=left)), now=now)


def as_of_count(kept: KeptSale, known: Mapping[CatalogId, Sellable], *, now: datetime) -> KeptSale:
    """An open sale as it is counted at this moment, which is when it earns.

    One that its till dated earns then, within the bound of every earn (`earning.occurred`). Lines
    lie in the categories of now (SQ-55); what the catalog has lost meanwhile stays as it was.
    """
    sold = replace(
        kept.sale,
        occurred_at=_earns_at(kept, now=now),
        lines=tuple(_as_known(line, known) for line in kept.sale.lines),
    )
    return replace(kept, sale=sold)


def counted(
    kept: KeptSale, settled: SettledSale, *, member_id: MemberId | None, now: datetime
) -> KeptSale:
    """The sale with its terms and its worth frozen, for an account or for nobody."""
    return replace(
        _moved(kept, now=now),
        sale=settled.sale,
        member_id=member_id,
        program_id=settled.terms.program_id if member_id else None,
        state=SaleState.COUNTED,
        counted_at=now,
        settled=settled,
    )


def changed(kept: KeptSale, *, expired: int, now: datetime) -> KeptSale:
    """The sale after a refund or an exchange that counted so many expired points as removed."""
    return replace(_moved(kept, now=now), expired_counted=kept.expired_counted + expired)


def require_open(kept: KeptSale) -> None:
    """Refuses what can only be done before a sale is counted."""
    if kept.state is not SaleState.OPEN:
        raise SaleCounted


def require_of(kept: KeptSale, member_id: MemberId) -> None:
    """Refuses the sale of somebody else."""
    if kept.member_id not in (None, member_id):
        raise SaleOfAnother


def _earns_at(kept: KeptSale, *, now: datetime) -> datetime:
    if not kept.dated:
        return now
    try:
        return earning.occurred(kept.sale.occurred_at, now=now)
    except (OccurredTooEarly, OccurredInFuture):
        return now


def _as_known(line: SaleLine, known: Mapping[CatalogId, Sellable]) -> SaleLine:
    sold = known.get(line.sold_id) if line.sold_id else None
    return replace(line, category_ids=sold.category_ids) if sold else line


def _moved(kept: KeptSale, *, now: datetime) -> KeptSale:
    return replace(kept, updated_at=max(now, kept.updated_at), version=kept.version + 1)
