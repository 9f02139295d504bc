"""PostgreSQL dies or stops answering under trade (reliability.md 2, test 6)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from deploy.local.services import NAMES
from tests.chaos.rest import assert_effects_stand_once, wait_rest, wait_settled
from tests.chaos.scale import FULL, scaled, show
from tests.chaos.tills import Books, Chain, assert_books_agree, trade
from tests.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.stack, pytest.mark.timeout(900)]

DEATHS = 10
SILENT_SECONDS = 10 if FULL else 6
# Two calls to services on the way, each with a deadline of five seconds, and some for a busy
# machine: whoever waits longer has been forgotten.
ANSWER_SECONDS_MAX = 13.0
RECOVERY_SECONDS_MAX = 5.0


def _family(pid: int) -> list[int]:
    """PostgreSQL's first process and those that serve connections."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


@contextmanager
def _silent(stack: Stack) -> Iterator[None]:
    """PostgreSQL takes connections and requests and answers none of them."""
    pid = stack.pid("postgres")
    assert pid is not None
    family = _family(pid)
    for member in family:
        os.kill(member, signal.SIGSTOP)
    try:
        yield
    finally:
        for member in reversed(family):
            os.kill(member, signal.SIGCONT)


async def _until_recovered(stack: Stack) -> None:
    """Wait until the server has read its log and lets clients in."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(asyncpg.PostgresError, OSError):
                conn = await asyncpg.connect(stack.database("points").service_url)
                await conn.close()
                return
            await asyncio.sleep(0.05)


async def _until_acknowledged(books: Books, number: int) -> float:
    """The seconds until so many more writes are acknowledged."""
    begun, wanted = time.monotonic(), books.acknowledged + number
    async with asyncio.timeout(60):
        while books.acknowledged < wanted:
            await asyncio.sleep(0.02)
    return time.monotonic() - begun


async def _assert_nothing_lost(stack: Stack, chain: Chain, books: Books) -> float:
    for name in NAMES:
        await stack.wait_ready(name)
    rested = await wait_rest(stack, seconds=60)
    await wait_settled(stack)
    await assert_books_agree(chain, books)
    await assert_effects_stand_once(stack, chain.chain_id, phones=books.phones)
    check = await stack.ledger_check()
    assert check.exit_code == 0, check.output
    return rested


async def test_a_killed_postgresql_loses_nothing_that_was_acknowledged(
    stack: Stack, chain: Chain
) -> None:
    """Goal: what a till was told stands on the disk, and the pools find the server again.

    Method: `kill -9` of PostgreSQL under trade, then it recovers from its log. The tills resend by
    their keys. Within 5 s of its recovery writes are acknowledged again; afterwards balances,
    rewards, uses and events agree with what the tills wrote down, and the ledger check is clean.
    """
    deaths, slowest = scaled(DEATHS), 0.0
    async with trade(chain) as books:
        for _ in range(deaths):
            await asyncio.sleep(random.uniform(0.5, 1.5))
            await stack.kill("postgres")
            await asyncio.sleep(random.uniform(0.0, 0.5))
            await stack.restart("postgres")
            await _until_recovered(stack)
            slowest = max(slowest, await _until_acknowledged(books, 1))
    rested = await _assert_nothing_lost(stack, chain, books)
    show(
        f"PostgreSQL killed {deaths} times",
        acknowledged=books.acknowledged,
        sent_again=books.retries,
        slowest_recovery_seconds=slowest,
        at_rest_after_seconds=rested,
    )
    assert slowest <= RECOVERY_SECONDS_MAX


async def test_while_postgresql_is_silent_nobody_waits_beyond_the_deadline(
    stack: Stack, chain: Chain
) -> None:
    """Goal: a server that hangs is told of as an error in time, not waited for.

    Method: all processes of PostgreSQL are stopped under trade and go on after 6 s (with full
    counts 10 s). Every request is answered by the gateway itself, within its deadline.
    """
    async with trade(chain) as books:
        await _until_acknowledged(books, 10)
        with _silent(stack):
            await asyncio.sleep(SILENT_SECONDS)
        recovered = await _until_acknowledged(books, 1)
    rested = await _assert_nothing_lost(stack, chain, books)
    show(
        f"PostgreSQL silent {SILENT_SECONDS} s",
        acknowledged=books.acknowledged,
        sent_again=books.retries,
        slowest_answer_seconds=books.slowest_answer_seconds,
        recovery_seconds=recovered,
        at_rest_after_seconds=rested,
    )
    assert books.answers[0] == 0, books.answers
    assert books.slowest_answer_seconds <= ANSWER_SECONDS_MAX
    assert recovered <= RECOVERY_SECONDS_MAX
