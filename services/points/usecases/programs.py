"""Programs: created, changed section by section, read; their codes for owners only."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace

from services.chassis import idempotency, outbox
from services.chassis.errors import InvariantViolated
from services.chassis.postgres import ACQUIRE_TIMEOUT_SECONDS, Connection, in_transaction
from services.points import events
from services.points.domain import programs
from services.points.domain.accrual import RuleType
from services.points.domain.codes import (
    MULTI_POINT_CODE_DIGITS_GENERATED,
    POINTS_CODE_DIGITS_GENERATED,
    CodeKind,
    ProgramCodes,
    checked_code,
)
from services.points.domain.errors import ProgramLimit, ProgramUnknown
from services.points.domain.ids import ChainId, ProgramId, SalonId
from services.points.domain.ledger import Actor
from services.points.domain.program_rules import RulesDraft, with_rules
from services.points.domain.programs import (
    COOL_DOWN_SECONDS_LIVE,
    PROGRAMS_MAX,
    Program,
    ProgramChange,
    rules_from_card,
)
from services.points.storage import chains as chain_rows
from services.points.storage import code_failures
from services.points.storage import programs as program_rows
from services.points.storage.program_documents import program_document, program_from
from services.points.storage.programs import SealedCodes
from services.points.usecases import requests
from services.points.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProgram:
    """What an owner wishes; what is empty or None takes its default."""

    idempotency_key: str
    chain_id: ChainId
    name: str
    term_one: str
    term_other: str
    accrual_type: RuleType | None
    visit_points: int
    salon_ids: tuple[SalonId, ...]
    points_code: str = field(repr=False)
    multi_point_code: str = field(repr=False)
    cool_down_seconds: int | None
    # Where it holds accrual rules, they say more than the card.
    rules: RulesDraft
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSave:
    """One save of a section; a code that is None stays. Without a key it is not deduplicated."""

    idempotency_key: str
    chain_id: ChainId
    program_id: ProgramId | None
    change: ProgramChange
    # Where it holds accrual rules, they say more than the card.
    rules: RulesDraft
    accrual_type: RuleType | None = None
    points_code: str | None = field(repr=False)
    multi_point_code: str | None = field(repr=False)
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnersView:
    """What only owners see: the codes in clear, and how often wrong ones were typed."""

    codes: ProgramCodes
    code_failures: int


async def create_program(deps: Deps, wanted: NewProgram) -> Program:
    """A new program with codes of its own, the chain's default if it is the first.

    Repeatable: the same key returns the program as it was made. Needs no news of the chain: until
    it arrives, a chain counts as live. Refuses with ProgramLimit, CodeFormInvalid, CodesAlike,
    TextInvalid, NumberOutOfRange, or what `with_rules` refuses. Locks the key, then the chain's
    list of programs.
    """
    claim = requests.claim(
        deps,
        chain_id=wanted.chain_id,
        operation="create_program",
        key=wanted.idempotency_key,
        meaning=(
            wanted.name,
            wanted.term_one,
            wanted.term_other,
            wanted.accrual_type and wanted.accrual_type.value,
            wanted.visit_points,
            [str(salon_id) for salon_id in wanted.salon_ids],
            wanted.points_code,
            wanted.multi_point_code,
            wanted.cool_down_seconds,
            wanted.rules,
        ),
    )

    async def work(conn: Connection) -> Program:
        async def create() -> bytes:
            return _packed(await _create(deps, conn, wanted))

        return _unpacked(await idempotency.once(conn, claim, create))

    return await in_transaction(deps.pool, work)


async def _create(deps: Deps, conn: Connection, wanted: NewProgram) -> Program:
    codes = _codes(wanted)
    cool_down = wanted.cool_down_seconds
    if cool_down is None:
        chain = await chain_rows.settings(conn, wanted.chain_id)
        cool_down = 0 if chain.sandbox else COOL_DOWN_SECONDS_LIVE
    now = deps.clock.now(wanted.chain_id)
    # 0 is what a request says that leaves it out.
    visit_points = wanted.visit_points or 1
    card = None if wanted.rules.accrual_rules else wanted.accrual_type
    program = Program(
        chain_id=wanted.chain_id,
        id=ProgramId(deps.new_id()),
        name=wanted.name,
        term_one=wanted.term_one,
        term_other=wanted.term_other,
        active=True,
        rules=rules_from_card(card, visit_points),
        visit_points=visit_points,
        salon_ids=tuple(dict.fromkeys(wanted.salon_ids)),
        cool_down_seconds=cool_down,
        points_code_digits=len(codes.points_code),
        created_at=now,
        updated_at=now,
        version=1,
    )
    rules = with_rules(ProgramChange(), wanted.rules, ladder=None, new_id=deps.new_id)
    program = programs.applied(program, rules, now=now)
    await program_rows.lock_chain_programs(conn, wanted.chain_id)
    view = await program_rows.chain_view(conn, wanted.chain_id)
    if len(view.programs) >= PROGRAMS_MAX:
        raise ProgramLimit(limit=PROGRAMS_MAX)
    await program_rows.insert_program(conn, program, _sealed(deps, codes))
    await outbox.append(conn, [events.program_changed(program, actor=wanted.actor)])
    return program


async def update_program(deps: Deps, save: ProgramSave) -> Program:
    """Save one section of a program; the others stay, and so do points already earned (SQ-46).

    Repeatable: with a key the first answer comes again; without, the same save changes nothing
    more. Locks the key, then the program. A new code takes effect at once and opens accounts that
    too many wrong ones had locked (LS-02). Refuses with ProgramUnknown, CodeFormInvalid,
    CodesAlike, TextInvalid, NumberOutOfRange, or what `with_rules` refuses.
    """

    async def work(conn: Connection) -> Program:
        if not save.idempotency_key:
            return await _update(deps, conn, save)

        async def update() -> bytes:
            return _packed(await _update(deps, conn, save))

        return _unpacked(await idempotency.once(conn, _save_claim(deps, save), update))

    return await in_transaction(deps.pool, work)


async def _update(deps: Deps, conn: Connection, save: ProgramSave) -> Program:
    chain_id = save.chain_id
    program_id = save.program_id
    if program_id is None:
        view = await program_rows.chain_view(conn, chain_id)
        program_id = programs.named(view.programs, None).id
    kept = await program_rows.lock_program(conn, chain_id, program_id)
    if kept is None:
        raise ProgramUnknown
    wished = {
        CodeKind.POINTS: save.points_code,
        CodeKind.MULTI_POINT: save.multi_point_code,
    }
    codes = {kind: checked_code(kind, code) for kind, code in wished.items() if code is not None}
    if codes:
        view = await program_rows.chain_view(conn, chain_id)
        before = _opened(deps, view.codes[program_id])
        ProgramCodes(
            points_code=codes.get(CodeKind.POINTS, before.points_code),
            multi_point_code=codes.get(CodeKind.MULTI_POINT, before.multi_point_code),
        ).require_apart()
    change = with_rules(_with_card(kept, save), save.rules, ladder=kept.ladder, new_id=deps.new_id)
    if CodeKind.POINTS in codes:
        change = replace(change, points_code_digits=len(codes[CodeKind.POINTS]))
    now = deps.clock.now(chain_id)
    program = programs.changed(kept, change, codes=bool(codes), now=now)
    if program == kept:
        return kept
    sealed = {kind: deps.codes.seal(code.encode()) for kind, code in codes.items()}
    saved = await program_rows.update_program(
        conn,
        program,
        points_code=sealed.get(CodeKind.POINTS),
        multi_point_code=sealed.get(CodeKind.MULTI_POINT),
    )
    if not saved:
        raise InvariantViolated("a program changed under its lock")
    for kind in codes:
        await code_failures.unlock_program(
            conn, chain_id=chain_id, program_id=program.id, kind=kind
        )
    differ = programs.sections_changed(kept, program, codes=bool(codes))
    news = events.program_changed(program, actor=save.actor, changed=differ)
    await outbox.append(conn, [news])
    return program


def _with_card(kept: Program, save: ProgramSave) -> ProgramChange:
    """The change with the one rule that another card stands for; the same card changes none."""
    change = save.change
    if save.rules.accrual_rules or save.accrual_type in (None, kept.accrual_type):
        return change
    visit_points = change.visit_points or kept.visit_points
    return replace(change, rules=rules_from_card(save.accrual_type, visit_points))


async def get_program(deps: Deps, *, chain_id: ChainId, program_id: ProgramId | None) -> Program:
    """One program, or the chain's default one; refuses with ProgramUnknown."""
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        view = await program_rows.chain_view(conn, chain_id)
    return programs.named(view.programs, program_id)


async def list_programs(deps: Deps, *, chain_id: ChainId) -> list[Program]:
    """A chain's programs, the default one first, then by age."""
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        view = await program_rows.chain_view(conn, chain_id)
    return programs.in_order(list(view.programs.values()))


async def get_program_codes(
    deps: Deps, *, chain_id: ChainId, program_id: ProgramId | None
) -> OwnersView:
    """The codes in clear, for owners (LS-03, LS-06). Refuses with ProgramUnknown."""
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        view = await program_rows.chain_view(conn, chain_id)
        program = programs.named(view.programs, program_id)
        failures = await code_failures.of_last_day(conn, chain_id, now=deps.clock.real_now())
    return OwnersView(codes=_opened(deps, view.codes[program.id]), code_failures=failures)


def _codes(wanted: NewProgram) -> ProgramCodes:
    """The codes that are wished, or drawn ones: 3 digits (LS-05) and 6 (D39)."""
    return ProgramCodes(
        points_code=checked_code(CodeKind.POINTS, wanted.points_code)
        if wanted.points_code
        else _drawn(POINTS_CODE_DIGITS_GENERATED),
        multi_point_code=checked_code(CodeKind.MULTI_POINT, wanted.multi_point_code)
        if wanted.multi_point_code
        else _drawn(MULTI_POINT_CODE_DIGITS_GENERATED),
    ).require_apart()


def _drawn(digits: int) -> str:
    return f"{secrets.randbelow(10**digits):0{digits}d}"


def _opened(deps: Deps, sealed: SealedCodes) -> ProgramCodes:
    return ProgramCodes(
        points_code=deps.codes.open(sealed.points_code).decode(),
        multi_point_code=deps.codes.open(sealed.multi_point_code).decode(),
    )


def _sealed(deps: Deps, codes: ProgramCodes) -> SealedCodes:
    return SealedCodes(
        points_code=deps.codes.seal(codes.points_code.encode()),
        multi_point_code=deps.codes.seal(codes.multi_point_code.encode()),
    )


def _save_claim(deps: Deps, save: ProgramSave) -> idempotency.Claim:
    change = save.change
    return requests.claim(
        deps,
        chain_id=save.chain_id,
        operation="update_program",
        key=save.idempotency_key,
        meaning=(
            str(save.program_id or ""),
            change.name,
            change.term_one,
            change.term_other,
            change.active,
            save.accrual_type and save.accrual_type.value,
            change.visit_points,
            change.cool_down_seconds,
            None if change.salon_ids is None else [str(salon) for salon in change.salon_ids],
            save.points_code,
            save.multi_point_code,
            save.rules,
        ),
    )


def _packed(program: Program) -> bytes:
    """A program as an answer that is kept: later changes do not reach it."""
    return json.dumps(program_document(program)).encode()


def _unpacked(answer: bytes) -> Program:
    return program_from(json.loads(answer))
