""" "Ma carte de points": home, the card, and taking a reward (LS-29 to LS-33, LS-82)."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import GetMemberRequest
from loyalty.rewards.v1.rewards_pb2 import RewardDefinition, TakeRewardRequest

from services.chassis.errors import RemoteRefusal
from services.gateway.auth import set_cookie
from services.gateway.member import holdings
from services.gateway.member.door import (
    MEMBER_COOKIE_SECONDS,
    MemberDep,
    NothingHere,
    PageRoute,
    Visit,
    VisitDep,
)
from services.gateway.member.install import phone_kind
from services.gateway.member.join import join_page
from services.gateway.web.forms import NO_PROBLEMS, Problems, new_key, problems_of, read_fields

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# Says that this phone has been here: the home-screen hint is for the first visit only (LS-22).
SEEN_COOKIE = "meche_seen"


@router.get("/m/{slug}")
async def home(visit: VisitDep) -> Response:
    """The mobile URL: the four squares for a member, the form to become one for a visitor."""
    first_visit = SEEN_COOKIE not in visit.request.cookies
    if visit.principal is None:
        response = await join_page(visit, first_visit=first_visit)
    else:
        response = await _member_home(visit, first_visit)
    if first_visit:
        set_cookie(
            response,
            visit.deps,
            SEEN_COOKIE,
            "1",
            path=visit.base,
            max_age_seconds=MEMBER_COOKIE_SECONDS,
        )
    return response


@router.get("/m/{slug}/")
async def home_with_a_slash(visit: VisitDep) -> Response:
    """Same page, typed with a slash at its end (LS-45)."""
    query = visit.request.url.query
    return visit.go(f"?{query}" if query else "")


async def _given_name(visit: Visit) -> str:
    request = GetMemberRequest(chain_id=visit.chain.id, member_id=visit.member_id)
    return (await visit.deps.clients.enrollment.GetMember(request)).member.given_name


async def _member_home(visit: Visit, first_visit: bool) -> Response:
    clients = visit.deps.clients
    async with asyncio.TaskGroup() as group:
        cards = group.create_task(holdings.points_cards(clients, visit.chain.id, visit.member_id))
        wallet = group.create_task(holdings.wallet_of(clients, visit.chain.id, visit.member_id))
        person = group.create_task(_given_name(visit))
    done = visit.request.query_params.get("done", "")
    return visit.show(
        "home.html",
        cards=cards.result(),
        given_name=person.result(),
        rewards_to_use=len(wallet.result()),
        done=done,
        # A new member sees the hint on the page that welcomes her: it is still her first visit.
        shows_hint=first_visit or done == "welcome",
        phone=phone_kind(visit.request),
    )


@router.get("/m/{slug}/card")
async def card_page(visit: MemberDep) -> Response:
    """Her points, what is missing, every reward with "Prendre" where it can be taken."""
    cards = await holdings.points_cards(visit.deps.clients, visit.chain.id, visit.member_id)
    return visit.show("card.html", cards=cards, done=visit.request.query_params.get("done", ""))


async def _offered(visit: Visit, definition_id: str) -> RewardDefinition:
    definitions = await holdings.definitions_of(visit.deps.clients, visit.chain.id)
    for definition in definitions:
        if definition.id == definition_id:
            return definition
    raise NothingHere


async def _take_page(
    visit: Visit, definition_id: str, *, problems: Problems = NO_PROBLEMS
) -> Response:
    definition = await _offered(visit, definition_id)
    here = f"{visit.base}/take/{definition.id}"
    if not visit.signed_in.verified:
        return visit.show("verify.html", next_path=here, cancel_path=f"{visit.base}/card")
    cards = await holdings.points_cards(visit.deps.clients, visit.chain.id, visit.member_id)
    card = next((one for one in cards if one.program.id == definition.program_id), None)
    if card is None:
        raise NothingHere
    return visit.show(
        "take.html", problems=problems, definition=definition, card=card, key=new_key()
    )


@router.get("/m/{slug}/take/{definition_id}")
async def take_page(visit: MemberDep, definition_id: str) -> Response:
    """The confirmation: what leaves, and where the reward is used. Nothing changes yet (D22)."""
    return await _take_page(visit, definition_id)


@router.post("/m/{slug}/take/{definition_id}")
async def take(visit: MemberDep, definition_id: str) -> Response:
    """ "Confirmer": the points leave now, and she is back at her card (LS-33)."""
    fields = await read_fields(visit.request)
    principal = visit.signed_in
    await visit.deps.limits.check("reward", visit.chain.id, principal.session_id)
    definition = await _offered(visit, definition_id)
    if not principal.verified:
        return visit.go(f"/take/{definition.id}")
    clients = visit.deps.clients
    try:
        account = await holdings.account_of(
            clients, visit.chain.id, member_id=visit.member_id, program_id=definition.program_id
        )
        await clients.rewards.TakeReward(
            TakeRewardRequest(
                idempotency_key=fields.key,
                chain_id=visit.chain.id,
                account_id=account.id,
                member_id=visit.member_id,
                definition_id=definition.id,
                actor=principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, visit.language)
        return await _take_page(visit, definition_id, problems=problems)
    await visit.deps.live.publish(visit.chain.id, visit.member_id, "rewards")
    return visit.go("/card?done=taken")
