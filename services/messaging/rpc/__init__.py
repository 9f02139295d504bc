"""The gRPC door of messaging: proto to use case to proto, and the one table of refusals."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from loyalty.messaging.v1 import messaging_pb2_grpc

from services.messaging.domain import errors
from services.messaging.rpc.servicer import MessagingServicer
from services.messaging.usecases.deps import Deps

# By class, base classes included: what stands nowhere else is a wrong request.
STATUS: dict[type[Exception], grpc.StatusCode] = {
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.MemberUnknown: grpc.StatusCode.NOT_FOUND,
    errors.ConsentBelongsToMember: grpc.StatusCode.PERMISSION_DENIED,
    errors.EmailMissing: grpc.StatusCode.FAILED_PRECONDITION,
    errors.MessageStopped: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ContactMissing: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TokenInvalid: grpc.StatusCode.NOT_FOUND,
    errors.TemplateUnknown: grpc.StatusCode.NOT_FOUND,
    errors.PlanRequired: grpc.StatusCode.PERMISSION_DENIED,
    errors.OperatorRequired: grpc.StatusCode.PERMISSION_DENIED,
    errors.NumberTaken: grpc.StatusCode.ALREADY_EXISTS,
    errors.NumberMissing: grpc.StatusCode.FAILED_PRECONDITION,
    errors.OfferNotFound: grpc.StatusCode.NOT_FOUND,
    errors.ChainUnknown: grpc.StatusCode.UNAVAILABLE,
    errors.Refusal: grpc.StatusCode.INVALID_ARGUMENT,
}


def register(deps: Deps) -> Callable[[grpc.aio.Server], None]:
    """What adds the servicer to a server."""

    def add(server: grpc.aio.Server) -> None:
        servicer = MessagingServicer(deps)
        messaging_pb2_grpc.add_MessagingServiceServicer_to_server(servicer, server)

    return add
