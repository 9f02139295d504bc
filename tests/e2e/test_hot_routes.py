"""The short way to the hot routes and the documented one answer alike, whatever is sent."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
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
from tests.e2e.chains import Chain, earn, enrol, fresh_key, key_with, make_tier, take
from tests.e2e.sales import post, sold
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


REWARDS = 40

# Path, body, and the part of it that holds what is wanted.
Invented = tuple[str, dict[str, Any], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What requests may name."""

    accounts: list[str]
    rewards: list[str]
    definition_id: str


class _Invented:
    """Requests that are right but for what chance changes in them."""

    def __init__(self, chance: random.Random, known: Known, chain: Chain, weak: str) -> None:
        self._chance = chance
        self._known = known
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
        account = self._one_of(self._known.accounts)
        path = f"/v2/loyalty/accounts/{account}"
        if chance.random() < 0.3:
            method = chance.choice(["GET", "GET", "GET", "HEAD", "PUT"])
            return {"method": method, "url": path, "headers": headers}
        url, body, inner = chance.choice([self._earn, self._take, self._use])(path)
        self._change(body, inner)
        content = json.dumps(body).encode()
        if chance.random() < 0.15:
            content = chance.choice(ODD_BODIES)
        return {"method": "POST", "url": url, "headers": headers, "content": content}

    def _one_of(self, ids: list[str]) -> str:
        return self._chance.choice([*ids * 4, str(uuid4()), "nobody", "é", "a%00b"])

    def _earn(self, path: str) -> Invented:
        wanted = {"points": self._chance.randint(1, 9)}
        body = {**fresh(), "accumulate_points": wanted, "location_id": self._chain.salon_id}
        return f"{path}/accumulate", body, "accumulate_points"

    def _take(self, _path: str) -> Invented:
        reward = {
            "loyalty_account_id": self._chance.choice(self._known.accounts),
            "reward_tier_id": self._known.definition_id,
        }
        return "/v2/loyalty/rewards", {**fresh(), "reward": reward}, "reward"

    def _use(self, _path: str) -> Invented:
        reward = self._one_of(self._known.rewards)
        body = {**fresh(), "location_id": self._chain.salon_id}
        return f"/v2/loyalty/rewards/{reward}/redeem", body, ""

    def _change(self, body: dict[str, Any], inner: str) -> None:
        chance = self._chance
        for _ in range(chance.choice([0, 0, 1, 1, 2])):
            place = chance.choice([body, body.get(inner, body)])
            names = [
                *("idempotency_key", "location_id", "points", "order_id", "occurred_at", "extra"),
                *("loyalty_program_id", "reward_tier_id", "loyalty_account_id"),
            ]
            if chance.random() < 0.3:
                place.pop(chance.choice([name for name in place if name != inner]), 0)
                break
            place[chance.choice(names)] = chance.choice(ODD_VALUES)


async def _known(alices: Chain, charlies: Chain) -> Known:
    """Accounts of Alice's chain and one of Charlie's, and rewards that Alice has taken."""
    async with alices.client() as client, charlies.client() as other:
        accounts = [await enrol(alices, client) for _ in range(2)]
        accounts.append(await enrol(charlies, other))
        definition_id = (await make_tier(alices, client, 1))["id"]
        for account in accounts[:2]:
            await earn(alices, client, account, REWARDS)
        taken = [await take(client, accounts[0], definition_id) for _ in range(REWARDS)]
        rewards = [answer.json()["reward"]["id"] for answer in taken]
    return Known(accounts=accounts, rewards=rewards, definition_id=definition_id)


def fresh() -> dict[str, Any]:
    """A body with a key that nobody has used."""
    return {"idempotency_key": fresh_key()}


async def test_both_ways_give_one_answer_to_good_and_bad_requests(
    doors: Doors, alices: Chain, charlies: Chain
) -> None:
    """The same request by both ways: the second is a resend of the first, told the same."""
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")  # noqa: T201
    known = await _known(alices, charlies)
    weak = await key_with(alices, "CUSTOMERS_READ")
    invented = _Invented(random.Random(seed), known, alices, weak)
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
    wanted = {"loyalty_account_id": account, "reward_tier_id": str(uuid4())}
    refused = await doors[0].post(
        "/v2/loyalty/rewards", json={**fresh(), "reward": wanted}, headers=headers
    )
    unknown = await doors[0].post(
        f"/v2/loyalty/rewards/{uuid4()}/redeem",
        json={**fresh(), "location_id": alices.salon_id},
        headers=headers,
    )

    assert earned.status_code == 200, earned.text
    assert seen.json()["loyalty_account"]["balance"] == 3
    assert (refused.status_code, unknown.status_code) == (404, 404)
    assert taken == [
        *("AccumulateLoyaltyPoints", "RetrieveLoyaltyAccount"),
        *("CreateLoyaltyReward", "RedeemLoyaltyReward"),
    ]
    remaining = [int(answer.headers["ratelimit-remaining"]) for answer in (earned, seen)]
    assert remaining[1] < remaining[0] or earned.headers["ratelimit-reset"] == "1"
    assert earned.headers["content-security-policy"]


async def test_an_order_is_counted_alike_by_both_ways(
    doors: Doors, alices: Chain, client: httpx.AsyncClient
) -> None:
    """N2: whichever way comes second tells the first events, whatever its key."""
    account = await enrol(alices, client)
    headers = {"authorization": f"Bearer {alices.api_key}"}
    for first, second in (doors, doors[::-1]):
        order = await post(client, alices, sold("coupe", 4200))
        told = []
        for door in (first, second):
            body = {
                "idempotency_key": str(uuid4()),
                "accumulate_points": {"order_id": order["id"]},
                "location_id": alices.salon_id,
            }
            path = f"/v2/loyalty/accounts/{account}/accumulate"
            told.append(_told(await door.post(path, json=body, headers=headers)))

        assert told[0] == told[1]
        assert told[0][0] == 200
        assert json.loads(told[0][1])["events"][0]["accumulate_points"]["order_id"] == order["id"]
