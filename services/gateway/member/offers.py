""" "Offres": what the chain proposes today, taken into the wallet as coupons (LS-53, LS-55)."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from loyalty.offers.v1.offers_pb2 import GetOfferImageRequest, ListOffersRequest, Offer
from loyalty.rewards.v1.rewards_pb2 import SearchRewardsRequest

from services.chassis.errors import RemoteRefusal
from services.gateway.clients import Clients
from services.gateway.member.door import MemberDep, NothingHere, PageRoute, Visit, VisitDep
from services.gateway.member.offered import can_be_taken, offer_of, take, taken_path
from services.gateway.web.assets import FOREVER
from services.gateway.web.forms import NO_PROBLEMS, Problems, new_key, problems_of, read_fields

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# Her newest rewards, among which the coupons of the running offers are.
REWARDS_READ = 200


async def _visible(clients: Clients, chain_id: str) -> list[Offer]:
    request = ListOffersRequest(chain_id=chain_id, visible_only=True)
    return list((await clients.offers.ListOffers(request)).offers)


async def _taken(clients: Clients, chain_id: str, member_id: str) -> set[str]:
    """Offers that she has taken, used coupons included."""
    answer = await clients.rewards.SearchRewards(
        SearchRewardsRequest(chain_id=chain_id, member_id=member_id, limit=REWARDS_READ)
    )
    return {reward.offer_id for reward in answer.rewards if reward.offer_id}


@router.get("/m/{slug}/offers")
async def offers_page(visit: MemberDep) -> Response:
    """The offers between their dates, with description and exclusion before the choice."""
    clients = visit.deps.clients
    async with asyncio.TaskGroup() as group:
        offers = group.create_task(_visible(clients, visit.chain.id))
        taken = group.create_task(_taken(clients, visit.chain.id, visit.member_id))
    return visit.show(
        "offers.html", offers=offers.result(), taken=taken.result(), key=new_key(), alone=False
    )


@router.get("/m/{slug}/offers/{offer_id}")
async def offer_page(visit: VisitDep, offer_id: str) -> Response:
    """One offer: where the link of a message leads. A visitor is asked in, and comes back."""
    offer = await offer_of(visit, offer_id)
    if not can_be_taken(offer):
        return await _closed_page(visit, offer)
    if visit.principal is None:
        raise visit.asked_in()
    return await _offer_page(visit, offer)


async def _offer_page(visit: Visit, offer: Offer, *, problems: Problems = NO_PROBLEMS) -> Response:
    taken = await _taken(visit.deps.clients, visit.chain.id, visit.member_id)
    return visit.show(
        "offers.html", problems=problems, offers=[offer], taken=taken, key=new_key(), alone=True
    )


async def _closed_page(visit: Visit, offer: Offer) -> Response:
    """What is the matter with an offer that cannot be taken today, and a way on."""
    taken: set[str] = set()
    if visit.principal is not None:
        taken = await _taken(visit.deps.clients, visit.chain.id, visit.member_id)
    return visit.show("offer_closed.html", offer=offer, taken=offer.id in taken, mark=visit.mark)


@router.get("/m/{slug}/offers/{offer_id}/verify")
async def verify_for_offer(visit: MemberDep, offer_id: str) -> Response:
    """The code that comes before the first coupon; with it the offer is hers at once (D34)."""
    offer = await offer_of(visit, offer_id)
    here = f"/offers/{offer.id}"
    if visit.signed_in.verified or not can_be_taken(offer):
        return visit.go(here)
    return visit.show(
        "verify.html",
        reason=visit.say(
            "Pour prendre « %(offer)s », nous vérifions une seule fois que c'est bien vous. "
            "Nous vous envoyons un code; entrez-le, et l'offre est à vous.",
            offer=offer.title,
        ),
        next_path=visit.base + here,
        cancel_path=visit.base + here,
        offer_id=offer.id,
    )


@router.get("/m/{slug}/offers/{offer_id}/image/{digest}")
async def offer_picture(visit: VisitDep, offer_id: str, digest: str) -> Response:
    """An offer's picture, under an address of its own making: a phone fetches it once (LS-56)."""
    request = GetOfferImageRequest(chain_id=visit.chain.id, offer_id=offer_id, digest=digest)
    try:
        answer = await visit.deps.clients.offers.GetOfferImage(request)
    except RemoteRefusal:
        raise NothingHere from None
    return Response(answer.image, media_type=answer.media_type, headers={"cache-control": FOREVER})


@router.post("/m/{slug}/offers/{offer_id}/take")
async def take_offer(visit: VisitDep, offer_id: str) -> Response:
    """ "Prendre": a coupon in "Mes récompenses", one for each member and offer."""
    fields = await read_fields(visit.request)
    principal = visit.principal
    if principal is None:
        # Her session ended while she read: the offer's own page asks her in, and she comes back.
        return visit.go(f"/offers/{(await offer_of(visit, offer_id)).id}")
    await visit.deps.limits.check("reward", visit.chain.id, principal.session_id)
    offer = await offer_of(visit, offer_id)
    if not can_be_taken(offer):
        return await _closed_page(visit, offer)
    if not principal.verified:
        return visit.go(f"/offers/{offer.id}/verify")
    try:
        before = await take(visit, offer.id, actor=principal.actor, key=fields.key)
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, visit.language)
        return await _offer_page(visit, offer, problems=problems)
    return visit.go(taken_path(before=before))


@router.get("/m/{slug}/offers/{offer_id}/take")
async def take_offer_takes_a_form(visit: MemberDep, offer_id: str) -> Response:
    """A link takes nothing."""
    return visit.go("/offers")
