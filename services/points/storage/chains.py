"""Copies of chains and salons, fed by the events of enrollment; the newest version wins."""

from __future__ import annotations

from services.chassis.postgres import Connection
from services.points.domain.ids import ChainId, SalonId

_PUT_CHAIN = """
INSERT INTO chain (chain_id, sandbox, home_time_zone, version) VALUES ($1, $2, $3, $4)
ON CONFLICT (chain_id) DO UPDATE
    SET sandbox = excluded.sandbox, home_time_zone = excluded.home_time_zone,
        version = excluded.version
    WHERE chain.version < excluded.version
"""

_PUT_SALON = """
INSERT INTO salon (chain_id, id, time_zone, active, version) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (chain_id, id) DO UPDATE
    SET time_zone = excluded.time_zone, active = excluded.active, version = excluded.version
    WHERE salon.version < excluded.version
"""


async def put_chain(
    conn: Connection, *, chain_id: ChainId, sandbox: bool, home_time_zone: str, version: int
) -> None:
    """Keep a chain as this version says, unless a newer one is known."""
    await conn.execute(_PUT_CHAIN, chain_id, sandbox, home_time_zone, version)


async def put_salon(
    conn: Connection,
    *,
    chain_id: ChainId,
    salon_id: SalonId,
    time_zone: str,
    active: bool,
    version: int,
) -> None:
    """Keep a salon as this version says, unless a newer one is known."""
    await conn.execute(_PUT_SALON, chain_id, salon_id, time_zone, active, version)


async def is_sandbox(conn: Connection, chain_id: ChainId) -> bool | None:
    """Whether the chain is a sandbox; None while its news has not arrived."""
    sandbox: bool | None = await conn.fetchval(
        "SELECT sandbox FROM chain WHERE chain_id = $1", chain_id
    )
    return sandbox
