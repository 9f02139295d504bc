"""Expiry of thousands of accounts in one statement, for the sweep.

It does what `expiry.movements` says of one account; the walks of `test_state_machine` hold both
against one model.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from services.chassis.postgres import Connection
from services.points.domain.ids import AccountId, ChainId
from services.points.domain.ledger import Entry
from services.points.storage.ledger import entry_of

AccountName: TypeAlias = tuple[ChainId, AccountId]

_LOCK = """
SELECT account.chain_id, account.id
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (chain_id, id)
JOIN account USING (chain_id, id)
ORDER BY account.chain_id, account.id
FOR UPDATE OF account
"""
_LOCK_FREE = f"{_LOCK} SKIP LOCKED"

# Each lot by itself and at its own moment, in order of consumption; then the account, whose next
# end is the earliest of what it still holds.
_END = """
WITH ended AS MATERIALIZED (
    SELECT account.chain_id, account.id AS account_id, account.member_id, account.program_id,
           asked.now, lot.id AS lot_id, lot.remaining AS points, lot.expires_at, lot.salon_id,
           own.id AS destination, uuidv7() AS id,
           account.sequence + row_number() OVER by_account AS sequence,
           (account.balance - sum(lot.remaining) OVER by_account)::bigint AS balance_after
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS asked (chain_id, account_id, now)
    JOIN account ON account.chain_id = asked.chain_id AND account.id = asked.account_id
    JOIN program_account AS own
        ON own.chain_id = account.chain_id AND own.program_id = account.program_id
        AND own.side = 'expired'
    JOIN lot ON lot.chain_id = asked.chain_id AND lot.account_id = asked.account_id
        AND lot.remaining > 0 AND lot.expires_at <= asked.now
    WINDOW by_account AS (PARTITION BY account.chain_id, account.id
                          ORDER BY lot.expires_at, lot.earned_at, lot.id)
), posted AS (
    INSERT INTO posting (
        chain_id, id, account_id, source, destination, points, kind, sequence, balance_after,
        salon_id, actor_kind, business_key, occurred_at, recorded_at)
    SELECT chain_id, id, account_id, account_id, destination, points, 'expiry', sequence,
           balance_after, salon_id, 'SYSTEM', 'expiry:' || lot_id, expires_at, $4
    FROM ended
), used AS (
    INSERT INTO lot_use (chain_id, posting_id, lot_id, points)
    SELECT chain_id, id, lot_id, points FROM ended
), drained AS (
    UPDATE lot SET remaining = 0 FROM ended
    WHERE lot.chain_id = ended.chain_id AND lot.id = ended.lot_id
), kept AS (
    UPDATE account
    SET balance = sums.balance, sequence = sums.sequence,
        updated_at = greatest(account.updated_at, sums.ended_at),
        expiry_due = (SELECT min(lot.expires_at) FROM lot
                      WHERE lot.chain_id = sums.chain_id AND lot.account_id = sums.account_id
                        AND lot.remaining > 0 AND lot.expires_at > sums.now)
    FROM (SELECT chain_id, account_id, now, min(balance_after) AS balance,
                 max(sequence) AS sequence, max(expires_at) AS ended_at
          FROM ended GROUP BY chain_id, account_id, now) AS sums
    WHERE account.chain_id = sums.chain_id AND account.id = sums.account_id
)
SELECT chain_id, id, account_id, account_id AS source, destination, points, 'expiry' AS kind,
       sequence, balance_after, NULL AS earn_source, NULL AS reason, NULL AS note, salon_id,
       'SYSTEM' AS actor_kind, NULL AS actor_id, NULL AS reward_id, NULL AS sale_id,
       NULL AS reverses, 'expiry:' || lot_id AS business_key, 0 AS tier_bonus,
       NULL AS promotion_id, NULL AS change_id, expires_at AS occurred_at, $4 AS recorded_at,
       member_id, program_id
FROM ended
ORDER BY chain_id, account_id, sequence
"""


async def lock(
    conn: Connection, wanted: Sequence[AccountName], *, waits: bool
) -> list[AccountName]:
    """Lock accounts in order of id until the transaction ends; returns those that it locked.

    Without `waits`, those that somebody else holds are left out.
    """
    rows = await conn.fetch(
        _LOCK if waits else _LOCK_FREE, [name[0] for name in wanted], [name[1] for name in wanted]
    )
    return [(ChainId(row["chain_id"]), AccountId(row["id"])) for row in rows]


async def end_lots(
    conn: Connection,
    names: Sequence[AccountName],
    *,
    now: Sequence[datetime],
    recorded_at: datetime,
) -> list[Entry]:
    """Post what of accounts has ended by a moment each; the entries, account by account.

    The accounts must have been locked by an earlier statement of this transaction: this one sees
    their lots as they are under the lock.
    """
    if not names:
        return []
    rows = await conn.fetch(
        _END, [name[0] for name in names], [name[1] for name in names], now, recorded_at
    )
    return [entry_of(row) for row in rows]
