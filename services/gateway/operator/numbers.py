"""A chain's own number for texts: given and taken back by whoever hosts the platform (LS-19)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from loyalty.messaging.v1 import messaging_pb2
from loyalty.types.v1.types_pb2 import Actor
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import Json, api_fields
from services.gateway.operator.door import OperatorDep, OperatorDeps
from services.gateway.pos.fields import Part, Phone, known_id
from services.gateway.pos.message_shapes import (
    NothingAnswer,
    TextToJoinAnswer,
    TextToJoinShape,
    text_to_join_shape,
)
from services.gateway.pos.shapes import moment

router = APIRouter(prefix="/v2/operator/chains", tags=["Operator"])

_FIELDS = {"chain_id": "", "number": "number", "keyword": "keyword"}


class ProvisionNumber(Part):
    """A number for a chain; in a sandbox it is given without being named."""

    number: Phone | None = None
    keyword: Annotated[str, Field(strict=True, max_length=64)] | None = None


class NumberActShape(TypedDict):
    """Who did what with a chain's number."""

    act: str
    number: str
    keyword: str
    actor_type: str
    actor_id: str
    occurred_at: str


class NumberAnswer(TypedDict):
    """A chain's number, and what was done with it, newest first."""

    text_to_join: TextToJoinShape
    allowed: bool
    history: list[NumberActShape]


@router.get(
    "/{chain_id}/text-to-join", response_model=NumberAnswer, operation_id="RetrieveChainNumber"
)
async def number_of(deps: OperatorDeps, chain_id: str) -> Response:
    """The chain's number, who gave it, and what was done with it since."""
    with api_fields(_FIELDS):
        answer = await deps.clients.messaging.GetTextToJoin(
            messaging_pb2.GetTextToJoinRequest(chain_id=known_id(chain_id))
        )
    history: list[NumberActShape] = [
        {
            "act": one.act,
            "number": one.number,
            "keyword": one.keyword,
            "actor_type": Actor.Kind.Name(one.actor.kind).removeprefix("KIND_"),
            "actor_id": one.actor.id,
            "occurred_at": moment(one.occurred_at),
        }
        for one in answer.acts
    ]
    return Json(
        {
            "text_to_join": text_to_join_shape(answer.text_to_join),
            "allowed": answer.allowed,
            "history": history,
        }
    )


@router.put(
    "/{chain_id}/text-to-join", response_model=TextToJoinAnswer, operation_id="ProvisionNumber"
)
async def provision(
    deps: OperatorDeps, operator: OperatorDep, chain_id: str, body: ProvisionNumber
) -> Response:
    """Give a chain on plan Pro its own number, with JOIGNEZ unless another keyword is said."""
    with api_fields(_FIELDS):
        answer = await deps.clients.messaging.ProvisionNumber(
            messaging_pb2.ProvisionNumberRequest(
                chain_id=known_id(chain_id),
                number=body.number or "",
                keyword=body.keyword or "",
                actor=operator,
            )
        )
    return Json({"text_to_join": text_to_join_shape(answer.text_to_join)})


@router.delete(
    "/{chain_id}/text-to-join", response_model=NothingAnswer, operation_id="ReleaseNumber"
)
async def release(deps: OperatorDeps, operator: OperatorDep, chain_id: str) -> Response:
    """Take the chain's number back: it may be given to another chain. Repeatable."""
    with api_fields(_FIELDS):
        await deps.clients.messaging.ReleaseNumber(
            messaging_pb2.ReleaseNumberRequest(chain_id=known_id(chain_id), actor=operator)
        )
    return Json({})
