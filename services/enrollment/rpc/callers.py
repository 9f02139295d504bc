"""Methods about who is calling, and about staff."""

from __future__ import annotations

from loyalty.enrollment.v1 import enrollment_pb2 as pb

from services.chassis.moments import timestamp
from services.enrollment.rpc import reading, writing
from services.enrollment.usecases import principals, staff
from services.enrollment.usecases.deps import Deps


class CallerMethods:
    """Tokens and staff."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def Authenticate(
        self, request: pb.AuthenticateRequest, context: object
    ) -> pb.AuthenticateResponse:
        principal = await principals.authenticate(self._deps, request.token)
        return pb.AuthenticateResponse(principal=writing.principal(principal))

    async def SignOut(self, request: pb.SignOutRequest, context: object) -> pb.SignOutResponse:
        await principals.sign_out(self._deps, request.token)
        return pb.SignOutResponse()

    async def SignInStaff(
        self, request: pb.SignInStaffRequest, context: object
    ) -> pb.SignInStaffResponse:
        signed_in = await staff.sign_in_staff(
            self._deps, email=request.email, password=request.password
        )
        return pb.SignInStaffResponse(
            session_token=signed_in.token,
            staff=writing.staff(signed_in.staff),
            expires_at=timestamp(signed_in.expires_at),
        )

    async def CreateStaff(
        self, request: pb.CreateStaffRequest, context: object
    ) -> pb.CreateStaffResponse:
        command = staff.CreateStaff(
            request=reading.request_of(request),
            chain_id=reading.chain_id(request.chain_id),
            email=request.email,
            name=request.name,
            password=request.password,
            role=reading.role(request.role),
            language=reading.language_or_none(request.language),
            actor=reading.actor(request.actor),
        )
        written = await staff.create_staff(self._deps, command, answer=writing.new_staff)
        return pb.CreateStaffResponse.FromString(written)

    async def ListStaff(
        self, request: pb.ListStaffRequest, context: object
    ) -> pb.ListStaffResponse:
        found = await staff.list_staff(self._deps, reading.chain_id(request.chain_id))
        return pb.ListStaffResponse(staff=[writing.staff(person) for person in found])

    async def SetStaffActive(
        self, request: pb.SetStaffActiveRequest, context: object
    ) -> pb.SetStaffActiveResponse:
        person = await staff.set_staff_active(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            staff_id=reading.staff_id(request.staff_id),
            active=request.active,
            actor=reading.actor(request.actor),
        )
        return pb.SetStaffActiveResponse(staff=writing.staff(person))

    async def SetStaffPassword(
        self, request: pb.SetStaffPasswordRequest, context: object
    ) -> pb.SetStaffPasswordResponse:
        await staff.set_staff_password(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            staff_id=reading.staff_id(request.staff_id),
            password=request.password,
            keep_session_token=request.keep_session_token,
            actor=reading.actor(request.actor),
        )
        return pb.SetStaffPasswordResponse()
