"""Clients of the official SDK with a chain of their file's own."""

from __future__ import annotations

import pytest
from square import Square
from square.core import http_client

from tests.e2e.chains import Chain, open_chain
from tests.sdk.till import AsyncTill, SyncTill, Till
from tests.stack import Stack


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK retries as it always does, after milliseconds in place of seconds."""
    monkeypatch.setattr(http_client, "INITIAL_RETRY_DELAY_SECONDS", 0.02)


@pytest.fixture(scope="module")
async def chain(stack: Stack) -> Chain:
    """The file's chain."""
    return await open_chain(stack, "SDK")


@pytest.fixture
def square(chain: Chain) -> Square:
    """The sync client with the owner's key."""
    return Square(base_url=chain.base_url, token=chain.api_key)


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> type[SyncTill] | type[AsyncTill]:
    """Each of the SDK's two clients."""
    return SyncTill if request.param == "sync" else AsyncTill


@pytest.fixture
async def till(kind: type[SyncTill] | type[AsyncTill], chain: Chain) -> Till:
    """Either client with the owner's key."""
    return kind(chain.base_url, chain.api_key)
