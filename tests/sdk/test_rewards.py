"""Rewards and the list of events through the official SDK, with both of its clients."""

from __future__ import annotations

from typing import Any

import pytest
from square.core.api_error import ApiError

from tests.e2e.chains import Chain, fresh_key, make_tier
from tests.sdk.members import balance_of, earn, open_account
from tests.sdk.till import Till, codes_of, field_of, pages_of

pytestmark = pytest.mark.stack


async def tier_of(chain: Chain, points: int) -> str:
    """A reward definition at this price."""
    async with chain.client() as client:
        return str((await make_tier(chain, client, points))["id"])


async def take(till: Till, account_id: str, tier_id: str) -> Any:
    """The take of a reward ("Prendre")."""
    answer = await till(
        "loyalty.rewards.create",
        reward={"loyalty_account_id": account_id, "reward_tier_id": tier_id},
        idempotency_key=fresh_key(),
    )
    return answer.reward


async def test_a_reward_is_taken_used_and_told(till: Till, chain: Chain) -> None:
    """LS-33, LS-36: points leave at the take; the use is one event."""
    account = await open_account(till)
    await earn(till, chain, account.id, 10)
    reward = await take(till, account.id, await tier_of(chain, 10))
    assert (reward.status, reward.points) == ("ISSUED", 10)
    assert await balance_of(till, account.id) == 0

    def use(key: str) -> Any:
        return till(
            "loyalty.rewards.redeem",
            reward_id=reward.id,
            idempotency_key=key,
            location_id=chain.salon_id,
        )

    key = fresh_key()
    used = (await use(key)).event
    assert used.type == "REDEEM_REWARD"
    assert used.redeem_reward.reward_id == reward.id
    assert (await use(key)).event == used
    with pytest.raises(ApiError) as refused:
        await use(fresh_key())
    assert refused.value.status_code == 409
    found = await till(
        "loyalty.rewards.search", query={"loyalty_account_id": account.id, "status": "REDEEMED"}
    )
    got = await till("loyalty.rewards.get", reward_id=reward.id)
    assert found.rewards == [got.reward]
    assert got.reward.id == reward.id
    with pytest.raises(ApiError) as kept:
        await till("loyalty.rewards.delete", reward_id=reward.id)
    assert kept.value.status_code == 409


async def test_a_deleted_reward_gives_its_points_back(till: Till, chain: Chain) -> None:
    """D35: a delete undoes the take, and may be repeated."""
    account = await open_account(till)
    await earn(till, chain, account.id, 5)
    reward = await take(till, account.id, await tier_of(chain, 4))

    await till("loyalty.rewards.delete", reward_id=reward.id)
    await till("loyalty.rewards.delete", reward_id=reward.id)

    assert await balance_of(till, account.id) == 5
    assert (await till("loyalty.rewards.get", reward_id=reward.id)).reward.status == "DELETED"


async def test_too_few_points_take_nothing(till: Till, chain: Chain) -> None:
    account = await open_account(till)
    await earn(till, chain, account.id, 3)
    with pytest.raises(ApiError) as refused:
        await take(till, account.id, await tier_of(chain, 4))

    assert (refused.value.status_code, codes_of(refused.value)) == (400, ["INSUFFICIENT_POINTS"])
    assert await balance_of(till, account.id) == 3


async def test_rewards_are_found_by_status_in_pages_last_changed_first(
    till: Till, chain: Chain
) -> None:
    """Limit 1 to 30; `updated_at` descending."""
    account = await open_account(till)
    await earn(till, chain, account.id, 4)
    tier_id = await tier_of(chain, 1)
    made = [(await take(till, account.id, tier_id)).id for _ in range(4)]
    await till("loyalty.rewards.delete", reward_id=made[0])
    query = {"loyalty_account_id": account.id}
    pages = await pages_of(till, "loyalty.rewards.search", "rewards", query=query, limit=3)
    issued = await till("loyalty.rewards.search", query={**query, "status": "ISSUED"})
    with pytest.raises(ApiError) as refused:
        await till("loyalty.rewards.search", query=query, limit=31)

    assert [[one.id for one in page] for page in pages] == [
        [made[0], made[3], made[2]],
        [made[1]],
    ]
    assert {one.id for one in issued.rewards} == set(made[1:])
    assert (codes_of(refused.value), field_of(refused.value)) == (["VALUE_TOO_HIGH"], "limit")


async def test_events_are_told_newest_first_in_pages_and_by_filter(
    till: Till, chain: Chain
) -> None:
    """AND between filters, OR inside a list."""
    account = await open_account(till)
    for points in (1, 2, 3):
        await earn(till, chain, account.id, points)
    await take(till, account.id, await tier_of(chain, 2))
    mine: Any = {"loyalty_account_filter": {"loyalty_account_id": account.id}}

    async def found(**filters: Any) -> Any:
        return await till("loyalty.search_events", query={"filter": {**mine, **filters}})

    whole = await found()
    pages = await pages_of(till, "loyalty.search_events", "events", query={"filter": mine}, limit=1)
    earned = await found(type_filter={"types": ["ACCUMULATE_POINTS"]})
    either = await found(type_filter={"types": ["ACCUMULATE_POINTS", "CREATE_REWARD"]})
    here = await found(location_filter={"location_ids": [chain.salon_id]})
    elsewhere = await found(location_filter={"location_ids": [fresh_key()]})
    later = {"created_at": {"start_at": whole.events[0].created_at}}
    last = await found(date_time_filter=later, type_filter={"types": ["CREATE_REWARD"]})

    assert [event.type for event in whole.events] == ["CREATE_REWARD", *["ACCUMULATE_POINTS"] * 3]
    assert (pages, whole.cursor) == ([[event] for event in whole.events], None)
    assert [event.accumulate_points.points for event in earned.events] == [3, 2, 1]
    assert either.events == whole.events
    assert {event.id for event in earned.events} <= {event.id for event in here.events}
    assert elsewhere.events == []
    assert last.events == whole.events[:1]
