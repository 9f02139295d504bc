"""The ledger as people read it: entries newest first (LS-14, SQ-04)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.chassis import recording
from services.chassis.postgres import ACQUIRE_TIMEOUT_SECONDS
from services.points.domain.errors import NumberOutOfRange
from services.points.domain.history import EntryQuery
from services.points.domain.ids import AccountId, MemberId
from services.points.domain.ledger import Entry
from services.points.storage import accounts as account_rows
from services.points.storage import history as history_rows
from services.points.usecases.accounts import checked_limit
from services.points.usecases.deps import Deps

FILTER_IDS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """Some entries, and whether older ones follow."""

    entries: tuple[Entry, ...]
    more: bool
    # Of the first page by recording: what was recorded before it is known, later is not told.
    horizon: datetime | None = None


async def list_entries(
    deps: Deps,
    query: EntryQuery,
    *,
    account_ids: Sequence[AccountId] | None,
    member_ids: Sequence[MemberId] | None,
) -> EntryPage:
    """Entries of a chain by (occurred_at, id) descending; all filters must hold, None is no filter.

    By recording, the first page goes up to a horizon behind which nothing will be recorded any
    more, so that who follows page by page or window by window misses none. Refuses with
    NumberOutOfRange.
    """
    for field, ids in (
        ("account_ids", account_ids),
        ("member_ids", member_ids),
        ("salon_ids", query.salon_ids),
    ):
        if ids is not None and len(ids) > FILTER_IDS_MAX:
            raise NumberOutOfRange(field=field, minimum=0, maximum=FILTER_IDS_MAX)
    limit = checked_limit(query.limit)
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        wanted: list[AccountId] | None = None
        if account_ids is not None or member_ids is not None:
            wanted = list(
                await account_rows.owners(
                    conn,
                    chain_id=query.chain_id,
                    account_ids=account_ids,
                    member_ids=member_ids,
                )
            )
        horizon = None
        if query.by_recording and query.before is None:
            horizon = await recording.horizon(conn, query.chain_id)
            query = replace(query, to_time=min(query.to_time or horizon, horizon))
        if wanted is not None and not wanted:
            return EntryPage(entries=(), more=False, horizon=horizon)
        found = await history_rows.entries(
            conn, replace(query, limit=limit + 1), account_ids=wanted
        )
    return EntryPage(entries=tuple(found[:limit]), more=len(found) > limit, horizon=horizon)
