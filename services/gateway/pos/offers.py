"""Offers: what the chain proposes between two dates."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import Annotated, NotRequired

from fastapi import APIRouter
from loyalty.offers.v1 import offers_pb2
from loyalty.rewards.v1.rewards_pb2 import GetOfferTermsRequest
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.chassis.errors import Unavailable
from services.gateway import images
from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.pos.caller import Caller, LoyaltyReader, LoyaltyWriter
from services.gateway.pos.fields import Day, Flag, Key, Name, Note, Part, known_id
from services.gateway.pos.shapes import moment

router = APIRouter(prefix="/loyalty/offers", tags=["Offers"])

KNOWN_SECONDS_MAX = 1.0
KNOWN_PAUSE_SECONDS = 0.03
# Base64 takes four characters for three bytes.
IMAGE_CHARACTERS_MAX = images.UPLOAD_BYTES_MAX // 3 * 4 + 8
_REFUSED_IMAGES = {
    "size": "IMAGE_TOO_LARGE",
    "pixels": "IMAGE_TOO_LARGE",
    "format": "IMAGE_INVALID",
}


class OfferShape(TypedDict):
    """An offer."""

    id: str
    type: str
    title: str
    description: str
    exclusion: str
    start_date: str
    end_date: str
    coupon_expiry_date: NotRequired[str]
    shown_in_app: bool
    visible_now: bool
    created_at: str
    updated_at: str
    version: int
    # Missing: the chain's logo stands in.
    image_url: NotRequired[str]


class OfferAnswer(TypedDict):
    """One offer."""

    offer: OfferShape


class OffersAnswer(TypedDict):
    """The chain's offers."""

    offers: list[OfferShape]


class OfferIn(Part):
    """What is said of an offer. Days are of the chain's home zone and count whole (D7)."""

    title: Name | None = None
    description: Note | None = None
    exclusion: Note | None = None
    start_date: Day | None = None
    end_date: Day | None = None
    coupon_expiry_date: Day | None = None
    shown_in_app: Flag | None = None


class SaveOffer(Part):
    """An offer to make or to change."""

    offer: OfferIn
    idempotency_key: Key | None = None


class OfferImageIn(Part):
    """A picture for an offer."""

    image: Annotated[
        str,
        Field(
            strict=True,
            min_length=1,
            max_length=IMAGE_CHARACTERS_MAX,
            description="A PNG, JPEG or WebP of at most 5 MB, in base64 (RFC 4648). It is drawn "
            "anew, as WebP, without anything that it says of its maker.",
        ),
    ]


class DuplicateOffer(Part):
    """An offer to make again, a year later."""

    idempotency_key: Key | None = None


async def _shape(caller: Caller, offer: offers_pb2.Offer) -> OfferShape:
    chain = await caller.chain()
    base = caller.deps.settings.public_url.rstrip("/")
    return _offer_shape(offer, f"{base}/m/{chain.slug}")


def _offer_shape(offer: offers_pb2.Offer, member_url: str) -> OfferShape:
    shape: OfferShape = {
        "id": offer.id,
        "type": "INSTANT",
        "title": offer.title,
        "description": offer.description,
        "exclusion": offer.exclusion,
        "start_date": offer.start_date,
        "end_date": offer.end_date,
        "shown_in_app": offer.shown_in_app,
        "visible_now": offer.visible_now,
        "created_at": moment(offer.created_at),
        "updated_at": moment(offer.updated_at),
        "version": offer.version,
    }
    if offer.coupon_expiry_date:
        shape["coupon_expiry_date"] = offer.coupon_expiry_date
    if offer.image_digest:
        shape["image_url"] = f"{member_url}/offers/{offer.id}/image/{offer.image_digest}"
    return shape


async def _known(caller: Caller, offer: offers_pb2.Offer) -> None:
    """Wait, for a moment at most, until the wallet knows the offer's new terms.

    The offer stands whatever comes of it: a wallet that is away hears of it later.
    """
    request = GetOfferTermsRequest(chain_id=caller.chain_id, offer_id=offer.id)
    rewards = caller.deps.clients.rewards
    with contextlib.suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(KNOWN_SECONDS_MAX):
            # What another process knows can only be asked.
            while (await rewards.GetOfferTerms(request)).version < offer.version:  # noqa: ASYNC110
                await asyncio.sleep(KNOWN_PAUSE_SECONDS)


_FIELDS = {
    name: f"offer.{name}"
    for name in (
        "title",
        "description",
        "exclusion",
        "start_date",
        "end_date",
        "coupon_expiry_date",
    )
} | {"offer_id": ""}


@router.get("", response_model=OffersAnswer, operation_id="ListOffers")
async def list_offers(caller: LoyaltyReader, visible_only: bool = False) -> Response:
    """The chain's offers, or only those that its app shows now."""
    answer = await caller.deps.clients.offers.ListOffers(
        offers_pb2.ListOffersRequest(chain_id=caller.chain_id, visible_only=visible_only)
    )
    return Json({"offers": [await _shape(caller, offer) for offer in answer.offers]})


@router.post("", response_model=OfferAnswer, operation_id="CreateOffer")
async def create_offer(caller: LoyaltyWriter, body: SaveOffer) -> Response:
    """Make an offer; without `coupon_expiry_date` its coupon never expires (LS-54)."""
    wanted = body.offer
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.offers.CreateOffer(
            offers_pb2.CreateOfferRequest(
                idempotency_key=caller.key(body.idempotency_key),
                chain_id=caller.chain_id,
                title=wanted.title or "",
                description=wanted.description or "",
                exclusion=wanted.exclusion or "",
                start_date=wanted.start_date or "",
                end_date=wanted.end_date or "",
                coupon_expiry_date=wanted.coupon_expiry_date or "",
                shown_in_app=wanted.shown_in_app,
                actor=caller.actor,
            )
        )
    await _known(caller, answer.offer)
    return Json({"offer": await _shape(caller, answer.offer)})


@router.get("/{offer_id}", response_model=OfferAnswer, operation_id="RetrieveOffer")
async def get_offer(caller: LoyaltyReader, offer_id: str) -> Response:
    """One offer."""
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.offers.GetOffer(
            offers_pb2.GetOfferRequest(chain_id=caller.chain_id, offer_id=known_id(offer_id))
        )
    return Json({"offer": await _shape(caller, answer.offer)})


@router.put("/{offer_id}", response_model=OfferAnswer, operation_id="UpdateOffer")
async def update_offer(caller: LoyaltyWriter, offer_id: str, body: SaveOffer) -> Response:
    """Change an offer; fields that are left out stay. `coupon_expiry_date: null` = never."""
    wanted = body.offer
    expiry = wanted.coupon_expiry_date
    if expiry is None and "coupon_expiry_date" in wanted.model_fields_set:
        expiry = ""
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.offers.UpdateOffer(
            offers_pb2.UpdateOfferRequest(
                chain_id=caller.chain_id,
                offer_id=known_id(offer_id),
                title=wanted.title,
                description=wanted.description,
                exclusion=wanted.exclusion,
                start_date=wanted.start_date,
                end_date=wanted.end_date,
                coupon_expiry_date=expiry,
                shown_in_app=wanted.shown_in_app,
                actor=caller.actor,
            )
        )
    await _known(caller, answer.offer)
    return Json({"offer": await _shape(caller, answer.offer)})


@router.delete("/{offer_id}", response_model=OfferAnswer, operation_id="DeleteOffer")
async def delete_offer(caller: LoyaltyWriter, offer_id: str) -> Response:
    """Take an offer away; coupons already taken stay usable (LS-58)."""
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.offers.DeleteOffer(
            offers_pb2.DeleteOfferRequest(
                chain_id=caller.chain_id, offer_id=known_id(offer_id), actor=caller.actor
            )
        )
    await _known(caller, answer.offer)
    return Json({"offer": await _shape(caller, answer.offer)})


@router.post("/{offer_id}/duplicate", response_model=OfferAnswer, operation_id="DuplicateOffer")
async def duplicate_offer(caller: LoyaltyWriter, offer_id: str, body: DuplicateOffer) -> Response:
    """Make last year's offer again: the same words and picture, each day a year later (LS-62)."""
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.offers.DuplicateOffer(
            offers_pb2.DuplicateOfferRequest(
                idempotency_key=caller.key(body.idempotency_key),
                chain_id=caller.chain_id,
                offer_id=known_id(offer_id),
                actor=caller.actor,
            )
        )
    await _known(caller, answer.offer)
    return Json({"offer": await _shape(caller, answer.offer)})


@router.put("/{offer_id}/image", response_model=OfferAnswer, operation_id="SetOfferImage")
async def set_image(caller: LoyaltyWriter, offer_id: str, body: OfferImageIn) -> Response:
    """Give an offer a picture instead of the one that it had (LS-56)."""
    try:
        uploaded = base64.b64decode(body.image, validate=True)
        picture = await images.redraw(uploaded, edge_pixels=images.OFFER_EDGE_PIXELS, photo=True)
    # `binascii.Error` is one of them; so is text beyond ASCII.
    except ValueError:
        raise ApiError.of("IMAGE_INVALID", field="image") from None
    except images.ImageRefused as refused:
        raise ApiError.of(_REFUSED_IMAGES[refused.reason], field="image") from None
    with api_fields(_FIELDS | {"image": "image"}):
        answer = await caller.deps.clients.offers.SetOfferImage(
            offers_pb2.SetOfferImageRequest(
                chain_id=caller.chain_id,
                offer_id=known_id(offer_id),
                image=picture.content,
                media_type=picture.media_type,
                actor=caller.actor,
            )
        )
    return Json({"offer": await _shape(caller, answer.offer)})


@router.delete("/{offer_id}/image", response_model=OfferAnswer, operation_id="DeleteOfferImage")
async def delete_image(caller: LoyaltyWriter, offer_id: str) -> Response:
    """Take an offer's picture away: the chain's logo stands in again (LS-56)."""
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.offers.RemoveOfferImage(
            offers_pb2.RemoveOfferImageRequest(
                chain_id=caller.chain_id, offer_id=known_id(offer_id), actor=caller.actor
            )
        )
    return Json({"offer": await _shape(caller, answer.offer)})
