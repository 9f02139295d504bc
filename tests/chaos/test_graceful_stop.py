"""SIGTERM under trade: what is in hand is finished, the rest is told to come again."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time

import pytest

from deploy.local.services import GATEWAY, NAMES
from deploy.local.supervisor import DRAIN_SECONDS
from tests.chaos.rest import assert_effects_stand_once, wait_rest, wait_settled
from tests.chaos.scale import scaled, show
from tests.chaos.tills import Chain, assert_books_agree, trade
from tests.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.stack, pytest.mark.timeout(900)]

STOPS = 10


async def _stop_in_order(stack: Stack, service: str) -> float:
    """Ask a service to end, as a deployment does; the seconds until it has. It comes back."""
    begun, pid = time.monotonic(), stack.pid(service)
    stack.send(service, signal.SIGTERM)
    async with asyncio.timeout(DRAIN_SECONDS):
        while stack.pid(service) == pid:
            await asyncio.sleep(0.02)
    ended = time.monotonic() - begun
    await stack.wait_accepts(service)
    return ended


async def test_a_service_that_is_asked_to_stop_fails_nobody(stack: Stack, chain: Chain) -> None:
    """Goal: a deployment costs a till a resend at most, never an error and never an effect.

    Method: under trade each service in turn gets SIGTERM and is started again, 10 times round. It
    ends by itself before its drain is over, with exit status 0. No request is answered by a fault,
    only the gateway's own stop may break a line, and afterwards the books agree.
    """
    rounds = scaled(STOPS)
    slowest = dict.fromkeys(NAMES, 0.0)
    broken_by_others = 0
    async with trade(chain) as books:
        for _ in range(rounds):
            for service in NAMES:
                await asyncio.sleep(random.uniform(0.1, 0.5))
                before = books.answers[0]
                slowest[service] = max(slowest[service], await _stop_in_order(stack, service))
                if service != GATEWAY:
                    broken_by_others += books.answers[0] - before
    for name in NAMES:
        await stack.wait_ready(name)
    ends = json.loads((stack.layout.run / "plan" / "ends.json").read_text())
    rested = await wait_rest(stack)
    await wait_settled(stack)
    show(
        f"{rounds} × SIGTERM to each service",
        acknowledged=books.acknowledged,
        sent_again=books.retries,
        slowest_end_seconds=max(slowest.values()),
        at_rest_after_seconds=rested,
    )
    assert {name: ends[name]["exit"] for name in NAMES} == dict.fromkeys(NAMES, 0)
    assert broken_by_others == 0
    assert set(books.answers) <= {0, 200, 503}, books.answers
    await assert_books_agree(chain, books)
    await assert_effects_stand_once(stack, chain.chain_id, phones=books.phones)
    check = await stack.ledger_check()
    assert check.exit_code == 0, check.output
