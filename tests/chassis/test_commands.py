"""The chassis' commands, as an operator types them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from deploy.local.databases import DatabaseUrls
from services.chassis import outbox
from services.chassis.outbox import OutboxEvent
from services.chassis.postgres import Pool, transaction
from tests import engines

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto' / 'gen'}", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_migrate_shows_progress_and_is_a_no_op_the_second_time(
    postgres: engines.Postgres,
) -> None:
    empty = await postgres.create_empty_database("chassis")
    migrate = ("-m", "services.chassis.migrate", "chassis")

    first = command(*migrate, MIGRATION_DATABASE_URL=empty.owner_url)
    second = command(*migrate, MIGRATION_DATABASE_URL=empty.owner_url)

    assert first.returncode == second.returncode == 0
    assert "applying chassis/0001_plumbing" in first.stdout
    assert second.stdout == "chassis: 0 applied, up to date\n"


def test_migrate_says_how_it_is_used_and_what_is_wrong() -> None:
    assert command("-m", "services.chassis.migrate").returncode == 2
    away = "postgresql://nobody@127.0.0.1:1/nothing"
    failed = command("-m", "services.chassis.migrate", "chassis", MIGRATION_DATABASE_URL=away)
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr


async def test_replay_lists_what_was_written_in_the_days_that_were_asked_for(
    urls: DatabaseUrls, pool: Pool, chain: UUID
) -> None:
    events = [
        OutboxEvent(
            topic="t",
            key="k",
            type="thing.happened",
            chain_id=chain,
            subject="k",
            payload=b"",
            occurred_at=datetime.now(UTC),
        )
        for _ in range(3)
    ]
    async with transaction(pool) as conn:
        await outbox.append(conn, events)
        await conn.execute(
            "UPDATE outbox SET recorded_at = now() - make_interval(days => (id % 3 * 2)::int)"
        )
        await conn.execute("DELETE FROM outbox_waiting")

    replayed = command(
        "-m", "services.chassis.replay", "chassis", "--days", "3", DATABASE_URL=urls.service_url
    )

    assert replayed.returncode == 0
    assert replayed.stdout == "chassis: 2 events will be published again\n"
    assert await pool.fetchval("SELECT count(*) FROM outbox_waiting") == 2
    assert command("-m", "services.chassis.replay", "chassis").returncode == 2


def test_the_generated_code_is_what_the_contracts_say() -> None:
    compared = command("proto/generate.py", "--check", PATH=os.environ["PATH"])
    assert compared.returncode == 0, compared.stderr
