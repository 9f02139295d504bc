"""PostgreSQL alone, writing the same rows one request per transaction, driven by `pgbench`."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from deploy.local.layout import ROOT
from tests.bench.measures import Measure, measure
from tests.bench.platform import MEMBERS, Platform, World

SCHEMA = "bench"
TRIES_MAX = 3
# Of each client: fewer tell of their coming in rather than of their work.
TRANSACTIONS_MIN = 10

_SCRIPTS = {
    "earn": "\\set place random(1, {accounts})\nSELECT earn(:place);\n",
    "pairs": (
        "\\set place random(1, {members})\n"
        "SELECT wish(:place) AS reward \\gset\n"
        "SELECT pay(:place, :reward) AS reward \\gset\n"
        "SELECT issue(:place, :reward) AS reward \\gset\n"
        "SELECT use(:place, :reward) AS reward \\gset\n"
    ),
}


async def prepare(platform: Platform, world: World) -> None:
    """Make our tables once more in a scratch schema, with the same accounts, and the functions."""
    conn = await asyncpg.connect(
        platform.admin_url(), server_settings={"search_path": SCHEMA}, statement_cache_size=0
    )
    constants = {
        ":chain": f"'{world.chain_id}'::uuid",
        ":program": f"'{world.chain.program_id}'::uuid",
        ":salon": f"'{world.chain.salon_id}'::uuid",
    }
    functions = (Path(__file__).parent / "yardstick.sql").read_text()
    for name, value in constants.items():
        functions = functions.replace(name, value)
    try:
        await conn.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
        for service in ("chassis", "points", "rewards"):
            for path in sorted((ROOT / "services" / service / "migrations").glob("*.sql")):
                async with conn.transaction():
                    # The copies of chains stand in points already; they measure nothing.
                    await conn.execute(path.read_text())
        await conn.execute(functions)
        await conn.execute("INSERT INTO account SELECT * FROM public.account")
        await conn.execute(
            """
            UPDATE account SET balance = 1000000000, lifetime_points = 1000000000
            WHERE id IN (SELECT md5('account-' || place)::uuid FROM generate_series(1, $1) place)
            """,
            MEMBERS,
        )
        await conn.execute(
            """
            INSERT INTO lot (chain_id, id, account_id, posting_id, points, remaining, policy,
                             earned_at)
            SELECT chain_id, id, id, id, balance, balance, 'never', now() FROM account
            WHERE balance > 0 AND id IN
                (SELECT md5('account-' || place)::uuid FROM generate_series(1, $1) place)
            """,
            MEMBERS,
        )
        await conn.execute("VACUUM ANALYZE")
    finally:
        await conn.close()


async def run(
    platform: Platform, world: World, script: str, *, clients: int, seconds: int
) -> Measure:
    """One run of `pgbench`, each transaction's time out of its log.

    On a machine too busy to let the clients in, it takes twice as long, and twice again.
    """
    for times in range(TRIES_MAX):
        taken = await asyncio.to_thread(_run, platform, world, script, clients, seconds << times)
        if taken is not None:
            return taken
    raise RuntimeError(f"pgbench with {clients} clients did nothing in {seconds} s")


def _run(
    platform: Platform, world: World, script: str, clients: int, seconds: int
) -> Measure | None:
    """None when the machine was too busy to let the clients in."""
    address = urlsplit(platform.admin_url())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{script}.sql"
        path.write_text(_SCRIPTS[script].format(accounts=world.accounts, members=MEMBERS))
        ended = subprocess.run(
            [
                str(platform.binaries / "pgbench"),
                *("--no-vacuum", "--protocol=prepared", "--log"),
                *(f"--client={clients}", "--jobs=2", f"--time={seconds}", f"--file={path}"),
                *(f"--host={address.hostname}", f"--port={address.port}"),
                f"--username={address.username}",
                "points",
            ],
            env={
                **os.environ,
                "PGPASSWORD": address.password or "",
                "PGOPTIONS": f"-c search_path={SCHEMA}",
            },
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        rate = re.search(r"tps = ([\d.]+)", ended.stdout)
        if ended.returncode == 0 and rate is None:
            return None
        if ended.returncode != 0 or rate is None:
            raise RuntimeError(f"pgbench failed:\n{ended.stdout}{ended.stderr}")
        times = [
            int(line.split()[2]) / 1e6
            for log in Path(folder).glob("pgbench_log.*")
            for line in log.read_text().splitlines()
        ]
    if len(times) < clients * TRANSACTIONS_MIN:
        return None
    return measure(times, rate=float(rate.group(1)))
