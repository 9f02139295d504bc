"""What every part of the servicer stands on."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc
from loyalty.points.v1 import points_pb2_grpc

from services.chassis.grpc_server import RefusalTable
from services.points.usecases.deps import Deps
from services.points.usecases.earn_queue import EarnQueue

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Door(points_pb2_grpc.PointsServiceServicer):
    """Holds the tools; the parts hold the methods."""

    def __init__(self, deps: Deps, queue: EarnQueue, refusals: RefusalTable) -> None:
        self._deps = deps
        self._queue = queue
        # For items of a batch; the server itself knows them for whole calls.
        self._refusals = refusals
