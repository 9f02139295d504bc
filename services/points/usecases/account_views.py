"""Accounts as they are told: without what has ended, with what will, and with the tier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.postgres import Connection
from services.points.domain import expiry
from services.points.domain.expiry import Deadline
from services.points.domain.ids import AccountId, ChainId
from services.points.domain.ledger import Account
from services.points.storage import account_views as view_rows
from services.points.usecases import standings
from services.points.usecases.deps import Deps
from services.points.usecases.standings import Climber, Found, Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account at a moment of business time, however late the job is (D8).

    `balance` is without what has ended by then; `deadlines` say what ends next (SQ-68); `rung` is
    None where the program has no ladder (SQ-05).
    """

    account: Account
    balance: int
    deadlines: tuple[Deadline, ...]
    rung: Rung | None


async def account_views(
    deps: Deps, conn: Connection, chain_id: ChainId, account_ids: Sequence[AccountId]
) -> list[AccountView]:
    """Accounts in the order asked for; unknown ones are left out.

    One statement, one more where there is a ladder, and another where a yearly check is late.
    """
    now = deps.clock.now(chain_id)
    rows = await view_rows.account_rows(conn, chain_id, account_ids)
    found = [
        Found.at(Climber(account=row.account, ladder=row.ladder, at=now), row.place)
        for row in rows
        if row.ladder is not None
    ]
    rungs = await standings.rungs(conn, found)
    return [
        AccountView(
            account=row.account,
            balance=expiry.usable_balance(row.account, row.endings, now=now),
            deadlines=expiry.deadlines(row.endings, now=now),
            rung=rungs.get((chain_id, row.account.id)),
        )
        for row in rows
    ]
