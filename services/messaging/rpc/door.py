"""What every part of the servicer stands on."""

from __future__ import annotations

from loyalty.messaging.v1 import messaging_pb2_grpc

from services.messaging.usecases.deps import Deps


class Door(messaging_pb2_grpc.MessagingServiceServicer):
    """Holds the tools; the parts hold the methods."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
