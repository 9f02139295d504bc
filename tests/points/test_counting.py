"""Counting a sale: what it earns, once, under terms that are frozen with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from loyalty.events.v1 import points_events_pb2 as events_pb
from loyalty.points.v1 import points_pb2 as pb

from tests.points.house import House, new_id, refusal_of, stamp
from tests.points.till import LADDER, SPEND_1, SPEND_2, Till, line, spend


async def test_a_counted_sale_earns_at_its_salon(till: Till) -> None:
    """SQ-03, SQ-17: $42 at 1/$1 is 42 points, with salon, till and sale on the entry."""
    sale = await till.post(line("a", 4200))

    counted = await till.count(sale.id)

    (entry,) = counted.entries
    assert (entry.kind, entry.points, entry.tier_bonus) == (pb.ENTRY_KIND_EARN, 42, 0)
    assert (entry.source, entry.salon_id) == (pb.EARN_SOURCE_TILL, till.house.salon_id)
    assert (entry.sale_id, entry.actor) == (sale.id, till.actor)
    assert entry.occurred_at == sale.occurred_at
    assert (counted.balance, counted.already_counted) == (42, False)
    assert (counted.sale.state, counted.sale.member_id) == (
        pb.SALE_STATE_COUNTED,
        till.house.alice,
    )
    assert counted.sale.account_id == till.house.alices_account
    assert counted.sale.earned == counted.sale.held == pb.SalePoints(base=42)
    (posted,) = await till.house.events("points.earned")
    assert (posted.points, posted.sale_id) == (42, sale.id)
    (told,) = await till.facts("sale.counted", events_pb.SaleCounted)
    assert (told.sale_id, told.points, told.account_id) == (
        sale.id,
        42,
        till.house.alices_account,
    )
    assert await till.house.breaches() == {}


async def test_one_sale_earns_once_whatever_the_key(till: Till) -> None:
    """N2: the same key answers the same; four others get the first entries, already counted."""
    sale = await till.post(line("a", 4200))
    key = new_id()

    first = await till.count(sale.id, idempotency_key=key)
    assert await till.count(sale.id, idempotency_key=key) == first
    await till.house.adjust(8)
    others = [await till.count(sale.id) for _ in range(4)]

    assert all(other.entries == first.entries for other in others)
    assert all(other.already_counted and other.balance == 50 for other in others)
    assert await till.count(sale.id, idempotency_key=key) == first
    assert len(await till.facts("sale.counted", events_pb.SaleCounted)) == 1
    refusal = await refusal_of(
        till.count((await till.post(line("a", 100))).id, idempotency_key=key)
    )
    assert refusal.code == "IDEMPOTENCY_KEY_REUSED"
    assert await till.house.breaches() == {}


async def test_a_sale_that_earns_nothing_is_counted_nevertheless(till: Till) -> None:
    """No posting, no entries; a refund of it takes nothing, and it does not earn later."""
    sale = await till.post(line("a", 99))

    counted = await till.count(sale.id)

    assert (list(counted.entries), counted.balance) == ([], 0)
    assert counted.sale.state == pb.SALE_STATE_COUNTED
    await till.rules(spend(5, 10))
    again = await till.count(sale.id)
    assert (list(again.entries), again.already_counted) == ([], True)
    assert (await till.refund(sale.id)).points == 0
    assert await till.house.entries() == []


async def test_a_sale_of_nobody_becomes_hers_when_it_is_counted(till: Till) -> None:
    """SQ-18: without a member on it no points; with the count it is hers."""
    sale = await till.post(line("a", 4200), member_id="")
    assert (sale.member_id, sale.account_id) == ("", "")

    counted = await till.count(sale.id)

    assert (counted.sale.member_id, counted.balance) == (till.house.alice, 42)


async def test_a_sale_of_somebody_else_is_refused(till: Till) -> None:
    """Open or counted: what is another's is not hers, and nothing moves."""
    other = await till.house.account(new_id())
    hers = await till.post(line("a", 4200), member_id=other.member_id)
    assert (await refusal_of(till.count(hers.id))).code == "sale_of_another"

    await till.count(hers.id, account_id=other.id)
    nobodys = await till.post(line("a", 4200), member_id="")
    await till.count(nobodys.id, account_id=other.id)

    for sale in (hers, nobodys):
        assert (await refusal_of(till.count(sale.id))).code == "sale_of_another"
    assert await till.house.balance() == 0
    assert await till.house.balance(other.id) == 84


async def test_a_sale_earns_in_one_program_only(till: Till, house: House) -> None:
    """Counted for an account of another program it would earn twice: refused."""
    second = await house.create_program(name="Second")
    account = await house.account(house.alice, second.id)
    sale = await till.post(line("a", 4200))
    await till.count(sale.id)

    refusal = await refusal_of(till.count(sale.id, account_id=account.id))

    assert refusal.code == "sale_of_another"
    assert await house.balance(account.id) == 0


async def test_who_counts_where_it_was_not_sold_is_refused(till: Till, house: House) -> None:
    elsewhere = new_id()
    await house.add_salon(house.chain_id, elsewhere)
    sale = await till.post(line("a", 4200))

    assert (await refusal_of(till.count(sale.id, salon_id=elsewhere))).code == "sale_elsewhere"
    assert (await till.count(sale.id, salon_id="")).balance == 42


async def test_charlie_never_counts_what_alice_bought(till: Till, house: House) -> None:
    sale = await till.post(line("a", 4200))
    foreign: dict[str, Any] = {"chain_id": house.charlies_chain}

    assert (await refusal_of(till.count(sale.id, **foreign))).code == "account_unknown"
    assert (await refusal_of(till.count(new_id()))).code == "sale_unknown"
    assert (await refusal_of(till.count("none"))).code == "sale_unknown"
    assert (await refusal_of(till.count(sale.id, account_id=new_id()))).code == "account_unknown"
    assert (await refusal_of(till.count(sale.id, idempotency_key=""))).code == "key_invalid"
    assert await house.balance() == 0


async def test_a_program_that_does_not_serve_here_counts_nothing(till: Till, house: House) -> None:
    sale = await till.post(line("a", 4200))
    elsewhere = new_id()
    await house.add_salon(house.chain_id, elsewhere)
    await house.update_program(salon_ids=[elsewhere], replace_salon_ids=True)
    assert (await refusal_of(till.count(sale.id))).code == "salon_not_in_program"
    await house.update_program(salon_ids=[], replace_salon_ids=True, active=False)
    assert (await refusal_of(till.count(sale.id))).code == "program_inactive"
    await house.update_program(active=True)
    await house.add_salon(house.chain_id, house.salon_id, active=False, version=2)
    assert (await refusal_of(till.count(sale.id))).code == "salon_inactive"
    assert await house.entries() == []


async def test_the_best_rule_earns_and_tips_do_not(till: Till) -> None:
    """D13: of a visit and of spending the one that gives most; tax and tip are no part of it."""
    visit = pb.AccrualRule(type=pb.ACCRUAL_TYPE_VISIT, points=5, minimum_minor=2000)
    await till.rules(SPEND_2, visit)
    taxes = [pb.SaleTax(uid="tps", percentage="15")]

    assert await till.earned(line("a", 800), taxes=taxes, tip_minor=5000) == 4
    assert await till.earned(line("a", 1999), taxes=taxes) == 9
    await till.rules(spend(1, 1000), visit)
    assert await till.earned(line("a", 2000)) == 5
    assert await till.earned(line("a", 9000)) == 9


@pytest.mark.parametrize(
    ("mode", "points"), [(pb.TAX_MODE_BEFORE_TAX, 50), (pb.TAX_MODE_AFTER_TAX, 57)]
)
async def test_taxes_count_only_where_the_owner_says_so(
    till: Till, mode: pb.TaxMode.ValueType, points: int
) -> None:
    """D13: $50 and $7.49 of tax on top."""
    await till.rules(
        pb.AccrualRule(type=pb.ACCRUAL_TYPE_SPEND, points=1, amount_minor=100, tax_mode=mode)
    )
    taxes = [pb.SaleTax(uid="tps", amount_minor=749)]
    assert await till.earned(line("a", 5000), taxes=taxes) == points


# -- tiers and promotions --------------------------------------------------------------------


async def test_tiers_rise_with_sales_and_add_their_bonus(till: Till) -> None:
    """T2 to T5: 480 + 30 reaches Argent without a bonus; then 30 + 7; 1 000 is Or; 45 + 22."""
    await till.rules(SPEND_1, tiers=pb.Tiers(tiers=LADDER))
    await till.sell(line("a", 48000))
    assert await till.tiers() == []

    (first,) = (await till.sell(line("a", 3000))).entries
    assert (first.points, first.tier_bonus) == (30, 0)
    assert await till.tiers() == ["Argent"]

    (second,) = (await till.sell(line("a", 3000))).entries
    assert (second.points, second.tier_bonus) == (37, 7)
    await till.sell(line("a", 46000))
    assert await till.tiers() == ["Argent", "Or"]

    (third,) = (await till.sell(line("a", 4500))).entries
    assert (third.points, third.tier_bonus) == (67, 22)
    assert await till.house.breaches() == {}


async def test_spending_points_takes_no_tier(till: Till) -> None:
    """T11: progress is not the balance."""
    await till.rules(SPEND_1, tiers=pb.Tiers(tiers=LADDER))
    await till.sell(line("a", 100000))
    await till.house.debit(900)

    (entry,) = (await till.sell(line("a", 3000))).entries

    assert (entry.tier_bonus, await till.tiers()) == (15, ["Or"])


async def test_a_promotion_adds_an_entry_of_its_own(till: Till) -> None:
    """D14: base 42 twice over is 42 more, counted for no tier, and the trigger is kept."""
    await till.rules(SPEND_1, tiers=pb.Tiers(tiers=LADDER))
    promotion = await till.promotion(trigger_times=1, trigger_interval=pb.TRIGGER_INTERVAL_ALL_TIME)

    counted = await till.sell(line("a", 40000))

    earn, added = counted.entries
    assert (earn.kind, earn.points) == (pb.ENTRY_KIND_EARN, 400)
    assert (added.kind, added.points) == (pb.ENTRY_KIND_PROMOTION, 400)
    assert (added.promotion_id, added.sale_id) == (promotion.id, counted.sale.id)
    assert (counted.balance, counted.sale.earned.promotion) == (800, 400)
    assert await till.tiers() == []
    assert len((await till.sell(line("a", 1000))).entries) == 1
    assert [len((await till.count(counted.sale.id)).entries)] == [2]
    assert await till.house.breaches() == {}


async def test_a_promotion_is_open_at_the_moment_of_the_count(till: Till) -> None:
    """Posted while it ran and counted after it: no; sold within by the till's own word: yes."""
    now = till.house.clock.now()
    period = "BEGIN:VEVENT\nDTSTART:20261214T130000\nDURATION:PT2H\nEND:VEVENT"
    await till.promotion(periods=[period])
    counted_within, late = [await till.post(line("a", 1000)) for _ in range(2)]
    within = await till.post(line("a", 1000), occurred_at=stamp(now))
    before = await till.post(line("a", 1000), occurred_at=stamp(now - timedelta(hours=2)))
    assert len((await till.count(counted_within.id)).entries) == 2
    till.house.later(2 * 3600)

    assert (await till.preview(sale_id=late.id)).points.promotion == 0
    assert len((await till.count(late.id)).entries) == 1
    assert (await till.preview(sale_id=within.id)).points.promotion == 10
    assert len((await till.count(within.id)).entries) == 2
    assert len((await till.count(before.id)).entries) == 1


async def test_a_trigger_limit_asks_the_day_of_the_count(till: Till) -> None:
    """Two sales of one day, the second counted on the next: each has its own trigger."""
    await till.promotion(trigger_times=1, trigger_interval=pb.TRIGGER_INTERVAL_DAY)
    first, second, third = [await till.post(line("a", 1000)) for _ in range(3)]
    assert len((await till.count(first.id)).entries) == 2
    till.house.later(24 * 3600)

    assert len((await till.count(second.id)).entries) == 2
    assert len((await till.count(third.id)).entries) == 1


# -- what is frozen, and when points end -----------------------------------------------------


async def test_points_of_a_sale_end_by_the_salons_calendar(till: Till, house: House) -> None:
    """SQ-66, X2, D8: 23:30 on 30 November in the salon is November, though December in UTC."""
    await till.rules(SPEND_1, expiry_policy="P1M")
    house.clock.advance(timedelta(days=-13) - timedelta(hours=14, minutes=30))
    assert house.clock.now().isoformat() == "2026-12-01T04:30:00+00:00"

    counted = await till.sell(line("a", 4200))

    row = await house.deps.pool.fetchrow(
        "SELECT expires_at, policy FROM lot WHERE chain_id = $1", house.chain_id
    )
    assert row is not None
    assert (row["expires_at"].isoformat(), row["policy"]) == ("2027-01-01T05:00:00+00:00", "P1M")
    house.clock.advance(timedelta(days=32))
    assert (await till.count(counted.sale.id)).balance == 0
    kinds = [entry.kind for entry in await house.entries()]
    assert kinds == [pb.ENTRY_KIND_EXPIRY, pb.ENTRY_KIND_EARN]
    assert await house.breaches() == {}


async def test_overdue_points_end_before_a_sale_adds_others(till: Till, house: House) -> None:
    """D8: the expiry is posted first, with its own date; the balance is the sale's alone."""
    await till.rules(SPEND_1, expiry_policy="P1M")
    await till.sell(line("a", 1000))
    house.clock.advance(timedelta(days=60))

    counted = await till.sell(line("a", 2500))

    assert counted.balance == 25
    newest, ended, _ = await house.entries()
    assert (newest.points, newest.sequence) == (25, 3)
    assert (ended.kind, ended.points, ended.sequence) == (pb.ENTRY_KIND_EXPIRY, -10, 2)
    assert await house.breaches() == {}


async def test_a_sale_earns_when_it_is_counted_not_when_it_was_posted(
    till: Till, house: House
) -> None:
    """SQ-66, D8: posted long before, the points live a month from the count on."""
    await till.rules(SPEND_1, expiry_policy="P1M")
    sale = await till.post(line("a", 4200))
    house.clock.advance(timedelta(days=80))
    now = house.clock.now()

    counted = await till.count(sale.id)

    (entry,) = counted.entries
    assert (entry.points, counted.balance) == (42, 42)
    assert entry.occurred_at == counted.sale.occurred_at == stamp(now)
    assert counted.sale.created_at == sale.created_at
    assert await till.sale(sale.id) == counted.sale
    assert await house.balance() == 42
    assert await house.breaches() == {}


async def test_a_sale_of_new_years_eve_that_is_counted_after_is_januarys(
    till: Till, house: House
) -> None:
    """D8: opened on 31 December at 23:00, counted past midnight: it ends with February."""
    await till.rules(SPEND_1, expiry_policy="P1M")
    house.clock.advance(datetime(2027, 1, 1, 4, tzinfo=UTC) - house.clock.now())
    opened, sold_then = (
        await till.post(line("a", 4200)),
        await till.post(line("a", 700), occurred_at=stamp(house.clock.now())),
    )
    house.clock.advance(timedelta(hours=2))
    for sale in (opened, sold_then):
        await till.count(sale.id)

    rows = await house.deps.pool.fetch(
        "SELECT points, expires_at FROM lot WHERE chain_id = $1", house.chain_id
    )
    ends = {row["points"]: row["expires_at"].isoformat() for row in rows}
    assert ends == {42: "2027-03-01T05:00:00+00:00", 7: "2027-02-01T05:00:00+00:00"}


@pytest.mark.parametrize(("hours", "kept"), [(71, True), (73, False)])
async def test_what_a_till_says_of_the_moment_holds_for_72_hours(
    till: Till, house: House, hours: int, kept: bool
) -> None:
    """An upload that is counted in time earns when it was sold; later it earns now."""
    sold_at = house.clock.now()
    sale = await till.post(line("a", 4200), occurred_at=stamp(sold_at))
    house.clock.advance(timedelta(hours=hours))

    (entry,) = (await till.count(sale.id)).entries

    assert entry.occurred_at == stamp(sold_at if kept else house.clock.now())
    assert (await till.sale(sale.id)).occurred_at == entry.occurred_at


async def test_a_refund_counts_at_the_moment_of_the_count(till: Till, house: House) -> None:
    """D14: a year of progress takes the sale and what is lost of it at one moment."""
    sale = await till.post(line("a", 4200))
    house.clock.advance(timedelta(days=10))
    counted_at = house.clock.now()
    await till.count(sale.id)
    house.clock.advance(timedelta(days=10))

    await till.refund(sale.id)

    counts_at = await house.deps.pool.fetchval(
        "SELECT counts_at FROM sale_change WHERE chain_id = $1", house.chain_id
    )
    assert counts_at == counted_at
    assert await house.breaches() == {}


async def test_a_debt_is_paid_first_by_a_sale(till: Till, house: House) -> None:
    """X13, D3: balance -10, then 15: 5 are left."""
    await house.adjust(-10, allow_negative_balance=True)
    assert (await till.sell(line("a", 1500))).balance == 5
    assert await house.lots() == [(15, 5)]
    assert await house.breaches() == {}


async def test_what_no_entry_holds_is_refused(till: Till, house: House) -> None:
    """Points beyond 2^31 in one entry, or 2^63 in a sum: refused, not wrapped; the sale is open."""
    await till.rules(spend(1_000_000, 100))
    sale = await till.post(line("a", 10**12))
    assert (await refusal_of(till.count(sale.id))).code == "points_invalid"

    await house.deps.pool.execute(
        "UPDATE account SET lifetime_points = $2 WHERE chain_id = $1", house.chain_id, 2**63 - 5
    )
    small = await till.post(line("a", 100))
    assert (await refusal_of(till.count(small.id))).code == "balance_too_large"
    await house.deps.pool.execute(
        "UPDATE account SET lifetime_points = 0 WHERE chain_id = $1", house.chain_id
    )

    assert (await till.sale(sale.id)).state == pb.SALE_STATE_OPEN
    assert await house.entries() == []
    assert await house.breaches() == {}


@pytest.mark.parametrize("way", ["promotion", "tier", "both in one entry"])
async def test_what_comes_on_top_is_refused_beyond_an_entry_too(
    till: Till, house: House, way: str
) -> None:
    """Up to 2^31 - 1 by the rule, and then the tier's bonus, which is in the same entry, or a
    promotion's points, which are in one of their own."""
    tiers = [pb.Tier(name="Tous", threshold=0, multiplier="1" if way == "promotion" else "1.5")]
    await till.rules(spend(1_000_000, 100), tiers=pb.Tiers(tiers=tiers))
    if way == "promotion":
        await till.promotion(multiplier="3")
    price = 150_000 if way != "tier" else 10**12
    sale = await till.post(line("a", price))

    assert (await refusal_of(till.preview(sale_id=sale.id))).code == "points_invalid"
    assert (await refusal_of(till.count(sale.id))).code == "points_invalid"

    assert (await till.sale(sale.id)).state == pb.SALE_STATE_OPEN
    assert await house.entries() == []
    assert await house.breaches() == {}


async def test_an_exchange_beyond_an_entry_is_refused(till: Till, house: House) -> None:
    """Also where only the tier's bonus, or only the promotion's points, make it so."""
    tiers = [pb.Tier(name="Tous", threshold=0, multiplier="1.5")]
    await till.rules(spend(1_000_000, 100), tiers=pb.Tiers(tiers=tiers))
    await till.promotion(multiplier="2")
    counted = await till.sell(line("a", 100))

    for price in (100_000, 180_000, 10**12):
        call = till.exchange(counted.sale.id, ["a"], line("b", price))
        assert (await refusal_of(call)).code == "points_invalid"

    assert (await till.sale(counted.sale.id)).held.base == 1_000_000
    assert await house.balance() == 2_500_000
    assert await house.breaches() == {}


async def test_a_refund_takes_two_full_entries_back_at_once(till: Till, house: House) -> None:
    """What came is never too much to go: by the rule and by the promotion, each as much as fits."""
    await till.rules(spend(1_000_000, 100))
    await till.promotion(multiplier="2")
    counted = await till.sell(line("a", 200_000))
    assert [entry.points for entry in counted.entries] == [2 * 10**9] * 2

    effect = await till.refund(counted.sale.id)

    assert (effect.points, effect.balance) == (-4 * 10**9, 0)
    assert await house.balance() == 0
    assert await house.breaches() == {}
