"""Locations: the chain's salons; and the merchant: the chain itself."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from fastapi import APIRouter
from loyalty.enrollment.v1 import enrollment_pb2
from loyalty.types.v1 import types_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.pos.caller import Caller, Owner, ProfileReader
from services.gateway.pos.fields import Address, Key, Line, Name, Part, Phone, id_or_none
from services.gateway.pos.shapes import (
    LocationAddressShape,
    LocationShape,
    country_of,
    language_code,
    location_shape,
    moment,
)
from services.gateway.settling import settle

router = APIRouter(tags=["Locations and merchant"])

KNOWN_SECONDS_MAX = 3.0


class MerchantShape(TypedDict):
    """The chain."""

    id: str
    business_name: str
    country: str
    language_code: str
    currency: str
    status: str
    main_location_id: str
    created_at: str
    plan: str
    slug: str
    timezone: str
    sandbox: bool
    # Below e-mails that advertise, and in the answer to HELP and AIDE.
    address: NotRequired[LocationAddressShape]
    phone_number: NotRequired[str]


class LocationAnswer(TypedDict):
    """One salon."""

    location: LocationShape


class LocationsAnswer(TypedDict):
    """The chain's salons."""

    locations: list[LocationShape]


class MerchantAnswer(TypedDict):
    """The chain."""

    merchant: MerchantShape


class MerchantsAnswer(TypedDict):
    """The one chain that a key belongs to."""

    merchant: list[MerchantShape]


class AddressIn(Part):
    """Where a salon is, or where the chain gets its mail."""

    address_line_1: Address | None = None


class LocationIn(Part):
    """What is said of a salon; a field that is left out stays as it is."""

    name: Name | None = None
    timezone: Annotated[Line, Field(max_length=64)] | None = None
    address: AddressIn | None = None
    phone_number: Phone | None = None
    status: Literal["ACTIVE", "INACTIVE"] | None = None


class SaveLocation(Part):
    """A salon to open or to change."""

    location: LocationIn
    idempotency_key: Key | None = None


class MerchantIn(Part):
    """Where the chain is reached; a field that is left out stays, an empty one is taken away."""

    address: AddressIn | None = None
    phone_number: Phone | None = None


class SaveMerchant(Part):
    """The chain's own address and phone number."""

    merchant: MerchantIn


_MERCHANT_FIELDS = {
    "postal_address": "merchant.address.address_line_1",
    "contact_phone": "merchant.phone_number",
}
_FIELDS = {
    "name": "location.name",
    "time_zone": "location.timezone",
    "address": "location.address.address_line_1",
    "phone": "location.phone_number",
    "salon_id": "",
}


@router.get("/locations", response_model=LocationsAnswer, operation_id="ListLocations")
async def list_locations(caller: ProfileReader) -> Response:
    """The chain's salons that the key speaks for."""
    chain = await caller.chain()
    salons = await caller.salons()
    return Json({"locations": [location_shape(salon, chain) for salon in salons]})


@router.get(
    "/locations/{location_id}", response_model=LocationAnswer, operation_id="RetrieveLocation"
)
async def get_location(caller: ProfileReader, location_id: str) -> Response:
    """One salon; `main` is the oldest."""
    chain = await caller.chain()
    salon = await _salon(caller, location_id)
    return Json({"location": location_shape(salon, chain)})


async def _salon(caller: Caller, location_id: str) -> enrollment_pb2.Salon:
    if location_id != "main":
        return await caller.salon(location_id, field="")
    salons = await caller.salons()
    if not salons:
        raise ApiError.of("NOT_FOUND")
    return salons[0]


@router.post("/locations", response_model=LocationAnswer, operation_id="CreateLocation")
async def create_location(caller: Owner, body: SaveLocation) -> Response:
    """Open a salon. Without a time zone it lives in the chain's."""
    wanted = body.location
    if caller.salon_ids:
        # A key of one salon cannot give itself a second one.
        raise ApiError.of("FORBIDDEN")
    if wanted.name is None:
        raise ApiError.of("MISSING_REQUIRED_PARAMETER", field="location.name")
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.enrollment.CreateSalon(
            enrollment_pb2.CreateSalonRequest(
                idempotency_key=caller.key_or_new(body.idempotency_key),
                chain_id=caller.chain_id,
                name=wanted.name,
                time_zone=wanted.timezone or "",
                address=(wanted.address.address_line_1 if wanted.address else "") or "",
                phone=wanted.phone_number or "",
                actor=caller.actor,
            )
        )
    caller.deps.salons.forget(caller.chain_id)
    # A sale there a moment later must find a salon that every service knows.
    await settle(caller.deps.clients.clocks, seconds_max=KNOWN_SECONDS_MAX)
    return Json({"location": location_shape(answer.salon, await caller.chain())})


@router.put(
    "/locations/{location_id}", response_model=LocationAnswer, operation_id="UpdateLocation"
)
async def update_location(caller: Owner, location_id: str, body: SaveLocation) -> Response:
    """Change a salon; closed (`INACTIVE`) it gives no points."""
    salon = await _salon(caller, location_id)
    wanted = body.location
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.enrollment.UpdateSalon(
            enrollment_pb2.UpdateSalonRequest(
                chain_id=caller.chain_id,
                salon_id=salon.id,
                name=wanted.name,
                time_zone=wanted.timezone,
                address=wanted.address.address_line_1 if wanted.address else None,
                phone=wanted.phone_number,
                active=None if wanted.status is None else wanted.status == "ACTIVE",
                actor=caller.actor,
            )
        )
    caller.deps.salons.forget(caller.chain_id)
    return Json({"location": location_shape(answer.salon, await caller.chain())})


async def _merchant(caller: Caller) -> MerchantShape:
    chain = await caller.chain()
    salons = await caller.salons()
    shape: MerchantShape = {
        "id": chain.id,
        "business_name": chain.name,
        "country": country_of(chain.home_time_zone),
        "language_code": f"{language_code(chain.language)}-CA",
        "currency": chain.currency,
        "status": "ACTIVE",
        "main_location_id": salons[0].id if salons else "",
        "created_at": moment(chain.created_at),
        "plan": types_pb2.Plan.Name(chain.plan).removeprefix("PLAN_"),
        "slug": chain.slug,
        "timezone": chain.home_time_zone,
        "sandbox": chain.sandbox,
    }
    if chain.postal_address:
        shape["address"] = {"address_line_1": chain.postal_address}
    if chain.contact_phone:
        shape["phone_number"] = chain.contact_phone
    return shape


@router.get("/merchants", response_model=MerchantsAnswer, operation_id="ListMerchants")
async def list_merchants(caller: ProfileReader) -> Response:
    """The chain that the key belongs to, as a list of one."""
    return Json({"merchant": [await _merchant(caller)]})


@router.get(
    "/merchants/{merchant_id}", response_model=MerchantAnswer, operation_id="RetrieveMerchant"
)
async def get_merchant(caller: ProfileReader, merchant_id: str) -> Response:
    """The chain that the key belongs to: `me`, or its id."""
    _require_own(caller, merchant_id)
    return Json({"merchant": await _merchant(caller)})


def _require_own(caller: Caller, merchant_id: str) -> None:
    if merchant_id != "me" and id_or_none(merchant_id) != caller.chain_id:
        raise ApiError.of("NOT_FOUND")


@router.put(
    "/merchants/{merchant_id}", response_model=MerchantAnswer, operation_id="UpdateMerchant"
)
async def update_merchant(caller: Owner, merchant_id: str, body: SaveMerchant) -> Response:
    """Set the postal address and phone number of the chain, which e-mails that advertise need.

    The address stands below them; the phone number is told to who texts HELP or AIDE.
    """
    _require_own(caller, merchant_id)
    if caller.salon_ids:
        # A key of one salon does not speak for the chain.
        raise ApiError.of("FORBIDDEN")
    wanted = body.merchant
    with api_fields(_MERCHANT_FIELDS):
        await caller.deps.clients.enrollment.UpdateChain(
            enrollment_pb2.UpdateChainRequest(
                chain_id=caller.chain_id,
                postal_address=wanted.address.address_line_1 if wanted.address else None,
                contact_phone=wanted.phone_number,
                actor=caller.actor,
            )
        )
    caller.deps.chains.forget(await caller.chain())
    # An offer that is sent a moment later must find the address.
    await settle(caller.deps.clients.clocks, seconds_max=KNOWN_SECONDS_MAX)
    return Json({"merchant": await _merchant(caller)})
