"""The official SDK of Square against our base URL: a client that nobody here wrote."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from square import AsyncSquare, Square
from square.core.api_error import ApiError

from tests.e2e.chains import Chain, fresh_key, fresh_phone, make_tier, open_chain
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
async def chain(stack: Stack) -> Chain:
    return await open_chain(stack, "SDK")


@pytest.fixture
def square(chain: Chain) -> Square:
    return Square(base_url=chain.base_url, token=chain.api_key)


@pytest.fixture
async def square_async(chain: Chain) -> AsyncSquare:
    return AsyncSquare(base_url=chain.base_url, token=chain.api_key)


def _account(square: Square, chain: Chain, phone: str | None = None) -> Any:
    return square.loyalty.accounts.create(
        loyalty_account={
            "program_id": chain.program_id,
            "mapping": {"phone_number": phone or fresh_phone()},
        },
        idempotency_key=fresh_key(),
    ).loyalty_account


def _earn(square: Square, chain: Chain, account_id: str, points: int) -> Any:
    return square.loyalty.accounts.accumulate_points(
        account_id=account_id,
        accumulate_points={"points": points},
        idempotency_key=fresh_key(),
        location_id=chain.salon_id,
    )


def _codes(error: ApiError) -> list[str]:
    body = error.body if isinstance(error.body, dict) else {}
    return [one["code"] for one in body["errors"]]


def test_programs_are_found_by_list_by_id_and_as_main(square: Square, chain: Chain) -> None:
    """LS-74: the default program is called "Vos points"."""
    programs = square.loyalty.programs.list().programs or []
    by_id = square.loyalty.programs.get(program_id=chain.program_id).program
    main = square.loyalty.programs.get(program_id="main").program

    assert [program.id for program in programs] == [chain.program_id]
    assert by_id == main == programs[0]
    assert main is not None
    assert main.status == "ACTIVE"
    assert main.location_ids == [chain.salon_id]
    assert main.accrual_rules
    assert main.accrual_rules[0].accrual_type == "VISIT"
    assert main.model_extra
    assert main.model_extra["name"] == "Vos points"


def test_a_member_enrols_by_phone_and_earns_at_once(square: Square, chain: Chain) -> None:
    phone = fresh_phone()
    account = _account(square, chain, phone)
    earned = _earn(square, chain, account.id, 7)
    found = square.loyalty.accounts.search(query={"mappings": [{"phone_number": phone}]})

    assert account.balance == 0
    assert account.mapping.phone_number == phone
    assert [event.type for event in earned.events] == ["ACCUMULATE_POINTS"]
    assert earned.events[0].accumulate_points.points == 7
    assert earned.events[0].location_id == chain.salon_id
    assert [one.id for one in found.loyalty_accounts or []] == [account.id]
    assert square.loyalty.accounts.get(account_id=account.id).loyalty_account.balance == 7


def test_the_same_key_gives_the_first_account_again(square: Square, chain: Chain) -> None:
    body: Any = {"program_id": chain.program_id, "mapping": {"phone_number": fresh_phone()}}
    key = fresh_key()
    first = square.loyalty.accounts.create(loyalty_account=body, idempotency_key=key)
    assert first.loyalty_account is not None
    _earn(square, chain, str(first.loyalty_account.id), 3)

    assert square.loyalty.accounts.create(loyalty_account=body, idempotency_key=key) == first


def test_a_phone_that_has_an_account_is_a_conflict(square: Square, chain: Chain) -> None:
    phone = fresh_phone()
    _account(square, chain, phone)

    with pytest.raises(ApiError) as refused:
        _account(square, chain, phone)

    assert refused.value.status_code == 409
    assert _codes(refused.value) == ["CONFLICT"]


def test_a_past_enrolment_is_kept_and_a_future_one_refused(square: Square, chain: Chain) -> None:
    then = datetime.now(UTC) - timedelta(days=400)
    made = square.loyalty.accounts.create(
        loyalty_account={
            "program_id": chain.program_id,
            "mapping": {"phone_number": fresh_phone()},
            "enrolled_at": then.isoformat(),
        },
        idempotency_key=fresh_key(),
    ).loyalty_account
    assert made is not None
    assert datetime.fromisoformat(str(made.enrolled_at)) == then

    with pytest.raises(ApiError) as refused:
        square.loyalty.accounts.create(
            loyalty_account={
                "program_id": chain.program_id,
                "mapping": {"phone_number": fresh_phone()},
                "enrolled_at": (datetime.now(UTC) + timedelta(days=2)).isoformat(),
            },
            idempotency_key=fresh_key(),
        )
    assert refused.value.status_code == 400


def test_adjusting_by_hand_gives_and_takes_but_not_below_zero(square: Square, chain: Chain) -> None:
    """LS-72, LS-73: +2 on 3 is 5; −1 is 4; −10 is refused unless it is said; 0 is refused."""
    account = _account(square, chain)
    _earn(square, chain, account.id, 3)

    def adjust(points: int, **said: Any) -> Any:
        return square.loyalty.accounts.adjust(
            account_id=account.id,
            adjust_points={"points": points, "reason": "Geste commercial"},
            idempotency_key=fresh_key(),
            **said,
        ).event

    given = adjust(2)
    assert (given.type, given.adjust_points.points) == ("ADJUST_POINTS", 2)
    assert given.adjust_points.reason == "Geste commercial"
    assert adjust(-1).adjust_points.points == -1
    with pytest.raises(ApiError) as refused:
        adjust(-10)
    assert (refused.value.status_code, _codes(refused.value)) == (400, ["INSUFFICIENT_POINTS"])
    assert "4" in refused.value.body["errors"][0]["detail"]
    with pytest.raises(ApiError) as nothing:
        adjust(0)
    assert nothing.value.status_code == 400
    assert adjust(-10, allow_negative_balance=True).adjust_points.points == -10
    assert square.loyalty.accounts.get(account_id=account.id).loyalty_account.balance == -6


async def test_a_reward_is_taken_used_and_told(square: Square, chain: Chain) -> None:
    """LS-33, LS-36: points leave at the take; the use is one event."""
    async with chain.client() as client:
        tier = await make_tier(chain, client, 10)
    account = _account(square, chain)
    _earn(square, chain, account.id, 10)

    reward = square.loyalty.rewards.create(
        reward={"loyalty_account_id": account.id, "reward_tier_id": tier["id"]},
        idempotency_key=fresh_key(),
    ).reward
    assert reward is not None
    assert (reward.status, reward.points) == ("ISSUED", 10)
    assert square.loyalty.accounts.get(account_id=account.id).loyalty_account.balance == 0

    key = fresh_key()
    used = square.loyalty.rewards.redeem(
        reward_id=str(reward.id), idempotency_key=key, location_id=chain.salon_id
    ).event
    assert used is not None
    assert used.type == "REDEEM_REWARD"
    assert used.redeem_reward is not None
    assert used.redeem_reward.reward_id == reward.id
    again = square.loyalty.rewards.redeem(
        reward_id=str(reward.id), idempotency_key=key, location_id=chain.salon_id
    ).event
    assert again == used
    with pytest.raises(ApiError) as refused:
        square.loyalty.rewards.redeem(
            reward_id=str(reward.id), idempotency_key=fresh_key(), location_id=chain.salon_id
        )
    assert refused.value.status_code == 409
    found = square.loyalty.rewards.search(
        query={"loyalty_account_id": account.id, "status": "REDEEMED"}
    )
    assert [one.id for one in found.rewards or []] == [reward.id]
    assert square.loyalty.rewards.get(reward_id=str(reward.id)).reward == (found.rewards or [])[0]
    with pytest.raises(ApiError) as kept:
        square.loyalty.rewards.delete(reward_id=str(reward.id))
    assert kept.value.status_code == 409


async def test_a_deleted_reward_gives_its_points_back(square: Square, chain: Chain) -> None:
    """D35: a delete undoes the take, and may be repeated."""
    async with chain.client() as client:
        tier = await make_tier(chain, client, 4)
    account = _account(square, chain)
    _earn(square, chain, account.id, 5)
    reward = square.loyalty.rewards.create(
        reward={"loyalty_account_id": account.id, "reward_tier_id": tier["id"]},
        idempotency_key=fresh_key(),
    ).reward
    assert reward is not None

    square.loyalty.rewards.delete(reward_id=str(reward.id))
    square.loyalty.rewards.delete(reward_id=str(reward.id))

    assert square.loyalty.accounts.get(account_id=account.id).loyalty_account.balance == 5
    assert square.loyalty.rewards.get(reward_id=str(reward.id)).reward.status == "DELETED"


async def test_events_are_told_newest_first_in_pages(square: Square, chain: Chain) -> None:
    async with chain.client() as client:
        tier = await make_tier(chain, client, 2)
    account = _account(square, chain)
    for points in (1, 2, 3):
        _earn(square, chain, account.id, points)
    reward = square.loyalty.rewards.create(
        reward={"loyalty_account_id": account.id, "reward_tier_id": tier["id"]},
        idempotency_key=fresh_key(),
    ).reward
    assert reward is not None
    mine: Any = {"filter": {"loyalty_account_filter": {"loyalty_account_id": account.id}}}

    whole = square.loyalty.search_events(query=mine, limit=30)
    pages: list[Any] = []
    cursor = None
    while True:
        page = square.loyalty.search_events(query=mine, limit=1, cursor=cursor)
        pages += page.events or []
        cursor = page.cursor
        if cursor is None:
            break

    types = [event.type for event in whole.events or []]
    assert types == ["CREATE_REWARD", *["ACCUMULATE_POINTS"] * 3]
    assert pages == whole.events
    assert whole.cursor is None
    earned = square.loyalty.search_events(
        query={"filter": {**mine["filter"], "type_filter": {"types": ["ACCUMULATE_POINTS"]}}}
    )
    assert [event.accumulate_points.points for event in earned.events or []] == [3, 2, 1]


def test_locations_and_the_merchant_are_the_chain(square: Square, chain: Chain) -> None:
    locations = square.locations.list().locations or []
    merchant = square.merchants.get(merchant_id="me").merchant

    assert [one.id for one in locations] == chain.told["location_ids"]
    assert (locations[0].timezone, locations[0].currency) == ("America/Toronto", "CAD")
    assert merchant is not None
    assert (merchant.id, merchant.country) == (chain.told["chain_id"], "CA")


def test_customers_are_entered_changed_and_found(square: Square, chain: Chain) -> None:
    """SQ-74: found by any part of the name, accents ignored, and by phone."""
    phone, name = fresh_phone(), f"Trémblay{uuid4().hex[:6]}"
    made = square.customers.create(
        given_name="Léa", family_name=name, phone_number=phone, idempotency_key=fresh_key()
    ).customer
    assert made is not None
    changed = square.customers.update(customer_id=str(made.id), note="aime le thé").customer
    by_phone = square.customers.search(query={"filter": {"phone_number": {"exact": phone}}})
    by_name = square.customers.search(
        query={"filter": {"text": {"fuzzy": name.lower().replace("é", "e")}}}
    )

    assert changed is not None
    assert (changed.note, changed.given_name) == ("aime le thé", "Léa")
    assert [one.id for one in by_phone.customers or []] == [made.id]
    assert [one.id for one in by_name.customers or []] == [made.id]
    assert any(one.id == made.id for one in square.customers.list())


def test_a_customer_of_the_directory_gets_her_account(square: Square, chain: Chain) -> None:
    """A till that enters the customer first opens her account next, once."""
    phone = fresh_phone()
    customer = square.customers.create(given_name="Zoé", phone_number=phone).customer
    assert customer is not None

    account = _account(square, chain, phone)
    assert account.customer_id == customer.id
    _earn(square, chain, account.id, 1)
    with pytest.raises(ApiError):
        _account(square, chain, phone)


def test_wrong_keys_are_told_as_square_tells_them(chain: Chain) -> None:
    with pytest.raises(ApiError) as refused:
        Square(base_url=chain.base_url, token="mk_test_nobody").loyalty.programs.list()

    assert refused.value.status_code == 401
    assert refused.value.body["errors"][0] == {
        "category": "AUTHENTICATION_ERROR",
        "code": "UNAUTHORIZED",
        "detail": refused.value.body["errors"][0]["detail"],
    }


async def test_the_async_client_lives_the_same_story(
    square_async: AsyncSquare, chain: Chain
) -> None:
    made = await square_async.loyalty.accounts.create(
        loyalty_account={
            "program_id": "main",
            "mapping": {"phone_number": fresh_phone()},
        },
        idempotency_key=fresh_key(),
    )
    assert made.loyalty_account is not None
    account_id = str(made.loyalty_account.id)
    await asyncio.gather(
        *(
            square_async.loyalty.accounts.accumulate_points(
                account_id=account_id,
                accumulate_points={"points": 1},
                idempotency_key=fresh_key(),
                location_id=chain.salon_id,
            )
            for _ in range(20)
        )
    )
    now = await square_async.loyalty.accounts.get(account_id=account_id)
    found = await square_async.loyalty.accounts.search(
        query={"customer_ids": [str(made.loyalty_account.customer_id)]}
    )

    assert now.loyalty_account is not None
    assert now.loyalty_account.balance == 20
    assert found.loyalty_accounts == [now.loyalty_account]


async def test_one_key_sent_twice_at_once_counts_once(
    square_async: AsyncSquare, chain: Chain
) -> None:
    """A twin in flight waits and gets the first answer too."""
    made = await square_async.loyalty.accounts.create(
        loyalty_account={"program_id": "main", "mapping": {"phone_number": fresh_phone()}},
        idempotency_key=fresh_key(),
    )
    account_id = str(made.loyalty_account.id)
    key = fresh_key()
    answers = await asyncio.gather(
        *(
            square_async.loyalty.accounts.accumulate_points(
                account_id=account_id,
                accumulate_points={"points": 5},
                idempotency_key=key,
                location_id=chain.salon_id,
            )
            for _ in range(10)
        )
    )
    now = await square_async.loyalty.accounts.get(account_id=account_id)

    assert len({answer.events[0].id for answer in answers}) == 1
    assert now.loyalty_account.balance == 5
