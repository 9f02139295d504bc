"""Waits until a sale's rewards have followed it: they belong to another service, which is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from loyalty.rewards.v1 import rewards_pb2
from loyalty.rewards.v1.rewards_pb2 import GetRewardRequest, RewardStatus

from services.chassis.errors import RemoteRefusal, Unavailable
from services.gateway.pos.caller import Caller

# What was counted or refunded stands; the answer only waits so long for the rest to be told.
WAIT_SECONDS_MAX: Final = 3.0
POLL_SECONDS: Final = 0.03


async def used(caller: Caller, reward_ids: Sequence[str]) -> None:
    """Wait, a moment at most, until these rewards are no longer issued."""
    await _left(caller, reward_ids, rewards_pb2.REWARD_STATUS_ISSUED)


async def returned(caller: Caller, reward_ids: Sequence[str]) -> None:
    """Wait, a moment at most, until these rewards are no longer used."""
    await _left(caller, reward_ids, rewards_pb2.REWARD_STATUS_REDEEMED)


async def _left(caller: Caller, reward_ids: Sequence[str], status: RewardStatus.ValueType) -> None:
    async def has_left(reward_id: str) -> None:
        request = GetRewardRequest(chain_id=caller.chain_id, reward_id=reward_id)
        while True:
            try:
                answer = await caller.deps.clients.rewards.GetReward(request)
            except RemoteRefusal:
                return
            if answer.reward.status != status:
                return
            await asyncio.sleep(POLL_SECONDS)

    # What did not follow in time is told later; nothing is lost by answering now.
    with contextlib.suppress(TimeoutError, Unavailable):
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await asyncio.gather(*(has_left(reward_id) for reward_id in reward_ids))
