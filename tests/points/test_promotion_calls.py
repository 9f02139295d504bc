"""Promotions over the wire: at most ten, planned and running, in the chain's home zone (D38)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import grpc
import pytest
from loyalty.events.v1 import points_events_pb2 as facts
from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.points.domain import promotions as domain
from services.points.domain.ids import AccountId, ChainId, ProgramId, PromotionId, SaleId
from services.points.storage import promotions as promotion_rows
from tests.points.house import START, House, new_id, refusal_of, stamp

MONTRÉAL = ZoneInfo("America/Toronto")
# Around the afternoon of 14 December 2026 at which the tests begin.
NOW = "DTSTART:20261201T000000\nDURATION:P31D"
NEXT = "DTSTART:20270101T090000\nDTEND:20270103T170000"
EVERY_MONDAY = "DTSTART:20261102T090000\nDURATION:PT9H\nRRULE:FREQ=WEEKLY;BYDAY=MO"
LAST_YEAR = "DTSTART:20251201T000000\nDURATION:P31D"


def promotion(**changes: Any) -> pb.Promotion:
    values: dict[str, Any] = {"name": "Points doublés", "multiplier": "2", "periods": [NOW]}
    if "addition" in changes:
        values.pop("multiplier")
    return pb.Promotion(**values | changes)


async def create(house: House, made: pb.Promotion | None = None, **request: Any) -> pb.Promotion:
    values: dict[str, Any] = {
        "idempotency_key": new_id(),
        "chain_id": house.chain_id,
        "program_id": house.program.id,
        "promotion": made or promotion(),
        "actor": house.bob,
    }
    asked = pb.CreatePromotionRequest(**values | request)
    return (await house.stub.CreatePromotion(asked)).promotion


async def get(house: House, promotion_id: str, **request: Any) -> pb.Promotion:
    values: dict[str, Any] = {
        "chain_id": house.chain_id,
        "program_id": house.program.id,
        "promotion_id": promotion_id,
    }
    return (await house.stub.GetPromotion(pb.GetPromotionRequest(**values | request))).promotion


async def cancel(house: House, promotion_id: str, **request: Any) -> pb.Promotion:
    values: dict[str, Any] = {
        "chain_id": house.chain_id,
        "program_id": house.program.id,
        "promotion_id": promotion_id,
    }
    asked = pb.CancelPromotionRequest(**values | request)
    return (await house.stub.CancelPromotion(asked)).promotion


async def listed(house: House, **request: Any) -> pb.ListPromotionsResponse:
    values: dict[str, Any] = {"chain_id": house.chain_id, "program_id": house.program.id}
    return await house.stub.ListPromotions(pb.ListPromotionsRequest(**values | request))


async def test_a_promotion_is_answered_as_it_was_made(house: House) -> None:
    await house.keep_chain()
    made = await create(
        house,
        promotion(
            name="  Lundi ",
            multiplier="1.500",
            periods=[EVERY_MONDAY, NEXT],
            trigger_times=2,
            trigger_interval=pb.TRIGGER_INTERVAL_DAY,
            minimum_spend_minor=2000,
            qualifying_category_ids=["soins", "coupes"],
        ),
    )
    assert made == pb.Promotion(
        id=made.id,
        chain_id=house.chain_id,
        program_id=house.program.id,
        name="Lundi",
        multiplier="1.5",
        periods=[EVERY_MONDAY, NEXT],
        trigger_times=2,
        trigger_interval=pb.TRIGGER_INTERVAL_DAY,
        minimum_spend_minor=2000,
        qualifying_category_ids=["coupes", "soins"],
        status=pb.PROMOTION_STATUS_ACTIVE,
        created_at=stamp(START),
        updated_at=stamp(START),
        start_date="2026-11-02",
    )
    assert await get(house, made.id) == made
    assert await get(house, made.id, program_id="main") == made
    added = await create(house, promotion(addition=5, trigger_times=1))
    assert (added.addition, added.multiplier, added.end_date) == (5, "", "2026-12-31")
    assert added.trigger_interval == pb.TRIGGER_INTERVAL_ALL_TIME
    assert (await create(house, promotion(multiplier="10"))).multiplier == "10"


async def test_the_same_key_returns_the_promotion_as_it_was_made(house: House) -> None:
    values: dict[str, Any] = {"idempotency_key": new_id(), "made": promotion()}
    first = await create(house, **values)
    await cancel(house, first.id)
    house.later(86400 * 40)
    assert await create(house, **values) == first
    assert len((await listed(house)).promotions) == 1
    values["made"] = promotion(multiplier="3")
    assert (await refusal_of(create(house, **values))).code == "IDEMPOTENCY_KEY_REUSED"


async def test_status_and_days_are_of_the_chains_home_zone(house: House) -> None:
    """D38: the first of January begins in Montréal five hours after UTC."""
    await house.keep_chain()
    made = await create(house, promotion(periods=["DTSTART:20270101T000000\nDURATION:P1D"]))
    assert (made.start_date, made.end_date) == ("2027-01-01", "2027-01-01")
    begin = datetime(2027, 1, 1, 5, tzinfo=UTC)
    for moment, status in (
        (begin - timedelta(seconds=1), pb.PROMOTION_STATUS_SCHEDULED),
        (begin, pb.PROMOTION_STATUS_ACTIVE),
        (begin + timedelta(hours=24, seconds=-1), pb.PROMOTION_STATUS_ACTIVE),
        (begin + timedelta(hours=24), pb.PROMOTION_STATUS_ENDED),
    ):
        house.clock.set(moment)
        assert (await get(house, made.id)).status == status
        assert len((await listed(house, status=status)).promotions) == 1
    assert (await refusal_of(cancel(house, made.id))).code == "promotion_over"


async def test_an_eleventh_promotion_is_refused_until_one_is_over(house: House) -> None:
    """Running and planned ones together; canceled and ended ones take no room."""
    await create(house, promotion(periods=[LAST_YEAR]))
    made = [await create(house, promotion(periods=[[NOW, NEXT][n % 2]])) for n in range(10)]
    refusal = await refusal_of(create(house))
    assert (refusal.code, refusal.params) == ("promotion_limit", {"limit": "10"})
    assert refusal.status == grpc.StatusCode.FAILED_PRECONDITION
    await cancel(house, made[1].id)
    await create(house)
    assert (await refusal_of(create(house))).code == "promotion_limit"
    house.clock.set(datetime(2027, 1, 1, 1, tzinfo=UTC))
    again = await create(house, promotion(periods=[NEXT]))
    assert again.status == pb.PROMOTION_STATUS_SCHEDULED
    other = await house.create_program()
    assert (await create(house, promotion(periods=[NEXT]), program_id=other.id)).id


async def test_of_many_creations_at_nine_exactly_one_passes(house: House) -> None:
    for _ in range(9):
        await create(house)
    outcomes = await asyncio.gather(*(create(house) for _ in range(8)), return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, Exception)]
    assert [getattr(each, "code", each) for each in refused] == ["promotion_limit"] * 7
    assert len((await listed(house)).promotions) == 10


async def test_a_canceled_promotion_stays_canceled(house: House) -> None:
    made = await create(house)
    house.later(60)
    stopped = await cancel(house, made.id)
    assert stopped.status == pb.PROMOTION_STATUS_CANCELED
    assert (stopped.canceled_at, stopped.updated_at) == (stamp(house.clock.now()),) * 2
    house.later(60)
    refusal = await refusal_of(cancel(house, made.id))
    assert (refusal.code, refusal.field) == ("promotion_over", "promotion_id")
    assert await get(house, made.id) == stopped


async def test_of_parallel_cancellations_one_passes(house: House) -> None:
    made = await create(house)
    outcomes = await asyncio.gather(
        *(cancel(house, made.id) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(each, pb.Promotion) for each in outcomes) == 1


async def test_promotions_are_listed_newest_first_by_status_and_page(house: House) -> None:
    periods = {"now": NOW, "next": NEXT, "ended": LAST_YEAR}
    made: list[tuple[str, str]] = []
    for n in range(9):
        kind = list(periods)[n % 3]
        made.append(((await create(house, promotion(periods=[periods[kind]]))).id, kind))
        house.later(n % 2)
    made.reverse()
    assert [each.id for each in (await listed(house)).promotions] == [id for id, _ in made]
    active = await listed(house, status=pb.PROMOTION_STATUS_ACTIVE)
    assert [each.id for each in active.promotions] == [id for id, kind in made if kind == "now"]
    found: list[str] = []
    page = await listed(house, limit=2)
    while page.promotions:
        found += [each.id for each in page.promotions]
        assert page.more == (len(found) < 9)
        last = page.promotions[-1]
        page = await listed(house, limit=2, before_time=last.created_at, before_id=last.id)
    assert found == [id for id, _ in made]


async def test_a_filter_looks_past_many_that_do_not_match(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.points.usecases.promotions.SCAN", 2)
    made = await create(house)
    for _ in range(5):
        house.later(1)
        await create(house, promotion(periods=[LAST_YEAR]))
    active = await listed(house, status=pb.PROMOTION_STATUS_ACTIVE)
    assert ([each.id for each in active.promotions], active.more) == ([made.id], False)
    ended = await listed(house, status=pb.PROMOTION_STATUS_ENDED, limit=5)
    assert (len(ended.promotions), ended.more) == (5, False)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"name": ""}, "text_invalid", "name"),
        ({"name": "n" * 71}, "text_invalid", "name"),
        ({"multiplier": ""}, "incentive_invalid", "incentive"),
        ({"multiplier": "2", "addition": 1}, "incentive_invalid", "incentive"),
        ({"multiplier": "1"}, "multiplier_invalid", "multiplier"),
        ({"multiplier": "10.1"}, "multiplier_invalid", "multiplier"),
        ({"addition": 0}, "points_invalid", "points_addition"),
        ({"periods": []}, "number_out_of_range", "available_time.time_periods"),
        ({"periods": [NOW] * 21}, "number_out_of_range", "available_time.time_periods"),
        ({"periods": ["tomorrow"]}, "period_invalid", "available_time.time_periods"),
        ({"periods": [NOW + "\nUID:a\x00b"]}, "period_invalid", "available_time.time_periods"),
        ({"trigger_times": 1001}, "trigger_limit_invalid", "trigger_limit"),
        ({"trigger_times": -1}, "trigger_limit_invalid", "trigger_limit"),
        ({"trigger_interval": 1}, "trigger_limit_invalid", "trigger_limit"),
        ({"trigger_interval": 9}, "trigger_limit_invalid", "trigger_limit"),
        ({"minimum_spend_minor": 0}, "number_out_of_range", "minimum_spend_amount_money"),
        (
            {"qualifying_item_ids": ["a"], "qualifying_category_ids": ["b"]},
            "qualifying_invalid",
            "qualifying_item_variation_ids",
        ),
        ({"qualifying_item_ids": ["a\x00"]}, "id_invalid", "qualifying_item_variation_ids"),
        ({"qualifying_category_ids": [""]}, "id_invalid", "qualifying_category_ids"),
    ],
)
async def test_a_wrong_promotion_is_refused_by_its_part(
    house: House, changes: dict[str, Any], code: str, field: str
) -> None:
    made = promotion(**{"multiplier": "2", **changes} if "multiplier" in changes else changes)
    refusal = await refusal_of(create(house, made))
    assert (refusal.code, refusal.field) == (code, field)
    assert not (await listed(house)).promotions


async def test_items_qualify_only_where_visits_or_spending_earn(house: House) -> None:
    rule = pb.AccrualRule(type=pb.ACCRUAL_TYPE_CATEGORY, points=1, category_id="soins")
    await house.update_program(rules=pb.ProgramRules(accrual_rules=[rule]))
    refusal = await refusal_of(create(house, promotion(qualifying_item_ids=["coupe"])))
    assert refusal.code == "qualifying_invalid"
    await create(house)


async def test_a_list_that_makes_no_sense_is_refused(house: House) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"limit": 31}, "limit"),
        ({"limit": -1}, "limit"),
        ({"status": 9}, "status"),
        ({"before_time": stamp(START)}, "before_id"),
        ({"program_id": new_id()}, "program_id"),
    ]
    for request, field in wrong:
        assert (await refusal_of(listed(house, **request))).field == field


async def test_charlies_chain_sees_and_stops_no_promotion_of_chain_a(house: House) -> None:
    made = await create(house)
    own = await house.create_program(chain_id=house.charlies_chain)
    theirs: dict[str, Any] = {"chain_id": house.charlies_chain, "program_id": own.id}
    for call in (get(house, made.id, **theirs), cancel(house, made.id, **theirs)):
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.status) == ("promotion_unknown", grpc.StatusCode.NOT_FOUND)
    assert not (await listed(house, **theirs)).promotions
    refusal = await refusal_of(create(house, **theirs | {"program_id": house.program.id}))
    assert refusal.code == "program_unknown"
    other = await house.create_program()
    assert (await refusal_of(get(house, made.id, program_id=other.id))).code == "promotion_unknown"
    assert (await refusal_of(get(house, "no-id"))).code == "promotion_unknown"


# -- what a sale asks ------------------------------------------------------------------------------


async def open_ids(house: House, at: datetime, account_id: str | None = None) -> list[str]:
    """Promotions that are open to a sale of Alice's in Montréal, the one that counts first."""
    account = AccountId(UUID(account_id or house.alices_account))
    async with house.deps.pool.acquire() as conn:
        found = await promotion_rows.open_for(
            conn, ChainId(UUID(house.chain_id)), ProgramId(UUID(house.program.id)), account, at=at
        )
    return [str(terms.id) for terms in domain.open_to(found, at=at, zone=MONTRÉAL)]


async def trigger(house: House, promotion_id: str, at: datetime) -> SaleId:
    sale_id = SaleId(uuid4())
    async with house.deps.pool.acquire() as conn:
        for _ in range(2):
            await promotion_rows.record_trigger(
                conn,
                ChainId(UUID(house.chain_id)),
                AccountId(UUID(house.alices_account)),
                PromotionId(UUID(promotion_id)),
                sale_id,
                occurred_at=at,
            )
    return sale_id


async def test_a_sale_finds_what_is_open_at_its_moment(house: House) -> None:
    """Newest first; a sale of before a cancellation still has it; the kept terms are whole."""
    old = await create(house)
    house.later(1)
    monday = await create(house, promotion(periods=[EVERY_MONDAY], multiplier="1.333"))
    house.later(1)
    await create(house, promotion(periods=[NEXT]))
    await create(house, promotion(periods=[LAST_YEAR]))
    at_noon = datetime(2026, 12, 14, 17, tzinfo=UTC)
    assert await open_ids(house, at_noon) == [monday.id, old.id]
    assert await open_ids(house, at_noon + timedelta(days=1)) == [old.id]
    assert await open_ids(house, at_noon + timedelta(days=21)) == [monday.id]
    house.later(3600)
    await cancel(house, monday.id)
    assert await open_ids(house, START) == [monday.id, old.id]
    assert await open_ids(house, house.clock.now()) == [old.id]


async def test_a_promotions_end_counts_in_the_salons_own_zone(house: House) -> None:
    """The last hour of the year in Montréal is the next year in UTC already."""
    made = await create(house)
    last = datetime(2027, 1, 1, 4, 59, tzinfo=UTC)
    assert await open_ids(house, last) == [made.id]
    assert await open_ids(house, last + timedelta(minutes=1)) == []


async def test_a_trigger_limit_counts_what_was_not_refunded(house: House) -> None:
    """At most twice: a full refund gives the place back; another member has her own count."""
    made = await create(house, promotion(trigger_times=2))
    await trigger(house, made.id, START)
    assert await open_ids(house, START) == [made.id]
    second = await trigger(house, made.id, START - timedelta(days=5))
    assert await open_ids(house, START) == []
    other = (await house.account(new_id())).id
    assert await open_ids(house, START, other) == [made.id]
    async with house.deps.pool.acquire() as conn:
        for _ in range(2):
            await promotion_rows.forget_trigger(
                conn,
                ChainId(UUID(house.chain_id)),
                AccountId(UUID(house.alices_account)),
                second,
            )
    assert await open_ids(house, START) == [made.id]


async def test_a_daily_limit_is_of_the_salons_day(house: House) -> None:
    limit: dict[str, Any] = {"trigger_times": 1, "trigger_interval": pb.TRIGGER_INTERVAL_DAY}
    made = await create(house, promotion(**limit))
    midnight = datetime(2026, 12, 15, 5, tzinfo=UTC)
    await trigger(house, made.id, midnight - timedelta(minutes=1))
    assert await open_ids(house, midnight - timedelta(hours=23)) == []
    assert await open_ids(house, midnight) == [made.id]


async def test_sq_51_a_promotion_is_news_of_its_program_made_and_stopped(house: House) -> None:
    """SQ-51: members and staff hear of both; the program's version is the same."""
    made = await create(house)
    await cancel(house, made.id)
    told = [
        facts.ProgramChanged.FromString(row["payload"])
        for row in await house.deps.pool.fetch(
            "SELECT payload FROM outbox WHERE type = 'program.changed' AND key = $1 ORDER BY id",
            house.program.id,
        )
    ][1:]

    assert [list(one.changed) for one in told] == [[types_pb2.PROGRAM_SECTION_PROMOTIONS]] * 2
    assert {one.version for one in told} == {1}
    assert told[0].actor == house.bob
