"""A program's page: its names and codes in one form, its rules by section (LS-02, SQ-47)."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import Salon
from loyalty.points.v1.points_pb2 import (
    GetEarnTokenRequest,
    GetProgramCodesRequest,
    GetProgramCodesResponse,
    Program,
    UpdateProgramRequest,
)
from loyalty.rewards.v1.rewards_pb2 import ListRewardDefinitionsRequest

from services.chassis.errors import RemoteRefusal
from services.gateway.admin import program_news
from services.gateway.admin.desk import Desk, DeskDep, ManagerDesk
from services.gateway.admin.programs import earn_link, program_of
from services.gateway.admin.promotions import RUNNING, promotions_of
from services.gateway.admin.rule_words import sections_of
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    new_key,
    problems_of,
    read_fields,
    whole_number,
)
from services.gateway.web.i18n import is_unnamed

router = APIRouter()

COOL_DOWN_MINUTES_MAX = 24 * 60
# Slips of the finger stay below this in a day, in a whole chain.
CODE_FAILURES_ALARMING = 20
_SHOWN = {
    "name": "name",
    "points_code": "points_code",
    "multi_point_code": "multi_point_code",
    "visit_points": "visit_points",
    "cool_down_seconds": "cool_down_minutes",
    "term_one": "term_one",
    "term_other": "term_other",
}


async def _codes(desk: Desk, program_id: str) -> GetProgramCodesResponse:
    """The codes in clear, for those who manage the program (LS-03), and wrong tries of late."""
    if not desk.manages:
        return GetProgramCodesResponse()
    request = GetProgramCodesRequest(
        chain_id=desk.chain_id, program_id=program_id, actor=desk.principal.actor
    )
    answer: GetProgramCodesResponse = await desk.deps.clients.points.GetProgramCodes(request)
    return answer


async def _earn_links(desk: Desk, program: Program) -> list[tuple[Salon, str]]:
    """The earn link of each salon in which the program counts (D23)."""
    wanted = [
        salon
        for salon in await desk.salons()
        if salon.active and (not program.salon_ids or salon.id in program.salon_ids)
    ]
    tokens = await asyncio.gather(
        *(
            desk.deps.clients.points.GetEarnToken(
                GetEarnTokenRequest(
                    chain_id=desk.chain_id, program_id=program.id, salon_id=salon.id
                )
            )
            for salon in wanted
        )
    )
    return [
        (salon, earn_link(desk, token.earn_token))
        for salon, token in zip(wanted, tokens, strict=True)
    ]


async def _edit_form(
    desk: Desk, program_id: str, fields: Fields | None = None, problems: Problems = NO_PROBLEMS
) -> Response:
    program = await program_of(desk, program_id)
    codes, links, promotions, definitions = await asyncio.gather(
        _codes(desk, program.id),
        _earn_links(desk, program),
        promotions_of(desk, program.id),
        desk.deps.clients.rewards.ListRewardDefinitions(
            ListRewardDefinitionsRequest(chain_id=desk.chain_id, program_id=program.id)
        ),
    )
    is_open = [each.status in RUNNING for each in promotions]
    return desk.show(
        "program.html",
        here="programs",
        problems=problems,
        program=program,
        codes=codes.codes,
        code_failures=codes.code_failures,
        code_failures_alarming=CODE_FAILURES_ALARMING,
        links=links,
        definitions=definitions.definitions,
        sections=await sections_of(desk, program, promotions_open=sum(is_open)),
        fields=fields,
        key=new_key(),
        untold=await program_news.untold(desk, program.id),
    )


@router.get("/admin/programs/{program_id}")
async def program_page(desk: DeskDep, program_id: str) -> Response:
    """ "Modifier": every section of a program on one page, "Sauvegarder" at the end (LS-02)."""
    return await _edit_form(desk, program_id)


def _name(typed: str, program: Program) -> str:
    """The name to keep: who saves the usual name as her language shows it has named nothing."""
    return program.name if is_unnamed(typed) and is_unnamed(program.name) else typed


def _minutes(text: str, language: str) -> tuple[int, Problems]:
    """The pause between two points, in whole minutes; 0 = none."""
    if text == "0":
        return 0, NO_PROBLEMS
    minutes, problems = whole_number(text, language, "cool_down_minutes")
    return min(minutes, COOL_DOWN_MINUTES_MAX), problems


@router.post("/admin/programs/{program_id}")
async def save_program(desk: ManagerDesk, program_id: str) -> Response:
    """ "Sauvegarder": the form as a whole, or nothing of it."""
    fields = await read_fields(desk.request)
    points, wrong_points = whole_number(fields.text("visit_points"), desk.language, "visit_points")
    minutes, wrong_minutes = _minutes(fields.text("cool_down_minutes"), desk.language)
    wrong = {**wrong_points.fields, **wrong_minutes.fields}
    if wrong:
        return await _edit_form(desk, program_id, fields, Problems(fields=wrong))
    program = await program_of(desk, program_id)
    codes = (await _codes(desk, program.id)).codes
    request = UpdateProgramRequest(
        idempotency_key=fields.key,
        chain_id=desk.chain_id,
        program_id=program.id,
        name=_name(fields.text("name"), program),
        term_one=fields.text("term_one"),
        term_other=fields.text("term_other"),
        active=fields["active"] == "1",
        visit_points=points,
        cool_down_seconds=minutes * 60,
        actor=desk.principal.actor,
    )
    # Only a code that was really changed is sent: saving a name must not count as a new code.
    if fields.text("points_code") != codes.points_code:
        request.points_code = fields.text("points_code")
    if fields.text("multi_point_code") != codes.multi_point_code:
        request.multi_point_code = fields.text("multi_point_code")
    try:
        await desk.deps.clients.points.UpdateProgram(request)
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language, shown=_SHOWN)
        return await _edit_form(desk, program_id, fields, problems)
    return desk.go(f"programs/{program_id}", done="saved", news="1")
