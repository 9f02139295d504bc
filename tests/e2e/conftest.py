"""Two chains that every end-to-end test may use: Alice's, and Charlie's who must see nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

import httpx
import pytest

from tests.e2e.chains import Chain, open_chain
from tests.stack import Stack


@pytest.fixture(scope="session")
async def alices(stack: Stack) -> Chain:
    """The chain of most tests."""
    return await open_chain(stack, "Salon Alice")


@pytest.fixture(scope="session")
async def charlies(stack: Stack) -> Chain:
    """Another chain."""
    return await open_chain(stack, "Salon Charlie")


@pytest.fixture(scope="session")
async def later(stack: Stack) -> tuple[Chain, date]:
    """A chain whose clock runs weeks ahead of the machine's, at noon in Toronto; and its day."""
    chain = await open_chain(stack, "Salon Demain")
    async with chain.client() as client:
        now = (await client.get("/v2/sandbox/clock")).json()["now"]
        day = date.fromisoformat(now[:10]) + timedelta(days=40)
        moved = await client.post("/v2/sandbox/clock", json={"now": f"{day}T17:00:00Z"})
        assert moved.status_code == 200, moved.text
    return chain, day


@pytest.fixture
async def client(alices: Chain) -> AsyncIterator[httpx.AsyncClient]:
    """The owner's key of Alice's chain."""
    async with alices.client() as client:
        yield client
