"""The gRPC door of enrollment: proto → use case → proto, and what each refusal is in gRPC."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from loyalty.enrollment.v1 import enrollment_pb2_grpc

from services.enrollment.domain import errors
from services.enrollment.rpc.callers import CallerMethods
from services.enrollment.rpc.chains import ChainMethods
from services.enrollment.rpc.devices import DeviceMethods
from services.enrollment.rpc.members import MemberMethods
from services.enrollment.usecases.deps import Deps

STATUS: dict[type[Exception], grpc.StatusCode] = {
    errors.Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.AlreadyThere: grpc.StatusCode.ALREADY_EXISTS,
    errors.Unproven: grpc.StatusCode.UNAUTHENTICATED,
    errors.NotNow: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
}


class EnrollmentServicer(
    ChainMethods,
    CallerMethods,
    DeviceMethods,
    MemberMethods,
    enrollment_pb2_grpc.EnrollmentServiceServicer,
):
    """Every method of the contract."""


def register(deps: Deps) -> Callable[[grpc.aio.Server], None]:
    """Serve enrollment on a server."""

    def add(server: grpc.aio.Server) -> None:
        enrollment_pb2_grpc.add_EnrollmentServiceServicer_to_server(
            EnrollmentServicer(deps), server
        )

    return add
