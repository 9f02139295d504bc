"""A chain in one call: plan, zone, currency, salons, owner, API key, program, tablet."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Final, Literal, NotRequired

from fastapi import APIRouter, Request
from loyalty.enrollment.v1 import enrollment_pb2
from loyalty.messaging.v1.messaging_pb2 import GetSenderNumberRequest
from loyalty.points.v1 import points_pb2
from loyalty.types.v1 import types_pb2
from pydantic import BeforeValidator, Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.chassis.errors import Unavailable
from services.gateway import links
from services.gateway.deps import Deps
from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.operator.door import OPERATOR, OperatorDeps
from services.gateway.pos import cursors
from services.gateway.pos.caller import header_key
from services.gateway.pos.fields import (
    Address,
    Code,
    Currency,
    Email,
    Flag,
    Key,
    Language,
    Line,
    Name,
    Part,
    SoughtCursor,
    id_or_none,
    known_id,
)
from services.gateway.pos.shapes import language_code, language_value, moment
from services.gateway.settling import settle

router = APIRouter(prefix="/v2/operator/chains", tags=["Operator"])

SALONS_MAX: Final = 50
# News of a new chain travels through Kafka; a broker that was just started needs a moment.
KNOWN_SECONDS_MAX: Final = 25.0
POLL_SECONDS: Final = 0.1
_SLUG: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
PROGRAM_NAME: Final = "Vos points"


def _upper(text: object) -> object:
    return text.upper() if isinstance(text, str) else text


Plan = Annotated[Literal["PARTANT", "ESSENTIEL", "PRO"], BeforeValidator(_upper)]


class SalonIn(Part):
    """A salon to open with the chain."""

    name: Name
    address: Address | None = None
    timezone: Annotated[Line, Field(max_length=64)] | None = None


class OwnerIn(Part):
    """Who signs in to the panel first; without a password one is made and shown once."""

    email: Email
    name: Name | None = None
    password: Annotated[str, Field(strict=True, max_length=200)] | None = None


class FirstProgram(Part):
    """The chain's first program; without codes it gets its own."""

    name: Name | None = None
    points_code: Code | None = None
    multi_point_code: Code | None = None


class CreateChain(Part):
    """A chain with everything it needs to start."""

    name: Name
    owner: OwnerIn
    idempotency_key: Key | None = None
    slug: Annotated[Line, Field(max_length=40)] | None = None
    plan: Plan = "PARTANT"
    sandbox: Flag = False
    home_time_zone: Annotated[Line, Field(max_length=64)] = "America/Toronto"
    currency: Currency = "CAD"
    language: Language = "fr"
    brand_color: Annotated[Line, Field(max_length=7)] | None = None
    salon: SalonIn | None = None
    salons: Annotated[list[SalonIn], Field(max_length=SALONS_MAX)] | None = None
    program: FirstProgram | None = None


class SetPlan(Part):
    """What the chain pays for."""

    plan: Plan


class OwnerShape(TypedDict):
    """The first owner; the password is shown to the creating call and its replays only."""

    id: str
    email: str
    password: NotRequired[str]


class TextToJoinShape(TypedDict):
    """The number that texts come from."""

    number: str


class NewChainAnswer(TypedDict):
    """Everything that a client needs to use the chain."""

    base_url: str
    chain_id: str
    chain_slug: str
    name: str
    plan: str
    sandbox: bool
    home_time_zone: str
    currency: str
    api_key: str
    program_id: str
    location_ids: list[str]
    owner: OwnerShape
    member_url: str
    tablet_url: str
    points_code: str
    multi_point_code: str
    text_to_join: TextToJoinShape


class ChainShape(TypedDict):
    """A chain as operators see it."""

    id: str
    slug: str
    name: str
    plan: str
    sandbox: bool
    home_time_zone: str
    currency: str
    language_code: str
    created_at: str


class ChainAnswer(TypedDict):
    """One chain."""

    chain: ChainShape


class ChainsAnswer(TypedDict):
    """A page of chains."""

    chains: list[ChainShape]
    cursor: NotRequired[str]


_FIELDS: Final = {
    "owner_email": "owner.email",
    "email": "owner.email",
    "owner_name": "owner.name",
    "owner_password": "owner.password",
    "password": "owner.password",
    "salon_name": "salon.name",
    "salon_address": "salon.address",
    "points_code": "program.points_code",
    "multi_point_code": "program.multi_point_code",
    "time_zone": "home_time_zone",
}


@router.post("", response_model=NewChainAnswer, operation_id="CreateChain")
async def create_chain(request: Request, deps: OperatorDeps, body: CreateChain) -> Response:
    """Make a chain, live or sandbox, ready to use when the call answers.

    Repeatable from end to end by its idempotency key, also after it broke off half-way.
    """
    key = body.idempotency_key or header_key(request)
    if not key:
        raise ApiError.of("MISSING_REQUIRED_PARAMETER", field="idempotency_key")
    if body.salon is not None and body.salons is not None:
        raise ApiError.of(
            "CONFLICTING_PARAMETERS", field="salons", params={"fields": "salon, salons"}
        )
    made = await _make_chain(deps, body, key)
    chain = made.chain
    await _place_first_salon(deps, body, made.salon)
    program = await _make_program(deps, body, chain.id, key)
    salons = [made.salon, *await _more_salons(deps, body, chain.id, key)]
    tablet = await deps.clients.enrollment.CreateTablet(
        enrollment_pb2.CreateTabletRequest(
            idempotency_key=f"{key}:tablet",
            chain_id=chain.id,
            salon_id=made.salon.id,
            program_id=program.id,
            name="Tablette" if body.language == "fr" else "Tablet",
            actor=OPERATOR,
        )
    )
    if not await settle(deps.clients.clocks, seconds_max=KNOWN_SECONDS_MAX):
        raise Unavailable("the services do not know the chain yet")
    codes = await deps.clients.points.GetProgramCodes(
        points_pb2.GetProgramCodesRequest(chain_id=chain.id, program_id=program.id, actor=OPERATOR)
    )
    number = await deps.clients.messaging.GetSenderNumber(GetSenderNumberRequest(chain_id=chain.id))
    answer: NewChainAnswer = {
        "base_url": deps.settings.public_url.rstrip("/"),
        "chain_id": chain.id,
        "chain_slug": chain.slug,
        "name": chain.name,
        "plan": _plan_name(chain),
        "sandbox": chain.sandbox,
        "home_time_zone": chain.home_time_zone,
        "currency": chain.currency,
        "api_key": made.api_key_token,
        "program_id": program.id,
        "location_ids": [salon.id for salon in salons],
        "owner": _owner(made, body),
        "member_url": links.member_url(deps.settings, chain.slug),
        "tablet_url": links.tablet_url(deps.settings, tablet.tablet.link_token),
        "points_code": codes.codes.points_code,
        "multi_point_code": codes.codes.multi_point_code,
        "text_to_join": {"number": number.number},
    }
    return Json(answer)


def _owner(made: enrollment_pb2.CreateChainResponse, body: CreateChain) -> OwnerShape:
    owner: OwnerShape = {"id": made.owner.id, "email": made.owner.email}
    password = made.owner_password or body.owner.password
    if password:
        owner["password"] = password
    return owner


def _first_salon(body: CreateChain) -> SalonIn | None:
    return body.salons[0] if body.salons else body.salon


async def _make_chain(
    deps: Deps, body: CreateChain, key: str
) -> enrollment_pb2.CreateChainResponse:
    first = _first_salon(body)
    with api_fields(_FIELDS):
        return await deps.clients.enrollment.CreateChain(
            enrollment_pb2.CreateChainRequest(
                idempotency_key=key,
                name=body.name,
                slug=body.slug or "",
                plan=types_pb2.Plan.Value(f"PLAN_{body.plan}"),
                sandbox=body.sandbox,
                home_time_zone=body.home_time_zone,
                currency=body.currency,
                language=language_value(body.language),
                salon_name=first.name if first else body.name,
                salon_address=(first.address or "") if first else "",
                owner_email=body.owner.email,
                owner_name=body.owner.name or body.owner.email.partition("@")[0],
                owner_password=body.owner.password or "",
                brand_color=body.brand_color or "",
            )
        )


async def _place_first_salon(deps: Deps, body: CreateChain, salon: enrollment_pb2.Salon) -> None:
    """Give the first salon its own time zone, where it is not the chain's."""
    first = _first_salon(body)
    if first is None or not first.timezone or first.timezone == body.home_time_zone:
        return
    with api_fields({"time_zone": "salon.timezone"}):
        await deps.clients.enrollment.UpdateSalon(
            enrollment_pb2.UpdateSalonRequest(
                chain_id=salon.chain_id,
                salon_id=salon.id,
                time_zone=first.timezone,
                actor=OPERATOR,
            )
        )


async def _make_program(
    deps: Deps, body: CreateChain, chain_id: str, key: str
) -> points_pb2.Program:
    """The first program, as soon as points has heard of the chain."""
    wanted = body.program or FirstProgram()
    request = points_pb2.CreateProgramRequest(
        idempotency_key=f"{key}:program",
        chain_id=chain_id,
        name=wanted.name or PROGRAM_NAME,
        accrual_type=points_pb2.ACCRUAL_TYPE_VISIT,
        visit_points=1,
        points_code=wanted.points_code or "",
        multi_point_code=wanted.multi_point_code or "",
        # Said outright: points may not have heard yet that this chain is a sandbox (D12).
        cool_down_seconds=0 if body.sandbox else None,
        actor=OPERATOR,
    )
    end = asyncio.get_running_loop().time() + KNOWN_SECONDS_MAX
    while True:
        try:
            with api_fields(_FIELDS):
                return (await deps.clients.points.CreateProgram(request)).program
        except ApiError as refusal:
            if refusal.reason != "CHAIN_UNKNOWN":
                raise
            if asyncio.get_running_loop().time() > end:
                raise Unavailable("points does not know the chain yet") from refusal
        await asyncio.sleep(POLL_SECONDS)


async def _more_salons(
    deps: Deps, body: CreateChain, chain_id: str, key: str
) -> list[enrollment_pb2.Salon]:
    salons = []
    for place, wanted in enumerate((body.salons or [])[1:], start=1):
        prefix = f"salons[{place}]"
        names = {"name": f"{prefix}.name", "time_zone": f"{prefix}.timezone"}
        with api_fields(names):
            answer = await deps.clients.enrollment.CreateSalon(
                enrollment_pb2.CreateSalonRequest(
                    idempotency_key=f"{key}:salon:{place}",
                    chain_id=chain_id,
                    name=wanted.name,
                    time_zone=wanted.timezone or "",
                    address=wanted.address or "",
                    actor=OPERATOR,
                )
            )
        salons.append(answer.salon)
    return salons


def _plan_name(chain: enrollment_pb2.Chain) -> str:
    return types_pb2.Plan.Name(chain.plan).removeprefix("PLAN_")


def _shape(chain: enrollment_pb2.Chain) -> ChainShape:
    return {
        "id": chain.id,
        "slug": chain.slug,
        "name": chain.name,
        "plan": _plan_name(chain),
        "sandbox": chain.sandbox,
        "home_time_zone": chain.home_time_zone,
        "currency": chain.currency,
        "language_code": language_code(chain.language),
        "created_at": moment(chain.created_at),
    }


@router.get("", response_model=ChainsAnswer, operation_id="ListChains")
async def list_chains(deps: OperatorDeps, cursor: SoughtCursor | None = None) -> Response:
    """All chains of the platform, oldest first, in pages."""
    position = cursors.read(deps, "", "chains", {}, cursor)
    answer = await deps.clients.enrollment.ListChains(
        enrollment_pb2.ListChainsRequest(after_chain_id=position[0] if position else "")
    )
    page: ChainsAnswer = {"chains": [_shape(chain) for chain in answer.chains]}
    if answer.chains:
        page["cursor"] = cursors.give(deps, "", "chains", {}, [answer.chains[-1].id])
    return Json(page)


@router.get("/{chain_id}", response_model=ChainAnswer, operation_id="RetrieveChain")
async def get_chain(deps: OperatorDeps, chain_id: str) -> Response:
    """One chain, by its id or its slug."""
    request = enrollment_pb2.GetChainRequest(chain_id=id_or_none(chain_id) or "")
    if not request.chain_id:
        if not _SLUG.fullmatch(chain_id):
            raise ApiError.of("NOT_FOUND")
        request.slug = chain_id
    with api_fields({"chain_id": "", "slug": ""}):
        answer = await deps.clients.enrollment.GetChain(request)
    return Json({"chain": _shape(answer.chain)})


@router.put("/{chain_id}/plan", response_model=ChainAnswer, operation_id="SetChainPlan")
async def set_plan(deps: OperatorDeps, chain_id: str, body: SetPlan) -> Response:
    """Change what a chain pays for; answers when every service knows it."""
    with api_fields({"chain_id": ""}):
        answer = await deps.clients.enrollment.SetPlan(
            enrollment_pb2.SetPlanRequest(
                chain_id=known_id(chain_id),
                plan=types_pb2.Plan.Value(f"PLAN_{body.plan}"),
                actor=OPERATOR,
            )
        )
    deps.chains.forget(answer.chain)
    if not await settle(deps.clients.clocks, seconds_max=KNOWN_SECONDS_MAX):
        raise Unavailable("the services do not know the new plan yet")
    return Json({"chain": _shape(answer.chain)})
