"""Everybody presses at once: one reward for one balance, one use, one sale for one key.

All of it over HTTP and through two gateways (reliability.md 2, tests 7 and 8).
"""

from __future__ import annotations

import pytest

from tests.chaos.scale import scaled, show
from tests.chaos.tills import COST, Chain, Till, fresh_key
from tests.concurrency.crowd import Crowd, Press, assert_well_formed
from tests.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.stack, pytest.mark.timeout(900)]

TAKES, TAKE_ROUNDS = 50, 20
USES, USE_ROUNDS = 1_000, 10
EARNS, EARN_ROUNDS = 200, 10


def _take(chain: Chain, account: str, key: str) -> Press:
    wanted = {"loyalty_account_id": account, "reward_tier_id": chain.tier_id}
    return Press(path="/v2/loyalty/rewards", body={"idempotency_key": key, "reward": wanted})


def _use(chain: Chain, reward: str) -> Press:
    return Press(
        path=f"/v2/loyalty/rewards/{reward}/redeem",
        body={"idempotency_key": fresh_key(), "location_id": chain.salon_id},
    )


def _earn(chain: Chain, account: str, key: str, points: int) -> Press:
    return Press(
        path=f"/v2/loyalty/accounts/{account}/accumulate",
        body={
            "idempotency_key": key,
            "location_id": chain.salon_id,
            "accumulate_points": {"points": points},
        },
    )


async def test_a_balance_that_affords_one_reward_gives_one(chain: Chain, crowd: Crowd) -> None:
    """LS-33, N4: 50 parallel takes of a reward that the balance affords once give one reward.

    Goal: points are never spent twice, and none is lost in the attempt.
    Method: 50 takes with keys of their own at the same moment; the 49 others are refused as
    INSUFFICIENT_POINTS, one reward stands in the wallet, and the balance lacks its cost once.
    """
    rounds = scaled(TAKE_ROUNDS)
    seconds, later = 0.0, 0
    async with Till(chain) as till:
        for _ in range(rounds):
            account = await till.enrol(points=2 * COST - 1)
            outcome = await crowd.press([_take(chain, account, fresh_key()) for _ in range(TAKES)])
            assert outcome.statuses == {200: 1, 400: TAKES - 1}
            for refused in outcome.with_status(400):
                assert_well_formed(refused, "INSUFFICIENT_POINTS", "points")
            taken = outcome.with_status(200)[0].json()["reward"]["id"]
            assert await till.rewards(account) == {taken: "ISSUED"}
            assert await till.balance(account) == COST - 1
            seconds += outcome.seconds
            later += outcome.later
    show(f"{rounds} × {TAKES} takes", winners=rounds, seconds=seconds, come_again=later)


async def test_one_take_pressed_fifty_times_is_one_reward(chain: Chain, crowd: Crowd) -> None:
    """LS-33: two confirmations of the same request are one reward, and so are fifty.

    Method: the balance would afford fifty; all of them bear the same key and get the same answer.
    """
    async with Till(chain) as till:
        account = await till.enrol(points=COST * TAKES)
        key = fresh_key()
        outcome = await crowd.press([_take(chain, account, key) for _ in range(TAKES)])
        assert outcome.statuses == {200: TAKES}
        assert len({answer.body for answer in outcome.answers}) == 1
        taken = outcome.answers[0].json()["reward"]["id"]
        assert await till.rewards(account) == {taken: "ISSUED"}
        assert await till.balance(account) == COST * (TAKES - 1)
    show(f"{TAKES} takes by one key", rewards=1, seconds=outcome.seconds)


async def test_a_thousand_parallel_uses_are_one_use(chain: Chain, crowd: Crowd) -> None:
    """LS-38, reliability test 7: of 1,000 parallel uses of one reward exactly one succeeds.

    Goal: a reward is shown to staff once, whoever presses and however often.
    Method: 1,000 uses with keys of their own through two gateways; 999 well-formed 409, one event.
    """
    rounds = scaled(USE_ROUNDS)
    seconds, later = 0.0, 0
    async with Till(chain) as till:
        for _ in range(rounds):
            account = await till.enrol(points=COST)
            reward = await till.take(account)
            outcome = await crowd.press([_use(chain, reward) for _ in range(USES)])
            assert outcome.statuses == {200: 1, 409: USES - 1}
            for refused in outcome.with_status(409):
                assert_well_formed(refused, "CONFLICT", "This reward has been used already.")
            assert await till.uses(account) == [reward]
            assert await till.rewards(account) == {reward: "REDEEMED"}
            assert await till.balance(account) == 0
            seconds += outcome.seconds
            later += outcome.later
    show(f"{rounds} × {USES} uses", winners=rounds, seconds=seconds, come_again=later)


async def test_two_hundred_earns_by_one_key_are_one_earn(chain: Chain, crowd: Crowd) -> None:
    """Reliability test 8: 200 concurrent earns with the same key have one effect and one answer."""
    rounds = scaled(EARN_ROUNDS)
    seconds = 0.0
    async with Till(chain) as till:
        for _ in range(rounds):
            account = await till.enrol()
            key = fresh_key()
            outcome = await crowd.press([_earn(chain, account, key, 7) for _ in range(EARNS)])
            assert outcome.statuses == {200: EARNS}
            assert len({answer.body for answer in outcome.answers}) == 1
            assert await till.balance(account) == 7
            seconds += outcome.seconds
    show(f"{rounds} × {EARNS} earns by one key", effects=rounds, seconds=seconds)


async def test_two_hundred_earns_by_their_own_keys_all_count(
    stack: Stack, chain: Chain, crowd: Crowd
) -> None:
    """Reliability test 8: 200 concurrent earns with 200 keys have 200 effects.

    On one account and spread over twenty. Afterwards the ledger check is clean: every balance
    equals its entries, in their sequence.
    """
    rounds = scaled(EARN_ROUNDS)
    seconds = 0.0
    async with Till(chain) as till:
        for number in range(rounds):
            accounts = [await till.enrol() for _ in range(1 if number % 2 == 0 else 20)]
            presses = [
                _earn(chain, accounts[place % len(accounts)], fresh_key(), 3)
                for place in range(EARNS)
            ]
            outcome = await crowd.press(presses)
            assert outcome.statuses == {200: EARNS}
            assert len({answer.body for answer in outcome.answers}) == EARNS
            balances = [await till.balance(account) for account in accounts]
            assert balances == [3 * EARNS // len(accounts)] * len(accounts)
            seconds += outcome.seconds
    show(f"{rounds} × {EARNS} earns", effects=rounds * EARNS, seconds=seconds)
    check = await stack.ledger_check()
    assert check.exit_code == 0, check.output
