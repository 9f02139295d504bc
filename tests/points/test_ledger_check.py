"""The proof of the books: clean after everything, and each planted fault is found and named."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from loyalty.points.v1 import points_pb2 as pb
from loyalty.points.v1.points_pb2_grpc import PointsServiceStub
from redis.asyncio import Redis

from deploy.local.databases import DatabaseUrls
from services.chassis.clock import BusinessClock, FixedClock
from services.chassis.grpc_client import channel as open_channel
from services.chassis.grpc_server import GrpcServer
from services.chassis.metrics import REGISTRY
from services.chassis.postgres import create_pool
from services.points import ledger_check, rpc
from services.points.storage.checks import LAWS
from services.points.usecases import deps as tools
from services.points.usecases.earn_queue import EarnQueue
from tests.engines import Postgres
from tests.points.house import SECRET, House, new_id
from tests.points.till import SPEND_1, Till, line


class Books(House):
    """A house with a database of its own, whose owner may forge what the service may not."""

    urls: DatabaseUrls
    owner: asyncpg.Connection[asyncpg.Record]
    reward: str = ""
    dora: str = ""
    sale_id: str = ""

    async def fill(self) -> None:
        """A little of everything: earns, a debt, a reward taken and given back, another chain."""
        await self.earn_all([self.item(till=pb.TillOrigin(points=n)) for n in (5, 7, 9)])
        await self.adjust(-2)
        self.reward = new_id()
        await self.debit(6, reward_id=self.reward)
        await self.give_back(self.reward)
        await self.debit(8)
        await self.adjust(-20, allow_negative_balance=True)
        await self.earn(till=pb.TillOrigin(points=40))
        await self.end_and_rise()
        await self.sell_and_refund()
        other = await self.create_program(chain_id=self.charlies_chain)
        await self.earn(
            chain_id=self.charlies_chain,
            member_id=self.charlie,
            program_id=other.id,
            salon_id=None,
        )

    async def end_and_rise(self) -> None:
        """Another member of chain A had points that ended, and has some that will; she is up."""
        rules = pb.ProgramRules(
            expiry_policy="P1M",
            tiers=pb.Tiers(
                tiers=[
                    pb.Tier(name="Base", threshold=0),
                    pb.Tier(name="Argent", threshold=30, multiplier="1.5"),
                ]
            ),
        )
        self.later(-70 * 24 * 3600)
        await self.update_program(rules=rules)
        self.dora = new_id()
        await self.earn(member_id=self.dora, till=pb.TillOrigin(points=10))
        self.later(70 * 24 * 3600)
        await self.earn(member_id=self.dora, till=pb.TillOrigin(points=20))

    async def sell_and_refund(self) -> None:
        """A sale of Alice's with a promotion, a part of it refunded, another part exchanged."""
        counter = Till(house=self)
        await counter.rules(SPEND_1)
        yesterday = f"{self.clock.at - timedelta(days=1):%Y%m%d}T000000"
        period = f"BEGIN:VEVENT\nDTSTART:{yesterday}\nDURATION:P9D\nEND:VEVENT"
        await counter.promotion(addition=5, periods=[period])
        self.sale_id = (await counter.sell(line("a", 1000), line("b", 2000))).sale.id
        await counter.refund(self.sale_id, items=["a"], change_id="back")
        await counter.exchange(self.sale_id, ["b"], line("c", 3000), change_id="swap")

    async def account_of_dora(self) -> str:
        return (await self.account(self.dora)).id

    async def forge(self, statement: str, *values: Any) -> None:
        status = await self.owner.execute(statement, *values)
        assert not status.endswith(" 0"), "the forgery touched no row"

    async def broken(self) -> dict[str, list[str]]:
        """Broken laws with the rows that are named for each."""
        _, findings = await ledger_check.check(self.urls.service_url)
        return {
            finding.law.words: [breach.row for breach in finding.named]
            for finding in findings
            if finding.count
        }

    async def posting(self, kind: str) -> str:
        found: str = await self.owner.fetchval(
            "SELECT id::text FROM posting WHERE chain_id = $1 AND kind = $2 ORDER BY id LIMIT 1",
            self.chain_id,
            kind,
        )
        return found


@pytest.fixture
async def books(postgres: Postgres, redis: Redis) -> AsyncIterator[Books]:
    urls = await postgres.create_database("points")
    pool = await create_pool(urls.service_url, size_max=4, name="points-books")
    clock = FixedClock(datetime.now(UTC))
    deps = tools.assemble(pool=pool, clock=BusinessClock(clock), redis=redis, secret=SECRET)
    queue = EarnQueue(deps)
    server = GrpcServer("127.0.0.1:0")
    server.register(rpc.register(deps, queue), rpc.STATUS)
    await server.start()
    channel = open_channel(f"127.0.0.1:{server.port}")
    books = Books(deps=deps, queue=queue, stub=PointsServiceStub(channel), clock=clock)
    books.urls = urls
    books.owner = await asyncpg.connect(urls.owner_url)
    await books.open()
    await books.fill()
    yield books
    await channel.close(None)
    await server.stop(0)
    await books.owner.close()
    await pool.close()


SHAPE, ZERO, BALANCE, CHAINED, LOT, HOLDINGS, EFFECT, REWARD, OUTBOX, *REST = (
    law.words for law in LAWS
)
EXPIRY, DUE, BROUGHT, HELD, CHANGED, STANDING = REST


async def test_honest_books_balance(books: Books) -> None:
    size, findings = await ledger_check.check(books.urls.service_url)
    assert ledger_check.faults(findings) == 0
    assert (size.chains, size.accounts, size.postings) == (2, 3, 17)
    table = ledger_check.table(size, findings)
    assert table.startswith("2 chains, 3 accounts, 17 postings, ")
    assert table.endswith("The books balance.")
    assert all(law.words in table for law in LAWS)


async def test_a_changed_balance_is_found(books: Books) -> None:
    await books.forge(
        "UPDATE account SET balance = balance + 1 WHERE id = $1", books.alices_account
    )
    broken = await books.broken()
    account = f"account {books.alices_account}"
    assert broken == {
        ZERO: [f"chain {books.chain_id}"],
        BALANCE: [account],
        HOLDINGS: [account],
    }


async def test_a_changed_lifetime_is_found(books: Books) -> None:
    await books.forge("UPDATE account SET lifetime_points = 1 WHERE id = $1", books.alices_account)
    assert await books.broken() == {BALANCE: [f"account {books.alices_account}"]}


async def test_a_changed_posting_is_found(books: Books) -> None:
    posting = await books.posting("adjustment")
    await books.forge("UPDATE posting SET points = points + 1 WHERE id = $1", posting)
    broken = await books.broken()
    assert {ZERO, BALANCE, CHAINED, EFFECT} == broken.keys()
    assert f"posting {posting}" in broken[CHAINED]
    assert broken[EFFECT] == [f"posting {posting}"]


async def test_a_deleted_posting_is_found(books: Books) -> None:
    posting = await books.posting("reward_return")
    await books.forge("DELETE FROM posting WHERE id = $1", posting)
    broken = await books.broken()
    assert {BALANCE, CHAINED, LOT, OUTBOX} <= broken.keys()
    assert broken[OUTBOX] == [f"event {posting}"]


async def test_a_changed_balance_after_is_found(books: Books) -> None:
    posting = await books.posting("earn")
    await books.forge("UPDATE posting SET balance_after = 99 WHERE id = $1", posting)
    broken = await books.broken()
    assert broken[CHAINED] == [f"posting {posting}"]


async def test_a_gap_in_the_sequence_is_found(books: Books) -> None:
    posting = await books.posting("adjustment")
    await books.forge("UPDATE posting SET sequence = 77 WHERE id = $1", posting)
    assert f"posting {posting}" in (await books.broken())[CHAINED]


async def test_a_posting_between_the_wrong_accounts_is_found(books: Books) -> None:
    posting = await books.posting("earn")
    await books.forge("UPDATE posting SET source = $2 WHERE id = $1", posting, uuid4())
    assert await books.broken() == {SHAPE: [f"posting {posting}"]}


async def test_a_posting_turned_round_is_found(books: Books) -> None:
    posting = await books.posting("earn")
    await books.forge(
        "UPDATE posting SET source = destination, destination = source WHERE id = $1", posting
    )
    assert (await books.broken())[SHAPE] == [f"posting {posting}"]


async def test_a_changed_lot_is_found(books: Books) -> None:
    lot = await books.owner.fetchval(
        "SELECT id::text FROM lot WHERE chain_id = $1 AND remaining < points LIMIT 1",
        books.chain_id,
    )
    await books.forge("UPDATE lot SET remaining = remaining + 1 WHERE id = $1", lot)
    assert await books.broken() == {
        LOT: [f"lot {lot}"],
        HOLDINGS: [f"account {books.alices_account}"],
    }


async def test_a_use_of_a_lot_that_is_not_there_is_found(books: Books) -> None:
    lot, posting = uuid4(), await books.posting("reward")
    await books.forge(
        "INSERT INTO lot_use (chain_id, posting_id, lot_id, points) VALUES ($1, $2, $3, 1)",
        books.chain_id,
        posting,
        lot,
    )
    broken = await books.broken()
    assert broken == {LOT: [f"use of lot {lot}"], EFFECT: [f"posting {posting}"]}


async def test_a_reward_paid_for_twice_is_found(books: Books) -> None:
    """The unique business key stands in the way; a forger drops it."""
    await books.forge(
        "UPDATE posting SET reward_id = $2 WHERE chain_id = $1 AND kind = 'reward'",
        books.chain_id,
        books.reward,
    )
    assert (await books.broken())[REWARD] == [f"reward {books.reward}"]


async def test_a_return_that_undoes_nothing_is_found(books: Books) -> None:
    posting = await books.posting("reward_return")
    await books.forge("UPDATE posting SET reverses = $2 WHERE id = $1", posting, uuid4())
    assert await books.broken() == {REWARD: [f"posting {posting}"]}


async def test_an_expiry_of_another_day_is_found(books: Books) -> None:
    """X14: it is dated when its lot ends, however late it was posted."""
    posting = await books.posting("expiry")
    await books.forge(
        "UPDATE posting SET occurred_at = occurred_at + interval '1 day' WHERE id = $1", posting
    )
    assert await books.broken() == {EXPIRY: [f"posting {posting}"]}


async def test_a_lot_that_ends_twice_is_found(books: Books) -> None:
    """X14: the unique business key stands in the way; a forger gives another one."""
    posting = await books.posting("expiry")
    lot = await books.owner.fetchval(
        "SELECT lot_id::text FROM lot_use WHERE posting_id = $1", posting
    )
    other = await books.posting("reward")
    await books.forge("UPDATE posting SET kind = 'expiry' WHERE id = $1", other)
    await books.forge(
        """
        UPDATE lot_use SET lot_id = $2 WHERE posting_id = $1
          AND lot_id = (SELECT lot_id FROM lot_use WHERE posting_id = $1 LIMIT 1)
        """,
        other,
        lot,
    )
    assert f"lot {lot}" in (await books.broken())[EXPIRY]


async def test_an_account_that_looks_too_late_is_found(books: Books) -> None:
    """D8: points of it would end unseen."""
    account = await books.account_of_dora()
    await books.forge("UPDATE account SET expiry_due = NULL WHERE id = $1", account)
    assert await books.broken() == {DUE: [f"account {account}"]}
    await books.forge(
        "UPDATE account SET expiry_due = $2 WHERE id = $1",
        account,
        books.clock.at.replace(year=2090),
    )
    assert await books.broken() == {DUE: [f"account {account}"]}


async def test_a_tier_without_the_points_for_it_is_found(books: Books) -> None:
    """D14: 30 base points in the year to the day on which it rests."""
    account = await books.account_of_dora()
    standing = f"standing of account {account}"
    await books.forge("UPDATE tier_standing SET threshold = 31 WHERE account_id = $1", account)
    assert await books.broken() == {STANDING: [standing]}
    await books.forge("UPDATE tier_standing SET threshold = 30 WHERE account_id = $1", account)
    assert await books.broken() == {}
    await books.forge("UPDATE tier_standing SET kept_until = NULL WHERE account_id = $1", account)
    assert await books.broken() == {STANDING: [standing]}


async def test_a_sale_that_brought_something_else_is_found(books: Books) -> None:
    """N2: what was counted is what its entries say."""
    await books.forge(
        "UPDATE sale SET worth = jsonb_set(worth, '{base}', '31') WHERE id = $1", books.sale_id
    )
    assert await books.broken() == {BROUGHT: [f"sale {books.sale_id}"]}


async def test_a_sale_that_is_gone_is_found(books: Books) -> None:
    """Its entries would name nothing, and so would its changes."""
    await books.forge("DELETE FROM sale WHERE id = $1", books.sale_id)
    assert await books.broken() == {BROUGHT: [f"sale {books.sale_id}"]}


async def test_a_sale_that_earned_by_another_key_is_found(books: Books) -> None:
    """N2: the business key is what keeps it from earning twice."""
    await books.forge(
        "UPDATE posting SET business_key = 'x' WHERE sale_id = $1 AND kind = 'promotion'",
        books.sale_id,
    )
    assert await books.broken() == {BROUGHT: [f"sale {books.sale_id}"]}


async def test_a_sale_that_loses_more_than_it_brought_is_found(books: Books) -> None:
    """SQ-34: even where its changes say the same."""
    posting = await books.posting("refund")
    await books.forge("UPDATE posting SET points = 1000 WHERE id = $1", posting)
    await books.forge(
        "UPDATE sale_change SET points = -1000 WHERE sale_id = $1 AND change_id = 'back'",
        books.sale_id,
    )
    broken = await books.broken()
    assert broken[HELD] == [f"sale {books.sale_id}"]
    assert CHANGED not in broken


@pytest.mark.parametrize("change", ["back", "swap"])
async def test_a_change_that_moved_something_else_is_found(books: Books, change: str) -> None:
    """R35: a refund, and an exchange that gained."""
    await books.forge(
        "UPDATE sale_change SET points = points - 1 WHERE sale_id = $1 AND change_id = $2",
        books.sale_id,
        change,
    )
    assert await books.broken() == {CHANGED: [f"change {change} of sale {books.sale_id}"]}


async def test_a_change_without_its_entry_is_found(books: Books) -> None:
    await books.forge(
        "UPDATE sale_change SET posting_id = NULL WHERE sale_id = $1 AND change_id = 'back'",
        books.sale_id,
    )
    assert await books.broken() == {CHANGED: [f"change back of sale {books.sale_id}"]}


async def test_a_posting_without_its_event_is_found(books: Books) -> None:
    posting = await books.posting("earn")
    await books.forge("DELETE FROM outbox WHERE event_id = $1", posting)
    assert await books.broken() == {OUTBOX: [f"posting {posting}"]}


async def test_an_event_without_its_posting_is_found(books: Books) -> None:
    stray = uuid4()
    await books.forge(
        """
        INSERT INTO outbox (event_id, chain_id, topic, key, type, subject, occurred_at)
        VALUES ($1, $2, 'loyalty.points.v1', 'x', 'points.earned', 'x', now())
        """,
        stray,
        books.chain_id,
    )
    assert await books.broken() == {OUTBOX: [f"event {stray}"]}


async def test_events_that_were_kept_long_enough_are_not_missed(books: Books) -> None:
    """Outbox rows go after seven days; a posting older than that needs none."""
    await books.forge("UPDATE posting SET recorded_at = recorded_at - interval '8 days'")
    await books.forge("DELETE FROM outbox")
    assert await books.broken() == {}


async def test_the_command_prints_and_ends_with_its_verdict(books: Books) -> None:
    """0 and a table when all is well; 1 with the rows; 2 without an address."""
    status, words = await run_command(books.urls.service_url)
    assert (status, "The books balance." in words) == (0, True)
    await books.forge("UPDATE account SET balance = 1000 WHERE id = $1", books.alices_account)
    status, words = await run_command(books.urls.service_url)
    assert status == 1
    assert f"account {books.alices_account}: balance 1000" in words
    assert "rows are at fault." in words
    assert (await run_command(""))[0] == 2


async def run_command(database_url: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.points.ledger_check",
        env=os.environ | {"DATABASE_URL": database_url, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_the_running_service_shows_the_imbalance(books: Books) -> None:
    await books.forge("UPDATE account SET balance = 1000 WHERE id = $1", books.alices_account)
    watching = asyncio.create_task(ledger_check.watch(books.urls.service_url, every_seconds=0))
    try:
        async with asyncio.timeout(20):
            while not REGISTRY.get_sample_value("loyalty_ledger_imbalance"):
                await asyncio.sleep(0.05)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert REGISTRY.get_sample_value("loyalty_ledger_imbalance") == 3


@pytest.mark.parametrize("table", ["posting", "lot_use", "multi_point_audit"])
async def test_the_service_may_only_add_to_the_books(books: Books, table: str) -> None:
    """Append-only from the first migration on: the role itself has no right to change a row."""
    await books.deps.pool.fetch(f"SELECT chain_id FROM {table} LIMIT 1")
    for statement in (
        f"UPDATE {table} SET points = points + 1",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await books.deps.pool.execute(statement)


@pytest.mark.parametrize("table", ["account", "lot", "program_account"])
async def test_the_service_may_delete_no_account_and_no_lot(books: Books, table: str) -> None:
    for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await books.deps.pool.execute(statement)
