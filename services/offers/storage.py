"""All SQL of offers. Rows in, domain objects out; decides nothing."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg

from services.offers.domain.chain import Chain
from services.offers.domain.offer import ChainId, Offer, OfferId, OfferTerms, OfferType
from services.offers.domain.picture import Picture

if TYPE_CHECKING:
    from services.chassis.postgres import Connection

_OFFER = """chain_id, id, type, title, description, exclusion, start_date, end_date,
    coupon_expiry_date, shown_in_app, version, created_at, updated_at, deleted_at,
    image_digest"""


def _offer(row: asyncpg.Record) -> Offer:
    return Offer(
        chain_id=ChainId(row["chain_id"]),
        id=OfferId(row["id"]),
        terms=OfferTerms(
            type=OfferType(row["type"]),
            title=row["title"],
            description=row["description"],
            exclusion=row["exclusion"],
            start_date=row["start_date"],
            end_date=row["end_date"],
            coupon_expiry_date=row["coupon_expiry_date"],
            shown_in_app=row["shown_in_app"],
        ),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deleted_at=row["deleted_at"],
        image_digest=row["image_digest"],
    )


async def find_chain(conn: Connection, chain_id: ChainId) -> Chain | None:
    """The chain, when its event has arrived."""
    row = await conn.fetchrow(
        "SELECT home_time_zone, version FROM chain_copy WHERE chain_id = $1", chain_id
    )
    if row is None:
        return None
    return Chain(chain_id=chain_id, home_time_zone=row["home_time_zone"], version=row["version"])


async def lock_chain(conn: Connection, chain_id: ChainId) -> Chain | None:
    """The chain, its zone unchanging until this transaction ends; locks its row for share.

    Whoever publishes an offer names the zone: without the lock a change of the zone could pass
    between, and the older zone would be told last.
    """
    row = await conn.fetchrow(
        "SELECT home_time_zone, version FROM chain_copy WHERE chain_id = $1 FOR SHARE", chain_id
    )
    if row is None:
        return None
    return Chain(chain_id=chain_id, home_time_zone=row["home_time_zone"], version=row["version"])


async def put_chain(conn: Connection, chain: Chain) -> bool:
    """Keep a chain's newest state; locks its row. False when a newer one is already here."""
    stored = await conn.fetchval(
        """
        INSERT INTO chain_copy AS kept (chain_id, home_time_zone, version)
        VALUES ($1, $2, $3)
        ON CONFLICT (chain_id) DO UPDATE
            SET home_time_zone = excluded.home_time_zone, version = excluded.version,
                recorded_at = now()
            WHERE kept.version < excluded.version
        RETURNING true
        """,
        chain.chain_id,
        chain.home_time_zone,
        chain.version,
    )
    return stored is not None


async def insert_offer(conn: Connection, offer: Offer, *, by_kind: str, by_id: str) -> None:
    """Write a new offer."""
    terms = offer.terms
    await conn.execute(
        """
        INSERT INTO offer
            (chain_id, id, type, title, description, exclusion, start_date, end_date,
             coupon_expiry_date, shown_in_app, version, created_at, updated_at,
             changed_by_kind, changed_by_id, image_digest)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        """,
        offer.chain_id,
        offer.id,
        terms.type.value,
        terms.title,
        terms.description,
        terms.exclusion,
        terms.start_date,
        terms.end_date,
        terms.coupon_expiry_date,
        terms.shown_in_app,
        offer.version,
        offer.created_at,
        offer.updated_at,
        by_kind,
        by_id,
        offer.image_digest,
    )


async def lock_offer(conn: Connection, chain_id: ChainId, offer_id: OfferId) -> Offer | None:
    """The offer, deleted or not; locks its row. Lock the chain before it."""
    row = await conn.fetchrow(
        f"SELECT {_OFFER} FROM offer WHERE chain_id = $1 AND id = $2 FOR UPDATE",  # noqa: S608
        chain_id,
        offer_id,
    )
    return None if row is None else _offer(row)


async def find_offer(conn: Connection, chain_id: ChainId, offer_id: OfferId) -> Offer | None:
    """The offer, deleted or not."""
    row = await conn.fetchrow(
        f"SELECT {_OFFER} FROM offer WHERE chain_id = $1 AND id = $2",  # noqa: S608
        chain_id,
        offer_id,
    )
    return None if row is None else _offer(row)


async def list_offers(conn: Connection, chain_id: ChainId) -> list[Offer]:
    """The chain's living offers, by start date, newest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_OFFER} FROM offer WHERE chain_id = $1 AND deleted_at IS NULL
        ORDER BY start_date DESC, created_at DESC, id
        """,  # noqa: S608
        chain_id,
    )
    return [_offer(row) for row in rows]


async def update_offer(
    conn: Connection,
    chain_id: ChainId,
    offer_id: OfferId,
    terms: OfferTerms,
    *,
    by_kind: str,
    by_id: str,
    now: datetime,
) -> Offer | None:
    """Give a living offer new terms and its next version; None when it is not there."""
    row = await conn.fetchrow(
        f"""
        UPDATE offer
        SET title = $3, description = $4, exclusion = $5, start_date = $6, end_date = $7,
            coupon_expiry_date = $8, shown_in_app = $9, version = version + 1, updated_at = $10,
            changed_by_kind = $11, changed_by_id = $12
        WHERE chain_id = $1 AND id = $2 AND deleted_at IS NULL
        RETURNING {_OFFER}
        """,  # noqa: S608
        chain_id,
        offer_id,
        terms.title,
        terms.description,
        terms.exclusion,
        terms.start_date,
        terms.end_date,
        terms.coupon_expiry_date,
        terms.shown_in_app,
        now,
        by_kind,
        by_id,
    )
    return None if row is None else _offer(row)


async def delete_offer(
    conn: Connection,
    chain_id: ChainId,
    offer_id: OfferId,
    *,
    by_kind: str,
    by_id: str,
    now: datetime,
) -> Offer | None:
    """Mark a living offer as deleted; None when there is none living."""
    row = await conn.fetchrow(
        f"""
        UPDATE offer
        SET deleted_at = $3, updated_at = $3, version = version + 1,
            changed_by_kind = $4, changed_by_id = $5
        WHERE chain_id = $1 AND id = $2 AND deleted_at IS NULL
        RETURNING {_OFFER}
        """,  # noqa: S608
        chain_id,
        offer_id,
        now,
        by_kind,
        by_id,
    )
    return None if row is None else _offer(row)


async def bump_living_offers(conn: Connection, chain_id: ChainId) -> list[Offer]:
    """Give every living offer of the chain its next version, its words unchanged; locks them."""
    rows = await conn.fetch(
        f"""
        UPDATE offer SET version = version + 1
        WHERE chain_id = $1 AND deleted_at IS NULL
        RETURNING {_OFFER}
        """,  # noqa: S608
        chain_id,
    )
    return [_offer(row) for row in rows]


async def put_picture(
    conn: Connection,
    chain_id: ChainId,
    offer_id: OfferId,
    picture: Picture,
    *,
    by_kind: str,
    by_id: str,
    now: datetime,
) -> Offer | None:
    """Give a living offer this picture and its next version; None when it is not there."""
    offer = await _set_digest(
        conn, chain_id, offer_id, picture.digest, by_kind=by_kind, by_id=by_id, now=now
    )
    if offer is not None:
        await conn.execute(
            """
            INSERT INTO offer_picture (chain_id, offer_id, digest, media_type, content)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (chain_id, offer_id) DO UPDATE
                SET digest = excluded.digest, media_type = excluded.media_type,
                    content = excluded.content, recorded_at = now()
            """,
            chain_id,
            offer_id,
            picture.digest,
            picture.media_type,
            picture.content,
        )
    return offer


async def drop_picture(
    conn: Connection,
    chain_id: ChainId,
    offer_id: OfferId,
    *,
    by_kind: str,
    by_id: str,
    now: datetime,
) -> Offer | None:
    """Take a living offer's picture away and give it its next version; None when it is gone."""
    await conn.execute(
        "DELETE FROM offer_picture WHERE chain_id = $1 AND offer_id = $2", chain_id, offer_id
    )
    return await _set_digest(conn, chain_id, offer_id, "", by_kind=by_kind, by_id=by_id, now=now)


async def _set_digest(
    conn: Connection,
    chain_id: ChainId,
    offer_id: OfferId,
    digest: str,
    *,
    by_kind: str,
    by_id: str,
    now: datetime,
) -> Offer | None:
    row = await conn.fetchrow(
        f"""
        UPDATE offer
        SET image_digest = $3, version = version + 1, updated_at = $4,
            changed_by_kind = $5, changed_by_id = $6
        WHERE chain_id = $1 AND id = $2 AND deleted_at IS NULL
        RETURNING {_OFFER}
        """,  # noqa: S608
        chain_id,
        offer_id,
        digest,
        now,
        by_kind,
        by_id,
    )
    return None if row is None else _offer(row)


async def copy_picture(
    conn: Connection, chain_id: ChainId, offer_id: OfferId, to_offer_id: OfferId
) -> None:
    """Give another offer of the chain the same picture, if there is one."""
    await conn.execute(
        """
        INSERT INTO offer_picture (chain_id, offer_id, digest, media_type, content)
        SELECT chain_id, $3, digest, media_type, content
        FROM offer_picture WHERE chain_id = $1 AND offer_id = $2
        """,
        chain_id,
        offer_id,
        to_offer_id,
    )


async def find_picture(
    conn: Connection, chain_id: ChainId, offer_id: OfferId, digest: str
) -> Picture | None:
    """The offer's picture while it is the one of this digest."""
    row = await conn.fetchrow(
        """
        SELECT media_type, content FROM offer_picture
        WHERE chain_id = $1 AND offer_id = $2 AND digest = $3
        """,
        chain_id,
        offer_id,
        digest,
    )
    if row is None:
        return None
    return Picture(content=bytes(row["content"]), media_type=row["media_type"], digest=digest)
