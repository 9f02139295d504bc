""" "Créer / modifier Offres": what a chain proposes between two dates (LS-49 to LS-58)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from fastapi import APIRouter, Response
from loyalty.offers.v1.offers_pb2 import (
    CreateOfferRequest,
    DeleteOfferRequest,
    GetOfferRequest,
    ListOffersRequest,
    Offer,
    UpdateOfferRequest,
)
from loyalty.rewards.v1.rewards_pb2 import GetOfferTermsRequest

from services.chassis.errors import RemoteRefusal, Unavailable
from services.gateway.admin.desk import Desk, DeskDep, ManagerDesk
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    new_key,
    problems_of,
    read_fields,
)

router = APIRouter()

_TEXTS: Final = (
    "title",
    "description",
    "exclusion",
    "start_date",
    "end_date",
    "coupon_expiry_date",
)
_SHOWN: Final = {name: name for name in _TEXTS}
# The event travels in a few hundredths of a second; longer means that Kafka is away, and then the
# page goes on: whoever takes the offer too early is asked to try again.
KNOWN_SECONDS_MAX = 1.0
KNOWN_PAUSE_SECONDS = 0.03


@router.get("/admin/offers")
async def offers(desk: DeskDep) -> Response:
    """Every offer, the newest dates first, with "Créer Offre" in the blue bar (LS-49)."""
    answer = await desk.deps.clients.offers.ListOffers(ListOffersRequest(chain_id=desk.chain_id))
    return desk.show("offers.html", here="offers", offers=answer.offers)


def _form(
    desk: Desk, fields: Fields, *, offer_id: str = "", problems: Problems = NO_PROBLEMS
) -> Response:
    return desk.show(
        "offer.html",
        here="offers",
        problems=problems,
        fields=fields,
        offer_id=offer_id,
        key=new_key(),
    )


@router.get("/admin/offers/new")
async def new_offer(desk: ManagerDesk) -> Response:
    """An empty form; shown in the app unless it is unticked."""
    return _form(desk, Fields(shown_in_app="1"))


@router.post("/admin/offers/new")
async def create_offer(desk: ManagerDesk) -> Response:
    """ "Sauvegarder" of a new offer."""
    fields = await read_fields(desk.request)
    try:
        answer = await desk.deps.clients.offers.CreateOffer(
            CreateOfferRequest(
                idempotency_key=fields.key,
                chain_id=desk.chain_id,
                shown_in_app=fields["shown_in_app"] == "1",
                actor=desk.principal.actor,
                **{name: fields.text(name) for name in _TEXTS},
            )
        )
    except RemoteRefusal as refusal:
        return _form(desk, fields, problems=problems_of(refusal, desk.language, shown=_SHOWN))
    await _wait_until_known(desk, answer.offer)
    return desk.go("offers", done="created")


async def _wait_until_known(desk: Desk, offer: Offer) -> None:
    """Until a member who sees the offer can also take it, or for a moment at most.

    The offer stands whatever comes of it: a wallet that is away hears of it later.
    """
    request = GetOfferTermsRequest(chain_id=desk.chain_id, offer_id=offer.id)
    rewards = desk.deps.clients.rewards
    with contextlib.suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(KNOWN_SECONDS_MAX):
            # What another process knows can only be asked.
            while (await rewards.GetOfferTerms(request)).version < offer.version:  # noqa: ASYNC110
                await asyncio.sleep(KNOWN_PAUSE_SECONDS)


async def _offer(desk: Desk, offer_id: str) -> Offer:
    request = GetOfferRequest(chain_id=desk.chain_id, offer_id=offer_id)
    return (await desk.deps.clients.offers.GetOffer(request)).offer


@router.get("/admin/offers/{offer_id}")
async def offer_page(desk: ManagerDesk, offer_id: str) -> Response:
    """ "Modifier" of one offer."""
    offer = await _offer(desk, offer_id)
    fields = Fields({name: getattr(offer, name) for name in _TEXTS})
    fields["shown_in_app"] = "1" if offer.shown_in_app else ""
    return _form(desk, fields, offer_id=offer.id)


@router.post("/admin/offers/{offer_id}")
async def save_offer(desk: ManagerDesk, offer_id: str) -> Response:
    """ "Sauvegarder": coupons already taken keep their terms (LS-58)."""
    fields = await read_fields(desk.request)
    try:
        answer = await desk.deps.clients.offers.UpdateOffer(
            UpdateOfferRequest(
                chain_id=desk.chain_id,
                offer_id=offer_id,
                shown_in_app=fields["shown_in_app"] == "1",
                actor=desk.principal.actor,
                **{name: fields.text(name) for name in _TEXTS},
            )
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language, shown=_SHOWN)
        return _form(desk, fields, offer_id=offer_id, problems=problems)
    await _wait_until_known(desk, answer.offer)
    return desk.go("offers", done="saved")


@router.get("/admin/offers/{offer_id}/delete")
async def ask_delete(desk: ManagerDesk, offer_id: str) -> Response:
    """The question before an offer goes (LS-58)."""
    return desk.show("offer_delete.html", here="offers", offer=await _offer(desk, offer_id))


@router.post("/admin/offers/{offer_id}/delete")
async def delete_offer(desk: ManagerDesk, offer_id: str) -> Response:
    """ "Supprimer": gone from the app; coupons already taken stay usable."""
    answer = await desk.deps.clients.offers.DeleteOffer(
        DeleteOfferRequest(chain_id=desk.chain_id, offer_id=offer_id, actor=desk.principal.actor)
    )
    await _wait_until_known(desk, answer.offer)
    return desk.go("offers", done="deleted")
