"""A chain's own number for texts: given and taken back by whoever hosts the platform (LS-19)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from loyalty.messaging.v1 import messaging_pb2
from pydantic import Field
from starlette.responses import Response

from services.gateway.errors import Json, api_fields
from services.gateway.operator.door import OPERATOR, OperatorDeps
from services.gateway.pos.fields import Part, Phone, known_id
from services.gateway.pos.message_shapes import (
    NothingAnswer,
    TextToJoinAnswer,
    text_to_join_shape,
)

router = APIRouter(prefix="/v2/operator/chains", tags=["Operator"])

_FIELDS = {"chain_id": "", "number": "number", "keyword": "keyword"}


class ProvisionNumber(Part):
    """A number for a chain; in a sandbox it is given without being named."""

    number: Phone | None = None
    keyword: Annotated[str, Field(strict=True, max_length=64)] | None = None


@router.put(
    "/{chain_id}/text-to-join", response_model=TextToJoinAnswer, operation_id="ProvisionNumber"
)
async def provision(deps: OperatorDeps, chain_id: str, body: ProvisionNumber) -> Response:
    """Give a chain on plan Pro its own number, with JOIGNEZ unless another keyword is said."""
    with api_fields(_FIELDS):
        answer = await deps.clients.messaging.ProvisionNumber(
            messaging_pb2.ProvisionNumberRequest(
                chain_id=known_id(chain_id),
                number=body.number or "",
                keyword=body.keyword or "",
                actor=OPERATOR,
            )
        )
    return Json({"text_to_join": text_to_join_shape(answer.text_to_join)})


@router.delete(
    "/{chain_id}/text-to-join", response_model=NothingAnswer, operation_id="ReleaseNumber"
)
async def release(deps: OperatorDeps, chain_id: str) -> Response:
    """Take the chain's number back: it may be given to another chain. Repeatable."""
    with api_fields(_FIELDS):
        await deps.clients.messaging.ReleaseNumber(
            messaging_pb2.ReleaseNumberRequest(chain_id=known_id(chain_id), actor=OPERATOR)
        )
    return Json({})
