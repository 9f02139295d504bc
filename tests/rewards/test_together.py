"""Takes and uses that arrive together: one transaction for many, each as if it had come alone."""

from __future__ import annotations

import asyncio
from collections import Counter as Count
from typing import Any

import pytest
from loyalty.rewards.v1 import rewards_pb2 as pb

from services.chassis.errors import RemoteRefusal, Unavailable
from services.chassis.grpc_client import item_refused
from services.rewards.storage import rewards as storage
from tests.rewards.counter import Counter
from tests.rewards.house import new_id

COST = 10


async def take_all(
    counter: Counter, requests: list[pb.TakeRewardRequest]
) -> list[pb.TakeRewardOutcome]:
    answer = await counter.stub.TakeRewardBatch(pb.TakeRewardBatchRequest(items=requests))
    assert len(answer.outcomes) == len(requests)
    return list(answer.outcomes)


async def use_all(counter: Counter, requests: list[pb.UseRewardRequest]) -> list[Any]:
    """What became of each: the used reward's answer, or the code of its refusal."""
    answer = await counter.stub.UseRewardBatch(pb.UseRewardBatchRequest(items=requests))
    assert len(answer.outcomes) == len(requests)
    return [
        outcome.used if outcome.HasField("used") else outcome.refusal.code
        for outcome in answer.outcomes
    ]


def told(outcome: pb.TakeRewardOutcome) -> int | str:
    """The balance after a take, or the code of its refusal."""
    return outcome.taken.balance if outcome.HasField("taken") else outcome.refusal.code


def using(counter: Counter, reward_id: str, **changes: Any) -> pb.UseRewardRequest:
    values: dict[str, Any] = {
        "idempotency_key": new_id(),
        "chain_id": counter.chain_id,
        "reward_id": reward_id,
        "salon_id": counter.salon_id,
        "session_id": "the till",
        "actor": counter.bob,
        **changes,
    }
    return pb.UseRewardRequest(**values)


async def test_ls_33_takes_of_one_moment_are_answered_each_by_itself(counter: Counter) -> None:
    """LS-33: good ones, one too dear, an unknown definition, one of another chain: no mixing."""
    await counter.give(25)
    cheap, dear = await counter.define(COST), await counter.define(100)
    outcomes = await take_all(
        counter,
        [
            counter.taking(cheap.id),
            counter.taking(dear.id),
            counter.taking(new_id()),
            counter.taking(cheap.id, chain_id=counter.charlies_chain),
            counter.taking(cheap.id),
            counter.taking(cheap.id, account_id="no id"),
        ],
    )
    assert [told(outcome) for outcome in outcomes] == [
        15,
        "insufficient_points",
        "not_found",
        "not_found",
        5,
        "not_found",
    ]
    refusal: Any = item_refused(outcomes[1].refusal)
    assert isinstance(refusal, RemoteRefusal)
    assert refusal.status.name == "FAILED_PRECONDITION"
    assert await counter.states() == ["issued", "issued"]
    await counter.check(given=25)
    # The refused ones left no key behind.
    assert await counter.count("idempotency") == 4


async def test_a_take_that_stands_twice_in_a_batch_is_one_reward(counter: Counter) -> None:
    """The twin does not hold up its neighbours: it is told to ask alone, and gets the answer."""
    await counter.give(100)
    definition = await counter.define(COST)
    request = counter.taking(definition.id, key="tap")
    outcomes = await take_all(counter, [request, counter.taking(definition.id), request])
    assert [told(outcome) for outcome in outcomes][1:] in ([80, "still_settling"], [80, 90])
    again = await counter.stub.TakeReward(request)
    assert again.reward.id == outcomes[0].taken.reward.id
    assert await counter.states() == ["issued", "issued"]
    await counter.check(given=100)


async def test_a_repeated_batch_gets_the_first_answers(counter: Counter) -> None:
    await counter.give(100)
    definition = await counter.define(COST)
    requests = [counter.taking(definition.id) for _ in range(5)]
    first = await take_all(counter, requests)
    second = await take_all(counter, requests)
    assert [outcome.taken.reward.id for outcome in first] == [
        outcome.taken.reward.id for outcome in second
    ]
    reused = counter.taking((await counter.define(20)).id, key=requests[0].idempotency_key)
    (outcome,) = await take_all(counter, [reused])
    assert told(outcome) == "IDEMPOTENCY_KEY_REUSED"
    await counter.check(given=100)


async def test_while_points_is_away_a_batch_waits_and_then_comes_true(counter: Counter) -> None:
    """ADR 0006: the outcome of each is unknown, each has its settlement, each comes true once."""
    await counter.give(100)
    definition = await counter.define(COST)
    await counter.ledger.stop()
    outcomes = await take_all(counter, [counter.taking(definition.id) for _ in range(4)])
    assert all(isinstance(item_refused(outcome.refusal), Unavailable) for outcome in outcomes)
    assert await counter.states() == ["pending"] * 4
    assert await counter.count("settlement") == 4
    await counter.ledger.start()
    async with asyncio.timeout(20):
        # The line to points may need some tries to stand again.
        while await counter.states() != ["issued"] * 4:
            await counter.settle()
    await counter.check(given=100)


async def test_a_batch_whose_answer_was_lost_is_paid_for_once(counter: Counter) -> None:
    await counter.give(100)
    definition = await counter.define(COST)
    counter.line.answers_lost = 1
    await take_all(counter, [counter.taking(definition.id) for _ in range(4)])
    assert await counter.balance() == 60
    await counter.settle()
    assert await counter.states() == ["issued"] * 4
    await counter.check(given=100)


async def test_a_take_that_cannot_be_issued_harms_only_itself(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of several was finished by somebody else meanwhile; the others are issued."""
    await counter.give(100)
    definition = await counter.define(COST)
    issue = storage.issue_many
    robbed: list[Any] = []

    async def racing(conn: Any, wanted: Any) -> Any:
        if not robbed:
            robbed.append(wanted[0][1])
        return await issue(conn, [one for one in wanted if one[1] != robbed[0]])

    monkeypatch.setattr(storage, "issue_many", racing)
    outcomes = await take_all(counter, [counter.taking(definition.id) for _ in range(4)])
    codes = Count(outcome.HasField("taken") or outcome.refusal.code for outcome in outcomes)
    assert codes == {True: 3, "unavailable": 1}
    monkeypatch.undo()
    await counter.settle()
    assert await counter.states() == ["issued"] * 4
    await counter.check(given=100)


async def test_ls_38_of_many_uses_in_one_batch_exactly_one_wins(counter: Counter) -> None:
    """LS-38: also beside single calls and other batches, and never by Charlie."""
    await counter.give(100)
    taken = await counter.take((await counter.define(COST)).id)
    charlies = using(counter, taken.id, chain_id=counter.charlies_chain)
    not_hers = using(counter, taken.id, member_id=counter.charlie)
    batch = [charlies, not_hers, *(using(counter, taken.id) for _ in range(20))]
    answers = await asyncio.gather(
        use_all(counter, batch),
        use_all(counter, batch[::-1][:-2]),
        *(counter.stub.UseReward(using(counter, taken.id)) for _ in range(5)),
        return_exceptions=True,
    )
    single = [one.code if isinstance(one, RemoteRefusal) else one for one in answers[2:]]
    outcomes = [*answers[0], *answers[1], *single]
    assert outcomes[:2] == ["not_found", "not_found"]
    won = [one for one in outcomes if not isinstance(one, str)]
    # The same keys stand in both batches: the winner's resend gets its first answer.
    assert len({one.reward.redeemed_at.ToJsonString() for one in won}) == 1
    assert sum(one.HasField("event") for one in won) == 1
    assert {one for one in outcomes[2:] if isinstance(one, str)} == {"already_used"}
    assert len([event for event in await counter.events() if event.kind == USED]) == 1


USED = pb.REWARD_EVENT_KIND_USED


async def test_the_event_of_a_use_is_told_with_it_and_found_again(counter: Counter) -> None:
    await counter.give(100)
    definition = await counter.define(COST)
    taken = [await counter.take(definition.id) for _ in range(3)]
    requests = [using(counter, reward.id) for reward in taken]
    answers = await use_all(counter, requests)
    listed = {event.reward_id: event for event in await counter.events() if event.kind == USED}
    assert [answer.event for answer in answers] == [listed[reward.id] for reward in taken]
    again = await use_all(counter, requests)
    assert [answer.reward.redeemed_at for answer in again] == [
        answer.reward.redeemed_at for answer in answers
    ]
    assert not any(answer.HasField("event") for answer in again)


@pytest.mark.parametrize("count", [0, 257])
async def test_a_batch_holds_one_to_256(counter: Counter, count: int) -> None:
    for ask in (
        take_all(counter, [counter.taking(new_id())] * count),
        use_all(counter, [using(counter, new_id())] * count),
    ):
        with pytest.raises(RemoteRefusal) as refused:
            await ask
        assert refused.value.code == "invalid_value"
