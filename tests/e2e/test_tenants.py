"""Charlie never sees anything of Alice's: every call of the document × every wrong key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.e2e.chains import Chain, key_with, open_chain
from tests.e2e.document import Call, calls, furnish, snapshot
from tests.stack import Stack

pytestmark = pytest.mark.stack

READ_SCOPES = ("LOYALTY_READ", "CUSTOMERS_READ", "MERCHANT_PROFILE_READ")


@pytest.fixture(scope="module")
async def every_call(stack: Stack) -> list[Call]:
    found = await calls(stack.base_url)
    assert len(found) > 50
    return found


@pytest.fixture(scope="module")
async def alice(stack: Stack) -> Chain:
    return await open_chain(stack, "Alice")


@pytest.fixture(scope="module")
async def charlie(stack: Stack) -> Chain:
    return await open_chain(stack, "Charlie")


@pytest.fixture(scope="module")
async def ids(alice: Chain) -> dict[str, str]:
    return await furnish(alice)


@pytest.fixture
async def unchanged(alice: Chain, ids: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
    """Alice's chain, which must be the same after the test."""
    before = await snapshot(alice)
    yield before
    assert await snapshot(alice) == before


async def keys_of(chain: Chain) -> dict[str, Any]:
    """The chain's keys, but for when they were used."""
    async with chain.client() as owner:
        keys = (await owner.get("/v2/api-keys")).json()["api_keys"]
    return {
        "api_keys": [
            {name: value for name, value in key.items() if name != "last_used_at"} for key in keys
        ]
    }


async def test_without_a_key_nothing_is_read_or_written(
    stack: Stack, every_call: list[Call], ids: dict[str, str], unchanged: dict[str, Any]
) -> None:
    for token in ("", "Bearer", "Basic QWxpY2U6eA==", f"Bearer {ids['account_id']}"):
        headers = {"Authorization": token} if token else {}
        async with httpx.AsyncClient(base_url=stack.base_url, headers=headers) as client:
            for call in every_call:
                answer = await call.send(client, ids)
                assert answer.status_code == 401, (call.id, answer.text)
                assert set(answer.json()) == {"errors"}


async def test_another_chains_key_reads_and_writes_nothing(
    charlie: Chain, every_call: list[Call], ids: dict[str, str], unchanged: dict[str, Any]
) -> None:
    """Foreign ids are not found, never forbidden; lists are Charlie's own."""
    canaries = set(ids.values()) - {charlie.told["chain_id"]}
    canaries |= {customer["phone_number"] for customer in unchanged["/v2/customers"]["customers"]}
    async with charlie.client() as client:
        for call in every_call:
            answer = await call.send(client, ids)
            if call.is_operators:
                assert answer.status_code == 401, (call.id, answer.text)
            elif call.names_something:
                assert answer.status_code == 404, (call.id, answer.text)
            else:
                assert answer.status_code in {200, 404}, (call.id, answer.text)
            leaked = {canary for canary in canaries if canary in answer.text}
            assert not leaked, (call.id, leaked)


async def test_a_key_that_only_reads_writes_nothing(
    alice: Chain, every_call: list[Call], ids: dict[str, str], unchanged: dict[str, Any]
) -> None:
    token = await key_with(alice, *READ_SCOPES)
    unchanged["/v2/api-keys"] = await keys_of(alice)
    async with alice.client(token) as client:
        for call in every_call:
            answer = await call.send(client, ids)
            if call.is_operators:
                assert answer.status_code == 401, (call.id, answer.text)
            elif set(call.scopes) <= set(READ_SCOPES):
                assert answer.status_code == 200, (call.id, answer.text)
            else:
                assert answer.status_code == 403, (call.id, answer.text)
                assert answer.json()["errors"][0]["code"] == "INSUFFICIENT_SCOPES"


async def test_each_scope_that_a_call_names_is_needed(
    alice: Chain, every_call: list[Call], ids: dict[str, str], unchanged: dict[str, Any]
) -> None:
    """A key with all the others is refused by the call, whatever it names."""
    scopes = {scope for call in every_call for scope in call.scopes}
    assert len(scopes) == 10
    without = {scope: await key_with(alice, *(scopes - {scope})) for scope in sorted(scopes)}
    unchanged["/v2/api-keys"] = await keys_of(alice)
    for scope, token in without.items():
        async with alice.client(token) as client:
            for call in every_call:
                if scope in call.scopes:
                    answer = await call.send(client, ids)
                    assert answer.status_code == 403, (call.id, scope, answer.text)
                    (error,) = answer.json()["errors"]
                    assert error["code"] == "INSUFFICIENT_SCOPES"
                    assert scope in error["detail"], call.id


async def test_every_example_of_the_document_works_for_the_owner(
    stack: Stack, every_call: list[Call]
) -> None:
    """The examples are requests that a chain accepts, given its own ids; deletions come last."""
    chain = await open_chain(stack)
    ids = await furnish(chain)
    needs_a_used_reward = {"RestoreLoyaltyReward"}
    takes_away = {
        "DeleteLoyaltyReward",
        "VoidLoyaltyReward",
        "RevokeApiKey",
        "RevokeDevice",
        "DeleteOffer",
        "DeleteRewardTier",
        "DeleteScheduledMessage",
        "ReleaseNumber",
        "SetStaffStatus",
        "MoveSandboxClock",
    }
    order = {
        name: place
        for place, name in enumerate(
            [
                "RedeemLoyaltyReward",
                "RestoreLoyaltyReward",
                "VoidLoyaltyReward",
                "DeleteLoyaltyReward",
                # After the operator's call that gives the number.
                "SetKeyword",
            ],
            start=1,
        )
    }
    operators = httpx.AsyncClient(
        base_url=stack.base_url,
        timeout=60,
        headers={"Authorization": f"Bearer {stack.operator_key}"},
    )
    async with chain.client() as client, operators as operator:
        for call in sorted(
            every_call,
            key=lambda one: (
                one.id in takes_away,
                one.id in needs_a_used_reward,
                order.get(one.id, 0),
            ),
        ):
            if call.id == "DeleteCustomer":
                assert (await call.send(client, ids)).status_code == 400
                continue
            if call.id == "DeleteLoyaltyReward":
                # Voided a moment ago: there is nothing left to undo.
                assert (await call.send(client, ids)).status_code == 409
                continue
            answer = await call.send(operator if call.is_operators else client, ids)
            assert answer.status_code == 200, (call.id, answer.text)
