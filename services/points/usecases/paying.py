"""Points for rewards: they leave at "Prendre" and come back when it is undone (LS-33, D35).

The reward's id is the business key, for good: however often and late rewards repeats its call,
one reward is paid for once and its points come back once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.chassis import outbox
from services.chassis.errors import InvariantViolated, KeyReused
from services.chassis.postgres import Connection, in_transaction
from services.points import events, metrics
from services.points.domain import expiry, ledger, lots, programs
from services.points.domain.earning import require_points
from services.points.domain.errors import AccountUnknown, DebitUnknown
from services.points.domain.ids import (
    AccountId,
    ChainId,
    LotId,
    PostingId,
    RewardId,
    SaleId,
    SalonId,
)
from services.points.domain.ledger import ENTRY_POINTS_MAX, Account, Actor, Entry, Fact
from services.points.storage import accounts as account_rows
from services.points.storage import ledger as ledger_rows
from services.points.storage import programs as program_rows
from services.points.storage.ledger import BusinessKeyTaken
from services.points.usecases import overdue, sales
from services.points.usecases.deps import Deps
from services.points.usecases.sales import RewardOffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Debit:
    """A reward is taken and costs so many points."""

    chain_id: ChainId
    account_id: AccountId
    reward_id: RewardId
    points: int
    salon_id: SalonId | None
    actor: Actor
    # The open sale that it is used on at once, and what it takes off; both or none.
    sale_id: SaleId | None = None
    offer: RewardOffer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """A reward is deleted or voided, and its points come back."""

    chain_id: ChainId
    reward_id: RewardId
    salon_id: SalonId | None
    actor: Actor
    # Rewards knows that it is on no open sale; a counted one does not hold its points any more.
    on_no_sale: bool = False


async def debit_points(deps: Deps, debit: Debit) -> Entry:
    """Take a reward's points. Repeatable: the same reward returns the first entry.

    With a sale its discount goes on that in the same transaction (SQ-20). Locks the account, then
    the sale. Refuses with InsufficientPoints, AccountUnknown or PointsInvalid, with what
    `sales.apply_reward` refuses, and with `KeyReused` when the reward was paid for by another
    account, with other points or on another sale.
    """
    require_points(debit.points, minimum=1, maximum=ENTRY_POINTS_MAX)

    async def work(conn: Connection) -> tuple[Entry, bool]:
        return await _debit(deps, conn, debit)

    try:
        entry, first = await in_transaction(deps.pool, work)
    except BusinessKeyTaken:
        # Two accounts were asked for one reward at the same moment; the loser is told so.
        raise KeyReused from None
    if first:
        metrics.POINTS_DEBITED_TOTAL.inc(debit.points)
    return entry


async def _debit(deps: Deps, conn: Connection, debit: Debit) -> tuple[Entry, bool]:
    account = await account_rows.lock_account(conn, debit.chain_id, debit.account_id)
    if account is None:
        raise AccountUnknown
    key = ledger.reward_debit_key(debit.reward_id)
    earlier = await _entry_of(conn, debit.chain_id, key)
    if earlier is not None:
        posting = earlier.posting
        paid = (posting.account_id, posting.points, posting.sale_id)
        if paid != (account.id, debit.points, debit.sale_id):
            raise KeyReused
        return earlier, False
    if debit.sale_id is not None and debit.offer is not None:
        await sales.put_reward_on(
            deps,
            conn,
            chain_id=debit.chain_id,
            sale_id=debit.sale_id,
            reward_id=debit.reward_id,
            member_id=account.member_id,
            offer=debit.offer,
        )
    account, _ = await overdue.post_overdue(deps, conn, account)
    movement = ledger.debit(
        account,
        points=debit.points,
        reward_id=debit.reward_id,
        open_lots=await ledger_rows.open_lots(
            conn, debit.chain_id, account.id, points=debit.points
        ),
        fact=replace(fact_of(deps, debit, key), sale_id=debit.sale_id),
    )
    recorded = await ledger_rows.write(conn, [movement])
    await outbox.append(conn, [events.points_posted(movement.entry)])
    return replace(movement.entry, recorded_at=recorded[movement.posting.id]), True


async def return_points(deps: Deps, wanted: Return) -> Entry:
    """Give a reward's points back, into the lots that they came from. Repeatable.

    It comes off the open sale that it is on. Locks the account, then that sale. Refuses with
    DebitUnknown or BalanceTooLarge, and with SaleCounted where it was used with its sale.
    """

    async def work(conn: Connection) -> tuple[Entry, bool]:
        return await _return(deps, conn, wanted)

    entry, first = await in_transaction(deps.pool, work)
    if first:
        metrics.POINTS_RETURNED_TOTAL.inc(entry.posting.points)
    return entry


async def _return(deps: Deps, conn: Connection, wanted: Return) -> tuple[Entry, bool]:
    undone = await _entry_of(conn, wanted.chain_id, ledger.reward_debit_key(wanted.reward_id))
    if undone is None:
        raise DebitUnknown
    account = await account_rows.lock_account(conn, wanted.chain_id, undone.posting.account_id)
    if account is None:
        raise InvariantViolated("a posting has no account")
    key = ledger.reward_return_key(wanted.reward_id)
    earlier = await _entry_of(conn, wanted.chain_id, key)
    if earlier is not None:
        return earlier, False
    await sales.take_reward_off(
        deps,
        conn,
        chain_id=wanted.chain_id,
        reward_id=wanted.reward_id,
        on_no_sale=wanted.on_no_sale,
    )
    account, _ = await overdue.post_overdue(deps, conn, account)
    used = await ledger_rows.used_lots(conn, wanted.chain_id, undone.posting.id)
    fact = fact_of(deps, wanted, key)
    if any(lots.has_expired(lot, now=fact.occurred_at) for lot, _ in used):
        fact = await _under_todays_policy(conn, account, fact)
    movement = ledger.give_back(account, undone=undone.posting, used=used, fact=fact)
    recorded = await ledger_rows.write(conn, [movement])
    await outbox.append(conn, [events.points_posted(movement.entry)])
    return replace(movement.entry, recorded_at=recorded[movement.posting.id]), True


async def _under_todays_policy(conn: Connection, account: Account, fact: Fact) -> Fact:
    """Points whose lot has expired come back as points of today do."""
    salons = [fact.salon_id] if fact.salon_id else []
    view = await program_rows.chain_view(conn, account.chain_id, *salons)
    policy = programs.named(view.programs, account.program_id).expiry_policy
    end = expiry.expires_at(fact.occurred_at, policy=policy, zone=view.zone(fact.salon_id))
    return replace(fact, policy=policy, expires_at=end)


async def _entry_of(conn: Connection, chain_id: ChainId, key: str) -> Entry | None:
    found = await ledger_rows.entries_by_business_key(conn, [(chain_id, key)])
    return found.get((chain_id, key))


def fact_of(deps: Deps, asked: Debit | Return, key: str) -> Fact:
    """What the posting of a debit or return says beside its points."""
    return Fact(
        posting_id=PostingId(deps.new_id()),
        lot_id=LotId(deps.new_id()),
        occurred_at=deps.clock.now(asked.chain_id),
        salon_id=asked.salon_id,
        actor=asked.actor,
        business_key=key,
    )
