"""What somebody wants to read of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.points.domain.ids import ChainId, PostingId, SaleId, SalonId
from services.points.domain.ledger import PostingKind


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuery:
    """Which entries of a chain are wanted; None means no such filter."""

    chain_id: ChainId
    kinds: tuple[PostingKind, ...] | None = None
    salon_ids: tuple[SalonId, ...] | None = None
    sale_id: SaleId | None = None
    # [from, to).
    from_time: datetime | None = None
    to_time: datetime | None = None
    # Strictly older than this place in the order.
    before: tuple[datetime, PostingId] | None = None
    # Order and bounds go by when entries were recorded in place of when they occurred.
    by_recording: bool = False
    limit: int
