"""Timed work of rewards: ends of coupons and countdowns, and whatever points left half done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

import structlog

from services.chassis.errors import Unavailable
from services.chassis.jobs import Job, JobHandler
from services.chassis.postgres import Connection
from services.rewards.domain.ids import ChainId, RewardId
from services.rewards.usecases import coupons, sweeping, uses
from services.rewards.usecases.deps import Deps

log = structlog.get_logger(__name__)

SETTLE_POLL_SECONDS = 1.0


def handlers(deps: Deps) -> Mapping[str, JobHandler]:
    """Work at a business moment of a chain, in the transaction of its job."""

    async def expire_coupon(conn: Connection, job: Job) -> None:
        await coupons.expire_coupon(
            deps, conn, chain_id=ChainId(job.chain_id), reward_id=_reward_id(job)
        )

    async def end_countdown(conn: Connection, job: Job) -> None:
        await uses.end_countdown(
            deps, conn, chain_id=ChainId(job.chain_id), reward_id=_reward_id(job)
        )

    return {coupons.EXPIRE_COUPON: expire_coupon, uses.END_COUNTDOWN: end_countdown}


def settle(deps: Deps) -> Callable[[], Awaitable[None]]:
    """Endlessly finish what was interrupted between a reward and its points.

    Not a job of the job table: it calls another service, which no transaction may wait for, and it
    never gives up (ADR 0006).
    """

    async def work() -> None:
        while True:
            try:
                if await sweeping.settle_due(deps) == sweeping.BATCH_SIZE_MAX:
                    continue
            except Unavailable as error:
                log.warning("settling_waits", fault=str(error))
            await asyncio.sleep(SETTLE_POLL_SECONDS)

    return work


def _reward_id(job: Job) -> RewardId:
    return RewardId(UUID(job.payload["reward_id"]))
