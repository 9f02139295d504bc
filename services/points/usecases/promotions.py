"""Promotions of a program: made, listed, canceled; days are of the chain's home zone (D38)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from services.chassis import idempotency, outbox
from services.chassis.errors import InvariantViolated
from services.chassis.postgres import ACQUIRE_TIMEOUT_SECONDS, Connection, in_transaction
from services.points import events
from services.points.domain import programs, promotions
from services.points.domain.errors import NumberOutOfRange, ProgramUnknown
from services.points.domain.ids import ChainId, ProgramId, PromotionId
from services.points.domain.ledger import Actor
from services.points.domain.programs import Program, Section
from services.points.domain.promotions import Promotion, PromotionDraft, PromotionStatus
from services.points.domain.sale_errors import PromotionOver, PromotionUnknown
from services.points.storage import chains as chain_rows
from services.points.storage import programs as program_rows
from services.points.storage import promotions as promotion_rows
from services.points.usecases import requests
from services.points.usecases.deps import Deps

PAGE_LIMIT_MAX = 30
# What a filter reads at a time.
SCAN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionView:
    """A promotion at a moment: where it stands, and its first and last day."""

    promotion: Promotion
    status: PromotionStatus
    first_day: date | None
    # None: until somebody cancels it.
    last_day: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionQuery:
    """Which promotions are asked for; `status` None lets all pass."""

    chain_id: ChainId
    program_id: ProgramId | None
    status: PromotionStatus | None
    before: tuple[datetime, PromotionId] | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPage:
    """Some promotions, newest first, and whether more follow."""

    promotions: tuple[PromotionView, ...]
    more: bool


async def create_promotion(
    deps: Deps,
    *,
    chain_id: ChainId,
    program_id: ProgramId | None,
    idempotency_key: str,
    draft: PromotionDraft,
    actor: Actor,
) -> PromotionView:
    """A new promotion of a program. Repeatable: the same key returns it as it was made.

    Locks the key, then the program, so that of two creations at nine one passes. Refuses with
    ProgramUnknown, PromotionLimit, or what `promotions.promotion_from` refuses.
    """
    claim = requests.claim(
        deps,
        chain_id=chain_id,
        operation="create_promotion",
        key=idempotency_key,
        meaning=(str(program_id or ""), draft),
    )

    async def work(conn: Connection) -> PromotionView:
        async def create() -> bytes:
            made = await _create(deps, conn, chain_id, program_id, draft, actor)
            return made.program_id.bytes + made.id.bytes

        answer = await idempotency.once(conn, claim, create)
        made = await promotion_rows.promotion(
            conn,
            chain_id,
            ProgramId(UUID(bytes=answer[:16])),
            PromotionId(UUID(bytes=answer[16:])),
        )
        if made is None:
            raise InvariantViolated("a promotion was answered that is not there")
        # As it was made: nothing of it but its end may have changed since.
        made = replace(made, canceled_at=None)
        return _view(made, now=made.created_at, zone=await _home_zone(conn, chain_id))

    return await in_transaction(deps.pool, work)


async def _create(
    deps: Deps,
    conn: Connection,
    chain_id: ChainId,
    program_id: ProgramId | None,
    draft: PromotionDraft,
    actor: Actor,
) -> Promotion:
    program_id = await _program_id(conn, chain_id, program_id)
    program = await program_rows.lock_program(conn, chain_id, program_id)
    if program is None:
        raise ProgramUnknown
    now = deps.clock.now(chain_id)
    promotion = promotions.promotion_from(
        draft,
        chain_id=chain_id,
        program_id=program.id,
        promotion_id=PromotionId(deps.new_id()),
        rules=program.rules,
        now=now,
    )
    zone = await _home_zone(conn, chain_id)
    others = await promotion_rows.not_over(conn, chain_id, program.id, now=now)
    promotions.require_room(others, now=now, zone=zone)
    await promotion_rows.insert_promotion(conn, promotion)
    await _tell(conn, program, actor)
    return promotion


async def get_promotion(
    deps: Deps, *, chain_id: ChainId, program_id: ProgramId | None, promotion_id: PromotionId
) -> PromotionView:
    """One promotion of a program; refuses with ProgramUnknown or PromotionUnknown."""
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        program_id = await _program_id(conn, chain_id, program_id)
        found = await promotion_rows.promotion(conn, chain_id, program_id, promotion_id)
        if found is None:
            raise PromotionUnknown
        zone = await _home_zone(conn, chain_id)
    return _view(found, now=deps.clock.now(chain_id), zone=zone)


async def list_promotions(deps: Deps, query: PromotionQuery) -> PromotionPage:
    """Promotions of a program, newest first. Refuses with NumberOutOfRange or ProgramUnknown."""
    if not 0 <= query.limit <= PAGE_LIMIT_MAX:
        raise NumberOutOfRange(field="limit", minimum=1, maximum=PAGE_LIMIT_MAX)
    limit = query.limit or PAGE_LIMIT_MAX
    chain_id, now = query.chain_id, deps.clock.now(query.chain_id)
    found: list[PromotionView] = []
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        program_id = await _program_id(conn, chain_id, query.program_id)
        zone = await _home_zone(conn, chain_id)
        before: tuple[datetime, PromotionId] | None = query.before or promotion_rows.END
        # Where one stands depends on the calendar, so that the filter is here and not in SQL.
        while before is not None and len(found) <= limit:
            read = await promotion_rows.page(conn, chain_id, program_id, before=before, limit=SCAN)
            views = [_view(each, now=now, zone=zone) for each in read]
            found += [view for view in views if query.status in (None, view.status)]
            before = (read[-1].created_at, read[-1].id) if len(read) == SCAN else None
    return PromotionPage(promotions=tuple(found[:limit]), more=len(found) > limit)


async def cancel_promotion(
    deps: Deps,
    *,
    chain_id: ChainId,
    program_id: ProgramId | None,
    promotion_id: PromotionId,
    actor: Actor,
) -> PromotionView:
    """Stop a promotion from now on; what it gave stays, refunds of it too.

    Refuses with ProgramUnknown, PromotionUnknown, or PromotionOver, also the second time.
    """

    async def work(conn: Connection) -> PromotionView:
        of = await _program_id(conn, chain_id, program_id)
        kept = await promotion_rows.promotion(conn, chain_id, of, promotion_id)
        if kept is None:
            raise PromotionUnknown
        now, zone = deps.clock.now(chain_id), await _home_zone(conn, chain_id)
        stopped = promotions.canceled(kept, now=now, zone=zone)
        if not await promotion_rows.cancel(conn, stopped):
            raise PromotionOver
        program = (await program_rows.chain_view(conn, chain_id)).programs[of]
        await _tell(conn, program, actor)
        return _view(stopped, now=now, zone=zone)

    return await in_transaction(deps.pool, work)


async def _tell(conn: Connection, program: Program, actor: Actor) -> None:
    """The program itself is as it was; what it gives for a time is not."""
    news = events.program_changed(program, actor=actor, changed=[Section.PROMOTIONS])
    await outbox.append(conn, [news])


async def _program_id(
    conn: Connection, chain_id: ChainId, program_id: ProgramId | None
) -> ProgramId:
    """The program that is meant, None being the default one; refuses with ProgramUnknown."""
    view = await program_rows.chain_view(conn, chain_id)
    return programs.named(view.programs, program_id).id


async def _home_zone(conn: Connection, chain_id: ChainId) -> ZoneInfo:
    return (await chain_rows.settings(conn, chain_id)).home_zone


def _view(promotion: Promotion, *, now: datetime, zone: ZoneInfo) -> PromotionView:
    begin, _ = promotions.bounds(promotion.periods, zone=zone)
    last = promotions.last_moment(promotion, zone=zone)
    return PromotionView(
        promotion=promotion,
        status=promotions.status(promotion, now=now, zone=zone),
        first_day=begin.astimezone(zone).date() if begin else None,
        last_day=last.astimezone(zone).date() if last else None,
    )
