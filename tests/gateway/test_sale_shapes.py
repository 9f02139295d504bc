"""Sales, the catalog and the ledger as Square's objects: every cent told, nothing invented."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.points.v1 import points_pb2
from loyalty.points.v1.points_pb2 import (
    CatalogObject,
    Entry,
    GetLedgerResponse,
    LedgerLine,
    LedgerTotal,
    LedgerUse,
    Sale,
    SaleDiscount,
    SaleLine,
    SalePoints,
    SaleTax,
)
from loyalty.types.v1.types_pb2 import Actor

from services.gateway.errors import ApiError
from services.gateway.pos.account_shapes import account_shape
from services.gateway.pos.catalog_bodies import CatalogBatch, read
from services.gateway.pos.catalog_shapes import by_item, object_shape
from services.gateway.pos.event_shapes import entry_event
from services.gateway.pos.ledger import entry_shape, sentence
from services.gateway.pos.order_shapes import order_shape

NOON = Timestamp(seconds=1_790_000_000)


def cad(amount: int) -> dict[str, Any]:
    """Money of the chain."""
    return {"amount": amount, "currency": "CAD"}


def sale(*lines: SaleLine, **said: Any) -> Sale:
    """An open sale."""
    return Sale(
        id="s",
        salon_id="salon",
        state=said.pop("state", points_pb2.SALE_STATE_OPEN),
        currency="CAD",
        lines=lines,
        occurred_at=NOON,
        created_at=NOON,
        updated_at=NOON,
        version=1,
        **said,
    )


def line(uid: str = "coupe", **said: Any) -> SaleLine:
    """A line of $80."""
    values = {"unit_price_minor": 8000, "gross_minor": 8000, "net_minor": 8000, **said}
    return SaleLine(uid=uid, quantity="1", **values)


def test_an_open_sale_tells_what_is_due_and_a_counted_one_what_it_brought() -> None:
    open_order = order_shape(sale(line(), total_minor=9000, tip_minor=1000), {})
    counted = order_shape(
        sale(
            line(),
            total_minor=8000,
            state=points_pb2.SALE_STATE_COUNTED,
            counted_at=NOON,
            account_id="account",
            program_id="program",
            earned=SalePoints(base=30, tier_bonus=7, promotion=5),
            held=SalePoints(base=20, tier_bonus=5, promotion=3),
            silent_line_uids=["shampoing"],
        ),
        {},
    )

    assert (open_order["state"], open_order["net_amount_due_money"]) == ("OPEN", cad(9000))
    assert open_order["total_tip_money"] == open_order["net_amounts"]["tip_money"] == cad(1000)
    assert "loyalty" not in open_order
    assert "closed_at" not in open_order
    assert counted["state"] == "COMPLETED"
    assert "net_amount_due_money" not in counted
    assert counted["loyalty"] == {
        "loyalty_account_id": "account",
        "loyalty_program_id": "program",
        "points": 37,
        "tier_bonus_points": 7,
        "promotion_points": 5,
        "held_points": 28,
        "silent_line_uids": ["shampoing"],
        "changes": [],
    }


def test_a_discount_of_some_lines_stands_on_those_lines_only() -> None:
    off = SaleDiscount(uid="d", percentage="10", line_uids=["coupe"], applied_minor=800)
    made = line(net_minor=7200, discount_minor=800)
    shape = order_shape(sale(made, line("soin"), discounts=[off]), {})
    coupe, soin = shape["line_items"]

    assert shape["discounts"][0]["scope"] == "LINE_ITEM"
    assert coupe["total_discount_money"] == cad(800)
    assert coupe["applied_discounts"] == [
        {"uid": "coupe:d", "discount_uid": "d", "applied_money": cad(800)}
    ]
    assert soin["total_discount_money"] == cad(0)
    assert "applied_discounts" not in soin


@pytest.mark.parametrize(
    ("taxes", "net", "tax", "total"),
    [
        ([SaleTax(uid="a", percentage="5")], 7200, 360, 7560),
        ([SaleTax(uid="i", percentage="5", inclusive=True)], 6857, 343, 7200),
        ([SaleTax(uid="a"), SaleTax(uid="i", inclusive=True)], 6857, 703, 7560),
    ],
)
def test_a_tax_in_the_price_is_no_discount(
    taxes: list[SaleTax], net: int, tax: int, total: int
) -> None:
    """Also where a line has both kinds of taxes."""
    off = SaleDiscount(uid="d", percentage="10", applied_minor=800)
    made = line(net_minor=net, tax_minor=tax, discount_minor=800)
    shape = order_shape(sale(made, discounts=[off], taxes=taxes), {})["line_items"][0]

    assert shape["total_money"] == cad(total)
    assert shape["gross_sales_money"] == cad(8000)
    assert shape["total_discount_money"] == cad(800)
    assert shape["applied_discounts"][0]["applied_money"] == cad(800)


def test_a_reward_on_a_sale_names_its_tier_and_a_coupon_has_none() -> None:
    """SQ-20: the reward is the discount's origin."""
    off = SaleDiscount(name="10 %", percentage="10", reward_id="r", applied_minor=800)
    coupon = SaleDiscount(name="Soin offert", reward_id="c")
    shape = order_shape(sale(line(net_minor=7200), discounts=[off, coupon]), {"r": "tier"})

    assert shape["rewards"] == [{"id": "r", "reward_tier_id": "tier"}, {"id": "c"}]
    assert [one["uid"] for one in shape["discounts"]] == ["r", "c"]
    assert [one["reward_ids"] for one in shape["discounts"]] == [["r"], ["c"]]
    assert shape["discounts"][1]["amount_money"] == cad(0)


def entry(kind: points_pb2.EntryKind.ValueType, points: int, **said: Any) -> Entry:
    """A posting of Alice's account."""
    return Entry(
        id="e",
        account_id="account",
        member_id="alice",
        program_id="program",
        kind=kind,
        points=points,
        occurred_at=NOON,
        recorded_at=NOON,
        **said,
    )


def test_the_bonus_of_a_tier_stands_beside_its_points() -> None:
    """SQ-05, T3: 30 and 7 more; a sale without a bonus says nothing of one."""
    with_bonus = entry_event(
        entry(points_pb2.ENTRY_KIND_EARN, 37, tier_bonus=7, sale_id="s", salon_id="plateau")
    )
    plain = entry_event(entry(points_pb2.ENTRY_KIND_EARN, 3))

    assert with_bonus["type"] == "ACCUMULATE_POINTS"
    assert with_bonus["accumulate_points"] == {
        "loyalty_program_id": "program",
        "points": 37,
        "order_id": "s",
        "tier_bonus_points": 7,
    }
    assert with_bonus["location_id"] == "plateau"
    assert plain["accumulate_points"] == {"loyalty_program_id": "program", "points": 3}


def test_promotion_refund_and_expiry_are_events_of_their_own() -> None:
    promoted = entry_event(
        entry(points_pb2.ENTRY_KIND_PROMOTION, 30, sale_id="s", promotion_id="p")
    )
    refunded = entry_event(entry(points_pb2.ENTRY_KIND_REFUND, -25, sale_id="s", change_id="r-1"))
    expired = entry_event(entry(points_pb2.ENTRY_KIND_EXPIRY, -100))

    assert promoted["type"] == "ACCUMULATE_PROMOTION_POINTS"
    assert promoted["accumulate_promotion_points"] == {
        "loyalty_program_id": "program",
        "loyalty_promotion_id": "p",
        "points": 30,
        "order_id": "s",
    }
    assert refunded["type"] == "REFUND_POINTS"
    assert refunded["refund_points"]["points"] == -25
    assert refunded["refund_points"]["change_id"] == "r-1"
    assert expired["type"] == "EXPIRE_POINTS"
    assert expired["expire_points"] == {"loyalty_program_id": "program", "points": -100}


def ledger(overdue: int = 0, **points: int) -> GetLedgerResponse:
    """A ledger of so many points by kind."""
    totals = [
        LedgerTotal(kind=points_pb2.EntryKind.Value(f"ENTRY_KIND_{name}"), points=value, entries=1)
        for name, value in points.items()
    ]
    return GetLedgerResponse(totals=totals, balance=sum(points.values()), overdue=overdue)


@pytest.mark.parametrize(
    ("kept", "english", "french"),
    [
        (
            ledger(EARN=120, REWARD=-50, EXPIRY=-13),
            "balance 57 = 120 earned − 50 taken − 13 expired",
            "solde 57 = 120 gagnés − 50 échangés − 13 expirés",
        ),
        (
            ledger(EARN=100, PROMOTION=20, REWARD=-50, REWARD_RETURN=50, REFUND=-25, ADJUSTMENT=5),
            "balance 100 = 120 earned + 5 adjusted − 50 taken + 50 returned − 25 refunded",
            "solde 100 = 120 gagnés + 5 ajustés − 50 échangés + 50 rendus − 25 remboursés",
        ),
        (ledger(), "balance 0 = 0 earned", "solde 0 = 0 gagné"),
        (ledger(ADJUSTMENT=-3), "balance −3 = −3 adjusted", "solde −3 = −3 ajustés"),
        (
            ledger(EARN=2, REWARD=-1, EXPIRY=-1),
            "balance 0 = 2 earned − 1 taken − 1 expired",
            "solde 0 = 2 gagnés − 1 échangé − 1 expiré",
        ),
        (ledger(EARN=1), "balance 1 = 1 earned", "solde 1 = 1 gagné"),
        # What has ended counts as expired before anybody has posted it (D8).
        (
            ledger(EARN=70, REWARD=-50, overdue=13),
            "balance 7 = 70 earned − 50 taken − 13 expired",
            "solde 7 = 70 gagnés − 50 échangés − 13 expirés",
        ),
    ],
)
def test_the_balance_is_told_as_the_sum_of_its_entries(
    kept: GetLedgerResponse, english: str, french: str
) -> None:
    """N3: every sum can be checked by reading it."""
    assert sentence(kept, "en") == english
    assert sentence(kept, "fr") == french


def test_an_entry_says_what_where_by_whom_why_and_of_which_points() -> None:
    """SQ-03, SQ-04, N3."""
    told = entry_shape(
        LedgerLine(
            entry=entry(
                points_pb2.ENTRY_KIND_ADJUSTMENT,
                -5,
                salon_id="plateau",
                reason=points_pb2.ADJUSTMENT_REASON_ERROR,
                actor=Actor(kind=Actor.KIND_STAFF, id="bob"),
            ),
            uses=[LedgerUse(entry_id="first", points=5)],
        )
    )

    assert (told["type"], told["points"], told["location_id"]) == ("ADJUSTMENT", -5, "plateau")
    assert (told["actor"], told["reason"]) == ({"type": "STAFF", "id": "bob"}, "Erreur")
    assert told["uses"] == [{"entry_id": "first", "points": 5}]
    assert "remaining_points" not in told


def test_an_account_tells_its_tier_and_what_ends_when() -> None:
    """SQ-05, SQ-68: 50 in all, with the schedule."""
    argent = points_pb2.Tier(id="t2", name="Argent", threshold=500, multiplier="1.25")
    base = points_pb2.Tier(id="t1", name="Base", multiplier="1")
    account = points_pb2.Account(
        id="account",
        balance=50,
        opened_at=NOON,
        updated_at=NOON,
        expiring=[
            points_pb2.ExpiringPoints(points=30, expires_at=NOON, last_day="2027-01-31"),
            points_pb2.ExpiringPoints(points=20, expires_at=NOON, last_day="2027-02-28"),
        ],
        tier=points_pb2.TierStanding(tier=base, next=argent, progress=480),
    )
    shape = account_shape(account, None)

    deadlines = shape["expiring_point_deadlines"]
    assert [(one["points"], one["last_day"]) for one in deadlines] == [
        (30, "2027-01-31"),
        (20, "2027-02-28"),
    ]
    assert shape["tier"]["name"] == "Base"
    assert shape["tier"]["next_tier"]["missing_points"] == 20
    assert "kept_until" not in shape["tier"]


def batch(*objects: dict[str, Any]) -> list[CatalogBatch]:
    """One batch of a request."""
    return [CatalogBatch.model_validate({"objects": list(objects)})]


def variation(name: str, **data: Any) -> dict[str, Any]:
    """A variation."""
    return {"type": "ITEM_VARIATION", "id": name, "item_variation_data": data}


def test_an_items_variations_follow_it_and_long_names_of_new_ones_are_no_matter() -> None:
    long = "#" + "x" * 180
    item = {
        "type": "ITEM",
        "id": long,
        "item_data": {
            "name": "Soin",
            "category_id": "soins",
            "variations": [variation("#v", price_money=cad(6500))],
        },
    }
    asked, own_ids = read(batch(item), currency="CAD")

    first, second = (one.made for one in asked)
    assert own_ids[first.id] == long
    assert (second.item_id, second.name, second.price.amount) == (first.id, "Soin", 6500)
    assert list(first.category_ids) == ["soins"]
    assert asked[1].field == "batches[0].objects[0].item_data.variations[0]"


@pytest.mark.parametrize(
    ("objects", "field"),
    [
        ([variation("#v", item_id="#nothing")], "objects[0].item_variation_data.item_id"),
        ([variation("#v")], "objects[0].item_variation_data.item_id"),
        ([variation("x" * 37, item_id="i")], "objects[0].id"),
        ([{"type": "ITEM", "id": "#i"}], "objects[0].item_data"),
        (
            [{"type": "CATEGORY", "id": "#c", "item_data": {"name": "x"}}],
            "objects[0].item_data",
        ),
        (
            [variation("#v", item_id="i", price_money={"amount": 1, "currency": "USD"})],
            "objects[0].item_variation_data.price_money.currency",
        ),
        (
            [variation("#v", item_id="i", price_money=cad(1), pricing_type="VARIABLE_PRICING")],
            "objects[0].item_variation_data.price_money",
        ),
        (
            [variation("#v", item_id="i", location_overrides=[{"price_money": cad(1)}])],
            "objects[0].item_variation_data.location_overrides[0]",
        ),
        ([variation("v", item_id="i"), variation("v", item_id="i")], "objects[1].id"),
        (
            [
                {
                    "type": "ITEM",
                    "id": "#i",
                    "item_data": {"name": "x", "variations": [variation("#v", item_id="j")]},
                }
            ],
            "objects[0].item_data.variations[0].item_variation_data.item_id",
        ),
    ],
)
def test_a_catalog_that_cannot_be_kept_is_refused_at_its_place(
    objects: list[dict[str, Any]], field: str
) -> None:
    with pytest.raises(ApiError) as refused:
        read(batch(*objects), currency="CAD")

    assert refused.value.field == f"batches[0].{field}"


def test_an_item_is_shown_with_its_own_variations() -> None:
    item = CatalogObject(id="i", type=points_pb2.CATALOG_OBJECT_TYPE_ITEM, name="Soin")
    mine = CatalogObject(
        id="v", type=points_pb2.CATALOG_OBJECT_TYPE_ITEM_VARIATION, name="Long", item_id="i"
    )
    others = CatalogObject(
        id="w", type=points_pb2.CATALOG_OBJECT_TYPE_ITEM_VARIATION, name="Court", item_id="j"
    )
    shape = object_shape(item, by_item([mine, others]))

    assert [one["id"] for one in shape["item_data"]["variations"]] == ["v"]
    data = shape["item_data"]["variations"][0]["item_variation_data"]
    assert data["pricing_type"] == "VARIABLE_PRICING"
