""" "Mes récompenses": using a reward in front of staff (LS-34 to LS-39, D5, D23)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import Salon
from loyalty.rewards.v1.rewards_pb2 import (
    REWARD_STATUS_ISSUED,
    EndDisplayRequest,
    GetRewardRequest,
    Reward,
    UseRewardRequest,
)

from services.chassis.errors import RemoteRefusal
from services.gateway.member import holdings
from services.gateway.member.door import MemberDep, NothingHere, PageRoute, Visit
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Problems,
    new_key,
    problems_of,
    read_fields,
)

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/m/{slug}/rewards")
async def wallet_page(visit: MemberDep) -> Response:
    """What she took and may use, and what she is showing right now."""
    rewards = await holdings.wallet_of(visit.deps.clients, visit.chain.id, visit.member_id)
    return visit.show(
        "rewards.html",
        rewards=rewards,
        session_id=visit.signed_in.session_id,
        zone=visit.zone,
        last_usable_day=holdings.last_usable_day,
        done=visit.request.query_params.get("done", ""),
    )


async def _hers(visit: Visit, reward_id: str) -> Reward:
    """Her reward; another member's is not there (LS-38)."""
    try:
        answer = await visit.deps.clients.rewards.GetReward(
            GetRewardRequest(chain_id=visit.chain.id, reward_id=reward_id)
        )
    except RemoteRefusal:
        raise NothingHere from None
    if answer.reward.member_id != visit.member_id:
        raise NothingHere
    return answer.reward


@router.get("/m/{slug}/rewards/{reward_id}")
async def reward_page(visit: MemberDep, reward_id: str) -> Response:
    """The first "Utiliser" warns; a used reward shows its countdown until its end."""
    return await _reward_page(visit, await _hers(visit, reward_id))


async def _reward_page(
    visit: Visit, reward: Reward, *, problems: Problems = NO_PROBLEMS
) -> Response:
    if reward.status == REWARD_STATUS_ISSUED:
        return await _warning(visit, reward, problems)
    left = await visit.deps.countdowns.read(visit.chain.id, reward.id)
    if left.seconds_left <= 0:
        return visit.go("/rewards")
    salons = await holdings.salons_of(visit.deps, visit.chain.id)
    salon = next((one for one in salons if one.id == reward.redeemed_salon_id), None)
    zone_name = salon.time_zone if salon else visit.chain.home_time_zone
    return visit.show(
        "countdown.html",
        problems=problems,
        reward=reward,
        seconds_left=left.seconds_left,
        is_here=left.used_by_session == visit.signed_in.session_id,
        salon=salon,
        zone_name=zone_name,
        now=datetime.now(UTC),
        zone=ZoneInfo(zone_name),
    )


async def _warning(visit: Visit, reward: Reward, problems: Problems) -> Response:
    if not visit.signed_in.verified:
        here = f"{visit.base}/rewards/{reward.id}"
        return visit.show("verify.html", next_path=here, cancel_path=f"{visit.base}/rewards")
    salons = await holdings.salons_of(visit.deps, visit.chain.id)
    salon = await holdings.salon_of_today(
        visit.deps.clients, visit.chain.id, visit.member_id, salons
    )
    return visit.show(
        "use.html", problems=problems, reward=reward, salons=salons, salon=salon, key=new_key()
    )


@router.post("/m/{slug}/rewards/{reward_id}/use")
async def use(visit: MemberDep, reward_id: str) -> Response:
    """The second "Utiliser": used now, shown for five minutes. Exactly one of many wins."""
    fields = await read_fields(visit.request)
    principal = visit.signed_in
    await visit.deps.limits.check("reward", visit.chain.id, principal.session_id)
    reward = await _hers(visit, reward_id)
    here = f"/rewards/{reward.id}"
    if not principal.verified:
        return visit.go(here)
    salons = await holdings.salons_of(visit.deps, visit.chain.id)
    salon_id = _chosen(fields.text("salon"), salons)
    if not salon_id:
        words = visit.say("Choisissez votre salon.")
        return await _reward_page(visit, reward, problems=Problems(fields={"salon": words}))
    try:
        await visit.deps.clients.rewards.UseReward(
            UseRewardRequest(
                idempotency_key=fields.key,
                chain_id=visit.chain.id,
                reward_id=reward.id,
                member_id=visit.member_id,
                salon_id=salon_id,
                session_id=principal.session_id,
                actor=principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, visit.language, shown={"salon_id": "salon"})
        return await _reward_page(visit, await _hers(visit, reward_id), problems=problems)
    await visit.deps.live.publish(visit.chain.id, visit.member_id, "countdown")
    return visit.go(here)


def _chosen(salon_id: str, salons: list[Salon]) -> str:
    """The salon of the form when it is one of the chain's; a single salon needs no choice."""
    if len(salons) == 1:
        return salons[0].id
    return salon_id if any(salon.id == salon_id for salon in salons) else ""


@router.post("/m/{slug}/rewards/{reward_id}/end")
async def end(visit: MemberDep, reward_id: str) -> Response:
    """ "Retour": the reward is gone from every screen of hers (LS-37). Repeatable."""
    try:
        await visit.deps.clients.rewards.EndDisplay(
            EndDisplayRequest(
                chain_id=visit.chain.id,
                reward_id=reward_id,
                member_id=visit.member_id,
                session_id=visit.signed_in.session_id,
            )
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, visit.language)
        reward = await _hers(visit, reward_id)
        return await _reward_page(visit, reward, problems=problems)
    await visit.deps.live.publish(visit.chain.id, visit.member_id, "countdown")
    return visit.go("/rewards?done=used")


@router.get("/m/{slug}/rewards/{reward_id}/use")
@router.get("/m/{slug}/rewards/{reward_id}/end")
async def back_to_the_reward(visit: MemberDep, reward_id: str) -> Response:
    """These addresses only take forms."""
    return visit.go(f"/rewards/{(await _hers(visit, reward_id)).id}")
