"""Offers taken into the wallet."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import pytest
from loyalty.rewards.v1 import rewards_pb2 as pb

from services.chassis.errors import RemoteRefusal
from tests.rewards.house import House, new_id

ISSUED, EXPIRED = pb.REWARD_STATUS_ISSUED, pb.REWARD_STATUS_EXPIRED


async def test_taking_an_offer_puts_a_coupon_into_the_wallet(house: House) -> None:
    """LS-53: it stands in "Mes récompenses" and costs nothing."""
    offer_id = await house.offer()
    answer = await house.try_offer(offer_id)
    coupon = answer.reward
    assert not answer.already_taken
    assert (coupon.status, coupon.points, coupon.offer_id) == (ISSUED, 0, offer_id)
    assert (coupon.name, coupon.description, coupon.exclusion) == (
        "Masque offert",
        "Un masque à l'argile",
        "Sur rendez-vous",
    )
    assert await house.wallet() == [coupon]
    assert await house.published(coupon.id) == ["reward.taken"]


async def test_taking_it_again_makes_no_second_coupon(house: House) -> None:
    """LS-53: the second time she gets the same one, by another key too."""
    offer_id = await house.offer()
    first = await house.take_offer(offer_id)
    again = await house.try_offer(offer_id)
    assert (again.reward, again.already_taken) == (first, True)
    assert await house.count("reward") == 1
    assert await house.count("reward_event") == 1


async def test_parallel_takes_of_one_offer_make_one_coupon(house: House) -> None:
    """LS-53."""
    offer_id = await house.offer()
    taken = await asyncio.gather(*(house.try_offer(offer_id) for _ in range(20)))
    assert len({answer.reward.id for answer in taken}) == 1
    assert sum(not answer.already_taken for answer in taken) == 1
    assert await house.count("reward") == 1


async def test_the_same_key_gets_the_first_answer(house: House) -> None:
    offer_id = await house.offer()
    first = await house.try_offer(offer_id, key="tap")
    assert await house.try_offer(offer_id, key="tap") == first
    with pytest.raises(RemoteRefusal) as refused:
        await house.try_offer(await house.offer(), key="tap")
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"


async def test_two_members_each_get_their_own(house: House) -> None:
    offer_id = await house.offer()
    hers = await house.take_offer(offer_id)
    other = await house.take_offer(offer_id, member=new_id())
    assert hers.id != other.id


@pytest.mark.parametrize(
    ("at", "taken"),
    [
        (datetime(2026, 12, 10, 4, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 12, 10, 5, 0, tzinfo=UTC), True),
        (datetime(2027, 1, 1, 4, 59, 59, tzinfo=UTC), True),
        (datetime(2027, 1, 1, 5, 0, tzinfo=UTC), False),
    ],
)
async def test_an_offer_is_taken_on_its_days_in_the_home_zone_only(
    house: House, at: datetime, taken: bool
) -> None:
    """OF1, D7, D38: from 10 December to 31 December, both whole days in Montréal."""
    offer_id = await house.offer()
    house.go_to(at)
    if taken:
        assert (await house.take_offer(offer_id)).status == ISSUED
        return
    with pytest.raises(RemoteRefusal) as refused:
        await house.take_offer(offer_id)
    assert refused.value.code == "offer_not_running"
    assert refused.value.params == {"start_date": "2026-12-10", "end_date": "2026-12-31"}
    assert await house.wallet() == []


async def test_a_sent_offer_may_be_taken_though_the_app_does_not_show_it(house: House) -> None:
    """LS-57."""
    offer_id = await house.offer(shown_in_app=False)
    assert (await house.take_offer(offer_id)).status == ISSUED


async def test_an_unknown_or_foreign_offer_is_not_found(house: House) -> None:
    offer_id = await house.offer()
    for chain, offer in ((house.chain_id, new_id()), (house.charlies_chain, offer_id)):
        with pytest.raises(RemoteRefusal) as refused:
            await house.stub.TakeOffer(
                pb.TakeOfferRequest(
                    idempotency_key=new_id(),
                    chain_id=chain,
                    member_id=house.charlie,
                    offer_id=offer,
                )
            )
        assert refused.value.code == "not_found"


async def test_a_coupon_is_usable_through_its_last_day(house: House) -> None:
    """OF2, LS-54: taken on 31 December, expiry 15 January: usable at 23:59, not on the 16th."""
    offer_id = await house.offer(coupon_expiry=date(2027, 1, 15))
    house.go_to(datetime(2026, 12, 31, 17, 0, tzinfo=UTC))
    coupon = await house.take_offer(offer_id)

    house.go_to(datetime(2027, 1, 16, 4, 59, 59, tzinfo=UTC))
    assert [reward.id for reward in await house.wallet()] == [coupon.id]
    assert (await house.use(coupon.id)).status == pb.REWARD_STATUS_REDEEMED


async def test_a_coupon_is_gone_the_day_after(house: House) -> None:
    """OF2, LS-54: gone from the wallet and refused, before any job has marked it."""
    offer_id = await house.offer(coupon_expiry=date(2027, 1, 15))
    coupon = await house.take_offer(offer_id)
    house.go_to(datetime(2027, 1, 16, 5, 0, tzinfo=UTC))
    assert await house.wallet() == []
    assert (await house.reward(coupon.id)).status == EXPIRED
    with pytest.raises(RemoteRefusal) as refused:
        await house.use(coupon.id)
    assert refused.value.code == "reward_expired"
    with pytest.raises(RemoteRefusal) as refused:
        await house.void(coupon.id)
    assert refused.value.code == "reward_expired"


async def test_a_job_marks_the_coupon_expired_with_an_event(house: House) -> None:
    """LS-54: the event tells everybody else; running again tells nothing twice."""
    offer_id = await house.offer(coupon_expiry=date(2027, 1, 15))
    coupon = await house.take_offer(offer_id)
    house.go_to(datetime(2027, 1, 16, 5, 0, tzinfo=UTC))
    assert await house.run_jobs() == 1
    assert await house.run_jobs() == 0
    assert await house.published(coupon.id) == ["reward.taken", "reward.expired"]
    newest = (await house.events())[0]
    assert (newest.kind, newest.points) == (pb.REWARD_EVENT_KIND_EXPIRED, 0)
    assert (await house.reward(coupon.id)).status == EXPIRED


async def test_a_used_coupon_does_not_expire(house: House) -> None:
    offer_id = await house.offer(coupon_expiry=date(2027, 1, 15))
    coupon = await house.take_offer(offer_id)
    await house.use(coupon.id)
    house.go_to(datetime(2027, 1, 16, 5, 0, tzinfo=UTC))
    await house.run_jobs()
    assert (await house.reward(coupon.id)).status == pb.REWARD_STATUS_REDEEMED
    with pytest.raises(RemoteRefusal) as refused:
        await house.restore(coupon.id)
    assert refused.value.code == "reward_expired"


async def test_a_coupon_without_a_date_never_expires(house: House) -> None:
    """LS-54."""
    coupon = await house.coupon()
    house.go_to(datetime(2076, 1, 1, tzinfo=UTC))
    assert await house.run_jobs() == 0
    assert (await house.use(coupon.id)).status == pb.REWARD_STATUS_REDEEMED


async def test_coupons_of_a_changed_or_deleted_offer_keep_their_terms(house: House) -> None:
    """LS-58, SQ-49: usable still, with the words and the date that they had."""
    offer_id = await house.offer(coupon_expiry=date(2027, 1, 15), title="Masque offert")
    coupon = await house.take_offer(offer_id)
    await house.offer(
        offer_id=offer_id,
        version=2,
        title="Masque à moitié prix",
        coupon_expiry=date(2026, 12, 15),
        deleted=True,
    )
    assert await house.wallet() == [coupon]
    again = await house.try_offer(offer_id)
    assert (again.reward, again.already_taken) == (coupon, True)
    with pytest.raises(RemoteRefusal) as refused:
        await house.take_offer(offer_id, member=new_id())
    assert refused.value.code == "offer_not_running"
    used = await house.use(coupon.id)
    assert (used.name, used.status) == ("Masque offert", pb.REWARD_STATUS_REDEEMED)


async def test_a_voided_coupon_is_not_given_out_again(house: House) -> None:
    """SQ-16, LS-53."""
    offer_id = await house.offer()
    coupon = await house.take_offer(offer_id)
    voided = await house.void(coupon.id)
    assert voided.reward.status == pb.REWARD_STATUS_VOIDED
    assert not voided.reward.points_returned
    again = await house.try_offer(offer_id)
    assert (again.already_taken, again.reward.status) == (True, pb.REWARD_STATUS_VOIDED)
    with pytest.raises(RemoteRefusal) as refused:
        await house.use(coupon.id)
    assert refused.value.code == "reward_voided"


async def test_the_known_version_of_an_offer_is_told(house: House) -> None:
    offer_id = await house.offer()

    async def version(chain: str, offer: str) -> int:
        request = pb.GetOfferTermsRequest(chain_id=chain, offer_id=offer)
        return (await house.stub.GetOfferTerms(request)).version

    assert await version(house.chain_id, offer_id) == 1
    await house.offer(offer_id=offer_id, version=3)
    await house.offer(offer_id=offer_id, version=2)
    assert await version(house.chain_id, offer_id) == 3
    assert await version(house.chain_id, new_id()) == 0
    assert await version(house.charlies_chain, offer_id) == 0
