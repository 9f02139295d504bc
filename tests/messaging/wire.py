"""The ways into a service from outside: events on a real broker, calls through real gRPC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import grpc
from aiokafka import AIOKafkaProducer

from services.chassis import grpc_client
from services.chassis.consumer import Consumer
from services.chassis.grpc_server import GrpcServer, Register
from services.chassis.handling import Handler, Together
from services.chassis.postgres import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """An event as another service publishes it."""

    type: str
    chain_id: UUID
    key: str
    payload: bytes | None
    id: UUID = field(default_factory=uuid4)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        return [
            ("ce_id", str(self.id).encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", b"/enrollment"),
            ("ce_subject", self.key.encode()),
            ("ce_time", self.time.isoformat().encode()),
            ("ce_chainid", str(self.chain_id).encode()),
        ]


async def publish(bootstrap: str, topic: str, facts: list[Fact]) -> None:
    """Put events on a topic, in order."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for fact in facts:
            await producer.send_and_wait(
                topic, value=fact.payload, key=fact.key.encode(), headers=fact.headers
            )
    finally:
        await producer.stop()


@asynccontextmanager
async def consuming(
    *, topic: str, handlers: Mapping[str, Handler] | Together, pool: Pool, bootstrap: str
) -> AsyncIterator[Consumer]:
    """A consumer of its own group for the length of a block."""
    consumer = Consumer(
        group=f"test.{uuid4().hex[:10]}",
        topics=[topic],
        handlers=handlers,
        pool=pool,
        bootstrap=bootstrap,
    )
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        consumer.stop()
        await asyncio.wait_for(task, 15)


@asynccontextmanager
async def serving(
    register: Register, refusals: Mapping[type[Exception], grpc.StatusCode]
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server of its own for the length of a block."""
    server = GrpcServer("127.0.0.1:0")
    server.register(register, refusals)
    await server.start()
    channel = grpc_client.channel(f"127.0.0.1:{server.port}")
    try:
        yield channel
    finally:
        await channel.close(None)
        await server.stop(1)


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 20.0) -> None:
    """Return when the condition holds; fail when it does not come to hold in time."""
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, "the condition did not come to hold"
        await asyncio.sleep(0.02)
