"""Sandbox chains of a test's own, made by the operator's call, and phones that nobody else uses."""

from __future__ import annotations

import itertools
import os
import secrets
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, Protocol
from uuid import uuid4

import httpx

_numbers = itertools.count(secrets.randbelow(5_000) * 100 + os.getpid() % 100)


class Platform(Protocol):
    """As much of the running platform as these tests need."""

    @property
    def base_url(self) -> str:
        """Where the gateway answers."""

    @property
    def operator_key(self) -> str:
        """The key that opens chains."""


def fresh_phone() -> str:
    """A dialable Canadian number that no other test of this run uses."""
    number = next(_numbers) % 7_000_000
    return f"+1514{2_000_000 + number:07d}"


def fresh_key() -> str:
    """An idempotency key."""
    return str(uuid4())


def _fresh_word() -> str:
    """A word that no other chain has; of letters alone, for six digits would pass for a code."""
    return "".join(secrets.choice(ascii_lowercase) for _ in range(6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain and its owner's key."""

    base_url: str
    api_key: str
    told: dict[str, Any]

    @property
    def program_id(self) -> str:
        """The default program."""
        return str(self.told["program_id"])

    @property
    def salon_id(self) -> str:
        """The first salon."""
        return str(self.told["location_ids"][0])

    def client(self, api_key: str | None = None, **headers: str) -> httpx.AsyncClient:
        """An HTTP client that shows the owner's key, or another one."""
        return httpx.AsyncClient(
            base_url=self.base_url,
            timeout=30,
            headers={"Authorization": f"Bearer {api_key or self.api_key}", **headers},
        )


def operator(platform: Platform) -> httpx.AsyncClient:
    """An HTTP client that shows the operator's key."""
    return httpx.AsyncClient(
        base_url=platform.base_url,
        timeout=60,
        headers={"Authorization": f"Bearer {platform.operator_key}"},
    )


async def open_chain(platform: Platform, name: str = "Salon Alice", **said: Any) -> Chain:
    """A fresh sandbox chain on plan Pro, unless `said` tells otherwise."""
    body = {
        "idempotency_key": fresh_key(),
        "name": f"{name} {_fresh_word()}",
        "sandbox": True,
        "plan": "PRO",
        "home_time_zone": "America/Toronto",
        "currency": "CAD",
        "owner": {"email": f"bob-{uuid4().hex[:12]}@example.com", "name": "Bob"},
        **said,
    }
    async with operator(platform) as client:
        answer = await client.post("/v2/operator/chains", json=body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return Chain(base_url=platform.base_url, api_key=told["api_key"], told=told)


async def key_with(chain: Chain, *scopes: str, salon_ids: tuple[str, ...] = ()) -> str:
    """A further API key of the chain with just these scopes."""
    async with chain.client() as client:
        answer = await client.post(
            "/v2/api-keys",
            json={
                "idempotency_key": fresh_key(),
                "api_key": {
                    "name": "Till",
                    "scopes": list(scopes),
                    "location_ids": list(salon_ids),
                },
            },
        )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


async def enrol(chain: Chain, client: httpx.AsyncClient, phone: str | None = None) -> str:
    """The account of a new member."""
    answer = await client.post(
        "/v2/loyalty/accounts",
        json={
            "idempotency_key": fresh_key(),
            "loyalty_account": {
                "program_id": chain.program_id,
                "mapping": {"phone_number": phone or fresh_phone()},
            },
        },
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["loyalty_account"]["id"])


async def earn(chain: Chain, client: httpx.AsyncClient, account_id: str, points: int) -> None:
    """Points by a till's word."""
    answer = await client.post(
        f"/v2/loyalty/accounts/{account_id}/accumulate",
        json={
            "idempotency_key": fresh_key(),
            "location_id": chain.salon_id,
            "accumulate_points": {"points": points},
        },
    )
    assert answer.status_code == 200, answer.text


async def balance(client: httpx.AsyncClient, account_id: str) -> int:
    """The account's balance."""
    answer = await client.get(f"/v2/loyalty/accounts/{account_id}")
    assert answer.status_code == 200, answer.text
    return int(answer.json()["loyalty_account"]["balance"])


async def make_tier(
    chain: Chain, client: httpx.AsyncClient, points: int, **said: Any
) -> dict[str, Any]:
    """A reward definition of the default program."""
    tier = {
        "name": "Soin offert",
        "points": points,
        "definition": {"discount_type": "FIXED_PERCENTAGE", "percentage_discount": "10"},
        **said,
    }
    answer = await client.post(
        f"/v2/loyalty/programs/{chain.program_id}/reward-tiers",
        json={"idempotency_key": fresh_key(), "reward_tier": tier},
    )
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()["reward_tier"]
    return made


async def take(client: httpx.AsyncClient, account_id: str, tier_id: str) -> httpx.Response:
    """The take of a reward ("Prendre")."""
    return await client.post(
        "/v2/loyalty/rewards",
        json={
            "idempotency_key": fresh_key(),
            "reward": {"loyalty_account_id": account_id, "reward_tier_id": tier_id},
        },
    )
