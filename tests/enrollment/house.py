"""The enrollment service in this process: real gRPC, PostgreSQL and Redis, and what tests ask it.

Alice is a member of chain A, Bob works there, Charlie belongs to chain B.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.enrollment.v1.enrollment_pb2_grpc import EnrollmentServiceStub
from loyalty.events.v1 import enrollment_events_pb2 as events_pb
from loyalty.types.v1 import types_pb2
from redis.asyncio import Redis

from services.chassis.clock import BusinessClock, Clock
from services.chassis.errors import RemoteRefusal
from services.chassis.grpc_client import channel
from services.chassis.grpc_server import GrpcServer
from services.chassis.postgres import Pool
from services.chassis.signing import Sealer
from services.enrollment import rpc
from services.enrollment.events import CONTACT_TOPIC, TOPIC
from services.enrollment.usecases.deps import Deps, make_deps

SECRET = "a-secret-that-only-these-tests-know-of"
PASSWORD = "correct horse battery"
PAYLOADS: dict[str, Any] = {
    "chain.changed": events_pb.ChainChanged,
    "salon.changed": events_pb.SalonChanged,
    "member.enrolled": events_pb.MemberEnrolled,
    "contact.changed": events_pb.ContactChanged,
    "code.requested": events_pb.CodeRequested,
}
_numbers = itertools.count(secrets.randbelow(5_000) * 10)


def key() -> str:
    """A fresh idempotency key."""
    return str(uuid4())


def new_phone() -> str:
    """A phone that no other test has, in E.164."""
    return f"+1514{2_000_000 + next(_numbers):07d}"


def new_email(name: str = "alice") -> str:
    """An e-mail address that no other test has."""
    return f"{name}-{secrets.token_hex(6)}@example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An event as it stands in the outbox."""

    type: str
    topic: str
    key: str
    raw: bytes
    payload: Any


class House:
    """A running enrollment service and a stub to call it."""

    def __init__(self, *, pool: Pool, redis: Redis, clock: Clock) -> None:
        self.pool = pool
        self.redis = redis
        self.business = BusinessClock(clock, pool)
        self.deps: Deps = make_deps(pool=pool, redis=redis, clock=self.business, secret=SECRET)
        self._server = GrpcServer("127.0.0.1:0")
        self._server.register(rpc.register(self.deps), rpc.STATUS)
        self.call: EnrollmentServiceStub

    async def open(self) -> None:
        """Take calls."""
        await self._server.start()
        self._channel = channel(f"127.0.0.1:{self._server.port}", deadline_seconds=20)
        self.call = EnrollmentServiceStub(self._channel)

    async def close(self) -> None:
        """Take none any more."""
        await self._channel.close(None)
        await self._server.stop(0.1)
        await self.deps.passwords.close()

    async def chain(self, name: str = "Salon Figaro", **fields: Any) -> pb.CreateChainResponse:
        """A chain of this test's own."""
        request = pb.CreateChainRequest(
            idempotency_key=key(),
            name=name,
            owner_email=fields.pop("owner_email", new_email("owner")),
            owner_password=fields.pop("owner_password", PASSWORD),
            **fields,
        )
        return await self.call.CreateChain(request)

    async def enroll(self, chain_id: str, **fields: Any) -> pb.EnrollMemberResponse:
        """A member; with a phone of her own unless an address is given."""
        if "phone" not in fields and "email" not in fields:
            fields["phone"] = new_phone()
        return await self.call.EnrollMember(
            pb.EnrollMemberRequest(
                idempotency_key=fields.pop("idempotency_key", None) or key(),
                chain_id=chain_id,
                source=fields.pop("source", types_pb2.ENROLLMENT_SOURCE_JOIN_QR),
                **fields,
            )
        )

    async def who(self, token: str) -> pb.Principal:
        """Who a token speaks for."""
        return (await self.call.Authenticate(pb.AuthenticateRequest(token=token))).principal

    async def sign_in(self, email: str, password: str = PASSWORD) -> pb.SignInStaffResponse:
        """A staff session."""
        return await self.call.SignInStaff(pb.SignInStaffRequest(email=email, password=password))

    async def staff(self, chain_id: str, **fields: Any) -> pb.Staff:
        """Somebody who works at a chain."""
        response = await self.call.CreateStaff(
            pb.CreateStaffRequest(
                idempotency_key=key(),
                chain_id=chain_id,
                email=fields.pop("email", new_email("bob")),
                password=fields.pop("password", PASSWORD),
                role=fields.pop("role", pb.Staff.ROLE_CASHIER),
                **fields,
            )
        )
        return response.staff

    async def events(self, chain_id: str, *types: str) -> list[Written]:
        """What a chain's outbox holds, in order; of these types if any are named."""
        rows = await self.pool.fetch(
            "SELECT type, topic, key, payload FROM outbox WHERE chain_id = $1 ORDER BY id",
            chain_id,
        )
        return [
            Written(
                type=row["type"],
                topic=row["topic"],
                key=row["key"],
                raw=row["payload"],
                payload=PAYLOADS[row["type"]].FromString(row["payload"]),
            )
            for row in rows
            if not types or row["type"] in types
        ]

    async def code(self, chain_id: str, challenge_id: str) -> str:
        """The code of a challenge, as messaging opens it."""
        (sent,) = [
            event.payload
            for event in await self.events(chain_id, "code.requested")
            if event.payload.challenge_id == challenge_id
        ]
        return Sealer(SECRET, "one-time-code").open(sent.sealed_code).decode()

    async def audit(self, chain_id: str) -> list[tuple[str, str, str]]:
        """Action, actor and subject of a chain's audit trail, in order."""
        rows = await self.pool.fetch(
            """
            SELECT action, actor_kind || ':' || actor_id AS actor, subject_id
            FROM audit_entry WHERE chain_id = $1 ORDER BY id
            """,
            chain_id,
        )
        return [(row["action"], row["actor"], row["subject_id"]) for row in rows]


async def refusal(call: Awaitable[Any]) -> RemoteRefusal:
    """What a call was refused with; fails when it was not."""
    try:
        answer = await call
    except RemoteRefusal as refused:
        return refused
    raise AssertionError(f"not refused: {answer}")


ENROLLMENT_TOPIC = TOPIC
CONTACT = CONTACT_TOPIC
