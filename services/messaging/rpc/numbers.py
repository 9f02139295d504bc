"""Text-to-join: the chain's own number and its keyword."""

from __future__ import annotations

from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.messaging import phones
from services.messaging.domain import errors
from services.messaging.domain.text_to_join import Actor, ChainNumber, NumberAct
from services.messaging.rpc import reading, writing
from services.messaging.rpc.door import Door
from services.messaging.usecases import numbers

ACTOR_ID_LENGTH_MAX = 64


class NumbersServicer(Door):
    """Numbers that chains have for themselves."""

    async def GetTextToJoin(
        self, request: pb.GetTextToJoinRequest, context: object
    ) -> pb.GetTextToJoinResponse:
        """`numbers.get_text_to_join`."""
        found = await numbers.get_text_to_join(self._deps, reading.chain_id(request.chain_id))
        shown = _shown(found.number) if found.number else pb.TextToJoin()
        return pb.GetTextToJoinResponse(
            text_to_join=shown, allowed=found.allowed, acts=[_act(one) for one in found.acts]
        )

    async def ProvisionNumber(
        self, request: pb.ProvisionNumberRequest, context: object
    ) -> pb.ProvisionNumberResponse:
        """`numbers.provision_number`."""
        number = await numbers.provision_number(
            self._deps,
            numbers.ProvisionNumber(
                chain_id=reading.chain_id(request.chain_id),
                number=phones.e164(request.number, field="number") if request.number else "",
                keyword=request.keyword.replace("\0", ""),
                actor=_actor(request.actor),
            ),
        )
        return pb.ProvisionNumberResponse(text_to_join=_shown(number))

    async def ReleaseNumber(
        self, request: pb.ReleaseNumberRequest, context: object
    ) -> pb.ReleaseNumberResponse:
        """`numbers.release_number`."""
        await numbers.release_number(
            self._deps,
            reading.chain_id(request.chain_id),
            actor=_actor(request.actor),
        )
        return pb.ReleaseNumberResponse()

    async def SetKeyword(
        self, request: pb.SetKeywordRequest, context: object
    ) -> pb.SetKeywordResponse:
        """`numbers.set_keyword`."""
        number = await numbers.set_keyword(
            self._deps,
            reading.chain_id(request.chain_id),
            request.keyword.replace("\0", ""),
            actor=_actor(request.actor),
        )
        return pb.SetKeywordResponse(text_to_join=_shown(number))


def _actor(message: types_pb2.Actor) -> Actor:
    """Who does it; an id that is none of ours in form is refused."""
    if len(message.id) > ACTOR_ID_LENGTH_MAX or not message.id.isprintable():
        raise errors.IdInvalid(field="actor")
    return Actor(kind=types_pb2.Actor.Kind.Name(message.kind).removeprefix("KIND_"), id=message.id)


def _act(act: NumberAct) -> pb.NumberAct:
    return pb.NumberAct(
        act=act.kind.value,
        number=act.number,
        keyword=act.keyword,
        actor=types_pb2.Actor(
            kind=types_pb2.Actor.Kind.Value(f"KIND_{act.actor.kind}"), id=act.actor.id
        ),
        occurred_at=writing.timestamp(act.occurred_at),
    )


def _shown(number: ChainNumber) -> pb.TextToJoin:
    return pb.TextToJoin(number=number.number, keyword=number.keyword)
