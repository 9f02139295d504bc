""" "Utiliser récompenses" at the counter: take, use twice, count down (LS-13)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Response
from loyalty.rewards.v1.rewards_pb2 import (
    REWARD_STATUS_ISSUED,
    EndDisplayRequest,
    GetRewardRequest,
    Reward,
    RewardDefinition,
    TakeRewardRequest,
    UseRewardRequest,
)

from services.chassis.errors import RemoteRefusal
from services.gateway.member import holdings
from services.gateway.member.door import Elsewhere, PageRoute
from services.gateway.member.holdings import PointsCard
from services.gateway.tablet.door import START, Counter, CounterDep, PresentDep
from services.gateway.web.forms import NO_PROBLEMS, Problems, problems_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)


async def _rewards_page(
    counter: Counter, *, problems: Problems = NO_PROBLEMS, done: str = ""
) -> Response:
    clients, chain_id, member_id = counter.deps.clients, counter.chain.id, counter.member_id
    async with asyncio.TaskGroup() as group:
        cards = group.create_task(holdings.points_cards(clients, chain_id, member_id))
        wallet = group.create_task(holdings.wallet_of(clients, chain_id, member_id))
    return counter.show(
        "rewards.html",
        problems=problems,
        cards=cards.result(),
        rewards=wallet.result(),
        zone=counter.zone,
        last_usable_day=holdings.last_usable_day,
        done=done,
    )


@router.post("/t/rewards")
async def rewards(counter: PresentDep) -> Response:
    """What she qualifies for, and what she has already gained."""
    return await _rewards_page(counter)


async def _offered(
    counter: Counter, definition_id: str
) -> tuple[PointsCard, RewardDefinition] | None:
    """The reward and her card in its program; None when it was deleted meanwhile."""
    cards = await holdings.points_cards(counter.deps.clients, counter.chain.id, counter.member_id)
    for card in cards:
        for definition in card.definitions:
            if definition.id == definition_id:
                return card, definition
    return None


@router.post("/t/take/{definition_id}")
async def take(counter: PresentDep, definition_id: str) -> Response:
    """ "Prendre" asks once; "Confirmer" takes. The registered tablet vouches for her (D34)."""
    clients, chain_id = counter.deps.clients, counter.chain.id
    offered = await _offered(counter, definition_id)
    if offered is None:
        return await _rewards_page(counter)
    card, definition = offered
    if not counter.fields["confirmed"]:
        return counter.show("take.html", definition=definition, card=card)
    try:
        account = await holdings.account_of(
            clients, chain_id, member_id=counter.member_id, program_id=definition.program_id
        )
        await clients.rewards.TakeReward(
            TakeRewardRequest(
                idempotency_key=counter.fields.key,
                chain_id=chain_id,
                account_id=account.id,
                member_id=counter.member_id,
                definition_id=definition.id,
                salon_id=counter.salon_id,
                actor=counter.tablet.actor,
            )
        )
    except RemoteRefusal as refusal:
        return await _rewards_page(counter, problems=problems_of(refusal, counter.language))
    await counter.deps.live.publish(chain_id, counter.member_id, "rewards")
    return await _rewards_page(counter, done="taken")


async def _hers(counter: Counter, reward_id: str) -> Reward:
    try:
        answer = await counter.deps.clients.rewards.GetReward(
            GetRewardRequest(chain_id=counter.chain.id, reward_id=reward_id)
        )
    except RemoteRefusal:
        raise Elsewhere(START) from None
    if answer.reward.member_id != counter.member_id:
        raise Elsewhere(START)
    return answer.reward


async def _reward_page(
    counter: Counter, reward: Reward, *, problems: Problems = NO_PROBLEMS
) -> Response:
    if reward.status == REWARD_STATUS_ISSUED:
        return counter.show("use.html", problems=problems, reward=reward)
    left = await counter.deps.countdowns.read(counter.chain.id, reward.id)
    if left.seconds_left <= 0:
        return await _rewards_page(counter, problems=problems)
    salon = await counter.deps.salons.find(counter.chain.id, reward.redeemed_salon_id)
    zone_name = salon.time_zone if salon else counter.chain.home_time_zone
    return counter.show(
        "countdown.html",
        problems=problems,
        reward=reward,
        seconds_left=left.seconds_left,
        is_here=left.used_by_session == counter.tablet.session_id,
        now=datetime.now(UTC),
        zone=ZoneInfo(zone_name),
        zone_name=zone_name,
    )


@router.post("/t/use/{reward_id}")
async def use(counter: PresentDep, reward_id: str) -> Response:
    """The first "Utiliser" warns, the second uses and begins the five minutes (LS-35, LS-36)."""
    reward = await _hers(counter, reward_id)
    if not counter.fields["confirmed"] or reward.status != REWARD_STATUS_ISSUED:
        return await _reward_page(counter, reward)
    try:
        answer = await counter.deps.clients.rewards.UseReward(
            UseRewardRequest(
                idempotency_key=counter.fields.key,
                chain_id=counter.chain.id,
                reward_id=reward.id,
                member_id=counter.member_id,
                salon_id=counter.salon_id,
                session_id=counter.tablet.session_id,
                actor=counter.tablet.actor,
            )
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, counter.language)
        return await _reward_page(counter, await _hers(counter, reward_id), problems=problems)
    await counter.deps.live.publish(counter.chain.id, counter.member_id, "countdown")
    return await _reward_page(counter, answer.reward)


@router.post("/t/end/{reward_id}")
async def end(counter: PresentDep, reward_id: str) -> Response:
    """ "Retour": gone from every screen of hers (LS-37)."""
    try:
        await counter.deps.clients.rewards.EndDisplay(
            EndDisplayRequest(
                chain_id=counter.chain.id,
                reward_id=reward_id,
                member_id=counter.member_id,
                session_id=counter.tablet.session_id,
            )
        )
    except RemoteRefusal as refusal:
        return await _rewards_page(counter, problems=problems_of(refusal, counter.language))
    await counter.deps.live.publish(counter.chain.id, counter.member_id, "countdown")
    return await _rewards_page(counter, done="used")


@router.get("/t/take/{definition_id}")
@router.get("/t/use/{definition_id}")
@router.get("/t/end/{definition_id}")
async def only_forms(counter: CounterDep, definition_id: str) -> Response:
    """These addresses only take forms."""
    return counter.start()
