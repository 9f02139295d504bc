"""Postings, lots and balances: written together in one statement, whatever their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg

from services.chassis import outbox
from services.chassis.errors import InvariantViolated
from services.chassis.outbox import OutboxEvent
from services.chassis.postgres import Connection
from services.chassis.recording import recorded_at
from services.points.domain.ids import (
    AccountId,
    ChainId,
    ChangeId,
    LotId,
    MemberId,
    PostingId,
    ProgramId,
    PromotionId,
    RewardId,
    SaleId,
    SalonId,
)
from services.points.domain.ledger import (
    VISIT_SOURCES,
    Account,
    Actor,
    ActorKind,
    AdjustmentReason,
    EarnSource,
    Entry,
    Movement,
    Posting,
    PostingKind,
)
from services.points.domain.lots import Lot, LotUse

ENTRY_COLUMNS = """
posting.chain_id, posting.id, posting.account_id, posting.source, posting.destination,
posting.points, posting.kind, posting.sequence, posting.balance_after, posting.earn_source,
posting.reason, posting.note, posting.salon_id, posting.actor_kind, posting.actor_id,
posting.reward_id, posting.sale_id, posting.reverses, posting.business_key, posting.tier_bonus,
posting.promotion_id, posting.change_id, posting.occurred_at, posting.recorded_at
"""

LOT_COLUMNS = """
lot.chain_id, lot.id, lot.account_id, lot.posting_id, lot.points, lot.remaining, lot.expires_at,
lot.policy, lot.salon_id, lot.earned_at
"""

# The account's sequence must still be the one that its lock showed: a last guard against a write
# that somebody forgot to lock for.
_WRITE = f"""
WITH posted AS (
    INSERT INTO posting (
        chain_id, id, account_id, source, destination, points, kind, sequence, balance_after,
        earn_source, reason, note, salon_id, actor_kind, actor_id, reward_id, sale_id, reverses,
        business_key, tier_bonus, promotion_id, change_id, occurred_at, recorded_at)
    SELECT
        chain_id, id, account_id, source, destination, points, kind, sequence, balance_after,
        earn_source, reason, note, salon_id, actor_kind, actor_id, reward_id, sale_id, reverses,
        business_key, tier_bonus, promotion_id, change_id, occurred_at,
        {recorded_at("new.chain_id")}
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[],
                $7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[],
                $13::uuid[], $14::text[], $15::text[], $16::uuid[], $17::uuid[], $18::uuid[],
                $19::text[], $20::bigint[], $21::uuid[], $22::text[], $23::timestamptz[])
         AS new (chain_id, id, account_id, source, destination, points, kind, sequence,
                 balance_after, earn_source, reason, note, salon_id, actor_kind, actor_id,
                 reward_id, sale_id, reverses, business_key, tier_bonus, promotion_id, change_id,
                 occurred_at)
    RETURNING id, recorded_at
), opened AS (
    INSERT INTO lot (chain_id, id, account_id, posting_id, points, remaining, expires_at, policy,
                     salon_id, earned_at)
    SELECT chain_id, id, account_id, posting_id, points, remaining, expires_at, policy, salon_id,
           earned_at
    FROM unnest($24::uuid[], $25::uuid[], $26::uuid[], $27::uuid[], $28::bigint[], $29::bigint[],
                $30::timestamptz[], $31::text[], $32::uuid[], $33::timestamptz[])
         AS new (chain_id, id, account_id, posting_id, points, remaining, expires_at, policy,
                 salon_id, earned_at)
), used AS (
    INSERT INTO lot_use (chain_id, posting_id, lot_id, points)
    SELECT chain_id, posting_id, lot_id, points
    FROM unnest($34::uuid[], $35::uuid[], $36::uuid[], $37::bigint[])
         AS new (chain_id, posting_id, lot_id, points)
), drained AS (
    UPDATE lot SET remaining = lot.remaining - change.points
    FROM unnest($38::uuid[], $39::uuid[], $40::bigint[]) AS change (chain_id, id, points)
    WHERE lot.chain_id = change.chain_id AND lot.id = change.id
    RETURNING 1
), kept AS (
    UPDATE account
    SET balance = new.balance, lifetime_points = new.lifetime_points, sequence = new.sequence,
        updated_at = new.updated_at, expiry_due = new.expiry_due
    FROM unnest($41::uuid[], $42::uuid[], $43::bigint[], $44::bigint[], $45::bigint[],
                $46::bigint[], $47::timestamptz[], $48::timestamptz[])
         AS new (chain_id, id, balance, lifetime_points, sequence_before, sequence, updated_at,
                 expiry_due)
    WHERE account.chain_id = new.chain_id AND account.id = new.id
      AND account.sequence = new.sequence_before
    RETURNING 1
), {outbox.appending(49)}
SELECT (SELECT count(*) FROM kept) AS accounts, (SELECT count(*) FROM drained) AS lots,
       ARRAY(SELECT id FROM posted) AS ids, ARRAY(SELECT recorded_at FROM posted) AS moments,
       (SELECT {outbox.NOTIFY} WHERE EXISTS (SELECT FROM appended)) AS told
"""  # noqa: S608

_BY_ID = f"""
SELECT {ENTRY_COLUMNS}, account.member_id, account.program_id
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (chain_id, id)
JOIN posting ON posting.chain_id = wanted.chain_id AND posting.id = wanted.id
JOIN account ON account.chain_id = posting.chain_id AND account.id = posting.account_id
"""  # noqa: S608

_BY_BUSINESS_KEY = f"""
SELECT {ENTRY_COLUMNS}, account.member_id, account.program_id
FROM posting
JOIN account ON account.chain_id = posting.chain_id AND account.id = posting.account_id
WHERE posting.chain_id = ANY($1::uuid[]) AND posting.business_key = ANY($2::text[])
"""  # noqa: S608

# The nearest visit around each moment, for as far as the cool-down reaches.
_VISITS = f"""
SELECT {ENTRY_COLUMNS}, account.member_id, account.program_id
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
     AS asked (chain_id, account_id, after, before)
CROSS JOIN LATERAL (
    SELECT {ENTRY_COLUMNS} FROM posting
    WHERE posting.chain_id = asked.chain_id AND posting.account_id = asked.account_id
      AND posting.occurred_at > asked.after AND posting.occurred_at < asked.before
      AND posting.earn_source = ANY($5::text[])
    ORDER BY posting.occurred_at, posting.id
    LIMIT 1
) AS posting
JOIN account ON account.chain_id = posting.chain_id AND account.id = posting.account_id
"""  # noqa: S608

# An open lot holds at least one point, so as many lots as points are enough.
_OPEN_LOTS = f"""
SELECT {LOT_COLUMNS} FROM lot
WHERE chain_id = $1 AND account_id = $2 AND remaining > 0
ORDER BY expires_at, earned_at, id
LIMIT $3
"""  # noqa: S608

_OPEN_LOTS_OF_MANY = f"""
SELECT {LOT_COLUMNS}
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS wanted (chain_id, account_id, points)
CROSS JOIN LATERAL (
    SELECT {LOT_COLUMNS} FROM lot
    WHERE lot.chain_id = wanted.chain_id AND lot.account_id = wanted.account_id
      AND lot.remaining > 0
    ORDER BY lot.expires_at, lot.earned_at, lot.id
    LIMIT wanted.points
) AS lot
"""  # noqa: S608

_USED_LOTS = f"""
SELECT {LOT_COLUMNS}, lot_use.points AS used
FROM lot_use
JOIN lot ON lot.chain_id = lot_use.chain_id AND lot.id = lot_use.lot_id
WHERE lot_use.chain_id = $1 AND lot_use.posting_id = $2
"""  # noqa: S608


# Of the rows of one statement; None: NULL in each of them.
Column: TypeAlias = list[object] | None


class BusinessKeyTaken(Exception):
    """What happens once has happened already, for another account."""


async def write(
    conn: Connection, movements: Sequence[Movement], *, told: Sequence[OutboxEvent] = ()
) -> Mapping[PostingId, datetime]:
    """Write postings with their lots, what they make of their accounts, and what is told of them.

    One statement: each costs the path of an earn a way to the database and back.

    Returns when each posting was recorded: the database says it, so that `recording.horizon` holds.
    The accounts must be locked by this transaction. Several movements of one account stand in
    their order. Raises `InvariantViolated` when an account or a lot is not as its lock showed it,
    and `BusinessKeyTaken` when a business fact stands under another account.
    """
    if not movements:
        await outbox.append(conn, told)
        return {}
    firsts: dict[tuple[ChainId, AccountId], Account] = {}
    lasts: dict[tuple[ChainId, AccountId], Account] = {}
    opened: list[Lot] = []
    uses: list[LotUse] = []
    for movement in movements:
        name = (movement.after.chain_id, movement.after.id)
        firsts.setdefault(name, movement.before)
        lasts[name] = movement.after
        opened.extend(movement.lots.opened)
        uses.extend(movement.lots.uses)
    fresh = {lot.id for lot in opened}
    drained: dict[tuple[ChainId, LotId], int] = {}
    for use in uses:
        # A lot that is opened here already stands without what was paid out of it.
        if use.lot_id not in fresh:
            lot = (use.chain_id, use.lot_id)
            drained[lot] = drained.get(lot, 0) + use.points
    columns = (
        *_posting_columns([movement.posting for movement in movements]),
        *_lot_columns(opened),
        *_use_columns(uses),
        [name[0] for name in drained],
        [name[1] for name in drained],
        list(drained.values()),
        *_account_columns(list(firsts.values()), list(lasts.values())),
        *outbox.columns(told),
    )
    try:
        row = await conn.fetchrow(_WRITE, *columns)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "posting_chain_id_business_key_idx":
            raise BusinessKeyTaken from error
        raise
    if row is None or row["accounts"] != len(lasts) or row["lots"] != len(drained):
        raise InvariantViolated("an account or a lot changed under its lock")
    return dict(zip(map(PostingId, row["ids"]), row["moments"], strict=True))


async def entries_by_id(
    conn: Connection, wanted: Sequence[tuple[UUID, PostingId]]
) -> dict[PostingId, Entry]:
    """Entries by chain and posting."""
    if not wanted:
        return {}
    rows = await conn.fetch(_BY_ID, [pair[0] for pair in wanted], [pair[1] for pair in wanted])
    return {PostingId(row["id"]): entry_of(row) for row in rows}


async def entries_by_business_key(
    conn: Connection, wanted: Sequence[tuple[ChainId, str]]
) -> dict[tuple[ChainId, str], Entry]:
    """Entries by the business fact that they stand for."""
    if not wanted:
        return {}
    rows = await conn.fetch(
        _BY_BUSINESS_KEY, list({pair[0] for pair in wanted}), [pair[1] for pair in wanted]
    )
    return {(ChainId(row["chain_id"]), row["business_key"]): entry_of(row) for row in rows}


async def visits_between(
    conn: Connection, asked: Sequence[tuple[ChainId, AccountId, datetime, datetime]]
) -> list[Entry]:
    """For each account and open interval, the first earn of a visit in it, where there is one."""
    if not asked:
        return []
    rows = await conn.fetch(
        _VISITS,
        [chain_id for chain_id, _, _, _ in asked],
        [account_id for _, account_id, _, _ in asked],
        [after for _, _, after, _ in asked],
        [before for _, _, _, before in asked],
        [source.value for source in VISIT_SOURCES],
    )
    return [entry_of(row) for row in rows]


async def open_lots(
    conn: Connection, chain_id: ChainId, account_id: AccountId, *, points: int
) -> list[Lot]:
    """Lots that a spending of so many points may need, in order of consumption.

    The account must be locked: its lock covers them.
    """
    rows = await conn.fetch(_OPEN_LOTS, chain_id, account_id, points)
    return [lot_of(row) for row in rows]


async def open_lots_of_many(
    conn: Connection, wanted: Mapping[tuple[ChainId, AccountId], int]
) -> dict[tuple[ChainId, AccountId], list[Lot]]:
    """The same for many locked accounts, each with the points that it may have to pay."""
    found: dict[tuple[ChainId, AccountId], list[Lot]] = {name: [] for name in wanted}
    if not wanted:
        return found
    rows = await conn.fetch(
        _OPEN_LOTS_OF_MANY,
        [name[0] for name in wanted],
        [name[1] for name in wanted],
        list(wanted.values()),
    )
    for lot in map(lot_of, rows):
        found[lot.chain_id, lot.account_id].append(lot)
    return found


async def used_lots(
    conn: Connection, chain_id: ChainId, posting_id: PostingId
) -> list[tuple[Lot, int]]:
    """What a posting took, lot by lot."""
    rows = await conn.fetch(_USED_LOTS, chain_id, posting_id)
    return [(lot_of(row), row["used"]) for row in rows]


def _given(values: list[object]) -> Column:
    """A column that is often empty as a whole: then nothing is sent of it, and it reads as NULL."""
    return values if any(value is not None for value in values) else None


def _posting_columns(postings: Sequence[Posting]) -> tuple[Column, ...]:
    return (
        [posting.chain_id for posting in postings],
        [posting.id for posting in postings],
        [posting.account_id for posting in postings],
        [posting.source for posting in postings],
        [posting.destination for posting in postings],
        [posting.points for posting in postings],
        [posting.kind.value for posting in postings],
        [posting.sequence for posting in postings],
        [posting.balance_after for posting in postings],
        [posting.earn_source and posting.earn_source.value for posting in postings],
        _given([posting.reason and posting.reason.value for posting in postings]),
        _given([posting.note or None for posting in postings]),
        [posting.salon_id for posting in postings],
        [posting.actor.kind.value or None for posting in postings],
        [posting.actor.id or None for posting in postings],
        _given([posting.reward_id for posting in postings]),
        _given([posting.sale_id for posting in postings]),
        _given([posting.reverses for posting in postings]),
        _given([posting.business_key for posting in postings]),
        [posting.tier_bonus for posting in postings],
        _given([posting.promotion_id for posting in postings]),
        _given([posting.change_id for posting in postings]),
        [posting.occurred_at for posting in postings],
    )


def _lot_columns(opened: Sequence[Lot]) -> tuple[Column, ...]:
    return (
        [lot.chain_id for lot in opened],
        [lot.id for lot in opened],
        [lot.account_id for lot in opened],
        [lot.posting_id for lot in opened],
        [lot.points for lot in opened],
        [lot.remaining for lot in opened],
        _given([lot.expires_at for lot in opened]),
        [lot.policy for lot in opened],
        [lot.salon_id for lot in opened],
        [lot.earned_at for lot in opened],
    )


def _use_columns(uses: Sequence[LotUse]) -> tuple[list[object], ...]:
    return (
        [use.chain_id for use in uses],
        [use.posting_id for use in uses],
        [use.lot_id for use in uses],
        [use.points for use in uses],
    )


def _account_columns(before: Sequence[Account], after: Sequence[Account]) -> tuple[Column, ...]:
    return (
        [account.chain_id for account in after],
        [account.id for account in after],
        [account.balance for account in after],
        [account.lifetime_points for account in after],
        [account.sequence for account in before],
        [account.sequence for account in after],
        [account.updated_at for account in after],
        _given([account.expiry_due for account in after]),
    )


def entry_of(row: asyncpg.Record) -> Entry:
    """An entry from a row with the columns of a posting and whose it is."""
    return Entry(
        posting=posting_of(row),
        member_id=MemberId(row["member_id"]),
        program_id=ProgramId(row["program_id"]),
        recorded_at=row["recorded_at"],
    )


def posting_of(row: asyncpg.Record) -> Posting:
    """A posting from a row with its columns."""
    salon_id, reward_id, reverses = row["salon_id"], row["reward_id"], row["reverses"]
    sale_id, promotion_id, change_id = row["sale_id"], row["promotion_id"], row["change_id"]
    return Posting(
        chain_id=ChainId(row["chain_id"]),
        id=PostingId(row["id"]),
        account_id=AccountId(row["account_id"]),
        source=AccountId(row["source"]),
        destination=AccountId(row["destination"]),
        points=row["points"],
        kind=PostingKind(row["kind"]),
        sequence=row["sequence"],
        balance_after=row["balance_after"],
        earn_source=EarnSource(row["earn_source"]) if row["earn_source"] else None,
        reason=AdjustmentReason(row["reason"]) if row["reason"] else None,
        note=row["note"] or "",
        salon_id=SalonId(salon_id) if salon_id else None,
        actor=Actor(kind=ActorKind(row["actor_kind"] or ""), id=row["actor_id"] or ""),
        reward_id=RewardId(reward_id) if reward_id else None,
        sale_id=SaleId(sale_id) if sale_id else None,
        reverses=PostingId(reverses) if reverses else None,
        business_key=row["business_key"],
        tier_bonus=row["tier_bonus"],
        promotion_id=PromotionId(promotion_id) if promotion_id else None,
        change_id=ChangeId(change_id) if change_id else None,
        occurred_at=row["occurred_at"],
    )


def lot_of(row: asyncpg.Record) -> Lot:
    """A lot from a row with its columns."""
    return Lot(
        chain_id=ChainId(row["chain_id"]),
        id=LotId(row["id"]),
        account_id=AccountId(row["account_id"]),
        posting_id=PostingId(row["posting_id"]),
        points=row["points"],
        remaining=row["remaining"],
        expires_at=row["expires_at"],
        policy=row["policy"],
        salon_id=SalonId(row["salon_id"]) if row["salon_id"] else None,
        earned_at=row["earned_at"],
    )
