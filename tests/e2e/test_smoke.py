"""The main job once, over HTTP, on whatever Kafka this run has (`make smoke`: Apache Kafka).

Enrol, earn, take, use; then every event has left its house and arrived at those who wait for it.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.local import services, wishes
from deploy.local.layout import ROOT
from tests.stack import Stack

pytestmark = pytest.mark.stack

ALICE_PHONE = "+15145550142"
ARRIVE_SECONDS_MAX = 30


def _key() -> str:
    return str(uuid4())


class Till:
    """A till of a fresh sandbox chain."""

    def __init__(self, client: httpx.AsyncClient, chain: dict[str, Any]) -> None:
        self._client = client
        self.chain = chain

    async def send(self, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.chain['api_key']}"}
        return await self._client.request(method, path, json=body, headers=headers)

    async def done(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.send(method, path, body)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        result: dict[str, Any] = answer.json()
        return result


async def _open_chain(client: httpx.AsyncClient, stack: Stack) -> Till:
    answer = await client.post(
        "/v2/operator/chains",
        headers={"Authorization": f"Bearer {stack.operator_key}"},
        json={
            "idempotency_key": _key(),
            "name": "Salon de la fumée",
            "sandbox": True,
            "plan": "PRO",
            "owner": {"email": f"{uuid4().hex[:12]}@smoke.example"},
        },
    )
    assert answer.status_code == 200, answer.text
    return Till(client, answer.json())


async def test_a_member_joins_earns_takes_and_uses_and_every_event_arrives(stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=30) as client:
        till = await _open_chain(client, stack)
        tier = {"points": 2, "name": "Soin offert", "definition": {"discount_type": "IN_KIND"}}
        program = await till.done(
            "PUT",
            f"/v2/loyalty/programs/{till.chain['program_id']}",
            {"idempotency_key": _key(), "program": {"reward_tiers": [tier]}},
        )
        account = await _join(till)
        await _earn(till, account["id"], points=3)
        reward = await _take(till, account["id"], program["program"]["reward_tiers"][0]["id"])
        await _use_once(till, reward["id"])

        now = await till.done("GET", f"/v2/loyalty/accounts/{account['id']}", {})
        assert now["loyalty_account"]["balance"] == 1
        await _wait_welcome(till)
    await _wait_settled(stack)
    _check_ledger(stack)


async def test_the_broker_is_the_one_that_was_asked_for(stack: Stack) -> None:
    asked = os.environ.get("KAFKA", wishes.EMBEDDED)
    assert wishes.current(stack.layout).kafka == (os.environ.get("KAFKA_BOOTSTRAP") or asked)
    if asked == wishes.APACHE:
        assert (stack.layout.data / "kafka" / "data" / "meta.properties").exists()


async def _join(till: Till) -> dict[str, Any]:
    body = {"program_id": "main", "mapping": {"phone_number": ALICE_PHONE}}
    joined = await till.done(
        "POST", "/v2/loyalty/accounts", {"idempotency_key": _key(), "loyalty_account": body}
    )
    account: dict[str, Any] = joined["loyalty_account"]
    return account


async def _earn(till: Till, account_id: str, *, points: int) -> None:
    """Twice with one key: the till lost our first answer."""
    body = {
        "idempotency_key": _key(),
        "location_id": till.chain["location_ids"][0],
        "accumulate_points": {"points": points},
    }
    path = f"/v2/loyalty/accounts/{account_id}/accumulate"
    assert await till.done("POST", path, body) == await till.done("POST", path, body)


async def _take(till: Till, account_id: str, definition_id: str) -> dict[str, Any]:
    wanted = {"loyalty_account_id": account_id, "reward_tier_id": definition_id}
    taken = await till.done(
        "POST", "/v2/loyalty/rewards", {"idempotency_key": _key(), "reward": wanted}
    )
    reward: dict[str, Any] = taken["reward"]
    return reward


async def _use_once(till: Till, reward_id: str) -> None:
    """Eight tills at once: one use."""
    path = f"/v2/loyalty/rewards/{reward_id}/redeem"
    salon = till.chain["location_ids"][0]
    answers = await asyncio.gather(
        *(
            till.send("POST", path, {"idempotency_key": _key(), "location_id": salon})
            for _ in range(8)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


async def _wait_welcome(till: Till) -> None:
    """The welcome text was triggered by an event that travelled through Kafka."""
    async with asyncio.timeout(ARRIVE_SECONDS_MAX):
        while True:
            shown = await till.done("GET", f"/v2/sandbox/messages?to=%2B{ALICE_PHONE[1:]}", {})
            if any(message["kind"] == "WELCOME" for message in shown["messages"]):
                return
            await asyncio.sleep(0.1)


async def _wait_settled(stack: Stack) -> None:
    """No outbox holds anything back, no consumer is behind, nothing was given up."""
    async with asyncio.timeout(ARRIVE_SECONDS_MAX):
        while left := [line async for line in _left_over(stack)]:
            await asyncio.sleep(0.2)
            del left
    consumed = {
        labels["group"]: value
        async for name, labels, value in _samples(stack, "messaging")
        if name == "loyalty_consumer_events_total" and labels["outcome"] == "applied"
    }
    assert consumed, "messaging has applied no event"
    assert all(value > 0 for value in consumed.values())


async def _left_over(stack: Stack) -> Any:
    for service in services.WITH_DATABASE:
        async for name, labels, value in _samples(stack, service):
            if name == "loyalty_dead_letters_total":
                assert value == 0, f"{service} has dead letters: {labels}"
            if name in ("loyalty_outbox_unpublished", "loyalty_consumer_lag") and value > 0:
                yield f"{service} {name} {labels} {value}"


async def _samples(stack: Stack, service: str) -> Any:
    async with httpx.AsyncClient() as client:
        shown = await client.get(f"{stack.ops_url(service)}/metrics", timeout=10)
    for name, labels, value in _parsed(shown.text):
        yield name, labels, value


def _parsed(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def _check_ledger(stack: Stack) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "services.points.ledger_check"],
        env=stack.env("points"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
