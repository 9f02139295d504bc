""" "Récompenses" of a member: "Remettre à gagné" and "Annuler" (LS-75, LS-76, SQ-16)."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from loyalty.rewards.v1.rewards_pb2 import (
    RestoreRewardRequest,
    Reward,
    SearchRewardsRequest,
    VoidRewardRequest,
)

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.desk import Desk, DeskDep
from services.gateway.admin.history import names_of
from services.gateway.admin.members import cards_of, member_of
from services.gateway.errors import ApiError
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Problems,
    new_key,
    problems_of,
    read_fields,
)

router = APIRouter()

REWARDS_SHOWN = 100


async def _rewards(desk: Desk, member_id: str) -> list[Reward]:
    request = SearchRewardsRequest(chain_id=desk.chain_id, member_id=member_id, limit=REWARDS_SHOWN)
    return list((await desk.deps.clients.rewards.SearchRewards(request)).rewards)


async def _page(desk: Desk, member_id: str, problems: Problems = NO_PROBLEMS) -> Response:
    member = await member_of(desk, member_id)
    rewards, cards, salons = await asyncio.gather(
        _rewards(desk, member.id), cards_of(desk, member.id), desk.salons()
    )
    return desk.show(
        "wallet.html",
        here="members",
        problems=problems,
        member=member,
        rewards=rewards,
        cards=cards,
        salons=names_of(salons),
        key=new_key(),
    )


@router.get("/admin/members/{member_id}/rewards")
async def wallet(desk: DeskDep, member_id: str) -> Response:
    """Everything that she has gained and exchanged, with its dates."""
    return await _page(desk, member_id)


@router.post("/admin/members/{member_id}/rewards/{reward_id}/restore")
async def restore(desk: DeskDep, member_id: str, reward_id: str) -> Response:
    """ "Remettre à gagné": she can use it again; her points stay as they are (LS-75)."""
    fields = await read_fields(desk.request)
    await _check_hers(desk, member_id, reward_id)
    try:
        await desk.deps.clients.rewards.RestoreReward(
            RestoreRewardRequest(
                idempotency_key=fields.key,
                chain_id=desk.chain_id,
                reward_id=reward_id,
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return await _page(desk, member_id, problems_of(refusal, desk.language))
    await desk.deps.live.publish(desk.chain_id, member_id, "rewards")
    return desk.go(f"members/{member_id}/rewards", done="restored")


async def _check_hers(desk: Desk, member_id: str, reward_id: str) -> Reward:
    """The reward, if it is this member's; another's is as good as none."""
    for reward in await _rewards(desk, member_id):
        if reward.id == reward_id:
            return reward
    await member_of(desk, member_id)
    raise ApiError.of("NOT_FOUND")


@router.get("/admin/members/{member_id}/rewards/{reward_id}/void")
async def ask_void(desk: DeskDep, member_id: str, reward_id: str) -> Response:
    """The question before a reward is cancelled: are its points given back? (D35)"""
    member = await member_of(desk, member_id)
    reward = await _check_hers(desk, member_id, reward_id)
    return desk.show("void.html", here="members", member=member, reward=reward, key=new_key())


@router.post("/admin/members/{member_id}/rewards/{reward_id}/void")
async def void(desk: DeskDep, member_id: str, reward_id: str) -> Response:
    """ "Confirmer l'annulation" (SQ-16)."""
    fields = await read_fields(desk.request)
    await _check_hers(desk, member_id, reward_id)
    try:
        await desk.deps.clients.rewards.VoidReward(
            VoidRewardRequest(
                idempotency_key=fields.key,
                chain_id=desk.chain_id,
                reward_id=reward_id,
                return_points=fields["return_points"] == "1",
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return await _page(desk, member_id, problems_of(refusal, desk.language))
    await desk.deps.live.publish(desk.chain_id, member_id, "rewards")
    await desk.deps.live.publish(desk.chain_id, member_id, "points")
    return desk.go(f"members/{member_id}/rewards", done="voided")
