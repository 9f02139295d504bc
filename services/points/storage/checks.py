"""What must hold of the whole ledger: each law is one set-based statement that finds breaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.postgres import Connection
from services.chassis.recording import recorded_at
from services.points.storage.laws import Law
from services.points.storage.sale_laws import SALE_LAWS

# Named breaches of one law; their number is always told whole.
NAMED_MAX = 20

_SHAPE = """
SELECT p.chain_id, 'posting ' || p.id AS row,
       'a ' || p.kind || ' must move points between a member and the right account of her program'
       AS detail
FROM posting AS p
LEFT JOIN account AS a ON a.chain_id = p.chain_id AND a.id = p.account_id
LEFT JOIN program_account AS own ON own.chain_id = p.chain_id
    AND own.id = CASE WHEN p.source = p.account_id THEN p.destination ELSE p.source END
WHERE a.id IS NULL OR own.id IS NULL OR own.program_id <> a.program_id
   OR own.side <> CASE WHEN p.kind IN ('earn', 'promotion', 'refund') THEN 'issued'
                       WHEN p.kind = 'adjustment' THEN 'adjusted'
                       WHEN p.kind = 'expiry' THEN 'expired'
                       ELSE 'redeemed' END
   OR (p.kind IN ('earn', 'promotion', 'reward_return') AND p.destination <> p.account_id)
   OR (p.kind IN ('reward', 'refund', 'expiry') AND p.source <> p.account_id)
"""

_ZERO = """
WITH held AS (
    SELECT chain_id, sum(balance) AS points FROM account GROUP BY chain_id
), moved AS (
    SELECT chain_id,
           sum(CASE WHEN destination = account_id THEN -points ELSE points END) AS points
    FROM posting GROUP BY chain_id
)
SELECT chain_id, 'chain ' || chain_id AS row,
       'members hold ' || coalesce(held.points, 0) || ', programs '
       || coalesce(moved.points, 0) || ': not zero' AS detail
FROM held FULL JOIN moved USING (chain_id)
WHERE coalesce(held.points, 0) + coalesce(moved.points, 0) <> 0
"""

_BALANCE = """
WITH sums AS (
    SELECT chain_id, account_id,
           sum(CASE WHEN destination = account_id THEN points ELSE -points END) AS balance,
           coalesce(sum(points) FILTER (WHERE kind IN ('earn', 'promotion')), 0) AS lifetime_points,
           count(*) AS entries
    FROM posting GROUP BY chain_id, account_id
)
SELECT a.chain_id, 'account ' || a.id AS row,
       'balance ' || a.balance || ', lifetime ' || a.lifetime_points || ', sequence '
       || a.sequence || '; its entries say ' || coalesce(s.balance, 0) || ', '
       || coalesce(s.lifetime_points, 0) || ', ' || coalesce(s.entries, 0) AS detail
FROM account AS a
LEFT JOIN sums AS s ON s.chain_id = a.chain_id AND s.account_id = a.id
WHERE a.balance <> coalesce(s.balance, 0)
   OR a.lifetime_points <> coalesce(s.lifetime_points, 0)
   OR a.sequence <> coalesce(s.entries, 0)
"""

_CHAINED = """
SELECT chain_id, 'posting ' || id AS row,
       'sequence ' || sequence || ' at place ' || place || ', balance ' || balance_after
       || ' where the entries come to ' || running AS detail
FROM (
    SELECT chain_id, id, sequence, balance_after,
           row_number() OVER by_account AS place,
           sum(CASE WHEN destination = account_id THEN points ELSE -points END)
               OVER by_account AS running
    FROM posting
    WINDOW by_account AS (PARTITION BY chain_id, account_id ORDER BY sequence)
) AS chained
WHERE sequence <> place OR balance_after <> running
"""

_LOT = """
WITH used AS (
    SELECT chain_id, lot_id, sum(points) AS points FROM lot_use GROUP BY chain_id, lot_id
)
SELECT l.chain_id, 'lot ' || l.id AS row,
       l.remaining || ' remain of ' || l.points || ' with ' || coalesce(u.points, 0) || ' used'
       AS detail
FROM lot AS l
LEFT JOIN used AS u ON u.chain_id = l.chain_id AND u.lot_id = l.id
LEFT JOIN posting AS p ON p.chain_id = l.chain_id AND p.id = l.posting_id
WHERE l.remaining <> l.points - coalesce(u.points, 0) OR p.account_id IS DISTINCT FROM l.account_id
UNION ALL
SELECT u.chain_id, 'use of lot ' || u.lot_id, 'there is no such lot or no such posting'
FROM lot_use AS u
LEFT JOIN lot AS l ON l.chain_id = u.chain_id AND l.id = u.lot_id
LEFT JOIN posting AS p ON p.chain_id = u.chain_id AND p.id = u.posting_id
WHERE l.id IS NULL OR p.id IS NULL OR p.account_id <> l.account_id
"""

_HOLDINGS = """
WITH held AS (
    SELECT chain_id, account_id, sum(remaining) AS points
    FROM lot WHERE remaining > 0 GROUP BY chain_id, account_id
)
SELECT a.chain_id, 'account ' || a.id AS row,
       'balance ' || a.balance || ', but its lots hold ' || coalesce(h.points, 0) AS detail
FROM account AS a
LEFT JOIN held AS h ON h.chain_id = a.chain_id AND h.account_id = a.id
WHERE coalesce(h.points, 0) <> greatest(a.balance, 0)
"""

# What a posting does to lots is what it does to the part of the balance above zero.
_EFFECT = """
WITH opened AS (
    SELECT chain_id, posting_id, sum(points) AS points FROM lot GROUP BY chain_id, posting_id
), used AS (
    SELECT chain_id, posting_id, sum(points) AS points FROM lot_use GROUP BY chain_id, posting_id
), signed AS (
    SELECT chain_id, id, balance_after,
           CASE WHEN destination = account_id THEN points ELSE -points END AS points
    FROM posting
)
SELECT p.chain_id, 'posting ' || p.id AS row,
       'moves ' || p.points || ' to a balance of ' || p.balance_after || ', but lots by '
       || coalesce(o.points, 0) - coalesce(u.points, 0) AS detail
FROM signed AS p
LEFT JOIN opened AS o ON o.chain_id = p.chain_id AND o.posting_id = p.id
LEFT JOIN used AS u ON u.chain_id = p.chain_id AND u.posting_id = p.id
WHERE coalesce(o.points, 0) - coalesce(u.points, 0)
   <> greatest(p.balance_after, 0) - greatest(p.balance_after - p.points, 0)
"""

_REWARD = """
SELECT chain_id, 'reward ' || reward_id AS row, count(*) || ' debits' AS detail
FROM posting WHERE kind = 'reward' GROUP BY chain_id, reward_id HAVING count(*) > 1
UNION ALL
SELECT back.chain_id, 'posting ' || back.id, 'gives back what it does not undo, or again'
FROM posting AS back
LEFT JOIN posting AS debit ON debit.chain_id = back.chain_id AND debit.id = back.reverses
LEFT JOIN posting AS other ON other.chain_id = back.chain_id AND other.reverses = back.reverses
    AND other.id <> back.id
WHERE back.kind = 'reward_return'
  AND (debit.kind IS DISTINCT FROM 'reward' OR debit.points <> back.points
       OR debit.account_id <> back.account_id OR other.id IS NOT NULL)
"""

# Outbox rows are kept for more than so many days after they were written.
_OUTBOX = f"""
SELECT p.chain_id, 'posting ' || p.id AS row, 'no event of it was written' AS detail
FROM posting AS p
LEFT JOIN outbox AS o ON o.event_id = p.id AND o.chain_id = p.chain_id
    AND o.key = p.account_id::text
WHERE o.event_id IS NULL
  AND p.recorded_at > {recorded_at("p.chain_id")} - make_interval(days => $1)
UNION ALL
SELECT o.chain_id, 'event ' || o.event_id, 'there is no such posting'
FROM outbox AS o
LEFT JOIN posting AS p ON p.chain_id = o.chain_id AND p.id = o.event_id
WHERE o.type LIKE 'points.%' AND o.type <> 'points.expiring' AND p.id IS NULL
"""  # noqa: S608

_SIZE = """
SELECT (SELECT count(*) FROM (SELECT DISTINCT chain_id FROM program) AS chains) AS chains,
       (SELECT count(*) FROM account) AS accounts,
       (SELECT count(*) FROM posting) AS postings,
       (SELECT count(*) FROM lot) AS lots
"""


LAWS = (
    Law(words="every posting joins a member and her program", statement=_SHAPE),
    Law(words="all accounts of a chain sum to zero", statement=_ZERO),
    Law(words="each balance is the sum of its entries", statement=_BALANCE),
    Law(words="sequences and balances chain without gaps", statement=_CHAINED),
    Law(words="each lot is what was earned less what was used", statement=_LOT),
    Law(words="lots hold what balances say", statement=_HOLDINGS),
    Law(words="each posting moved lots as it moved points", statement=_EFFECT),
    Law(words="a reward is paid for once and given back once", statement=_REWARD),
    Law(words="each posting has its one event", statement=_OUTBOX),
    *SALE_LAWS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A row that is at fault, and why."""

    chain_id: str
    row: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How a law stands: the number of breaches, and the first of them by name."""

    law: Law
    count: int
    named: tuple[Breach, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much was looked at."""

    chains: int
    accounts: int
    postings: int
    lots: int


async def examine(conn: Connection, *, outbox_kept_days: int) -> tuple[Size, Sequence[Finding]]:
    """Hold every law against the ledger as it stands at one moment; changes nothing."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        row = await conn.fetchrow(_SIZE)
        findings = [await _hold(conn, law, outbox_kept_days) for law in LAWS]
    if row is None:
        raise LookupError("a statement without FROM gave no row")
    size = Size(
        chains=row["chains"],
        accounts=row["accounts"],
        postings=row["postings"],
        lots=row["lots"],
    )
    return size, findings


async def _hold(conn: Connection, law: Law, outbox_kept_days: int) -> Finding:
    arguments = (outbox_kept_days,) if "$1" in law.statement else ()
    rows = await conn.fetch(
        f"SELECT chain_id, row, detail, count(*) OVER () AS total "  # noqa: S608
        f"FROM ({law.statement}) AS breach LIMIT {NAMED_MAX}",
        *arguments,
    )
    return Finding(
        law=law,
        count=rows[0]["total"] if rows else 0,
        named=tuple(
            Breach(chain_id=str(row["chain_id"]), row=row["row"], detail=row["detail"])
            for row in rows
        ),
    )
