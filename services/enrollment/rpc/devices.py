"""Methods about tablets and API keys."""

from __future__ import annotations

from loyalty.enrollment.v1 import enrollment_pb2 as pb

from services.enrollment.rpc import reading, writing
from services.enrollment.usecases import api_keys, tablets
from services.enrollment.usecases.deps import Deps


class DeviceMethods:
    """Tablets and API keys."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def CreateTablet(
        self, request: pb.CreateTabletRequest, context: object
    ) -> pb.CreateTabletResponse:
        command = tablets.CreateTablet(
            request=reading.request_of(request),
            chain_id=reading.chain_id(request.chain_id),
            salon_id=reading.salon_id(request.salon_id),
            program_id=reading.program_id(request.program_id),
            name=request.name,
            actor=reading.actor(request.actor),
        )
        written = await tablets.create_tablet(self._deps, command, answer=writing.new_tablet)
        return pb.CreateTabletResponse.FromString(written)

    async def ListTablets(
        self, request: pb.ListTabletsRequest, context: object
    ) -> pb.ListTabletsResponse:
        found = await tablets.list_tablets(self._deps, reading.chain_id(request.chain_id))
        return pb.ListTabletsResponse(tablets=[writing.tablet(tablet) for tablet in found])

    async def RotateTablet(
        self, request: pb.RotateTabletRequest, context: object
    ) -> pb.RotateTabletResponse:
        tablet = await tablets.rotate_tablet(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            tablet_id=reading.tablet_id(request.tablet_id),
            actor=reading.actor(request.actor),
        )
        return pb.RotateTabletResponse(tablet=writing.tablet(tablet))

    async def RevokeTablet(
        self, request: pb.RevokeTabletRequest, context: object
    ) -> pb.RevokeTabletResponse:
        await tablets.revoke_tablet(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            tablet_id=reading.tablet_id(request.tablet_id),
            actor=reading.actor(request.actor),
        )
        return pb.RevokeTabletResponse()

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, context: object
    ) -> pb.CreateApiKeyResponse:
        command = api_keys.CreateApiKey(
            request=reading.request_of(request),
            chain_id=reading.chain_id(request.chain_id),
            name=request.name,
            scopes=tuple(request.scopes),
            salon_ids=tuple(
                reading.salon_id(text, field="salon_ids") for text in request.salon_ids
            ),
            actor=reading.actor(request.actor),
        )
        written = await api_keys.create_api_key(self._deps, command, answer=writing.new_api_key)
        return pb.CreateApiKeyResponse.FromString(written)

    async def ListApiKeys(
        self, request: pb.ListApiKeysRequest, context: object
    ) -> pb.ListApiKeysResponse:
        found = await api_keys.list_api_keys(self._deps, reading.chain_id(request.chain_id))
        return pb.ListApiKeysResponse(api_keys=[writing.api_key(key) for key in found])

    async def RevokeApiKey(
        self, request: pb.RevokeApiKeyRequest, context: object
    ) -> pb.RevokeApiKeyResponse:
        await api_keys.revoke_api_key(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            api_key_id=reading.api_key_id(request.api_key_id),
            actor=reading.actor(request.actor),
        )
        return pb.RevokeApiKeyResponse()
