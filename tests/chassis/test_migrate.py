"""Migrations: applied once and in order, never changed afterwards, safe to start in parallel."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from deploy.local.databases import DatabaseUrls
from services.chassis import migrate
from services.chassis.postgres import create_pool
from tests import engines


@pytest.fixture
async def empty(postgres: engines.Postgres) -> DatabaseUrls:
    return await postgres.create_empty_database("chassis")


@pytest.fixture
def services(tmp_path: Path) -> Path:
    """Two rooms of our own making: the plumbing's and one service's."""
    for room, name, sql in (
        ("chassis", "0001_plumbing.sql", "CREATE TABLE plumbing (id int);"),
        ("demo", "0001_first.sql", "CREATE TABLE first (id int); INSERT INTO first VALUES (1);"),
        ("demo", "0002_second.sql", "ALTER TABLE first ADD COLUMN note text;"),
    ):
        folder = tmp_path / room / "migrations"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(sql)
    return tmp_path


async def test_migrations_apply_once_and_in_order(empty: DatabaseUrls, services: Path) -> None:
    applied = await migrate.migrate(empty.owner_url, "demo", services=services, quiet=True)
    again = await migrate.migrate(empty.owner_url, "demo", services=services, quiet=True)

    assert applied == ["chassis/0001_plumbing", "demo/0001_first", "demo/0002_second"]
    assert again == []


async def test_a_changed_migration_is_refused(empty: DatabaseUrls, services: Path) -> None:
    await migrate.migrate(empty.owner_url, "demo", services=services, quiet=True)
    changed = services / "demo" / "migrations" / "0001_first.sql"
    changed.write_text("CREATE TABLE first (id bigint);")

    with pytest.raises(migrate.MigrationRefused, match="demo/0001_first was changed"):
        await migrate.migrate(empty.owner_url, "demo", services=services, quiet=True)


async def test_two_migrators_at_once_apply_everything_once(
    empty: DatabaseUrls, services: Path
) -> None:
    results = await asyncio.gather(
        *(migrate.migrate(empty.owner_url, "demo", services=services, quiet=True) for _ in range(4))
    )

    assert sorted(len(applied) for applied in results) == [0, 0, 0, 3]
    conn = await asyncpg.connect(empty.owner_url)
    assert await conn.fetchval("SELECT count(*) FROM first") == 1
    await conn.close()


async def test_a_failed_migration_leaves_nothing_behind(
    empty: DatabaseUrls, services: Path
) -> None:
    broken = services / "demo" / "migrations" / "0003_broken.sql"
    broken.write_text("CREATE TABLE half (id int); SELECT no_such_function();")

    with pytest.raises(asyncpg.UndefinedFunctionError):
        await migrate.migrate(empty.owner_url, "demo", services=services, quiet=True)

    broken.write_text("CREATE TABLE half (id int);")
    applied = await migrate.migrate(empty.owner_url, "demo", services=services, quiet=True)
    assert applied == ["demo/0003_broken"]


async def test_a_statement_that_no_transaction_allows_runs_by_itself(
    empty: DatabaseUrls, services: Path
) -> None:
    (services / "demo" / "migrations" / "0003_index.sql").write_text(
        "-- no-transaction\nCREATE INDEX CONCURRENTLY first_id_idx ON first (id);"
    )

    applied = await migrate.migrate(empty.owner_url, "demo", services=services, quiet=True)

    assert applied[-1] == "demo/0003_index"


async def test_readiness_sees_what_is_pending(empty: DatabaseUrls, services: Path) -> None:
    """The service's own role may look, before anything exists and afterwards."""
    pool = await create_pool(empty.service_url, size_max=1, name="test")
    before = await migrate.pending(pool, "demo", services=services)
    await migrate.migrate(empty.owner_url, "demo", services=services, quiet=True)
    after = await migrate.pending(pool, "demo", services=services)
    await pool.close()

    assert before == ["chassis/0001_plumbing", "demo/0001_first", "demo/0002_second"]
    assert after == []


async def test_a_migration_with_a_wrong_name_or_number_is_refused(services: Path) -> None:
    folder = services / "demo" / "migrations"
    (folder / "0002_twice.sql").write_text("SELECT 1;")
    with pytest.raises(migrate.MigrationRefused, match="0002 stands on two"):
        migrate.migrations("demo", services=services)
    (folder / "0002_twice.sql").rename(folder / "third.sql")
    with pytest.raises(migrate.MigrationRefused, match=r"third\.sql"):
        migrate.migrations("demo", services=services)
    with pytest.raises(migrate.MigrationRefused, match="no such service"):
        migrate.migrations("unknown", services=services)
