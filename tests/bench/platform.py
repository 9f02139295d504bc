"""The platform that is measured: a stack of its own, a chain, members, and accounts by the set."""

from __future__ import annotations

import os
import re
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
from tests.bench import places
from tests.e2e.chains import Chain, enrol, fresh_key, open_chain

FOLDER = ROOT / ".local" / "bench"
# Members with a name in enrollment and points to spend: for reads, takes and uses.
MEMBERS = 128
# As the API's limit of one key would end every run; it is counted all the same.
REQUESTS_PER_SECOND = "1000000"
# So soon the service itself sees that points have ended; finding none costs nothing to speak of.
SWEEP_SECONDS = 3
# A server's, for a million accounts: those of the measurements that the goals come from. With a
# laptop's own, what is measured is the memory that it lacks.
POSTGRES = {"shared_buffers": "2GB", "max_wal_size": "16GB"}
TIER = {
    "points": 1,
    "name": "Soin",
    "definition": {"scope": "ORDER", "discount_type": "IN_KIND"},
}

_REPLAYS = r"^loyalty_outbox_replays_total\S* ([0-9.e+]+)$"
_LAGS = r"^loyalty_outbox_lag_seconds_bucket\{le=\"([0-9.e+Inf]+)\"\} ([0-9.e+]+)$"

_LOAD = f"""
INSERT INTO account (chain_id, id, member_id, program_id, opened_at, updated_at)
SELECT $1, {places.SQL.format("account")}, {places.SQL.format("member")}, $2, now(), now()
FROM generate_series($3::int, $4::int) AS place
"""
# Whom a read of such an account finds; numbers that nobody can dial.
_LOAD_MEMBERS = f"""
INSERT INTO member (
    chain_id, id, given_name, family_name, phone, birthday, language, source, registered_by,
    phone_verified, email_verified, note, reference_id, enrolled_at, created_at, updated_at,
    version, name_key, search_key, phone_digits)
SELECT $1, {places.SQL.format("member")}, 'Alice', 'No ' || place, '+1555' || (1000000 + place), '',
       'fr', 'till', 'sms', true, false, '', '', now(), now(), now(), 1, 'no ' || place,
       'alice no ' || place, '1555' || (1000000 + place)
FROM generate_series($2::int, $3::int) AS place
"""


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

    def replays(self) -> int:
        """How often points has published its kept events again, because somebody missed some."""
        found = re.search(_REPLAYS, self._points_metrics(), re.MULTILINE)
        return int(float(found.group(1))) if found else 0

    def lags(self) -> dict[float, float]:
        """How many events of points reached the broker within so many seconds, by bound."""
        found = re.findall(_LAGS, self._points_metrics(), re.MULTILINE)
        return {float(bound): float(count) for bound, count in found}

    def _points_metrics(self) -> str:
        port = self.layout.ports().get("points.ops")
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text

    @property
    def binaries(self) -> Path:
        """The folder of `pgbench`, out of the PostgreSQL wheel."""
        from deploy.local import postgres_server

        return postgres_server.binaries(self.layout.data / "postgres")


def start(name: str = "state") -> Platform:
    """A fresh stack on the default engines, in a folder of its own."""
    os.environ["API_REQUESTS_PER_SECOND_MAX"] = REQUESTS_PER_SECOND
    # The gates check the ledger.
    os.environ["SWEEP_SECONDS"] = str(SWEEP_SECONDS)
    os.environ["LEDGER_CHECK_SECONDS"] = "0"
    state = FOLDER / name
    if state.exists():
        stop(open_layout(state))
    layout = open_layout(state)
    port = ports.free_port()
    wishes = Wishes(
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        lan=False,
        kafka=EMBEDDED,
        postgres_url=None,
        redis_url=None,
        postgres_settings=POSTGRES,
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
    logs = FOLDER / "logs" / layout.folder.name
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
    world = World(
        chain=chain,
        chain_id=str(chain.told["chain_id"]),
        definition_id=tiers[0]["id"],
        members=members,
    )
    await load(platform, world, accounts=accounts)
    return world


async def load(platform: Platform, world: World, *, accounts: int) -> None:
    """Open accounts by the set until there are so many, each with its member."""
    begun = time.monotonic()
    chain_id, numbers = UUID(world.chain_id), (world.accounts + 1, accounts)
    for database, statement, names in (
        ("points", _LOAD, (chain_id, UUID(world.chain.program_id))),
        ("enrollment", _LOAD_MEMBERS, (chain_id,)),
    ):
        conn = await asyncpg.connect(platform.admin_url(database), command_timeout=600)
        try:
            await conn.execute(statement, *names, *numbers)
            await conn.execute("VACUUM ANALYZE")
        finally:
            await conn.close()
    world.accounts = accounts
    print(f"{accounts:,} accounts after {time.monotonic() - begun:.1f} s", flush=True)


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
