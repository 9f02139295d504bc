"""Text-to-join: the chain's own number and its keyword."""

from __future__ import annotations

from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.messaging import phones
from services.messaging.domain.text_to_join import ChainNumber
from services.messaging.rpc import reading
from services.messaging.rpc.door import Door
from services.messaging.usecases import numbers


class NumbersServicer(Door):
    """Numbers that chains have for themselves."""

    async def GetTextToJoin(
        self, request: pb.GetTextToJoinRequest, context: object
    ) -> pb.GetTextToJoinResponse:
        """`numbers.get_text_to_join`."""
        found = await numbers.get_text_to_join(self._deps, reading.chain_id(request.chain_id))
        shown = _shown(found.number) if found.number else pb.TextToJoin()
        return pb.GetTextToJoinResponse(text_to_join=shown, allowed=found.allowed)

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
                by_operator=request.actor.kind == types_pb2.Actor.KIND_OPERATOR,
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
            by_operator=request.actor.kind == types_pb2.Actor.KIND_OPERATOR,
        )
        return pb.ReleaseNumberResponse()

    async def SetKeyword(
        self, request: pb.SetKeywordRequest, context: object
    ) -> pb.SetKeywordResponse:
        """`numbers.set_keyword`."""
        number = await numbers.set_keyword(
            self._deps, reading.chain_id(request.chain_id), request.keyword.replace("\0", "")
        )
        return pb.SetKeywordResponse(text_to_join=_shown(number))


def _shown(number: ChainNumber) -> pb.TextToJoin:
    return pb.TextToJoin(number=number.number, keyword=number.keyword)
