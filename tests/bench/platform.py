"""The platform that is measured: a stack of its own, a chain, members, and accounts by the set."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx

from deploy.local import databases, engines, launch, ports, services
from deploy.local.layout import ROOT, Layout, forget, open_layout
from deploy.local.wishes import EMBEDDED, Wishes, current
from tests.e2e.chains import Chain, enrol, fresh_key, open_chain

FOLDER = ROOT / ".local" / "bench"
STATE = FOLDER / "state"
# Members with a name in enrollment and points to spend: for reads, takes and uses.
MEMBERS = 128
# As the API's limit of one key would end every run; it is counted all the same.
REQUESTS_PER_SECOND = "1000000"
DRAIN_SECONDS_MAX = 60.0
TIER = {
    "points": 1,
    "name": "Soin",
    "definition": {"scope": "ORDER", "discount_type": "IN_KIND"},
}

_LOAD = """
INSERT INTO account (chain_id, id, member_id, program_id, opened_at, updated_at)
SELECT $1, md5('account-' || place)::uuid, md5('member-' || place)::uuid, $2, now(), now()
FROM generate_series($3::int, $4::int) AS place
"""


def account_id(place: int) -> str:
    """The id of a loaded account; the yardstick computes the same in SQL."""
    return str(UUID(hashlib.md5(f"account-{place}".encode()).hexdigest()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What the measurements need to know of the running stack."""

    layout: Layout
    base_url: str
    operator_key: str

    @property
    def host_port(self) -> tuple[str, int]:
        """Where the gateway listens."""
        url = httpx.URL(self.base_url)
        return url.host, url.port or 80

    def admin_url(self, database: str = "points") -> str:
        """The superuser's address of one database."""
        url = engines.addresses(self.layout, current(self.layout)).postgres_admin_url
        return url.rpartition("/")[0] + f"/{database}"

    def env(self, service: str) -> dict[str, str]:
        """The environment of a service's process."""
        return services.environment(service, self.layout, current(self.layout))

    def databases(self) -> databases.DatabaseUrls:
        """Both addresses of the points database."""
        return services.database_urls("points", self.layout, current(self.layout))

    @property
    def binaries(self) -> Path:
        """The folder of `pgbench`, out of the PostgreSQL wheel."""
        from deploy.local import postgres_server

        return postgres_server.binaries(self.layout.data / "postgres")


def start() -> Platform:
    """A fresh stack on the default engines, in a folder of its own."""
    os.environ["API_REQUESTS_PER_SECOND_MAX"] = REQUESTS_PER_SECOND
    # Expiry is measured by itself.
    os.environ["SWEEP_SECONDS"] = "86400"
    if STATE.exists():
        stop(open_layout(STATE))
    layout = open_layout(STATE)
    port = ports.free_port()
    wishes = Wishes(
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        lan=False,
        kafka=EMBEDDED,
        postgres_url=None,
        redis_url=None,
    )
    launch.up(layout, wishes, print)
    return Platform(
        layout=layout,
        base_url=wishes.public_url,
        operator_key=layout.secrets().operator_key,
    )


def data_folder() -> Path:
    """A folder that PostgreSQL's own user can read, outside of what `start` makes anew."""
    folder = open_layout(FOLDER).data
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def stop(layout: Layout) -> None:
    """End the stack and forget its data; its logs stay beside the results."""
    launch.down(layout, print)
    logs = FOLDER / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    if layout.logs.exists():
        shutil.copytree(layout.logs, logs)
    forget(layout)


@dataclass(slots=True, kw_only=True)
class World:
    """Who earns, reads and spends."""

    chain: Chain
    chain_id: str
    definition_id: str
    members: list[str]
    # Loaded by the set so far.
    accounts: int = 0


async def people(platform: Platform, *, accounts: int) -> World:
    """A chain with loaded accounts and with members who can spend without end."""
    chain = await open_chain(platform)
    async with chain.client() as client:
        program = (await client.get(f"/v2/loyalty/programs/{chain.program_id}")).json()["program"]
        saved = await client.put(
            f"/v2/loyalty/programs/{chain.program_id}",
            json={
                "idempotency_key": fresh_key(),
                "program": {
                    "name": program["name"],
                    "reward_tiers": [TIER],
                },
            },
        )
        if saved.status_code != 200:
            raise RuntimeError(saved.text)
        tiers = saved.json()["program"]["reward_tiers"]
        members = [await _spender(chain, client) for _ in range(MEMBERS)]
    conn = await asyncpg.connect(platform.admin_url())
    try:
        chain_id = await conn.fetchval("SELECT chain_id FROM account LIMIT 1")
    finally:
        await conn.close()
    world = World(
        chain=chain, chain_id=str(chain_id), definition_id=tiers[0]["id"], members=members
    )
    await load(platform, world, accounts=accounts)
    return world


async def load(platform: Platform, world: World, *, accounts: int) -> None:
    """Open accounts by the set until there are so many."""
    conn = await asyncpg.connect(platform.admin_url(), command_timeout=600)
    try:
        begun = time.monotonic()
        program_id = UUID(world.chain.program_id)
        await conn.execute(_LOAD, UUID(world.chain_id), program_id, world.accounts + 1, accounts)
        await conn.execute("VACUUM ANALYZE")
        world.accounts = accounts
        print(f"{accounts:,} accounts after {time.monotonic() - begun:.1f} s", flush=True)
    finally:
        await conn.close()


async def _spender(chain: Chain, client: httpx.AsyncClient) -> str:
    account = await enrol(chain, client)
    given = await client.post(
        f"/v2/loyalty/accounts/{account}/adjust",
        json={
            "idempotency_key": str(uuid4()),
            "adjust_points": {"points": 1_000_000, "reason": "Bench"},
        },
    )
    if given.status_code != 200:
        raise RuntimeError(given.text)
    return account


async def drained(conn: asyncpg.Connection[asyncpg.Record]) -> float | None:
    """Wait until every event has left, so that the next measure stands alone; seconds, or None."""
    begun = time.monotonic()
    while time.monotonic() - begun < DRAIN_SECONDS_MAX:
        waiting = await conn.fetchval(
            "SELECT EXISTS (SELECT FROM public.outbox WHERE published_at IS NULL)"
        )
        if not waiting:
            return time.monotonic() - begun
        await asyncio.sleep(0.1)
    return None
