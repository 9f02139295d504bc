"""Rewards on sales: on and off, used with the sale, given back with it; and what points told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import asyncpg

from services.chassis.postgres import Connection
from services.rewards.domain.ids import ChainId, RewardId, SaleId, SalonId
from services.rewards.domain.rewards import Reward, RewardState
from services.rewards.domain.sales import SaleFact, SaleFactKind
from services.rewards.storage.columns import actor_from
from services.rewards.storage.rewards import COLUMNS, reward_from

_PUT_ON = f"""
    UPDATE reward SET sale_id = $3, updated_at = $4, version = version + 1
    WHERE chain_id = $1 AND id = $2 AND state = 'issued' AND sale_id IS NULL
      AND (expires_at IS NULL OR expires_at > $4)
    RETURNING {COLUMNS}
"""  # noqa: S608
_TAKE_OFF = f"""
    UPDATE reward SET sale_id = NULL, updated_at = $4, version = version + 1
    WHERE chain_id = $1 AND id = $2 AND sale_id = $3
      AND state IN ('issued', 'expired', 'redeemed')
      AND NOT EXISTS (
          SELECT FROM sale_fact AS fact
          WHERE fact.chain_id = $1 AND fact.reward_id = $2 AND fact.sale_id = $3
            AND fact.kind = 'used')
    RETURNING {COLUMNS}
"""  # noqa: S608
# What is told late comes after all that happened meanwhile, so that the history reads in order.
_AT = "CASE WHEN updated_at > $4 THEN updated_at + interval '1 microsecond' ELSE $4 END"
_USE_WITH_SALE = f"""
    UPDATE reward
    SET state = 'redeemed', redeemed_at = {_AT}, display_until = {_AT}, updated_at = {_AT},
        used_by_session = '', redeemed_salon_id = $5, sale_id = $3, version = version + 1
    WHERE chain_id = $1 AND id = $2
      AND (state = 'issued' AND (sale_id IS NULL OR sale_id = $3)
           OR state = 'expired' AND sale_id = $3)
    RETURNING {COLUMNS}
"""  # noqa: S608
_RETURN_FROM_SALE = f"""
    UPDATE reward
    SET state = 'issued', redeemed_at = NULL, display_until = NULL, used_by_session = '',
        redeemed_salon_id = NULL, sale_id = NULL, updated_at = {_AT}, version = version + 1
    WHERE chain_id = $1 AND id = $2 AND state = 'redeemed' AND sale_id = $3
    RETURNING {COLUMNS}
"""  # noqa: S608


async def put_on(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId, sale_id: SaleId, now: datetime
) -> Reward | None:
    """An issued reward that is on no sale goes on this one; None when it is not such a one."""
    return _reward(await conn.fetchrow(_PUT_ON, chain_id, reward_id, sale_id, now))


async def take_off(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId, sale_id: SaleId, now: datetime
) -> Reward | None:
    """The reward is on this sale no more; None when it was not, or was used with it.

    Locks it first: what points told meanwhile is seen by a statement that begins after that.
    """
    await lock_state(conn, chain_id=chain_id, reward_id=reward_id)
    return _reward(await conn.fetchrow(_TAKE_OFF, chain_id, reward_id, sale_id, now))


async def use_with_sale(conn: Connection, fact: SaleFact) -> Reward | None:
    """issued → redeemed with the sale it was on, without a display window; None when it was not.

    A coupon that ended while it was on the sale is used all the same: it went on it in time.
    """
    row = await conn.fetchrow(
        _USE_WITH_SALE,
        fact.chain_id,
        fact.reward_id,
        fact.sale_id,
        fact.occurred_at,
        fact.salon_id,
    )
    return _reward(row)


async def return_from_sale(conn: Connection, fact: SaleFact) -> Reward | None:
    """redeemed → issued for a reward that was used on this sale; None when it was not, or is not
    any more: staff were quicker.
    """
    row = await conn.fetchrow(
        _RETURN_FROM_SALE, fact.chain_id, fact.reward_id, fact.sale_id, fact.occurred_at
    )
    return _reward(row)


async def lock_state(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId
) -> RewardState | None:
    """Where a reward stands; None when there is none. Locks it, after those who change it now."""
    state = await conn.fetchval(
        "SELECT state FROM reward WHERE chain_id = $1 AND id = $2 FOR UPDATE", chain_id, reward_id
    )
    return None if state is None else RewardState(state)


async def keep_fact(conn: Connection, fact: SaleFact) -> bool:
    """Write down what points told; False when it was known."""
    kept = await conn.fetchval(
        """
        INSERT INTO sale_fact (
            chain_id, reward_id, sale_id, kind, salon_id, actor_kind, actor_id, occurred_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        fact.chain_id,
        fact.reward_id,
        fact.sale_id,
        fact.kind.value,
        fact.salon_id,
        fact.actor.kind.value,
        fact.actor.id,
        fact.occurred_at,
    )
    return kept is not None


async def find_facts(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId, sale_id: SaleId
) -> Mapping[SaleFactKind, SaleFact]:
    """All that points told of a reward and a sale."""
    rows = await conn.fetch(
        """
        SELECT chain_id, reward_id, sale_id, kind, salon_id, actor_kind, actor_id, occurred_at
        FROM sale_fact WHERE chain_id = $1 AND reward_id = $2 AND sale_id = $3
        """,
        chain_id,
        reward_id,
        sale_id,
    )
    found = [_fact(row) for row in rows]
    return {fact.kind: fact for fact in found}


def _reward(row: asyncpg.Record | None) -> Reward | None:
    return None if row is None else reward_from(row)


def _fact(row: asyncpg.Record) -> SaleFact:
    salon_id = row["salon_id"]
    return SaleFact(
        chain_id=ChainId(row["chain_id"]),
        reward_id=RewardId(row["reward_id"]),
        sale_id=SaleId(row["sale_id"]),
        kind=SaleFactKind(row["kind"]),
        salon_id=None if salon_id is None else SalonId(salon_id),
        actor=actor_from(row),
        occurred_at=row["occurred_at"],
    )
