"""Copies of chains and salons, fed by the events of enrollment; the newest version wins."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from services.chassis.postgres import Connection
from services.points.domain.chains import UNHEARD, ChainSettings
from services.points.domain.ids import ChainId, SalonId

_PUT_CHAIN = """
INSERT INTO chain (chain_id, sandbox, home_time_zone, currency, version)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (chain_id) DO UPDATE
    SET sandbox = excluded.sandbox, home_time_zone = excluded.home_time_zone,
        currency = excluded.currency, version = excluded.version
    WHERE chain.version < excluded.version
"""

_PUT_SALON = """
INSERT INTO salon (chain_id, id, time_zone, active, version) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (chain_id, id) DO UPDATE
    SET time_zone = excluded.time_zone, active = excluded.active, version = excluded.version
    WHERE salon.version < excluded.version
"""

# A salon that nobody has heard of lies in its chain's home zone, such a chain in UTC (D38).
_ZONES = """
SELECT place, coalesce(salon.time_zone, chain.home_time_zone, $3) AS time_zone
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS asked (chain_id, id, place)
LEFT JOIN salon ON salon.chain_id = asked.chain_id AND salon.id = asked.id
LEFT JOIN chain ON chain.chain_id = asked.chain_id
ORDER BY place
"""


async def put_chain(
    conn: Connection,
    *,
    chain_id: ChainId,
    sandbox: bool,
    home_time_zone: str,
    currency: str | None,
    version: int,
) -> None:
    """Keep a chain as this version says, unless a newer one is known."""
    await conn.execute(_PUT_CHAIN, chain_id, sandbox, home_time_zone, currency, version)


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


async def settings(conn: Connection, chain_id: ChainId) -> ChainSettings:
    """What holds for the chain; the defaults while its news has not arrived."""
    row = await conn.fetchrow(
        "SELECT home_time_zone, currency, sandbox FROM chain WHERE chain_id = $1", chain_id
    )
    if row is None:
        return UNHEARD
    return ChainSettings(
        home_time_zone=row["home_time_zone"], currency=row["currency"], sandbox=row["sandbox"]
    )


async def zones(
    conn: Connection, asked: Sequence[tuple[ChainId, SalonId | None]]
) -> dict[tuple[ChainId, SalonId | None], ZoneInfo]:
    """The time zones of salons, and of chains where no salon is named; one statement for all.

    An unknown salon lies in its chain's home zone, an unknown chain in UTC.
    """
    pairs = list(dict.fromkeys(asked))
    if not pairs:
        return {}
    rows = await conn.fetch(
        _ZONES,
        [chain_id for chain_id, _ in pairs],
        [salon_id for _, salon_id in pairs],
        UNHEARD.home_time_zone,
    )
    return {pair: ZoneInfo(row["time_zone"]) for pair, row in zip(pairs, rows, strict=True)}


async def zone(conn: Connection, chain_id: ChainId, salon_id: SalonId | None) -> ZoneInfo:
    """The time zone of one salon, or of the chain where none is named."""
    return (await zones(conn, [(chain_id, salon_id)]))[chain_id, salon_id]


async def salon_is_active(conn: Connection, chain_id: ChainId, salon_id: SalonId) -> bool | None:
    """Whether a salon is open; None while its news has not arrived."""
    active: bool | None = await conn.fetchval(
        "SELECT active FROM salon WHERE chain_id = $1 AND id = $2", chain_id, salon_id
    )
    return active
