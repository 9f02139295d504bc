"""API keys: what a till shows of itself; kept hashed, shown once."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from fastapi import APIRouter
from loyalty.enrollment.v1 import enrollment_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.pos.caller import Caller, Owner
from services.gateway.pos.fields import Id, Key, Name, Part, known_id
from services.gateway.pos.shapes import Empty, moment

router = APIRouter(prefix="/api-keys", tags=["API keys"])

Scope = Literal[
    "LOYALTY_READ",
    "LOYALTY_WRITE",
    "CUSTOMERS_READ",
    "CUSTOMERS_WRITE",
    "ORDERS_READ",
    "ORDERS_WRITE",
    "ITEMS_READ",
    "ITEMS_WRITE",
    "MERCHANT_PROFILE_READ",
    "MERCHANT_PROFILE_WRITE",
]
SALONS_MAX = 1000


class ApiKeyShape(TypedDict):
    """A key without its secret."""

    id: str
    name: str
    hint: str
    scopes: list[str]
    location_ids: list[str]
    created_at: str
    last_used_at: NotRequired[str]
    revoked_at: NotRequired[str]


class ApiKeyAnswer(TypedDict):
    """One key."""

    api_key: ApiKeyShape


class NewApiKeyAnswer(TypedDict):
    """A new key and, this once, the whole of it."""

    api_key: ApiKeyShape
    token: str


class ApiKeysAnswer(TypedDict):
    """The chain's keys."""

    api_keys: list[ApiKeyShape]


class ApiKeyIn(Part):
    """A key's name, what it may do, and for which salons (none named = all)."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)]
    location_ids: Annotated[list[Id], Field(max_length=SALONS_MAX)] | None = None


class CreateApiKey(Part):
    """A key to make."""

    api_key: ApiKeyIn
    idempotency_key: Key | None = None


def key_shape(key: enrollment_pb2.ApiKey) -> ApiKeyShape:
    """A key as its owner recognises it."""
    shape: ApiKeyShape = {
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "scopes": list(key.scopes),
        "location_ids": list(key.salon_ids),
        "created_at": moment(key.created_at),
    }
    if key.HasField("last_used_at"):
        shape["last_used_at"] = moment(key.last_used_at)
    if key.HasField("revoked_at"):
        shape["revoked_at"] = moment(key.revoked_at)
    return shape


async def _keys(caller: Caller) -> list[enrollment_pb2.ApiKey]:
    """The keys that the caller may see: one of some salons sees those of no others."""
    answer = await caller.deps.clients.enrollment.ListApiKeys(
        enrollment_pb2.ListApiKeysRequest(chain_id=caller.chain_id)
    )
    limit = caller.salon_ids
    return [
        key
        for key in answer.api_keys
        if not limit or (key.salon_ids and limit.issuperset(key.salon_ids))
    ]


@router.get("", response_model=ApiKeysAnswer, operation_id="ListApiKeys")
async def list_keys(caller: Owner) -> Response:
    """The chain's keys, without their secrets."""
    return Json({"api_keys": [key_shape(key) for key in await _keys(caller)]})


@router.post("", response_model=NewApiKeyAnswer, operation_id="CreateApiKey")
async def create_key(caller: Owner, body: CreateApiKey) -> Response:
    """Make a key. The whole key is shown this once (and to a replay of this request)."""
    wanted = body.api_key
    key = caller.key(body.idempotency_key)
    field = "api_key.location_ids"
    salons = [await caller.salon(text, field=field) for text in wanted.location_ids or ()]
    if caller.salon_ids and not salons:
        # A key of some salons cannot make one for all.
        raise ApiError.of("FORBIDDEN", field=field)
    names = {"name": "api_key.name", "scopes": "api_key.scopes", "salon_ids": field}
    with api_fields(names):
        answer = await caller.deps.clients.enrollment.CreateApiKey(
            enrollment_pb2.CreateApiKeyRequest(
                idempotency_key=key,
                chain_id=caller.chain_id,
                name=wanted.name,
                scopes=wanted.scopes,
                salon_ids=[salon.id for salon in salons],
                actor=caller.actor,
            )
        )
    return Json({"api_key": key_shape(answer.api_key), "token": answer.token})


@router.delete("/{api_key_id}", response_model=Empty, operation_id="RevokeApiKey")
async def revoke_key(caller: Owner, api_key_id: str) -> Response:
    """Make a key worthless, everywhere and at once. Repeatable."""
    wanted = known_id(api_key_id)
    if not any(key.id == wanted for key in await _keys(caller)):
        raise ApiError.of("NOT_FOUND")
    with api_fields({"api_key_id": ""}):
        await caller.deps.clients.enrollment.RevokeApiKey(
            enrollment_pb2.RevokeApiKeyRequest(
                chain_id=caller.chain_id, api_key_id=wanted, actor=caller.actor
            )
        )
    return Json({})
