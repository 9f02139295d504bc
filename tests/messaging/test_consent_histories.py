"""Random histories of consent, STOP, YES, plans and sends: nothing leaves that may not (D18).

The service on real PostgreSQL and a plain model live the same histories; before each draining the
model says which of the queued messages may leave, and exactly those must. The seed is printed;
`CONSENT_SEED` lives them again.
"""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from tests.chaos.scale import SCALE, scaled, show
from tests.messaging.conftest import MessagingHarness
from tests.messaging.history import History

HISTORIES = 10_000
FEW = 40
# Each has chains and phones of its own.
AT_ONCE = 6


async def histories(messaging: MessagingHarness, count: int) -> None:
    """So many, several at a time; the first that fails tells its steps."""
    seed = os.environ.get("CONSENT_SEED") or str(random.SystemRandom().randrange(10**9))
    show("histories of consent", CONSENT_SEED=seed, histories=count)
    numbers = iter(range(count))
    left = 0

    async def live() -> None:
        nonlocal left
        for number in numbers:
            history = History(messaging, random.Random(f"{seed}/{number}"))
            try:
                gone = await history.run()
                left += gone
            except Exception as error:
                steps = "\n  ".join(history.steps)
                error.add_note(f"CONSENT_SEED={seed}, history {number}:\n  {steps}")
                raise

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(live())
    show("messages that left", messages=left)
    assert left > count, "a proof over silence proves nothing"


@pytest.mark.timeout(300)
async def test_no_message_leaves_that_its_class_does_not_allow(
    messaging: MessagingHarness,
) -> None:
    """LS-68, LS-77 to LS-79, D18: a few of the histories of `make chaos`."""
    await histories(messaging, FEW)


@pytest.mark.chaos
@pytest.mark.timeout(7200)
async def test_no_message_leaves_in_ten_thousand_histories(messaging: MessagingHarness) -> None:
    """LS-68, LS-77 to LS-79, D11, D18, D26, D36: each of up to twenty-four acts."""
    if SCALE < 0.1:
        pytest.skip("a few of them run with the other tests of messaging")
    await histories(messaging, scaled(HISTORIES))
