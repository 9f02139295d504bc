"""Reading many rewards: a member's wallet, and searches page by page."""

from __future__ import annotations

from datetime import datetime

from services.chassis.postgres import Connection
from services.rewards.domain.ids import ChainId, MemberId
from services.rewards.domain.rewards import Reward
from services.rewards.domain.searches import RewardSearch
from services.rewards.storage.rewards import COLUMNS, reward_from

# Nobody scrolls further; the history has a search of its own.
WALLET_MAX = 500

_WALLET = f"""
    SELECT {COLUMNS} FROM reward
    WHERE chain_id = $1 AND member_id = $2
      AND ((state = 'issued' AND (expires_at IS NULL OR expires_at > $3))
           OR (state = 'redeemed' AND display_until > $3))
    ORDER BY created_at DESC, id
    LIMIT $4
"""  # noqa: S608
# The state as everyone sees it at $2; the same rule as `Reward.state_at`.
_SEEN_STATE = """
    CASE WHEN state = 'issued' AND expires_at <= $2 THEN 'expired'
         WHEN state = 'voiding' THEN 'voided'
         ELSE state END
"""


async def list_wallet(
    conn: Connection, *, chain_id: ChainId, member_id: MemberId, now: datetime
) -> list[Reward]:
    """What stands in "Mes récompenses": usable ones and those in their display window (LS-37)."""
    rows = await conn.fetch(_WALLET, chain_id, member_id, now, WALLET_MAX)
    return [reward_from(row) for row in rows]


async def search(
    conn: Connection, wanted: RewardSearch, *, limit: int, now: datetime
) -> list[Reward]:
    """Rewards by the time of their last change, newest first.

    Pending ones only when they are asked for: nobody has them yet.
    """
    values: list[object] = [wanted.chain_id, now, limit]
    conditions = ["chain_id = $1"]

    def place(value: object) -> str:
        values.append(value)
        return f"${len(values)}"

    if wanted.account_id is not None:
        conditions.append(f"account_id = {place(wanted.account_id)}")
    if wanted.member_id is not None:
        conditions.append(f"member_id = {place(wanted.member_id)}")
    if wanted.states:
        states = [state.value for state in wanted.states]
        conditions.append(f"{_SEEN_STATE} = ANY({place(states)}::text[])")
    else:
        conditions.append("state <> 'pending' AND $2::timestamptz IS NOT NULL")
    after = wanted.after
    if after is not None:
        since, last = place(after.updated_at), place(after.reward_id)
        conditions.append(f"(updated_at, id) < ({since}::timestamptz, {last}::uuid)")
    # Only fixed words and numbered places are put together here.
    statement = f"""
        SELECT {COLUMNS} FROM reward WHERE {" AND ".join(conditions)}
        ORDER BY updated_at DESC, id DESC LIMIT $3
    """  # noqa: S608
    return [reward_from(row) for row in await conn.fetch(statement, *values)]
