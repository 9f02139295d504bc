""" "Créer / Modifier programmes": all programs, new ones, and the earn QR of each salon."""

from __future__ import annotations

import re

from fastapi import APIRouter, Response
from loyalty.points.v1 import points_pb2
from loyalty.points.v1.points_pb2 import (
    CreateProgramRequest,
    GetEarnTokenRequest,
    GetProgramRequest,
    ListProgramsRequest,
    Program,
)

from services.chassis.errors import RemoteRefusal
from services.gateway import qr
from services.gateway.admin.desk import Desk, DeskDep, ManagerDesk
from services.gateway.admin.rule_words import earning_words
from services.gateway.links import member_url
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

_SHOWN = {"name": "name", "visit_points": "visit_points"}


def earn_link(desk: Desk, earn_token: str) -> str:
    """What the earn QR of a program and salon says: an https link of the member client."""
    return f"{member_url(desk.deps.settings, desk.chain.slug)}/g/{earn_token}"


@router.get("/admin/programs")
async def programs(desk: DeskDep) -> Response:
    """All programs, the default one first."""
    answer = await desk.deps.clients.points.ListPrograms(
        ListProgramsRequest(chain_id=desk.chain_id)
    )
    words = await earning_words(desk, answer.programs)
    programs = list(zip(answer.programs, words, strict=True))
    return desk.show("programs.html", here="programs", programs=programs)


@router.get("/admin/programs/new")
async def new_program(desk: ManagerDesk) -> Response:
    """An empty form."""
    return _new_form(desk, Fields())


def _new_form(desk: Desk, fields: Fields, problems: Problems = NO_PROBLEMS) -> Response:
    return desk.show(
        "program_new.html", here="programs", problems=problems, fields=fields, key=new_key()
    )


@router.post("/admin/programs/new")
async def create_program(desk: ManagerDesk) -> Response:
    """A program of its own name, with codes made for it (LS-05, LS-74)."""
    fields = await read_fields(desk.request)
    points, problems = whole_number(fields.text("visit_points"), desk.language, "visit_points")
    if problems:
        return _new_form(desk, fields, problems)
    try:
        answer = await desk.deps.clients.points.CreateProgram(
            CreateProgramRequest(
                idempotency_key=fields.key,
                chain_id=desk.chain_id,
                name=fields.text("name"),
                accrual_type=_accrual(fields["accrual_type"]),
                visit_points=points,
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return _new_form(desk, fields, problems_of(refusal, desk.language, shown=_SHOWN))
    return desk.go(f"programs/{answer.program.id}", done="created")


def _accrual(said: str) -> points_pb2.AccrualType.ValueType:
    spends = said == "spend"
    return points_pb2.ACCRUAL_TYPE_SPEND if spends else points_pb2.ACCRUAL_TYPE_VISIT


async def program_of(desk: Desk, program_id: str) -> Program:
    """A program of the chain."""
    request = GetProgramRequest(chain_id=desk.chain_id, program_id=program_id)
    return (await desk.deps.clients.points.GetProgram(request)).program


_IMAGE_NAME = re.compile(r"[0-9a-f-]{36}\.(png|svg)")


@router.get("/admin/programs/{program_id}/earn/{image}")
async def earn_image(desk: DeskDep, program_id: str, image: str) -> Response:
    """The earn QR of a program in a salon, `{salon id}.png` or `.svg`, to print (LS-23)."""
    if not _IMAGE_NAME.fullmatch(image):
        return Response(status_code=404)
    salon_id, kind = image.rsplit(".", 1)
    answer = await desk.deps.clients.points.GetEarnToken(
        GetEarnTokenRequest(chain_id=desk.chain_id, program_id=program_id, salon_id=salon_id)
    )
    return qr.response(earn_link(desk, answer.earn_token), kind)
