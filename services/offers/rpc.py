"""gRPC servicer of offers: proto → use case → proto, and the one table from refusal to status."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.offers.v1 import offers_pb2, offers_pb2_grpc
from loyalty.types.v1 import types_pb2

from services.offers.domain import errors
from services.offers.domain.offer import ChainId, Change, Draft, OfferId
from services.offers.usecases import offers as usecases
from services.offers.usecases import pictures
from services.offers.usecases.deps import By, Deps, Shown

_UUID_FORM = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", re.ASCII)

STATUS: dict[type[Exception], grpc.StatusCode] = {
    errors.ChainUnknown: grpc.StatusCode.UNAVAILABLE,
    errors.OfferNotFound: grpc.StatusCode.NOT_FOUND,
    errors.ImageNotFound: grpc.StatusCode.NOT_FOUND,
    errors.Refusal: grpc.StatusCode.INVALID_ARGUMENT,
}


def register(deps: Deps) -> Callable[[grpc.aio.Server], None]:
    """What adds the servicer to a server."""

    def add(server: grpc.aio.Server) -> None:
        offers_pb2_grpc.add_OffersServiceServicer_to_server(Servicer(deps), server)

    return add


class Servicer(offers_pb2_grpc.OffersServiceServicer):
    """The offers service at its door."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def CreateOffer(
        self, request: offers_pb2.CreateOfferRequest, context: object
    ) -> offers_pb2.CreateOfferResponse:
        """`usecases.create_offer`."""
        shown = await usecases.create_offer(
            self._deps,
            usecases.CreateOffer(
                chain_id=_chain_id(request.chain_id),
                idempotency_key=request.idempotency_key,
                draft=Draft(
                    title=request.title,
                    description=request.description,
                    exclusion=request.exclusion,
                    start_date=request.start_date,
                    end_date=request.end_date,
                    coupon_expiry_date=request.coupon_expiry_date,
                    shown_in_app=(
                        request.shown_in_app if request.HasField("shown_in_app") else True
                    ),
                ),
                by=_by(request.actor),
            ),
        )
        return offers_pb2.CreateOfferResponse(offer=_to_proto(shown))

    async def UpdateOffer(
        self, request: offers_pb2.UpdateOfferRequest, context: object
    ) -> offers_pb2.UpdateOfferResponse:
        """`usecases.update_offer`."""
        shown = await usecases.update_offer(
            self._deps,
            usecases.UpdateOffer(
                chain_id=_chain_id(request.chain_id),
                offer_id=_offer_id(request.offer_id),
                change=_change(request),
                by=_by(request.actor),
            ),
        )
        return offers_pb2.UpdateOfferResponse(offer=_to_proto(shown))

    async def DeleteOffer(
        self, request: offers_pb2.DeleteOfferRequest, context: object
    ) -> offers_pb2.DeleteOfferResponse:
        """`usecases.delete_offer`."""
        shown = await usecases.delete_offer(
            self._deps,
            usecases.DeleteOffer(
                chain_id=_chain_id(request.chain_id),
                offer_id=_offer_id(request.offer_id),
                by=_by(request.actor),
            ),
        )
        return offers_pb2.DeleteOfferResponse(offer=_to_proto(shown))

    async def GetOffer(
        self, request: offers_pb2.GetOfferRequest, context: object
    ) -> offers_pb2.GetOfferResponse:
        """`usecases.get_offer`."""
        shown = await usecases.get_offer(
            self._deps, _chain_id(request.chain_id), _offer_id(request.offer_id)
        )
        return offers_pb2.GetOfferResponse(offer=_to_proto(shown))

    async def ListOffers(
        self, request: offers_pb2.ListOffersRequest, context: object
    ) -> offers_pb2.ListOffersResponse:
        """`usecases.list_offers`."""
        shown = await usecases.list_offers(
            self._deps, _chain_id(request.chain_id), visible_only=request.visible_only
        )
        return offers_pb2.ListOffersResponse(offers=[_to_proto(one) for one in shown])

    async def DuplicateOffer(
        self, request: offers_pb2.DuplicateOfferRequest, context: object
    ) -> offers_pb2.DuplicateOfferResponse:
        """`usecases.duplicate_offer`."""
        shown = await usecases.duplicate_offer(
            self._deps,
            usecases.DuplicateOffer(
                chain_id=_chain_id(request.chain_id),
                idempotency_key=request.idempotency_key,
                offer_id=_offer_id(request.offer_id),
                by=_by(request.actor),
            ),
        )
        return offers_pb2.DuplicateOfferResponse(offer=_to_proto(shown))

    async def SetOfferImage(
        self, request: offers_pb2.SetOfferImageRequest, context: object
    ) -> offers_pb2.SetOfferImageResponse:
        """`pictures.set_picture`."""
        shown = await pictures.set_picture(
            self._deps,
            pictures.SetPicture(
                chain_id=_chain_id(request.chain_id),
                offer_id=_offer_id(request.offer_id),
                content=request.image,
                media_type=request.media_type,
                by=_by(request.actor),
            ),
        )
        return offers_pb2.SetOfferImageResponse(offer=_to_proto(shown))

    async def RemoveOfferImage(
        self, request: offers_pb2.RemoveOfferImageRequest, context: object
    ) -> offers_pb2.RemoveOfferImageResponse:
        """`pictures.remove_picture`."""
        shown = await pictures.remove_picture(
            self._deps,
            pictures.RemovePicture(
                chain_id=_chain_id(request.chain_id),
                offer_id=_offer_id(request.offer_id),
                by=_by(request.actor),
            ),
        )
        return offers_pb2.RemoveOfferImageResponse(offer=_to_proto(shown))

    async def GetOfferImage(
        self, request: offers_pb2.GetOfferImageRequest, context: object
    ) -> offers_pb2.GetOfferImageResponse:
        """`pictures.get_picture`."""
        picture = await pictures.get_picture(
            self._deps,
            _chain_id(request.chain_id),
            _offer_id(request.offer_id),
            request.digest,
        )
        return offers_pb2.GetOfferImageResponse(
            image=picture.content, media_type=picture.media_type
        )


def _chain_id(text: str) -> ChainId:
    if _UUID_FORM.fullmatch(text) is None:
        raise errors.IdInvalid(field="chain_id")
    return ChainId(UUID(text))


def _offer_id(text: str) -> OfferId:
    """An id that cannot be one of ours is as unknown as one of another chain."""
    if _UUID_FORM.fullmatch(text) is None:
        raise errors.OfferNotFound
    return OfferId(UUID(text))


def _by(actor: types_pb2.Actor) -> By:
    kind = types_pb2.Actor.Kind.Name(actor.kind).removeprefix("KIND_")
    return By(kind=kind, id=actor.id[:64])


def _change(request: offers_pb2.UpdateOfferRequest) -> Change:
    return Change(
        title=request.title if request.HasField("title") else None,
        description=request.description if request.HasField("description") else None,
        exclusion=request.exclusion if request.HasField("exclusion") else None,
        start_date=request.start_date if request.HasField("start_date") else None,
        end_date=request.end_date if request.HasField("end_date") else None,
        coupon_expiry_date=(
            request.coupon_expiry_date if request.HasField("coupon_expiry_date") else None
        ),
        shown_in_app=request.shown_in_app if request.HasField("shown_in_app") else None,
    )


def _to_proto(shown: Shown) -> offers_pb2.Offer:
    offer, terms = shown.offer, shown.offer.terms
    created_at, updated_at = Timestamp(), Timestamp()
    created_at.FromDatetime(offer.created_at)
    updated_at.FromDatetime(offer.updated_at)
    return offers_pb2.Offer(
        id=str(offer.id),
        chain_id=str(offer.chain_id),
        type=offers_pb2.Offer.Type.Value(f"TYPE_{terms.type.value}"),
        title=terms.title,
        description=terms.description,
        exclusion=terms.exclusion,
        start_date=terms.start_date.isoformat(),
        end_date=terms.end_date.isoformat(),
        coupon_expiry_date=terms.coupon_expiry_date.isoformat() if terms.coupon_expiry_date else "",
        shown_in_app=terms.shown_in_app,
        deleted=offer.deleted_at is not None,
        created_at=created_at,
        updated_at=updated_at,
        version=offer.version,
        visible_now=shown.visible_now,
        stage=offers_pb2.Offer.Stage.Value(f"STAGE_{shown.stage.value}"),
        image_digest=offer.image_digest,
    )
