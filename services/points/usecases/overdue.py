"""Overdue expiry, posted before whatever else a write does to its account (D8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from services.chassis import outbox
from services.chassis.postgres import Connection
from services.points import events
from services.points.domain import expiry
from services.points.domain.ids import AccountId, ChainId
from services.points.domain.ledger import Account, Movement
from services.points.storage import expiry as expiry_rows
from services.points.storage import ledger as ledger_rows
from services.points.usecases.deps import Deps

AccountName: TypeAlias = tuple[ChainId, AccountId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An account without what has ended, and the postings that took it; not written yet.

    The account's `expiry_due` is the true earliest end of what it holds now.
    """

    account: Account
    movements: tuple[Movement, ...]


async def post_overdue(
    deps: Deps, conn: Connection, account: Account
) -> tuple[Account, list[Movement]]:
    """Post what has ended of a locked account; returns it as it stands then, and the postings.

    Nothing is asked or written while its `expiry_due` lies ahead. Where it lay too early, the true
    one is in the answer, and whatever is posted next writes it.
    """
    settled = await settle(deps, conn, [account])
    found = settled.get((account.chain_id, account.id))
    if found is None:
        return account, []
    await ledger_rows.write(conn, found.movements)
    await outbox.append(conn, [events.points_posted(move.entry) for move in found.movements])
    return found.account, list(found.movements)


async def settle(
    deps: Deps, conn: Connection, accounts: Iterable[Account]
) -> dict[AccountName, Settled]:
    """What is overdue of locked accounts; one statement for all whose `expiry_due` has come.

    Only those are answered, also where it had lain too early and nothing has ended. Writing the
    movements and telling of them is left to the caller.
    """
    due = [account for account in accounts if is_due(deps, account)]
    lots = await expiry_rows.ending_lots(
        conn,
        [(account.chain_id, account.id, deps.clock.now(account.chain_id)) for account in due],
    )
    settled: dict[AccountName, Settled] = {}
    for account in due:
        name = (account.chain_id, account.id)
        now = deps.clock.now(account.chain_id)
        held = lots.get(name, [])
        moved = expiry.movements(account, held, now=now, new_id=deps.new_id)
        due_next = expiry.next_end(held, now=now)
        if moved:
            last = replace(moved[-1], after=replace(moved[-1].after, expiry_due=due_next))
            moved = (*moved[:-1], last)
        after = moved[-1].after if moved else replace(account, expiry_due=due_next)
        settled[name] = Settled(account=after, movements=moved)
    return settled


def is_due(deps: Deps, account: Account) -> bool:
    """Whether something that the account holds may have ended by now."""
    due = account.expiry_due
    return due is not None and due <= deps.clock.now(account.chain_id)
