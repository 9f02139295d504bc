"""The gRPC door of rewards: messages in, use cases, messages out; one table of statuses."""

from __future__ import annotations

import grpc
from loyalty.rewards.v1.rewards_pb2_grpc import (
    RewardsServiceServicer,
    add_RewardsServiceServicer_to_server,
)

from services.chassis.grpc_server import RefusalTable, Register
from services.rewards.domain import errors
from services.rewards.rpc.definitions import DefinitionMethods
from services.rewards.rpc.reading import ReadingMethods
from services.rewards.rpc.wallets import WalletMethods
from services.rewards.usecases.deps import Deps
from services.rewards.usecases.requests import StillSettling

STATUS: RefusalTable = {
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.InvalidValue: grpc.StatusCode.INVALID_ARGUMENT,
    errors.InvalidCursor: grpc.StatusCode.INVALID_ARGUMENT,
    errors.RewardLimit: grpc.StatusCode.FAILED_PRECONDITION,
    errors.DefinitionRetired: grpc.StatusCode.FAILED_PRECONDITION,
    errors.OfferNotRunning: grpc.StatusCode.FAILED_PRECONDITION,
    errors.AlreadyUsed: grpc.StatusCode.FAILED_PRECONDITION,
    errors.RewardExpired: grpc.StatusCode.FAILED_PRECONDITION,
    errors.RewardVoided: grpc.StatusCode.FAILED_PRECONDITION,
    errors.RewardPending: grpc.StatusCode.ABORTED,
    errors.RewardOnSale: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotRedeemed: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotThisDevice: grpc.StatusCode.PERMISSION_DENIED,
    StillSettling: grpc.StatusCode.ABORTED,
}


class RewardsServicer(DefinitionMethods, WalletMethods, ReadingMethods, RewardsServiceServicer):
    """All methods of `loyalty.rewards.v1.RewardsService`."""

    _refusals = STATUS


def register(deps: Deps) -> Register:
    """Adds the service to a server."""

    def add(server: grpc.aio.Server) -> None:
        add_RewardsServiceServicer_to_server(RewardsServicer(deps), server)

    return add
