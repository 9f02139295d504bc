"""Promotions of programs, and which sales of an account earned by them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

import asyncpg

from services.chassis.postgres import Connection
from services.points.domain.ids import AccountId, ChainId, ProgramId, PromotionId, SaleId
from services.points.domain.periods import period_from
from services.points.domain.promotions import Promotion, TriggerInterval, TriggerLimit
from services.points.storage.sale_documents import promotion_document, promotion_from

_COLUMNS = """
promotion.chain_id, promotion.id, promotion.program_id, promotion.name, promotion.terms,
promotion.periods, promotion.trigger_times, promotion.trigger_interval, promotion.created_at,
promotion.canceled_at
"""

_INSERT = """
INSERT INTO promotion (
    chain_id, id, program_id, name, terms, periods, trigger_times, trigger_interval, created_at,
    updated_at, canceled_at, over_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""

_CANCEL = """
UPDATE promotion SET canceled_at = $3, updated_at = $3
WHERE chain_id = $1 AND id = $2 AND canceled_at IS NULL
RETURNING 1
"""

_ONE = f"""
SELECT {_COLUMNS} FROM promotion WHERE chain_id = $1 AND program_id = $2 AND id = $3
"""  # noqa: S608

_NOT_OVER = f"""
SELECT {_COLUMNS} FROM promotion
WHERE chain_id = $1 AND program_id = $2 AND canceled_at IS NULL
  AND (over_at IS NULL OR over_at > $3)
"""  # noqa: S608

_PAGE = f"""
SELECT {_COLUMNS} FROM promotion
WHERE chain_id = $1 AND program_id = $2 AND (created_at, id) < ($3, $4::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $5
"""  # noqa: S608

# Of promotions without a limit nobody asks how often they were used; of a daily one two days
# on either side hold the salon's day in every zone.
_OPEN = f"""
SELECT {_COLUMNS}, ARRAY(
    SELECT triggered.occurred_at FROM promotion_trigger AS triggered
    WHERE triggered.chain_id = promotion.chain_id AND triggered.account_id = $3
      AND triggered.promotion_id = promotion.id
      AND promotion.trigger_times IS NOT NULL
      AND (promotion.trigger_interval = 'ALL_TIME'
           OR triggered.occurred_at BETWEEN $4::timestamptz - interval '2 days'
                                        AND $4::timestamptz + interval '2 days')
) AS triggered
FROM promotion
WHERE chain_id = $1 AND program_id = $2 AND (canceled_at IS NULL OR canceled_at > $4)
  AND (over_at IS NULL OR over_at > $4)
"""  # noqa: S608

_RECORD = """
INSERT INTO promotion_trigger (chain_id, account_id, promotion_id, sale_id, occurred_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""

_FORGET = """
DELETE FROM promotion_trigger WHERE chain_id = $1 AND account_id = $2 AND sale_id = $3
"""

# After everything that was ever made.
END = (datetime(9999, 12, 30, tzinfo=UTC), PromotionId(UUID(int=0)))

# The same few texts are read for every sale.
_period = lru_cache(maxsize=4096)(period_from)


async def insert_promotion(conn: Connection, promotion: Promotion) -> None:
    """Add a promotion. Its program must be locked: it may have only so many."""
    limit = promotion.trigger_limit
    await conn.execute(
        _INSERT,
        promotion.chain_id,
        promotion.id,
        promotion.program_id,
        promotion.name,
        promotion_document(promotion.terms),
        [period.text for period in promotion.periods],
        limit.times if limit else None,
        limit.interval.value if limit else None,
        promotion.created_at,
        promotion.updated_at,
        promotion.canceled_at,
        promotion.over_at,
    )


async def cancel(conn: Connection, promotion: Promotion) -> bool:
    """Keep that a promotion was canceled; False when it was before."""
    done = await conn.fetchval(_CANCEL, promotion.chain_id, promotion.id, promotion.canceled_at)
    return done is not None


async def promotion(
    conn: Connection, chain_id: ChainId, program_id: ProgramId, promotion_id: PromotionId
) -> Promotion | None:
    """One promotion of a program."""
    row = await conn.fetchrow(_ONE, chain_id, program_id, promotion_id)
    return _promotion(row) if row else None


async def not_over(
    conn: Connection, chain_id: ChainId, program_id: ProgramId, *, now: datetime
) -> list[Promotion]:
    """A program's promotions that may run or be planned: those surely over are left out."""
    return [_promotion(row) for row in await conn.fetch(_NOT_OVER, chain_id, program_id, now)]


async def page(
    conn: Connection,
    chain_id: ChainId,
    program_id: ProgramId,
    *,
    before: tuple[datetime, PromotionId],
    limit: int,
) -> list[Promotion]:
    """A program's promotions before a place in their order, newest first."""
    rows = await conn.fetch(_PAGE, chain_id, program_id, *before, limit)
    return [_promotion(row) for row in rows]


async def open_for(
    conn: Connection,
    chain_id: ChainId,
    program_id: ProgramId,
    account_id: AccountId | None,
    *,
    at: datetime,
) -> list[tuple[Promotion, Sequence[datetime]]]:
    """Promotions that a sale at this moment may fall into, for `promotions.open_to`.

    With each comes when the account earned by it, as far as its limit asks for it; the account
    must be locked where that decides over points.
    """
    rows = await conn.fetch(_OPEN, chain_id, program_id, account_id, at)
    return [(_promotion(row), tuple(row["triggered"])) for row in rows]


async def record_trigger(
    conn: Connection,
    chain_id: ChainId,
    account_id: AccountId,
    promotion_id: PromotionId,
    sale_id: SaleId,
    *,
    occurred_at: datetime,
) -> None:
    """Keep that a sale of an account earned by a promotion. Repeatable; the account is locked."""
    await conn.execute(_RECORD, chain_id, account_id, promotion_id, sale_id, occurred_at)


async def forget_trigger(
    conn: Connection, chain_id: ChainId, account_id: AccountId, sale_id: SaleId
) -> None:
    """A sale that was refunded in full counts for no limit any more. Repeatable."""
    await conn.execute(_FORGET, chain_id, account_id, sale_id)


def _promotion(row: asyncpg.Record) -> Promotion:
    times = row["trigger_times"]
    return Promotion(
        chain_id=ChainId(row["chain_id"]),
        program_id=ProgramId(row["program_id"]),
        name=row["name"],
        terms=promotion_from(row["terms"]),
        periods=tuple(_period(text) for text in row["periods"]),
        trigger_limit=TriggerLimit(times=times, interval=TriggerInterval(row["trigger_interval"]))
        if times
        else None,
        created_at=row["created_at"],
        canceled_at=row["canceled_at"],
    )
