"""Sections of a program's page: Expiration, Niveaux, Remboursements (SQ-05, SQ-47, SQ-64)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from fastapi import APIRouter, Response
from loyalty.points.v1 import points_pb2
from loyalty.points.v1.points_pb2 import (
    Program,
    ProgramRules,
    RefundSettings,
    Tier,
    UpdateProgramRequest,
)

from services.chassis.errors import RemoteRefusal
from services.gateway.admin import rule_words
from services.gateway.admin.desk import Desk, ManagerDesk
from services.gateway.admin.programs import program_of
from services.gateway.ladder import decimal_words
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    new_key,
    problems_of,
    read_fields,
    whole_number,
)

router = APIRouter()

TIERS_MAX: Final = 6
_MULTIPLIER: Final = re.compile(r"[0-9]{1,2}(?:[.,][0-9]{1,3})?")


async def _save(
    desk: Desk,
    program: Program,
    fields: Fields,
    rules: ProgramRules,
    *,
    shown: Mapping[str, str] | None = None,
) -> Problems:
    """One section of the program; the others stay as they are (SQ-47)."""
    request = UpdateProgramRequest(
        idempotency_key=fields.key,
        chain_id=desk.chain_id,
        program_id=program.id,
        rules=rules,
        actor=desk.principal.actor,
    )
    try:
        await desk.deps.clients.points.UpdateProgram(request)
    except RemoteRefusal as refusal:
        return problems_of(refusal, desk.language, shown=shown)
    return NO_PROBLEMS


def _expiry_form(
    desk: Desk, program: Program, fields: Fields, problems: Problems = NO_PROBLEMS
) -> Response:
    return desk.show(
        "expiry.html",
        here="programs",
        problems=problems,
        program=program,
        now=rule_words.expiry_words(desk, program.expiry_policy),
        fields=fields,
        key=new_key(),
    )


@router.get("/admin/programs/{program_id}/expiry")
async def expiry_page(desk: ManagerDesk, program_id: str) -> Response:
    """ "Modifier" of "Expiration": never, or after so many months (SQ-64, D27)."""
    program = await program_of(desk, program_id)
    months = rule_words.months_of(program.expiry_policy)
    fields = Fields(kind="months" if months else "never", months=str(months or ""))
    return _expiry_form(desk, program, fields)


@router.post("/admin/programs/{program_id}/expiry")
async def save_expiry(desk: ManagerDesk, program_id: str) -> Response:
    """ "Confirmer": for points that are earned from now on (SQ-65)."""
    fields = await read_fields(desk.request)
    program = await program_of(desk, program_id)
    policy = rule_words.NEVER
    if fields["kind"] == "months":
        months, problems = whole_number(fields.text("months"), desk.language, "months")
        if problems:
            return _expiry_form(desk, program, fields, problems)
        policy = f"P{months}M"
    rules = ProgramRules(expiry_policy=policy)
    shown = {"expiration_policy": "months", "expiry_policy": "months"}
    if problems := await _save(desk, program, fields, rules, shown=shown):
        return _expiry_form(desk, program, fields, problems)
    return desk.go(f"programs/{program.id}", done="saved", news="1")


def _shown_tiers(desk: Desk, program: Program) -> Fields:
    fields = Fields()
    for place, tier in enumerate(program.tiers):
        fields[f"tier-{place}-id"] = tier.id
        fields[f"tier-{place}-name"] = tier.name
        fields[f"tier-{place}-threshold"] = str(tier.threshold)
        fields[f"tier-{place}-multiplier"] = decimal_words(tier.multiplier, desk.language)
    return fields


def _tiers_form(
    desk: Desk, program: Program, fields: Fields, problems: Problems = NO_PROBLEMS
) -> Response:
    return desk.show(
        "tiers.html",
        here="programs",
        problems=problems,
        program=program,
        places=range(TIERS_MAX),
        fields=fields,
        key=new_key(),
    )


@router.get("/admin/programs/{program_id}/tiers")
async def tiers_page(desk: ManagerDesk, program_id: str) -> Response:
    """ "Modifier" of "Niveaux": up to six, with the rule by which one is reached and kept (D14)."""
    program = await program_of(desk, program_id)
    return _tiers_form(desk, program, _shown_tiers(desk, program))


@router.post("/admin/programs/{program_id}/tiers")
async def save_tiers(desk: ManagerDesk, program_id: str) -> Response:
    """ "Enregistrer": the ladder as a whole; a level without a name is none."""
    fields = await read_fields(desk.request)
    program = await program_of(desk, program_id)
    tiers, problems = _wanted_tiers(desk, fields)
    if not problems:
        rules = ProgramRules()
        rules.tiers.SetInParent()
        rules.tiers.tiers.extend(tiers)
        problems = await _save(desk, program, fields, rules)
    if problems:
        return _tiers_form(desk, program, fields, problems)
    return desk.go(f"programs/{program.id}", done="saved", news="1")


def _wanted_tiers(desk: Desk, fields: Fields) -> tuple[Sequence[Tier], Problems]:
    """The levels that have a name, lowest first, with words beside numbers that are none."""
    tiers: list[Tier] = []
    wrong: dict[str, str] = {}
    for place in range(TIERS_MAX):
        name = fields.text(f"tier-{place}-name")
        if not name:
            continue
        threshold, problems = _threshold(desk, fields.text(f"tier-{place}-threshold"), place)
        wrong |= problems.fields
        multiplier = fields.text(f"tier-{place}-multiplier") or "1"
        if not _MULTIPLIER.fullmatch(multiplier):
            words = desk.say("Entrez un nombre comme 1,25.")
            wrong[f"tier-{place}-multiplier"] = words
            multiplier = "1"
        tiers.append(
            Tier(
                id=fields[f"tier-{place}-id"],
                name=name,
                threshold=threshold,
                multiplier=str(Decimal(multiplier.replace(",", "."))),
            )
        )
    return sorted(tiers, key=lambda tier: tier.threshold), Problems(fields=wrong)


def _threshold(desk: Desk, text: str, place: int) -> tuple[int, Problems]:
    if not text.strip("0"):
        return 0, NO_PROBLEMS
    return whole_number(text, desk.language, f"tier-{place}-threshold")


def _refunds_form(
    desk: Desk, program: Program, chosen: Sequence[str], problems: Problems = NO_PROBLEMS
) -> Response:
    questions = (
        ("debt", desk.say("Si le client a déjà dépensé les points"), rule_words.DEBT),
        ("reward", desk.say("Si une récompense a servi sur la vente"), rule_words.REWARDS),
        ("visit", desk.say("Si une visite est remboursée en partie"), rule_words.VISITS),
    )
    return desk.show(
        "refund_settings.html",
        here="programs",
        problems=problems,
        program=program,
        questions=[
            (name, words, [(value, desk.say(said)) for value, said in choices], value_now)
            for (name, words, choices), value_now in zip(questions, chosen, strict=True)
        ],
        key=new_key(),
    )


@router.get("/admin/programs/{program_id}/refunds")
async def refunds_page(desk: ManagerDesk, program_id: str) -> Response:
    """ "Modifier" of "Remboursements": three choices (D1, D3, R36)."""
    program = await program_of(desk, program_id)
    return _refunds_form(desk, program, rule_words.refund_choices(program.refunds))


@router.post("/admin/programs/{program_id}/refunds")
async def save_refunds(desk: ManagerDesk, program_id: str) -> Response:
    """ "Enregistrer": for sales that are counted from now on; each sale keeps its terms."""
    fields = await read_fields(desk.request)
    program = await program_of(desk, program_id)
    clamps, keeps = fields["debt"] == "clamp", fields["reward"] == "keep"
    literal = fields["visit"] == "refunded"
    settings = RefundSettings(
        debt_rule=points_pb2.DEBT_RULE_CLAMP_ZERO
        if clamps
        else points_pb2.DEBT_RULE_ALLOW_NEGATIVE,
        reward_on_refund=points_pb2.REWARD_ON_REFUND_KEEP
        if keeps
        else points_pb2.REWARD_ON_REFUND_RETURN,
        visit_refund_basis=points_pb2.VISIT_REFUND_BASIS_REFUNDED
        if literal
        else points_pb2.VISIT_REFUND_BASIS_REMAINING,
    )
    if problems := await _save(desk, program, fields, ProgramRules(refunds=settings)):
        chosen = (fields["debt"], fields["reward"], fields["visit"])
        return _refunds_form(desk, program, chosen, problems)
    return desk.go(f"programs/{program.id}", done="saved", news="1")
