"""The service as a process of its own: from its environment to the topic."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.enrollment.v1.enrollment_pb2_grpc import EnrollmentServiceStub
from loyalty.events.v1 import enrollment_events_pb2 as events_pb
from loyalty.types.v1 import types_pb2

from deploy.local.databases import DatabaseUrls
from services.chassis.errors import RemoteRefusal
from services.chassis.grpc_client import channel
from services.enrollment.events import CONTACT_TOPIC, TOPIC
from tests.engines import ROOT
from tests.enrollment.house import SECRET, key, new_email, new_phone


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def ports(
    urls: DatabaseUrls, redis_url: str, kafka_bootstrap: str
) -> AsyncIterator[tuple[int, int]]:
    """A running process; its gRPC port and its ops port. It must end in order."""
    grpc_port, ops_port = _free_port(), _free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.enrollment.main",
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto" / "gen")]),
            "DATABASE_URL": urls.service_url,
            "REDIS_URL": redis_url,
            "KAFKA_BOOTSTRAP": kafka_bootstrap,
            "GRPC_PORT": str(grpc_port),
            "OPS_PORT": str(ops_port),
            "SECRET_KEY": SECRET,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    output = asyncio.create_task(process.stdout.read())
    yield grpc_port, ops_port
    process.send_signal(signal.SIGTERM)
    status = await asyncio.wait_for(process.wait(), 30)
    text = (await output).decode()
    assert status == 0, text
    assert '"level":"error"' not in text, text
    for canary in ("+1514", "@example.com", "Canarygiven"):
        assert canary not in text


async def _ready(ops_port: int) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        while True:
            try:
                answer = await client.get(f"http://127.0.0.1:{ops_port}/readyz")
                if answer.status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


async def test_an_enrolment_reaches_both_topics(
    ports: tuple[int, int], kafka_bootstrap: str
) -> None:
    grpc_port, ops_port = ports
    await _ready(ops_port)
    door = channel(f"127.0.0.1:{grpc_port}")
    call = EnrollmentServiceStub(door)
    made = await call.CreateChain(
        pb.CreateChainRequest(
            idempotency_key=key(), name="Processus", owner_email=new_email("owner")
        )
    )
    joined = await call.EnrollMember(
        pb.EnrollMemberRequest(
            idempotency_key=key(),
            chain_id=made.chain.id,
            phone=new_phone(),
            email=new_email(),
            given_name="Canarygiven",
            source=types_pb2.ENROLLMENT_SOURCE_JOIN_QR,
        )
    )
    # A refusal is logged, and what was refused is not.
    with pytest.raises(RemoteRefusal):
        await call.EnrollMember(
            pb.EnrollMemberRequest(
                idempotency_key=key(),
                chain_id=made.chain.id,
                phone=joined.member.phone,
                given_name="Canarygiven" * 20,
                source=types_pb2.ENROLLMENT_SOURCE_JOIN_QR,
            )
        )
    await door.close(None)
    found: dict[str, Any] = {}
    consumer = AIOKafkaConsumer(
        TOPIC, CONTACT_TOPIC, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            while len(found) < 2:
                record = await consumer.getone()
                if record.key == joined.member.id.encode():
                    headers = dict(record.headers)
                    found[headers["ce_type"].decode()] = (record, headers)
    finally:
        await consumer.stop()
    enrolled, headers = found["member.enrolled"]
    assert (enrolled.topic, headers["ce_chainid"].decode()) == (TOPIC, made.chain.id)
    told = events_pb.MemberEnrolled.FromString(enrolled.value)
    assert (told.member_id, told.source) == (
        joined.member.id,
        types_pb2.ENROLLMENT_SOURCE_JOIN_QR,
    )
    contact, _ = found["contact.changed"]
    assert contact.topic == CONTACT_TOPIC
    assert events_pb.ContactChanged.FromString(contact.value).phone == joined.member.phone

    async with httpx.AsyncClient() as client:
        metrics = (await client.get(f"http://127.0.0.1:{ops_port}/metrics")).text
    assert 'loyalty_members_enrolled_total{outcome="created",source="join_qr"} 1.0' in metrics
