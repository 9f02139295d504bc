"""Searches, the feed, and what the door refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.rewards.v1 import rewards_pb2 as pb

from services.chassis.errors import RemoteRefusal
from tests.rewards.house import START, House, new_id

TAKEN, USED = pb.REWARD_EVENT_KIND_TAKEN, pb.REWARD_EVENT_KIND_USED


def stamp(at: datetime) -> Timestamp:
    """A moment on the wire."""
    message = Timestamp()
    message.FromDatetime(at)
    return message


async def search(house: House, **filters: object) -> pb.SearchRewardsResponse:
    values: dict[str, object] = {"chain_id": house.chain_id, **filters}
    return await house.stub.SearchRewards(pb.SearchRewardsRequest(**values))  # type: ignore[arg-type]


async def three_coupons(house: House) -> list[pb.Reward]:
    """Alice's coupons, a minute apart."""
    made = []
    for _ in range(3):
        made.append(await house.coupon())
        house.pass_time(minutes=1)
    return made


async def test_the_history_lists_every_reward_with_its_state_and_dates(house: House) -> None:
    """LS-76: 3 taken, 2 used: 1 gagnée and 2 échangées, each with its dates."""
    made = await three_coupons(house)
    for coupon in made[:2]:
        await house.use(coupon.id)
        house.pass_time(minutes=10)
    assert len(await house.wallet()) == 1
    found = (await search(house, member_id=house.alice)).rewards
    assert sorted(reward.status for reward in found) == [
        pb.REWARD_STATUS_ISSUED,
        pb.REWARD_STATUS_REDEEMED,
        pb.REWARD_STATUS_REDEEMED,
    ]
    assert all(reward.HasField("created_at") for reward in found)
    assert sum(reward.HasField("redeemed_at") for reward in found) == 2
    only_used = (await search(house, statuses=[pb.REWARD_STATUS_REDEEMED])).rewards
    assert {reward.id for reward in only_used} == {coupon.id for coupon in made[:2]}


async def test_a_search_goes_page_by_page_from_the_last_change(house: House) -> None:
    made = await three_coupons(house)
    await house.use(made[0].id)
    expected = [made[0].id, made[2].id, made[1].id]
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = await search(house, member_id=house.alice, limit=1, cursor=cursor)
        seen += [reward.id for reward in page.rewards]
        cursor = page.cursor
    assert (seen, cursor) == (expected, "")


async def test_rewards_changed_at_one_moment_are_each_seen_once(house: House) -> None:
    offers = [await house.offer() for _ in range(7)]
    made = await asyncio.gather(*(house.take_offer(offer_id) for offer_id in offers))
    seen: list[str] = []
    cursor = ""
    while True:
        page = await search(house, limit=2, cursor=cursor)
        seen += [reward.id for reward in page.rewards]
        cursor = page.cursor
        if not cursor:
            break
    assert sorted(seen) == sorted(coupon.id for coupon in made)


@pytest.mark.parametrize(
    "cursor", ["x", "AAAA", "é", "!!!!", "A" * 44, "A" * 10_000, "=" * 8, "AQ" * 22]
)
async def test_a_cursor_that_was_not_given_out_is_refused(house: House, cursor: str) -> None:
    with pytest.raises(RemoteRefusal) as refused:
        await search(house, cursor=cursor)
    assert (refused.value.code, refused.value.field) == ("invalid_cursor", "cursor")


async def test_a_cursor_of_another_search_is_refused(house: House) -> None:
    await three_coupons(house)
    cursor = (await search(house, limit=1)).cursor
    for other in ({"member_id": house.alice}, {"statuses": [pb.REWARD_STATUS_ISSUED]}):
        with pytest.raises(RemoteRefusal) as refused:
            await search(house, cursor=cursor, **other)
        assert refused.value.code == "invalid_cursor"
    with pytest.raises(RemoteRefusal):
        await search(house, cursor=cursor, chain_id=house.charlies_chain)
    changed = ("B" if cursor[4] != "B" else "C").join([cursor[:4], cursor[5:]])
    with pytest.raises(RemoteRefusal):
        await search(house, cursor=changed)


async def test_charlie_sees_nothing_of_alices(house: House) -> None:
    """Tenant isolation of every way to read."""
    (coupon, *_) = await three_coupons(house)
    await house.use(coupon.id)
    assert not (await search(house, chain_id=house.charlies_chain)).rewards
    assert not (await search(house, member_id=house.charlie)).rewards
    assert await house.wallet(house.charlie) == []
    foreign = pb.GetWalletRequest(chain_id=house.charlies_chain, member_id=house.alice)
    assert not (await house.stub.GetWallet(foreign)).rewards
    events = pb.ListRewardEventsRequest(chain_id=house.charlies_chain)
    assert not (await house.stub.ListRewardEvents(events)).events
    with pytest.raises(RemoteRefusal) as refused:
        await house.stub.GetReward(
            pb.GetRewardRequest(chain_id=house.charlies_chain, reward_id=coupon.id)
        )
    assert refused.value.code == "not_found"


async def test_the_feed_is_newest_first_and_goes_on_where_it_stopped(house: House) -> None:
    """SQ-10."""
    made = await three_coupons(house)
    await house.use(made[1].id)
    everything = await house.events()
    assert [event.kind for event in everything] == [USED, TAKEN, TAKEN, TAKEN]
    assert [event.reward_id for event in everything] == [
        made[1].id,
        made[2].id,
        made[1].id,
        made[0].id,
    ]
    page = await house.stub.ListRewardEvents(
        pb.ListRewardEventsRequest(chain_id=house.chain_id, limit=2)
    )
    assert page.more
    last = page.events[-1]
    rest = await house.stub.ListRewardEvents(
        pb.ListRewardEventsRequest(
            chain_id=house.chain_id, before_time=last.occurred_at, before_id=last.id, limit=2
        )
    )
    assert not rest.more
    assert [*page.events, *rest.events] == everything


async def test_the_feed_can_be_filtered(house: House) -> None:
    made = await three_coupons(house)
    await house.use(made[0].id)
    used = await house.events(kinds=[USED])
    assert [event.reward_id for event in used] == [made[0].id]
    assert await house.events(salon_ids=[house.salon_id]) == used
    assert await house.events(salon_ids=[new_id()]) == []
    assert len(await house.events(reward_id=made[0].id)) == 2
    assert len(await house.events(member_ids=[new_id(), house.alice])) == 4
    assert await house.events(member_ids=[new_id()]) == []
    assert await house.events(account_ids=[new_id()]) == []
    span = {"from": stamp(START + timedelta(minutes=1)), "to": stamp(START + timedelta(minutes=3))}
    assert [event.reward_id for event in await house.events(**span)] == [made[2].id, made[1].id]


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": -1},
        {"limit": 201},
        {"limit": -(2**31)},
        {"kinds": [99]},
        {"kinds": [0]},
        {"kinds": [TAKEN] * 201},
        {"member_ids": [new_id()] * 201},
        {"before_id": new_id()},
        {"before_time": stamp(START)},
        {"from": Timestamp(seconds=2**62)},
        {"to": Timestamp(seconds=-(2**62))},
        {"to": Timestamp(seconds=0, nanos=2**30)},
        {"before_time": Timestamp(seconds=2**62), "before_id": new_id()},
    ],
)
async def test_wrong_filters_are_refused(house: House, wrong: dict[str, object]) -> None:
    with pytest.raises(RemoteRefusal) as refused:
        await house.events(**wrong)
    assert refused.value.code == "invalid_value"


NOT_IDS = [
    "",
    "1",
    "abc",
    "é" * 36,
    "a" * 1_000_000,
    "\x00",
    "{6f9619ff-8b86-d011-b42d-00c04fc964ff}",
    "null",
]


@pytest.mark.parametrize("text", NOT_IDS, ids=range(len(NOT_IDS)))
async def test_what_is_no_id_is_not_found(house: House, text: str) -> None:
    """No method answers with a fault of ours, whatever stands where an id should."""
    stub, chain, key = house.stub, house.chain_id, "k"
    calls: list[Awaitable[object]] = [
        stub.CreateRewardDefinition(
            pb.CreateRewardDefinitionRequest(
                idempotency_key=key,
                chain_id=text,
                name="x",
                points=1,
                discount=pb.Discount(in_kind=True),
            )
        ),
        stub.UpdateRewardDefinition(
            pb.UpdateRewardDefinitionRequest(chain_id=chain, definition_id=text)
        ),
        stub.DeleteRewardDefinition(
            pb.DeleteRewardDefinitionRequest(chain_id=chain, definition_id=text)
        ),
        stub.ListRewardDefinitions(pb.ListRewardDefinitionsRequest(chain_id=text)),
        stub.TakeReward(
            pb.TakeRewardRequest(
                idempotency_key=key,
                chain_id=chain,
                account_id=new_id(),
                member_id=new_id(),
                definition_id=text,
            )
        ),
        stub.TakeReward(
            pb.TakeRewardRequest(
                idempotency_key=key,
                chain_id=chain,
                account_id=text,
                member_id=new_id(),
                definition_id=new_id(),
            )
        ),
        stub.TakeOffer(
            pb.TakeOfferRequest(
                idempotency_key=key, chain_id=chain, member_id=new_id(), offer_id=text
            )
        ),
        stub.UseReward(pb.UseRewardRequest(idempotency_key=key, chain_id=chain, reward_id=text)),
        stub.EndDisplay(pb.EndDisplayRequest(chain_id=chain, reward_id=text, session_id="s")),
        stub.RestoreReward(
            pb.RestoreRewardRequest(chain_id=chain, reward_id=text, actor=house.bob)
        ),
        stub.VoidReward(pb.VoidRewardRequest(chain_id=chain, reward_id=text, actor=house.bob)),
        stub.GetReward(pb.GetRewardRequest(chain_id=chain, reward_id=text)),
        stub.GetWallet(pb.GetWalletRequest(chain_id=chain, member_id=text)),
        stub.SearchRewards(pb.SearchRewardsRequest(chain_id=text)),
        stub.ListRewardEvents(pb.ListRewardEventsRequest(chain_id=text)),
        stub.ListRewardEvents(pb.ListRewardEventsRequest(chain_id=chain, member_ids=[text])),
        stub.GetOfferTerms(pb.GetOfferTermsRequest(chain_id=chain, offer_id=text)),
    ]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [getattr(result, "code", result) for result in results] == ["not_found"] * len(calls)


@pytest.mark.parametrize("key", ["", "k" * 256, "clé", "\x00", "a\nb"])
async def test_a_write_needs_a_plain_key(house: House, key: str) -> None:
    coupon = await house.coupon()
    request = pb.UseRewardRequest(
        idempotency_key=key, chain_id=house.chain_id, reward_id=coupon.id, session_id="s"
    )
    with pytest.raises(RemoteRefusal) as refused:
        await house.stub.UseReward(request)
    assert (refused.value.code, refused.value.field) == ("invalid_value", "idempotency_key")
    assert (await house.reward(coupon.id)).status == pb.REWARD_STATUS_ISSUED


@pytest.mark.parametrize("session", ["s" * 129, "\x00", "séance"])
async def test_a_session_is_short_and_plain(house: House, session: str) -> None:
    coupon = await house.coupon()
    with pytest.raises(RemoteRefusal) as refused:
        await house.use(coupon.id, session=session)
    assert refused.value.field == "session_id"


async def test_the_feeds_moments_are_business_time(house: House) -> None:
    """A sandbox in another year writes that year."""
    house.go_to(datetime(2031, 5, 5, 12, 0, tzinfo=UTC))
    await house.take_offer(await house.offer(end=house.clock.now().date()))
    assert (await house.events())[0].occurred_at.ToDatetime().year == 2031


async def test_the_feed_by_recording_keeps_the_order_in_which_facts_came(house: House) -> None:
    """The chain's clock stands still; what came later is newer, and older than the horizon."""
    coupon = await house.coupon()
    await house.use(coupon.id)
    request = pb.ListRewardEventsRequest(chain_id=house.chain_id, by_recording=True)
    found = await house.stub.ListRewardEvents(request)
    moments = [event.recorded_at.ToDatetime() for event in found.events]
    assert [event.kind for event in found.events] == [USED, TAKEN]
    assert found.horizon.ToDatetime() > moments[0] > moments[1]
    request.before_time.CopyFrom(found.events[0].recorded_at)
    request.before_id = found.events[0].id
    assert [event.kind for event in (await house.stub.ListRewardEvents(request)).events] == [TAKEN]
