"""Whatever is sent, the answer is a refusal or an answer, never a fault of ours."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from tests.enrollment.conftest import Neighbours
from tests.enrollment.house import PASSWORD, House, key, new_email, new_phone

# A number that no enumeration has.
ANY_NUMBER: Any = 99
SERVICE = pb.DESCRIPTOR.services_by_name["EnrollmentService"]
TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\r\n",
    "💇🏽‍♀️",
    "\u202egnp.exe",
    "'; DROP TABLE member; --",
    "%",
    "../../../etc/passwd",
    "{{7*7}}",
    "-1",
    "NaN",
    "9" * 400,
    "x" * 1_000_000,
    "00000000-0000-0000-0000-000000000000",
    "not-an-id",
)
NUMBERS = (0, -1, 2**31 - 1, -(2**31))
BYTES = (b"", b"\x00", b"\xff" * 300_000)


def _hostile(field: Any) -> tuple[Any, ...]:
    if field.type == FieldDescriptor.TYPE_STRING:
        return TEXTS
    if field.type == FieldDescriptor.TYPE_BYTES:
        return BYTES
    if field.type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_ENUM):
        return NUMBERS
    if field.type == FieldDescriptor.TYPE_MESSAGE and field.message_type.name == "Timestamp":
        return (
            Timestamp(seconds=2**62),
            Timestamp(seconds=-(2**62)),
            Timestamp(seconds=1, nanos=-5),
            Timestamp(nanos=2_000_000_000),
        )
    if field.type == FieldDescriptor.TYPE_MESSAGE and field.message_type.name == "Actor":
        return (
            types_pb2.Actor(kind=ANY_NUMBER, id="x"),
            types_pb2.Actor(kind=types_pb2.Actor.KIND_STAFF, id="x" * 1_000),
            types_pb2.Actor(id="nobody"),
        )
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return (
            pb.ConsentGrant(channel=ANY_NUMBER),
            pb.ConsentGrant(channel=types_pb2.CHANNEL_SMS, wording_version="\x00"),
        )
    return (True, False)


def _set(request: Any, field: FieldDescriptor, value: Any) -> None:
    if field.is_repeated:
        getattr(request, field.name).extend([value] * 3)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        getattr(request, field.name).CopyFrom(value)
    else:
        setattr(request, field.name, value)


def _good(method: str, neighbours: Neighbours) -> Any:
    """A request that would be answered, but for the field that is then spoilt."""
    a = neighbours.a
    request = getattr(pb, f"{method}Request")()
    good = {
        "idempotency_key": key(),
        "chain_id": a.chain.id,
        "salon_id": a.salon.id,
        "staff_id": a.owner.id,
        "api_key_id": a.api_key.id,
        "program_id": key(),
        "name": "Bon",
        "owner_email": new_email("owner"),
        "email": new_email(),
        "password": PASSWORD,
        "phone": new_phone(),
        "source": types_pb2.ENROLLMENT_SOURCE_WEB,
        "role": pb.Staff.ROLE_CASHIER,
        "plan": types_pb2.PLAN_PRO,
        "active": True,
    }
    for field in request.DESCRIPTOR.fields:
        if field.name in good and not (method == "UpdateMember" and field.name in ("phone",)):
            setattr(request, field.name, good[field.name])
        elif field.name == "scopes":
            request.scopes.append("LOYALTY_READ")
    return request


@pytest.mark.parametrize("method", [method.name for method in SERVICE.methods])
async def test_no_field_of_any_method_makes_it_fail(
    house: House, neighbours: Neighbours, method: str
) -> None:
    faults: list[str] = []
    for field in SERVICE.methods_by_name[method].input_type.fields:
        for value in _hostile(field):
            request = _good(method, neighbours)
            _set(request, field, value)
            try:
                await getattr(house.call, method)(request)
            except RemoteRefusal:
                continue
            except (grpc.aio.AioRpcError, Exception) as error:
                faults.append(f"{field.name}={str(value)[:40]!r}: {error!r}"[:300])
    assert not faults, "\n".join(faults)
