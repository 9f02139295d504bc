"""What follows from the events of points: copies per member, and what she is told (ADR 0016).

These run in the consumer's transaction, which has already asked the inbox.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from services.chassis.postgres import Connection
from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.delivery import NEWS_AGE_MAX, MessageKind
from services.messaging.domain.message_settings import MessageSettings, ReceiptMode
from services.messaging.domain.news import News
from services.messaging.domain.standing import (
    AccountId,
    Balance,
    ProgramCopy,
    ProgramId,
    SalonId,
    TierMove,
)
from services.messaging.storage import contacts, standings
from services.messaging.usecases import holding, telling
from services.messaging.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One posting of points, as told."""

    # "points.earned" …
    type: str
    posting_id: str
    balance: Balance
    # Signed.
    points: int
    salon_id: SalonId | None
    # Empty outside of a sale.
    sale_id: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A sale that was counted for a member, all its points together."""

    chain_id: ChainId
    sale_id: str
    account_id: AccountId
    member_id: MemberId
    program_id: ProgramId
    salon_id: SalonId | None
    points: int
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """Points that end in two weeks, as points saw them."""

    chain_id: ChainId
    account_id: AccountId
    member_id: MemberId
    program_id: ProgramId
    points: int
    balance: int
    last_day: date
    expires_at: datetime
    occurred_at: datetime


async def take_opened(conn: Connection, account: Balance) -> None:
    """Keep that a member has an account."""
    await standings.put_balance(conn, account)


async def take_program(conn: Connection, program: ProgramCopy) -> None:
    """Keep what a program and its points are called."""
    await standings.put_program(conn, program)


async def take_posted(deps: Deps, conn: Connection, posted: Posted) -> None:
    """Keep the balance; a visit without a sale is receipted, points taken by hand are told.

    Points added by hand, refunds, rewards and expiry are not told (SQ-31, SQ-33, D4): of a sale
    its own event speaks.
    """
    account = posted.balance
    await standings.put_balance(conn, account)
    if posted.type == "points.earned" and not posted.sale_id:
        await _visited(
            deps,
            conn,
            account,
            cause=posted.posting_id,
            points=posted.points,
            balance=account.balance,
            salon_id=posted.salon_id,
            at=posted.occurred_at,
        )
    elif posted.type == "points.adjusted" and posted.points < 0:
        await _tell(
            deps,
            conn,
            account,
            kind=MessageKind.DEDUCTION,
            key=posted.posting_id,
            params={"points": str(-posted.points), "balance": str(account.balance)},
            at=posted.occurred_at,
        )


async def take_counted(deps: Deps, conn: Connection, sale: Counted) -> None:
    """Note the visit; receipt the sale's points together with those of its promotion (SQ-62)."""
    accounts = await standings.accounts_of(conn, sale.chain_id, sale.member_id)
    balance = next((one.balance for one in accounts if one.account_id == sale.account_id), 0)
    account = Balance(
        chain_id=sale.chain_id,
        account_id=sale.account_id,
        member_id=sale.member_id,
        program_id=sale.program_id,
        balance=balance,
        sequence=0,
    )
    await _visited(
        deps,
        conn,
        account,
        cause=sale.sale_id,
        points=sale.points,
        balance=balance,
        salon_id=sale.salon_id,
        at=sale.occurred_at,
    )


async def _visited(
    deps: Deps,
    conn: Connection,
    account: Balance,
    *,
    cause: str,
    points: int,
    balance: int,
    salon_id: SalonId | None,
    at: datetime,
) -> None:
    """A member was here. Told of her points as the chain chose: always, the first time, never."""
    first = await standings.note_visit(
        conn,
        account.chain_id,
        account.member_id,
        salon_id=salon_id,
        at=at,
        earned_by=cause if points > 0 else None,
    )
    if points <= 0:
        return
    mode = (await _settings(conn, account.chain_id)).receipts
    if mode is ReceiptMode.NEVER or (mode is ReceiptMode.FIRST_ONLY and not first):
        return
    await _tell(
        deps,
        conn,
        account,
        kind=MessageKind.RECEIPT,
        key=cause,
        params={
            "points": str(points),
            "balance": str(balance),
            "first": "1" if first else "",
        },
        at=at,
    )


async def take_tier(deps: Deps, conn: Connection, move: TierMove) -> None:
    """Keep the tier; tell of the change, up or down, unless the chain chose not to (SQ-06)."""
    await standings.put_tier(conn, move)
    if not (await _settings(conn, move.chain_id)).tier_changes:
        return
    account = Balance(
        chain_id=move.chain_id,
        account_id=move.account_id,
        member_id=move.member_id,
        program_id=move.program_id,
        balance=0,
        sequence=0,
    )
    await _tell(
        deps,
        conn,
        account,
        kind=MessageKind.TIER_CHANGE,
        key=f"{move.account_id}|{move.tier_id}|{move.occurred_at.isoformat()}",
        params={"tier": move.tier_name, "risen": "1" if move.risen else ""},
        at=move.occurred_at,
    )


async def take_expiring(deps: Deps, conn: Connection, news: Expiring) -> None:
    """Warn of points that end in 14 to 16 days, unless the chain chose not to (SQ-67)."""
    if not (await _settings(conn, news.chain_id)).expiry_warnings:
        return
    account = Balance(
        chain_id=news.chain_id,
        account_id=news.account_id,
        member_id=news.member_id,
        program_id=news.program_id,
        balance=news.balance,
        sequence=0,
    )
    await _tell(
        deps,
        conn,
        account,
        kind=MessageKind.EXPIRY_WARNING,
        key=f"{news.account_id}|{news.last_day.isoformat()}",
        params={
            "points": str(news.points),
            "balance": str(news.balance),
            "last_day": news.last_day.isoformat(),
        },
        at=news.occurred_at,
        expires_at=news.expires_at,
    )


async def _settings(conn: Connection, chain_id: ChainId) -> MessageSettings:
    return await holding.settings_of(conn, chain_id, await contacts.find_chain(conn, chain_id))


async def _tell(
    deps: Deps,
    conn: Connection,
    account: Balance,
    *,
    kind: MessageKind,
    key: str,
    params: dict[str, str],
    at: datetime,
    expires_at: datetime | None = None,
) -> None:
    """Tell it with the program's own word for points."""
    program = await standings.find_program(conn, account.chain_id, account.program_id)
    points = int(params.get("points", "0"))
    named = {
        "program": program.name if program else "",
        "term": program.term(points) if program else ("point" if points == 1 else "points"),
    }
    await telling.tell(
        deps,
        conn,
        News(
            chain_id=account.chain_id,
            member_id=account.member_id,
            kind=kind,
            key=key,
            params={**params, **named},
            occurred_at=at,
            expires_at=expires_at or at + NEWS_AGE_MAX,
        ),
    )
