"""Local copies of offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.messaging.domain.chain import ChainId
from services.messaging.domain.offer import OfferCopy, OfferId

if TYPE_CHECKING:
    from services.chassis.postgres import Connection


async def put(conn: Connection, offer: OfferCopy) -> bool:
    """Keep an offer's newest state; False when a newer one is already here."""
    stored = await conn.fetchval(
        """
        INSERT INTO offer_copy AS kept
            (chain_id, offer_id, title, description, exclusion, start_date, end_date, deleted,
             version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (chain_id, offer_id) DO UPDATE
            SET title = excluded.title, description = excluded.description,
                exclusion = excluded.exclusion, start_date = excluded.start_date,
                end_date = excluded.end_date, deleted = excluded.deleted,
                version = excluded.version, recorded_at = now()
            WHERE kept.version < excluded.version
        RETURNING true
        """,
        offer.chain_id,
        offer.offer_id,
        offer.title,
        offer.description,
        offer.exclusion,
        offer.start_date,
        offer.end_date,
        offer.deleted,
        offer.version,
    )
    return stored is not None


async def find(conn: Connection, chain_id: ChainId, offer_id: OfferId) -> OfferCopy | None:
    """An offer that can still be told of: one that was not deleted."""
    row = await conn.fetchrow(
        """
        SELECT chain_id, offer_id, title, description, exclusion, start_date, end_date, deleted,
               version
        FROM offer_copy WHERE chain_id = $1 AND offer_id = $2 AND NOT deleted
        """,
        chain_id,
        offer_id,
    )
    if row is None:
        return None
    return OfferCopy(
        chain_id=ChainId(row["chain_id"]),
        offer_id=OfferId(row["offer_id"]),
        title=row["title"],
        description=row["description"],
        exclusion=row["exclusion"],
        start_date=row["start_date"],
        end_date=row["end_date"],
        deleted=row["deleted"],
        version=row["version"],
    )
