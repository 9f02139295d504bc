"""Local copies of enrollment's chains and contacts."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from services.messaging.domain.chain import Chain, ChainId, Language, MemberId, Plan
from services.messaging.domain.consent import Channel
from services.messaging.domain.contact import Contact

if TYPE_CHECKING:
    from services.chassis.postgres import Connection

MemberKey: TypeAlias = tuple[ChainId, MemberId]

_CONTACT = """contact.chain_id, member_id, phone, email, given_name, contact.language,
    registered_by, birthday, phone_verified, email_verified, contact.version"""


def _contact(row: asyncpg.Record) -> Contact:
    return Contact(
        chain_id=ChainId(row["chain_id"]),
        member_id=MemberId(row["member_id"]),
        phone=row["phone"],
        email=row["email"],
        given_name=row["given_name"],
        language=Language(row["language"]) if row["language"] else None,
        registered_by=Channel(row["registered_by"]) if row["registered_by"] else None,
        birthday=row["birthday"],
        phone_verified=row["phone_verified"],
        email_verified=row["email_verified"],
        version=row["version"],
    )


def _chain(row: asyncpg.Record) -> Chain:
    return Chain(
        chain_id=ChainId(row["chain_id"]),
        slug=row["slug"],
        name=row["name"],
        plan=Plan(row["plan"]),
        sandbox=row["sandbox"],
        home_time_zone=row["home_time_zone"],
        language=Language(row["language"]),
        version=row["version"],
        postal_address=row["postal_address"],
        contact_phone=row["contact_phone"],
    )


async def put_chain(conn: Connection, chain: Chain) -> bool:
    """Keep a chain's newest state; locks its row. False when a newer one is already here."""
    stored = await conn.fetchval(
        """
        INSERT INTO chain_copy AS kept
            (chain_id, slug, name, plan, sandbox, home_time_zone, language, version,
             postal_address, contact_phone)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (chain_id) DO UPDATE
            SET slug = excluded.slug, name = excluded.name, plan = excluded.plan,
                sandbox = excluded.sandbox, home_time_zone = excluded.home_time_zone,
                language = excluded.language, version = excluded.version,
                postal_address = excluded.postal_address,
                contact_phone = excluded.contact_phone, recorded_at = now()
            WHERE kept.version < excluded.version
        RETURNING true
        """,
        chain.chain_id,
        chain.slug,
        chain.name,
        chain.plan.value,
        chain.sandbox,
        chain.home_time_zone,
        chain.language.value,
        chain.version,
        chain.postal_address,
        chain.contact_phone,
    )
    return stored is not None


async def find_chains(conn: Connection, chain_ids: Collection[ChainId]) -> dict[ChainId, Chain]:
    """The chains, those whose event has arrived."""
    if not chain_ids:
        return {}
    rows = await conn.fetch(
        """
        SELECT chain_id, slug, name, plan, sandbox, home_time_zone, language, version,
               postal_address, contact_phone
        FROM chain_copy WHERE chain_id = ANY($1::uuid[])
        """,
        list(chain_ids),
    )
    return {ChainId(row["chain_id"]): _chain(row) for row in rows}


async def find_chain(conn: Connection, chain_id: ChainId) -> Chain | None:
    """The chain, when its event has arrived."""
    return (await find_chains(conn, [chain_id])).get(chain_id)


async def put_contact(conn: Connection, contact: Contact) -> bool:
    """Keep a contact's newest state; locks its row.

    False when a newer one is already here, or when the contact was erased.
    """
    stored = await conn.fetchval(
        """
        INSERT INTO contact AS kept
            (chain_id, member_id, phone, email, given_name, language, registered_by, birthday,
             phone_verified, email_verified, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (chain_id, member_id) DO UPDATE
            SET phone = excluded.phone, email = excluded.email, given_name = excluded.given_name,
                language = excluded.language, registered_by = excluded.registered_by,
                birthday = excluded.birthday, phone_verified = excluded.phone_verified,
                email_verified = excluded.email_verified, version = excluded.version,
                recorded_at = now()
            WHERE kept.version < excluded.version AND kept.erased_at IS NULL
        RETURNING true
        """,
        contact.chain_id,
        contact.member_id,
        contact.phone,
        contact.email,
        contact.given_name,
        contact.language.value if contact.language else None,
        contact.registered_by.value if contact.registered_by else None,
        contact.birthday,
        contact.phone_verified,
        contact.email_verified,
        contact.version,
    )
    return stored is not None


async def is_erased(conn: Connection, chain_id: ChainId, member_id: MemberId) -> bool:
    """Whether the member asked to be forgotten."""
    found = await conn.fetchval(
        """
        SELECT true FROM contact
        WHERE chain_id = $1 AND member_id = $2 AND erased_at IS NOT NULL
        """,
        chain_id,
        member_id,
    )
    return found is not None


async def erase_contact(conn: Connection, chain_id: ChainId, member_id: MemberId) -> None:
    """Forget how a member is reached, for good; her ids stay, so that old events find the grave."""
    await conn.execute(
        """
        INSERT INTO contact AS kept
            (chain_id, member_id, phone, email, given_name, birthday, phone_verified,
             email_verified, version, erased_at)
        VALUES ($1, $2, '', '', '', '', false, false, 0, now())
        ON CONFLICT (chain_id, member_id) DO UPDATE
            SET phone = '', email = '', given_name = '', birthday = '', language = NULL,
                registered_by = NULL, phone_verified = false, email_verified = false,
                erased_at = coalesce(kept.erased_at, excluded.erased_at), recorded_at = now()
        """,
        chain_id,
        member_id,
    )


async def find_contacts(
    conn: Connection, members: Collection[MemberKey]
) -> dict[MemberKey, Contact]:
    """The contacts of those members who are living."""
    if not members:
        return {}
    rows = await conn.fetch(
        f"""
        SELECT {_CONTACT}, erased_at
        FROM unnest($1::uuid[], $2::uuid[]) AS wanted (chain_id, member_id)
        JOIN contact USING (chain_id, member_id)
        """,  # noqa: S608
        [chain_id for chain_id, _ in members],
        [member_id for _, member_id in members],
    )
    # Asked of the database, this makes it believe that there is one contact, and read them all for
    # each that is wanted.
    found = [_contact(row) for row in rows if row["erased_at"] is None]
    return {(each.chain_id, each.member_id): each for each in found}


async def find_contact(conn: Connection, chain_id: ChainId, member_id: MemberId) -> Contact | None:
    """The contact of a living member."""
    key = (chain_id, member_id)
    return (await find_contacts(conn, [key])).get(key)


async def contacts_by_phone(conn: Connection, phone: str, *, chain_id: ChainId) -> list[Contact]:
    """The members of one chain who have this phone."""
    rows = await conn.fetch(
        f"""
        SELECT {_CONTACT} FROM contact
        WHERE phone = $1 AND phone <> '' AND chain_id = $2 ORDER BY member_id
        """,  # noqa: S608
        phone,
        chain_id,
    )
    return [_contact(row) for row in rows]


async def live_contacts_by_phone(conn: Connection, phone: str) -> list[Contact]:
    """The members of every live chain who have this phone, in order of chain (D26)."""
    rows = await conn.fetch(
        f"""
        SELECT {_CONTACT} FROM contact JOIN chain_copy USING (chain_id)
        WHERE phone = $1 AND phone <> '' AND NOT chain_copy.sandbox
        ORDER BY contact.chain_id, member_id
        """,  # noqa: S608
        phone,
    )
    return [_contact(row) for row in rows]
