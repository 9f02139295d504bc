"""Members' wallets. Every change of state is one conditional statement that locks its reward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.chassis.postgres import Connection
from services.rewards.domain.ids import (
    AccountId,
    ChainId,
    DefinitionId,
    MemberId,
    OfferId,
    ProgramId,
    RewardId,
    SaleId,
    SalonId,
)
from services.rewards.domain.rewards import Reward, RewardState
from services.rewards.storage.columns import discount_from, discount_values

COLUMNS = """
    chain_id, id, member_id, account_id, program_id, definition_id, offer_id, name, description,
    exclusion, points, discount_kind, discount_percentage, discount_minor, discount_currency,
    state, created_at, updated_at, redeemed_at, display_until, used_by_session,
    redeemed_salon_id, expires_at, voided_at, points_returned, sale_id, version
"""
_INSERT = """
    INSERT INTO reward (
        chain_id, id, member_id, account_id, program_id, definition_id, offer_id, name,
        description, exclusion, points, discount_kind, discount_percentage, discount_minor,
        discount_currency, state, created_at, updated_at, expires_at, sale_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
            $20)
"""
_ONCE_PER_OFFER = """
    ON CONFLICT (chain_id, member_id, offer_id) WHERE offer_id IS NOT NULL DO NOTHING
    RETURNING true
"""
_FIND = f"SELECT {COLUMNS} FROM reward WHERE chain_id = $1 AND id = $2"  # noqa: S608
_FIND_COUPON = f"""
    SELECT {COLUMNS} FROM reward WHERE chain_id = $1 AND member_id = $2 AND offer_id = $3
"""  # noqa: S608
_LOCK = "SELECT FROM reward WHERE chain_id = $1 AND id = $2 FOR UPDATE"
_ISSUE = f"""
    UPDATE reward SET state = 'issued', updated_at = $3, version = version + 1
    WHERE chain_id = $1 AND id = $2 AND state = 'pending'
    RETURNING {COLUMNS}
"""  # noqa: S608
_USE = f"""
    UPDATE reward
    SET state = 'redeemed', redeemed_at = $3, display_until = $4, used_by_session = $5,
        redeemed_salon_id = $6, updated_at = $3, version = version + 1
    WHERE chain_id = $1 AND id = $2 AND state = 'issued'
      AND (expires_at IS NULL OR expires_at > $3)
      AND ($7::uuid IS NULL OR member_id = $7)
      AND (sale_id IS NULL OR $8::boolean)
    RETURNING {COLUMNS}
"""  # noqa: S608
_END_DISPLAY = f"""
    UPDATE reward SET display_until = $3, updated_at = $3, version = version + 1
    WHERE chain_id = $1 AND id = $2 AND state = 'redeemed' AND used_by_session = $4
      AND ($5::uuid IS NULL OR member_id = $5) AND display_until > $3
    RETURNING {COLUMNS}
"""  # noqa: S608
_RESTORE = f"""
    UPDATE reward
    SET state = 'issued', redeemed_at = NULL, display_until = NULL, used_by_session = '',
        redeemed_salon_id = NULL, updated_at = $3, version = version + 1,
        sale_id = CASE WHEN EXISTS (
            SELECT FROM sale_fact AS fact
            WHERE fact.chain_id = $1 AND fact.reward_id = $2 AND fact.sale_id = reward.sale_id
              AND fact.kind = 'used') THEN NULL ELSE sale_id END
    WHERE chain_id = $1 AND id = $2 AND state = 'redeemed'
      AND (expires_at IS NULL OR expires_at > $3)
    RETURNING {COLUMNS}
"""  # noqa: S608
_BEGIN_VOID = f"""
    UPDATE reward SET state = 'voiding', updated_at = $3, version = version + 1
    WHERE chain_id = $1 AND id = $2 AND state = 'issued'
      AND (expires_at IS NULL OR expires_at > $3)
    RETURNING {COLUMNS}
"""  # noqa: S608
_VOID = f"""
    UPDATE reward
    SET state = 'voided', voided_at = $3, updated_at = $3, version = version + 1
    WHERE chain_id = $1 AND id = $2 AND state = 'issued' AND sale_id IS NULL
      AND (points = 0 OR $4::boolean) AND (expires_at IS NULL OR expires_at > $3)
    RETURNING {COLUMNS}
"""  # noqa: S608
_END_VOID = f"""
    UPDATE reward
    SET state = 'voided', voided_at = $3, points_returned = $4, sale_id = NULL, updated_at = $3,
        version = version + 1
    WHERE chain_id = $1 AND id = $2 AND state = 'voiding'
    RETURNING {COLUMNS}
"""  # noqa: S608
_CALL_OFF_VOID = f"""
    UPDATE reward SET state = 'issued', updated_at = $3, version = version + 1
    WHERE chain_id = $1 AND id = $2 AND state = 'voiding'
    RETURNING {COLUMNS}
"""  # noqa: S608
_EXPIRE = f"""
    UPDATE reward SET state = 'expired', updated_at = $3, version = version + 1
    WHERE chain_id = $1 AND id = $2 AND state = 'issued' AND expires_at <= $3
    RETURNING {COLUMNS}
"""  # noqa: S608


async def insert_pending(conn: Connection, rewards: Sequence[Reward]) -> None:
    """Write rewards whose points are yet to be debited."""
    await conn.executemany(_INSERT, [_values(reward) for reward in rewards])


async def insert_coupon(conn: Connection, coupon: Reward) -> bool:
    """Put a coupon into the wallet; False when the member has taken this offer before.

    A twin in flight waits on the unique key until this transaction has ended.
    """
    return await conn.fetchval(_INSERT + _ONCE_PER_OFFER, *_values(coupon)) is not None


async def drop_pending(conn: Connection, *, chain_id: ChainId, reward_id: RewardId) -> bool:
    """Take a pending reward away as if it had never been; whether it was still there."""
    dropped = await conn.fetchval(
        """
        DELETE FROM reward WHERE chain_id = $1 AND id = $2 AND state = 'pending' RETURNING true
        """,
        chain_id,
        reward_id,
    )
    return dropped is not None


async def find(conn: Connection, *, chain_id: ChainId, reward_id: RewardId) -> Reward | None:
    """One reward or coupon of the chain."""
    return _reward(await conn.fetchrow(_FIND, chain_id, reward_id))


async def find_coupon(
    conn: Connection, *, chain_id: ChainId, member_id: MemberId, offer_id: OfferId
) -> Reward | None:
    """The coupon that a member has, or had, of an offer."""
    return _reward(await conn.fetchrow(_FIND_COUPON, chain_id, member_id, offer_id))


async def issue_many(
    conn: Connection, wanted: Sequence[tuple[ChainId, RewardId, datetime]]
) -> dict[RewardId, Reward]:
    """pending → issued, in the order given; those that were not pending are left out."""
    rows = await conn.fetchmany(_ISSUE, wanted)
    return {RewardId(row["id"]): reward_from(row) for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Who wants to use which reward, where, and whether a sale that it is on may stand by."""

    chain_id: ChainId
    reward_id: RewardId
    member_id: MemberId | None
    salon_id: SalonId | None
    session_id: str
    now: datetime
    display_until: datetime
    also_on_sale: bool

    @property
    def way(self) -> tuple[ChainId, RewardId, MemberId | None, bool]:
        """What decides whether it can succeed, beside the reward itself."""
        return (self.chain_id, self.reward_id, self.member_id, self.also_on_sale)


async def use_many(conn: Connection, wanted: Sequence[Use]) -> dict[RewardId, Reward]:
    """issued → redeemed, in the order given; those that nobody may use so are left out (LS-38).

    Each reward stands in it once. One that is on a sale stays as it is unless `also_on_sale`.
    """
    rows = await conn.fetchmany(
        _USE,
        [
            (
                use.chain_id,
                use.reward_id,
                use.now,
                use.display_until,
                use.session_id,
                use.salon_id,
                use.member_id,
                use.also_on_sale,
            )
            for use in wanted
        ],
    )
    return {RewardId(row["id"]): reward_from(row) for row in rows}


async def end_display(
    conn: Connection,
    *,
    chain_id: ChainId,
    reward_id: RewardId,
    member_id: MemberId | None,
    session_id: str,
    now: datetime,
) -> Reward | None:
    """End a running display window from the session that began it; None when nothing ended."""
    row = await conn.fetchrow(_END_DISPLAY, chain_id, reward_id, now, session_id, member_id)
    return _reward(row)


async def restore(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId, now: datetime
) -> Reward | None:
    """redeemed → issued; None when it was not redeemed or has expired since.

    It stays on a sale that is still open as far as is known, and leaves one that was counted.
    Locks it first: what points told meanwhile is seen by a statement that begins after that.
    """
    await conn.execute(_LOCK, chain_id, reward_id)
    return _reward(await conn.fetchrow(_RESTORE, chain_id, reward_id, now))


async def begin_void(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId, now: datetime
) -> Reward | None:
    """issued → voiding; None when it was not issued or has expired."""
    return _reward(await conn.fetchrow(_BEGIN_VOID, chain_id, reward_id, now))


async def void(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId, only_free: bool, now: datetime
) -> Reward | None:
    """issued → voided without its points; None when it was not issued, has expired, is on a sale.

    With `only_free` a reward that cost points stays as it is.
    """
    return _reward(await conn.fetchrow(_VOID, chain_id, reward_id, now, not only_free))


async def end_void(
    conn: Connection,
    *,
    chain_id: ChainId,
    reward_id: RewardId,
    points_returned: bool,
    now: datetime,
) -> Reward | None:
    """voiding → voided; None when it was not voiding."""
    return _reward(await conn.fetchrow(_END_VOID, chain_id, reward_id, now, points_returned))


async def call_off_void(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId, now: datetime
) -> Reward | None:
    """voiding → issued for a reward that was used with a sale; None when it was not voiding."""
    return _reward(await conn.fetchrow(_CALL_OFF_VOID, chain_id, reward_id, now))


async def expire(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId, now: datetime
) -> Reward | None:
    """issued → expired for a coupon past its end; None when it was used, voided or still good."""
    return _reward(await conn.fetchrow(_EXPIRE, chain_id, reward_id, now))


def _values(reward: Reward) -> tuple[object, ...]:
    return (
        reward.chain_id,
        reward.id,
        reward.member_id,
        reward.account_id,
        reward.program_id,
        reward.definition_id,
        reward.offer_id,
        reward.name,
        reward.description,
        reward.exclusion,
        reward.points,
        *discount_values(reward.discount),
        reward.state.value,
        reward.created_at,
        reward.updated_at,
        reward.expires_at,
        reward.sale_id,
    )


def _reward(row: asyncpg.Record | None) -> Reward | None:
    return None if row is None else reward_from(row)


def reward_from(row: asyncpg.Record) -> Reward:
    """The reward in a row of `COLUMNS`."""
    account_id, program_id, definition_id, offer_id, salon_id, sale_id = (
        row["account_id"],
        row["program_id"],
        row["definition_id"],
        row["offer_id"],
        row["redeemed_salon_id"],
        row["sale_id"],
    )
    return Reward(
        id=RewardId(row["id"]),
        chain_id=ChainId(row["chain_id"]),
        member_id=MemberId(row["member_id"]),
        account_id=None if account_id is None else AccountId(account_id),
        program_id=None if program_id is None else ProgramId(program_id),
        definition_id=None if definition_id is None else DefinitionId(definition_id),
        offer_id=None if offer_id is None else OfferId(offer_id),
        name=row["name"],
        description=row["description"],
        exclusion=row["exclusion"],
        points=row["points"],
        discount=discount_from(row),
        state=RewardState(row["state"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        redeemed_at=row["redeemed_at"],
        display_until=row["display_until"],
        used_by_session=row["used_by_session"],
        redeemed_salon_id=None if salon_id is None else SalonId(salon_id),
        expires_at=row["expires_at"],
        voided_at=row["voided_at"],
        points_returned=row["points_returned"],
        sale_id=None if sale_id is None else SaleId(sale_id),
        version=row["version"],
    )
