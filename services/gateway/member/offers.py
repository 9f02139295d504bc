""" "Offres": what the chain proposes today, taken into the wallet as coupons (LS-53, LS-55)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Response
from loyalty.offers.v1.offers_pb2 import GetOfferImageRequest, ListOffersRequest, Offer
from loyalty.rewards.v1.rewards_pb2 import SearchRewardsRequest, TakeOfferRequest

from services.chassis.errors import RemoteRefusal
from services.gateway.clients import Clients
from services.gateway.member.door import MemberDep, NothingHere, PageRoute, Visit, VisitDep
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


async def _offers_page(visit: Visit, *, problems: Problems = NO_PROBLEMS) -> Response:
    clients = visit.deps.clients
    async with asyncio.TaskGroup() as group:
        offers = group.create_task(_visible(clients, visit.chain.id))
        taken = group.create_task(_taken(clients, visit.chain.id, visit.member_id))
    return visit.show(
        "offers.html",
        problems=problems,
        offers=offers.result(),
        taken=taken.result(),
        key=new_key(),
    )


@router.get("/m/{slug}/offers")
async def offers_page(visit: MemberDep) -> Response:
    """The offers between their dates, with description and exclusion before the choice."""
    return await _offers_page(visit)


def _one_of(offers: Sequence[Offer], offer_id: str) -> Offer:
    for offer in offers:
        if offer.id == offer_id:
            return offer
    raise NothingHere


@router.get("/m/{slug}/offers/{offer_id}")
async def offer_page(visit: MemberDep, offer_id: str) -> Response:
    """One offer: where the link of a message leads."""
    offer = _one_of(await _visible(visit.deps.clients, visit.chain.id), offer_id)
    return await _offer_page(visit, offer)


async def _offer_page(visit: Visit, offer: Offer, *, problems: Problems = NO_PROBLEMS) -> Response:
    if not visit.signed_in.verified:
        return visit.show(
            "verify.html",
            next_path=f"{visit.base}/offers/{offer.id}",
            cancel_path=f"{visit.base}/offers",
        )
    taken = await _taken(visit.deps.clients, visit.chain.id, visit.member_id)
    return visit.show("offers.html", problems=problems, offers=[offer], taken=taken, key=new_key())


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
async def take_offer(visit: MemberDep, offer_id: str) -> Response:
    """ "Prendre": a coupon in "Mes récompenses", one for each member and offer."""
    fields = await read_fields(visit.request)
    principal = visit.signed_in
    await visit.deps.limits.check("reward", visit.chain.id, principal.session_id)
    clients = visit.deps.clients
    offer = _one_of(await _visible(clients, visit.chain.id), offer_id)
    if not principal.verified:
        return visit.go(f"/offers/{offer.id}")
    try:
        answer = await clients.rewards.TakeOffer(
            TakeOfferRequest(
                idempotency_key=fields.key,
                chain_id=visit.chain.id,
                member_id=visit.member_id,
                offer_id=offer.id,
                actor=principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return await _offers_page(visit, problems=problems_of(refusal, visit.language))
    await visit.deps.live.publish(visit.chain.id, visit.member_id, "rewards")
    return visit.go("/rewards?done=" + ("coupon_again" if answer.already_taken else "coupon"))


@router.get("/m/{slug}/offers/{offer_id}/take")
async def take_offer_takes_a_form(visit: MemberDep, offer_id: str) -> Response:
    """A link takes nothing."""
    return visit.go("/offers")
