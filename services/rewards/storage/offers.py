"""Local copies of offers and chains; the newest version wins, whatever order they arrive in."""

from __future__ import annotations

from services.chassis.postgres import Connection
from services.rewards.domain.ids import ChainId, OfferId
from services.rewards.domain.offers import OfferTerms


async def keep_offer(conn: Connection, offer: OfferTerms) -> None:
    """Remember an offer unless a newer version is known. Locks its row."""
    await conn.execute(
        """
        INSERT INTO offer_copy AS known (
            chain_id, offer_id, version, title, description, exclusion, start_date, end_date,
            coupon_expiry_date, shown_in_app, deleted, home_time_zone)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (chain_id, offer_id) DO UPDATE
            SET version = excluded.version, title = excluded.title,
                description = excluded.description, exclusion = excluded.exclusion,
                start_date = excluded.start_date, end_date = excluded.end_date,
                coupon_expiry_date = excluded.coupon_expiry_date,
                shown_in_app = excluded.shown_in_app, deleted = excluded.deleted,
                home_time_zone = excluded.home_time_zone, recorded_at = now()
            WHERE known.version < excluded.version
        """,
        offer.chain_id,
        offer.id,
        offer.version,
        offer.title,
        offer.description,
        offer.exclusion,
        offer.start_date,
        offer.end_date,
        offer.coupon_expiry_date,
        offer.shown_in_app,
        offer.deleted,
        offer.home_zone,
    )


async def find_offer(
    conn: Connection, *, chain_id: ChainId, offer_id: OfferId
) -> OfferTerms | None:
    """The offer as known here, in the zone that the chain has today."""
    row = await conn.fetchrow(
        """
        SELECT offer.version, title, description, exclusion, start_date, end_date,
               coupon_expiry_date, shown_in_app, deleted,
               coalesce(chain.home_time_zone, offer.home_time_zone) AS home_time_zone
        FROM offer_copy AS offer
        LEFT JOIN chain_copy AS chain ON chain.chain_id = offer.chain_id
        WHERE offer.chain_id = $1 AND offer.offer_id = $2
        """,
        chain_id,
        offer_id,
    )
    if row is None:
        return None
    return OfferTerms(
        id=offer_id,
        chain_id=chain_id,
        title=row["title"],
        description=row["description"],
        exclusion=row["exclusion"],
        start_date=row["start_date"],
        end_date=row["end_date"],
        coupon_expiry_date=row["coupon_expiry_date"],
        shown_in_app=row["shown_in_app"],
        deleted=row["deleted"],
        version=row["version"],
        home_zone=row["home_time_zone"],
    )


async def keep_chain(
    conn: Connection, *, chain_id: ChainId, version: int, home_zone: str, currency: str
) -> None:
    """Remember a chain's zone and currency unless a newer version is known. Locks its row."""
    await conn.execute(
        """
        INSERT INTO chain_copy AS known (chain_id, version, home_time_zone, currency)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (chain_id) DO UPDATE
            SET version = excluded.version, home_time_zone = excluded.home_time_zone,
                currency = excluded.currency, recorded_at = now()
            WHERE known.version < excluded.version
        """,
        chain_id,
        version,
        home_zone,
        currency,
    )


async def find_currency(conn: Connection, *, chain_id: ChainId) -> str | None:
    """The chain's currency, None while the chain is not known here yet."""
    currency: str | None = await conn.fetchval(
        "SELECT currency FROM chain_copy WHERE chain_id = $1", chain_id
    )
    return currency
