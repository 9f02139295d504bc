"""Methods on reward definitions."""

from __future__ import annotations

from typing import Any

from loyalty.rewards.v1 import rewards_pb2 as pb

from services.rewards.domain.definitions import Changes, Terms
from services.rewards.domain.ids import ChainId, DefinitionId, ProgramId
from services.rewards.rpc import convert, parse
from services.rewards.usecases import definitions as usecases
from services.rewards.usecases.deps import Deps


class DefinitionMethods:
    """Create, change, delete and list what a chain offers for points."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def CreateRewardDefinition(
        self, request: pb.CreateRewardDefinitionRequest, context: Any
    ) -> pb.CreateRewardDefinitionResponse:
        """Repeatable by key. Refuses with reward_limit, invalid_value."""
        created = await usecases.create_definition(
            self._deps,
            usecases.CreateDefinition(
                request=parse.request_key(request, request.idempotency_key),
                chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
                program_id=ProgramId(parse.an_id(request.program_id, field="program_id")),
                terms=Terms(
                    name=request.name,
                    description=request.description,
                    points=request.points,
                    discount=parse.required_discount(request.discount),
                ),
                actor=parse.actor(request.actor),
            ),
        )
        return pb.CreateRewardDefinitionResponse(definition=convert.definition(created))

    async def UpdateRewardDefinition(
        self, request: pb.UpdateRewardDefinitionRequest, context: Any
    ) -> pb.UpdateRewardDefinitionResponse:
        """Refuses with not_found, definition_retired, invalid_value."""
        changed = await usecases.update_definition(
            self._deps,
            usecases.UpdateDefinition(
                chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
                definition_id=DefinitionId(
                    parse.an_id(request.definition_id, field="definition_id")
                ),
                changes=Changes(
                    name=request.name if request.HasField("name") else None,
                    description=request.description if request.HasField("description") else None,
                    points=request.points if request.HasField("points") else None,
                    discount=parse.discount(request.discount),
                ),
                actor=parse.actor(request.actor),
            ),
        )
        return pb.UpdateRewardDefinitionResponse(definition=convert.definition(changed))

    async def DeleteRewardDefinition(
        self, request: pb.DeleteRewardDefinitionRequest, context: Any
    ) -> pb.DeleteRewardDefinitionResponse:
        """Repeatable. Refuses with not_found."""
        await usecases.delete_definition(
            self._deps,
            chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
            definition_id=DefinitionId(parse.an_id(request.definition_id, field="definition_id")),
            actor=parse.actor(request.actor),
        )
        return pb.DeleteRewardDefinitionResponse()

    async def ListRewardDefinitions(
        self, request: pb.ListRewardDefinitionsRequest, context: Any
    ) -> pb.ListRewardDefinitionsResponse:
        """Living ones, cheapest first."""
        program_id = parse.maybe_id(request.program_id, field="program_id")
        found = await usecases.list_definitions(
            self._deps,
            chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
            program_id=None if program_id is None else ProgramId(program_id),
        )
        return pb.ListRewardDefinitionsResponse(
            definitions=[convert.definition(definition) for definition in found]
        )
