"""The rewards service in process, on real engines, as the tests of rewards speak to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from loyalty.rewards.v1 import rewards_pb2 as pb
from loyalty.rewards.v1.rewards_pb2_grpc import RewardsServiceStub
from loyalty.types.v1.types_pb2 import Actor, Money
from redis.asyncio import Redis

from services.chassis.clock import BusinessClock, FixedClock
from services.chassis.jobs import JobRunner
from services.chassis.postgres import Connection, Pool, in_transaction
from services.rewards import jobs
from services.rewards.domain.ids import ChainId, OfferId
from services.rewards.domain.offers import OfferTerms
from services.rewards.storage import offers as copies
from services.rewards.usecases.deps import Deps

T = TypeVar("T")

# A winter afternoon in Montréal.
START = datetime(2026, 12, 14, 19, 0, tzinfo=UTC)
HOME_ZONE = "America/Toronto"
PHONE = "alice-s-phone"


def new_id() -> str:
    """An id that nobody else has."""
    return str(uuid4())


@dataclass(kw_only=True)
class House:
    """Chain A with Alice, its member, and Bob, who works there; Charlie is of chain B."""

    deps: Deps
    stub: RewardsServiceStub
    clock: FixedClock
    chain_id: str = field(default_factory=new_id)
    salon_id: str = field(default_factory=new_id)
    program_id: str = field(default_factory=new_id)
    alice: str = field(default_factory=new_id)
    # Of chain B.
    charlie: str = field(default_factory=new_id)
    charlies_chain: str = field(default_factory=new_id)
    bob: Actor = field(default_factory=lambda: Actor(kind=Actor.KIND_STAFF, id=new_id()))

    @property
    def pool(self) -> Pool:
        return self.deps.pool

    @property
    def business(self) -> BusinessClock:
        return self.deps.clock

    @property
    def herself(self) -> Actor:
        return Actor(kind=Actor.KIND_MEMBER, id=self.alice)

    # -- definitions ---------------------------------------------------------------------------

    async def define(self, points: int = 10, **changes: object) -> pb.RewardDefinition:
        """A reward definition of chain A."""
        values: dict[str, object] = {
            "idempotency_key": new_id(),
            "chain_id": self.chain_id,
            "program_id": self.program_id,
            "name": f"Soin à {points}",
            "points": points,
            "discount": pb.Discount(percentage="10"),
            "actor": self.bob,
        }
        request = pb.CreateRewardDefinitionRequest(**{**values, **changes})  # type: ignore[arg-type]
        return (await self.stub.CreateRewardDefinition(request)).definition

    async def definitions(self) -> list[pb.RewardDefinition]:
        """What the chain offers now."""
        answer = await self.stub.ListRewardDefinitions(
            pb.ListRewardDefinitionsRequest(chain_id=self.chain_id)
        )
        return list(answer.definitions)

    # -- coupons -------------------------------------------------------------------------------

    async def offer(
        self,
        *,
        start: date = date(2026, 12, 10),
        end: date = date(2026, 12, 31),
        coupon_expiry: date | None = None,
        deleted: bool = False,
        shown_in_app: bool = True,
        title: str = "Masque offert",
        version: int = 1,
        offer_id: str = "",
    ) -> str:
        """An offer of chain A as its owner's event would have brought it here."""
        terms = OfferTerms(
            id=OfferId(UUID(offer_id or new_id())),
            chain_id=ChainId(UUID(self.chain_id)),
            title=title,
            description="Un masque à l'argile",
            exclusion="Sur rendez-vous",
            start_date=start,
            end_date=end,
            coupon_expiry_date=coupon_expiry,
            shown_in_app=shown_in_app,
            deleted=deleted,
            version=version,
            home_zone=HOME_ZONE,
        )
        await self.write(lambda conn: copies.keep_offer(conn, terms))
        return str(terms.id)

    async def take_offer(self, offer_id: str, *, member: str = "", key: str = "") -> pb.Reward:
        """The coupon that taking the offer gives."""
        return (await self.try_offer(offer_id, member=member, key=key)).reward

    async def try_offer(
        self, offer_id: str, *, member: str = "", key: str = ""
    ) -> pb.TakeOfferResponse:
        """The whole answer of taking an offer."""
        return await self.stub.TakeOffer(
            pb.TakeOfferRequest(
                idempotency_key=key or new_id(),
                chain_id=self.chain_id,
                member_id=member or self.alice,
                offer_id=offer_id,
                actor=self.herself,
            )
        )

    async def coupon(self) -> pb.Reward:
        """A fresh coupon in Alice's wallet."""
        return await self.take_offer(await self.offer())

    # -- wallet --------------------------------------------------------------------------------

    async def use(
        self,
        reward_id: str,
        *,
        key: str = "",
        member: str | None = None,
        session: str = PHONE,
        chain: str = "",
    ) -> pb.Reward:
        """The second tap on "Utiliser"."""
        answer = await self.stub.UseReward(
            pb.UseRewardRequest(
                idempotency_key=key or new_id(),
                chain_id=chain or self.chain_id,
                reward_id=reward_id,
                member_id=self.alice if member is None else member,
                salon_id=self.salon_id,
                session_id=session,
                actor=self.herself,
            ),
            timeout=60,
        )
        return answer.reward

    async def back(self, reward_id: str, *, session: str = PHONE, member: str = "") -> pb.Reward:
        """ "Retour"."""
        answer = await self.stub.EndDisplay(
            pb.EndDisplayRequest(
                chain_id=self.chain_id,
                reward_id=reward_id,
                member_id=member or self.alice,
                session_id=session,
            )
        )
        return answer.reward

    async def restore(self, reward_id: str, *, key: str = "") -> pb.Reward:
        """ "Remettre à gagné", by Bob."""
        answer = await self.stub.RestoreReward(
            pb.RestoreRewardRequest(
                idempotency_key=key,
                chain_id=self.chain_id,
                reward_id=reward_id,
                actor=self.bob,
            )
        )
        return answer.reward

    async def void(
        self, reward_id: str, *, return_points: bool = True, key: str = ""
    ) -> pb.VoidRewardResponse:
        """ "Annuler", by Bob."""
        return await self.stub.VoidReward(
            pb.VoidRewardRequest(
                idempotency_key=key,
                chain_id=self.chain_id,
                reward_id=reward_id,
                return_points=return_points,
                actor=self.bob,
            )
        )

    async def reward(self, reward_id: str) -> pb.Reward:
        """The reward as it stands."""
        answer = await self.stub.GetReward(
            pb.GetRewardRequest(chain_id=self.chain_id, reward_id=reward_id)
        )
        return answer.reward

    async def wallet(self, member: str = "") -> list[pb.Reward]:
        """ "Mes récompenses"."""
        answer = await self.stub.GetWallet(
            pb.GetWalletRequest(chain_id=self.chain_id, member_id=member or self.alice)
        )
        return list(answer.rewards)

    async def events(self, **filters: object) -> list[pb.RewardEvent]:
        """The feed of chain A, newest first."""
        request = pb.ListRewardEventsRequest(chain_id=self.chain_id, **filters)  # type: ignore[arg-type]
        return list((await self.stub.ListRewardEvents(request)).events)

    async def published(self, reward_id: str) -> list[str]:
        """Types of the events that left, or will leave, about a reward, in order."""
        rows = await self.pool.fetch(
            "SELECT type FROM outbox WHERE chain_id = $1 AND key = $2 ORDER BY id",
            UUID(self.chain_id),
            reward_id,
        )
        return [row["type"] for row in rows]

    # -- time and state ------------------------------------------------------------------------

    def pass_time(self, **span: float) -> None:
        """Let business time go on."""
        self.clock.advance(timedelta(**span))

    def go_to(self, at: datetime) -> None:
        """Let business time be `at`."""
        self.clock.set(at)

    async def run_jobs(self) -> int:
        """Do what is due in the chain."""
        runner = JobRunner(self.pool, jobs.handlers(self.deps), self.business)
        return await runner.run_due(UUID(self.chain_id))

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Something in one transaction."""
        return await in_transaction(self.pool, work)

    async def count(self, table: str) -> int:
        """Rows of chain A in a table."""
        number: int = await self.pool.fetchval(
            f"SELECT count(*) FROM {table} WHERE chain_id = $1", UUID(self.chain_id)
        )
        return number


def percent(text: str) -> pb.Discount:
    """A part of the price."""
    return pb.Discount(percentage=text)


def dollars(minor: int, currency: str = "CAD") -> pb.Discount:
    """An amount off."""
    return pb.Discount(amount=Money(amount=minor, currency=currency))


def countdown_key(house: House, reward_id: str) -> str:
    """Where the gateway looks for a running countdown."""
    return f"countdown:{house.chain_id}:{reward_id}"


async def countdown(redis: Redis, house: House, reward_id: str) -> tuple[bytes | str | None, int]:
    """What lies there, and for how many milliseconds still."""
    key = countdown_key(house, reward_id)
    return await redis.get(key), await redis.pttl(key)
