"""One refund or exchange in one transaction: points, tier, promotion, rewards and the sale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from services.chassis import outbox
from services.chassis.errors import InvariantViolated
from services.chassis.outbox import OutboxEvent
from services.chassis.postgres import Connection
from services.points import events
from services.points.domain import earning, expiry, kept_sales, ledger, refunds, terms
from services.points.domain.ids import ChainId, ChangeId, LotId, PostingId, SaleId
from services.points.domain.kept_sales import KeptChange, KeptSale, LineDraft, SaleState
from services.points.domain.ledger import Account, Actor, EarnSource, Entry, Fact, Movement
from services.points.domain.programs import named
from services.points.domain.refunds import (
    AmountRefund,
    Change,
    Effect,
    Exchange,
    FullRefund,
    ItemRefund,
    ReturnedLine,
    Withdrawal,
)
from services.points.domain.sale_errors import ChangeReused, CurrencyForeign, SaleOpen, SaleUnknown
from services.points.domain.sales import SaleLine
from services.points.domain.terms import SettledSale
from services.points.storage import accounts as account_rows
from services.points.storage import ledger as ledger_rows
from services.points.storage import programs as program_rows
from services.points.storage import promotions as promotion_rows
from services.points.storage import sales as sale_rows
from services.points.usecases import overdue, sale_terms, sales, standings
from services.points.usecases.deps import Deps
from services.points.usecases.sales import SaleView

Refund: TypeAlias = FullRefund | ItemRefund | AmountRefund
NOTHING_LEFT = Withdrawal(points=0, expired=0, forgiven=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleRefund:
    """A till gives money back: all of it, for lines, or an amount."""

    idempotency_key: str
    chain_id: ChainId
    sale_id: SaleId
    refund: Refund
    # Of an amount; empty where none is told.
    currency: str
    dry_run: bool
    occurred_at: datetime | None
    actor: Actor

    @property
    def change_id(self) -> ChangeId:
        """The till's name for it."""
        return self.refund.id


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleExchange:
    """A till takes lines back and gives others for them."""

    idempotency_key: str
    chain_id: ChainId
    sale_id: SaleId
    change_id: ChangeId
    returned: tuple[ReturnedLine, ...]
    added: tuple[LineDraft, ...]
    dry_run: bool
    occurred_at: datetime | None
    actor: Actor


Asked: TypeAlias = SaleRefund | SaleExchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a change did, or in a dry run would do."""

    change: KeptChange
    entries: tuple[Entry, ...]
    balance: int
    view: SaleView
    # It had been carried out before, by another key.
    repeated: bool = False


class CountedMeanwhile(Exception):
    """A sale of nobody became somebody's between two locks: begin again."""


async def carry_out(deps: Deps, conn: Connection, asked: Asked) -> Changed:
    """Change a sale once; its id again does nothing more (R35).

    Locks the sale's account, then the sale. Overdue expiry is posted first (D8). Raises
    CountedMeanwhile where the transaction must begin again, which happens once at most.
    """
    account, kept = await _locked(conn, asked)
    if account is not None:
        account, _ = await overdue.post_overdue(deps, conn, account)
    history = await sale_rows.changes(conn, asked.chain_id, asked.sale_id)
    for earlier in history:
        if earlier.change.id == asked.change_id:
            _require_same(earlier.change, asked)
            balance = account.balance if account else 0
            return replace(await told(conn, asked, balance=balance), repeated=True)
    occurred_at = earning.occurred(asked.occurred_at, now=deps.clock.now(asked.chain_id))
    if kept.state is SaleState.OPEN:
        kept = await _nobodys(deps, conn, kept, actor=asked.actor)
    settled = _settled(kept)
    done = [each.change for each in history]
    change = await _change(conn, asked, settled, done)
    effect = refunds.effect(settled, done, change)
    if account is None:
        movement, leaving = None, NOTHING_LEFT
    else:
        fact = _fact(deps, asked, settled, at=occurred_at)
        movement, leaving = await _moved(conn, kept, effect, account, fact=fact)
    # Terms tell what was on it when it was counted; staff may have given some back since.
    back = await sale_rows.drop_rewards(
        conn, chain_id=asked.chain_id, sale_id=asked.sale_id, reward_ids=effect.rewards
    )
    written = KeptChange(
        change=change,
        account_id=kept.sale.account_id,
        points=movement.posting.signed_points if movement else 0,
        base_points=-effect.lost.base,
        counts_at=kept.sale.occurred_at,
        posting_id=movement.posting.id if movement else None,
        expired_before=leaving.expired,
        forgiven=leaving.forgiven,
        returned_reward_ids=back,
        occurred_at=occurred_at,
        recorded_at=deps.clock.real_now(),
    )
    kept, entries = await _write(deps, conn, kept, written, movement, place=len(history) + 1)
    await _follow(deps, conn, asked, kept, effect, written, account=account, movement=movement)
    after = movement.after if movement else account
    return Changed(
        change=written,
        entries=entries,
        balance=after.balance if after else 0,
        view=SaleView(kept=kept, changes=(*history, written)),
    )


async def told(conn: Connection, asked: Asked, *, balance: int) -> Changed:
    """A change that was carried out before, as it is kept."""
    view = await sales.view_of(conn, asked.chain_id, asked.sale_id)
    change = next(each for each in view.changes if each.change.id == asked.change_id)
    wanted = [(asked.chain_id, change.posting_id)] if change.posting_id else []
    entries = await ledger_rows.entries_by_id(conn, wanted)
    return Changed(change=change, entries=tuple(entries.values()), balance=balance, view=view)


async def _locked(conn: Connection, asked: Asked) -> tuple[Account | None, KeptSale]:
    """Lock the sale's account, then the sale; refuses with SaleUnknown, SaleOpen."""
    seen = await sale_rows.sale(conn, asked.chain_id, asked.sale_id)
    if seen is None:
        raise SaleUnknown
    account = None
    if seen.sale.account_id is not None:
        account = await account_rows.lock_account(conn, asked.chain_id, seen.sale.account_id)
    kept = await sale_rows.lock_sale(conn, asked.chain_id, asked.sale_id)
    if kept is None:
        raise InvariantViolated("a sale went away")
    if kept.state is SaleState.OPEN and kept.member_id is not None:
        raise SaleOpen
    if kept.sale.account_id != seen.sale.account_id:
        # An account is locked before its sale: the next attempt does.
        raise CountedMeanwhile
    return account, kept


async def _nobodys(deps: Deps, conn: Connection, kept: KeptSale, *, actor: Actor) -> KeptSale:
    """A sale without a member, closed as such: it brought nothing and loses nothing (SQ-45).

    Were it left open, it could be counted in full for somebody after its refund.
    """
    now = deps.clock.now(kept.sale.chain_id)
    kept = await sale_terms.as_of_count(conn, kept, now=now)
    sale = kept.sale
    view = await program_rows.chain_view(conn, sale.chain_id, sale.salon_id)
    found = await sale_terms.terms_of(
        conn,
        program=named(view.programs, None),
        account=None,
        at=sale.occurred_at,
        zone=view.zone(sale.salon_id),
    )
    settled = terms.settled(sale, found)
    closed = kept_sales.counted(kept, settled, member_id=None, now=now)
    await sale_rows.update_sale(conn, closed, was=SaleState.OPEN)
    await outbox.append(conn, [events.sale_counted(closed, points=0, actor=actor)])
    return closed


def _settled(kept: KeptSale) -> SettledSale:
    if kept.settled is None:
        raise InvariantViolated("a counted sale has no terms")
    return kept.settled


async def _change(
    conn: Connection, asked: Asked, settled: SettledSale, history: Sequence[Change]
) -> Change:
    """The change with its lines as the catalog knows them now."""
    if isinstance(asked, SaleRefund):
        if asked.currency not in ("", settled.sale.currency):
            raise CurrencyForeign(currency=settled.sale.currency)
        return asked.refund
    portions = refunds.remains(settled, history).portions
    return Exchange(
        id=asked.change_id,
        returned=asked.returned,
        added=await sales.lines_of(
            conn,
            asked.chain_id,
            asked.added,
            currency=settled.sale.currency,
            taken=[portion.line.uid for portion in portions],
        ),
    )


def _require_same(earlier: Change, asked: Asked) -> None:
    """Refuses an id that stands for another change of this sale."""
    if isinstance(asked, SaleRefund):
        same = earlier == asked.refund
    else:
        same = (
            isinstance(earlier, Exchange)
            and earlier.returned == asked.returned
            and len(earlier.added) == len(asked.added)
            and all(map(_is_of, earlier.added, asked.added))
        )
    if not same:
        raise ChangeReused


def _is_of(line: SaleLine, draft: LineDraft) -> bool:
    """Whether a line was made of this draft; the catalog's price may have changed since."""
    if draft.unit_price_minor is None:
        return (line.quantity, line.sold_id) == (draft.quantity, draft.catalog_object_id)
    return (line.quantity, line.unit_price_minor) == (draft.quantity, draft.unit_price_minor)


def _fact(deps: Deps, asked: Asked, settled: SettledSale, *, at: datetime) -> Fact:
    """Points that an exchange adds come under the policy of the sale, from today on."""
    held_to = settled.terms
    return Fact(
        posting_id=PostingId(deps.new_id()),
        lot_id=LotId(deps.new_id()),
        occurred_at=at,
        salon_id=settled.sale.salon_id,
        actor=asked.actor,
        sale_id=settled.sale.id,
        change_id=asked.change_id,
        policy=held_to.expiry_policy,
        expires_at=expiry.expires_at(at, policy=held_to.expiry_policy, zone=held_to.zone),
    )


async def _moved(
    conn: Connection, kept: KeptSale, effect: Effect, account: Account, *, fact: Fact
) -> tuple[Movement | None, Withdrawal]:
    """The posting of what a change takes or adds, if it does, and how what it takes leaves."""
    gained = -effect.lost.total
    if gained == 0:
        return None, NOTHING_LEFT
    if gained > 0:
        bonus = min(gained, max(0, -effect.lost.tier_bonus))
        movement = ledger.earn(
            account, points=gained, source=EarnSource.TILL, tier_bonus=bonus, fact=fact
        )
        return movement, NOTHING_LEFT
    chain_id, sale_id = kept.sale.chain_id, kept.sale.id
    own_lots = await sale_rows.own_lots(conn, chain_id, sale_id, account_id=account.id)
    leaving = refunds.withdrawal(
        lost_points=effect.lost.total,
        balance=account.balance,
        own_lots=own_lots,
        own_expired=await sale_rows.expired_of(conn, chain_id, own_lots) - kept.expired_counted,
        debt_rule=_settled(kept).terms.debt_rule,
    )
    key = (chain_id, ledger.sale_key(sale_id))
    earned = (await ledger_rows.entries_by_business_key(conn, [key])).get(key)
    movement_or_none = refunds.withdrawn(
        account,
        leaving,
        reverses=earned.posting.id if earned else None,
        own_lots=own_lots,
        open_lots=await ledger_rows.open_lots(
            # Its own lots may stand among them.
            conn,
            chain_id,
            account.id,
            points=leaving.points + len(own_lots),
        ),
        fact=fact,
    )
    return movement_or_none, leaving


async def _write(
    deps: Deps,
    conn: Connection,
    kept: KeptSale,
    written: KeptChange,
    movement: Movement | None,
    *,
    place: int,
) -> tuple[KeptSale, tuple[Entry, ...]]:
    """The posting, the change, and the sale's next version."""
    sale = kept.sale
    entries: tuple[Entry, ...] = ()
    if movement is not None:
        recorded = await ledger_rows.write(conn, [movement])
        entries = (replace(movement.entry, recorded_at=recorded[movement.posting.id]),)
    await sale_rows.add_change(conn, sale.chain_id, sale.id, written, place=place)
    after = kept_sales.changed(
        kept, expired=written.expired_before, now=deps.clock.now(sale.chain_id)
    )
    await sale_rows.update_sale(conn, after, was=SaleState.COUNTED)
    return after, entries


async def _follow(
    deps: Deps,
    conn: Connection,
    asked: Asked,
    kept: KeptSale,
    effect: Effect,
    written: KeptChange,
    *,
    account: Account | None,
    movement: Movement | None,
) -> None:
    """What follows: the promotion's trigger, the tier, and what the world hears of it."""
    sale = kept.sale
    tell: list[OutboxEvent] = []
    if movement is not None:
        tell.append(events.points_posted(movement.entry))
    tell.append(events.sale_changed(kept, written, actor=asked.actor))
    if account is not None:
        if effect.after.nothing_left and _settled(kept).worth.promotion_id is not None:
            await promotion_rows.forget_trigger(conn, sale.chain_id, account.id, sale.id)
        view = await program_rows.chain_view(conn, sale.chain_id)
        moved = await standings.after_refund(
            deps,
            conn,
            movement.after if movement else account,
            named(view.programs, account.program_id),
            counts_at=written.counts_at,
            base_points=written.base_points,
        )
        tell.extend([moved] if moved else [])
    await outbox.append(conn, tell)
