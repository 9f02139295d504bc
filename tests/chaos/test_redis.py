"""Redis forgets everything, or is away: PostgreSQL decides, and Redis is missed for a moment only.

reliability.md 2, tests 4 and 5.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from redis.asyncio import Redis

from deploy.local.services import NAMES
from tests.chaos.phones import Phone
from tests.chaos.rest import wait_rest
from tests.chaos.scale import FULL, scaled, show
from tests.chaos.tills import COST, Chain, Till, assert_books_agree, fresh_key, trade
from tests.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.stack, pytest.mark.timeout(900)]

COUNTDOWNS = 200
# One network may join a chain so often in ten minutes.
JOINS_MAX = 30
AWAY_SECONDS = 60 if FULL else 3
# A countdown shows whole seconds, the last running one as 1.
ROUNDING_SECONDS = 2


async def _as_postgres_has_it(stack: Stack, chain: Chain) -> dict[str, datetime]:
    """Until when each used reward of the chain is shown."""
    conn = await asyncpg.connect(stack.database("rewards").service_url)
    try:
        rows = await conn.fetch(
            "SELECT id, display_until FROM reward WHERE chain_id = $1 AND state = 'redeemed'",
            UUID(chain.chain_id),
        )
    finally:
        await conn.close()
    return {str(row["id"]): row["display_until"] for row in rows}


def _agrees(shown: int | None, until: datetime) -> bool:
    return shown is not None and abs(shown - (until - datetime.now(UTC)).total_seconds()) < (
        ROUNDING_SECONDS
    )


async def _assert_countdowns(
    till: Till, used: dict[str, Phone], until: dict[str, datetime]
) -> None:
    """Till and phone show the remaining time that follows from PostgreSQL."""
    for reward, phone in used.items():
        told = await till.done("GET", f"/v2/loyalty/rewards/{reward}")
        assert _agrees(told["reward"]["display_seconds_left"], until[reward])
        assert _agrees(await phone.seconds_left(reward), until[reward])


async def test_flushall_in_running_countdowns_permits_no_second_use(
    stack: Stack, chain: Chain
) -> None:
    """LS-36, LS-38: Redis runs the countdown, PostgreSQL decides.

    Goal: whoever empties Redis gains nothing and loses nothing.
    Method: members use rewards, which start their five minutes; FLUSHALL; every further use is
    refused with 409 as long as PostgreSQL says so, and till and phone show the remaining time as
    PostgreSQL has it, before and after, although the countdowns are not in Redis any more.
    """
    phones = min(scaled(COUNTDOWNS), JOINS_MAX)
    rewards_each = -(-scaled(COUNTDOWNS) // phones)
    used: dict[str, Phone] = {}
    async with (
        AsyncExitStack() as held,
        Till(chain) as till,
        Redis.from_url(stack.redis_url) as redis,
    ):
        for _ in range(phones):
            phone = await held.enter_async_context(Phone(chain))
            await phone.join()
            account = await phone.account(till)
            await till.earn(account, COST * rewards_each)
            for _ in range(rewards_each):
                reward = await till.take(account)
                await till.use(reward)
                used[reward] = phone
        until = await _as_postgres_has_it(stack, chain)
        assert set(until) >= set(used)
        kept = [key async for key in redis.scan_iter(match="countdown:*")]
        assert len(kept) >= len(used)
        await _assert_countdowns(till, used, until)

        await redis.flushall()

        await _assert_countdowns(till, used, until)
        for reward in used:
            again = await till.send(
                "POST",
                f"/v2/loyalty/rewards/{reward}/redeem",
                {"idempotency_key": fresh_key(), "location_id": chain.salon_id},
            )
            assert again.status_code == 409, again.text
        assert await _as_postgres_has_it(stack, chain) == until
    show("FLUSHALL", running_countdowns=len(used), used_twice=0)


async def test_without_redis_points_count_and_codes_are_closed(stack: Stack, chain: Chain) -> None:
    """D39: without Redis rewards stay right, reads work, and no code can be guessed.

    Goal: Redis is a help; what it guards closes, what it only speeds up goes on.
    Method: Redis is killed under trade. Earns, takes and uses go on, not one is refused. The right
    points code is refused, and no one-time code is sent, in words and with a status that says
    "later". Every service says degraded and stays ready. Then Redis comes back, empty: the code
    earns its point, everybody is ready.
    """
    async with Phone(chain, timeout=30) as phone, Till(chain) as till:
        await phone.join()
        account = await phone.account(till)
        right = str(chain.told["points_code"])
        try:
            async with trade(chain) as books:
                await stack.kill("redis")
                begun, before = time.monotonic(), books.acknowledged
                closed = [await phone.type_code(right), await phone.ask_one_time_code()]
                states = {name: await asyncio.to_thread(stack.readiness, name) for name in NAMES}
                assert (await till.send("GET", "/v2/loyalty/programs")).status_code == 200
                assert await till.balance(account) == 0
                await asyncio.sleep(max(0.0, begun + AWAY_SECONDS - time.monotonic()))
                during = books.acknowledged - before
        finally:
            stack.let_go("redis")
            await stack.wait_ready("redis")
        for answer in closed:
            assert answer.status_code in (429, 503), answer.text
            assert "Réessayez" in answer.text
            assert int(answer.headers["retry-after"]) > 0
        for name, (ready, said) in states.items():
            assert ready, f"{name}: {said}"
            assert said["status"] == "degraded"
            assert said["checks"]["redis"] != "ok"
        assert during > 0
        assert books.retries == 0, books.answers
        await _wait_all_ready(stack)
        await _wait_code_counts(phone, right)
        assert await till.balance(account) == 1
    await wait_rest(stack)
    await assert_books_agree(chain, books)
    show(
        "Redis away",
        seconds=AWAY_SECONDS,
        acknowledged_meanwhile=during,
        sent_again=books.retries,
        slowest_seconds=books.slowest_seconds,
    )


async def _wait_all_ready(stack: Stack) -> None:
    async with asyncio.timeout(30):
        for name in NAMES:
            while (await asyncio.to_thread(stack.readiness, name))[1]["status"] != "ready":
                await asyncio.sleep(0.1)


async def _wait_code_counts(phone: Phone, code: str) -> None:
    """The first tries may still be told to wait: Redis is looked for once a second."""
    async with asyncio.timeout(30):
        while (answer := await phone.type_code(code)).status_code != 303:
            assert answer.status_code in (429, 503), answer.text
            await asyncio.sleep(0.2)
