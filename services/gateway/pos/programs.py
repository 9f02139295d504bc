"""Loyalty programs: what earns, what it is called, what points buy, and the owner's codes."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from loyalty.points.v1 import points_pb2
from loyalty.rewards.v1 import rewards_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.pos import rules, tiers
from services.gateway.pos.caller import Caller, LoyaltyReader, LoyaltyWriter
from services.gateway.pos.discounts import RewardTierIn
from services.gateway.pos.fields import Code, Id, Key, Name, Part
from services.gateway.pos.found import program_of
from services.gateway.pos.program_shapes import ProgramShape, program_shape
from services.gateway.pos.rules import RulesIn

router = APIRouter(prefix="/loyalty/programs", tags=["Loyalty programs"])

# More than a chain may have: what is too many is the rewards service's word (SQ-50).
TIERS_IN_REQUEST_MAX = 100
SALONS_IN_REQUEST_MAX = 1000
COOL_DOWN_SECONDS_MAX = 7 * 24 * 3600


class ProgramAnswer(TypedDict):
    """One program."""

    program: ProgramShape


class ProgramsAnswer(TypedDict):
    """All programs of the chain."""

    programs: list[ProgramShape]


class TerminologyIn(Part):
    """What the chain calls one point and several."""

    one: Name
    other: Name


class ProgramIn(RulesIn):
    """What is said of a program; a field that is left out stays as it is."""

    name: Name | None = None
    status: Literal["ACTIVE", "INACTIVE"] | None = None
    terminology: TerminologyIn | None = None
    reward_tiers: Annotated[list[RewardTierIn], Field(max_length=TIERS_IN_REQUEST_MAX)] | None = (
        None
    )
    location_ids: Annotated[list[Id], Field(max_length=SALONS_IN_REQUEST_MAX)] | None = None
    cool_down_seconds: Annotated[int, Field(strict=True, ge=0, le=COOL_DOWN_SECONDS_MAX)] | None = (
        None
    )
    points_code: Code | None = None
    multi_point_code: Code | None = None


class SaveProgram(Part):
    """A program to make or to change."""

    program: ProgramIn
    idempotency_key: Key | None = None


_FIELDS = {
    name: f"program.{name}"
    for name in ("name", "points_code", "multi_point_code", "cool_down_seconds")
} | {
    "program_id": "program.id",
    "term_one": "program.terminology.one",
    "term_other": "program.terminology.other",
    "salon_ids": "program.location_ids",
    "salon_id": "program.location_ids",
}


@router.get("", response_model=ProgramsAnswer, operation_id="ListLoyaltyPrograms")
async def list_programs(caller: LoyaltyReader) -> Response:
    """All programs of the chain, the default one first."""
    answer = await caller.deps.clients.points.ListPrograms(
        points_pb2.ListProgramsRequest(chain_id=caller.chain_id)
    )
    return Json({"programs": await _shapes(caller, list(answer.programs))})


@router.get("/{program_id}", response_model=ProgramAnswer, operation_id="RetrieveLoyaltyProgram")
async def get_program(caller: LoyaltyReader, program_id: str) -> Response:
    """One program; `main` is the chain's first active one. Codes are shown to owners' keys only."""
    program = await program_of(caller, program_id)
    return Json({"program": (await _shapes(caller, [program]))[0]})


async def _shapes(caller: Caller, programs: list[points_pb2.Program]) -> list[ProgramShape]:
    clients = caller.deps.clients
    listed = await clients.rewards.ListRewardDefinitions(
        rewards_pb2.ListRewardDefinitionsRequest(
            chain_id=caller.chain_id, program_id=programs[0].id if len(programs) == 1 else ""
        )
    )
    salons = await caller.salons()
    currency = (await caller.chain()).currency
    shapes = []
    for program in programs:
        codes = None
        if caller.is_owner:
            codes = (
                await clients.points.GetProgramCodes(
                    points_pb2.GetProgramCodesRequest(
                        chain_id=caller.chain_id, program_id=program.id, actor=caller.actor
                    )
                )
            ).codes
        shapes.append(
            program_shape(
                program,
                definitions=listed.definitions,
                salons=salons,
                codes=codes,
                currency=currency,
            )
        )
    return shapes


@router.post("", response_model=ProgramAnswer, operation_id="CreateLoyaltyProgram")
async def create_program(caller: LoyaltyWriter, body: SaveProgram) -> Response:
    """Make a program. Without codes it gets its own: 3 and 6 digits (LS-05, D39)."""
    key = caller.key(body.idempotency_key)
    wanted = body.program
    _refuse_codes(caller, wanted)
    if wanted.name is None:
        raise ApiError.of("MISSING_REQUIRED_PARAMETER", field="program.name")
    wished = await tiers.read(caller, wanted.reward_tiers)
    wished_rules = await rules.read(caller, wanted, present=None)
    await tiers.plan(caller, "", wished)
    request = points_pb2.CreateProgramRequest(
        idempotency_key=key,
        chain_id=caller.chain_id,
        name=wanted.name,
        accrual_type=points_pb2.ACCRUAL_TYPE_VISIT,
        visit_points=1,
        salon_ids=await _salon_ids(caller, wanted),
        points_code=wanted.points_code or "",
        multi_point_code=wanted.multi_point_code or "",
        cool_down_seconds=wanted.cool_down_seconds,
        actor=caller.actor,
        rules=wished_rules,
    )
    if wanted.terminology is not None:
        request.term_one = wanted.terminology.one
        request.term_other = wanted.terminology.other
    with api_fields(_FIELDS | rules.fields(wanted)):
        program = (await caller.deps.clients.points.CreateProgram(request)).program
    planned = await tiers.plan(caller, program.id, wished)
    await tiers.carry_out(caller, planned, program_id=program.id, key=key)
    if wanted.status == "INACTIVE":
        program = await _update(caller, program, ProgramIn(status=wanted.status), key)
    return Json({"program": (await _shapes(caller, [program]))[0]})


@router.put("/{program_id}", response_model=ProgramAnswer, operation_id="UpdateLoyaltyProgram")
async def update_program(caller: LoyaltyWriter, program_id: str, body: SaveProgram) -> Response:
    """Change a program. Fields that are left out stay (SQ-47); a list that is sent is the whole.

    An entry of `reward_tiers` or `tiers` with its id is changed, one without is made, one that is
    missing is deleted. Rewards that were taken keep their terms (SQ-49), and so do points, sales
    and what they had earned (SQ-46, SQ-56, SQ-65).
    """
    key = caller.key(body.idempotency_key)
    wanted = body.program
    _refuse_codes(caller, wanted)
    program = await program_of(caller, program_id)
    wished = await tiers.read(caller, wanted.reward_tiers)
    planned = await tiers.plan(caller, program.id, wished)
    program = await _update(caller, program, wanted, key)
    await tiers.carry_out(caller, planned, program_id=program.id, key=key)
    return Json({"program": (await _shapes(caller, [program]))[0]})


async def _update(
    caller: Caller, program: points_pb2.Program, wanted: ProgramIn, key: str
) -> points_pb2.Program:
    terms = wanted.terminology
    request = points_pb2.UpdateProgramRequest(
        idempotency_key=key,
        chain_id=caller.chain_id,
        program_id=program.id,
        name=wanted.name,
        term_one=terms.one if terms else None,
        term_other=terms.other if terms else None,
        active=None if wanted.status is None else wanted.status == "ACTIVE",
        points_code=wanted.points_code,
        multi_point_code=wanted.multi_point_code,
        cool_down_seconds=wanted.cool_down_seconds,
        salon_ids=await _salon_ids(caller, wanted),
        replace_salon_ids=wanted.location_ids is not None,
        actor=caller.actor,
        rules=await rules.read(caller, wanted, present=program),
    )
    with api_fields(_FIELDS | rules.fields(wanted) | {"program_id": ""}):
        return (await caller.deps.clients.points.UpdateProgram(request)).program


def _refuse_codes(caller: Caller, wanted: ProgramIn) -> None:
    """Codes are the owner's (LS-03)."""
    if (wanted.points_code is not None or wanted.multi_point_code is not None) and (
        not caller.is_owner
    ):
        raise ApiError.of("INSUFFICIENT_SCOPES", params={"scopes": "MERCHANT_PROFILE_WRITE"})


async def _salon_ids(caller: Caller, wanted: ProgramIn) -> list[str]:
    field = "program.location_ids"
    return [(await caller.salon(text, field=field)).id for text in wanted.location_ids or ()]
