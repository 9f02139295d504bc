"""The process itself: from its environment to its end, and killed in the middle of sending."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import httpx
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.events.v1 import enrollment_events_pb2 as facts
from loyalty.types.v1 import types_pb2

from deploy.local.ports import free_port
from services.chassis.signing import Sealer
from services.messaging.usecases.deps import CODE_PURPOSE
from tests.engines import Broker, Postgres
from tests.messaging.carriers import FakeTwilio
from tests.messaging.conftest import SECRET
from tests.messaging.wire import Fact, publish, until

ENROLLMENT, CONTACTS = "loyalty.enrollment.v1", "loyalty.enrollment.contact.v1"
CODES = 60


def chain_fact(chain_id: UUID) -> Fact:
    payload = facts.ChainChanged(
        chain_id=str(chain_id),
        slug="salon",
        name="Salon",
        plan=types_pb2.PLAN_PARTANT,
        home_time_zone="America/Toronto",
        version=1,
    ).SerializeToString()
    return Fact(type="chain.changed", chain_id=chain_id, key=str(chain_id), payload=payload)


def code_fact(chain_id: UUID, number: int) -> Fact:
    expires_at = Timestamp()
    expires_at.FromDatetime(datetime.now(UTC) + timedelta(minutes=10))
    payload = facts.CodeRequested(
        chain_id=str(chain_id),
        challenge_id=str(uuid4()),
        channel=types_pb2.CHANNEL_SMS,
        address=f"+151455501{number:02}",
        sealed_code=Sealer(SECRET, CODE_PURPOSE).seal(f"{number:06}".encode()),
        expires_at=expires_at,
    ).SerializeToString()
    return Fact(type="code.requested", chain_id=chain_id, key=str(chain_id), payload=payload)


@asynccontextmanager
async def process(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A messaging process that is ready, and gone at the end of the block."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.messaging.main",
        env={**os.environ, "PYTHONPATH": ".:proto/gen", **environment},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as client:

            async def ready() -> bool:
                assert started.returncode is None, "the process ended by itself"
                try:
                    url = f"http://127.0.0.1:{environment['OPS_PORT']}/readyz"
                    return (await client.get(url)).status_code == 200
                except httpx.HTTPError:
                    return False

            await until(ready, seconds=60)
        yield started
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def test_a_process_killed_while_it_sends_sends_each_code_once(
    postgres: Postgres, redis_url: str, own_broker: Broker
) -> None:
    """Reliability 1: `kill -9` twice in the middle; everybody gets one message and nobody two."""
    urls = await postgres.create_database("messaging")
    chain_id = uuid4()
    async with FakeTwilio().serving() as twilio:
        twilio.pause_seconds = 0.05
        twilio.now = None
        environment = {
            "DATABASE_URL": urls.service_url,
            "KAFKA_BOOTSTRAP": own_broker.bootstrap,
            "REDIS_URL": redis_url,
            "GRPC_PORT": str(free_port()),
            "OPS_PORT": str(free_port()),
            "SECRET_KEY": SECRET,
            "SMS_PROVIDER": "twilio",
            "SMS_SENDER_NUMBER": "+15145551000",
            "TWILIO_ACCOUNT_SID": "AC1",
            "TWILIO_AUTH_TOKEN": "t0ken",
            "TWILIO_BASE_URL": twilio.url,
        }
        told = [code_fact(chain_id, number) for number in range(CODES)]

        async with process(environment) as first:
            await publish(own_broker.bootstrap, ENROLLMENT, [chain_fact(chain_id)])
            await publish(own_broker.bootstrap, CONTACTS, told)

            async def some() -> bool:
                return len(twilio.taken) >= CODES // 4

            await until(some)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        async with process(environment) as second:

            async def more() -> bool:
                return len(twilio.taken) >= CODES // 2

            await until(more)
            second.send_signal(signal.SIGKILL)
            await second.wait()
        async with process(environment) as last:
            await publish(own_broker.bootstrap, CONTACTS, told)
            conn = await asyncpg.connect(urls.service_url)

            async def all_ended() -> bool:
                sent = await conn.fetchval("SELECT count(*) FROM delivery WHERE state = 'SENT'")
                return bool(sent == CODES)

            await until(all_ended, seconds=60)
            total = await conn.fetchval("SELECT count(*) FROM delivery")
            sids = [
                row["provider_message_id"]
                for row in await conn.fetch("SELECT provider_message_id FROM delivery")
            ]
            await conn.close()
            last.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(last.wait(), 30) == 0

    assert total == CODES
    assert len(twilio.taken) == CODES
    assert len({one["to"] for one in twilio.taken}) == CODES
    assert sorted(sids) == sorted(one["sid"] for one in twilio.taken)
