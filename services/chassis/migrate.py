"""Migrations: plain numbered SQL, forward only, run by the schema's owner.

`python -m services.chassis.migrate points` migrates the database at `MIGRATION_DATABASE_URL`: the
chassis' tables first, then the service's.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from services.chassis.postgres import CONNECT_TIMEOUT_SECONDS, Connection, Pool

SERVICES = Path(__file__).resolve().parent.parent
CHASSIS = "chassis"
NO_TRANSACTION = "-- no-transaction"
# Any fixed number of our own: it keeps two migrators of one database apart.
ADVISORY_LOCK = 0x6D656368655F6D69
# A migration that waits longer for a table stands in the way of everybody behind it.
LOCK_TIMEOUT = "5s"
_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migration (
    room       text        NOT NULL,
    version    text        NOT NULL,
    sha256     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (room, version)
)
"""


class MigrationRefused(Exception):
    """The migrations and the database do not fit together; nothing was applied past this point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered file of one room."""

    room: str
    version: str
    sql: str

    @property
    def name(self) -> str:
        """Room and version, as progress shows it."""
        return f"{self.room}/{self.version}"

    @property
    def sha256(self) -> str:
        """What an applied migration is recognised by."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def in_transaction(self) -> bool:
        """False for a file whose first line says that its one statement runs by itself."""
        return not self.sql.startswith(NO_TRANSACTION)


def _room(folder: Path, room: str) -> list[Migration]:
    found = [
        Migration(room=room, version=path.stem, sql=path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.sql"))
        if _checked(path)
    ]
    numbers = [migration.version[:4] for migration in found]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise MigrationRefused(f"{room}: the number {twice[0]} stands on two migrations")
    return found


def _checked(path: Path) -> bool:
    if _NAME.fullmatch(path.name) is None:
        raise MigrationRefused(f"{path.name}: migrations are named NNNN_what.sql")
    return True


def migrations(service: str, *, services: Path = SERVICES) -> list[Migration]:
    """Every migration of a service's database in the order in which they apply."""
    rooms = (CHASSIS, service) if service != CHASSIS else (CHASSIS,)
    own = services / service / "migrations"
    if not own.is_dir():
        raise MigrationRefused(f"{service}: there is no such service with migrations")
    return [
        migration for room in rooms for migration in _room(services / room / "migrations", room)
    ]


async def _applied(conn: Connection | Pool) -> dict[tuple[str, str], str]:
    rows = await conn.fetch("SELECT room, version, sha256 FROM schema_migration")
    return {(row["room"], row["version"]): row["sha256"] for row in rows}


def _outstanding(
    known: Sequence[Migration], applied: dict[tuple[str, str], str]
) -> list[Migration]:
    """What is left to apply; refuses a file that changed after it was applied."""
    left: list[Migration] = []
    for migration in known:
        sha256 = applied.get((migration.room, migration.version))
        if sha256 is None:
            left.append(migration)
        elif sha256 != migration.sha256:
            raise MigrationRefused(
                f"{migration.name} was changed after it was applied; write a new migration instead"
            )
    return left


async def _apply(conn: Connection, migration: Migration) -> None:
    record = "INSERT INTO schema_migration (room, version, sha256) VALUES ($1, $2, $3)"
    values = (migration.room, migration.version, migration.sha256)
    if migration.in_transaction:
        async with conn.transaction():
            await conn.execute(migration.sql)
            await conn.execute(record, *values)
    else:
        await conn.execute(migration.sql)
        await conn.execute(record, *values)


async def migrate(
    owner_url: str, service: str, *, services: Path = SERVICES, quiet: bool = False
) -> list[str]:
    """Bring a service's database to the newest schema; returns the names of what was applied.

    Repeatable, and safe to start in parallel: migrators of one database wait for each other.
    Raises `MigrationRefused` when an applied migration has changed since.
    """
    known = migrations(service, services=services)
    conn = await asyncpg.connect(
        owner_url,
        timeout=CONNECT_TIMEOUT_SECONDS,
        server_settings={"application_name": f"migrate {service}", "timezone": "UTC"},
    )
    try:
        await conn.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
        await conn.execute("SELECT set_config('lock_timeout', $1, false)", LOCK_TIMEOUT)
        await conn.execute(_LEDGER)
        outstanding = _outstanding(known, await _applied(conn))
        for migration in outstanding:
            if not quiet:
                sys.stdout.write(f"{service}: applying {migration.name}\n")
                sys.stdout.flush()
            await _apply(conn, migration)
        return [migration.name for migration in outstanding]
    finally:
        await conn.close()


async def pending(pool: Pool, service: str, *, services: Path = SERVICES) -> list[str]:
    """Names of migrations that this process knows and the database does not have yet."""
    known = migrations(service, services=services)
    try:
        applied = await _applied(pool)
    except asyncpg.UndefinedTableError:
        applied = {}
    return [migration.name for migration in _outstanding(known, applied)]


def main(arguments: Sequence[str]) -> int:
    """Migrate the service named on the command line; 0 when its schema is the newest."""
    url = os.environ.get("MIGRATION_DATABASE_URL", "")
    if len(arguments) != 1 or not url:
        sys.stderr.write(
            "usage: MIGRATION_DATABASE_URL=… python -m services.chassis.migrate <service>\n"
        )
        return 2
    try:
        applied = asyncio.run(migrate(url, arguments[0]))
    except MigrationRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except (OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 1
    sys.stdout.write(f"{arguments[0]}: {len(applied)} applied, up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
