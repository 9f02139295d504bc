"""\"Utiliser\", the five minutes, "Retour" and "Remettre à gagné"."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from loyalty.rewards.v1 import rewards_pb2 as pb
from redis.asyncio import Redis

from services.chassis.errors import RemoteRefusal
from tests.engines import Redis as RedisServer
from tests.rewards.house import PHONE, House, countdown, countdown_key, new_id

ISSUED, REDEEMED = pb.REWARD_STATUS_ISSUED, pb.REWARD_STATUS_REDEEMED


async def refused(attempt: object) -> RemoteRefusal:
    """The refusal that an attempt ends with."""
    with pytest.raises(RemoteRefusal) as refusal:
        await attempt  # type: ignore[misc]
    return refusal.value


async def test_using_starts_five_minutes_on_every_screen(house: House) -> None:
    """LS-36, RW3: at 14:02 a reload shows 3:00 left, and so does another device."""
    coupon = await house.coupon()
    used = await house.use(coupon.id)
    assert (used.status, used.display_seconds_left) == (REDEEMED, 300)
    assert used.display_until.seconds - used.redeemed_at.seconds == 300
    assert (used.used_by_session, used.redeemed_salon_id) == (PHONE, house.salon_id)

    house.pass_time(seconds=120)
    assert (await house.reward(coupon.id)).display_seconds_left == 180
    (seen,) = await house.wallet()
    assert (seen.display_seconds_left, seen.used_by_session) == (180, PHONE)


async def test_the_reward_is_gone_when_the_five_minutes_are_over(house: House) -> None:
    """LS-37, RW4: at 14:05 it is not in "Mes récompenses"; it stays REDEEMED."""
    coupon = await house.coupon()
    await house.use(coupon.id)
    house.pass_time(seconds=299)
    assert [reward.id for reward in await house.wallet()] == [coupon.id]
    house.pass_time(seconds=1)
    assert await house.wallet() == []
    gone = await house.reward(coupon.id)
    assert (gone.status, gone.display_seconds_left) == (REDEEMED, 0)


async def test_retour_ends_the_display_everywhere_at_once(house: House, redis: Redis) -> None:
    """LS-37: at t0 + 30 s it is gone at once; pressing again changes nothing."""
    coupon = await house.coupon()
    await house.use(coupon.id)
    house.pass_time(seconds=30)
    ended = await house.back(coupon.id)
    assert (ended.status, ended.display_seconds_left) == (REDEEMED, 0)
    assert await house.wallet() == []
    assert (await countdown(redis, house, coupon.id))[0] is None
    house.pass_time(seconds=5)
    assert await house.back(coupon.id) == ended


async def test_only_the_screen_that_used_it_can_end_the_display(house: House) -> None:
    """D5, LS-37."""
    coupon = await house.coupon()
    assert (await refused(house.back(coupon.id))).code == "not_redeemed"
    await house.use(coupon.id)
    assert (await refused(house.back(coupon.id, session="tablet"))).code == "not_this_device"
    assert (await refused(house.back(coupon.id, member=house.charlie))).code == "not_found"
    assert (await house.reward(coupon.id)).display_seconds_left == 300


async def test_a_used_reward_cannot_be_used_again(house: House) -> None:
    """LS-38: the loser learns when and where."""
    coupon = await house.coupon()
    used = await house.use(coupon.id)
    for minutes in (1, 10, 60 * 24 * 400):
        house.pass_time(minutes=minutes)
        refusal = await refused(house.use(coupon.id))
        assert refusal.code == "already_used"
        redeemed_at = used.redeemed_at.ToDatetime().isoformat() + "+00:00"
        assert refusal.params == {"redeemed_at": redeemed_at, "salon_id": house.salon_id}


async def test_another_member_cannot_use_it(house: House) -> None:
    """LS-38: another member's token, or another chain, meets a reward that does not exist."""
    coupon = await house.coupon()
    assert (await refused(house.use(coupon.id, member=new_id()))).code == "not_found"
    foreign = house.use(coupon.id, member=house.charlie, chain=house.charlies_chain)
    assert (await refused(foreign)).code == "not_found"
    assert (await refused(house.use(new_id()))).code == "not_found"
    assert (await house.reward(coupon.id)).status == ISSUED


async def test_a_till_uses_a_reward_without_naming_the_member(house: House) -> None:
    coupon = await house.coupon()
    assert (await house.use(coupon.id, member="")).status == REDEEMED


async def test_the_winner_may_send_the_same_use_again(house: House) -> None:
    """LS-36, LS-38: a lost answer comes again, and the countdown does not start anew."""
    coupon = await house.coupon()
    first = await house.use(coupon.id, key="second-tap")
    house.pass_time(seconds=120)
    again = await house.use(coupon.id, key="second-tap")
    assert again.display_seconds_left == 180
    again.display_seconds_left = first.display_seconds_left
    assert again == first
    assert await house.published(coupon.id) == ["reward.taken", "reward.used"]


async def test_a_resent_use_does_not_bring_back_what_retour_ended(house: House) -> None:
    """LS-37."""
    coupon = await house.coupon()
    await house.use(coupon.id, key="second-tap")
    house.pass_time(seconds=30)
    await house.back(coupon.id)
    house.pass_time(seconds=30)
    assert (await house.use(coupon.id, key="second-tap")).display_seconds_left == 0


async def test_of_twenty_parallel_uses_one_wins(house: House) -> None:
    """LS-38: 19 others are refused."""
    coupon = await house.coupon()
    results = await asyncio.gather(
        *(house.use(coupon.id) for _ in range(20)), return_exceptions=True
    )
    codes = [one.code for one in results if isinstance(one, RemoteRefusal)]
    assert codes == ["already_used"] * 19
    assert await house.published(coupon.id) == ["reward.taken", "reward.used"]


async def test_of_a_thousand_parallel_uses_exactly_one_wins(house: House) -> None:
    """LS-38: 999 are told that it is used, none gets an error of ours; one event leaves."""
    coupon = await house.coupon()
    results = await asyncio.gather(
        *(house.use(coupon.id, session=f"screen-{n}") for n in range(1000)),
        return_exceptions=True,
    )
    won = [one for one in results if isinstance(one, pb.Reward)]
    codes = [one.code for one in results if isinstance(one, RemoteRefusal)]
    assert (len(won), codes) == (1, ["already_used"] * 999)
    kept = await house.reward(coupon.id)
    assert kept.used_by_session == won[0].used_by_session
    assert await house.published(coupon.id) == ["reward.taken", "reward.used"]


async def test_a_thousand_resends_of_one_tap_are_one_use(house: House) -> None:
    """LS-38: the same key in parallel gets the same answer."""
    coupon = await house.coupon()
    results = await asyncio.gather(*(house.use(coupon.id, key="tap") for _ in range(100)))
    assert {one.redeemed_at.seconds for one in results} == {results[0].redeemed_at.seconds}
    assert await house.published(coupon.id) == ["reward.taken", "reward.used"]


async def test_the_use_is_told_with_its_salon(house: House) -> None:
    """SQ-10, D23: the feed names where it was used."""
    coupon = await house.coupon()
    house.pass_time(minutes=1)
    await house.use(coupon.id)
    newest = (await house.events())[0]
    assert newest.kind == pb.REWARD_EVENT_KIND_USED
    assert (newest.salon_id, newest.reward_name) == (house.salon_id, "Masque offert")
    assert newest.actor == house.herself


async def test_staff_can_give_a_used_reward_back_once(house: House, redis: Redis) -> None:
    """LS-75, RW5: "gagnée" and in the wallet again; a second press is refused; audited."""
    coupon = await house.coupon()
    await house.use(coupon.id)
    house.pass_time(minutes=10)
    restored = await house.restore(coupon.id)
    assert (restored.status, restored.display_seconds_left) == (ISSUED, 0)
    assert not restored.HasField("redeemed_at")
    assert [reward.id for reward in await house.wallet()] == [coupon.id]
    assert (await refused(house.restore(coupon.id))).code == "not_redeemed"

    audit = (await house.events())[0]
    assert (audit.kind, audit.actor, audit.points) == (
        pb.REWARD_EVENT_KIND_RESTORED,
        house.bob,
        0,
    )
    assert audit.occurred_at.ToDatetime() == house.clock.now().replace(tzinfo=None)
    assert (await house.use(coupon.id)).status == REDEEMED
    assert await house.published(coupon.id) == [
        "reward.taken",
        "reward.used",
        "reward.restored",
        "reward.used",
    ]


async def test_restoring_during_the_display_ends_the_countdown(house: House, redis: Redis) -> None:
    """LS-75: no screen shows it as used any more."""
    coupon = await house.coupon()
    await house.use(coupon.id)
    assert (await countdown(redis, house, coupon.id))[0] is not None
    await house.restore(coupon.id)
    assert (await countdown(redis, house, coupon.id))[0] is None


async def test_parallel_restores_give_it_back_once(house: House) -> None:
    """LS-75."""
    coupon = await house.coupon()
    await house.use(coupon.id)
    results = await asyncio.gather(
        *(house.restore(coupon.id) for _ in range(10)), return_exceptions=True
    )
    codes = [one.code for one in results if isinstance(one, RemoteRefusal)]
    assert codes == ["not_redeemed"] * 9


async def test_a_resent_restore_gets_the_first_answer(house: House) -> None:
    coupon = await house.coupon()
    await house.use(coupon.id)
    first = await house.restore(coupon.id, key="press")
    await house.use(coupon.id)
    assert await house.restore(coupon.id, key="press") == first
    assert (await house.reward(coupon.id)).status == REDEEMED


async def test_a_restore_names_who_did_it(house: House) -> None:
    """LS-75: without somebody to name there is no restore."""
    coupon = await house.coupon()
    await house.use(coupon.id)
    request = pb.RestoreRewardRequest(chain_id=house.chain_id, reward_id=coupon.id)
    assert (await refused(house.stub.RestoreReward(request))).field == "actor"
    assert (await house.reward(coupon.id)).status == REDEEMED


# -- the countdown in Redis ----------------------------------------------------------------------


async def test_the_countdown_runs_in_redis_for_the_screens(house: House, redis: Redis) -> None:
    coupon = await house.coupon()
    used = await house.use(coupon.id)
    raw, left_ms = await countdown(redis, house, coupon.id)
    assert raw is not None
    assert orjson.loads(raw) == {
        "member_id": house.alice,
        "session": PHONE,
        "display_until": used.display_until.ToDatetime().isoformat() + "+00:00",
    }
    assert 290_000 < left_ms <= 300_000


async def test_losing_all_of_redis_loses_no_second_and_allows_no_second_use(
    house: House, redis: Redis
) -> None:
    """LS-38: after FLUSHALL PostgreSQL says what is left, and a resend starts nothing anew."""
    coupon = await house.coupon()
    await house.use(coupon.id, key="tap")
    house.pass_time(seconds=100)
    await redis.flushall()
    assert (await house.reward(coupon.id)).display_seconds_left == 200
    assert (await refused(house.use(coupon.id))).code == "already_used"
    assert (await house.wallet())[0].display_seconds_left == 200
    await house.use(coupon.id, key="tap")
    assert 190_000 < (await countdown(redis, house, coupon.id))[1] <= 200_000


async def test_a_use_is_right_while_redis_is_stopped(
    house: House, redis_server: RedisServer
) -> None:
    """LS-36, LS-38: PostgreSQL decides; a stopped Redis costs the hint and nothing else."""
    coupon = await house.coupon()
    redis_server.stop()
    try:
        used = await house.use(coupon.id)
        assert (used.status, used.display_seconds_left) == (REDEEMED, 300)
        assert (await refused(house.use(coupon.id))).code == "already_used"
        ended = await house.back(coupon.id)
        assert ended.display_seconds_left == 0
        assert (await house.restore(coupon.id)).status == ISSUED
    finally:
        redis_server.start()


async def test_a_jump_of_the_sandbox_clock_ends_the_countdown_in_redis(
    house: House, redis: Redis
) -> None:
    """LS-37: at the end of the window the hint goes too, though less real time has passed."""
    coupon = await house.coupon()
    await house.use(coupon.id)
    house.pass_time(seconds=300)
    assert await house.run_jobs() == 1
    async with asyncio.timeout(5):
        while await redis.exists(countdown_key(house, coupon.id)):
            await asyncio.sleep(0.01)


async def test_the_end_of_an_old_window_leaves_a_new_one_alone(house: House, redis: Redis) -> None:
    """LS-75: used, restored and used again: the first job must not end the second countdown."""
    coupon = await house.coupon()
    await house.use(coupon.id)
    await house.restore(coupon.id)
    house.pass_time(seconds=200)
    await house.use(coupon.id)
    house.pass_time(seconds=100)
    assert await house.run_jobs() == 1
    await asyncio.gather(*house.deps.countdowns._ending)
    assert await redis.exists(countdown_key(house, coupon.id))
    assert (await house.reward(coupon.id)).display_seconds_left == 200


async def test_a_resend_after_the_window_starts_no_countdown(house: House, redis: Redis) -> None:
    """LS-37."""
    coupon = await house.coupon()
    await house.use(coupon.id, key="tap")
    await redis.flushall()
    house.pass_time(seconds=301)
    assert (await house.use(coupon.id, key="tap")).display_seconds_left == 0
    assert (await countdown(redis, house, coupon.id))[0] is None
