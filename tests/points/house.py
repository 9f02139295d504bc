"""The points service in process, on real engines, as the tests of points speak to it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from chassis.v1.refusal_pb2 import Refusal
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.events.v1.points_events_pb2 import PointsPosted
from loyalty.points.v1 import points_pb2 as pb
from loyalty.points.v1.points_pb2_grpc import PointsServiceStub
from loyalty.types.v1.types_pb2 import Actor

from services.chassis.clock import FixedClock
from services.chassis.errors import RemoteRefusal
from services.chassis.postgres import in_transaction
from services.points.domain.ids import ChainId, SalonId
from services.points.storage import checks
from services.points.usecases import copies
from services.points.usecases.deps import Deps
from services.points.usecases.earn_queue import EarnQueue

# A winter afternoon in Montréal.
START = datetime(2026, 12, 14, 19, 0, tzinfo=UTC)
SECRET = "the secret that only the tests of points know"
POINTS_CODE = "407"
MULTI_POINT_CODE = "9182"


def new_id() -> str:
    """An id that nobody else has."""
    return str(uuid4())


def stamp(moment: datetime) -> Timestamp:
    """A moment as it travels."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message


@dataclass(kw_only=True)
class House:
    """Chain A with Alice, its member, and Bob, who works there; Charlie is of chain B.

    The program of chain A has the points code 407 and the multi-point code 9182, and no cool-down.
    """

    deps: Deps
    queue: EarnQueue
    stub: PointsServiceStub
    clock: FixedClock
    chain_id: str = field(default_factory=new_id)
    salon_id: str = field(default_factory=new_id)
    alice: str = field(default_factory=new_id)
    session_id: str = field(default_factory=new_id)
    charlie: str = field(default_factory=new_id)
    charlies_chain: str = field(default_factory=new_id)
    bob: Actor = field(default_factory=lambda: Actor(kind=Actor.KIND_STAFF, id=new_id()))
    program: pb.Program = field(default_factory=pb.Program)
    alices_account: str = ""

    @property
    def herself(self) -> Actor:
        return Actor(kind=Actor.KIND_MEMBER, id=self.alice)

    async def open(self) -> None:
        """Chain A has a salon, a program, and Alice's account in it."""
        await self.add_salon(self.chain_id, self.salon_id)
        self.program = await self.create_program()
        self.alices_account = (await self.account(self.alice)).id

    # -- the chain -----------------------------------------------------------------------------

    async def add_salon(
        self,
        chain_id: str,
        salon_id: str,
        *,
        time_zone: str = "America/Toronto",
        active: bool = True,
        version: int = 1,
    ) -> None:
        """A salon's news has arrived from enrollment."""
        await in_transaction(
            self.deps.pool,
            lambda conn: copies.keep_salon(
                conn,
                chain_id=ChainId(UUID(chain_id)),
                salon_id=SalonId(UUID(salon_id)),
                time_zone=time_zone,
                active=active,
                version=version,
            ),
        )

    async def keep_chain(
        self,
        chain_id: str | None = None,
        *,
        sandbox: bool = False,
        home_time_zone: str = "America/Toronto",
        currency: str | None = "CAD",
        version: int = 1,
    ) -> None:
        """A chain's news has arrived from enrollment: chain A's, unless said otherwise."""
        await in_transaction(
            self.deps.pool,
            lambda conn: copies.keep_chain(
                conn,
                chain_id=ChainId(UUID(chain_id or self.chain_id)),
                sandbox=sandbox,
                home_time_zone=home_time_zone,
                currency=currency,
                version=version,
            ),
        )

    async def create_program(self, **changes: Any) -> pb.Program:
        """A program of chain A, unless said otherwise."""
        values: dict[str, Any] = {
            "idempotency_key": new_id(),
            "chain_id": self.chain_id,
            "points_code": POINTS_CODE,
            "multi_point_code": MULTI_POINT_CODE,
            "cool_down_seconds": 0,
            "actor": self.bob,
        }
        values.update(changes)
        request = pb.CreateProgramRequest(
            **{name: value for name, value in values.items() if value is not None}
        )
        return (await self.stub.CreateProgram(request)).program

    async def update_program(self, **changes: Any) -> pb.Program:
        """A save of chain A's program."""
        values: dict[str, Any] = {"chain_id": self.chain_id, "program_id": self.program.id}
        values.update(changes)
        return (await self.stub.UpdateProgram(pb.UpdateProgramRequest(**values))).program

    async def codes(self, program_id: str | None = None) -> pb.ProgramCodes:
        """Both codes as the owner reads them."""
        request = pb.GetProgramCodesRequest(
            chain_id=self.chain_id, program_id=program_id or self.program.id
        )
        return (await self.stub.GetProgramCodes(request)).codes

    async def earn_token(self, salon_id: str | None = None, program_id: str = "") -> str:
        """What the earn QR of a salon carries."""
        request = pb.GetEarnTokenRequest(
            chain_id=self.chain_id, program_id=program_id, salon_id=salon_id or self.salon_id
        )
        return (await self.stub.GetEarnToken(request)).earn_token

    # -- accounts ------------------------------------------------------------------------------

    async def account(self, member_id: str, program_id: str = "main") -> pb.Account:
        """A member's account, opened if need be."""
        request = pb.OpenAccountRequest(
            chain_id=self.chain_id, member_id=member_id, program_id=program_id
        )
        return (await self.stub.OpenAccount(request)).account

    async def balance(self, account_id: str | None = None) -> int:
        """What an account holds: Alice's, unless said otherwise."""
        request = pb.GetAccountRequest(
            chain_id=self.chain_id, account_id=account_id or self.alices_account
        )
        return (await self.stub.GetAccount(request)).account.balance

    async def entries(self, account_id: str | None = None) -> list[pb.Entry]:
        """Alice's history, newest first."""
        request = pb.ListEntriesRequest(
            chain_id=self.chain_id, account_ids=[account_id or self.alices_account], limit=200
        )
        return list((await self.stub.ListEntries(request)).entries)

    # -- earning -------------------------------------------------------------------------------

    def item(self, **changes: Any) -> pb.EarnItem:
        """An earn of Alice's, by till with one point unless said otherwise."""
        values: dict[str, Any] = {
            "idempotency_key": new_id(),
            "chain_id": self.chain_id,
            "member_id": self.alice,
            "program_id": self.program.id,
            "salon_id": self.salon_id,
            "actor": self.herself,
            "session_id": self.session_id,
        }
        values.update(changes)
        if not {"scan", "typed_code", "tablet", "till"} & values.keys():
            values["till"] = pb.TillOrigin(points=1)
        return pb.EarnItem(**{name: value for name, value in values.items() if value is not None})

    async def earn_all(self, items: Sequence[pb.EarnItem]) -> list[pb.EarnOutcome]:
        """Many earns in one request."""
        return list((await self.stub.EarnPoints(pb.EarnPointsRequest(items=items))).outcomes)

    async def outcome(self, **changes: Any) -> pb.EarnOutcome:
        """What becomes of one earn."""
        (outcome,) = await self.earn_all([self.item(**changes)])
        return outcome

    async def earn(self, **changes: Any) -> pb.Earned:
        """One earn that counts."""
        outcome = await self.outcome(**changes)
        assert outcome.WhichOneof("outcome") == "earned", outcome.refusal
        return outcome.earned

    async def refused(self, **changes: Any) -> Refusal:
        """One earn that does not."""
        outcome = await self.outcome(**changes)
        assert outcome.WhichOneof("outcome") == "refusal", outcome.earned
        return outcome.refusal

    async def scan(self, **changes: Any) -> pb.ScanOrigin:
        """A scan of the salon's QR."""
        return pb.ScanOrigin(earn_token=await self.earn_token(), **changes)

    async def grant(self, points: int = 5, **changes: Any) -> str:
        """A grant that Bob opened on Alice's phone with the right code."""
        return (await self.stub.GrantMultiPoint(self.grant_request(points, **changes))).grant_id

    def grant_request(self, points: int = 5, **changes: Any) -> pb.GrantMultiPointRequest:
        """ "Entrer" on the green bar."""
        values: dict[str, Any] = {
            "chain_id": self.chain_id,
            "member_id": self.alice,
            "program_id": self.program.id,
            "session_id": self.session_id,
            "points": points,
            "multi_point_code": MULTI_POINT_CODE,
        }
        values.update(changes)
        return pb.GrantMultiPointRequest(**values)

    # -- by hand and for rewards ---------------------------------------------------------------

    async def adjust(self, points: int, **changes: Any) -> pb.AdjustPointsResponse:
        """Bob puts Alice's points right."""
        values: dict[str, Any] = {
            "idempotency_key": new_id(),
            "chain_id": self.chain_id,
            "account_id": self.alices_account,
            "points": points,
            "reason": pb.ADJUSTMENT_REASON_SALON,
            "actor": self.bob,
        }
        values.update(changes)
        return await self.stub.AdjustPoints(pb.AdjustPointsRequest(**values))

    async def debit(self, points: int, **changes: Any) -> pb.DebitPointsResponse:
        """A reward of Alice's is paid for."""
        values: dict[str, Any] = {
            "chain_id": self.chain_id,
            "account_id": self.alices_account,
            "reward_id": new_id(),
            "points": points,
            "actor": self.herself,
        }
        values.update(changes)
        return await self.stub.DebitPoints(pb.DebitPointsRequest(**values))

    async def give_back(self, reward_id: str, **changes: Any) -> pb.ReturnPointsResponse:
        """A reward is undone and its points come back."""
        values: dict[str, Any] = {"chain_id": self.chain_id, "reward_id": reward_id}
        values.update(changes)
        return await self.stub.ReturnPoints(pb.ReturnPointsRequest(**values))

    # -- what stands in the database -----------------------------------------------------------

    async def lots(self, account_id: str | None = None) -> list[tuple[int, int]]:
        """Points and what remains of them, lot by lot, oldest first."""
        rows = await self.deps.pool.fetch(
            """
            SELECT points, remaining FROM lot WHERE chain_id = $1 AND account_id = $2
            ORDER BY earned_at, id
            """,
            self.chain_id,
            account_id or self.alices_account,
        )
        return [(row["points"], row["remaining"]) for row in rows]

    async def events(self, kind: str = "points.%") -> list[PointsPosted]:
        """Postings as the rest of the world hears of them, in the order of leaving."""
        rows = await self.deps.pool.fetch(
            "SELECT payload FROM outbox WHERE chain_id = $1 AND type LIKE $2 ORDER BY id",
            self.chain_id,
            kind,
        )
        return [PointsPosted.FromString(row["payload"]) for row in rows]

    async def keys(self) -> int:
        """Idempotency keys of earns that chain A has left."""
        count: int = await self.deps.pool.fetchval(
            "SELECT count(*) FROM idempotency WHERE chain_id = $1 AND operation = 'earn'",
            self.chain_id,
        )
        return count

    async def breaches(self) -> Mapping[str, int]:
        """Laws of the ledger that are broken for chain A, with the number of rows."""
        async with self.deps.pool.acquire() as conn:
            _, findings = await checks.examine(conn, outbox_kept_days=10_000)
        found: dict[str, int] = {}
        for finding in findings:
            mine = [each for each in finding.named if each.chain_id == self.chain_id]
            if mine:
                found[finding.law.words] = len(mine)
        return found

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(timedelta(seconds=seconds))


async def refusal_of(call: Awaitable[object]) -> RemoteRefusal:
    """How a call is refused."""
    with pytest.raises(RemoteRefusal) as caught:
        await call
    return caught.value
