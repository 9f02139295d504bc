"""Events of points that messaging acts on. The only file that names their topic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import DecodeError, Message
from loyalty.events.v1 import points_events_pb2 as facts

from services.chassis.events import Event, Impossible
from services.chassis.handling import Together
from services.chassis.postgres import Connection
from services.chassis.uuids import uuid_of
from services.messaging.consumers.program_changes import program_change
from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.standing import (
    AccountId,
    Balance,
    ProgramCopy,
    ProgramId,
    SalonId,
    TierId,
    TierMove,
)
from services.messaging.usecases import points_news, program_changes
from services.messaging.usecases.deps import Deps
from services.messaging.usecases.points_news import Counted, Expiring, Fact, Posted

POINTS = "loyalty.points.v1"
STANDINGS_GROUP = "messaging.standings"

# Every type whose payload is a PointsPosted.
_POSTED = (
    "points.earned",
    "points.adjusted",
    "points.debited",
    "points.returned",
    "points.promoted",
    "points.refunded",
    "points.expired",
)

M = TypeVar("M", bound=Message)


def standings(deps: Deps) -> Together:
    """What happens on the events of points."""

    async def apply(conn: Connection, events: Sequence[Event]) -> None:
        read = [_READERS[event.type](event) for event in events]
        told = [fact for fact in read if fact is not None]
        if told:
            await points_news.take(deps, conn, told)
        for event in events:
            if event.type == "program.changed":
                await program_changes.take_change(conn, program_change(event))

    return Together(types=frozenset(_READERS), apply=apply)


def _parsed(event: Event, message: M) -> M:
    try:
        message.ParseFromString(event.payload)
    except DecodeError:
        raise Impossible(f"{event.type}: the payload is no such fact") from None
    return message


def _uuid(event: Event, text: str) -> UUID:
    try:
        return uuid_of(text)
    except ValueError:
        raise Impossible(f"{event.type}: an id has the wrong form") from None


def _chain_id(event: Event, text: str) -> ChainId:
    chain_id = _uuid(event, text)
    if chain_id != event.chain_id:
        raise Impossible(f"{event.type}: it speaks of another chain than its header")
    return ChainId(chain_id)


def _salon(event: Event, text: str) -> SalonId | None:
    return SalonId(_uuid(event, text)) if text else None


def _account(
    event: Event,
    fact: facts.PointsPosted | facts.AccountOpened,
    *,
    balance: int,
    sequence: int,
) -> Balance:
    return Balance(
        chain_id=_chain_id(event, fact.chain_id),
        account_id=AccountId(_uuid(event, fact.account_id)),
        member_id=MemberId(_uuid(event, fact.member_id)),
        program_id=ProgramId(_uuid(event, fact.program_id)),
        balance=balance,
        sequence=sequence,
    )


def _opened(event: Event) -> Balance:
    return _account(event, _parsed(event, facts.AccountOpened()), balance=0, sequence=0)


def _posted(event: Event) -> Posted:
    fact = _parsed(event, facts.PointsPosted())
    return Posted(
        type=event.type,
        posting_id=str(_uuid(event, fact.posting_id)),
        balance=_account(event, fact, balance=fact.balance_after, sequence=fact.sequence),
        points=fact.points,
        salon_id=_salon(event, fact.salon_id),
        sale_id=fact.sale_id,
        occurred_at=fact.occurred_at.ToDatetime(UTC),
    )


def _counted(event: Event) -> Counted | None:
    fact = _parsed(event, facts.SaleCounted())
    # A sale of nobody is nobody's news (SQ-18).
    if not fact.account_id:
        return None
    return Counted(
        chain_id=_chain_id(event, fact.chain_id),
        sale_id=str(_uuid(event, fact.sale_id)),
        account_id=AccountId(_uuid(event, fact.account_id)),
        member_id=MemberId(_uuid(event, fact.member_id)),
        program_id=ProgramId(_uuid(event, fact.program_id)),
        salon_id=_salon(event, fact.salon_id),
        points=fact.points,
        occurred_at=fact.occurred_at.ToDatetime(UTC),
    )


def _tier(event: Event) -> TierMove:
    fact = _parsed(event, facts.TierChanged())
    return TierMove(
        chain_id=_chain_id(event, fact.chain_id),
        account_id=AccountId(_uuid(event, fact.account_id)),
        member_id=MemberId(_uuid(event, fact.member_id)),
        program_id=ProgramId(_uuid(event, fact.program_id)),
        tier_id=TierId(_uuid(event, fact.tier_id)),
        tier_name=fact.tier_name,
        risen=fact.risen,
        occurred_at=fact.occurred_at.ToDatetime(UTC),
    )


def _expiring(event: Event) -> Expiring:
    fact = _parsed(event, facts.PointsExpiring())
    try:
        last_day = date.fromisoformat(fact.last_day)
    except ValueError:
        raise Impossible(f"{event.type}: its last day is no day") from None
    return Expiring(
        chain_id=_chain_id(event, fact.chain_id),
        account_id=AccountId(_uuid(event, fact.account_id)),
        member_id=MemberId(_uuid(event, fact.member_id)),
        program_id=ProgramId(_uuid(event, fact.program_id)),
        points=fact.points,
        balance=fact.balance,
        last_day=last_day,
        expires_at=fact.expires_at.ToDatetime(UTC),
        occurred_at=fact.occurred_at.ToDatetime(UTC),
    )


def _program(event: Event) -> ProgramCopy:
    fact = _parsed(event, facts.ProgramChanged())
    return ProgramCopy(
        chain_id=_chain_id(event, fact.chain_id),
        program_id=ProgramId(_uuid(event, fact.program_id)),
        name=fact.name,
        term_one=fact.term_one,
        term_other=fact.term_other,
        active=fact.active,
        version=fact.version,
    )


_READERS: Mapping[str, Callable[[Event], Fact | None]] = {
    **dict.fromkeys(_POSTED, _posted),
    "sale.counted": _counted,
    "tier.changed": _tier,
    "points.expiring": _expiring,
    "account.opened": _opened,
    "program.changed": _program,
}
