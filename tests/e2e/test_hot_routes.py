"""The short way to the hot routes and the documented one answer alike, whatever is sent."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from services.chassis.clock import SystemClock
from services.gateway import hot
from services.gateway.app import create_app, open_deps
from services.gateway.settings import Settings
from tests.e2e.chains import Chain, enrol, key_with
from tests.stack import Stack

pytestmark = pytest.mark.stack

PAIRS = 400
# Of each request its own, or dependent on how many came before.
OWN_HEADERS = {"request-id", "request_id", "ratelimit-remaining", "ratelimit-reset", "date"}

Doors = tuple[httpx.AsyncClient, httpx.AsyncClient]


def _settings(stack: Stack) -> Settings:
    env = {name.lower(): value for name, value in stack.env("gateway").items()}
    return Settings.model_validate(
        {name: env[name] for name in Settings.model_fields if env.get(name)}
    )


@pytest.fixture
async def doors(stack: Stack) -> AsyncIterator[Doors]:
    """Two gateways over one set of dependencies; the second knows no hot routes."""
    async with Redis.from_url(stack.redis_url) as redis:
        deps = open_deps(_settings(stack), redis, SystemClock())
        short, documented = create_app(deps), create_app(deps)
        documented.state.hot_routes = ()
        async with _client(short) as one, _client(documented) as two:
            yield one, two
        await deps.live.close()
        await deps.clients.close()


def _client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://meche")


def _told(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    headers = [pair for pair in answer.headers.items() if pair[0] not in OWN_HEADERS]
    return answer.status_code, answer.content, sorted(headers)


ODD_VALUES: list[Any] = [
    *(None, "", " ", "x" * 37, "x" * 300, "\x00", "\u2028", 0, -1, 1, 2**31 - 1, 2**31, 10**30),
    *(1.0, 1.5, True, [], {}, [1], {"points": 1}, "1", "2026-01-01T00:00:00Z", "2026-13-01", "é"),
    str(uuid4()),
]
ODD_BODIES = [
    *(b"", b"null", b"[]", b"1", b'"x"', b"{", b"{}", b"\xff", b'{"a":NaN}', b"[" * 5000),
    *(b'{"accumulate_points":{"points":1},"accumulate_points":{}}', b"\xef\xbb\xbf{}"),
    b'{"idempotency_key":"\\ud800"}',
    "{}".encode("utf-16"),
]
ODD_HEADERS: list[dict[str, str]] = [
    *({"content-type": kind} for kind in ("text/plain", "", "application/json;charset=latin-1")),
    *({"content-type": kind} for kind in ("application/x+json", "APPLICATION/JSON")),
    *({"authorization": value} for value in ("", "Bearer", "Bearer nobody", "Basic eDp5")),
    *({"square-version": value} for value in ("2024-01-01", "yesterday", "2024-02-31")),
    *({"idempotency-key": value} for value in ("", "k" * 129, "another")),
    *({"cookie": "a=b"}, {"cookie": "a=b", "sec-fetch-site": "cross-site"}),
    *({"accept-language": "fr"}, {"accept": "text/html"}, {"accept-encoding": "gzip"}),
]


class _Invented:
    """Requests that are right but for what chance changes in them."""

    def __init__(self, chance: random.Random, accounts: list[str], chain: Chain, weak: str) -> None:
        self._chance = chance
        self._accounts = accounts
        self._chain = chain
        self._weak = weak

    def one(self) -> dict[str, Any]:
        """Method, path, headers and body."""
        chance = self._chance
        headers = {
            "authorization": f"Bearer {self._chain.api_key}",
            "content-type": "application/json",
        }
        if chance.random() < 0.1:
            headers["authorization"] = f"Bearer {self._weak}"
        if chance.random() < 0.35:
            headers |= chance.choice(ODD_HEADERS)
        account = chance.choice([*self._accounts * 4, str(uuid4()), "nobody", "é", "a%00b"])
        path = f"/v2/loyalty/accounts/{account}"
        if chance.random() < 0.3:
            method = chance.choice(["GET", "GET", "GET", "HEAD", "PUT"])
            return {"method": method, "url": path, "headers": headers}
        if chance.random() < 0.15:
            content = chance.choice(ODD_BODIES)
        else:
            content = json.dumps(self._body()).encode()
        return {
            "method": "POST",
            "url": f"{path}/accumulate",
            "headers": headers,
            "content": content,
        }

    def _body(self) -> dict[str, Any]:
        chance = self._chance
        body: dict[str, Any] = {
            "idempotency_key": str(uuid4()),
            "accumulate_points": {"points": chance.randint(1, 9)},
            "location_id": self._chain.salon_id,
        }
        for _ in range(chance.choice([0, 0, 1, 1, 2])):
            place = chance.choice([body, body["accumulate_points"]])
            names = [
                *("idempotency_key", "location_id", "points", "order_id", "occurred_at", "extra"),
                "loyalty_program_id",
            ]
            if chance.random() < 0.3:
                place.pop(chance.choice([name for name in place if name != "accumulate_points"]), 0)
                break
            place[chance.choice(names)] = chance.choice(ODD_VALUES)
        return body


async def test_both_ways_give_one_answer_to_good_and_bad_requests(
    doors: Doors, alices: Chain, charlies: Chain
) -> None:
    """The same request by both ways: the second is a resend of the first, told the same."""
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")  # noqa: T201
    async with alices.client() as client, charlies.client() as other:
        accounts = [await enrol(alices, client) for _ in range(2)]
        accounts.append(await enrol(charlies, other))
    weak = await key_with(alices, "CUSTOMERS_READ")
    invented = _Invented(random.Random(seed), accounts, alices, weak)
    seen: dict[int, int] = {}
    for number in range(PAIRS):
        request = invented.one()
        first, second = doors if number % 2 else doors[::-1]
        told = _told(await first.request(**request))
        assert told == _told(await second.request(**request)), request
        seen[told[0]] = seen.get(told[0], 0) + 1

    # Chance has visited the happy way and the refusals.
    assert {200, 400, 401, 403, 404} <= set(seen), seen
    assert seen[200] > PAIRS / 10


async def test_the_short_way_is_taken_and_keeps_its_metric_and_its_limit(
    doors: Doors, alices: Chain, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A well-formed earn goes the short way, under its own route's name, counted like any."""
    account = await enrol(alices, client)
    taken: list[str] = []
    original = hot.HotRoute.__getattribute__

    def watched(route: hot.HotRoute, name: str) -> Any:
        if name == "call":
            taken.append(original(route, "route").operation_id)
        return original(route, name)

    monkeypatch.setattr(hot.HotRoute, "__getattribute__", watched)
    body = {
        "idempotency_key": str(uuid4()),
        "accumulate_points": {"points": 3},
        "location_id": alices.salon_id,
    }
    headers = {"authorization": f"Bearer {alices.api_key}"}
    earned = await doors[0].post(
        f"/v2/loyalty/accounts/{account}/accumulate", json=body, headers=headers
    )
    seen = await doors[0].get(f"/v2/loyalty/accounts/{account}", headers=headers)

    assert earned.status_code == 200, earned.text
    assert seen.json()["loyalty_account"]["balance"] == 3
    assert taken == ["AccumulateLoyaltyPoints", "RetrieveLoyaltyAccount"]
    remaining = [int(answer.headers["ratelimit-remaining"]) for answer in (earned, seen)]
    assert remaining[1] < remaining[0] or earned.headers["ratelimit-reset"] == "1"
    assert earned.headers["content-security-policy"]
