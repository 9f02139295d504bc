"""Rewards whose points do not agree with them yet, and who is working on it.

Leases are real time by the database's clock, so that replicas with other clocks agree.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import uuid4

import asyncpg

from services.chassis.postgres import Connection
from services.rewards.domain.actors import Actor
from services.rewards.domain.ids import ChainId, RewardId, SalonId, SettlementId
from services.rewards.domain.settlements import Settlement, SettlementKind
from services.rewards.storage.columns import actor_from

_COLUMNS = """
    id, chain_id, reward_id, kind, request_key, salon_id, actor_kind, actor_id, attempts
"""
_BEGIN = """
    INSERT INTO settlement AS open (
        chain_id, reward_id, kind, request_key, salon_id, actor_kind, actor_id, attempts,
        leased_until, id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 1, clock_timestamp() + make_interval(secs => $8), $9)
    ON CONFLICT (chain_id, reward_id) DO UPDATE
    SET kind = excluded.kind, request_key = excluded.request_key, salon_id = excluded.salon_id,
        actor_kind = excluded.actor_kind, actor_id = excluded.actor_id, id = excluded.id,
        attempts = open.attempts + 1, leased_until = excluded.leased_until
    WHERE open.kind = ANY($10::text[]) AND open.leased_until <= clock_timestamp()
    RETURNING id, chain_id, reward_id, kind, request_key, salon_id, actor_kind, actor_id, attempts
"""
_BEGIN_NEW = """
    INSERT INTO settlement (
        chain_id, reward_id, kind, request_key, salon_id, actor_kind, actor_id, attempts,
        leased_until, id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 1, clock_timestamp() + make_interval(secs => $8), $9)
"""
_LEASE = f"""
    UPDATE settlement
    SET attempts = attempts + 1,
        leased_until = clock_timestamp() + make_interval(secs => $3)
    WHERE chain_id = $1 AND reward_id = $2 AND leased_until <= clock_timestamp()
    RETURNING {_COLUMNS}
"""  # noqa: S608
_LEASE_DUE = f"""
    UPDATE settlement
    SET attempts = attempts + 1,
        leased_until = clock_timestamp() + make_interval(secs => $2)
    WHERE (chain_id, reward_id) IN (
        SELECT chain_id, reward_id FROM settlement
        WHERE leased_until <= clock_timestamp()
        ORDER BY leased_until LIMIT $1
        FOR UPDATE SKIP LOCKED)
    RETURNING {_COLUMNS}
"""  # noqa: S608


async def begin(
    conn: Connection,
    *,
    chain_id: ChainId,
    reward_id: RewardId,
    kind: SettlementKind,
    request_key: str,
    salon_id: SalonId | None,
    actor: Actor,
    lease_seconds: float,
    over: Collection[SettlementKind] = (),
) -> Settlement | None:
    """Begin to bring points and reward to agree; the caller holds the first lease.

    A settlement of a kind in `over` that nobody is at is taken over, with its attempts. None when
    another one is open. Locks the settlement, which comes before the reward.
    """
    row = await conn.fetchrow(
        _BEGIN,
        chain_id,
        reward_id,
        kind.value,
        request_key,
        salon_id,
        actor.kind.value,
        actor.id,
        lease_seconds,
        uuid4(),
        [other.value for other in over],
    )
    return None if row is None else _settlement(row)


async def begin_takes(
    conn: Connection, wanted: Sequence[Settlement], *, lease_seconds: float
) -> None:
    """The same for rewards that this transaction makes, so that none is being settled yet."""
    await conn.executemany(
        _BEGIN_NEW,
        [
            (
                settlement.chain_id,
                settlement.reward_id,
                settlement.kind.value,
                settlement.request_key,
                settlement.salon_id,
                settlement.actor.kind.value,
                settlement.actor.id,
                lease_seconds,
                settlement.id,
            )
            for settlement in wanted
        ],
    )


async def lease(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId, lease_seconds: float
) -> Settlement | None:
    """Take a settlement on when nobody else is at it; None when somebody is, or it is done."""
    row = await conn.fetchrow(_LEASE, chain_id, reward_id, lease_seconds)
    return None if row is None else _settlement(row)


async def lease_due(conn: Connection, *, limit: int, lease_seconds: float) -> list[Settlement]:
    """Take on settlements that nobody is at, those that wait longest first."""
    rows = await conn.fetch(_LEASE_DUE, limit, lease_seconds)
    return [_settlement(row) for row in rows]


async def lock_held(conn: Connection, settlement: Settlement) -> bool:
    """Whether nobody has taken the settlement on since we did. Locks it when so."""
    held = await conn.fetchval(
        """
        SELECT true FROM settlement
        WHERE chain_id = $1 AND reward_id = $2 AND id = $3 AND attempts = $4 FOR UPDATE
        """,
        settlement.chain_id,
        settlement.reward_id,
        settlement.id,
        settlement.attempts,
    )
    return held is not None


async def put_off(conn: Connection, settlement: Settlement, *, retry_seconds: float) -> None:
    """Give the lease back and let the settlement rest for a while."""
    await conn.execute(
        """
        UPDATE settlement SET leased_until = clock_timestamp() + make_interval(secs => $5)
        WHERE chain_id = $1 AND reward_id = $2 AND id = $3 AND attempts = $4
        """,
        settlement.chain_id,
        settlement.reward_id,
        settlement.id,
        settlement.attempts,
        retry_seconds,
    )


async def turn_to_undo(
    conn: Connection, settlement: Settlement, *, lease_seconds: float
) -> Settlement:
    """From now on its points, if any were debited, are to go back; the caller keeps the lease."""
    await conn.execute(
        """
        UPDATE settlement
        SET kind = 'undo', attempts = 1,
            leased_until = clock_timestamp() + make_interval(secs => $3)
        WHERE chain_id = $1 AND reward_id = $2
        """,
        settlement.chain_id,
        settlement.reward_id,
        lease_seconds,
    )
    return replace(settlement, kind=SettlementKind.UNDO, attempts=1)


async def close(conn: Connection, settlement: Settlement) -> None:
    """Points and reward agree."""
    await close_many(conn, [settlement])


async def close_many(conn: Connection, closed: Sequence[Settlement]) -> None:
    """Points and rewards agree. Locks the settlements in the order given."""
    await conn.executemany(
        "DELETE FROM settlement WHERE chain_id = $1 AND reward_id = $2 AND id = $3",
        [(settlement.chain_id, settlement.reward_id, settlement.id) for settlement in closed],
    )


async def measure_open(conn: Connection) -> tuple[int, float]:
    """How many settlements are open, and the age in seconds of the oldest."""
    row = await conn.fetchrow(
        """
        SELECT count(*) AS number,
               coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8 AS age
        FROM settlement
        """
    )
    return (0, 0.0) if row is None else (row["number"], row["age"])


def _settlement(row: asyncpg.Record) -> Settlement:
    salon_id = row["salon_id"]
    return Settlement(
        id=SettlementId(row["id"]),
        chain_id=ChainId(row["chain_id"]),
        reward_id=RewardId(row["reward_id"]),
        kind=SettlementKind(row["kind"]),
        request_key=row["request_key"],
        salon_id=None if salon_id is None else SalonId(salon_id),
        actor=actor_from(row),
        attempts=row["attempts"],
    )
