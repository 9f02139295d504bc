"""`kill -9` of every service in the middle of earns, takes and uses (reliability.md 2, test 1)."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from deploy.local.services import NAMES
from tests.chaos.rest import assert_effects_stand_once, wait_rest, wait_settled
from tests.chaos.scale import FULL, scaled, show
from tests.chaos.tills import Chain, assert_books_agree, trade
from tests.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.stack, pytest.mark.timeout(900)]

KILLS = 20
REST_SECONDS_MAX = 30.0
# With full counts each service has a trade of its own, else they die in turn in one.
VICTIMS = [(name,) for name in NAMES] if FULL else [NAMES]


@pytest.mark.parametrize("victims", VICTIMS, ids="+".join)
async def test_a_killed_service_loses_and_doubles_nothing(
    stack: Stack, chain: Chain, victims: tuple[str, ...]
) -> None:
    """LS-33, LS-36, LS-38, N4: what a till saw acknowledged stands in the books, and once.

    Goal: `kill -9` at any moment costs retries and nothing else (reliability test 1).
    Method: six tills enrol, earn, take and use while each service is killed 20 times, each time as
    soon as it takes calls again or a little later; they resend by the same key. Afterwards every
    balance, reward and use is compared with what the tills wrote down, every event has been
    applied by each of its readers within 30 s, and the ledger check is clean.
    """
    kills = scaled(KILLS)
    begun = time.monotonic()
    async with trade(chain) as books:
        for _ in range(kills):
            for victim in victims:
                await asyncio.sleep(random.uniform(0.3, 1.2))
                await stack.kill(victim)
                await asyncio.sleep(random.uniform(0.0, 0.4))
                stack.let_go(victim)
                await stack.wait_accepts(victim)
    traded = time.monotonic() - begun
    for victim in victims:
        await stack.wait_ready(victim)
    rested = await wait_rest(stack, seconds=REST_SECONDS_MAX)
    await wait_settled(stack)
    show(
        f"{', '.join(victims)} killed {kills} times",
        acknowledged=books.acknowledged,
        a_second=books.acknowledged / traded,
        sent_again=books.retries,
        slowest_seconds=books.slowest_seconds,
        at_rest_after_seconds=rested,
    )
    await assert_books_agree(chain, books)
    await assert_effects_stand_once(stack, chain.chain_id, phones=books.phones)
    check = await stack.ledger_check()
    assert check.exit_code == 0, check.output
