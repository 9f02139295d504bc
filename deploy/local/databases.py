"""One database and two roles per service on a PostgreSQL server, made once and again harmlessly.

`<service>_owner` owns the database and migrates it; `<service>` reads and writes rows and may
not change tables. What the owner creates later is opened to the service role by default
privileges; a migration that must forbid something (postings) revokes it.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg

SERVICES = ("enrollment", "points", "rewards", "messaging", "offers")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrls:
    """The two addresses of one service's database."""

    owner_url: str
    service_url: str


def address(admin_url: str, *, database: str, user: str, password: str) -> str:
    """The same server, another database and role."""
    parts = urlsplit(admin_url)
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(
        (parts.scheme, f"{user}:{password}@{parts.hostname}{port}", f"/{database}", parts.query, "")
    )


def urls(admin_url: str, service: str, *, password: str, database: str) -> DatabaseUrls:
    """Both addresses of a service's database; both roles share the stem of the password."""
    return DatabaseUrls(
        owner_url=address(
            admin_url, database=database, user=f"{service}_owner", password=f"{password}o"
        ),
        service_url=address(admin_url, database=database, user=service, password=f"{password}s"),
    )


async def prepare(admin_url: str, service: str, *, password: str, database: str) -> DatabaseUrls:
    """Make the roles and the database of a service, or bring existing ones to the same state."""
    admin = await asyncpg.connect(admin_url)
    try:
        await _ensure_role(admin, f"{service}_owner", f"{password}o")
        await _ensure_role(admin, service, f"{password}s")
        if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
            await admin.execute(f'CREATE DATABASE "{database}" OWNER "{service}_owner"')
        await admin.execute(f'REVOKE CONNECT, TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
        await admin.execute(f'GRANT CONNECT ON DATABASE "{database}" TO "{service}"')
    finally:
        await admin.close()
    both = urls(admin_url, service, password=password, database=database)
    await _open_future_tables(both.owner_url, service)
    return both


async def clone(admin_url: str, service: str, *, template: str, database: str) -> None:
    """Copy a migrated database whole; nobody may be connected to the template."""
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(
            f'CREATE DATABASE "{database}" OWNER "{service}_owner" TEMPLATE "{template}"'
        )
        await admin.execute(f'REVOKE CONNECT, TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
        await admin.execute(f'GRANT CONNECT ON DATABASE "{database}" TO "{service}"')
    finally:
        await admin.close()


async def _ensure_role(admin: "asyncpg.Connection[asyncpg.Record]", name: str, secret: str) -> None:
    """A role that can sign in with this password and has no other right."""
    exists = await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name)
    verb = "ALTER" if exists else "CREATE"
    # Neither statement takes parameters; both values are made by us from letters and digits.
    if not (name.isidentifier() and secret.isalnum()):
        raise ValueError("role names and passwords consist of letters and digits")
    await admin.execute(f"{verb} ROLE \"{name}\" LOGIN NOINHERIT PASSWORD '{secret}'")


async def _open_future_tables(owner_url: str, service: str) -> None:
    """What the owner creates from now on, the service role may read and write."""
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute(
            f"""
            ALTER DEFAULT PRIVILEGES IN SCHEMA public
              GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "{service}";
            ALTER DEFAULT PRIVILEGES IN SCHEMA public
              GRANT USAGE, SELECT ON SEQUENCES TO "{service}";
            """
        )
    finally:
        await owner.close()
