"""Lots that end, as the expiry of locked accounts reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.chassis.postgres import Connection
from services.points.domain.ids import AccountId, ChainId
from services.points.domain.lots import Lot
from services.points.storage.ledger import LOT_COLUMNS, lot_of

# What has ended, and of what has not the one that ends next: it says when to look again.
_ENDING = f"""
SELECT {LOT_COLUMNS}
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS asked (chain_id, account_id, now)
CROSS JOIN LATERAL (
    SELECT {LOT_COLUMNS} FROM lot
    WHERE lot.chain_id = asked.chain_id AND lot.account_id = asked.account_id
      AND lot.remaining > 0 AND lot.expires_at <= asked.now
    UNION ALL
    (SELECT {LOT_COLUMNS} FROM lot
     WHERE lot.chain_id = asked.chain_id AND lot.account_id = asked.account_id
       AND lot.remaining > 0 AND lot.expires_at > asked.now
     ORDER BY lot.expires_at, lot.earned_at, lot.id
     LIMIT 1)
) AS lot
"""  # noqa: S608


async def ending_lots(
    conn: Connection, asked: Sequence[tuple[ChainId, AccountId, datetime]]
) -> dict[tuple[ChainId, AccountId], list[Lot]]:
    """Of each account, lots that have ended by a moment and hold points, and the one that is next.

    The accounts must be locked: their locks cover the lots.
    """
    if not asked:
        return {}
    rows = await conn.fetch(
        _ENDING,
        [chain_id for chain_id, _, _ in asked],
        [account_id for _, account_id, _ in asked],
        [now for _, _, now in asked],
    )
    found: dict[tuple[ChainId, AccountId], list[Lot]] = {}
    for lot in map(lot_of, rows):
        found.setdefault((lot.chain_id, lot.account_id), []).append(lot)
    return found
