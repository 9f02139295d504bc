"""Staff: who may sign in to the panel, and as what."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from loyalty.enrollment.v1 import enrollment_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import Json, api_fields
from services.gateway.pos.caller import Owner
from services.gateway.pos.fields import Email, Flag, Key, Language, Name, Part, known_id
from services.gateway.pos.shapes import language_code, language_value, moment

router = APIRouter(prefix="/staff", tags=["Staff"])

Staff = enrollment_pb2.Staff


class StaffShape(TypedDict):
    """A staff account."""

    id: str
    email: str
    name: str
    role: str
    status: str
    language_code: str
    created_at: str


class StaffAnswer(TypedDict):
    """One staff account."""

    staff: StaffShape


class StaffListAnswer(TypedDict):
    """The chain's staff."""

    staff: list[StaffShape]


class StaffIn(Part):
    """A person who may sign in to the panel."""

    email: Email
    name: Name
    password: Annotated[str, Field(strict=True, max_length=200)]
    role: Literal["OWNER", "MANAGER", "CASHIER"]
    language_code: Language | None = None


class CreateStaff(Part):
    """A staff account to open."""

    staff: StaffIn
    idempotency_key: Key | None = None


class StaffStatus(Part):
    """On or off."""

    active: Flag


def staff_shape(staff: enrollment_pb2.Staff) -> StaffShape:
    """A staff account; never its password."""
    return {
        "id": staff.id,
        "email": staff.email,
        "name": staff.name,
        "role": Staff.Role.Name(staff.role).removeprefix("ROLE_"),
        "status": "ACTIVE" if staff.active else "INACTIVE",
        "language_code": language_code(staff.language),
        "created_at": moment(staff.created_at),
    }


_FIELDS = {name: f"staff.{name}" for name in ("email", "name", "password", "role")} | {
    "staff_id": ""
}


@router.get("", response_model=StaffListAnswer, operation_id="ListStaff")
async def list_staff(caller: Owner) -> Response:
    """The chain's staff."""
    answer = await caller.deps.clients.enrollment.ListStaff(
        enrollment_pb2.ListStaffRequest(chain_id=caller.chain_id)
    )
    return Json({"staff": [staff_shape(one) for one in answer.staff]})


@router.post("", response_model=StaffAnswer, operation_id="CreateStaff")
async def create_staff(caller: Owner, body: CreateStaff) -> Response:
    """Open a staff account."""
    wanted = body.staff
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.enrollment.CreateStaff(
            enrollment_pb2.CreateStaffRequest(
                idempotency_key=caller.key(body.idempotency_key),
                chain_id=caller.chain_id,
                email=wanted.email,
                name=wanted.name,
                password=wanted.password,
                role=Staff.Role.Value(f"ROLE_{wanted.role}"),
                language=language_value(wanted.language_code),
                actor=caller.actor,
            )
        )
    return Json({"staff": staff_shape(answer.staff)})


@router.put("/{staff_id}/status", response_model=StaffAnswer, operation_id="SetStaffStatus")
async def set_staff_status(caller: Owner, staff_id: str, body: StaffStatus) -> Response:
    """Switch a person off or on; all sessions end at once. The last owner stays."""
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.enrollment.SetStaffActive(
            enrollment_pb2.SetStaffActiveRequest(
                chain_id=caller.chain_id,
                staff_id=known_id(staff_id),
                active=body.active,
                actor=caller.actor,
            )
        )
    return Json({"staff": staff_shape(answer.staff)})
