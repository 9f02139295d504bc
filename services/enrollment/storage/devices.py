"""Tablets and API keys: what speaks for a salon without a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import asyncpg

from services.chassis.postgres import Connection
from services.enrollment.domain.credentials import ApiKey, Tablet
from services.enrollment.domain.ids import ApiKeyId, ChainId, TabletId

Open = Callable[[bytes], str]


def _tablet(row: asyncpg.Record, open_token: Open) -> Tablet:
    return Tablet(
        id=row["id"],
        chain_id=row["chain_id"],
        salon_id=row["salon_id"],
        program_id=row["program_id"],
        name=row["name"],
        active=row["revoked_at"] is None,
        link_token=open_token(row["sealed_token"]) if row["revoked_at"] is None else "",
        created_at=row["created_at"],
    )


def _api_key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(
        id=row["id"],
        chain_id=row["chain_id"],
        name=row["name"],
        hint=row["hint"],
        scopes=tuple(row["scopes"]),
        salon_ids=tuple(row["salon_ids"]),
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
    )


async def insert_tablet(
    conn: Connection, tablet: Tablet, *, token_digest: bytes, sealed_token: bytes
) -> None:
    """Write a new tablet of a chain that this transaction has locked."""
    await conn.execute(
        """
        INSERT INTO tablet (chain_id, id, salon_id, program_id, name, token_digest, sealed_token,
                            created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        tablet.chain_id,
        tablet.id,
        tablet.salon_id,
        tablet.program_id,
        tablet.name,
        token_digest,
        sealed_token,
        tablet.created_at,
    )


async def list_tablets(
    conn: Connection, chain_id: ChainId, *, open_token: Open, count_max: int
) -> list[Tablet]:
    """The tablets of a chain, oldest first; a revoked one has no link any more."""
    rows = await conn.fetch(
        """
        SELECT chain_id, id, salon_id, program_id, name, sealed_token, created_at, revoked_at
        FROM tablet WHERE chain_id = $1 ORDER BY created_at, id LIMIT $2
        """,
        chain_id,
        count_max,
    )
    return [_tablet(row, open_token) for row in rows]


async def count_live_tablets(conn: Connection, chain_id: ChainId) -> int:
    """How many tablets of a chain are not revoked."""
    count: int = await conn.fetchval(
        "SELECT count(*) FROM tablet WHERE chain_id = $1 AND revoked_at IS NULL", chain_id
    )
    return count


async def rotate_tablet(
    conn: Connection,
    *,
    chain_id: ChainId,
    tablet_id: TabletId,
    token_digest: bytes,
    sealed_token: bytes,
    open_token: Open,
) -> tuple[Tablet, bytes] | None:
    """Give a living tablet another link; with the digest of the old one. Locks the tablet."""
    row = await conn.fetchrow(
        """
        WITH before AS (
            SELECT token_digest FROM tablet WHERE chain_id = $1 AND id = $2 FOR UPDATE
        )
        UPDATE tablet
        SET token_digest = $3, sealed_token = $4
        FROM before
        WHERE tablet.chain_id = $1 AND tablet.id = $2 AND tablet.revoked_at IS NULL
        RETURNING tablet.chain_id, tablet.id, tablet.salon_id, tablet.program_id, tablet.name,
                  tablet.sealed_token, tablet.created_at, tablet.revoked_at,
                  before.token_digest AS old_digest
        """,
        chain_id,
        tablet_id,
        token_digest,
        sealed_token,
    )
    return (_tablet(row, open_token), row["old_digest"]) if row else None


async def revoke_tablet(
    conn: Connection, *, chain_id: ChainId, tablet_id: TabletId, now: datetime
) -> bytes | None:
    """Switch a living tablet off; the digest of its link, None when none lives with this id."""
    digest: bytes | None = await conn.fetchval(
        """
        UPDATE tablet SET revoked_at = $3
        WHERE chain_id = $1 AND id = $2 AND revoked_at IS NULL
        RETURNING token_digest
        """,
        chain_id,
        tablet_id,
        now,
    )
    return digest


async def has_tablet(conn: Connection, *, chain_id: ChainId, tablet_id: TabletId) -> bool:
    """Whether the chain ever had this tablet."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM tablet WHERE chain_id = $1 AND id = $2)", chain_id, tablet_id
    )
    return found


async def insert_api_key(conn: Connection, key: ApiKey, *, token_digest: bytes) -> None:
    """Write a new key of a chain that this transaction has locked or made."""
    await conn.execute(
        """
        INSERT INTO api_key (chain_id, id, name, hint, scopes, salon_ids, token_digest, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        key.chain_id,
        key.id,
        key.name,
        key.hint,
        list(key.scopes),
        list(key.salon_ids),
        token_digest,
        key.created_at,
    )


async def list_api_keys(conn: Connection, chain_id: ChainId, *, count_max: int) -> list[ApiKey]:
    """The keys of a chain, newest first, revoked ones too."""
    rows = await conn.fetch(
        """
        SELECT chain_id, id, name, hint, scopes, salon_ids, created_at, last_used_at, revoked_at
        FROM api_key WHERE chain_id = $1 ORDER BY created_at DESC, id LIMIT $2
        """,
        chain_id,
        count_max,
    )
    return [_api_key(row) for row in rows]


async def count_live_api_keys(conn: Connection, chain_id: ChainId) -> int:
    """How many keys of a chain are not revoked."""
    count: int = await conn.fetchval(
        "SELECT count(*) FROM api_key WHERE chain_id = $1 AND revoked_at IS NULL", chain_id
    )
    return count


async def revoke_api_key(
    conn: Connection, *, chain_id: ChainId, api_key_id: ApiKeyId, now: datetime
) -> bytes | None:
    """Switch a living key off; the digest of its token, None when none lives with this id."""
    digest: bytes | None = await conn.fetchval(
        """
        UPDATE api_key SET revoked_at = $3
        WHERE chain_id = $1 AND id = $2 AND revoked_at IS NULL
        RETURNING token_digest
        """,
        chain_id,
        api_key_id,
        now,
    )
    return digest


async def has_api_key(conn: Connection, *, chain_id: ChainId, api_key_id: ApiKeyId) -> bool:
    """Whether the chain ever had this key."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM api_key WHERE chain_id = $1 AND id = $2)", chain_id, api_key_id
    )
    return found
