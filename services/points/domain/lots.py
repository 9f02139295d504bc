"""Lots: points that were earned together, and the order in which they are used up (D10).

An account's balance is what its lots hold, or minus its debt. A debt stands only where every lot
is empty: spending empties the lots before it leaves a debt, and whatever comes in pays first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.points.domain.ids import AccountId, ChainId, LotId, PostingId, SalonId
from services.points.domain.values import dataclass

# The expiry policy of lots that never expire; others are ISO 8601 periods such as "P3M" (D27).
POLICY_NEVER = "never"

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Points of one posting with the salon and the expiry policy under which they came (N8)."""

    chain_id: ChainId
    id: LotId
    account_id: AccountId
    posting_id: PostingId
    points: int
    remaining: int
    expires_at: datetime | None
    policy: str
    salon_id: SalonId | None
    earned_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LotUse:
    """What one posting took out of a lot; negative where it put points back."""

    chain_id: ChainId
    posting_id: PostingId
    lot_id: LotId
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LotMoves:
    """What one posting does to lots: those it opens, and what it uses of any."""

    opened: tuple[Lot, ...] = ()
    uses: tuple[LotUse, ...] = ()


def has_expired(lot: Lot, *, now: datetime) -> bool:
    """`expires_at` is the first instant after the last usable day: a plain comparison (D8)."""
    return lot.expires_at is not None and now >= lot.expires_at


def consumption_order(lot: Lot) -> tuple[datetime, datetime, LotId]:
    """Earliest expiry first, then oldest, never-expiring last (D10)."""
    return (lot.expires_at or _NEVER, lot.earned_at, lot.id)


def receive(lot: Lot, *, debt: int) -> LotMoves:
    """Points that come in as a new, full lot; a debt is paid out of it first (example X13)."""
    if not debt:
        return LotMoves(opened=(lot,))
    paid = min(debt, lot.points)
    opened = replace(lot, remaining=lot.points - paid)
    return LotMoves(opened=(opened,), uses=_uses(lot.posting_id, [(lot, paid)]))


def spend(lots: Sequence[Lot], *, posting_id: PostingId, points: int) -> LotMoves:
    """Points that leave, lot by lot in order of consumption; what no lot covers is debt."""
    left = points
    taken: list[tuple[Lot, int]] = []
    for lot in sorted(lots, key=consumption_order):
        part = min(left, lot.remaining)
        taken.append((lot, part))
        left -= part
    return LotMoves(uses=_uses(posting_id, taken))


def after(lots: Sequence[Lot], uses: Sequence[LotUse]) -> list[Lot]:
    """The lots that are still open once these uses have been taken out of them."""
    used: dict[LotId, int] = {}
    for use in uses:
        used[use.lot_id] = used.get(use.lot_id, 0) + use.points
    left = [replace(lot, remaining=lot.remaining - used.get(lot.id, 0)) for lot in lots]
    return [lot for lot in left if lot.remaining > 0]


def give_back(used: Sequence[tuple[Lot, int]], *, fresh: Lot, debt: int, now: datetime) -> LotMoves:
    """Points of a debit that is undone go back into the very lots that they came from.

    What came from a lot that has expired meanwhile comes back as `fresh`, a lot of its own under
    the policy of today; its points are set here. A debt is paid first, out of what comes back.
    """
    back = [(lot, points) for lot, points in used if not has_expired(lot, now=now)]
    homeless = fresh.points - sum(points for _, points in back)
    kept: list[tuple[Lot, int]] = []
    for lot, points in sorted(back, key=lambda pair: consumption_order(pair[0])):
        paid = min(debt, points)
        debt -= paid
        kept.append((lot, paid - points))
    uses = _uses(fresh.posting_id, kept)
    if homeless == 0:
        return LotMoves(uses=uses)
    moves = receive(replace(fresh, points=homeless, remaining=homeless), debt=debt)
    return LotMoves(opened=moves.opened, uses=uses + moves.uses)


def _uses(posting_id: PostingId, parts: Sequence[tuple[Lot, int]]) -> tuple[LotUse, ...]:
    return tuple(
        LotUse(chain_id=lot.chain_id, posting_id=posting_id, lot_id=lot.id, points=points)
        for lot, points in parts
        if points != 0
    )
