"""Tills that never give up: they send, and send again by the same key, until somebody answers.

What a till has seen acknowledged is written down in books, which are compared with the platform's
afterwards.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import httpx

# A till that gets no answer for so long has lost it.
GIVE_UP_SECONDS = 60.0
PAUSE_SECONDS = 0.1
# Six tills then make some eighty requests a second and leave the machine time to start a service.
THINK_SECONDS_MAX = 0.1
# Answers that say "later". 500 is none of them: it says that we have erred.
LATER = frozenset({408, 429, 502, 503, 504})
# Nobody runs short of points by chance: what is refused then is refused in another test.
START_POINTS = 200
COST = 5

_numbers = itertools.count(secrets.randbelow(5_000) * 1_000 + os.getpid() % 1_000)


def fresh_phone() -> str:
    """A dialable Canadian number that no other member of this run has."""
    return f"+1438{2_000_000 + next(_numbers) % 7_000_000:07d}"


def fresh_key() -> str:
    """An idempotency key."""
    return str(uuid4())


@dataclass(kw_only=True)
class Books:
    """What the tills believe."""

    points: Counter[str] = field(default_factory=Counter)
    taken: dict[str, set[str]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    acknowledged: int = 0
    retries: int = 0
    # With every resend, and of one request alone.
    slowest_seconds: float = 0.0
    slowest_answer_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A sandbox chain of a test's own, with one reward definition."""

    base_url: str
    told: dict[str, Any]
    tier_id: str

    @property
    def api_key(self) -> str:
        """The owner's key."""
        return str(self.told["api_key"])

    @property
    def program_id(self) -> str:
        """The default program."""
        return str(self.told["program_id"])

    @property
    def salon_id(self) -> str:
        """The first salon."""
        return str(self.told["location_ids"][0])

    @property
    def chain_id(self) -> str:
        """The chain's id."""
        return str(self.told["chain_id"])

    @property
    def member_path(self) -> str:
        """Where its members' pages stand."""
        return f"/m/{self.told['chain_slug']}"


async def open_chain(base_url: str, operator_key: str, *, cost: int = COST) -> Chain:
    """A fresh sandbox chain on plan Pro whose one reward costs so many points."""
    async with httpx.AsyncClient(base_url=base_url, timeout=60) as client:
        made = await client.post(
            "/v2/operator/chains",
            headers={"Authorization": f"Bearer {operator_key}"},
            json={
                "idempotency_key": fresh_key(),
                "name": f"Chaos {uuid4().hex[:8]}",
                "sandbox": True,
                "plan": "PRO",
                "owner": {"email": f"bob-{uuid4().hex[:12]}@chaos.example", "name": "Bob"},
            },
        )
        assert made.status_code == 200, made.text
        told = made.json()
        tier = await client.post(
            f"/v2/loyalty/programs/{told['program_id']}/reward-tiers",
            headers={"Authorization": f"Bearer {told['api_key']}"},
            json={
                "idempotency_key": fresh_key(),
                "reward_tier": {
                    "name": "Soin offert",
                    "points": cost,
                    "definition": {"discount_type": "IN_KIND"},
                },
            },
        )
        assert tier.status_code == 200, tier.text
    return Chain(base_url=base_url, told=told, tier_id=tier.json()["reward_tier"]["id"])


class Till:
    """One till of a chain: every call is repeated by its key until it is answered."""

    def __init__(self, chain: Chain, books: Books | None = None) -> None:
        self.chain = chain
        self.books = books or Books()
        self.client = httpx.AsyncClient(
            base_url=chain.base_url,
            timeout=15,
            headers={"Authorization": f"Bearer {chain.api_key}"},
        )

    async def __aenter__(self) -> Till:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def send(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> httpx.Response:
        """The first answer to this request that does not say "later".

        Raises `TimeoutError` when nobody gave one for a minute.
        """
        begun = time.monotonic()
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while (answer := await self._once(method, path, body)) is None:
                self.books.retries += 1
                await asyncio.sleep(random.uniform(0.5, 1.5) * PAUSE_SECONDS)
        self.books.slowest_seconds = max(self.books.slowest_seconds, time.monotonic() - begun)
        return answer

    async def _once(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> httpx.Response | None:
        """The answer to one request; None where it must be sent again. 0 counts broken lines."""
        begun = time.monotonic()
        try:
            answer = await self.client.request(method, path, json=body)
        except httpx.TransportError:
            self.books.answers[0] += 1
            return None
        finally:
            waited = time.monotonic() - begun
            self.books.slowest_answer_seconds = max(self.books.slowest_answer_seconds, waited)
        self.books.answers[answer.status_code] += 1
        return None if answer.status_code in LATER else answer

    async def done(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The answer to a request that must succeed."""
        answer = await self.send(method, path, body)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        said: dict[str, Any] = answer.json()
        return said

    async def enrol(self, *, points: int = 0) -> str:
        """A new member's account, with points from her paper card."""
        phone = fresh_phone()
        wanted = {"program_id": self.chain.program_id, "mapping": {"phone_number": phone}}
        made = await self.done(
            "POST",
            "/v2/loyalty/accounts",
            {"idempotency_key": fresh_key(), "loyalty_account": wanted},
        )
        account: str = made["loyalty_account"]["id"]
        self.books.phones.add(phone)
        self._acknowledge(account, 0)
        if points:
            await self.done(
                "POST",
                f"/v2/loyalty/accounts/{account}/adjust",
                {
                    "idempotency_key": fresh_key(),
                    "adjust_points": {"points": points, "reason": "Carte papier"},
                },
            )
            self._acknowledge(account, points)
        return account

    async def earn(self, account: str, points: int) -> None:
        """Points of one sale."""
        await self.done(
            "POST",
            f"/v2/loyalty/accounts/{account}/accumulate",
            {
                "idempotency_key": fresh_key(),
                "location_id": self.chain.salon_id,
                "accumulate_points": {"points": points},
            },
        )
        self._acknowledge(account, points)

    async def take(self, account: str, *, cost: int = COST) -> str:
        """A reward for points ("Prendre")."""
        wanted = {"loyalty_account_id": account, "reward_tier_id": self.chain.tier_id}
        taken = await self.done(
            "POST", "/v2/loyalty/rewards", {"idempotency_key": fresh_key(), "reward": wanted}
        )
        reward: str = taken["reward"]["id"]
        self.books.taken.setdefault(account, set()).add(reward)
        self._acknowledge(account, -cost)
        return reward

    async def use(self, reward: str) -> None:
        """The reward is shown to staff ("Utiliser")."""
        await self.done(
            "POST",
            f"/v2/loyalty/rewards/{reward}/redeem",
            {"idempotency_key": fresh_key(), "location_id": self.chain.salon_id},
        )
        self.books.used.add(reward)
        self.books.acknowledged += 1

    async def offer(self, **said: Any) -> str:
        """An offer that the app shows from today on."""
        today = date.today()  # noqa: DTZ011
        wanted = {
            "title": f"Gloss offert {uuid4().hex[:6]}",
            "start_date": (today - timedelta(days=2)).isoformat(),
            "end_date": (today + timedelta(days=30)).isoformat(),
            "shown_in_app": True,
            **said,
        }
        made = await self.done(
            "POST", "/v2/loyalty/offers", {"idempotency_key": fresh_key(), "offer": wanted}
        )
        self.books.acknowledged += 1
        return str(made["offer"]["id"])

    async def balance(self, account: str) -> int:
        """What the platform's books say."""
        told = await self.done("GET", f"/v2/loyalty/accounts/{account}")
        return int(told["loyalty_account"]["balance"])

    async def rewards(self, account: str) -> dict[str, str]:
        """Every reward of an account with its status."""
        query = {"loyalty_account_id": account}
        found = await self._pages("/v2/loyalty/rewards/search", "rewards", query)
        return {reward["id"]: reward["status"] for reward in found}

    async def uses(self, account: str) -> list[str]:
        """The reward of every use of an account, as often as it was used."""
        query = {
            "filter": {
                "loyalty_account_filter": {"loyalty_account_id": account},
                "type_filter": {"types": ["REDEEM_REWARD"]},
            }
        }
        found = await self._pages("/v2/loyalty/events/search", "events", query)
        return [event["redeem_reward"]["reward_id"] for event in found]

    async def _pages(self, path: str, name: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        body: dict[str, Any] = {"query": query, "limit": 30}
        while True:
            page = await self.done("POST", path, body)
            found += page.get(name, [])
            if not page.get("cursor"):
                return found
            body["cursor"] = page["cursor"]

    def _acknowledge(self, account: str, points: int) -> None:
        self.books.points[account] += points
        self.books.acknowledged += 1


async def work(till: Till, accounts: list[str], stopping: asyncio.Event) -> None:
    """One till's day: mostly earns, some takes that are used, now and then a member or offer."""
    while not stopping.is_set():
        await asyncio.sleep(random.uniform(0, THINK_SECONDS_MAX))
        account = random.choice(accounts)
        drawn = random.random()
        if drawn < 0.75:
            await till.earn(account, random.randint(1, 5))
        elif drawn < 0.92:
            await till.use(await till.take(account))
        elif drawn < 0.98:
            await till.enrol()
        else:
            await till.offer()


@asynccontextmanager
async def trade(chain: Chain, *, tills: int = 6, accounts: int = 6) -> AsyncIterator[Books]:
    """Tills at work while the body runs; on leaving, whatever was begun is acknowledged."""
    books = Books()
    stopping = asyncio.Event()
    crew = [Till(chain, books) for _ in range(tills)]
    try:
        held = [await crew[0].enrol(points=START_POINTS) for _ in range(accounts)]
        async with asyncio.TaskGroup() as group:
            for till in crew:
                group.create_task(work(till, held, stopping))
            try:
                yield books
            finally:
                stopping.set()
    finally:
        for till in crew:
            await till.client.aclose()


async def assert_books_agree(chain: Chain, books: Books) -> None:
    """Nothing acknowledged is lost, nothing counts twice, and nothing was answered by a fault."""
    assert books.answers[500] == 0, books.answers
    together = asyncio.Semaphore(8)

    async def compare(till: Till, account: str, points: int) -> None:
        async with together:
            assert await till.balance(account) == points
            rewards = await till.rewards(account)
            taken = books.taken.get(account, set())
            assert set(rewards) == taken
            used = {reward for reward, status in rewards.items() if status == "REDEEMED"}
            assert used == taken & books.used
            assert sorted(await till.uses(account)) == sorted(used)

    async with Till(chain) as till, asyncio.TaskGroup() as group:
        for account, points in books.points.items():
            group.create_task(compare(till, account, points))
