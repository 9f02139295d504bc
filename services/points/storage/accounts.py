"""Members' accounts: opened as zero rows, locked in one order, read and searched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from services.chassis.postgres import Connection
from services.points.domain.ids import AccountId, ChainId, MemberId, ProgramId
from services.points.domain.ledger import Account

ACCOUNT_COLUMNS = """
account.chain_id, account.id, account.member_id, account.program_id, account.balance,
account.lifetime_points, account.sequence, account.opened_at, account.updated_at,
account.expiry_due
"""

_OPEN = """
INSERT INTO account (chain_id, id, member_id, program_id, opened_at, updated_at)
SELECT chain_id, id, member_id, program_id, opened_at, opened_at
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[])
     AS wanted (chain_id, id, member_id, program_id, opened_at)
ORDER BY chain_id, id
ON CONFLICT DO NOTHING
RETURNING chain_id, id
"""

_LOCK = f"""
SELECT {ACCOUNT_COLUMNS}
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (chain_id, id)
JOIN account USING (chain_id, id)
ORDER BY account.chain_id, account.id
FOR UPDATE OF account
"""  # noqa: S608

_LOCK_FREE = f"{_LOCK} SKIP LOCKED"

# One statement for each way in, and bounds that are always there: with "IS NULL OR" a prepared plan
# could not use the index.
_SEARCH_ALL = f"""
SELECT {ACCOUNT_COLUMNS} FROM account
WHERE chain_id = $1 AND (opened_at, id) > ($2, $3::uuid)
  AND ($4::uuid IS NULL OR program_id = $4)
ORDER BY opened_at, id
LIMIT $5
"""  # noqa: S608

_SEARCH_MEMBERS = f"""
SELECT {ACCOUNT_COLUMNS} FROM account
WHERE chain_id = $1 AND (opened_at, id) > ($2, $3::uuid)
  AND ($4::uuid IS NULL OR program_id = $4)
  AND member_id = ANY($6::uuid[])
ORDER BY opened_at, id
LIMIT $5
"""  # noqa: S608

_WHOSE_BY_ID = """
SELECT id, member_id, program_id FROM account
WHERE chain_id = $1 AND id = ANY($2::uuid[])
  AND ($3::uuid[] IS NULL OR member_id = ANY($3))
"""

_WHOSE_BY_MEMBER = """
SELECT id, member_id, program_id FROM account WHERE chain_id = $1 AND member_id = ANY($2::uuid[])
"""

# Before everything that was ever opened.
_START = (datetime(1, 1, 2, tzinfo=UTC), UUID(int=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An account that must be there."""

    chain_id: ChainId
    id: AccountId
    member_id: MemberId
    program_id: ProgramId
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose account it is."""

    member_id: MemberId
    program_id: ProgramId


async def open_accounts(conn: Connection, openings: Sequence[Opening]) -> set[AccountId]:
    """Add a zero row for each account that is not there yet; returns which were added.

    Rows are added in order of id, before any account is locked: a lock on a row that is not there
    holds nothing, and two batches that open the same accounts wait for each other in one order.
    """
    if not openings:
        return set()
    rows = await conn.fetch(
        _OPEN,
        [opening.chain_id for opening in openings],
        [opening.id for opening in openings],
        [opening.member_id for opening in openings],
        [opening.program_id for opening in openings],
        [opening.opened_at for opening in openings],
    )
    return {AccountId(row["id"]) for row in rows}


async def lock_accounts(
    conn: Connection, wanted: Iterable[tuple[ChainId, AccountId]], *, waits: bool = True
) -> dict[tuple[ChainId, AccountId], Account]:
    """Lock accounts in order of id until the transaction ends; those not there are left out.

    Without `waits`, so are those that somebody else holds. The lock covers the account's lots,
    grants, standing and next sequence number as well.
    """
    names = list(dict.fromkeys(wanted))
    if not names:
        return {}
    statement = _LOCK if waits else _LOCK_FREE
    rows = await conn.fetch(statement, [name[0] for name in names], [name[1] for name in names])
    return {(account.chain_id, account.id): account for account in map(account_of, rows)}


async def lock_account(
    conn: Connection, chain_id: ChainId, account_id: AccountId
) -> Account | None:
    """Lock one account until the transaction ends."""
    found = await lock_accounts(conn, [(chain_id, account_id)])
    return found.get((chain_id, account_id))


async def account(conn: Connection, chain_id: ChainId, account_id: AccountId) -> Account | None:
    """One account as it stands."""
    row = await conn.fetchrow(
        f"SELECT {ACCOUNT_COLUMNS} FROM account WHERE chain_id = $1 AND id = $2",  # noqa: S608
        chain_id,
        account_id,
    )
    return account_of(row) if row else None


async def search(
    conn: Connection,
    *,
    chain_id: ChainId,
    member_ids: Sequence[MemberId] | None,
    program_id: ProgramId | None,
    after: tuple[datetime, AccountId] | None,
    limit: int,
) -> list[Account]:
    """Accounts by opening time, those after a place in that order."""
    opened_at, account_id = after or _START
    arguments = [chain_id, opened_at, account_id, program_id, limit]
    if member_ids is None:
        rows = await conn.fetch(_SEARCH_ALL, *arguments)
    else:
        rows = await conn.fetch(_SEARCH_MEMBERS, *arguments, member_ids)
    return [account_of(row) for row in rows]


async def owners(
    conn: Connection,
    *,
    chain_id: ChainId,
    account_ids: Sequence[AccountId] | None,
    member_ids: Sequence[MemberId] | None,
) -> dict[AccountId, Owner]:
    """Whose the accounts are that are named, and of the named members; one of both is given."""
    if account_ids is not None:
        rows = await conn.fetch(_WHOSE_BY_ID, chain_id, account_ids, member_ids)
    else:
        rows = await conn.fetch(_WHOSE_BY_MEMBER, chain_id, member_ids)
    return {
        AccountId(row["id"]): Owner(
            member_id=MemberId(row["member_id"]), program_id=ProgramId(row["program_id"])
        )
        for row in rows
    }


def account_of(row: asyncpg.Record) -> Account:
    """An account from a row with its columns."""
    return Account(
        chain_id=ChainId(row["chain_id"]),
        id=AccountId(row["id"]),
        member_id=MemberId(row["member_id"]),
        program_id=ProgramId(row["program_id"]),
        balance=row["balance"],
        lifetime_points=row["lifetime_points"],
        sequence=row["sequence"],
        opened_at=row["opened_at"],
        updated_at=row["updated_at"],
        expiry_due=row["expiry_due"],
    )
