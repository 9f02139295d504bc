"""What follows from the events of points: copies per member, and what she is told (ADR 0016).

Everything of one kind is one statement, for this runs for every earn of the platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeAlias

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
    Visit,
)
from services.messaging.storage import standings
from services.messaging.storage.contacts import MemberKey
from services.messaging.storage.standings import AccountKey
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

    @property
    def chain_id(self) -> ChainId:
        """The chain of its account."""
        return self.balance.chain_id

    @property
    def program_id(self) -> ProgramId:
        """The program of its account."""
        return self.balance.program_id


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


# An account that was opened is told as its first balance.
Fact: TypeAlias = Posted | Counted | Expiring | TierMove | ProgramCopy | Balance


async def take(deps: Deps, conn: Connection, facts: Sequence[Fact]) -> None:
    """Keep what points told, and tell members what follows; of an account in its order.

    Points added by hand, refunds, rewards and expiry are not told (SQ-31, SQ-33, D4): of a sale
    its own event speaks. Runs in the consumer's transaction, which has already asked the inbox.
    """
    moves = [fact for fact in facts if isinstance(fact, TierMove)]
    for program in [fact for fact in facts if isinstance(fact, ProgramCopy)]:
        await standings.put_program(conn, program)
    visits = [_visit(fact) for fact in facts]
    known = _Known(
        settings=await holding.all_settings(conn, {fact.chain_id for fact in facts}),
        first_earns=await standings.note_visits(
            conn, [visit for visit in visits if visit is not None]
        ),
    )
    told = list(zip(facts, visits, strict=True))
    notices = _notices(told, known, await _held_before(conn, told, known))
    await standings.put_balances(
        conn, [balance for fact in facts if (balance := _balance(fact)) is not None]
    )
    for move in moves:
        await standings.put_tier(conn, move)
    await _tell(deps, conn, notices)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What decides whether something is told."""

    settings: Mapping[ChainId, MessageSettings]
    # The posting or sale that brought a member her first points; not of those who were erased.
    first_earns: Mapping[MemberKey, str | None]

    def is_first(self, visit: Visit) -> bool:
        """Whether it brought her first points."""
        return self.first_earns.get((visit.chain_id, visit.member_id)) == visit.earned_by

    def is_receipted(self, visit: Visit) -> bool:
        """Told as the chain chose, where it earned something: always, the first time, never."""
        if visit.earned_by is None:
            return False
        mode = self.settings[visit.chain_id].receipts
        return mode is ReceiptMode.ALWAYS or (
            mode is ReceiptMode.FIRST_ONLY and self.is_first(visit)
        )


def _balance(fact: Fact) -> Balance | None:
    if isinstance(fact, Posted):
        return fact.balance
    return fact if isinstance(fact, Balance) else None


def _visit(fact: Fact) -> Visit | None:
    """The visit that a fact stands for: points without a sale, or a sale with all its points."""
    if isinstance(fact, Counted):
        cause, member_id = fact.sale_id, fact.member_id
    elif isinstance(fact, Posted) and fact.type == "points.earned" and not fact.sale_id:
        cause, member_id = fact.posting_id, fact.balance.member_id
    else:
        return None
    return Visit(
        chain_id=fact.chain_id,
        member_id=member_id,
        salon_id=fact.salon_id,
        at=fact.occurred_at,
        earned_by=cause if fact.points > 0 else None,
    )


async def _held_before(
    conn: Connection, told: Sequence[tuple[Fact, Visit | None]], known: _Known
) -> dict[AccountKey, Balance]:
    """What the accounts of receipted sales hold before these facts."""
    return await standings.find_balances(
        conn,
        {
            (fact.chain_id, fact.account_id)
            for fact, visit in told
            if isinstance(fact, Counted) and visit is not None and known.is_receipted(visit)
        },
    )


def _notices(
    told: Sequence[tuple[Fact, Visit | None]], known: _Known, held: dict[AccountKey, Balance]
) -> list[tuple[ProgramId, News]]:
    """What is to be told, with the program whose words it wants.

    `held` follows the facts: a receipt says the balance after its own sale and not a later one.
    """
    notices = []
    for fact, visit in told:
        balance = _balance(fact)
        if balance is not None:
            account = (balance.chain_id, balance.account_id)
            if account not in held or held[account].sequence < balance.sequence:
                held[account] = balance
        match fact:
            case Posted():
                news = _news_of_posting(fact, visit, known)
            case Counted():
                kept = held.get((fact.chain_id, fact.account_id))
                news = _receipt(fact, visit, known, balance=kept.balance if kept else 0)
            case TierMove():
                news = _news_of_tier(fact, known)
            case Expiring():
                news = _warning(fact, known)
            case _:
                news = None
        if news is not None:
            notices.append((fact.program_id, news))
    return notices


def _news_of_posting(posted: Posted, visit: Visit | None, known: _Known) -> News | None:
    """A visit without a sale is receipted, points taken by hand are told."""
    balance = posted.balance
    if posted.type == "points.adjusted" and posted.points < 0:
        return News(
            chain_id=balance.chain_id,
            member_id=balance.member_id,
            kind=MessageKind.DEDUCTION,
            key=posted.posting_id,
            params={"points": str(-posted.points), "balance": str(balance.balance)},
            occurred_at=posted.occurred_at,
            expires_at=posted.occurred_at + NEWS_AGE_MAX,
        )
    return _receipt(posted, visit, known, balance=balance.balance)


def _receipt(
    fact: Posted | Counted, visit: Visit | None, known: _Known, *, balance: int
) -> News | None:
    """A sale's points together with those of its promotion (SQ-62), or those of a scan."""
    if visit is None or visit.earned_by is None or not known.is_receipted(visit):
        return None
    return News(
        chain_id=visit.chain_id,
        member_id=visit.member_id,
        kind=MessageKind.RECEIPT,
        key=visit.earned_by,
        params={
            "points": str(fact.points),
            "balance": str(balance),
            "first": "1" if known.is_first(visit) else "",
        },
        occurred_at=visit.at,
        expires_at=visit.at + NEWS_AGE_MAX,
    )


def _news_of_tier(move: TierMove, known: _Known) -> News | None:
    """The change, up or down, unless the chain chose not to tell (SQ-06)."""
    if not known.settings[move.chain_id].tier_changes:
        return None
    return News(
        chain_id=move.chain_id,
        member_id=move.member_id,
        kind=MessageKind.TIER_CHANGE,
        key=f"{move.account_id}|{move.tier_id}|{move.occurred_at.isoformat()}",
        params={"tier": move.tier_name, "risen": "1" if move.risen else ""},
        occurred_at=move.occurred_at,
        expires_at=move.occurred_at + NEWS_AGE_MAX,
    )


def _warning(ending: Expiring, known: _Known) -> News | None:
    """Points that end in 14 to 16 days, unless the chain chose not to tell (SQ-67)."""
    if not known.settings[ending.chain_id].expiry_warnings:
        return None
    return News(
        chain_id=ending.chain_id,
        member_id=ending.member_id,
        kind=MessageKind.EXPIRY_WARNING,
        key=f"{ending.account_id}|{ending.last_day.isoformat()}",
        params={
            "points": str(ending.points),
            "balance": str(ending.balance),
            "last_day": ending.last_day.isoformat(),
        },
        occurred_at=ending.occurred_at,
        expires_at=ending.expires_at,
    )


async def _tell(deps: Deps, conn: Connection, notices: Sequence[tuple[ProgramId, News]]) -> None:
    """Tell it with each program's own word for points."""
    programs = await standings.find_programs(
        conn, {(news.chain_id, program_id) for program_id, news in notices}
    )
    await telling.tell(
        deps,
        conn,
        [
            _in_words(news, programs.get((news.chain_id, program_id)))
            for program_id, news in notices
        ],
    )


def _in_words(news: News, program: ProgramCopy | None) -> News:
    points = int(news.params.get("points", "0"))
    named = {
        "program": program.name if program else "",
        "term": program.term(points) if program else ("point" if points == 1 else "points"),
    }
    return replace(news, params={**news.params, **named})
