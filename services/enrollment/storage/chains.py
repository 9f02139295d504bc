"""Chains with their logos, and salons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from services.chassis.postgres import Connection
from services.enrollment.domain.chains import Chain, Language, Logo, Plan, Salon
from services.enrollment.domain.ids import ChainId, SalonId


def _chain(row: asyncpg.Record) -> Chain:
    return Chain(
        id=row["chain_id"],
        slug=row["slug"],
        name=row["name"],
        plan=Plan(row["plan"]),
        sandbox=row["sandbox"],
        home_time_zone=row["home_time_zone"],
        currency=row["currency"],
        language=Language(row["language"]),
        brand_color=row["brand_color"],
        logo_media_type=row["logo_media_type"],
        logo_digest=row["logo_digest"],
        postal_address=row["postal_address"],
        contact_phone=row["contact_phone"],
        created_at=row["created_at"],
        version=row["version"],
    )


def _salon(row: asyncpg.Record) -> Salon:
    return Salon(
        id=row["id"],
        chain_id=row["chain_id"],
        name=row["name"],
        time_zone=row["time_zone"],
        address=row["address"],
        phone=row["phone"],
        active=row["active"],
        created_at=row["created_at"],
        version=row["version"],
    )


async def insert_chain(conn: Connection, chain: Chain) -> bool:
    """Write a new chain; False when its slug is taken. Waits for a twin in flight."""
    return (
        await conn.fetchval(
            """
            INSERT INTO chain (chain_id, slug, name, plan, sandbox, home_time_zone, currency,
                               language, brand_color, logo_media_type, logo_digest, created_at,
                               version, postal_address, contact_phone)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
            ON CONFLICT (slug) DO NOTHING
            RETURNING true
            """,
            chain.id,
            chain.slug,
            chain.name,
            chain.plan,
            chain.sandbox,
            chain.home_time_zone,
            chain.currency,
            chain.language,
            chain.brand_color,
            chain.logo_media_type,
            chain.logo_digest,
            chain.created_at,
            chain.version,
            chain.postal_address,
            chain.contact_phone,
        )
        is not None
    )


async def get_chain(conn: Connection, chain_id: ChainId) -> Chain | None:
    """A chain by its id."""
    row = await conn.fetchrow(
        """
        SELECT chain_id, slug, name, plan, sandbox, home_time_zone, currency, language,
               brand_color, logo_media_type, logo_digest, postal_address, contact_phone,
               created_at, version
        FROM chain WHERE chain_id = $1
        """,
        chain_id,
    )
    return _chain(row) if row else None


async def get_chain_by_slug(conn: Connection, slug: str) -> Chain | None:
    """A chain by its web name in lower case."""
    row = await conn.fetchrow(
        """
        SELECT chain_id, slug, name, plan, sandbox, home_time_zone, currency, language,
               brand_color, logo_media_type, logo_digest, postal_address, contact_phone,
               created_at, version
        FROM chain WHERE slug = $1
        """,
        slug,
    )
    return _chain(row) if row else None


async def lock_chain(conn: Connection, chain_id: ChainId) -> Chain | None:
    """A chain by its id, held until the transaction ends.

    Puts changes of the chain and of its salons, and so their events, in order. Enrolments, which
    only refer to the chain, do not wait for it.
    """
    row = await conn.fetchrow(
        """
        SELECT chain_id, slug, name, plan, sandbox, home_time_zone, currency, language,
               brand_color, logo_media_type, logo_digest, postal_address, contact_phone,
               created_at, version
        FROM chain WHERE chain_id = $1 FOR NO KEY UPDATE
        """,
        chain_id,
    )
    return _chain(row) if row else None


async def list_chains(
    conn: Connection, *, after: tuple[datetime, ChainId] | None, count_max: int
) -> list[Chain]:
    """Chains of the platform, oldest first, from behind the one that `after` names."""
    rows = await conn.fetch(
        """
        SELECT chain_id, slug, name, plan, sandbox, home_time_zone, currency, language,
               brand_color, logo_media_type, logo_digest, postal_address, contact_phone,
               created_at, version
        FROM chain
        WHERE $1::timestamptz IS NULL OR (created_at, chain_id) > ($1, $2::uuid)
        ORDER BY created_at, chain_id
        LIMIT $3
        """,
        after[0] if after else None,
        after[1] if after else None,
        count_max,
    )
    return [_chain(row) for row in rows]


async def save_chain(conn: Connection, chain: Chain) -> None:
    """Write what may change of a chain that this transaction has locked."""
    await conn.execute(
        """
        UPDATE chain
        SET name = $2, plan = $3, language = $4, brand_color = $5, logo_media_type = $6,
            logo_digest = $7, version = $8, postal_address = $9, contact_phone = $10
        WHERE chain_id = $1
        """,
        chain.id,
        chain.name,
        chain.plan,
        chain.language,
        chain.brand_color,
        chain.logo_media_type,
        chain.logo_digest,
        chain.version,
        chain.postal_address,
        chain.contact_phone,
    )


async def save_logo(conn: Connection, chain_id: ChainId, logo: Logo) -> None:
    """Write a chain's logo, or take it away when it is empty."""
    if not logo.image:
        await conn.execute("DELETE FROM chain_logo WHERE chain_id = $1", chain_id)
        return
    await conn.execute(
        """
        INSERT INTO chain_logo (chain_id, image) VALUES ($1, $2)
        ON CONFLICT (chain_id) DO UPDATE SET image = excluded.image
        """,
        chain_id,
        logo.image,
    )


async def get_logo(conn: Connection, chain_id: ChainId) -> bytes:
    """A chain's logo, empty when it has none."""
    image: bytes | None = await conn.fetchval(
        "SELECT image FROM chain_logo WHERE chain_id = $1", chain_id
    )
    return image or b""


async def insert_salon(conn: Connection, salon: Salon) -> None:
    """Write a new salon of a chain that this transaction has locked or made."""
    await conn.execute(
        """
        INSERT INTO salon (chain_id, id, name, time_zone, address, phone, active, created_at,
                           version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        salon.chain_id,
        salon.id,
        salon.name,
        salon.time_zone,
        salon.address,
        salon.phone,
        salon.active,
        salon.created_at,
        salon.version,
    )


async def get_salon(conn: Connection, *, chain_id: ChainId, salon_id: SalonId) -> Salon | None:
    """A salon of this chain."""
    row = await conn.fetchrow(
        """
        SELECT chain_id, id, name, time_zone, address, phone, active, created_at, version
        FROM salon WHERE chain_id = $1 AND id = $2
        """,
        chain_id,
        salon_id,
    )
    return _salon(row) if row else None


async def list_salons(conn: Connection, chain_id: ChainId, *, count_max: int) -> list[Salon]:
    """The salons of a chain, oldest first."""
    rows = await conn.fetch(
        """
        SELECT chain_id, id, name, time_zone, address, phone, active, created_at, version
        FROM salon WHERE chain_id = $1 ORDER BY created_at, id LIMIT $2
        """,
        chain_id,
        count_max,
    )
    return [_salon(row) for row in rows]


async def count_salons(conn: Connection, chain_id: ChainId) -> int:
    """How many salons a chain has, active or not."""
    count: int = await conn.fetchval("SELECT count(*) FROM salon WHERE chain_id = $1", chain_id)
    return count


async def has_salons(conn: Connection, *, chain_id: ChainId, salon_ids: Sequence[SalonId]) -> bool:
    """Whether every one of these is a salon of this chain."""
    found: int = await conn.fetchval(
        "SELECT count(*) FROM salon WHERE chain_id = $1 AND id = ANY ($2::uuid[])",
        chain_id,
        list(salon_ids),
    )
    return found == len(set(salon_ids))


async def save_salon(conn: Connection, salon: Salon) -> None:
    """Write what may change of a salon whose chain this transaction has locked."""
    await conn.execute(
        """
        UPDATE salon
        SET name = $3, time_zone = $4, address = $5, phone = $6, active = $7, version = $8
        WHERE chain_id = $1 AND id = $2
        """,
        salon.chain_id,
        salon.id,
        salon.name,
        salon.time_zone,
        salon.address,
        salon.phone,
        salon.active,
        salon.version,
    )
