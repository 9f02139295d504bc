"""Every call of the SDK: straight, where answers get lost, and where the line is cut."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.e2e.chains import Chain, balance, earn, enrol, fresh_key, open_chain
from tests.sdk.door import Door, Fate, every_first_is_cut, one_in_five_is_busy
from tests.sdk.story import BALANCE, EVENTS, Day, live
from tests.sdk.till import AsyncTill, NotingTill, StubbornTill, SyncTill, Till, calls_of
from tests.stack import Stack

pytestmark = [
    pytest.mark.stack,
    # The SDK reads its unions in the way of an older pydantic.
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute:DeprecationWarning"),
]

Kind = type[SyncTill] | type[AsyncTill]
SEED = 20261121


@pytest.fixture
async def chain(stack: Stack) -> Chain:
    """A chain of each story's own: everything in it is counted afterwards."""
    return await open_chain(stack, "Journée")


async def _all(client: httpx.AsyncClient, method: str, path: str, name: str) -> list[Any]:
    """Everything that a list holds, page by page."""
    found: list[Any] = []
    cursor: str | None = None
    while True:
        place = {"cursor": cursor} if cursor else {}
        said: Any = {"params": place} if method == "GET" else {"json": place}
        answer = await client.request(method, path, **said)
        assert answer.status_code == 200, answer.text
        found += answer.json().get(name, [])
        cursor = answer.json().get("cursor")
        if cursor is None:
            return found


async def assert_nothing_twice(chain: Chain, day: Day) -> None:
    """Count all that the day left behind, by way of no SDK and no door."""
    promotions = f"/v2/loyalty/programs/{chain.program_id}/promotions"
    async with chain.client() as client:
        events = await _all(client, "POST", "/v2/loyalty/events/search", "events")
        rewards = await _all(client, "POST", "/v2/loyalty/rewards/search", "rewards")
        accounts = await _all(client, "POST", "/v2/loyalty/accounts/search", "loyalty_accounts")
        customers = await _all(client, "GET", "/v2/customers", "customers")
        catalog = await _all(client, "GET", "/v2/catalog/list", "objects")
        running = await _all(client, "GET", promotions, "loyalty_promotions")
        ledger = await client.get(f"/v2/loyalty/accounts/{day.account_id}/ledger")
        points = await balance(client, day.account_id)
    assert Counter(event["type"] for event in events) == EVENTS
    assert points == BALANCE
    assert Counter(reward["status"] for reward in rewards) == {"DELETED": 1, "REDEEMED": 1}
    assert [account["id"] for account in accounts] == [day.account_id]
    assert [customer["id"] for customer in customers] == [day.customer_id]
    assert Counter(one["type"] for one in catalog)["CATEGORY"] == 2
    assert [one["status"] for one in running] == ["CANCELED"]
    # Of the ledger: two earns, a promotion, an adjustment, two takes, one return.
    assert ledger.status_code == 200, ledger.text
    assert len(ledger.json()["entries"]) == 7


def assert_the_same_each_time(door: Door) -> None:
    """An answer does not change between the tries of one call (api.md, "Retries")."""
    for repeat in door.repeats:
        assert repeat.told.status == repeat.lost.status, repeat
        assert json.loads(repeat.told.body) == json.loads(repeat.lost.body), repeat.request


# Of the other clients, what a till needs: each has its effects behind both doors as well.
USED_BESIDES = {
    "locations.list",
    "catalog.batch_upsert",
    "catalog.list",
    "customers.create",
    "customers.update",
    "customers.get",
    "customers.search",
    "customers.list",
    "customers.delete",
    "orders.calculate",
    "orders.create",
    "orders.get",
    "orders.batch_get",
}


async def test_every_call_of_the_sdk_is_answered(kind: Kind, chain: Chain) -> None:
    """SQ-17, SQ-18, SQ-20, SQ-53: sold, previewed, earned, taken, used, as Square's clients do."""
    straight = kind(chain.base_url, chain.api_key)
    till = NotingTill(straight)
    await assert_nothing_twice(chain, await live(till, chain))

    # Not one of `client.loyalty` is left out, also of those that a later SDK brings.
    assert calls_of(straight.square.loyalty, "loyalty") <= till.made
    assert till.made >= USED_BESIDES


@pytest.mark.parametrize("losing", ["one-answer-in-five", "every-first-answer"])
async def test_no_call_has_two_effects_when_its_answer_is_lost(
    kind: Kind, chain: Chain, losing: str
) -> None:
    """N2: the SDK repeats after 503 by itself, and a caller with its own key after a cut line."""
    is_cut = losing == "every-first-answer"
    fate: Fate = every_first_is_cut if is_cut else one_in_five_is_busy(SEED)
    with Door(chain.base_url, fate) as door:
        till: Till = kind(door.base_url, chain.api_key)
        day = await live(StubbornTill(till) if is_cut else till, chain)

    assert len(door.repeats) >= (door.passed if is_cut else door.passed // 6)
    assert_the_same_each_time(door)
    await assert_nothing_twice(chain, day)


async def test_forty_earns_at_once_through_a_busy_door_count_forty(chain: Chain) -> None:
    async with chain.client() as client:
        account = await enrol(chain, client)
        await earn(chain, client, account, 1)
        with Door(chain.base_url, one_in_five_is_busy(SEED)) as door:
            till = AsyncTill(door.base_url, chain.api_key)
            await asyncio.gather(
                *(
                    till(
                        "loyalty.accounts.accumulate_points",
                        account_id=account,
                        accumulate_points={"points": 1},
                        idempotency_key=fresh_key(),
                        location_id=chain.salon_id,
                    )
                    for _ in range(40)
                )
            )
        events = await _all(client, "POST", "/v2/loyalty/events/search", "events")
        points = await balance(client, account)

    assert door.repeats
    assert (points, len(events)) == (41, 41)
    assert_the_same_each_time(door)
