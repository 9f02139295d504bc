"""Waits for what another service has made and messaging has not heard of yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from loyalty.offers.v1.offers_pb2 import GetOfferRequest

from services.chassis.errors import RemoteRefusal
from services.gateway.deps import Deps

T = TypeVar("T")

# News of an offer travels by event and is there within a moment.
WAIT_SECONDS_MAX: Final = 3.0
POLL_SECONDS: Final = 0.05


async def with_offer(
    deps: Deps, chain_id: str, offer_id: str, ask: Callable[[Any], Awaitable[T]], request: Message
) -> T:
    """What messaging answers to a request about an offer; one that was just made is waited for.

    Raises the refusal where the chain has no such offer.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_SECONDS_MAX
    is_there = False
    while True:
        try:
            return await ask(request)
        except RemoteRefusal as refusal:
            if refusal.code != "offer_not_found" or loop.time() > end:
                raise
            is_there = is_there or await _is_there(deps, chain_id, offer_id)
            if not is_there:
                raise
        await asyncio.sleep(POLL_SECONDS)


async def _is_there(deps: Deps, chain_id: str, offer_id: str) -> bool:
    try:
        await deps.clients.offers.GetOffer(GetOfferRequest(chain_id=chain_id, offer_id=offer_id))
    except RemoteRefusal:
        return False
    return True
