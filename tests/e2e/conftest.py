"""Two chains that every end-to-end test may use: Alice's, and Charlie's who must see nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

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


@pytest.fixture
async def client(alices: Chain) -> AsyncIterator[httpx.AsyncClient]:
    """The owner's key of Alice's chain."""
    async with alices.client() as client:
        yield client
