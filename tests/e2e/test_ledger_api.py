"""The ledger over the API: a balance that anybody can check, line by line (N3, SQ-03, SQ-04)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from loyalty.points.v1.points_pb2 import ADJUSTMENT_REASON_GOODWILL

from tests.e2e.chains import Chain, balance, earn, enrol, fresh_key, make_tier, open_chain, take
from tests.e2e.sales import (
    problem,
    promotion,
    read,
    refund_amount,
    sell,
    set_rules,
    sold,
    spend,
    try_to_exchange,
)
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
async def chain(stack: Stack) -> Chain:
    return await open_chain(stack, "Grand livre")


async def ledger(client: httpx.AsyncClient, account_id: str, **params: Any) -> dict[str, Any]:
    """One page of the ledger."""
    answer = await client.get(f"/v2/loyalty/accounts/{account_id}/ledger", params=params)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def adjust(client: httpx.AsyncClient, account_id: str, points: int, reason: str) -> None:
    """Points by hand."""
    answer = await client.post(
        f"/v2/loyalty/accounts/{account_id}/adjust",
        json={
            "idempotency_key": fresh_key(),
            "adjust_points": {"points": points, "reason": reason},
        },
    )
    assert answer.status_code == 200, answer.text


async def test_the_sum_is_told_and_each_entry_opens_its_sale(chain: Chain) -> None:
    async with chain.client() as client:
        await set_rules(client, spend())
        tier = await make_tier(chain, client, 50)
        account, order = await sell(client, chain, sold("a", 12_000))
        reward = (await take(client, account, tier["id"])).json()["reward"]
        await adjust(client, account, -5, "Erreur")
        await refund_amount(client, order, 2500, refund_id="r-1")
        told = await ledger(client, account)
        french = await client.get(
            f"/v2/loyalty/accounts/{account}/ledger", headers={"Accept-Language": "fr"}
        )
        found = await client.post("/v2/loyalty/events/search", json={})
        refunded, adjusted, taken, earned = told["entries"]

        assert told["text"] == "balance 40 = 120 earned − 5 adjusted − 50 taken − 25 refunded"
        assert french.json()["text"].startswith("solde 40 = 120 gagnés")
        assert told["balance"] == await balance(client, account) == 40
        assert sum(total["points"] for total in told["totals"]) == 40
        assert sum(total["entries"] for total in told["totals"]) == 4
        assert (earned["type"], earned["order_id"], earned["source"]) == ("EARN", order, "TILL")
        assert earned["location_id"] == chain.salon_id
        assert earned["actor"]["type"] == "API_KEY"
        assert earned["remaining_points"] == 40
        assert (taken["type"], taken["reward_id"]) == ("REWARD", reward["id"])
        assert taken["uses"] == [{"entry_id": earned["id"], "points": 50}]
        assert (adjusted["points"], adjusted["reason"]) == (-5, "Erreur")
        assert (refunded["order_id"], refunded["change_id"]) == (order, "r-1")
        assert refunded["reverses"] == earned["id"]
        assert [entry["balance_after"] for entry in told["entries"]] == [40, 65, 70, 120]
        recorded = {event["id"]: event["created_at"] for event in found.json()["events"]}
        for entry in (refunded, adjusted, earned):
            assert entry["recorded_at"] == recorded[entry["id"]]


async def test_whatever_a_sale_moved_opens_it(chain: Chain) -> None:
    """SQ-03: what it earned, its promotion, what a refund took and an exchange took or gave."""
    async with chain.client() as client:
        await set_rules(client, spend())
        made = await client.post(
            "/v2/loyalty/programs/main/promotions",
            json={"idempotency_key": fresh_key(), "loyalty_promotion": promotion()},
        )
        assert made.status_code == 200, made.text
        account, order = await sell(client, chain, sold("a", 2_000), sold("b", 1_000))
        await refund_amount(client, order, 500)
        for returned, added in (("a", sold("c", 4_000)), ("c", sold("d", 1_000))):
            changed = await try_to_exchange(client, order, returned=[returned], added=[added])
            assert changed.status_code == 200, changed.text
        entries = (await ledger(client, account))["entries"]
        opened = {entry.get("order_id") for entry in entries}
        sale = await read(client, order)

    signs = [(entry["type"], entry["points"] > 0) for entry in reversed(entries)]
    assert signs == [
        ("EARN", True),
        ("PROMOTION", True),
        ("REFUND", False),
        ("EARN", True),
        ("REFUND", False),
    ]
    assert opened == {order}
    told = sale["loyalty"]
    assert told["loyalty_account_id"] == account
    assert sum(entry["points"] for entry in entries) == told["held_points"]


async def test_pages_follow_one_another(chain: Chain, charlies: Chain) -> None:
    async with chain.client() as client:
        account, other = await enrol(chain, client), await enrol(chain, client)
        for points in range(1, 6):
            await earn(chain, client, account, points)
        first = await ledger(client, account, limit=2)
        second = await ledger(client, account, limit=2, cursor=first["cursor"])
        third = await ledger(client, account, limit=2, cursor=second["cursor"])
        path = f"/v2/loyalty/accounts/{other}/ledger"
        wrong = [
            await client.get(path, params={"cursor": first["cursor"]}),
            await client.get(path, params={"limit": "201"}),
        ]
        async with charlies.client() as stranger:
            hidden = await stranger.get(f"/v2/loyalty/accounts/{account}/ledger")

    pages = [first, second, third]
    assert [[entry["points"] for entry in page["entries"]] for page in pages] == [
        [5, 4],
        [3, 2],
        [1],
    ]
    assert "cursor" not in third
    assert {page["text"] for page in pages} == {"balance 15 = 15 earned"}
    assert problem(wrong[0]) == (400, "INVALID_CURSOR", "cursor")
    assert problem(wrong[1]) == (400, "VALUE_TOO_HIGH", "limit")
    assert hidden.status_code == 404


async def test_an_empty_account_says_so(chain: Chain) -> None:
    async with chain.client() as client:
        account = await enrol(chain, client)
        told = await ledger(client, account)

    assert (told["balance"], told["text"]) == (0, "balance 0 = 0 earned")
    assert told["entries"] == told["totals"] == []


async def test_till_and_panel_write_the_same_entry(chain: Chain) -> None:
    """SQ-52, SQ-30: same result and same fields from both; only who did it differs."""
    owner = chain.told["owner"]
    at_home = {"Origin": chain.base_url}
    browser = httpx.AsyncClient(base_url=chain.base_url, headers=at_home)
    async with chain.client() as client, browser as panel:
        account = await enrol(chain, client)
        found = await client.get(f"/v2/loyalty/accounts/{account}")
        member = found.json()["loyalty_account"]["customer_id"]
        await adjust(client, account, 10, "Geste commercial")
        credentials = {"email": owner["email"], "password": owner["password"]}
        signed_in = await panel.post("/signin", data=credentials)
        given = await panel.post(
            f"/admin/members/{member}/points",
            data={
                "k": fresh_key(),
                "program_id": chain.program_id,
                "points": "10",
                "reason": str(ADJUSTMENT_REASON_GOODWILL),
            },
        )
        assert signed_in.status_code == given.status_code == 303, given.text
        by_panel, by_till = (await ledger(client, account))["entries"]

    assert by_till["actor"]["type"] == "API_KEY"
    assert by_panel["actor"] == {"type": "STAFF", "id": owner["id"]}
    assert by_panel.keys() == by_till.keys()
    told = [
        {name: entry[name] for name in ("type", "points", "reason", "expiration_policy")}
        for entry in (by_till, by_panel)
    ]
    assert told[0] == told[1]
    assert (by_till["balance_after"], by_panel["balance_after"]) == (10, 20)


async def test_points_that_end_are_told_with_their_day_and_end(chain: Chain) -> None:
    """SQ-66, SQ-68, X14: seen with their schedule, gone after the last day of the month."""
    async with chain.client() as client:
        await set_rules(client, spend(), expiration_policy={"expiration_duration": "P3M"})
        account, _ = await sell(client, chain, sold("a", 10_000))
        shown = (await client.get(f"/v2/loyalty/accounts/{account}")).json()["loyalty_account"]
        (deadline,) = shown["expiring_point_deadlines"]
        ends = datetime.fromisoformat(deadline["expires_at"])
        moved = await client.post("/v2/sandbox/clock", json={"now": deadline["expires_at"]})
        after = await ledger(client, account)
        query = {"filter": {"type_filter": {"types": ["EXPIRE_POINTS"]}}}
        found = await client.post("/v2/loyalty/events/search", json={"query": query})
        gone = (await client.get(f"/v2/loyalty/accounts/{account}")).json()["loyalty_account"]

    assert deadline["points"] == 100
    first_day = ends.astimezone(ZoneInfo("America/Toronto"))
    assert (first_day.day, first_day.hour) == (1, 0)
    assert deadline["last_day"] == (first_day.date() - timedelta(days=1)).isoformat()
    assert moved.status_code == 200, moved.text
    assert after["text"] == "balance 0 = 100 earned − 100 expired"
    (event,) = found.json()["events"]
    assert event["expire_points"]["points"] == -100
    assert datetime.fromisoformat(event["occurred_at"]) == ends
    assert datetime.fromisoformat(event["created_at"]) >= ends
    assert gone["balance"] == 0
    assert "expiring_point_deadlines" not in gone
