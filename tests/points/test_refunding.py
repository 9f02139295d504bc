"""Refunds and exchanges end to end: the worked table again, on the service itself."""

from __future__ import annotations

import contextlib
import os
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from loyalty.events.v1 import points_events_pb2 as events_pb
from loyalty.points.v1 import points_pb2 as pb

from services.chassis.errors import RemoteRefusal
from services.points.domain.terms import VisitRefundBasis
from tests.points.calendar import account_of
from tests.points.house import House, new_id, refusal_of, stamp
from tests.points.test_refunds import ROWS, Row
from tests.points.test_sale_rewards import taken
from tests.points.till import LADDER, SPEND_1, SPEND_2, Till, line

LITERAL = [row for row in ROWS if row.literal is not None]
REFUNDED = pb.RefundSettings(visit_refund_basis=pb.VISIT_REFUND_BASIS_REFUNDED)
CLAMPED = pb.RefundSettings(debt_rule=pb.DEBT_RULE_CLAMP_ZERO)
APRIL_3 = datetime(2027, 4, 3, 12, 0, tzinfo=UTC)


async def sold(till: Till, row: Row, *, basis: VisitRefundBasis) -> str:
    """The sale of a row, counted under its rule."""
    await till.catalog()
    literal = basis is VisitRefundBasis.REFUNDED
    tiers = [pb.Tier(name="Tous", threshold=0, multiplier=str(row.multiplier))]
    await till.rules(
        till.rule(row.rule),
        tiers=pb.Tiers(tiers=tiers if row.multiplier != 1 else []),
        refunds=REFUNDED if literal else pb.RefundSettings(),
    )
    tax = sum(each.tax_minor for each in row.lines)
    taxes = [pb.SaleTax(uid="tps", amount_minor=tax)] if tax else []
    counted = await till.sell(*[till.line(each) for each in row.lines], taxes=taxes)
    assert sum(entry.points for entry in counted.entries) == row.earned
    return counted.sale.id


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_a_refund_takes_what_the_table_says(till: Till, row: Row) -> None:
    """R01 to R29, R35, R37, D1, D2; the preview says the same.

    SQ-34, SQ-35, SQ-36 (spending), SQ-37, SQ-38, SQ-39 (visits), SQ-40, SQ-41, SQ-42 (items).
    """
    house = till.house
    sale_id = await sold(till, row, basis=VisitRefundBasis.REMAINING)
    balance = row.earned

    for change, takes in zip(row.refunds, row.takes, strict=True):
        entries = len(await house.entries())
        seen = await till.change(sale_id, change, dry_run=True)
        assert (await house.balance(), len(await house.entries())) == (balance, entries)
        effect = await till.change(sale_id, change)
        told = 0 if effect.repeated_change else -effect.points
        assert told == takes
        balance -= takes
        assert effect.balance == seen.balance == await house.balance() == balance
        assert (seen.points, seen.repeated_change) == (effect.points, effect.repeated_change)
        assert seen.sale.held == effect.sale.held

    assert await house.breaches() == {}


@pytest.mark.parametrize("row", LITERAL, ids=lambda row: row.id)
async def test_the_literal_reading_compares_what_was_refunded(till: Till, row: Row) -> None:
    """D1: the switch REFUNDED, R17 to R23, frozen with the sale."""
    sale_id = await sold(till, row, basis=VisitRefundBasis.REFUNDED)
    await till.rules(
        till.rule(row.rule),
        refunds=pb.RefundSettings(visit_refund_basis=pb.VISIT_REFUND_BASIS_REMAINING),
    )

    taken = [-(await till.change(sale_id, change)).points for change in row.refunds]

    assert taken == row.literal
    assert await till.house.breaches() == {}


@pytest.mark.parametrize(
    ("settings", "balance", "forgiven"),
    [(pb.RefundSettings(), -95, 0), (CLAMPED, 0, 95)],
    ids=["R30", "R30-clamp"],
)
async def test_a_refund_of_points_that_were_spent_is_a_debt(
    till: Till, settings: pb.RefundSettings, balance: int, forgiven: int
) -> None:
    """R30, D3: 95 of 100 are spent; the refund leaves -95, or 0 where debts are clamped."""
    await till.rules(SPEND_1, refunds=settings)
    counted = await till.sell(line("a", 10000))
    await till.house.debit(95)
    # What the owner chooses later reaches no sale of before.
    await till.rules(SPEND_1, refunds=pb.RefundSettings(debt_rule=pb.DEBT_RULE_ALLOW_NEGATIVE))

    effect = await till.refund(counted.sale.id)

    assert (effect.balance, effect.forgiven) == (balance, forgiven)
    assert await till.house.balance() == balance
    assert effect.sale.held == pb.SalePoints()
    assert await till.house.breaches() == {}


@pytest.mark.parametrize(("spent", "balance"), [(0, 0), (40, -40)], ids=["R31", "R38"])
@pytest.mark.parametrize("parts", [[10000], [5000, 5000], [9999, 1]], ids=str)
async def test_points_of_the_sale_that_expired_count_as_removed(
    till: Till, spent: int, balance: int, parts: list[int]
) -> None:
    """R31, R38, D37: what is gone by expiry is not taken a second time, in one piece or in many."""
    await till.rules(SPEND_1, expiry_policy="P3M")
    counted = await till.sell(line("a", 10000))
    if spent:
        await till.house.debit(spent)
    till.house.clock.advance(APRIL_3 - till.house.clock.now())

    effects = [await till.refund(counted.sale.id, amount=part) for part in parts]

    assert sum(effect.expired_before for effect in effects) == 100 - spent
    assert effects[-1].balance == await till.house.balance() == balance
    kinds = [entry.kind for entry in await till.house.entries()]
    assert kinds.count(pb.ENTRY_KIND_EXPIRY) == 1
    assert await till.house.breaches() == {}


async def test_a_sale_of_nobody_loses_nothing(till: Till) -> None:
    """R32, SQ-45: neither refund nor exchange moves a point, and who comes later earns nothing of
    what is all gone."""
    sale = await till.post(line("a", 6000), line("b", 4000), member_id="")

    exchange = await till.exchange(sale.id, ["a"], line("c", 9000))
    refund = await till.refund(sale.id)

    assert (exchange.points, refund.points, len(refund.entries)) == (0, 0, 0)
    assert [each.points for each in refund.sale.changes] == [0, 0]
    assert not (await till.count(sale.id)).entries
    assert await till.house.balance() == 0
    assert await till.house.breaches() == {}


async def test_a_sale_of_nobody_earns_by_what_its_refunds_left(till: Till) -> None:
    """A till refunds a part before the member says who she is: she earns on the rest, once, and
    gives back no more than that."""
    await till.rules(SPEND_1)
    sale = await till.post(line("a", 6000), line("b", 4000), member_id="")
    before = await till.refund(sale.id, items=["b"])
    told = await till.preview(sale_id=sale.id)

    counted = await till.count(sale.id)
    again = await till.count(sale.id)

    assert before.points == 0
    assert told.points.base == 60
    assert [entry.points for entry in counted.entries] == [60]
    assert again.already_counted
    assert (counted.sale.earned.base, counted.sale.held.base) == (60, 60)
    assert (await till.refund(sale.id, amount=3000)).points == -30
    rest = await till.refund(sale.id)
    assert (rest.points, rest.balance) == (-30, 0)
    assert [change.points for change in rest.sale.changes] == [0, -30, -30]
    assert await till.house.breaches() == {}


async def test_a_member_without_a_count_has_nothing_to_take_back(till: Till) -> None:
    """An open sale of hers is refused: counted afterwards it would earn what came back."""
    sale = await till.post(line("a", 6000))

    assert (await refusal_of(till.refund(sale.id))).code == "sale_open"
    assert (await refusal_of(till.refund(sale.id, dry_run=True))).code == "sale_open"
    assert (await till.count(sale.id)).balance == 60


@pytest.mark.parametrize(
    ("before", "after", "points"), [(6000, 4000, -20), (4000, 6000, 20)], ids=["R33", "R34"]
)
async def test_an_exchange_counts_by_the_terms_of_the_sale(
    till: Till, before: int, after: int, points: int
) -> None:
    """R33, R34, SQ-43, SQ-44, D28: the sale under 1/$1, the program of today 1/$2."""
    counted = await till.sell(line("a", before))
    await till.rules(SPEND_2)

    seen = await till.exchange(counted.sale.id, ["a"], line("b", after), dry_run=True)
    effect = await till.exchange(counted.sale.id, ["a"], line("b", after))

    assert (seen.points, effect.points) == (points, points)
    assert effect.balance == await till.house.balance() == after // 100
    kind = pb.ENTRY_KIND_EARN if points > 0 else pb.ENTRY_KIND_REFUND
    assert [(entry.kind, entry.sale_id) for entry in effect.entries] == [(kind, counted.sale.id)]
    assert (await till.refund(counted.sale.id)).balance == 0
    assert await till.house.breaches() == {}


async def test_what_an_exchange_adds_ends_under_the_policy_of_the_sale(till: Till) -> None:
    """SQ-65, N8: P3M when sold, never today; the added points end as the sale's do."""
    await till.rules(SPEND_1, expiry_policy="P3M")
    counted = await till.sell(line("a", 4000))
    await till.rules(SPEND_1, expiry_policy="never")

    await till.exchange(counted.sale.id, ["a"], line("b", 6000))

    rows = await till.house.deps.pool.fetch(
        "SELECT points, policy, expires_at FROM lot WHERE chain_id = $1 ORDER BY earned_at, id",
        till.house.chain_id,
    )
    assert [(row["points"], row["policy"]) for row in rows] == [(40, "P3M"), (20, "P3M")]
    assert len({row["expires_at"] for row in rows}) == 1


async def test_items_come_back_after_an_exchange(till: Till) -> None:
    """SQ-43: $40 becomes three at $20; one of them back takes a third, the rest all."""
    counted = await till.sell(line("a", 4000))
    exchanged = await till.exchange(counted.sale.id, ["a"], line("", 2000, quantity="3"))
    (added,) = exchanged.sale.changes[0].added

    one = await till.refund(counted.sale.id, items=[added.uid])
    rest = await till.refund(counted.sale.id)

    assert [effect.points for effect in (exchanged, one, rest)] == [20, -20, -40]
    assert (await till.sale(counted.sale.id)).held == pb.SalePoints()
    assert await till.house.breaches() == {}


async def test_the_sales_own_lots_pay_before_others(till: Till) -> None:
    """D37: a younger lot of the sale, and of its exchange, empties before older points do."""
    await till.rules(SPEND_1, expiry_policy="P1M")
    await till.house.adjust(50)
    await till.rules(SPEND_1, expiry_policy="never")
    counted = await till.sell(line("a", 10000))
    await till.exchange(counted.sale.id, ["a"], line("b", 12000))

    await till.refund(counted.sale.id, amount=11000)

    assert sum(remaining for _, remaining in await till.house.lots()) == 60
    assert (await till.house.lots())[0] == (50, 50)
    assert await till.house.breaches() == {}


async def test_a_refund_names_the_entry_that_it_undoes(till: Till) -> None:
    """SQ-03, SQ-34: the feed shows the loss with its sale, its salon and its refund."""
    counted = await till.sell(line("a", 4200))

    (entry,) = (await till.refund(counted.sale.id, change_id="refund-7")).entries

    assert entry.kind == pb.ENTRY_KIND_REFUND
    assert (entry.points, entry.balance_after, entry.change_id) == (-42, 0, "refund-7")
    assert (entry.reverses, entry.sale_id) == (counted.entries[0].id, counted.sale.id)
    assert (entry.salon_id, entry.actor) == (till.house.salon_id, till.actor)
    (posted,) = await till.house.events("points.refunded")
    assert (posted.points, posted.sale_id) == (-42, counted.sale.id)
    (changed,) = await till.facts("sale.changed", events_pb.SaleChanged)
    assert (changed.points, changed.change_id) == (-42, "refund-7")


async def test_one_refund_of_bonus_and_promotion_takes_all_three_parts(till: Till) -> None:
    """D14, R15: base, bonus and promotion leave together; the progress falls by the base alone."""
    await till.rules(
        SPEND_1, tiers=pb.Tiers(tiers=[pb.Tier(name="Tous", threshold=0, multiplier="1.25")])
    )
    await till.promotion()
    counted = await till.sell(line("a", 3000))
    assert [entry.points for entry in counted.entries] == [37, 30]

    half = await till.refund(counted.sale.id, amount=1500)
    rest = await till.refund(counted.sale.id)

    assert (half.points, rest.points, rest.balance) == (-33, -34, 0)
    assert (half.sale.held.base, half.sale.held.tier_bonus) == (15, 4)
    bases = await till.house.deps.pool.fetch(
        "SELECT base_points, counts_at FROM sale_change WHERE chain_id = $1 ORDER BY place",
        till.house.chain_id,
    )
    assert [row["base_points"] for row in bases] == [-15, -15]
    assert {row["counts_at"] for row in bases} == {till.house.clock.now()}
    assert await till.house.breaches() == {}


async def test_a_refund_takes_the_tier_that_its_sale_had_reached(till: Till) -> None:
    """T8, D14: 510 with a $30 sale, then all of it back: 480, Base again, one message each."""
    await till.rules(SPEND_1, tiers=pb.Tiers(tiers=LADDER))
    await till.sell(line("a", 48000))
    counted = await till.sell(line("a", 3000))
    assert await till.tiers() == ["Argent"]

    till.house.later(3600)
    effect = await till.refund(counted.sale.id)

    assert effect.balance == 480
    assert await till.tiers() == ["Argent", "Base"]
    assert await till.house.breaches() == {}


@pytest.mark.parametrize(("amount", "again"), [(None, 1), (2900, 0)], ids=["full", "in part"])
async def test_a_promotion_may_trigger_again_after_a_full_refund(
    till: Till, amount: int | None, again: int
) -> None:
    """A sale that came back whole used up no time of the promotion; one in part did."""
    await till.promotion(trigger_times=1, trigger_interval=pb.TRIGGER_INTERVAL_ALL_TIME)
    counted = await till.sell(line("a", 3000))
    assert len(counted.entries) == 2
    assert len((await till.sell(line("a", 3000))).entries) == 1

    await till.refund(counted.sale.id, amount=amount)

    assert len((await till.sell(line("a", 3000))).entries) == 1 + again
    assert await till.house.breaches() == {}


async def test_the_same_change_has_one_effect_whatever_the_key(till: Till) -> None:
    """R35: the same key answers the same; another key says that it was done; one entry."""
    counted = await till.sell(line("a", 2500), line("b", 7500))
    key, change_id = new_id(), "till-9"
    asked: dict[str, Any] = {"items": ["a"], "change_id": change_id}

    first = await till.refund(counted.sale.id, idempotency_key=key, **asked)
    replay = await till.refund(counted.sale.id, idempotency_key=key, **asked)
    other = await till.refund(counted.sale.id, **asked)

    assert replay == first
    assert (first.points, first.repeated_change) == (-25, False)
    assert (other.points, other.repeated_change, other.balance) == (-25, True, 75)
    assert [entry.id for entry in other.entries] == [entry.id for entry in first.entries]
    assert await till.house.balance() == 75
    refusal = await refusal_of(till.refund(counted.sale.id, idempotency_key=key, amount=100))
    assert refusal.code == "IDEMPOTENCY_KEY_REUSED"
    refusal = await refusal_of(till.refund(counted.sale.id, amount=100, change_id=change_id))
    assert refusal.code == "change_reused"


async def test_an_exchange_has_one_effect_whatever_the_key(till: Till) -> None:
    counted = await till.sell(line("a", 4000))
    key = new_id()

    async def exchange(key: str, price: int = 6000) -> pb.ChangeEffect:
        return await till.exchange(
            counted.sale.id, ["a"], line("", price), change_id="x", idempotency_key=key
        )

    first = await exchange(key)
    assert await exchange(key) == first
    again = await exchange(new_id())
    assert (again.points, again.repeated_change) == (20, True)
    assert await till.house.balance() == 60
    assert (await refusal_of(exchange(new_id(), 7000))).code == "change_reused"


async def test_a_refused_refund_writes_nothing(till: Till) -> None:
    """More than the sale, unknown lines, foreign money, none at all: the sale stays."""
    counted = await till.sell(line("a", 2500), line("b", 7500))
    sale_id = counted.sale.id
    before = await till.sale(sale_id)
    refusals = {
        "refund_exceeds_sale": till.refund(sale_id, amount=10001),
        "quantity_exceeds_line": till.refund(sale_id, items=["a*2"]),
        "line_unknown": till.refund(sale_id, items=["nobody"]),
        "number_out_of_range": till.refund(sale_id, items=["a*-1"]),
        "id_invalid": till.refund(sale_id, change_id=""),
        "key_invalid": till.refund(sale_id, idempotency_key=""),
        "sale_unknown": till.refund(new_id()),
        "occurred_in_future": till.refund(
            sale_id, occurred_at=stamp(till.house.clock.now() + timedelta(hours=1))
        ),
        "line_repeated": till.exchange(sale_id, ["a"], line("b", 100)),
        "catalog_object_unknown": till.exchange(
            sale_id, ["a"], line("c", 100, catalog_object_id="ghost")
        ),
    }
    for code, call in refusals.items():
        assert (await refusal_of(call)).code == code
    nothing = pb.RefundSaleRequest(
        idempotency_key=new_id(), chain_id=till.house.chain_id, sale_id=sale_id, change_id="x"
    )
    refusal = await refusal_of(till.house.stub.RefundSale(nothing))
    assert refusal.code == "refund_kind_required"
    nothing.amount.amount = 100
    nothing.amount.currency = "USD"
    refusal = await refusal_of(till.house.stub.RefundSale(nothing))
    assert (refusal.code, refusal.params["currency"]) == ("currency_foreign", "CAD")

    assert await till.sale(sale_id) == before
    assert await till.house.balance() == 100


async def test_charlie_never_refunds_what_alice_bought(till: Till) -> None:
    """Another chain's sale is unknown, whatever is asked of it."""
    counted = await till.sell(line("a", 4000))
    foreign: dict[str, Any] = {"chain_id": till.house.charlies_chain}

    for call in (
        till.refund(counted.sale.id, **foreign),
        till.refund(counted.sale.id, dry_run=True, **foreign),
        till.exchange(counted.sale.id, ["a"], line("b", 100), **foreign),
    ):
        assert (await refusal_of(call)).code == "sale_unknown"
    assert await till.house.balance() == 40


async def test_exclusions_of_today_do_not_reach_a_sale_of_before(till: Till) -> None:
    """SQ-56: Monday's sale keeps its 40 points, and its refund takes all 40."""
    await till.catalog()
    product = line("a", 4000, catalog_object_id=till.names["p"])
    counted = await till.sell(product)
    excluding = pb.AccrualRule(
        type=pb.ACCRUAL_TYPE_SPEND,
        points=1,
        amount_minor=100,
        excluded_category_ids=[till.names["products"]],
    )
    await till.rules(excluding)

    assert await till.house.balance() == 40
    assert await till.earned(product) == 0
    assert (await till.refund(counted.sale.id)).points == -40
    assert await till.house.breaches() == {}


async def test_refunds_work_while_the_program_is_off(till: Till, house: House) -> None:
    counted = await till.sell(line("a", 4000))
    await house.update_program(active=False)

    assert (await till.refund(counted.sale.id)).balance == 0
    assert await house.breaches() == {}


async def _give_back_in_parts(
    till: Till, sale_id: str, uids: list[str], chance: random.Random
) -> list[str]:
    """Some lines, some money and some exchanges, and then all the rest; what was done."""
    done = []
    for place in range(chance.randint(0, 4)):
        uid, amount = chance.choice(uids), chance.randint(1, 90_000)
        way = chance.choice(["lines", "money", "exchange"])
        if way == "lines":
            call = till.refund(sale_id, items=[uid])
        elif way == "money":
            call = till.refund(sale_id, amount=amount)
        else:
            call = till.exchange(sale_id, [uid], line(f"new-{place}", amount))
        # What is more than remains is refused; that leaves no trace either.
        with contextlib.suppress(RemoteRefusal):
            await call
            done.append(f"{way} {uid} {amount}")
    # Lines and money may have been all of it.
    with contextlib.suppress(RemoteRefusal):
        await till.refund(sale_id)
        done.append("all")
    return done


async def test_what_came_back_in_parts_leaves_the_member_as_she_was(till: Till) -> None:
    """N5, D14, R36: her balance, tier and progress, her reward, and the promotion's one time."""
    seed = os.environ.get("POINTS_SEED") or str(random.SystemRandom().randrange(10**9))
    chance = random.Random(seed)
    house = till.house
    returning = pb.RefundSettings(reward_on_refund=pb.REWARD_ON_REFUND_RETURN)
    await till.rules(SPEND_1, tiers=pb.Tiers(tiers=LADDER), refunds=returning)
    await till.sell(line("a", 48_000))
    await till.promotion(trigger_times=1, trigger_interval=pb.TRIGGER_INTERVAL_ALL_TIME)
    for _ in range(20):
        prices = {f"l{place}": chance.randint(1000, 40_000) for place in range(4)}
        sale = await till.post(*(line(uid, price) for uid, price in prices.items()))
        reward = await taken(house, sale.id)
        counted = await till.count(sale.id)
        assert len(counted.entries) == 2, "the promotion is triggered again"
        done = await _give_back_in_parts(till, sale.id, list(prices), chance)
        told = await till.facts("sale.changed", events_pb.SaleChanged)
        back = [one for fact in told if fact.sale_id == sale.id for one in fact.returned_reward_ids]
        assert back == [reward], (seed, prices, done)
        await house.give_back(reward)

        account = await account_of(house)
        found = (account.balance, account.tier.tier.name, account.tier.progress)
        assert found == (480, "Base", 480), (seed, prices, done)
    assert await house.breaches() == {}
