"""A till of chain A: it posts sales, counts them for Alice, and takes them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from google.protobuf.message import Message
from loyalty.events.v1 import points_events_pb2 as events_pb
from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1.types_pb2 import Actor, Money

from services.points.domain.accrual import AccrualRule, CategoryRule, ItemRule, SpendRule
from services.points.domain.refunds import AmountRefund, Change, FullRefund, ItemRefund
from services.points.domain.sales import SaleLine
from services.points.rpc import rules as rule_messages
from tests.points.house import House, new_id

Fact = TypeVar("Fact", bound=Message)

SPEND_1 = pb.AccrualRule(type=pb.ACCRUAL_TYPE_SPEND, points=1, amount_minor=100)
SPEND_2 = pb.AccrualRule(type=pb.ACCRUAL_TYPE_SPEND, points=1, amount_minor=200)
# Base 0, Argent 500 (x1.25), Or 1 000 (x1.5), as in the worked examples.
LADDER = (
    pb.Tier(name="Base", threshold=0, multiplier="1"),
    pb.Tier(name="Argent", threshold=500, multiplier="1.25"),
    pb.Tier(name="Or", threshold=1000, multiplier="1.5"),
)
DAILY = "BEGIN:VEVENT\nDTSTART:20261201T000000\nDURATION:P1D\nRRULE:FREQ=DAILY\nEND:VEVENT"


def line(uid: str, price_minor: int, **more: Any) -> pb.SaleLine:
    """One line of a sale."""
    return pb.SaleLine(**{"uid": uid, "quantity": "1", "unit_price_minor": price_minor, **more})


def returned(*lines: str) -> list[pb.ReturnedLine]:
    """Lines that come back, each as "uid" or "uid*quantity"."""
    parts = [part.partition("*") for part in lines]
    return [pb.ReturnedLine(uid=uid, quantity=quantity or "1") for uid, _, quantity in parts]


@dataclass(kw_only=True)
class Till:
    """What the tests of sales do, on the house's own wire."""

    house: House
    actor: Actor = field(default_factory=lambda: Actor(kind=Actor.KIND_API_KEY, id=new_id()))
    # The worked table's names of the catalog, and what the chain's catalog calls them.
    names: dict[str, str] = field(default_factory=dict)

    # -- settings ------------------------------------------------------------------------------

    async def rules(self, *rules: pb.AccrualRule, **more: Any) -> pb.Program:
        """The owner saves accrual rules, and what else `more` says."""
        wanted = pb.ProgramRules(accrual_rules=rules, **more)
        return await self.house.update_program(rules=wanted)

    async def catalog(self) -> None:
        """Coupe, shampoo, a soin of the category soins, and a product of products."""
        category, item, variation = (
            pb.CATALOG_OBJECT_TYPE_CATEGORY,
            pb.CATALOG_OBJECT_TYPE_ITEM,
            pb.CATALOG_OBJECT_TYPE_ITEM_VARIATION,
        )
        objects = [
            pb.CatalogObject(id=f"#{name}", type=category, name=name)
            for name in ("soins", "products")
        ]
        for name, own in (("coupe", ""), ("shampoo", ""), ("soin", "soins"), ("p", "products")):
            categories = [f"#{own}"] if own else []
            objects.append(
                pb.CatalogObject(id=f"#item-{name}", type=item, name=name, category_ids=categories)
            )
            objects.append(
                pb.CatalogObject(id=f"#{name}", type=variation, name=name, item_id=f"#item-{name}")
            )
        answer = await self.house.stub.UpsertCatalogObjects(
            pb.UpsertCatalogObjectsRequest(
                idempotency_key=new_id(), chain_id=self.house.chain_id, objects=objects
            )
        )
        self.names = {name.removeprefix("#"): id for name, id in answer.new_ids.items()}

    async def promotion(self, **more: Any) -> pb.Promotion:
        """A promotion that always runs, x2 unless said otherwise."""
        values: dict[str, Any] = {"name": "Double", "periods": [DAILY], **more}
        if "addition" not in values:
            values.setdefault("multiplier", "2")
        request = pb.CreatePromotionRequest(
            idempotency_key=new_id(),
            chain_id=self.house.chain_id,
            program_id=self.house.program.id,
            promotion=pb.Promotion(**values),
        )
        return (await self.house.stub.CreatePromotion(request)).promotion

    def rule(self, rule: AccrualRule) -> pb.AccrualRule:
        """A rule of the worked table, with the catalog's own ids."""
        message = rule_messages.accrual_rule(rule)
        match rule:
            case ItemRule(variation_id=name):
                message.variation_id = self.names[name]
            case CategoryRule(category_id=name):
                message.category_id = self.names[name]
            case SpendRule(excluded_category_ids=named):
                del message.excluded_category_ids[:]
                message.excluded_category_ids.extend(self.names[name] for name in named)
        return message

    def line(self, of: SaleLine) -> pb.SaleLine:
        """A line of the worked table as the till posts it."""
        named = of.variation_id or ("p" if "products" in of.category_ids else None)
        return line(
            of.uid,
            of.unit_price_minor,
            quantity=str(of.quantity),
            catalog_object_id=self.names[named] if named else "",
        )

    # -- sales ---------------------------------------------------------------------------------

    async def post(self, *lines: pb.SaleLine, **changes: Any) -> pb.Sale:
        """A sale of Alice's, unless said otherwise."""
        request = self.request(*lines, **changes)
        return (await self.house.stub.CreateSale(request)).sale

    def request(self, *lines: pb.SaleLine, **changes: Any) -> pb.CreateSaleRequest:
        """What posts it."""
        values: dict[str, Any] = {
            "idempotency_key": new_id(),
            "chain_id": self.house.chain_id,
            "salon_id": self.house.salon_id,
            "member_id": self.house.alice,
            "currency": "CAD",
            "lines": lines,
            "actor": self.actor,
            **changes,
        }
        return pb.CreateSaleRequest(**values)

    async def sale(self, sale_id: str) -> pb.Sale:
        """A sale as it stands."""
        request = pb.GetSaleRequest(chain_id=self.house.chain_id, sale_id=sale_id)
        return (await self.house.stub.GetSale(request)).sale

    async def count(self, sale_id: str, **changes: Any) -> pb.CountSaleResponse:
        """Alice's points are counted."""
        values: dict[str, Any] = {
            "idempotency_key": new_id(),
            "chain_id": self.house.chain_id,
            "account_id": self.house.alices_account,
            "sale_id": sale_id,
            "salon_id": self.house.salon_id,
            "actor": self.actor,
            **changes,
        }
        return await self.house.stub.CountSale(pb.CountSaleRequest(**values))

    async def sell(self, *lines: pb.SaleLine, **changes: Any) -> pb.CountSaleResponse:
        """A sale that is posted and counted."""
        return await self.count((await self.post(*lines, **changes)).id)

    async def earned(self, *lines: pb.SaleLine, **changes: Any) -> int:
        """What a sale brings in all."""
        return sum(entry.points for entry in (await self.sell(*lines, **changes)).entries)

    async def preview(self, **changes: Any) -> pb.CalculatePointsResponse:
        """What something would earn Alice."""
        values: dict[str, Any] = {
            "chain_id": self.house.chain_id,
            "account_id": self.house.alices_account,
            **changes,
        }
        return await self.house.stub.CalculatePoints(pb.CalculatePointsRequest(**values))

    # -- what comes back -----------------------------------------------------------------------

    async def refund(
        self,
        sale_id: str,
        *,
        items: Sequence[str] = (),
        amount: int | None = None,
        **changes: Any,
    ) -> pb.ChangeEffect:
        """Lines, an amount, or all of a sale come back."""
        values: dict[str, Any] = {
            "idempotency_key": new_id(),
            "chain_id": self.house.chain_id,
            "sale_id": sale_id,
            "change_id": new_id(),
            "actor": self.actor,
            **changes,
        }
        if items:
            values["items"] = pb.ItemsRefund(lines=returned(*items))
        elif amount is not None:
            values["amount"] = Money(amount=amount, currency="CAD")
        else:
            values["full"] = pb.FullRefund()
        return (await self.house.stub.RefundSale(pb.RefundSaleRequest(**values))).effect

    async def change(self, sale_id: str, change: Change, **more: Any) -> pb.ChangeEffect:
        """A refund of the worked table."""
        match change:
            case ItemRefund(id=change_id, lines=lines):
                parts = [f"{each.uid}*{each.quantity}" for each in lines]
                return await self.refund(sale_id, items=parts, change_id=change_id, **more)
            case AmountRefund(id=change_id, amount_minor=minor):
                return await self.refund(sale_id, amount=minor, change_id=change_id, **more)
            case FullRefund(id=change_id):
                return await self.refund(sale_id, change_id=change_id, **more)
        raise AssertionError(change)

    async def exchange(
        self, sale_id: str, back: Sequence[str], *added: pb.SaleLine, **changes: Any
    ) -> pb.ChangeEffect:
        """Lines come back for others."""
        values: dict[str, Any] = {
            "idempotency_key": new_id(),
            "chain_id": self.house.chain_id,
            "sale_id": sale_id,
            "change_id": new_id(),
            "returned": returned(*back),
            "added": added,
            "actor": self.actor,
            **changes,
        }
        return (await self.house.stub.ExchangeSale(pb.ExchangeSaleRequest(**values))).effect

    # -- rewards -------------------------------------------------------------------------------

    async def apply(self, sale_id: str, reward_id: str, **changes: Any) -> pb.Sale:
        """A reward of Alice's goes on a sale, 10 % unless said otherwise."""
        values: dict[str, Any] = {
            "chain_id": self.house.chain_id,
            "sale_id": sale_id,
            "reward_id": reward_id,
            "member_id": self.house.alice,
            "discount": pb.RewardDiscount(name="10 %", percentage="10"),
            **changes,
        }
        return (await self.house.stub.ApplyReward(pb.ApplyRewardRequest(**values))).sale

    async def remove(self, sale_id: str, reward_id: str, **changes: Any) -> pb.Sale:
        """It comes off again."""
        values: dict[str, Any] = {
            "chain_id": self.house.chain_id,
            "sale_id": sale_id,
            "reward_id": reward_id,
            **changes,
        }
        return (await self.house.stub.RemoveReward(pb.RemoveRewardRequest(**values))).sale

    # -- what the world hears ------------------------------------------------------------------

    async def facts(self, kind: str, of: type[Fact]) -> list[Fact]:
        """Events of one type, in the order of leaving."""
        rows = await self.house.deps.pool.fetch(
            "SELECT payload FROM outbox WHERE chain_id = $1 AND type = $2 ORDER BY id",
            self.house.chain_id,
            kind,
        )
        return [of.FromString(row["payload"]) for row in rows]

    async def tiers(self) -> list[str]:
        """The tiers that Alice was told of."""
        return [fact.tier_name for fact in await self.facts("tier.changed", events_pb.TierChanged)]


def spend(points: int, amount_minor: int) -> pb.AccrualRule:
    """So many points for every so much."""
    return pb.AccrualRule(type=pb.ACCRUAL_TYPE_SPEND, points=points, amount_minor=amount_minor)
