"""The preview of points: what a sale or an amount would earn, told before it does (SQ-17)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from services.chassis.postgres import ACQUIRE_TIMEOUT_SECONDS, Connection
from services.points.domain import accrual, kept_sales, refunds, sales, terms
from services.points.domain.errors import AccountUnknown, NumberOutOfRange
from services.points.domain.ids import AccountId, ChainId, LineUid, ProgramId, SaleId, SalonId
from services.points.domain.kept_sales import KeptSale
from services.points.domain.ledger import Account
from services.points.domain.programs import named, require_serving
from services.points.domain.refunds import Change
from services.points.domain.sale_errors import SaleOrAmountRequired, SaleUnknown
from services.points.domain.sales import AMOUNT_MINOR_MAX, SaleLine
from services.points.domain.terms import SaleWorth
from services.points.storage import programs as program_rows
from services.points.storage import sales as sale_rows
from services.points.usecases import sale_terms
from services.points.usecases.account_views import AccountView, account_views
from services.points.usecases.deps import Deps

# The one line that an amount is.
AMOUNT_UID = LineUid("amount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What is to be looked at: a sale, or an amount in a currency."""

    chain_id: ChainId
    # None: the chain's default program.
    program_id: ProgramId | None
    sale_id: SaleId | None
    amount_minor: int | None
    currency: str
    account_id: AccountId | None
    # Of an amount; a sale has its own.
    salon_id: SalonId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """What it would earn, and what the account holds now."""

    worth: SaleWorth
    balance: int


async def calculate_points(deps: Deps, preview: Preview) -> Previewed:
    """What counting would give under the terms of now; writes nothing and locks nothing.

    A sale that was counted tells what it was worth then; one that was refunded as nobody's, what
    is left of it. Refuses with SaleOrAmountRequired,
    ProgramUnknown, ProgramInactive, AccountUnknown, SaleUnknown, SaleOfAnother, SalonUnknown,
    SalonInactive, SalonNotInProgram, CurrencyForeign, NumberOutOfRange or PointsInvalid.
    """
    if (preview.sale_id is None) == (preview.amount_minor is None):
        raise SaleOrAmountRequired
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        kept = await _sale(conn, preview)
        view = await _account(deps, conn, preview)
        if kept is not None and view is not None:
            kept_sales.require_of(kept, view.account.member_id)
        account = view.account if view else None
        now = deps.clock.now(preview.chain_id)
        return Previewed(
            worth=await _worth(conn, preview, kept, account, now=now),
            balance=view.balance if view else 0,
        )


async def _sale(conn: Connection, preview: Preview) -> KeptSale | None:
    if preview.sale_id is None:
        return None
    kept = await sale_rows.sale(conn, preview.chain_id, preview.sale_id)
    if kept is None:
        raise SaleUnknown
    return kept


async def _account(deps: Deps, conn: Connection, preview: Preview) -> AccountView | None:
    if preview.account_id is None:
        return None
    found = await account_views(deps, conn, preview.chain_id, [preview.account_id])
    if not found or preview.program_id not in (None, found[0].account.program_id):
        raise AccountUnknown
    return found[0]


async def _worth(
    conn: Connection,
    preview: Preview,
    kept: KeptSale | None,
    account: Account | None,
    *,
    now: datetime,
) -> SaleWorth:
    if kept is not None and kept.settled is not None and kept.sale.account_id is not None:
        return kept.settled.worth
    done: list[Change] = []
    if kept is not None:
        if kept.settled is not None:
            # Nobody's yet: it would become hers with what its refunds left of it.
            changes = await sale_rows.changes(conn, preview.chain_id, kept.sale.id)
            done = [each.change for each in changes]
        kept = await sale_terms.as_of_count(conn, kept, now=now)
    salon_id = kept.sale.salon_id if kept else preview.salon_id
    view = await program_rows.chain_view(conn, preview.chain_id, *([salon_id] if salon_id else []))
    program = named(view.programs, account.program_id if account else preview.program_id)
    require_serving(program, view.standing(salon_id))
    lines = kept.sale.lines if kept else await _amount(conn, preview)
    found = await sale_terms.terms_of(
        conn,
        program=program,
        account=account,
        at=kept.sale.occurred_at if kept else now,
        zone=view.zone(salon_id),
    )
    worth = terms.worth(accrual.whole(lines), found)
    if kept is None or account is None or not done:
        return worth
    settled = terms.settled(replace(kept.sale, account_id=account.id), found)
    return replace(worth, points=refunds.remains(settled, done).held)


async def _amount(conn: Connection, preview: Preview) -> tuple[SaleLine, ...]:
    """An amount counts as one line of it, without tax."""
    amount_minor = preview.amount_minor or 0
    if not 0 <= amount_minor <= AMOUNT_MINOR_MAX:
        raise NumberOutOfRange(field="amount", minimum=0, maximum=AMOUNT_MINOR_MAX)
    await sale_terms.require_currency(conn, preview.chain_id, preview.currency)
    return (sales.line_of(uid=AMOUNT_UID, quantity=Decimal(1), price_minor=amount_minor),)
