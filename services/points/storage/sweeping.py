"""Expiry of thousands of accounts in one statement, for the sweep.

It does what `expiry.movements` says of one account; the walks of `test_state_machine` hold both
against one model.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from services.chassis.postgres import Connection
from services.chassis.recording import recorded_at
from services.points.domain.expiry import EndedLot
from services.points.domain.ids import AccountId, ChainId

AccountName: TypeAlias = tuple[ChainId, AccountId]

_LOCK = """
SELECT count(*) FROM (
    SELECT FROM unnest($1::uuid[], $2::uuid[]) AS wanted (chain_id, id)
    JOIN account USING (chain_id, id)
    ORDER BY account.chain_id, account.id
    FOR UPDATE OF account
) AS locked
"""

# Accounts that nobody holds are locked, in order of id. Whoever changed one between the beginning
# of this statement and its lock changed its lots too, which are seen here as they were: such an
# account is left, for the version that was locked is none that this statement sees.
#
# Then each lot by itself and at its own moment, in order of consumption; then the account, whose
# next end is the earliest of what it still holds. Both orders are those of an account's open lots,
# so that no index of all accounts is searched for the lots of one. Under the account's lock neither
# row moves, so each is changed where it was read.
_END = f"""
WITH locked AS MATERIALIZED (
    SELECT account.ctid AS place, asked.now
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS asked (chain_id, account_id, now)
    JOIN account ON account.chain_id = asked.chain_id AND account.id = asked.account_id
    ORDER BY account.chain_id, account.id
    FOR UPDATE OF account SKIP LOCKED
), ended AS MATERIALIZED (
    SELECT account.chain_id, account.id AS account_id, account.member_id, account.program_id,
           locked.now, lot.id AS lot_id, lot.remaining AS points, lot.expires_at, lot.salon_id,
           account.ctid AS account_place, lot.place AS lot_place,
           own.id AS destination, uuidv7() AS id,
           {recorded_at("account.chain_id")} AS recorded_at,
           account.sequence + row_number() OVER by_account AS sequence,
           (account.balance - sum(lot.remaining) OVER by_account)::bigint AS balance_after
    FROM locked
    JOIN account ON account.ctid = locked.place
    JOIN program_account AS own
        ON own.chain_id = account.chain_id AND own.program_id = account.program_id
        AND own.side = 'expired'
    CROSS JOIN LATERAL (
        SELECT id, remaining, expires_at, earned_at, salon_id, ctid AS place FROM lot
        WHERE lot.chain_id = account.chain_id AND lot.account_id = account.id
          AND lot.remaining > 0 AND lot.expires_at <= locked.now
        ORDER BY lot.expires_at, lot.earned_at, lot.id
    ) AS lot
    WINDOW by_account AS (PARTITION BY account.chain_id, account.id
                          ORDER BY lot.expires_at, lot.earned_at, lot.id)
), posted AS (
    INSERT INTO posting (
        chain_id, id, account_id, source, destination, points, kind, sequence, balance_after,
        salon_id, actor_kind, business_key, occurred_at, recorded_at)
    SELECT chain_id, id, account_id, account_id, destination, points, 'expiry', sequence,
           balance_after, salon_id, 'SYSTEM', 'expiry:' || lot_id, expires_at, recorded_at
    FROM ended
), used AS (
    INSERT INTO lot_use (chain_id, posting_id, lot_id, points)
    SELECT chain_id, id, lot_id, points FROM ended
), drained AS (
    UPDATE lot SET remaining = 0 FROM ended
    WHERE lot.ctid = ended.lot_place
), kept AS (
    UPDATE account
    SET balance = sums.balance, sequence = sums.sequence,
        updated_at = greatest(account.updated_at, sums.ended_at),
        expiry_due = (SELECT lot.expires_at FROM lot
                      WHERE lot.chain_id = sums.chain_id AND lot.account_id = sums.account_id
                        AND lot.remaining > 0 AND lot.expires_at > sums.now
                      ORDER BY lot.expires_at, lot.earned_at, lot.id LIMIT 1)
    FROM (SELECT account_place, chain_id, account_id, now, min(balance_after) AS balance,
                 max(sequence) AS sequence, max(expires_at) AS ended_at
          FROM ended GROUP BY account_place, chain_id, account_id, now) AS sums
    WHERE account.ctid = sums.account_place
)
SELECT chain_id::text, id::text, account_id::text, member_id::text, program_id::text,
       coalesce(salon_id::text, ''), points, balance_after, sequence, expires_at
FROM ended
ORDER BY ended.chain_id, ended.account_id, ended.sequence
"""  # noqa: S608


async def lock(conn: Connection, wanted: Sequence[AccountName]) -> None:
    """Lock accounts in order of id until the transaction ends, waiting for those that are held."""
    await conn.fetchval(_LOCK, [name[0] for name in wanted], [name[1] for name in wanted])


async def end_lots(
    conn: Connection,
    names: Sequence[AccountName],
    *,
    now: Sequence[datetime],
) -> list[EndedLot]:
    """Post what of accounts has ended by a moment each; the lots, account by account in order.

    Locks the accounts. Those that somebody else holds, or changes in this moment, are left out.
    """
    rows = await conn.fetch(_END, [name[0] for name in names], [name[1] for name in names], now)
    return list(map(EndedLot._make, rows))
