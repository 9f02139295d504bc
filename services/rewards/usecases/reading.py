"""Looking without changing: one reward, a wallet, searches and the feed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from services.chassis import recording
from services.chassis.postgres import ACQUIRE_TIMEOUT_SECONDS, Connection, in_transaction
from services.rewards.domain.errors import NotFound
from services.rewards.domain.ids import ChainId, MemberId, RewardId
from services.rewards.domain.rewards import Reward, RewardEvent
from services.rewards.domain.searches import EventSearch, RewardSearch
from services.rewards.storage import events as event_storage
from services.rewards.storage import rewards as storage
from services.rewards.storage import searches
from services.rewards.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Some events, and whether older ones follow."""

    events: tuple[RewardEvent, ...]
    more: bool
    # Of the first page by recording: what was recorded before it is known, later is not told.
    horizon: datetime | None = None


async def get_reward(deps: Deps, *, chain_id: ChainId, reward_id: RewardId) -> Reward:
    """One reward or coupon. Refuses with `NotFound`."""

    async def work(conn: Connection) -> Reward:
        reward = await storage.find(conn, chain_id=chain_id, reward_id=reward_id)
        if reward is None:
            raise NotFound(field="reward_id")
        return reward

    return await in_transaction(deps.pool, work)


async def get_wallet(deps: Deps, *, chain_id: ChainId, member_id: MemberId) -> list[Reward]:
    """What stands in "Mes récompenses" now (LS-34, LS-37)."""
    now = deps.clock.now(chain_id)

    async def work(conn: Connection) -> list[Reward]:
        return await searches.list_wallet(conn, chain_id=chain_id, member_id=member_id, now=now)

    return await in_transaction(deps.pool, work)


async def search_rewards(deps: Deps, wanted: RewardSearch) -> tuple[list[Reward], bool]:
    """A page of rewards, last changed first, and whether there are more."""
    now = deps.clock.now(wanted.chain_id)

    async def work(conn: Connection) -> list[Reward]:
        return await searches.search(conn, wanted, limit=wanted.limit + 1, now=now)

    found = await in_transaction(deps.pool, work)
    return found[: wanted.limit], len(found) > wanted.limit


async def list_events(deps: Deps, wanted: EventSearch) -> EventPage:
    """A page of what happened to rewards, newest first.

    By recording, the first page goes up to a horizon behind which nothing will be recorded any
    more, so that who follows page by page or window by window misses none.
    """
    horizon = None
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        if wanted.by_recording and wanted.before is None:
            horizon = await recording.horizon(conn, wanted.chain_id)
            wanted = replace(wanted, until=min(wanted.until or horizon, horizon))
        found = await event_storage.search(conn, wanted, limit=wanted.limit + 1)
    return EventPage(
        events=tuple(found[: wanted.limit]), more=len(found) > wanted.limit, horizon=horizon
    )
