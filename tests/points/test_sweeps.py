"""The sweep: in chunks, beside others, stopped anywhere, late or twice (X14, D8, SQ-66)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from deploy.local.databases import DatabaseUrls
from services.chassis.metrics import REGISTRY
from services.chassis.outbox import OutboxEvent
from services.chassis.postgres import Connection, create_pool, transaction
from services.points import events, jobs
from services.points.domain.ids import AccountId, ChainId
from services.points.storage import accounts as account_rows
from services.points.storage import ledger as ledger_rows
from services.points.storage import sweeping
from services.points.storage.due import DueAccount, DueKind
from services.points.storage.sweeping import AccountName
from services.points.usecases import sweeps
from tests.points.calendar import at, local, run_due, save_rules, till
from tests.points.house import House, new_id

FEBRUARY = local("2027-02-01T00:00")


async def members_with_points(house: House, count: int, points: int = 10) -> list[str]:
    """Members whose points of 1 October end on 31 January; it is 3 February."""
    await save_rules(house, expiry_policy="P3M")
    await at(house, "2026-10-01T12:00")
    members = [new_id() for _ in range(count)]
    await house.earn_all([house.item(member_id=each, till=till(points)) for each in members])
    await at(house, "2027-02-03T12:00")
    return members


async def expired(house: House) -> int:
    """Entries of chain A by which points ended."""
    count: int = await house.deps.pool.fetchval(
        "SELECT count(*) FROM posting WHERE chain_id = $1 AND kind = 'expiry' AND occurred_at = $2",
        house.chain_id,
        FEBRUARY,
    )
    return count


def chain_of(house: House) -> ChainId:
    return ChainId(UUID(house.chain_id))


async def test_a_sweep_goes_through_all_accounts_in_chunks(house: House) -> None:
    """Both by real time and by a chain's clock; nothing is left, and a second one finds nothing."""
    await members_with_points(house, 50)
    assert await sweeps.sweep_chain(house.deps, DueKind.EXPIRY, chain_of(house), chunk=7) == 50
    assert await sweeps.sweep_chain(house.deps, DueKind.EXPIRY, chain_of(house), chunk=7) == 0
    await members_with_points(house, 50)
    await sweeps.sweep(house.deps, DueKind.EXPIRY, chunk=7)
    assert await expired(house) == 100
    assert await sweeps.sweep(house.deps, DueKind.EXPIRY, chunk=7) == 0
    assert await house.breaches() == {}


async def test_a_sweep_writes_a_fixed_number_of_statements(
    house: House, points_urls: DatabaseUrls
) -> None:
    """Set-based: as many statements for 60 accounts as for 3."""
    pool = await create_pool(points_urls.service_url, size_max=1, name="points-sweep")
    statements: list[str] = []

    def heard(record: Any) -> None:
        statements.append(record.query)

    async with pool.acquire() as conn:
        conn.add_query_logger(heard)
    counts = []
    for count in (1, 3, 60):
        await members_with_points(house, count)
        statements.clear()
        await sweeps.sweep_chain(replace(house.deps, pool=pool), DueKind.EXPIRY, chain_of(house))
        counts.append(len(statements))
    await pool.close()
    assert await expired(house) == 64
    # The first of a connection asks about types, too.
    assert counts[1] == counts[2] > 0


async def test_a_sweep_tells_of_each_expiry_what_its_entry_says(house: House) -> None:
    """One event a lot as any posting has it, in order of each account, with or without a salon.

    The sweep has a way of its own to make its events; here it is held against the other one.
    """
    members = await members_with_points(house, 3)
    await at(house, "2026-11-02T12:00")
    await house.earn_all([house.item(member_id=each, till=till(7)) for each in members])
    await house.adjust(4)
    await at(house, "2027-04-02T12:00")
    assert await run_due(house) == 4

    rows = await house.deps.pool.fetch(
        """
        SELECT event_id AS id, chain_id, topic, key, type, subject, payload, occurred_at
        FROM outbox WHERE chain_id = $1 AND type = 'points.expired' ORDER BY id
        """,
        house.chain_id,
    )
    async with house.deps.pool.acquire() as conn:
        entries = await ledger_rows.entries_by_id(
            conn, [(row["chain_id"], row["id"]) for row in rows]
        )
    assert [OutboxEvent(**dict(row)) for row in rows] == [
        events.points_posted(entries[row["id"]]) for row in rows
    ]
    postings = [entries[row["id"]].posting for row in rows]
    assert sorted(posting.points for posting in postings) == [4, 7, 7, 7, 10, 10, 10]
    assert {posting.salon_id for posting in postings} == {None, UUID(house.salon_id)}
    # Points of a salon end at its midnight, those of none at that of the chain's zone.
    assert len({posting.occurred_at for posting in postings}) == 3
    of_each: dict[AccountId, list[int]] = {}
    for posting in postings:
        of_each.setdefault(posting.account_id, []).append(posting.sequence)
    assert sorted(of_each.values()) == [[2], [3, 4], [3, 4], [3, 4]]
    assert await house.breaches() == {}


async def test_lots_of_one_account_that_end_in_one_chunk_end_once_each(house: House) -> None:
    """Three lots each, in chunks that hold more lots than accounts."""
    members = await members_with_points(house, 5)
    await at(house, "2026-10-02T12:00")
    for _ in range(2):
        await house.earn_all([house.item(member_id=each, till=till(7)) for each in members])
    await at(house, "2027-02-03T12:00")
    await sweeps.sweep(house.deps, DueKind.EXPIRY, chunk=8)
    assert await expired(house) == 15
    assert [(await house.account(each)).balance for each in members] == [0] * 5
    assert await house.breaches() == {}


async def test_an_account_that_is_due_since_two_moments_is_done_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named twice, its lots would end twice, and their chunk be done anew by halves."""
    members = await members_with_points(house, 3)
    await at(house, "2026-11-02T12:00")
    await house.earn_all([house.item(member_id=each, till=till(7)) for each in members])
    tries: list[AccountName] = []
    end_lots = sweeping.end_lots

    async def counted(conn: Connection, names: Sequence[AccountName], **said: Any) -> Any:
        tries.extend(name for name in names if name[0] == chain_of(house))
        return await end_lots(conn, names, **said)

    monkeypatch.setattr(sweeping, "end_lots", counted)
    await at(house, "2027-03-03T12:00")
    await sweeps.sweep(house.deps, DueKind.EXPIRY)
    assert len(tries) == len(set(tries)) == 3
    assert await expired(house) == 3
    assert [(await house.account(each)).balance for each in members] == [0] * 3
    assert await house.breaches() == {}


async def test_a_sweep_looks_again_when_the_next_points_end(house: House) -> None:
    """Of two lots one has ended: the account says when the other will, and nothing before."""
    members = await members_with_points(house, 2)
    await at(house, "2026-12-02T12:00")
    await house.earn(member_id=members[0], till=till(7))
    await at(house, "2027-02-03T12:00")
    assert await run_due(house) == 2
    dues = await house.deps.pool.fetch(
        "SELECT expiry_due FROM account WHERE chain_id = $1 AND member_id = ANY($2::uuid[]) "
        "ORDER BY balance",
        house.chain_id,
        members,
    )
    assert [row["expiry_due"] for row in dues] == [None, local("2027-04-01T00:00")]


async def test_50_earns_meet_the_sweep(house: House) -> None:
    """The sweep and earns of the same accounts at once: one expiry each, nothing lost."""
    members = await members_with_points(house, 50)
    sweeping = asyncio.create_task(
        sweeps.sweep_chain(house.deps, DueKind.EXPIRY, chain_of(house), chunk=5)
    )
    answers = await asyncio.gather(
        *(house.earn(member_id=member, till=till(3)) for member in members)
    )
    assert 0 <= await sweeping <= 50
    assert [answer.balance for answer in answers] == [3] * 50
    assert await expired(house) == 50
    assert await house.breaches() == {}


async def test_two_sweeps_at_once_do_each_account_once(house: House) -> None:
    """Two processes of points."""
    await members_with_points(house, 60)
    done = await asyncio.gather(
        *(sweeps.sweep(house.deps, DueKind.EXPIRY, chunk=6) for _ in range(2)),
        *(
            sweeps.sweep_chain(house.deps, DueKind.EXPIRY, chain_of(house), chunk=6)
            for _ in range(2)
        ),
    )
    assert sum(done) >= 60
    assert await expired(house) == 60
    assert await house.breaches() == {}


async def test_the_sweep_of_live_chains_waits_for_nobody(house: House) -> None:
    """An account that somebody holds is left to the next sweep; the others are done."""
    members = await members_with_points(house, 5)
    held = AccountId(UUID((await house.account(members[2])).id))
    async with transaction(house.deps.pool) as conn:
        await account_rows.lock_account(conn, chain_of(house), held)
        async with asyncio.timeout(20):
            await sweeps.sweep(house.deps, DueKind.EXPIRY)
        assert await expired(house) == 4
    await sweeps.sweep(house.deps, DueKind.EXPIRY)
    assert await expired(house) == 5
    assert await house.breaches() == {}


async def test_what_is_changed_while_a_sweep_sets_out_is_left_to_the_next(
    house: House, points_urls: DatabaseUrls
) -> None:
    """Between a statement's first look and its locks somebody else may do the very same."""
    members = await members_with_points(house, 3)
    due = [
        DueAccount(
            chain_id=chain_of(house), account_id=AccountId(UUID((await house.account(m)).id))
        )
        for m in members
    ]
    chunk = sweeps._CHUNKS[DueKind.EXPIRY]
    # Whoever is no owner of the table waits at its first row until the door is open.
    owners = await create_pool(points_urls.owner_url, name="points-owner")
    await owners.execute(
        """
        CREATE FUNCTION opened() RETURNS boolean LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN true; END $$;
        CREATE POLICY door ON account USING (opened());
        ALTER TABLE account ENABLE ROW LEVEL SECURITY
        """
    )
    try:
        async with owners.acquire() as doorkeeper, doorkeeper.transaction():
            await doorkeeper.execute("SELECT pg_advisory_xact_lock(4711)")
            late = asyncio.create_task(chunk(house.deps, due, waits=False))
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            async with asyncio.timeout(30):
                while not await owners.fetchval(waiting):
                    await asyncio.sleep(0.01)
            first = replace(house.deps, pool=owners)
            assert await chunk(first, due[:2], waits=False) == 2
        # The third one, which nobody touched, is done.
        assert await late == 1
    finally:
        await owners.execute(
            """
            ALTER TABLE account DISABLE ROW LEVEL SECURITY;
            DROP POLICY door ON account;
            DROP FUNCTION opened
            """
        )
        await owners.close()
    assert await expired(house) == 3
    assert await house.breaches() == {}


async def test_a_sweep_that_is_killed_between_chunks_goes_on_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done is done, what was not is left whole, and the next one does the rest."""
    await members_with_points(house, 12)
    honest, reached = sweeps._CHUNKS[DueKind.EXPIRY], asyncio.Event()
    chunks = 0

    async def dying(deps: Any, due: Sequence[DueAccount], *, waits: bool) -> int:
        nonlocal chunks
        chunks += 1
        if chunks > 2:
            reached.set()
            await asyncio.Event().wait()
        return await honest(deps, due, waits=waits)

    monkeypatch.setitem(sweeps._CHUNKS, DueKind.EXPIRY, dying)
    sweeping = asyncio.create_task(
        sweeps.sweep_chain(house.deps, DueKind.EXPIRY, chain_of(house), chunk=3)
    )
    async with asyncio.timeout(60):
        await reached.wait()
        while await expired(house) < 6:
            await asyncio.sleep(0.02)
    sweeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sweeping
    assert await expired(house) == 6
    assert await house.breaches() == {}

    monkeypatch.undo()
    assert await run_due(house) == 6
    assert await expired(house) == 12
    assert await house.breaches() == {}


async def test_a_sweep_that_is_killed_within_a_chunk_leaves_nothing_of_it(house: House) -> None:
    """Cancelled while it waits for an account: its transaction is rolled back."""
    members = await members_with_points(house, 6)
    held = AccountId(UUID((await house.account(members[0])).id))
    async with transaction(house.deps.pool) as conn:
        await account_rows.lock_account(conn, chain_of(house), held)
        sweeping = asyncio.create_task(
            sweeps.sweep_chain(house.deps, DueKind.EXPIRY, chain_of(house))
        )
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        async with asyncio.timeout(30):
            while not await house.deps.pool.fetchval(waiting):
                await asyncio.sleep(0.01)
        sweeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweeping
    assert await expired(house) == 0
    assert await run_due(house) == 6
    assert await house.breaches() == {}


async def test_walks_through_time_know_what_falls_due(house: House) -> None:
    """D8, D9, T6: a chain's next moment, of every kind, and the work of it."""
    source = jobs.due_source(house.deps)
    chain_id = UUID(house.chain_id)
    assert await source.next_due(chain_id) is None
    await members_with_points(house, 2)
    house.clock.set(local("2026-10-02T12:00"))
    warning = await source.next_due(chain_id)
    assert warning == local("2027-01-15T00:00", ZoneInfo("UTC"))
    assert await source.run_due(chain_id) == 0
    house.clock.set(warning)
    assert await source.run_due(chain_id) == 2
    house.clock.set(local("2027-01-18T00:00"))
    assert await source.next_due(chain_id) == FEBRUARY
    house.clock.set(FEBRUARY)
    assert await source.run_due(chain_id) == 2
    assert await source.next_due(chain_id) is None


async def test_a_sandbox_is_swept_by_its_own_clock(house: House) -> None:
    """D40: the clock was moved on and nobody called: the background does it all the same."""
    await members_with_points(house, 3)
    house.clock.set(local("2026-10-02T12:00"))
    await sweeps.sweep_everything(house.deps, DueKind.EXPIRY)
    assert await expired(house) == 0
    ahead = timedelta(days=150)
    async with transaction(house.deps.pool) as conn:
        await house.deps.clock.set_offset(conn, house.chain_id, ahead)
    house.deps.clock.put_offset(house.chain_id, ahead)
    await sweeps.sweep_everything(house.deps, DueKind.EXPIRY)
    assert await expired(house) == 3
    assert await house.breaches() == {}


async def test_the_background_sweeps_again_and_again(house: House) -> None:
    """And shows as metrics how long it took, and what has waited how long."""
    await members_with_points(house, 3)
    sweeping = asyncio.create_task(sweeps.keep(house.deps, every_seconds=0.01))
    try:
        async with asyncio.timeout(60):
            for count in (3, 6):
                while await expired(house) < count:
                    await asyncio.sleep(0.02)
                await members_with_points(house, 3)
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
    seconds = REGISTRY.get_sample_value("loyalty_sweep_seconds", {"kind": "expiry"})
    assert seconds is not None
    assert seconds > 0
    late = REGISTRY.get_sample_value("loyalty_sweep_oldest_due_seconds", {"kind": "expiry"})
    assert late is not None


async def test_a_sweep_that_hangs_can_be_seen(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When one of its kind last ended, or the first began, stays where it was."""
    await members_with_points(house, 1)
    honest, hanging = sweeps._CHUNKS[DueKind.EXPIRY], asyncio.Event()

    async def hang(*_: Any, **__: Any) -> int:
        hanging.set()
        await asyncio.Event().wait()
        return 0

    monkeypatch.setitem(sweeps._CHUNKS, DueKind.EXPIRY, hang)
    before = time.time()
    sweeping = asyncio.create_task(sweeps.keep(house.deps, every_seconds=0.01))
    try:
        async with asyncio.timeout(60):
            await hanging.wait()
        began = {kind: ended_at(kind) for kind in DueKind}
        assert min(began.values()) >= before
        await sweeps.sweep_everything(house.deps, DueKind.TIERS)
        assert ended_at(DueKind.TIERS) > began[DueKind.TIERS]
        assert ended_at(DueKind.EXPIRY) == began[DueKind.EXPIRY]
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)

    monkeypatch.setitem(sweeps._CHUNKS, DueKind.EXPIRY, honest)
    await sweeps.sweep_everything(house.deps, DueKind.EXPIRY)
    assert ended_at(DueKind.EXPIRY) > began[DueKind.EXPIRY]


def ended_at(kind: DueKind) -> float:
    """When a sweep last ended, as the metrics tell it."""
    moment = REGISTRY.get_sample_value(
        "loyalty_sweep_ended_timestamp_seconds", {"kind": kind.value}
    )
    assert moment is not None
    return moment


async def test_a_sweep_rests_while_earns_are_in_hand(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P11: a chunk for the sweep, then some times as long for the people who wait."""
    await members_with_points(house, 40)
    await at(house, "2027-02-03T12:00")
    rests: list[float] = []
    earns_in_hand = iter([True, False])

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr("services.points.usecases.sweeps.asyncio.sleep", rest)
    counted = await sweeps.sweep(
        house.deps, DueKind.EXPIRY, chunk=10, busy=lambda: next(earns_in_hand, False)
    )
    assert counted >= 40
    assert len(rests) == 1
    assert rests[0] > 0
