"""Programs, accounts and their points through the official SDK, with both of its clients."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from square.core.api_error import ApiError

from tests.e2e.chains import Chain, fresh_key, fresh_phone
from tests.sdk.members import balance_of, earn, open_account
from tests.sdk.till import Till, codes_of, field_of, pages_of

pytestmark = pytest.mark.stack


async def test_programs_are_found_by_list_by_id_and_as_main(till: Till, chain: Chain) -> None:
    """LS-74: the default program is called "Vos points"."""
    programs = (await till("loyalty.programs.list")).programs
    by_id = (await till("loyalty.programs.get", program_id=chain.program_id)).program
    main = (await till("loyalty.programs.get", program_id="main")).program

    assert [program.id for program in programs] == [chain.program_id]
    assert by_id == main == programs[0]
    assert main.status == "ACTIVE"
    assert main.location_ids == [chain.salon_id]
    assert main.accrual_rules[0].accrual_type == "VISIT"
    assert main.expiration_policy is None
    assert main.model_extra["name"] == "Vos points"


async def test_a_member_enrols_by_phone_and_earns_at_once(till: Till, chain: Chain) -> None:
    phone = fresh_phone()
    account = await open_account(till, phone)
    earned = await earn(till, chain, account.id, 7)
    found = await till("loyalty.accounts.search", query={"mappings": [{"phone_number": phone}]})

    assert account.balance == 0
    assert account.mapping.phone_number == phone
    assert [event.type for event in earned.events] == ["ACCUMULATE_POINTS"]
    assert earned.events[0].accumulate_points.points == 7
    assert earned.events[0].location_id == chain.salon_id
    assert [one.id for one in found.loyalty_accounts] == [account.id]
    assert await balance_of(till, account.id) == 7


async def test_the_same_key_gives_the_first_account_again(till: Till, chain: Chain) -> None:
    said: Any = {
        "loyalty_account": {
            "program_id": chain.program_id,
            "mapping": {"phone_number": fresh_phone()},
        },
        "idempotency_key": fresh_key(),
    }
    first = await till("loyalty.accounts.create", **said)
    await earn(till, chain, first.loyalty_account.id, 3)

    assert await till("loyalty.accounts.create", **said) == first


async def test_a_key_with_another_body_is_refused(till: Till, chain: Chain) -> None:
    account = await open_account(till)
    key = fresh_key()
    await earn(till, chain, account.id, 3, idempotency_key=key)
    with pytest.raises(ApiError) as refused:
        await earn(till, chain, account.id, 4, idempotency_key=key)

    assert (refused.value.status_code, codes_of(refused.value)) == (400, ["IDEMPOTENCY_KEY_REUSED"])
    assert await balance_of(till, account.id) == 3


async def test_a_phone_that_has_an_account_is_a_conflict(till: Till) -> None:
    phone = fresh_phone()
    await open_account(till, phone)

    with pytest.raises(ApiError) as refused:
        await open_account(till, phone)

    assert (refused.value.status_code, codes_of(refused.value)) == (409, ["CONFLICT"])


async def test_a_past_enrolment_is_kept_and_a_future_one_refused(till: Till) -> None:
    then = datetime.now(UTC) - timedelta(days=400)
    made = await open_account(till, enrolled_at=then.isoformat())
    assert datetime.fromisoformat(made.enrolled_at) == then

    with pytest.raises(ApiError) as refused:
        await open_account(till, enrolled_at=(datetime.now(UTC) + timedelta(days=2)).isoformat())
    assert refused.value.status_code == 400


async def test_adjusting_by_hand_gives_and_takes_but_not_below_zero(
    till: Till, chain: Chain
) -> None:
    """LS-72, LS-73: +2 on 3 is 5; −1 is 4; −10 is refused unless it is said; 0 is refused."""
    account = await open_account(till)
    await earn(till, chain, account.id, 3)

    async def adjust(points: int, **said: Any) -> Any:
        answer = await till(
            "loyalty.accounts.adjust",
            account_id=account.id,
            adjust_points={"points": points, "reason": "Geste commercial"},
            idempotency_key=fresh_key(),
            **said,
        )
        return answer.event

    given = await adjust(2)
    assert (given.type, given.adjust_points.points) == ("ADJUST_POINTS", 2)
    assert given.adjust_points.reason == "Geste commercial"
    assert (await adjust(-1)).adjust_points.points == -1
    with pytest.raises(ApiError) as refused:
        await adjust(-10)
    assert (refused.value.status_code, codes_of(refused.value)) == (400, ["INSUFFICIENT_POINTS"])
    assert "4" in refused.value.body["errors"][0]["detail"]
    with pytest.raises(ApiError) as nothing:
        await adjust(0)
    assert nothing.value.status_code == 400
    assert (await adjust(-10, allow_negative_balance=True)).adjust_points.points == -10
    assert await balance_of(till, account.id) == -6


async def test_accounts_come_oldest_first_in_pages_and_never_twice(till: Till) -> None:
    """Limit 1 to 200; no cursor = the last page."""
    made = [(await open_account(till)).id for _ in range(5)]
    pages = await pages_of(till, "loyalty.accounts.search", "loyalty_accounts", limit=2)
    seen = [one.id for page in pages for one in page]

    assert {len(page) for page in pages[:-1]} == {2}
    assert len(seen) == len(set(seen))
    assert [one for one in seen if one in made] == made


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"limit": 0}, "VALUE_TOO_LOW", "limit"),
        ({"limit": 201}, "VALUE_TOO_HIGH", "limit"),
        ({"cursor": "nonsense"}, "INVALID_CURSOR", "cursor"),
        (
            {"query": {"mappings": [{"phone_number": "+15145550142"}] * 31}},
            "ARRAY_LENGTH_TOO_LONG",
            "query.mappings",
        ),
        (
            {
                "query": {
                    "mappings": [{"phone_number": "+15145550142"}],
                    "customer_ids": ["0d7a4f34-6a52-4f0b-9d2e-1b0c8f7a6e55"],
                }
            },
            "CONFLICTING_PARAMETERS",
            "query",
        ),
    ],
)
async def test_a_search_beyond_its_limits_is_refused_with_squares_code(
    till: Till, said: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(ApiError) as refused:
        await till("loyalty.accounts.search", **said)

    assert (refused.value.status_code, codes_of(refused.value)) == (400, [code])
    assert field_of(refused.value) == field


async def test_twenty_earns_at_once_all_count(till: Till, chain: Chain) -> None:
    account = await open_account(till)
    await asyncio.gather(*(earn(till, chain, account.id, 1) for _ in range(20)))
    found = await till("loyalty.accounts.search", query={"customer_ids": [account.customer_id]})

    assert [one.balance for one in found.loyalty_accounts] == [20]


async def test_one_key_sent_ten_times_at_once_counts_once(till: Till, chain: Chain) -> None:
    """A twin in flight waits and gets the first answer too."""
    account = await open_account(till)
    key = fresh_key()
    answers = await asyncio.gather(
        *(earn(till, chain, account.id, 5, idempotency_key=key) for _ in range(10))
    )

    assert len({answer.events[0].id for answer in answers}) == 1
    assert await balance_of(till, account.id) == 5
