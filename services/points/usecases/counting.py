"""Counting a sale: it earns once, and its terms are frozen with it (N2, SQ-44, SQ-56)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.chassis import idempotency, outbox
from services.chassis.errors import InvariantViolated
from services.chassis.postgres import Connection, in_transaction
from services.points import events, metrics
from services.points.domain import expiry, kept_sales, ledger, refunds, terms
from services.points.domain.errors import AccountUnknown
from services.points.domain.ids import AccountId, ChainId, LotId, PostingId, SaleId, SalonId
from services.points.domain.kept_sales import KeptSale, SaleState
from services.points.domain.ledger import Account, Actor, EarnSource, Entry, Fact, Movement
from services.points.domain.programs import Program, named, require_serving
from services.points.domain.refunds import Change
from services.points.domain.sale_errors import (
    SaleElsewhere,
    SaleOfAnother,
    SaleUnknown,
)
from services.points.domain.terms import SalePoints, SettledSale
from services.points.storage import accounts as account_rows
from services.points.storage import ledger as ledger_rows
from services.points.storage import programs as program_rows
from services.points.storage import promotions as promotion_rows
from services.points.storage import sales as sale_rows
from services.points.usecases import overdue, requests, sale_terms, sales, standings
from services.points.usecases.deps import Deps
from services.points.usecases.sales import SaleView


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A till says that a sale is done and whose it is."""

    idempotency_key: str
    chain_id: ChainId
    account_id: AccountId
    sale_id: SaleId
    # None: the sale's own.
    salon_id: SalonId | None
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a sale brought: base with the tier's bonus, then what a promotion added, if anything."""

    entries: tuple[Entry, ...]
    view: SaleView
    balance: int
    # It had been counted before, by another key: these are its first entries.
    already_counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What is kept of the answer for resends; entries and sale are read again."""

    balance: int
    already_counted: bool

    def packed(self) -> bytes:
        return json.dumps([self.balance, self.already_counted]).encode()


async def count_sale(deps: Deps, count: Count) -> Counted:
    """Count an open sale for an account. Repeatable: the same key returns the first answer.

    Another key gets the first entries, `already_counted` (N2). Locks the key, the account, then
    the sale. A sale of nobody becomes the member's; points date from the count, or from when its
    till says that it was sold (`kept_sales.as_of_count`). Refuses with AccountUnknown, SaleUnknown,
    SaleElsewhere, SaleOfAnother, ProgramInactive, SalonInactive, SalonNotInProgram,
    PointsInvalid or BalanceTooLarge.
    """
    claim = requests.claim(
        deps,
        chain_id=count.chain_id,
        operation="count_sale",
        key=count.idempotency_key,
        meaning=(str(count.account_id), str(count.sale_id), str(count.salon_id or "")),
    )

    async def work(conn: Connection) -> tuple[Counted, bool]:
        done: list[_Answer] = []

        async def once() -> bytes:
            done.append(await _count(deps, conn, count))
            return done[0].packed()

        balance, already = json.loads(await idempotency.once(conn, claim, once))
        counted = Counted(
            entries=await _entries(conn, count),
            view=await sales.view_of(conn, count.chain_id, count.sale_id),
            balance=balance,
            already_counted=already,
        )
        return counted, bool(done) and not already

    counted, first = await in_transaction(deps.pool, work)
    if first:
        metrics.SALES_COUNTED_TOTAL.inc()
        points = sum(entry.posting.points for entry in counted.entries)
        metrics.POINTS_EARNED_TOTAL.labels(EarnSource.TILL.value).inc(points)
    return counted


async def _count(deps: Deps, conn: Connection, count: Count) -> _Answer:
    account = await account_rows.lock_account(conn, count.chain_id, count.account_id)
    if account is None:
        raise AccountUnknown
    kept = await sale_rows.lock_sale(conn, count.chain_id, count.sale_id)
    if kept is None:
        raise SaleUnknown
    if count.salon_id not in (None, kept.sale.salon_id):
        raise SaleElsewhere
    kept_sales.require_of(kept, account.member_id)
    was = kept.state
    done: list[Change] = []
    if was is SaleState.COUNTED and kept.sale.account_id is None:
        # Refunds came first: it becomes hers with what they left of it.
        done = [each.change for each in await sale_rows.changes(conn, count.chain_id, kept.sale.id)]
    elif was is SaleState.COUNTED:
        if kept.sale.account_id != account.id:
            raise SaleOfAnother
        account, _ = await overdue.post_overdue(deps, conn, account)
        return _Answer(balance=account.balance, already_counted=True)
    account, _ = await overdue.post_overdue(deps, conn, account)
    now = deps.clock.now(count.chain_id)
    kept = await sale_terms.as_of_count(conn, kept, now=now)
    program, settled = await _settled(conn, kept, account)
    brought = refunds.remains(settled, done).held
    movements = _movements(deps, account, settled, brought, actor=count.actor)
    await ledger_rows.write(conn, movements)
    after = kept_sales.counted(kept, settled, member_id=account.member_id, now=now)
    await sale_rows.update_sale(conn, after, was=was)
    account = movements[-1].after if movements else account
    await _follow(deps, conn, account, program, after, movements, brought, actor=count.actor)
    return _Answer(balance=account.balance, already_counted=False)


async def _settled(
    conn: Connection, kept: KeptSale, account: Account
) -> tuple[Program, SettledSale]:
    """The sale as the account's, under the terms of now."""
    sale = kept.sale
    view = await program_rows.chain_view(conn, sale.chain_id, sale.salon_id)
    program = named(view.programs, account.program_id)
    require_serving(program, view.standing(sale.salon_id))
    found = await sale_terms.terms_of(
        conn,
        program=program,
        account=account,
        at=sale.occurred_at,
        zone=view.zone(sale.salon_id),
        reward_ids=kept.reward_ids,
    )
    return program, terms.settled(replace(sale, account_id=account.id), found)


def _movements(
    deps: Deps, account: Account, settled: SettledSale, brought: SalePoints, *, actor: Actor
) -> list[Movement]:
    """One earn of base and tier bonus, and one of what the promotion adds; none of nothing."""
    sale, worth = settled.sale, settled.worth
    moved: list[Movement] = []
    earned = brought.base + brought.tier_bonus
    if earned > 0:
        moved.append(
            ledger.earn(
                account,
                points=earned,
                source=EarnSource.TILL,
                tier_bonus=brought.tier_bonus,
                fact=_fact(deps, settled, actor=actor, key=ledger.sale_key(sale.id)),
            )
        )
        account = moved[-1].after
    if brought.promotion > 0 and worth.promotion_id is not None:
        moved.append(
            ledger.promote(
                account,
                points=brought.promotion,
                promotion_id=worth.promotion_id,
                fact=_fact(deps, settled, actor=actor, key=ledger.promotion_key(sale.id)),
            )
        )
    return moved


def _fact(deps: Deps, settled: SettledSale, *, actor: Actor, key: str) -> Fact:
    sale, held_to = settled.sale, settled.terms
    return Fact(
        posting_id=PostingId(deps.new_id()),
        lot_id=LotId(deps.new_id()),
        occurred_at=sale.occurred_at,
        salon_id=sale.salon_id,
        actor=actor,
        sale_id=sale.id,
        business_key=key,
        policy=held_to.expiry_policy,
        expires_at=expiry.expires_at(
            sale.occurred_at, policy=held_to.expiry_policy, zone=held_to.zone
        ),
    )


async def _follow(
    deps: Deps,
    conn: Connection,
    account: Account,
    program: Program,
    kept: KeptSale,
    movements: Sequence[Movement],
    brought: SalePoints,
    *,
    actor: Actor,
) -> None:
    """What follows from a sale that was counted: trigger, tier, and what the world hears of it."""
    sale, worth = kept.sale, _settled_of(kept).worth
    if worth.promotion_id is not None and brought.promotion > 0:
        await promotion_rows.record_trigger(
            conn,
            sale.chain_id,
            account.id,
            worth.promotion_id,
            sale.id,
            occurred_at=sale.occurred_at,
        )
    risen = await standings.after_sale(deps, conn, account, program, sale.occurred_at)
    told = [events.points_posted(movement.entry) for movement in movements]
    told.append(events.sale_counted(kept, points=brought.total, actor=actor))
    await outbox.append(conn, told + ([risen] if risen else []))


def _settled_of(kept: KeptSale) -> SettledSale:
    if kept.settled is None:
        raise InvariantViolated("a counted sale has no terms")
    return kept.settled


async def _entries(conn: Connection, count: Count) -> tuple[Entry, ...]:
    """What the sale brought when it was counted."""
    keys = [ledger.sale_key(count.sale_id), ledger.promotion_key(count.sale_id)]
    places = [(count.chain_id, key) for key in keys]
    found = await ledger_rows.entries_by_business_key(conn, places)
    return tuple(found[place] for place in places if place in found)
