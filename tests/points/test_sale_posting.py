"""Sales as tills post them: priced to the cent, kept as they were sold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1.types_pb2 import Money

from tests.points.house import House, new_id, refusal_of, stamp
from tests.points.till import Till, line


async def test_a_sale_is_kept_as_it_was_sold(till: Till) -> None:
    """Lines, discounts and taxes with what each came to; open, at its salon, with its tip."""
    posted = await till.post(
        line("cut", 5000, name="Coupe"),
        line("oil", 1250, quantity="2", name="Huile"),
        discounts=[
            pb.SaleDiscount(uid="d", name="Ami", percentage="10"),
            pb.SaleDiscount(uid="e", amount_minor=500, line_uids=["oil"]),
        ],
        taxes=[
            pb.SaleTax(uid="tps", percentage="5"),
            pb.SaleTax(uid="tvq", percentage="9.975", line_uids=["cut"]),
        ],
        tip_minor=700,
        reference_id="ticket 12",
    )

    assert [(each.gross_minor, each.net_minor, each.tax_minor) for each in posted.lines] == [
        (5000, 4500, 674),
        (2500, 1750, 87),
    ]
    assert [each.unit_price_minor for each in posted.lines] == [5000, 1250]
    assert [each.discount_minor for each in posted.lines] == [500, 750]
    assert [each.applied_minor for each in posted.discounts] == [750, 500]
    assert [each.applied_minor for each in posted.taxes] == [312, 449]
    assert (posted.tax_minor, posted.discount_minor) == (761, 1250)
    assert posted.total_minor == 4500 + 1750 + 761 + 700
    assert (posted.state, posted.version) == (pb.SALE_STATE_OPEN, 1)
    assert (posted.salon_id, posted.member_id) == (till.house.salon_id, till.house.alice)
    assert (posted.reference_id, posted.tip_minor) == ("ticket 12", 700)
    assert await till.sale(posted.id) == posted


async def test_a_tax_in_the_price_leaves_the_net(till: Till) -> None:
    """D13: $11.50 with 15 % contained is $10 that earn."""
    posted = await till.post(
        line("a", 1150), taxes=[pb.SaleTax(uid="t", percentage="15", inclusive=True)]
    )

    (sold,) = posted.lines
    assert (sold.net_minor, sold.tax_minor, posted.total_minor) == (1000, 150, 1150)
    assert (await till.count(posted.id)).balance == 10


async def test_what_was_taken_off_a_line_is_told_whatever_its_taxes_are(till: Till) -> None:
    """One on top and one in the price; before it is counted and after its refund."""
    posted = await till.post(
        line("a", 1150),
        line("b", 999),
        discounts=[pb.SaleDiscount(uid="d", amount_minor=150, line_uids=["a"])],
        taxes=[
            pb.SaleTax(uid="i", percentage="15", inclusive=True),
            pb.SaleTax(uid="o", percentage="5", line_uids=["a"]),
        ],
    )
    with_reward = await till.apply(posted.id, new_id())
    await till.count(posted.id)
    await till.refund(posted.id)

    assert [each.discount_minor for each in posted.lines] == [150, 0]
    assert [each.discount_minor for each in with_reward.lines] == [265, 100]
    assert (await till.sale(posted.id)).lines == with_reward.lines


async def test_a_discount_of_the_till_earns_on_what_is_paid(till: Till) -> None:
    posted = await till.post(
        line("a", 10000), discounts=[pb.SaleDiscount(uid="d", percentage="12.5")]
    )
    assert (await till.count(posted.id)).balance == 87


async def test_lines_without_a_name_are_given_one(till: Till) -> None:
    """The same ones each time; those of the till are never taken."""
    lines = [line("", 100), line("line-1", 200), line("", 300)]
    key = new_id()

    posted = await till.post(*lines, idempotency_key=key)

    uids = [each.uid for each in posted.lines]
    assert uids == ["line-2", "line-1", "line-3"]
    assert await till.post(*lines, idempotency_key=key) == posted


async def test_the_same_key_keeps_one_sale(till: Till) -> None:
    """Another body under it is refused."""
    key = new_id()
    posted = await till.post(line("a", 4200), idempotency_key=key)

    assert await till.post(line("a", 4200), idempotency_key=key) == posted
    refusal = await refusal_of(till.post(line("a", 4300), idempotency_key=key))
    assert refusal.code == "IDEMPOTENCY_KEY_REUSED"


async def priced(house: House, *, price_minor: int) -> str:
    """Soin at a price; the id of its one variation."""
    objects = [
        pb.CatalogObject(id="#item", type=pb.CATALOG_OBJECT_TYPE_ITEM, name="Soins"),
        pb.CatalogObject(
            id="#soin",
            type=pb.CATALOG_OBJECT_TYPE_ITEM_VARIATION,
            name="Soin",
            item_id="#item",
            price=Money(amount=price_minor, currency="CAD"),
        ),
    ]
    answer = await house.stub.UpsertCatalogObjects(
        pb.UpsertCatalogObjectsRequest(
            idempotency_key=new_id(), chain_id=house.chain_id, objects=objects
        )
    )
    return answer.new_ids["#soin"]


async def test_a_line_without_a_price_has_the_catalogs(till: Till, house: House) -> None:
    """And its name; one that the till has named keeps its name."""
    soin = await priced(house, price_minor=6500)
    named = line("b", 1, catalog_object_id=soin, price_from_catalog=True, name="Le grand")

    posted = await till.post(
        line("a", 0, quantity="2", catalog_object_id=soin, price_from_catalog=True),
        named,
        line("c", 0, catalog_object_id=soin),
    )

    assert [each.unit_price_minor for each in posted.lines] == [6500, 6500, 0]
    assert [each.name for each in posted.lines] == ["Soin", "Le grand", ""]
    assert posted.total_minor == 19_500


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_resend_is_the_same_request_whatever_the_catalog_says_by_now(
    till: Till, house: House, deleted: bool
) -> None:
    soin = await priced(house, price_minor=6500)
    wanted = line("a", 0, catalog_object_id=soin, price_from_catalog=True)
    key = new_id()
    posted = await till.post(wanted, idempotency_key=key)
    await house.deps.pool.execute(
        "UPDATE catalog_object SET price_minor = 9900, deleted = $2"
        " WHERE chain_id = $1 AND item_id IS NOT NULL",
        UUID(house.chain_id),
        deleted,
    )

    assert await till.post(wanted, idempotency_key=key) == posted
    if not deleted:
        assert (await till.post(wanted)).total_minor == 9900


async def test_an_exchange_at_the_catalogs_price_is_one_whatever_the_price_is_by_now(
    till: Till, house: House
) -> None:
    """The exchange's own id again, with another key: nothing more happens (R35)."""
    soin = await priced(house, price_minor=6500)
    sold = await till.sell(line("a", 5000))
    added = line("b", 0, catalog_object_id=soin, price_from_catalog=True)
    change_id = new_id()
    first = await till.exchange(sold.sale.id, ["a"], added, change_id=change_id)
    await house.deps.pool.execute(
        "UPDATE catalog_object SET price_minor = 9900 WHERE chain_id = $1 AND item_id IS NOT NULL",
        UUID(house.chain_id),
    )

    again = await till.exchange(sold.sale.id, ["a"], added, change_id=change_id)
    other = line("b", 0, catalog_object_id="other", price_from_catalog=True)
    reused = await refusal_of(till.exchange(sold.sale.id, ["a"], other, change_id=change_id))

    assert (first.points, again.points, again.repeated_change) == (15, 15, True)
    assert reused.code == "change_reused"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ("", "line_price_required", "line_items[1].base_price_money"),
        ("ghost", "catalog_object_unknown", "line_items[1].catalog_object_id"),
        ("priceless", "line_price_required", "line_items[1].base_price_money"),
        ("foreign", "currency_foreign", "line_items[1].catalog_object_id.currency"),
    ],
)
async def test_what_the_catalog_gives_no_price_for_is_refused_by_its_line(
    till: Till, house: House, change: str, code: str, field: str
) -> None:
    soin = await priced(house, price_minor=6500)
    columns = {
        "priceless": "price_minor = NULL, price_currency = NULL",
        "foreign": "price_currency = 'USD'",
    }
    if change in columns:
        await house.deps.pool.execute(
            f"UPDATE catalog_object SET {columns[change]}"
            " WHERE chain_id = $1 AND item_id IS NOT NULL",
            UUID(house.chain_id),
        )
    named = soin if change in columns else change
    wanted = line("b", 0, catalog_object_id=named, price_from_catalog=True)

    refusal = await refusal_of(till.post(line("a", 100), wanted))

    assert (refusal.code, refusal.field) == (code, field)


@pytest.mark.parametrize("whose", ["", "alice"])
async def test_a_resend_gets_the_first_answer_whatever_became_of_the_sale(
    till: Till, whose: str
) -> None:
    """With a reward on it, counted and refunded since: the answer is the sale as it was made."""
    wanted: dict[str, Any] = {
        "member_id": till.house.alice if whose else "",
        "discounts": [pb.SaleDiscount(uid="d", percentage="12.5", line_uids=["b"])],
        "taxes": [pb.SaleTax(uid="t", name="TPS", percentage="5", inclusive=True)],
        "tip_minor": 300,
        "reference_id": "ticket 7",
        "idempotency_key": new_id(),
    }
    lines = [line("a", 4200), line("b", 1999, quantity="1.5", name="Crème")]
    posted = await till.post(*lines, **wanted)

    await till.apply(posted.id, new_id())
    assert await till.post(*lines, **wanted) == posted
    await till.count(posted.id)
    assert await till.post(*lines, **wanted) == posted
    await till.refund(posted.id)
    assert await till.post(*lines, **wanted) == posted
    assert (await till.sale(posted.id)).state == pb.SALE_STATE_COUNTED


async def test_a_key_that_holds_only_an_id_gives_the_sale_as_it_stands(till: Till) -> None:
    """As keys were kept before the answer was."""
    key = new_id()
    posted = await till.post(line("a", 4200), idempotency_key=key)
    await till.house.deps.pool.execute(
        "UPDATE idempotency SET answer = $3"
        " WHERE chain_id = $1 AND operation = 'create_sale' AND key = $2",
        UUID(till.house.chain_id),
        key,
        UUID(posted.id).bytes,
    )
    await till.count(posted.id)

    assert await till.post(line("a", 4200), idempotency_key=key) == await till.sale(posted.id)


async def test_categories_are_those_of_the_count(till: Till, house: House) -> None:
    """SQ-55: moved out of an excluded category before the count, it earns; after it, no more."""
    await till.catalog()
    soins, soin = till.names["soins"], till.names["soin"]
    rule = pb.AccrualRule(
        type=pb.ACCRUAL_TYPE_SPEND, points=1, amount_minor=100, excluded_category_ids=[soins]
    )
    await till.rules(rule)
    counted, posted = [
        await till.post(line("a", 6000, catalog_object_id=soin), line("b", 500)) for _ in range(2)
    ]
    (sold, _) = posted.lines
    assert list(sold.category_ids) == [soins]
    assert (sold.variation_id, sold.item_id) == (soin, till.names["item-soin"])
    assert (await till.count(counted.id)).balance == 5

    await upsert_soin(till, category_ids=[])

    assert (await till.preview(sale_id=posted.id)).points.base == 65
    after = await till.count(posted.id)
    assert (after.sale.earned.base, list(after.sale.lines[0].category_ids)) == (65, [])
    assert after.sale.total_minor == posted.total_minor
    (kept, _) = (await till.sale(counted.id)).lines
    assert list(kept.category_ids) == [soins]
    assert (await till.refund(counted.id)).points == -5


async def test_what_the_catalog_lost_stays_as_it_was_sold(till: Till, house: House) -> None:
    """SQ-55: the item was deleted between posting and counting: its line keeps its category."""
    await till.catalog()
    soins = till.names["soins"]
    await till.rules(
        pb.AccrualRule(type=pb.ACCRUAL_TYPE_CATEGORY, points=5, category_id=soins),
    )
    posted = await till.post(line("a", 6000, catalog_object_id=till.names["soin"]))

    await upsert_soin(till, deleted=True)

    assert (await till.preview(sale_id=posted.id)).points.base == 5
    counted = await till.count(posted.id)
    assert (counted.balance, list(counted.sale.lines)) == (5, list(posted.lines))


async def upsert_soin(till: Till, **changes: Any) -> None:
    """The item of the category soins is written anew."""
    item = pb.CatalogObject(
        id=till.names["item-soin"], type=pb.CATALOG_OBJECT_TYPE_ITEM, name="soin", **changes
    )
    await till.house.stub.UpsertCatalogObjects(
        pb.UpsertCatalogObjectsRequest(
            idempotency_key=new_id(), chain_id=till.house.chain_id, objects=[item]
        )
    )


@pytest.mark.parametrize("currency", ["USD", "cad", ""])
async def test_foreign_money_is_refused(till: Till, house: House, currency: str) -> None:
    """D13: a sale is in the chain's currency; a chain whose news is late takes every one."""
    expected = "currency_foreign" if currency == "USD" else "currency_invalid"
    if currency == "USD":
        assert (await till.post(line("a", 100), currency="USD")).currency == "USD"
    await house.keep_chain(currency="CAD")

    refusal = await refusal_of(till.post(line("a", 100), currency=currency))

    assert (refusal.code, refusal.field) == (expected, "currency")


async def test_a_sale_lies_at_most_72_hours_back(till: Till, house: House) -> None:
    """As earns do: uploads may be late, clocks a little ahead."""
    now = house.clock.now()

    async def post(**ago: float) -> pb.Sale:
        return await till.post(line("a", 100), occurred_at=stamp(now - timedelta(**ago)))

    assert (await post(hours=71)).occurred_at == stamp(now - timedelta(hours=71))
    assert (await refusal_of(post(hours=73))).code == "occurred_too_early"
    assert (await refusal_of(post(minutes=-6))).code == "occurred_in_future"


async def test_an_unknown_or_closed_salon_sells_nothing(till: Till, house: House) -> None:
    closed = new_id()
    await house.add_salon(house.chain_id, closed, active=False)
    await house.add_salon(house.charlies_chain, house.salon_id)
    salons = {"": "salon_unknown", new_id(): "salon_unknown", closed: "salon_inactive"}
    for salon_id, code in salons.items():
        assert (await refusal_of(till.post(line("a", 100), salon_id=salon_id))).code == code


async def test_charlie_never_sees_what_alice_bought(till: Till, house: House) -> None:
    posted = await till.post(line("a", 4200))
    request = pb.GetSaleRequest(chain_id=house.charlies_chain, sale_id=posted.id)

    assert (await refusal_of(house.stub.GetSale(request))).code == "sale_unknown"
    assert (await refusal_of(till.sale(new_id()))).code == "sale_unknown"
    assert (await refusal_of(till.sale("x"))).code == "sale_unknown"


@pytest.mark.parametrize(
    ("lines", "more", "code", "field"),
    [
        ([line("a", 1), line("a", 2)], {}, "line_repeated", "line_items"),
        ([line("a", -1)], {}, "number_out_of_range", "line_items.base_price_money"),
        ([line("a", 10**12 + 1)], {}, "number_out_of_range", "line_items.base_price_money"),
        ([line("a", 10**12, quantity="2")], {}, "number_out_of_range", "line_items"),
        (
            [line("a", 10**12), line("b", 1)],
            {},
            "number_out_of_range",
            "total_money",
        ),
        ([line("a", 1, quantity="0")], {}, "number_out_of_range", "line_items.quantity"),
        ([line("a", 1, quantity="-1")], {}, "number_out_of_range", "line_items.quantity"),
        ([line("a", 1, quantity="NaN")], {}, "number_out_of_range", "line_items.quantity"),
        ([line("a", 1, quantity="1e3")], {}, "number_out_of_range", "line_items.quantity"),
        ([line("a", 1, quantity="0.000001")], {}, "number_out_of_range", "line_items.quantity"),
        ([line("a", 1, name="x" * 513)], {}, "text_invalid", "line_items.name"),
        ([line("a\x00", 1)], {}, "text_invalid", "line_items.uid"),
        (
            [line("a", 1, catalog_object_id="ghost")],
            {},
            "catalog_object_unknown",
            "line_items.catalog_object_id",
        ),
        ([line(f"{n}", 1) for n in range(501)], {}, "number_out_of_range", "line_items"),
        ([line("a", 1)], {"tip_minor": -1}, "number_out_of_range", "tip_money"),
        ([line("a", 1)], {"reference_id": "x" * 41}, "text_invalid", "reference_id"),
        ([line("a", 1)], {"member_id": "x"}, "id_invalid", "member_id"),
        (
            [line("a", 1)],
            {"discounts": [pb.SaleDiscount(percentage="101")]},
            "number_out_of_range",
            "discounts",
        ),
        (
            [line("a", 1)],
            {"discounts": [pb.SaleDiscount(percentage="ten")]},
            "number_out_of_range",
            "discounts.percentage",
        ),
        ([line("a", 1)], {"discounts": [pb.SaleDiscount()]}, "amount_ambiguous", "discounts"),
        (
            [line("a", 1)],
            {"taxes": [pb.SaleTax(percentage="5", amount_minor=5)]},
            "amount_ambiguous",
            "taxes",
        ),
        (
            [line("a", 1)],
            {"taxes": [pb.SaleTax(percentage="5", line_uids=["b"])]},
            "line_unknown",
            "taxes",
        ),
        (
            [line("a", 1)],
            {"discounts": [pb.SaleDiscount(amount_minor=1)] * 101},
            "number_out_of_range",
            "discounts",
        ),
    ],
)
async def test_a_sale_that_cannot_be_is_refused(
    till: Till, lines: list[pb.SaleLine], more: dict[str, Any], code: str, field: str
) -> None:
    refusal = await refusal_of(till.post(*lines, **more))

    assert (refusal.code, refusal.field) == (code, field)


async def test_a_sale_may_hold_500_lines_and_odd_quantities(till: Till) -> None:
    posted = await till.post(*(line(f"{n}", 333, quantity="0.5") for n in range(500)))

    assert len(posted.lines) == 500
    # Half a cent goes to the even one.
    assert {each.gross_minor for each in posted.lines} == {166}
    assert (await till.count(posted.id)).balance == 830
