""" "Créer / modifier Offres": what a chain proposes between two dates (LS-49 to LS-58)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from fastapi import APIRouter, Response
from loyalty.offers.v1.offers_pb2 import (
    CreateOfferRequest,
    DeleteOfferRequest,
    DuplicateOfferRequest,
    GetOfferImageRequest,
    GetOfferRequest,
    ListOffersRequest,
    Offer,
    RemoveOfferImageRequest,
    SetOfferImageRequest,
    UpdateOfferRequest,
)
from loyalty.rewards.v1.rewards_pb2 import GetOfferTermsRequest
from starlette.datastructures import UploadFile

from services.chassis.errors import RemoteRefusal, Unavailable
from services.gateway import images
from services.gateway.admin.design import REFUSED
from services.gateway.admin.desk import Desk, DeskDep, ManagerDesk
from services.gateway.errors import ApiError
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
    desk: Desk, fields: Fields, *, offer: Offer | None = None, problems: Problems = NO_PROBLEMS
) -> Response:
    return desk.show(
        "offer.html",
        here="offers",
        problems=problems,
        fields=fields,
        offer=offer,
        key=new_key(),
    )


async def _picture(desk: Desk) -> images.Image | None:
    """What was chosen under "Choisissez Fichier", drawn anew; refuses with `ImageRefused`."""
    form = await desk.request.form(max_files=1, max_fields=40)
    file = form.get("image")
    uploaded = await file.read() if isinstance(file, UploadFile) else b""
    if not uploaded:
        return None
    return await images.redraw(uploaded, edge_pixels=images.OFFER_EDGE_PIXELS, photo=True)


def _not_a_picture(desk: Desk, refused: images.ImageRefused) -> Problems:
    return Problems(fields={"image": desk.say(REFUSED[refused.reason])})


async def _with_picture(desk: Desk, offer: Offer, picture: images.Image | None) -> Offer:
    """The offer with the chosen picture, or back to the logo if that was ticked (LS-56)."""
    clients, actor = desk.deps.clients, desk.principal.actor
    if picture is not None:
        return (
            await clients.offers.SetOfferImage(
                SetOfferImageRequest(
                    chain_id=desk.chain_id,
                    offer_id=offer.id,
                    image=picture.content,
                    media_type=picture.media_type,
                    actor=actor,
                )
            )
        ).offer
    if (await read_fields(desk.request))["no_image"] == "1":
        request = RemoveOfferImageRequest(
            chain_id=desk.chain_id, offer_id=offer.id, actor=desk.principal.actor
        )
        return (await clients.offers.RemoveOfferImage(request)).offer
    return offer


@router.get("/admin/offers/new")
async def new_offer(desk: ManagerDesk) -> Response:
    """An empty form; shown in the app unless it is unticked."""
    return _form(desk, Fields(shown_in_app="1"))


@router.post("/admin/offers/new")
async def create_offer(desk: ManagerDesk) -> Response:
    """ "Sauvegarder" of a new offer; a file that is no picture is refused before it is made."""
    try:
        picture = await _picture(desk)
    except images.ImageRefused as refused:
        fields = await read_fields(desk.request)
        return _form(desk, fields, problems=_not_a_picture(desk, refused))
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
    await _wait_until_known(desk, await _with_picture(desk, answer.offer, picture))
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
    offer = (await desk.deps.clients.offers.GetOffer(request)).offer
    if offer.deleted:
        raise ApiError.of("NOT_FOUND")
    return offer


@router.get("/admin/offers/{offer_id}")
async def offer_page(desk: ManagerDesk, offer_id: str) -> Response:
    """ "Modifier" of one offer."""
    offer = await _offer(desk, offer_id)
    fields = Fields({name: getattr(offer, name) for name in _TEXTS})
    fields["shown_in_app"] = "1" if offer.shown_in_app else ""
    return _form(desk, fields, offer=offer)


@router.post("/admin/offers/{offer_id}")
async def save_offer(desk: ManagerDesk, offer_id: str) -> Response:
    """ "Sauvegarder": coupons already taken keep their terms (LS-58)."""
    offer = await _offer(desk, offer_id)
    try:
        picture = await _picture(desk)
    except images.ImageRefused as refused:
        fields = await read_fields(desk.request)
        return _form(desk, fields, offer=offer, problems=_not_a_picture(desk, refused))
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
        return _form(desk, fields, offer=offer, problems=problems)
    await _wait_until_known(desk, await _with_picture(desk, answer.offer, picture))
    return desk.go("offers", done="saved")


@router.get("/admin/offers/{offer_id}/image/{digest}")
async def offer_picture(desk: DeskDep, offer_id: str, digest: str) -> Response:
    """The picture as the editor shows it."""
    answer = await desk.deps.clients.offers.GetOfferImage(
        GetOfferImageRequest(chain_id=desk.chain_id, offer_id=offer_id, digest=digest)
    )
    return Response(
        answer.image,
        media_type=answer.media_type,
        headers={"cache-control": "private, max-age=86400, immutable"},
    )


@router.get("/admin/offers/{offer_id}/duplicate")
async def ask_duplicate(desk: ManagerDesk, offer_id: str) -> Response:
    """What "Dupliquer" will make, before it is made (LS-62)."""
    return desk.show(
        "offer_duplicate.html",
        here="offers",
        offer=await _offer(desk, offer_id),
        key=new_key(),
    )


@router.post("/admin/offers/{offer_id}/duplicate")
async def duplicate_offer(desk: ManagerDesk, offer_id: str) -> Response:
    """ "Dupliquer": the same words and picture a year later, opened in the editor (LS-62)."""
    fields = await read_fields(desk.request)
    try:
        answer = await desk.deps.clients.offers.DuplicateOffer(
            DuplicateOfferRequest(
                idempotency_key=fields.key,
                chain_id=desk.chain_id,
                offer_id=offer_id,
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return desk.show(
            "offer_duplicate.html",
            here="offers",
            problems=problems_of(refusal, desk.language),
            offer=await _offer(desk, offer_id),
            key=new_key(),
        )
    await _wait_until_known(desk, answer.offer)
    return desk.go(f"offers/{answer.offer.id}", done="created")


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
