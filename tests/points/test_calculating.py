"""The preview: what a sale or an amount would earn, told before it does."""

from __future__ import annotations

from typing import Any

import pytest
from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1.types_pb2 import Money

from tests.points.house import House, new_id, refusal_of
from tests.points.till import DAILY, LADDER, SPEND_1, Till, line

CAD_42 = Money(amount=4200, currency="CAD")


async def rows(house: House) -> list[int]:
    """How much stands written of chain A."""
    tables = ("posting", "lot", "sale", "outbox", "idempotency", "promotion_trigger")
    return [
        await house.deps.pool.fetchval(
            f"SELECT count(*) FROM {table} WHERE chain_id = $1",
            house.chain_id,
        )
        for table in tables
    ]


async def test_the_preview_of_a_sale_is_what_counting_gives(till: Till) -> None:
    """SQ-17: $42 shows 42; no event, no entry, nothing is written; completing it gives 42."""
    sale = await till.post(line("a", 4200))
    before = await rows(till.house)

    seen = await till.preview(sale_id=sale.id)

    assert (seen.points, seen.balance) == (pb.SalePoints(base=42), 0)
    assert await rows(till.house) == before
    assert await till.sale(sale.id) == sale
    assert (await till.count(sale.id)).balance == 42


async def test_the_preview_knows_her_tier_and_her_promotion(till: Till) -> None:
    """SQ-17, SQ-05: base, bonus and promotion as they will be; of nobody without the tier."""
    await till.rules(SPEND_1, tiers=pb.Tiers(tiers=LADDER))
    await till.sell(line("a", 50000))
    promotion = await till.promotion()
    sale = await till.post(line("a", 3000))

    seen = await till.preview(sale_id=sale.id)
    of_nobody = await till.preview(sale_id=sale.id, account_id="")

    assert seen.points == pb.SalePoints(base=30, tier_bonus=7, promotion=30)
    assert (seen.promotion_id, seen.balance) == (promotion.id, 500)
    assert of_nobody.points == pb.SalePoints(base=30, promotion=30)
    assert of_nobody.balance == 0
    counted = await till.count(sale.id)
    assert counted.sale.earned == seen.points
    assert (await till.preview(sale_id=sale.id)).points == seen.points


async def test_the_preview_respects_trigger_limits(till: Till) -> None:
    """Her second sale is beyond the limit; somebody else's first is not."""
    await till.promotion(trigger_times=1, trigger_interval=pb.TRIGGER_INTERVAL_DAY)
    other = await till.house.account(new_id())
    assert (await till.preview(amount=CAD_42)).points.promotion == 42
    await till.sell(line("a", 1000))

    assert (await till.preview(amount=CAD_42)).points.promotion == 0
    assert (await till.preview(amount=CAD_42, account_id=other.id)).points.promotion == 42
    till.house.later(24 * 3600)
    assert (await till.preview(amount=CAD_42)).points.promotion == 42


async def test_lines_that_earn_nothing_are_told(till: Till) -> None:
    """SQ-58, SQ-53: $60 of service and $40 that is excluded: 60, and the product is named."""
    await till.catalog()
    await till.rules(
        pb.AccrualRule(
            type=pb.ACCRUAL_TYPE_SPEND,
            points=1,
            amount_minor=100,
            excluded_category_ids=[till.names["products"]],
        )
    )
    sale = await till.post(
        line("service", 6000), line("product", 4000, catalog_object_id=till.names["p"])
    )

    seen = await till.preview(sale_id=sale.id)

    assert (seen.points.base, list(seen.silent_line_uids)) == (60, ["product"])
    counted = await till.count(sale.id)
    assert list(counted.sale.silent_line_uids) == ["product"]


async def test_an_amount_counts_as_one_line_of_it(till: Till, house: House) -> None:
    """In the salon's own promotion hours, in the chain's money."""
    await house.keep_chain(currency="CAD")
    await till.promotion(
        periods=[DAILY.replace("20261201T000000", "20261201T130000").replace("P1D", "PT2H")]
    )
    far = new_id()
    await house.add_salon(house.chain_id, far, time_zone="Europe/Paris")

    here = await till.preview(amount=CAD_42, salon_id=house.salon_id)
    there = await till.preview(amount=CAD_42, salon_id=far)

    assert (here.points.base, here.points.promotion) == (42, 42)
    assert (there.points.base, there.points.promotion) == (42, 0)
    assert (await till.preview(amount=CAD_42)).points.promotion == 42
    refusal = await refusal_of(till.preview(amount=Money(amount=1, currency="USD")))
    assert (refusal.code, refusal.params["currency"]) == ("currency_foreign", "CAD")


async def test_the_balance_of_the_preview_is_without_what_has_ended(till: Till) -> None:
    """D8: however late the job is."""
    await till.rules(SPEND_1, expiry_policy="P1M")
    await till.sell(line("a", 1000))
    assert (await till.preview(amount=CAD_42)).balance == 10
    till.house.later(60 * 24 * 3600)
    assert (await till.preview(amount=CAD_42)).balance == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "sale_or_amount_required"),
        ({"amount": CAD_42, "sale_id": new_id()}, "sale_or_amount_required"),
        ({"sale_id": new_id()}, "sale_unknown"),
        ({"amount": CAD_42, "account_id": new_id()}, "account_unknown"),
        ({"amount": CAD_42, "program_id": new_id()}, "account_unknown"),
        ({"amount": CAD_42, "program_id": new_id(), "account_id": ""}, "program_unknown"),
        ({"amount": CAD_42, "salon_id": new_id()}, "salon_unknown"),
        ({"amount": Money(amount=-1, currency="CAD")}, "number_out_of_range"),
        ({"amount": Money(amount=10**12 + 1, currency="CAD")}, "number_out_of_range"),
    ],
)
async def test_what_cannot_be_previewed_is_refused(
    till: Till, changes: dict[str, Any], code: str
) -> None:
    assert (await refusal_of(till.preview(**changes))).code == code


async def test_a_sale_of_somebody_else_shows_her_nothing(till: Till, house: House) -> None:
    """SQ-18: another member's sale, and another chain's."""
    other = await house.account(new_id())
    sale = await till.post(line("a", 4200), member_id=other.member_id)

    assert (await refusal_of(till.preview(sale_id=sale.id))).code == "sale_of_another"
    foreign = till.preview(sale_id=sale.id, chain_id=house.charlies_chain)
    assert (await refusal_of(foreign)).code == "sale_unknown"
