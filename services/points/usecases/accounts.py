"""Members' accounts: opened, read, searched."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from services.chassis import outbox
from services.chassis.errors import InvariantViolated
from services.chassis.postgres import ACQUIRE_TIMEOUT_SECONDS, Connection, in_transaction
from services.points import events
from services.points.domain.errors import AccountUnknown, CursorInvalid, NumberOutOfRange
from services.points.domain.ids import AccountId, ChainId, MemberId, ProgramId, member_account_id
from services.points.domain.ledger import Account
from services.points.domain.programs import named, require_serving
from services.points.storage import accounts as account_rows
from services.points.storage import programs as program_rows
from services.points.storage.accounts import Opening
from services.points.usecases.account_views import AccountView, account_views
from services.points.usecases.deps import Deps

PAGE_LIMIT_MAX = 200
PAGE_LIMIT_DEFAULT = 30
SEARCHED_MEMBERS_MAX = 200
NAMED_ACCOUNTS_MAX = 200

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Digest of chain and filters, opening time in microseconds, account.
_CURSOR = struct.Struct(">16sq16s")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """Some accounts, and where the next ones begin; an empty cursor is the end."""

    accounts: tuple[AccountView, ...]
    cursor: str


async def open_account(
    deps: Deps, *, chain_id: ChainId, member_id: MemberId, program_id: ProgramId | None
) -> AccountView:
    """The member's account in a program (None: the chain's default), opened if need be.

    Repeatable. Refuses with ProgramUnknown, or with ProgramInactive where it would open one.
    """

    async def work(conn: Connection) -> AccountView:
        account = await open_account_within(
            deps, conn, chain_id=chain_id, member_id=member_id, program_id=program_id
        )
        return (await account_views(deps, conn, chain_id, [account.id]))[0]

    return await in_transaction(deps.pool, work)


async def open_account_within(
    deps: Deps,
    conn: Connection,
    *,
    chain_id: ChainId,
    member_id: MemberId,
    program_id: ProgramId | None,
) -> Account:
    """`open_account` in the caller's transaction."""
    view = await program_rows.chain_view(conn, chain_id)
    program = named(view.programs, program_id)
    account_id = member_account_id(member_id=member_id, program_id=program.id)
    account = await account_rows.account(conn, chain_id, account_id)
    if account is not None:
        return account
    require_serving(program, None)
    opening = Opening(
        chain_id=chain_id,
        id=account_id,
        member_id=member_id,
        program_id=program.id,
        opened_at=deps.clock.now(chain_id),
    )
    if await account_rows.open_accounts(conn, [opening]):
        event = events.account_opened(
            chain_id=chain_id,
            account_id=account_id,
            member_id=member_id,
            program_id=program.id,
            opened_at=opening.opened_at,
        )
        await outbox.append(conn, [event])
    account = await account_rows.account(conn, chain_id, account_id)
    if account is None:
        raise InvariantViolated("an account is not there after it was opened")
    return account


async def get_account(deps: Deps, *, chain_id: ChainId, account_id: AccountId) -> AccountView:
    """One account; another chain's is unknown like one that is not there (AccountUnknown)."""
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        found = await account_views(deps, conn, chain_id, [account_id])
    if not found:
        raise AccountUnknown
    return found[0]


async def get_accounts(
    deps: Deps, *, chain_id: ChainId, account_ids: Sequence[AccountId]
) -> list[AccountView]:
    """Several accounts in the order asked for; unknown ones are left out.

    Refuses with NumberOutOfRange.
    """
    if not 1 <= len(account_ids) <= NAMED_ACCOUNTS_MAX:
        raise NumberOutOfRange(field="account_ids", minimum=1, maximum=NAMED_ACCOUNTS_MAX)
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        return await account_views(deps, conn, chain_id, list(dict.fromkeys(account_ids)))


async def search_accounts(
    deps: Deps,
    *,
    chain_id: ChainId,
    member_ids: Sequence[MemberId] | None,
    program_id: ProgramId | None,
    limit: int,
    cursor: str,
) -> AccountPage:
    """Accounts of a chain by opening time, page by page; `member_ids` None means everybody's.

    Refuses with NumberOutOfRange, or with CursorInvalid for a cursor of another search.
    """
    if member_ids is not None and len(member_ids) > SEARCHED_MEMBERS_MAX:
        raise NumberOutOfRange(field="member_ids", minimum=0, maximum=SEARCHED_MEMBERS_MAX)
    limit = checked_limit(limit)
    query = repr((chain_id, sorted(member_ids) if member_ids is not None else None, program_id))
    digest = sha256(query.encode()).digest()[:16]
    after = _read_cursor(deps, cursor, digest) if cursor else None
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        found = await account_rows.search(
            conn,
            chain_id=chain_id,
            member_ids=member_ids,
            program_id=program_id,
            after=after,
            limit=limit + 1,
        )
        page = found[:limit]
        views = await account_views(deps, conn, chain_id, [account.id for account in page])
    more = len(found) > limit
    return AccountPage(
        accounts=tuple(views), cursor=_cursor(deps, page[-1], digest) if more else ""
    )


def checked_limit(limit: int) -> int:
    """How many a page holds: 1 to 200, 0 meaning 30. Refuses with NumberOutOfRange."""
    if not 0 <= limit <= PAGE_LIMIT_MAX:
        raise NumberOutOfRange(field="limit", minimum=1, maximum=PAGE_LIMIT_MAX)
    return limit or PAGE_LIMIT_DEFAULT


def _cursor(deps: Deps, last: Account, digest: bytes) -> str:
    microseconds = (last.opened_at - _EPOCH) // timedelta(microseconds=1)
    return deps.cursors.sign(_CURSOR.pack(digest, microseconds, last.id.bytes))


def _read_cursor(deps: Deps, cursor: str, digest: bytes) -> tuple[datetime, AccountId]:
    payload = deps.cursors.verify(cursor)
    if payload is None or len(payload) != _CURSOR.size:
        raise CursorInvalid
    of, microseconds, account_id = _CURSOR.unpack(payload)
    if of != digest:
        raise CursorInvalid
    return _EPOCH + timedelta(microseconds=microseconds), AccountId(UUID(bytes=account_id))
