"""A till in Alice's salon: it opens sales, counts them, and takes them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from loyalty.points.v1 import points_pb2 as points_pb
from loyalty.rewards.v1 import rewards_pb2 as pb
from loyalty.types.v1.types_pb2 import Actor

from services.chassis import inbox
from services.chassis.events import Event
from services.chassis.postgres import Connection, Pool
from services.rewards import consumers
from tests.rewards.counter import Counter
from tests.rewards.house import new_id

GROUP = "rewards.sales"
TYPES = ("sale.counted", "sale.changed")


@dataclass(kw_only=True)
class Till:
    """Speaks to points with an API key, and hands over what points tells rewards."""

    counter: Counter
    points_pool: Pool
    key: Actor = field(default_factory=lambda: Actor(kind=Actor.KIND_API_KEY, id=new_id()))

    # -- sales ---------------------------------------------------------------------------------

    async def open(self, minor: int = 8_000, *, member: str | None = None) -> str:
        """An open sale of one line, with Alice on it unless somebody else or nobody ("") is."""
        answer = await self.counter.ledger.stub.CreateSale(
            points_pb.CreateSaleRequest(
                idempotency_key=new_id(),
                chain_id=self.counter.chain_id,
                salon_id=self.counter.salon_id,
                member_id=self.counter.alice if member is None else member,
                currency="CAD",
                lines=[
                    points_pb.SaleLine(
                        uid="soin", name="Soin", quantity="1", unit_price_minor=minor
                    )
                ],
                actor=self.key,
            )
        )
        return answer.sale.id

    async def sale(self, sale_id: str) -> points_pb.Sale:
        """The sale as it stands."""
        answer = await self.counter.ledger.stub.GetSale(
            points_pb.GetSaleRequest(chain_id=self.counter.chain_id, sale_id=sale_id)
        )
        return answer.sale

    async def total(self, sale_id: str) -> int:
        """What the member would pay."""
        return (await self.sale(sale_id)).total_minor

    async def rewards_on(self, sale_id: str) -> list[str]:
        """The rewards that points has on the sale."""
        return [one.reward_id for one in (await self.sale(sale_id)).discounts if one.reward_id]

    async def count(self, sale_id: str) -> None:
        """The member has paid."""
        await self.counter.ledger.stub.CountSale(
            points_pb.CountSaleRequest(
                idempotency_key=new_id(),
                chain_id=self.counter.chain_id,
                account_id=self.counter.account_id,
                sale_id=sale_id,
                salon_id=self.counter.salon_id,
                actor=self.key,
            )
        )

    async def refund(self, sale_id: str) -> None:
        """All of it goes back."""
        await self.counter.ledger.stub.RefundSale(
            points_pb.RefundSaleRequest(
                idempotency_key=new_id(),
                chain_id=self.counter.chain_id,
                sale_id=sale_id,
                change_id=new_id(),
                full=points_pb.FullRefund(),
                actor=self.key,
            )
        )

    # -- what points tells ---------------------------------------------------------------------

    async def told(self) -> list[Event]:
        """What points has told of sales of this chain, in its order."""
        rows = await self.points_pool.fetch(
            """
            SELECT event_id, type, topic, key, subject, chain_id, payload, occurred_at
            FROM outbox WHERE chain_id = $1 AND type = ANY($2::text[]) ORDER BY id
            """,
            UUID(self.counter.chain_id),
            list(TYPES),
        )
        return [
            Event(
                id=row["event_id"],
                type=row["type"],
                source="points",
                subject=row["subject"],
                chain_id=row["chain_id"],
                time=row["occurred_at"],
                topic=row["topic"],
                partition=0,
                offset=place,
                key=row["key"],
                payload=row["payload"],
                request_id="",
            )
            for place, row in enumerate(rows)
        ]

    async def hear(self, events: Sequence[Event] | None = None) -> None:
        """Let rewards have events as its consumer gives them; by default all that were told."""
        for event in await self.told() if events is None else events:
            await self.counter.write(lambda conn, event=event: _apply(conn, event))  # type: ignore[misc]

    # -- rewards -------------------------------------------------------------------------------

    async def apply(self, reward_id: str, sale_id: str, *, chain: str = "") -> pb.Reward:
        """Put a reward on a sale."""
        answer = await self.counter.stub.ApplyReward(
            pb.ApplyRewardRequest(
                chain_id=chain or self.counter.chain_id,
                reward_id=reward_id,
                sale_id=sale_id,
                actor=self.key,
            ),
            timeout=60,
        )
        return answer.reward

    async def remove(self, reward_id: str, *, chain: str = "") -> pb.Reward:
        """Take a reward off its sale."""
        answer = await self.counter.stub.RemoveReward(
            pb.RemoveRewardRequest(
                chain_id=chain or self.counter.chain_id, reward_id=reward_id, actor=self.key
            ),
            timeout=60,
        )
        return answer.reward

    async def use(self, reward_id: str) -> pb.Reward:
        """Use a reward as a till does, without naming the member."""
        answer = await self.counter.stub.UseReward(
            pb.UseRewardRequest(
                idempotency_key=new_id(),
                chain_id=self.counter.chain_id,
                reward_id=reward_id,
                salon_id=self.counter.salon_id,
                session_id=self.key.id,
                actor=self.key,
            )
        )
        return answer.reward

    async def reward(self, cost: int = 10, **changes: object) -> pb.Reward:
        """A fresh reward in Alice's wallet, whose points were given for it."""
        await self.counter.give(cost)
        return await self.counter.take((await self.counter.define(cost, **changes)).id)

    async def check(self, *sale_ids: str) -> None:
        """Points and rewards agree on what is on which open sale."""
        assert await self.counter.count("settlement") == 0
        rows = await self.counter.pool.fetch(
            """
            SELECT id, sale_id FROM reward
            WHERE chain_id = $1 AND state = 'issued' AND sale_id IS NOT NULL
            """,
            UUID(self.counter.chain_id),
        )
        here = {(str(row["id"]), str(row["sale_id"])) for row in rows}
        there = {
            (reward_id, sale_id)
            for sale_id in sale_ids
            if (await self.sale(sale_id)).state == points_pb.SALE_STATE_OPEN
            for reward_id in await self.rewards_on(sale_id)
        }
        assert here == there


async def _apply(conn: Connection, event: Event) -> None:
    _, handlers = consumers.GROUPS[GROUP]
    if await inbox.first_time(conn, chain_id=event.chain_id, consumer=GROUP, event_id=event.id):
        await handlers[event.type](conn, event)
