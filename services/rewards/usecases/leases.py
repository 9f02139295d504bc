"""What every settlement's holder needs: its reward, and rest after an unknown outcome."""

from __future__ import annotations

from services.chassis.postgres import Connection, in_transaction
from services.rewards.domain.rewards import Reward
from services.rewards.domain.settlements import Settlement, retry_seconds
from services.rewards.storage import rewards as storage
from services.rewards.storage import settlements
from services.rewards.usecases.deps import Deps


async def find_reward(deps: Deps, settlement: Settlement) -> Reward | None:
    """The reward that a settlement is about."""

    async def work(conn: Connection) -> Reward | None:
        return await storage.find(
            conn, chain_id=settlement.chain_id, reward_id=settlement.reward_id
        )

    return await in_transaction(deps.pool, work)


async def put_off(deps: Deps, settlement: Settlement) -> None:
    """Give the lease back; the same question is asked again later, by a caller or by the sweep."""

    async def work(conn: Connection) -> None:
        await settlements.put_off(
            conn, settlement, retry_seconds=retry_seconds(settlement.attempts)
        )

    await in_transaction(deps.pool, work)
