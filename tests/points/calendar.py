"""Days of a salon in Montréal, and what falls due on them, as the tests of points speak of both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty.points.v1 import points_pb2 as pb

from services.points.domain.ids import ChainId
from services.points.usecases import sweeps
from tests.points.house import House

TORONTO = ZoneInfo("America/Toronto")


def local(text: str, zone: ZoneInfo = TORONTO) -> datetime:
    """A moment on the wall of the salon."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


async def at(house: House, text: str) -> None:
    """It is that moment on the wall of the salon."""
    house.clock.set(local(text))


async def save_rules(house: House, **rules: Any) -> pb.Program:
    """A save of chain A's program."""
    return await house.update_program(rules=pb.ProgramRules(**rules))


async def run_due(house: House) -> int:
    """The job of chain A's business time."""
    return await sweeps.run_due(house.deps, ChainId(UUID(house.chain_id)))


async def account_of(house: House, account_id: str | None = None) -> pb.Account:
    """An account as it is told: Alice's, unless said otherwise."""
    request = pb.GetAccountRequest(
        chain_id=house.chain_id, account_id=account_id or house.alices_account
    )
    return (await house.stub.GetAccount(request)).account


async def ledger_of(
    house: House, account_id: str | None = None, **page: Any
) -> pb.GetLedgerResponse:
    """An account's ledger: Alice's, unless said otherwise."""
    request = pb.GetLedgerRequest(
        chain_id=house.chain_id, account_id=account_id or house.alices_account, **page
    )
    return await house.stub.GetLedger(request)


def till(points: int) -> pb.TillOrigin:
    """So many points by a till."""
    return pb.TillOrigin(points=points)


async def expiries(house: House) -> list[tuple[int, datetime]]:
    """What of Alice's points has ended by an entry, and the entries' dates, newest first."""
    return [
        (entry.points, entry.occurred_at.ToDatetime(tzinfo=UTC))
        for entry in await house.entries()
        if entry.kind == pb.ENTRY_KIND_EXPIRY
    ]
