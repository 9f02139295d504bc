"""A whole service process made of the chassis alone, for tests of its life and its end.

Applies events of `DEMO_TOPIC` by publishing an answer to each; a call may be told to take long.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any, ClassVar

import grpc
from chassis.v1 import business_clock_pb2 as pb
from pydantic import Field

from services.chassis import outbox, runner
from services.chassis.events import Event
from services.chassis.outbox import OutboxEvent
from services.chassis.postgres import Connection
from services.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the demo is told."""

    service_name: ClassVar[str] = "chassis"
    demo_topic: str = Field(..., description="the topic that is read")
    demo_crash: bool = Field(False, description="whether a role fails after a moment")
    demo_stubborn: bool = Field(False, description="whether a role goes on when it is cancelled")


class Slow:
    """A gRPC method whose answer takes a moment."""

    async def __call__(self, request: pb.RunDueRequest, _context: Any) -> pb.RunDueResponse:
        """Answer after a second."""
        await asyncio.sleep(1)
        return pb.RunDueResponse(jobs_run=1)


def register(server: grpc.aio.Server) -> None:
    """Serve `demo.Slow/Wait`."""
    handler = grpc.unary_unary_rpc_method_handler(
        Slow(),
        request_deserializer=pb.RunDueRequest.FromString,
        response_serializer=pb.RunDueResponse.SerializeToString,
    )
    server.add_registered_method_handlers("demo.Slow", {"Wait": handler})  # type: ignore[attr-defined]


async def build(app: runner.App[Settings]) -> None:
    """Name the roles."""

    async def apply(conn: Connection, event: Event) -> None:
        answer = OutboxEvent(
            topic=f"{event.topic}.answers",
            key=event.key,
            type="thing.answered",
            chain_id=event.chain_id,
            subject=event.subject,
            payload=event.payload,
            occurred_at=datetime.now(UTC),
        )
        await outbox.append(conn, [answer])

    async def crash() -> None:
        await asyncio.sleep(0.2)
        raise RuntimeError("a role failed")

    async def stay() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    app.serve_grpc(register, {})
    topic = app.settings.demo_topic
    app.consume(group=f"chassis.{topic}", topics=[topic], handlers={"thing.happened": apply})
    app.run_jobs({})
    app.relay_outbox()
    if app.settings.demo_crash:
        app.background("crash", crash)
    if app.settings.demo_stubborn:
        app.background("stay", stay)


if __name__ == "__main__":
    runner.run(Settings, build)
