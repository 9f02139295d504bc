"""Devices: the tablets at the salons' counters, each with its own link."""

from __future__ import annotations

from typing import NotRequired

from fastapi import APIRouter
from loyalty.enrollment.v1 import enrollment_pb2
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway import links
from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.pos.caller import Caller, Owner
from services.gateway.pos.fields import Id, Key, Name, Part, known_id
from services.gateway.pos.found import program_of
from services.gateway.pos.shapes import Empty, moment

router = APIRouter(prefix="/devices", tags=["Devices"])


class DeviceAttributesShape(TypedDict):
    """What kind of device it is."""

    type: str
    manufacturer: str
    name: str


class DeviceStatusShape(TypedDict):
    """Whether it may be used."""

    category: str


class DeviceShape(TypedDict):
    """A tablet; `tablet_url` is a secret of the salon."""

    id: str
    name: str
    attributes: DeviceAttributesShape
    status: DeviceStatusShape
    location_id: str
    program_id: str
    tablet_url: NotRequired[str]
    created_at: str


class DeviceAnswer(TypedDict):
    """One tablet."""

    device: DeviceShape


class DevicesAnswer(TypedDict):
    """The chain's tablets."""

    devices: list[DeviceShape]


class DeviceIn(Part):
    """A tablet's name, and the salon and program that it speaks for."""

    name: Name
    location_id: Id
    program_id: Id | None = None


class CreateDevice(Part):
    """A tablet to register."""

    device: DeviceIn
    idempotency_key: Key | None = None


def device_shape(caller: Caller, tablet: enrollment_pb2.Tablet) -> DeviceShape:
    """A tablet as its owner sees it."""
    shape: DeviceShape = {
        "id": tablet.id,
        "name": tablet.name,
        "attributes": {"type": "TABLET", "manufacturer": "", "name": tablet.name},
        "status": {"category": "AVAILABLE" if tablet.active else "OFFLINE"},
        "location_id": tablet.salon_id,
        "program_id": tablet.program_id,
        "created_at": moment(tablet.created_at),
    }
    if tablet.active and tablet.link_token:
        shape["tablet_url"] = links.tablet_url(caller.deps.settings, tablet.link_token)
    return shape


async def _tablets(caller: Caller) -> list[enrollment_pb2.Tablet]:
    answer = await caller.deps.clients.enrollment.ListTablets(
        enrollment_pb2.ListTabletsRequest(chain_id=caller.chain_id)
    )
    return [tablet for tablet in answer.tablets if caller.may_speak_for(tablet.salon_id)]


async def _mine(caller: Caller, device_id: str) -> str:
    """The id of a tablet at a salon that the key speaks for."""
    wanted = known_id(device_id)
    if not any(tablet.id == wanted for tablet in await _tablets(caller)):
        raise ApiError.of("NOT_FOUND")
    return wanted


@router.get("", response_model=DevicesAnswer, operation_id="ListDevices")
async def list_devices(caller: Owner) -> Response:
    """The chain's tablets with their links (LS-09)."""
    return Json({"devices": [device_shape(caller, one) for one in await _tablets(caller)]})


@router.post("", response_model=DeviceAnswer, operation_id="CreateDevice")
async def create_device(caller: Owner, body: CreateDevice) -> Response:
    """Register a tablet for a salon and a program."""
    wanted = body.device
    key = caller.key(body.idempotency_key)
    salon = await caller.salon(wanted.location_id, field="device.location_id")
    program = await program_of(caller, wanted.program_id or "main", field="device.program_id")
    names = {"name": "device.name", "salon_id": "device.location_id"}
    with api_fields(names | {"program_id": "device.program_id"}):
        answer = await caller.deps.clients.enrollment.CreateTablet(
            enrollment_pb2.CreateTabletRequest(
                idempotency_key=key,
                chain_id=caller.chain_id,
                salon_id=salon.id,
                program_id=program.id,
                name=wanted.name,
                actor=caller.actor,
            )
        )
    return Json({"device": device_shape(caller, answer.tablet)})


@router.post("/{device_id}/rotate", response_model=DeviceAnswer, operation_id="RotateDevice")
async def rotate_device(caller: Owner, device_id: str) -> Response:
    """Give a tablet a new link; the old one is dead at once."""
    tablet_id = await _mine(caller, device_id)
    with api_fields({"tablet_id": ""}):
        answer = await caller.deps.clients.enrollment.RotateTablet(
            enrollment_pb2.RotateTabletRequest(
                chain_id=caller.chain_id, tablet_id=tablet_id, actor=caller.actor
            )
        )
    return Json({"device": device_shape(caller, answer.tablet)})


@router.post("/{device_id}/revoke", response_model=Empty, operation_id="RevokeDevice")
async def revoke_device(caller: Owner, device_id: str) -> Response:
    """Shut a tablet out for good. Repeatable."""
    tablet_id = await _mine(caller, device_id)
    with api_fields({"tablet_id": ""}):
        await caller.deps.clients.enrollment.RevokeTablet(
            enrollment_pb2.RevokeTabletRequest(
                chain_id=caller.chain_id, tablet_id=tablet_id, actor=caller.actor
            )
        )
    return Json({})
