"""Counted and refunded sales as points tells them: late, again, and in any order."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from loyalty.events.v1.points_events_pb2 import SaleChanged, SaleCounted
from loyalty.rewards.v1 import rewards_pb2 as pb
from redis.asyncio import Redis

from services.chassis.consumer import Consumer
from services.chassis.errors import RemoteRefusal, Unavailable
from services.chassis.events import Event, Impossible
from services.rewards import consumers
from tests.rewards.counter import Counter
from tests.rewards.house import countdown, new_id
from tests.rewards.till import GROUP, Till

ISSUED, REDEEMED = pb.REWARD_STATUS_ISSUED, pb.REWARD_STATUS_REDEEMED
VOIDED, EXPIRED = pb.REWARD_STATUS_VOIDED, pb.REWARD_STATUS_EXPIRED


def again(event: Event) -> Event:
    """The same fact as another event, which the inbox does not know."""
    return replace(event, id=uuid4())


async def counted_with(till: Till, reward_id: str) -> str:
    """A sale that was counted with the reward on it."""
    sale_id = await till.open()
    await till.apply(reward_id, sale_id)
    await till.count(sale_id)
    return sale_id


async def history(counter: Counter, reward_id: str) -> list[str]:
    """What happened to a reward as the feed tells it, oldest first."""
    events = await counter.events(reward_id=reward_id)
    return [pb.RewardEventKind.Name(event.kind).rpartition("_")[2] for event in reversed(events)]


# -- used with the sale --------------------------------------------------------------------------


async def test_a_reward_is_used_when_its_sale_is_counted(
    counter: Counter, till: Till, redis: Redis
) -> None:
    """SQ-10, SQ-20: the feed names the sale's salon and till; no screen counts five minutes."""
    taken = await till.reward()
    counter.pass_time(minutes=3)
    sale_id = await counted_with(till, taken.id)
    await till.hear()
    used = await counter.reward(taken.id)
    assert (used.status, used.sale_id) == (REDEEMED, sale_id)
    assert (used.redeemed_salon_id, used.used_by_session) == (counter.salon_id, "")
    assert (used.display_until, used.display_seconds_left) == (used.redeemed_at, 0)
    assert await counter.wallet() == []
    assert (await countdown(redis, counter, taken.id))[0] is None
    newest = (await counter.events())[0]
    assert (newest.kind, newest.salon_id) == (pb.REWARD_EVENT_KIND_USED, counter.salon_id)
    assert (newest.actor, newest.points, newest.sale_id) == (till.key, 0, sale_id)
    refused = await _refused(counter.use(taken.id))
    assert (refused.code, refused.params["sale_id"]) == ("already_used", sale_id)
    assert refused.params["salon_id"] == counter.salon_id
    await counter.check(given=await counter.balance() + 10)


async def test_a_sale_uses_all_of_its_rewards(counter: Counter, till: Till) -> None:
    """SQ-20: two rewards and a coupon on one sale."""
    first, second = await till.reward(10), await till.reward(20)
    coupon = await counter.coupon()
    sale_id = await till.open()
    for reward in (first, second, coupon):
        await till.apply(reward.id, sale_id)
    await till.count(sale_id)
    await till.hear()
    for reward in (first, second, coupon):
        assert (await counter.reward(reward.id)).status == REDEEMED


async def test_a_coupon_that_ends_on_an_open_sale_is_used_with_it(
    counter: Counter, till: Till
) -> None:
    """LS-54: it went on the sale in time."""
    coupon = await counter.take_offer(await counter.offer(coupon_expiry=date(2026, 12, 15)))
    sale_id = await till.open()
    await till.apply(coupon.id, sale_id)
    counter.go_to(datetime(2026, 12, 16, 12, 0, tzinfo=UTC))
    await counter.run_jobs()
    counter.pass_time(minutes=1)
    assert (await counter.reward(coupon.id)).status == EXPIRED
    await till.count(sale_id)
    await till.hear()
    assert (await counter.reward(coupon.id)).status == REDEEMED
    assert await history(counter, coupon.id) == ["TAKEN", "EXPIRED", "USED"]


# -- back with the refund ------------------------------------------------------------------------


async def test_a_refunded_sale_gives_its_reward_back(counter: Counter, till: Till) -> None:
    """R36: back in "Mes récompenses", free for any use, its points as they were."""
    taken = await till.reward(10)
    before = await counter.balance()
    counter.pass_time(minutes=5)
    sale_id = await counted_with(till, taken.id)
    await till.hear()
    counter.pass_time(minutes=5)
    await till.refund(sale_id)
    await till.hear()
    back = await counter.reward(taken.id)
    assert (back.status, back.sale_id) == (ISSUED, "")
    assert not back.HasField("redeemed_at")
    assert [reward.id for reward in await counter.wallet()] == [taken.id]
    newest = (await counter.events())[0]
    assert (newest.kind, newest.actor) == (pb.REWARD_EVENT_KIND_RESTORED, till.key)
    assert newest.salon_id == counter.salon_id
    assert await counter.balance() == before
    assert await history(counter, taken.id) == ["TAKEN", "USED", "RESTORED"]

    second = await counted_with(till, taken.id)
    await till.hear()
    assert (await counter.reward(taken.id)).sale_id == second
    told = {sale: await counter.events(sale_id=sale) for sale in (sale_id, second)}
    used, restored = pb.REWARD_EVENT_KIND_USED, pb.REWARD_EVENT_KIND_RESTORED
    assert [event.kind for event in told[sale_id]] == [restored, used]
    assert [event.kind for event in told[second]] == [used]
    assert (await counter.events(reward_id=taken.id))[-1].sale_id == ""


async def test_a_refund_ends_the_countdown_of_a_use_by_the_till(
    counter: Counter, till: Till, redis: Redis
) -> None:
    """R36, LS-37: no screen shows as used what is in the wallet again."""
    taken = await till.reward()
    sale_id = await till.open()
    await till.apply(taken.id, sale_id)
    await till.use(taken.id)
    await till.count(sale_id)
    await till.refund(sale_id)
    assert (await countdown(redis, counter, taken.id))[0] is not None
    await till.hear()
    assert (await counter.reward(taken.id)).status == ISSUED
    counter.pass_time(seconds=1)
    await counter.run_jobs()
    async with asyncio.timeout(5):
        while (await countdown(redis, counter, taken.id))[0] is not None:
            await asyncio.sleep(0.01)


async def test_a_refund_leaves_alone_what_staff_gave_back_before(
    counter: Counter, till: Till
) -> None:
    """R36, LS-75: restored by Bob and used again: the refund does not make it usable twice."""
    taken = await till.reward()
    counter.pass_time(minutes=1)
    sale_id = await counted_with(till, taken.id)
    await till.hear()
    counter.pass_time(minutes=1)
    restored = await counter.restore(taken.id)
    assert restored.sale_id == ""
    counter.pass_time(minutes=1)
    await counter.use(taken.id)
    await till.refund(sale_id)
    await till.hear()
    assert (await counter.reward(taken.id)).status == REDEEMED
    assert await history(counter, taken.id) == ["TAKEN", "USED", "RESTORED", "USED"]


async def test_a_refund_leaves_alone_what_staff_voided_before(counter: Counter, till: Till) -> None:
    """R36, D35."""
    taken = await till.reward()
    sale_id = await counted_with(till, taken.id)
    await till.hear()
    await counter.restore(taken.id)
    await counter.void(taken.id, return_points=False)
    await till.refund(sale_id)
    await till.hear()
    assert (await counter.reward(taken.id)).status == VOIDED


async def test_what_staff_gave_back_goes_on_another_sale(counter: Counter, till: Till) -> None:
    """LS-75, SQ-20: the sale that it was used on does not hold it any more."""
    taken = await till.reward()
    first = await counted_with(till, taken.id)
    await till.hear()
    await counter.restore(taken.id)
    second = await till.open(8_000)
    assert (await till.apply(taken.id, second)).sale_id == second
    assert await till.total(second) == 7_200
    await till.count(second)
    await till.hear()
    assert (await counter.reward(taken.id)).sale_id == second
    await till.refund(first)
    await till.hear()
    assert (await counter.reward(taken.id)).status == REDEEMED


async def test_what_staff_gave_back_can_be_voided_with_its_points(
    counter: Counter, till: Till
) -> None:
    """LS-75, D35: "Remettre à gagné", then "Annuler" with the points."""
    taken = await till.reward(10)
    await counted_with(till, taken.id)
    await till.hear()
    await counter.restore(taken.id)
    before = await counter.balance()
    answer = await counter.void(taken.id)
    assert (answer.reward.status, answer.balance) == (VOIDED, before + 10)


async def test_a_coupon_past_its_date_comes_back_expired(counter: Counter, till: Till) -> None:
    """R36, LS-54: as if the sale had not been; nobody can use it."""
    coupon = await counter.take_offer(await counter.offer(coupon_expiry=date(2026, 12, 20)))
    counter.pass_time(minutes=1)
    sale_id = await counted_with(till, coupon.id)
    await till.hear()
    counter.go_to(datetime(2026, 12, 21, 15, 0, tzinfo=UTC))
    await counter.run_jobs()
    await till.refund(sale_id)
    await till.hear()
    assert (await counter.reward(coupon.id)).status == EXPIRED
    assert await counter.wallet() == []
    assert (await _refused(counter.use(coupon.id))).code == "reward_expired"
    counter.pass_time(minutes=1)
    await counter.run_jobs()
    assert await history(counter, coupon.id) == ["TAKEN", "USED", "RESTORED", "EXPIRED"]
    assert await counter.states() == ["expired"]


# -- again, late, in any order -------------------------------------------------------------------

ORDERS = sorted(set(itertools.permutations(["counted", "counted", "changed", "changed"])))


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
async def test_events_in_any_order_and_number_come_to_the_same_end(
    counter: Counter, till: Till, order: Sequence[str]
) -> None:
    """SQ-10, R36: delivered again, and told again as another event: one use, one return."""
    taken = await till.reward()
    counter.pass_time(minutes=1)
    sale_id = await counted_with(till, taken.id)
    counter.pass_time(minutes=1)
    await till.refund(sale_id)
    told = {event.type.removeprefix("sale."): event for event in await till.told()}
    for kind in order:
        await till.hear([told[kind], told[kind], again(told[kind])])
    assert (await counter.reward(taken.id)).sale_id == ""
    assert await counter.states() == ["issued"]
    assert await history(counter, taken.id) == ["TAKEN", "USED", "RESTORED"]
    assert await counter.published(taken.id) == [
        "reward.taken",
        "reward.used",
        "reward.restored",
    ]
    assert (await counter.use(taken.id)).status == REDEEMED


@pytest.mark.parametrize("refunded", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
async def test_a_count_that_is_told_before_the_take_is_settled_is_not_lost(
    counter: Counter, till: Till, refunded: bool, backwards: bool
) -> None:
    """SQ-20: points has debited and counted, while rewards still waits for the debit's answer."""
    await counter.give(10)
    definition = await counter.define(10)
    sale_id = await till.open()
    counter.line.answers_lost = 1
    with pytest.raises(Unavailable):
        await counter.take(definition.id, key="confirm", sale_id=sale_id)
    counter.pass_time(minutes=1)
    await till.count(sale_id)
    if refunded:
        await till.refund(sale_id)
    told = await till.told()
    await till.hear(list(reversed(told)) if backwards else told)
    assert await counter.states() == ["pending"]
    counter.pass_time(minutes=1)
    await counter.settle()
    assert await counter.states() == ["issued" if refunded else "redeemed"]
    answer = await counter.try_take(definition.id, key="confirm", sale_id=sale_id)
    kept = await counter.reward(answer.reward.id)
    assert kept.sale_id == ("" if refunded else sale_id)
    words = ["TAKEN", "USED", "RESTORED"] if refunded else ["TAKEN", "USED"]
    assert await history(counter, kept.id) == words
    assert await counter.count("settlement") == 0


async def test_settling_and_being_told_at_once_lose_nothing(counter: Counter, till: Till) -> None:
    """SQ-20: whoever comes second sees what the first has written."""
    definition = await counter.define(10)
    for turn in range(15):
        await counter.give(10)
        sale_id = await till.open()
        counter.line.answers_lost = 1
        with pytest.raises(Unavailable):
            await counter.take(definition.id, key=f"take-{turn}", sale_id=sale_id)
        await till.count(sale_id)
        told = (await till.told())[-1:]
        together = [counter.settle(), till.hear(told)]
        await asyncio.gather(*(together if turn % 2 else reversed(together)))
    assert await counter.states() == ["redeemed"] * 15


async def test_restoring_and_being_told_at_once_leave_no_reward_behind(
    counter: Counter, till: Till
) -> None:
    """LS-75, SQ-20: used by the till, restored by Bob while the count is told: never stuck."""
    definition = await counter.define(10)
    for turn in range(15):
        await counter.give(10)
        taken = await counter.take(definition.id)
        sale_id = await till.open()
        await till.apply(taken.id, sale_id)
        await till.use(taken.id)
        await till.count(sale_id)
        told = (await till.told())[-1:]
        together = [counter.restore(taken.id), till.hear(told)]
        await asyncio.gather(*(together if turn % 2 else reversed(together)))
        found = await counter.reward(taken.id)
        # Used with the sale after all, or free; not held by a sale that nobody can count.
        assert (found.status, found.sale_id) in ((REDEEMED, sale_id), (ISSUED, ""))


async def test_a_fact_of_an_unknown_reward_changes_nothing(counter: Counter, till: Till) -> None:
    """A take that was undone, or an event of another time."""
    taken = await till.reward()
    sale_id = await counted_with(till, taken.id)
    (event,) = await till.told()
    strange = SaleCounted.FromString(event.payload)
    strange.reward_ids[:] = [new_id()]
    await till.hear([replace(again(event), payload=strange.SerializeToString())])
    assert (await counter.reward(taken.id)).sale_id == sale_id
    assert await counter.states() == ["issued"]


async def test_another_chains_event_does_not_reach_a_reward(counter: Counter, till: Till) -> None:
    """Charlie's chain counts a sale that names Alice's reward: hers stays as it is."""
    taken = await till.reward()
    sale_id = await counted_with(till, taken.id)
    (event,) = await till.told()
    theirs = SaleCounted.FromString(event.payload)
    theirs.chain_id = counter.charlies_chain
    foreign = replace(
        again(event), chain_id=UUID(counter.charlies_chain), payload=theirs.SerializeToString()
    )
    await till.hear([foreign])
    found = await counter.reward(taken.id)
    assert (found.status, found.sale_id) == (ISSUED, sale_id)


@pytest.mark.parametrize("kind", ["sale.counted", "sale.changed"])
@pytest.mark.parametrize(
    "changes",
    [{"chain_id": "somebody-else"}, {"sale_id": "1"}, {"salon_id": "here"}, {"rewards": ["1"]}],
    ids=lambda changes: next(iter(changes)),
)
async def test_a_sale_that_makes_no_sense_is_a_dead_letter(
    counter: Counter, kind: str, changes: dict[str, object]
) -> None:
    named = "reward_ids" if kind == "sale.counted" else "returned_reward_ids"
    values: dict[str, object] = {
        "chain_id": counter.chain_id,
        "sale_id": new_id(),
        "salon_id": counter.salon_id,
        "rewards": [new_id()],
    }
    values |= changes
    values[named] = values.pop("rewards")
    message = (SaleCounted if kind == "sale.counted" else SaleChanged)(**values)  # type: ignore[arg-type]
    for payload in (message.SerializeToString(), b"\xff\xff\xff"):
        event = Event(
            id=uuid4(),
            type=kind,
            source="points",
            subject="",
            chain_id=UUID(counter.chain_id),
            time=datetime.now(UTC),
            topic=consumers.POINTS,
            partition=0,
            offset=0,
            key="",
            payload=payload,
            request_id="",
        )
        handler = consumers.GROUPS[GROUP][1][kind]
        with pytest.raises(Impossible):
            await counter.write(lambda conn, h=handler, e=event: h(conn, e))  # type: ignore[misc]


async def test_a_counted_sale_on_the_topic_soon_uses_its_reward(
    counter: Counter, till: Till, kafka_bootstrap: str
) -> None:
    """SQ-10: through the broker that `make up` uses, twice, among events of other kinds."""
    taken = await till.reward()
    await counted_with(till, taken.id)
    (event,) = await till.told()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    for kind in ("points.earned", event.type, event.type):
        await producer.send_and_wait(
            consumers.POINTS,
            event.payload,
            key=event.key.encode(),
            headers=[
                ("ce_id", str(event.id if kind == event.type else uuid4()).encode()),
                ("ce_type", kind.encode()),
                ("ce_source", b"points"),
                ("ce_time", event.time.isoformat().encode()),
                ("ce_subject", event.subject.encode()),
                ("ce_chainid", counter.chain_id.encode()),
            ],
        )
    await producer.stop()
    topic, handlers = consumers.GROUPS[GROUP]
    consumer = Consumer(
        group=GROUP, topics=[topic], handlers=handlers, pool=counter.pool, bootstrap=kafka_bootstrap
    )
    running = asyncio.create_task(consumer.run())
    try:
        async with asyncio.timeout(60):
            while (await counter.reward(taken.id)).status != REDEEMED:
                await asyncio.sleep(0.05)
    finally:
        consumer.stop()
        await running
    assert await counter.published(taken.id) == ["reward.taken", "reward.used"]


async def _refused(attempt: object) -> RemoteRefusal:
    with pytest.raises(RemoteRefusal) as refusal:
        await attempt  # type: ignore[misc]
    return refusal.value
