"""The rewards service with the real points service beside it: Alice's points can be spent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message
from loyalty.points.v1 import points_pb2 as points_pb
from loyalty.points.v1.points_pb2_grpc import PointsServiceStub
from loyalty.rewards.v1 import rewards_pb2 as pb

from services.chassis import grpc_client
from services.chassis.errors import RemoteRefusal, Unavailable
from services.chassis.grpc_server import GrpcServer
from services.chassis.postgres import in_transaction
from services.points import rpc as points_rpc
from services.points.domain.ids import ChainId, SalonId
from services.points.usecases import copies
from services.points.usecases.deps import Deps as PointsDeps
from services.points.usecases.earn_queue import EarnQueue
from services.rewards.clients import Points
from services.rewards.usecases import sweeping
from tests.rewards.house import HOME_ZONE, House, new_id

Answered = TypeVar("Answered")


class Line(Points):
    """The line to the real points service, which a test may cut."""

    def __init__(self, stub: PointsServiceStub) -> None:
        super().__init__(stub)
        # How many of the next requests never arrive, and how many of the next answers are lost.
        self.requests_lost = 0
        self.answers_lost = 0

    async def _ask(self, method: Callable[..., Awaitable[Answered]], request: Message) -> Answered:
        """As the real one, over this line."""
        if self.requests_lost:
            self.requests_lost -= 1
            raise Unavailable("the request was lost")
        answer = await super()._ask(method, request)
        if self.answers_lost:
            self.answers_lost -= 1
            raise Unavailable("the answer was lost")
        return answer


class Ledger:
    """The real points service in process, which may go away and come back on the same port."""

    def __init__(self, deps: PointsDeps) -> None:
        self._deps = deps
        self._queue = EarnQueue(deps)
        self._server: GrpcServer | None = None
        self._port = 0

    async def start(self) -> None:
        """Take calls."""
        self._server = GrpcServer(f"127.0.0.1:{self._port}")
        self._server.register(points_rpc.register(self._deps, self._queue), points_rpc.STATUS)
        await self._server.start()
        if self._port:
            await self._reach()
        else:
            self._port = self._server.port
            self._channel = grpc_client.channel(f"127.0.0.1:{self._port}")
            self.stub = PointsServiceStub(self._channel)

    async def _reach(self) -> None:
        """Wait until those who knew the service before have found it again."""
        async with asyncio.timeout(30):
            while True:
                try:
                    await self.stub.ListPrograms(points_pb.ListProgramsRequest(chain_id=new_id()))
                except Unavailable:
                    await asyncio.sleep(0.05)
                except RemoteRefusal:
                    return
                else:
                    return

    async def stop(self) -> None:
        """Be away: connections are refused."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    async def close(self) -> None:
        """End for good."""
        await self._channel.close(None)
        await self.stop()
        await self._queue.drain()

    async def know_chain(self, chain_id: str) -> None:
        """What enrollment's event would have told points."""
        await in_transaction(
            self._deps.pool,
            lambda conn: copies.keep_chain(
                conn,
                chain_id=ChainId(UUID(chain_id)),
                sandbox=True,
                home_time_zone=HOME_ZONE,
                currency="CAD",
                version=1,
            ),
        )

    async def know_salon(self, chain_id: str, salon_id: str) -> None:
        """The same for a salon."""
        await in_transaction(
            self._deps.pool,
            lambda conn: copies.keep_salon(
                conn,
                chain_id=ChainId(UUID(chain_id)),
                salon_id=SalonId(UUID(salon_id)),
                time_zone=HOME_ZONE,
                active=True,
                version=1,
            ),
        )


@dataclass(kw_only=True)
class Counter(House):
    """Chain A with a program in points, where Alice has an account."""

    ledger: Ledger
    line: Line
    account_id: str = ""

    async def open(self) -> None:
        """Make the program and Alice's account."""
        created = await self.ledger.stub.CreateProgram(
            points_pb.CreateProgramRequest(
                idempotency_key=new_id(), chain_id=self.chain_id, name="Vos points", actor=self.bob
            )
        )
        self.program_id = created.program.id
        self.account_id = await self.account(self.alice)

    async def account(self, member_id: str) -> str:
        """A member's account in the program."""
        opened = await self.ledger.stub.OpenAccount(
            points_pb.OpenAccountRequest(
                chain_id=self.chain_id, member_id=member_id, program_id=self.program_id
            )
        )
        return opened.account.id

    async def give(self, points: int, *, account_id: str = "") -> None:
        """Points by hand."""
        await self.ledger.stub.AdjustPoints(
            points_pb.AdjustPointsRequest(
                idempotency_key=new_id(),
                chain_id=self.chain_id,
                account_id=account_id or self.account_id,
                points=points,
                reason=points_pb.ADJUSTMENT_REASON_SALON,
                actor=self.bob,
            )
        )

    async def balance(self, account_id: str = "") -> int:
        """What the account holds."""
        answer = await self.ledger.stub.GetAccount(
            points_pb.GetAccountRequest(
                chain_id=self.chain_id, account_id=account_id or self.account_id
            )
        )
        return answer.account.balance

    async def entries(self, kind: points_pb.EntryKind.ValueType) -> list[points_pb.Entry]:
        """The account's entries of one kind."""
        answer = await self.ledger.stub.ListEntries(
            points_pb.ListEntriesRequest(
                chain_id=self.chain_id, account_ids=[self.account_id], kinds=[kind], limit=200
            )
        )
        return list(answer.entries)

    def taking(self, definition_id: str, *, key: str = "", **changes: str) -> pb.TakeRewardRequest:
        """Alice's request for a reward."""
        request = pb.TakeRewardRequest(
            idempotency_key=key or new_id(),
            chain_id=self.chain_id,
            account_id=self.account_id,
            member_id=self.alice,
            definition_id=definition_id,
            actor=self.herself,
        )
        _set(request, changes)
        return request

    async def take(self, definition_id: str, *, key: str = "", **changes: str) -> pb.Reward:
        """ "Prendre", confirmed."""
        return (await self.try_take(definition_id, key=key, **changes)).reward

    async def try_take(
        self, definition_id: str, *, key: str = "", **changes: str
    ) -> pb.TakeRewardResponse:
        """The whole answer of "Prendre"."""
        return await self.stub.TakeReward(
            self.taking(definition_id, key=key, **changes), timeout=60
        )

    async def settle(self) -> None:
        """Let the time pass that interrupted takes and voids wait, and finish them."""
        await self.pool.execute(
            "UPDATE settlement SET leased_until = now() WHERE chain_id = $1", UUID(self.chain_id)
        )
        while await sweeping.settle_due(self.deps):
            continue

    async def states(self) -> list[str]:
        """The states of all rewards of the chain, as they lie in the database."""
        rows = await self.pool.fetch(
            "SELECT state FROM reward WHERE chain_id = $1 ORDER BY state", UUID(self.chain_id)
        )
        return [row["state"] for row in rows]

    async def check(self, *, given: int) -> None:
        """Points and rewards agree: every reward is paid once, and nothing else is."""
        assert await self.count("settlement") == 0
        rows = await self.pool.fetch(
            "SELECT id, points, state, points_returned FROM reward WHERE chain_id = $1",
            UUID(self.chain_id),
        )
        assert all(row["state"] not in ("pending", "voiding") for row in rows)
        returned = {str(row["id"]) for row in rows if row["points_returned"]}
        debits = [entry.reward_id for entry in await self.entries(points_pb.ENTRY_KIND_REWARD)]
        returns = [
            entry.reward_id for entry in await self.entries(points_pb.ENTRY_KIND_REWARD_RETURN)
        ]
        assert len(set(debits)) == len(debits)
        assert len(set(returns)) == len(returns)
        assert {str(row["id"]) for row in rows} - returned == set(debits) - set(returns)
        assert returned <= set(returns)
        spent = sum(row["points"] for row in rows if not row["points_returned"])
        assert await self.balance() == given - spent


def _set(request: Message, changes: dict[str, str]) -> None:
    for name, value in changes.items():
        setattr(request, name, value)
