"""Accounts and history as they are read: pages, filters, and nothing of anybody else's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.points.v1 import points_pb2 as pb

from services.points.domain.ids import ChainId, MemberId
from services.points.usecases import contact_bonus
from tests.points.house import House, new_id, refusal_of, stamp


def till(points: int) -> pb.TillOrigin:
    return pb.TillOrigin(points=points)


async def search(house: House, **changes: Any) -> pb.SearchAccountsResponse:
    values: dict[str, Any] = {"chain_id": house.chain_id}
    return await house.stub.SearchAccounts(pb.SearchAccountsRequest(**values | changes))


async def listed(house: House, **changes: Any) -> pb.ListEntriesResponse:
    values: dict[str, Any] = {"chain_id": house.chain_id}
    return await house.stub.ListEntries(pb.ListEntriesRequest(**values | changes))


async def test_opening_an_account_again_returns_it(house: House) -> None:
    """Twenty at once: one account, one event."""
    member = new_id()
    opened = await asyncio.gather(*(house.account(member) for _ in range(20)))
    assert len({account.id for account in opened}) == 1
    assert opened[0].opened_at == stamp(house.clock.at)
    count = await house.deps.pool.fetchval(
        "SELECT count(*) FROM outbox WHERE type = 'account.opened' AND key = $1", opened[0].id
    )
    assert count == 1


async def test_an_account_needs_a_member_and_a_program(house: House) -> None:
    request = pb.OpenAccountRequest(chain_id=house.chain_id, member_id="alice")
    assert (await refusal_of(house.stub.OpenAccount(request))).code == "id_invalid"
    request = pb.OpenAccountRequest(chain_id=house.charlies_chain, member_id=house.charlie)
    assert (await refusal_of(house.stub.OpenAccount(request))).code == "program_unknown"
    await house.update_program(active=False)
    request = pb.OpenAccountRequest(
        chain_id=house.chain_id, member_id=new_id(), program_id=house.program.id
    )
    assert (await refusal_of(house.stub.OpenAccount(request))).code == "program_inactive"
    assert (await house.account(house.alice, house.program.id)).id == house.alices_account


async def test_an_account_shows_what_it_holds_and_ever_earned(house: House) -> None:
    await house.earn(till=till(12))
    await house.adjust(3)
    await house.debit(10)
    account = await house.account(house.alice)
    assert (account.balance, account.lifetime_points, account.sequence) == (5, 12, 3)


async def test_charlie_never_sees_alices_account(house: House) -> None:
    """Every list and look-up with the other chain: unknown or empty, never a hint."""
    await house.earn()
    request = pb.GetAccountRequest(chain_id=house.charlies_chain, account_id=house.alices_account)
    refusal = await refusal_of(house.stub.GetAccount(request))
    assert (refusal.code, refusal.status) == ("account_unknown", grpc.StatusCode.NOT_FOUND)
    foreign = {"chain_id": house.charlies_chain}
    assert not (await search(house, **foreign, member_ids=[house.alice])).accounts
    assert not (await search(house, **foreign)).accounts
    assert not (await listed(house, **foreign)).entries
    assert not (await listed(house, **foreign, account_ids=[house.alices_account])).entries
    assert not (await listed(house, **foreign, member_ids=[house.alice])).entries


async def test_accounts_are_paged_by_opening_time(house: House) -> None:
    """120 accounts, some of one moment, in pages of 50: each once, in order."""
    members = [new_id() for _ in range(119)]
    for start in range(0, len(members), 7):
        house.later(1)
        await asyncio.gather(*(house.account(member) for member in members[start : start + 7]))
    seen: list[pb.Account] = []
    cursor, pages = "", 0
    while True:
        page = await search(house, limit=50, cursor=cursor)
        seen += page.accounts
        pages += 1
        cursor = page.cursor
        if not cursor:
            break
    assert (pages, len(seen), len({account.id for account in seen})) == (3, 120, 120)
    times = [(account.opened_at.seconds, account.opened_at.nanos) for account in seen]
    assert times == sorted(times)
    assert {account.member_id for account in seen} == {house.alice, *members}
    assert len((await search(house)).accounts) == 30


async def test_accounts_are_searched_by_member_and_program(house: House) -> None:
    other = await house.create_program(name="Deuxième")
    await house.account(house.alice, other.id)
    bea = await house.account(new_id())
    found = await search(house, member_ids=[house.alice, bea.member_id, new_id(), "nobody"])
    assert len(found.accounts) == 3
    found = await search(house, member_ids=[house.alice], program_id="main")
    assert [account.id for account in found.accounts] == [house.alices_account]
    found = await search(house, program_id=other.id)
    assert [account.member_id for account in found.accounts] == [house.alice]
    assert not (await search(house, member_ids=["nobody"])).accounts


async def test_a_wrong_cursor_is_refused(house: House) -> None:
    """Altered, made up, or of another search or chain."""
    for _ in range(2):
        await house.account(new_id())
    cursor = (await search(house, limit=1)).cursor
    assert (await search(house, limit=1, cursor=cursor)).accounts
    for changes in (
        {"cursor": cursor[:-1] + ("A" if cursor[-1] != "A" else "Q")},
        {"cursor": "x"},
        {"cursor": "é" * 100},
        {"cursor": cursor, "member_ids": [house.alice]},
        {"cursor": cursor, "chain_id": house.charlies_chain},
    ):
        refusal = await refusal_of(search(house, **changes))
        assert (refusal.code, refusal.field) == ("cursor_invalid", "cursor")


@pytest.mark.parametrize("limit", [-1, 201, 2**31 - 1])
async def test_a_page_has_1_to_200(house: House, limit: int) -> None:
    for call in (search(house, limit=limit), listed(house, limit=limit)):
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.field) == ("number_out_of_range", "limit")


async def test_the_history_is_newest_first_and_paged_without_gaps(house: House) -> None:
    """Entries of one moment too: (occurred_at, id) is a place of its own."""
    for _ in range(4):
        await house.earn_all([house.item() for _ in range(10)])
        house.later(60)
    seen: list[pb.Entry] = []
    page = await listed(house, limit=7)
    while True:
        seen += page.entries
        if not page.more:
            break
        last = seen[-1]
        page = await listed(house, limit=7, before_time=last.occurred_at, before_id=last.id)
    assert [entry.sequence for entry in seen] == list(range(40, 0, -1))


async def test_a_late_upload_stands_where_it_happened(house: House) -> None:
    await house.earn(till=till(1))
    await house.earn(till=till(2), occurred_at=stamp(house.clock.at - timedelta(hours=3)))
    assert [(entry.points, entry.sequence) for entry in await house.entries()] == [(1, 1), (2, 2)]


async def test_the_history_is_filtered(house: House) -> None:
    """All filters must hold; inside one, any value."""
    salon = new_id()
    await house.add_salon(house.chain_id, salon)
    bea = await house.account(new_id())
    start = house.clock.at
    await house.earn(till=till(10))
    house.later(60)
    await house.earn(till=till(20), salon_id=salon)
    house.later(60)
    await house.adjust(30, account_id=bea.id)
    reward = new_id()
    house.later(60)
    await house.debit(5, reward_id=reward)
    house.later(60)
    await house.give_back(reward)

    async def points(**changes: Any) -> list[int]:
        page = await listed(house, **changes)
        return [entry.points for entry in page.entries]

    earn, adjustment = pb.ENTRY_KIND_EARN, pb.ENTRY_KIND_ADJUSTMENT
    assert await points() == [5, -5, 30, 20, 10]
    assert await points(kinds=[earn]) == [20, 10]
    assert await points(kinds=[earn, adjustment]) == [30, 20, 10]
    assert await points(salon_ids=[salon]) == [20]
    assert await points(salon_ids=[salon, house.salon_id]) == [20, 10]
    assert await points(salon_ids=["nowhere"]) == []
    assert await points(account_ids=[house.alices_account]) == [5, -5, 20, 10]
    assert await points(account_ids=[house.alices_account, bea.id]) == [5, -5, 30, 20, 10]
    assert await points(member_ids=[bea.member_id]) == [30]
    assert await points(member_ids=[bea.member_id], account_ids=[house.alices_account]) == []
    assert await points(account_ids=["nothing"]) == []
    assert await points(account_ids=[house.alices_account], kinds=[earn], limit=1) == [20]
    minute = timedelta(minutes=1)
    window: dict[str, Any] = {"from": stamp(start + minute), "to": stamp(start + 3 * minute)}
    assert await points(**window) == [30, 20]
    assert await points(**window, account_ids=[house.alices_account]) == [20]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kinds": [0]}, "kinds"),
        ({"kinds": [99]}, "kinds"),
        ({"account_ids": [new_id() for _ in range(201)]}, "account_ids"),
        ({"member_ids": [new_id() for _ in range(201)]}, "member_ids"),
        ({"salon_ids": [new_id() for _ in range(201)]}, "salon_ids"),
    ],
)
async def test_filters_have_limits(house: House, changes: dict[str, Any], field: str) -> None:
    refusal = await refusal_of(listed(house, **changes))
    assert (refusal.code, refusal.field) == ("number_out_of_range", field)


async def test_a_place_in_the_history_needs_its_entry(house: House) -> None:
    refusal = await refusal_of(listed(house, before_time=stamp(house.clock.at)))
    assert (refusal.code, refusal.field) == ("id_invalid", "before_id")


async def test_the_ends_of_the_calendar_are_moments_like_others(house: House) -> None:
    await house.earn()
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    page = await listed(house, **{"from": stamp(first), "to": stamp(last)})
    assert len(page.entries) == 1
    assert not (await listed(house, **{"from": stamp(last)})).entries
    assert not (await listed(house, to=stamp(first))).entries
    assert (await listed(house, before_time=stamp(last), before_id=new_id())).entries
    refusal = await refusal_of(listed(house, to=Timestamp(seconds=2**60)))
    assert (refusal.code, refusal.field) == ("number_out_of_range", "to")


async def test_entries_of_one_sale_are_listed_by_it(house: House) -> None:
    """The sale's earn, none of another sale's; an account or a chain besides must hold too."""
    line = pb.SaleLine(uid="coupe", quantity="1", unit_price_minor=5000)

    async def counted() -> str:
        made = await house.stub.CreateSale(
            pb.CreateSaleRequest(
                idempotency_key=new_id(),
                chain_id=house.chain_id,
                salon_id=house.salon_id,
                currency="CAD",
                lines=[line],
                actor=house.herself,
            )
        )
        await house.stub.CountSale(
            pb.CountSaleRequest(
                idempotency_key=new_id(),
                chain_id=house.chain_id,
                account_id=house.alices_account,
                sale_id=made.sale.id,
                salon_id=house.salon_id,
                actor=house.herself,
            )
        )
        return made.sale.id

    first, second = await counted(), await counted()
    found = (await listed(house, sale_id=first)).entries
    assert [entry.sale_id for entry in found] == [first]
    mine = {"sale_id": second, "account_ids": [house.alices_account]}
    assert [entry.sale_id for entry in (await listed(house, **mine)).entries] == [second]
    assert not (await listed(house, sale_id=new_id())).entries
    assert not (await listed(house, sale_id=first, account_ids=[new_id()])).entries
    assert not (await listed(house, sale_id=first, chain_id=house.charlies_chain)).entries


# -- by recording ------------------------------------------------------------------------------


async def test_entries_by_recording_stand_in_the_order_in_which_they_came(house: House) -> None:
    """A late upload is the newest, whatever day it is of; both orders have the same entries."""
    house.clock.advance(timedelta(hours=60))
    today = (await house.earn()).entry
    late = (await house.earn(occurred_at=stamp(house.clock.at - timedelta(hours=48)))).entry
    assert late.recorded_at.ToDatetime() > today.recorded_at.ToDatetime()
    for whose in ({}, {"account_ids": [house.alices_account]}):
        by_recording = (await listed(house, **whose, by_recording=True)).entries
        by_occurrence = (await listed(house, **whose)).entries
        assert [entry.id for entry in by_recording] == [late.id, today.id]
        assert [entry.id for entry in by_occurrence] == [today.id, late.id]


async def test_windows_of_recording_meet_without_a_gap(house: House) -> None:
    """Each entry is in one window; who goes on from where the last one ended misses none."""
    first, second, third = [(await house.earn()).entry for _ in range(3)]
    early = await listed(house, by_recording=True, to=second.recorded_at)
    # `from` is a word of Python.
    later = await listed(house, by_recording=True, **{"from": second.recorded_at})
    assert [entry.id for entry in early.entries] == [first.id]
    assert [entry.id for entry in later.entries] == [third.id, second.id]
    page = await listed(house, by_recording=True, limit=2)
    last = page.entries[-1]
    rest = await listed(house, by_recording=True, before_time=last.recorded_at, before_id=last.id)
    assert page.more
    assert [entry.id for entry in (*page.entries, *rest.entries)] == [
        third.id,
        second.id,
        first.id,
    ]


async def test_a_list_by_recording_waits_for_an_entry_that_is_being_written(house: House) -> None:
    """One that is recorded and not committed is in no earlier list than a later one is."""
    async with house.deps.pool.acquire() as conn:
        block = conn.transaction()
        await block.start()
        await contact_bonus.give(
            house.deps,
            conn,
            chain_id=ChainId(UUID(house.chain_id)),
            member_id=MemberId(UUID(house.alice)),
            points=5,
        )
        after = (await house.earn(member_id=new_id())).entry
        asked = asyncio.create_task(listed(house, by_recording=True))
        await asyncio.wait({asked}, timeout=0.3)
        assert not asked.done()
        await block.commit()
    found = await asked
    assert [entry.points for entry in found.entries] == [after.points, 5]
    assert all(
        entry.recorded_at.ToDatetime() < found.horizon.ToDatetime() for entry in found.entries
    )
