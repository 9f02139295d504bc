"""Promotions through the official SDK, with both of its clients."""

from __future__ import annotations

from typing import Any

import pytest
from square.core.api_error import ApiError

from tests.e2e.chains import Chain, fresh_key, open_chain
from tests.e2e.sales import ALWAYS, cad, promotion
from tests.sdk.till import AsyncTill, SyncTill, Till, codes_of, field_of
from tests.stack import Stack

pytestmark = pytest.mark.stack

LIST = "loyalty.programs.promotions.list"
# Before any test's day, after it, and one without the lines that may be left out.
PAST = "BEGIN:VEVENT\nDTSTART:20250101T090000\nDURATION:PT1H\nEND:VEVENT"
FUTURE = "DTSTART:20900102T090000\nDURATION:PT2H\nRRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20900131T235959"


@pytest.fixture
async def fresh(kind: type[SyncTill] | type[AsyncTill], stack: Stack) -> tuple[Till, Chain]:
    """A till of a chain that has no promotion yet."""
    chain = await open_chain(stack, "Promotions")
    return kind(chain.base_url, chain.api_key), chain


async def make(till: Till, name: str = "Double", **said: Any) -> Any:
    """A promotion of the default program."""
    answer = await till(
        "loyalty.programs.promotions.create",
        program_id="main",
        loyalty_promotion=promotion(name, **said),
        idempotency_key=fresh_key(),
    )
    return answer.loyalty_promotion


async def cancel(till: Till, promotion_id: str) -> Any:
    """The end of a promotion by somebody's word."""
    answer = await till(
        "loyalty.programs.promotions.cancel", program_id="main", promotion_id=promotion_id
    )
    return answer.loyalty_promotion


async def test_a_promotion_is_told_as_square_tells_it(fresh: tuple[Till, Chain]) -> None:
    till, chain = fresh
    made = await make(
        till,
        "Lundis",
        available_time={"time_periods": [FUTURE]},
        trigger_limit={"times": 1, "interval": "DAY"},
        minimum_spend_amount_money=cad(2000),
    )
    got = await till(
        "loyalty.programs.promotions.get", program_id=chain.program_id, promotion_id=made.id
    )

    assert got.loyalty_promotion == made
    assert (made.name, made.status, made.loyalty_program_id) == (
        "Lundis",
        "SCHEDULED",
        chain.program_id,
    )
    assert made.incentive.type == "POINTS_MULTIPLIER"
    assert made.incentive.points_multiplier_data.multiplier == "2"
    assert made.incentive.points_multiplier_data.points_multiplier == 2
    assert made.incentive.points_addition_data is None
    # 2090-01-02 is a Monday, the 30th the last one before the end.
    assert (made.available_time.start_date, made.available_time.end_date) == (
        "2090-01-02",
        "2090-01-30",
    )
    assert made.available_time.time_periods == [f"BEGIN:VEVENT\n{FUTURE}\nEND:VEVENT"]
    assert (made.trigger_limit.times, made.trigger_limit.interval) == (1, "DAY")
    assert made.minimum_spend_amount_money.amount == 2000
    assert made.minimum_spend_amount_money.currency == "CAD"
    assert (made.canceled_at, made.qualifying_item_variation_ids) == (None, None)
    assert made.created_at == made.updated_at


@pytest.mark.parametrize(
    ("data", "multiplier", "whole"),
    [
        ({"multiplier": "1.5"}, "1.5", None),
        ({"multiplier": "10"}, "10", 10),
        ({"multiplier": "3.0"}, "3", 3),
        ({"points_multiplier": 3}, "3", 3),
        ({"multiplier": "3", "points_multiplier": 3}, "3", 3),
    ],
)
async def test_both_ways_to_write_a_multiplier_are_understood(
    till: Till, data: dict[str, Any], multiplier: str, whole: int | None
) -> None:
    """The SDK's older whole number comes back with the text that says the same."""
    incentive = {"type": "POINTS_MULTIPLIER", "points_multiplier_data": data}
    made = await make(till, incentive=incentive)
    await cancel(till, made.id)

    assert made.incentive.points_multiplier_data.multiplier == multiplier
    assert made.incentive.points_multiplier_data.points_multiplier == whole


async def test_points_may_be_added_instead(till: Till) -> None:
    incentive = {"type": "POINTS_ADDITION", "points_addition_data": {"points_addition": 25}}
    made = await make(till, incentive=incentive)
    await cancel(till, made.id)

    assert made.incentive.type == "POINTS_ADDITION"
    assert made.incentive.points_addition_data.points_addition == 25
    assert made.incentive.points_multiplier_data is None


async def test_the_pager_lists_newest_first_and_by_status(fresh: tuple[Till, Chain]) -> None:
    till, chain = fresh
    for name, period in (("Passée", PAST), ("En cours", ALWAYS), ("Prévue", FUTURE)):
        await make(till, name, available_time={"time_periods": [period]})
    stopped = await make(till, "Arrêtée")
    await cancel(till, stopped.id)
    program = {"program_id": chain.program_id}

    everything = await till.every(LIST, limit=1, **program)
    page = await till(LIST, limit=3, **program)
    by_status = {
        status: [one.name for one in await till.every(LIST, status=status, **program)]
        for status in ("ENDED", "ACTIVE", "SCHEDULED", "CANCELED")
    }

    assert [one.name for one in everything] == ["Arrêtée", "Prévue", "En cours", "Passée"]
    assert [one.id for one in page.items] == [one.id for one in everything[:3]]
    assert page.has_next
    assert by_status == {
        "ENDED": ["Passée"],
        "ACTIVE": ["En cours"],
        "SCHEDULED": ["Prévue"],
        "CANCELED": ["Arrêtée"],
    }


async def test_the_eleventh_is_refused_until_one_is_canceled(fresh: tuple[Till, Chain]) -> None:
    """Ten running and planned ones of a program; ended and canceled ones do not count."""
    till, _ = fresh
    await make(till, "Passée", available_time={"time_periods": [PAST]})
    made = [await make(till, f"Numéro {place}") for place in range(9)]
    made.append(await make(till, available_time={"time_periods": [FUTURE]}))
    with pytest.raises(ApiError) as refused:
        await make(till, "De trop")
    await cancel(till, made[0].id)
    await make(till, "De la place")

    assert (refused.value.status_code, codes_of(refused.value)) == (409, ["CONFLICT"])
    assert "10" in refused.value.body["errors"][0]["detail"]


async def test_a_promotion_is_canceled_once_and_says_so_each_time(till: Till) -> None:
    made = await make(till)
    first = await cancel(till, made.id)
    again = await cancel(till, made.id)

    assert (first.status, again) == ("CANCELED", first)
    assert first.canceled_at
    assert first.canceled_at >= made.created_at


async def test_what_ended_by_itself_cannot_be_canceled(till: Till) -> None:
    made = await make(till, available_time={"time_periods": [PAST]})
    with pytest.raises(ApiError) as refused:
        await cancel(till, made.id)

    assert (made.status, refused.value.status_code) == ("ENDED", 409)


async def test_one_key_makes_one_promotion(fresh: tuple[Till, Chain]) -> None:
    till, chain = fresh
    said: Any = {
        "program_id": chain.program_id,
        "loyalty_promotion": promotion(),
        "idempotency_key": fresh_key(),
    }
    first = await till("loyalty.programs.promotions.create", **said)
    again = await till("loyalty.programs.promotions.create", **said)
    said["loyalty_promotion"] = promotion("Autre")
    with pytest.raises(ApiError) as refused:
        await till("loyalty.programs.promotions.create", **said)

    assert again == first
    assert codes_of(refused.value) == ["IDEMPOTENCY_KEY_REUSED"]
    assert len(await till.every(LIST, program_id=chain.program_id)) == 1


def multiplied(**data: Any) -> dict[str, Any]:
    """An incentive whose multiplier says this."""
    return {"incentive": {"type": "POINTS_MULTIPLIER", "points_multiplier_data": data}}


def at(*periods: str) -> dict[str, Any]:
    """A promotion at these times."""
    return {"available_time": {"time_periods": list(periods)}}


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"name": " "}, "VALUE_EMPTY", "name"),
        (at(), "ARRAY_LENGTH_TOO_SHORT", "available_time.time_periods"),
        (at("DTSTART:20260101T000000"), "INVALID_VALUE", "available_time.time_periods"),
        (
            at("DTSTART:20260101T000000Z\nDURATION:PT1H"),
            "INVALID_VALUE",
            "available_time.time_periods",
        ),
        (
            at("DTSTART:20260101T000000\nDURATION:PT1H\nRRULE:FREQ=SECONDLY"),
            "INVALID_VALUE",
            "available_time.time_periods",
        ),
        (
            multiplied(multiplier="10.001"),
            "INVALID_VALUE",
            "incentive.points_multiplier_data.multiplier",
        ),
        (
            multiplied(multiplier="1"),
            "INVALID_VALUE",
            "incentive.points_multiplier_data.multiplier",
        ),
        (
            multiplied(multiplier="1.2345"),
            "INVALID_VALUE",
            "incentive.points_multiplier_data.multiplier",
        ),
        (
            multiplied(multiplier="1e1"),
            "VALUE_REGEX_MISMATCH",
            "incentive.points_multiplier_data.multiplier",
        ),
        (
            multiplied(multiplier="2", points_multiplier=3),
            "CONFLICTING_PARAMETERS",
            "incentive.points_multiplier_data.points_multiplier",
        ),
        (
            multiplied(),
            "MISSING_REQUIRED_PARAMETER",
            "incentive.points_multiplier_data.multiplier",
        ),
        (
            {"incentive": {"type": "POINTS_ADDITION"}},
            "MISSING_REQUIRED_PARAMETER",
            "incentive.points_addition_data",
        ),
        (
            {
                "incentive": {
                    "type": "POINTS_ADDITION",
                    "points_addition_data": {"points_addition": 1},
                    "points_multiplier_data": {"multiplier": "2"},
                }
            },
            "CONFLICTING_PARAMETERS",
            "incentive",
        ),
        ({"trigger_limit": {"times": 0}}, "VALUE_TOO_LOW", "trigger_limit.times"),
        ({"trigger_limit": {"times": 1_001}}, "INVALID_VALUE", "trigger_limit"),
        (
            {"minimum_spend_amount_money": {"amount": 100, "currency": "USD"}},
            "UNSUPPORTED_CURRENCY",
            "minimum_spend_amount_money.currency",
        ),
        (
            {"qualifying_category_ids": ["0d7a4f34-6a52-4f0b-9d2e-1b0c8f7a6e55"]},
            "NOT_FOUND",
            "qualifying_category_ids[0]",
        ),
    ],
)
async def test_what_no_promotion_may_say_is_refused_by_its_field(
    till: Till, chain: Chain, said: dict[str, Any], code: str, field: str
) -> None:
    before = await till.every(LIST, program_id=chain.program_id)
    with pytest.raises(ApiError) as refused:
        await make(till, **said)

    assert refused.value.status_code == (404 if code == "NOT_FOUND" else 400)
    assert codes_of(refused.value) == [code]
    assert field_of(refused.value) == f"loyalty_promotion.{field}"
    assert await till.every(LIST, program_id=chain.program_id) == before


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"limit": 31}, "VALUE_TOO_HIGH", "limit"),
        ({"limit": 0}, "VALUE_TOO_LOW", "limit"),
        ({"status": "RUNNING"}, "INVALID_ENUM_VALUE", "status"),
        ({"cursor": "nonsense"}, "INVALID_CURSOR", "cursor"),
    ],
)
async def test_a_list_beyond_its_limits_is_refused(
    till: Till, said: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(ApiError) as refused:
        await till(LIST, program_id="main", **said)

    assert (codes_of(refused.value), field_of(refused.value)) == ([code], field)
