"""What a chain offers for points."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from services.chassis import idempotency, outbox
from services.chassis.errors import InvariantViolated
from services.chassis.postgres import Connection, in_transaction
from services.rewards import events
from services.rewards.domain.actors import Actor
from services.rewards.domain.definitions import (
    DEFINITIONS_MAX,
    Changes,
    RewardDefinition,
    Terms,
    check_currency,
    checked_changes,
    checked_terms,
)
from services.rewards.domain.errors import DefinitionRetired, NotFound, RewardLimit
from services.rewards.domain.ids import ChainId, DefinitionId, ProgramId
from services.rewards.storage import definitions as storage
from services.rewards.storage import offers as copies
from services.rewards.usecases.deps import Deps, RequestKey

CREATE = "create_reward_definition"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDefinition:
    """Offer something new for points."""

    request: RequestKey
    chain_id: ChainId
    program_id: ProgramId
    terms: Terms
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateDefinition:
    """Change what a definition says from now on."""

    chain_id: ChainId
    definition_id: DefinitionId
    changes: Changes
    actor: Actor


async def create_definition(deps: Deps, command: CreateDefinition) -> RewardDefinition:
    """Offer something new for points; at most fifteen living ones a chain (SQ-50).

    Repeatable by key. Locks the chain's count of definitions.

    Refuses with:
      - InvalidValue: the terms are outside their limits.
      - RewardLimit: the chain has fifteen.
    """
    terms = checked_terms(command.terms)
    now = deps.clock.now(command.chain_id)
    claim = command.request.claim(chain_id=command.chain_id, operation=CREATE)

    async def work(conn: Connection) -> RewardDefinition:
        async def effect() -> bytes:
            currency = await copies.find_currency(conn, chain_id=command.chain_id)
            check_currency(terms.discount, chain_currency=currency)
            if not await storage.claim_place(conn, chain_id=command.chain_id):
                raise RewardLimit(params={"limit": str(DEFINITIONS_MAX)})
            definition = RewardDefinition(
                id=DefinitionId(uuid4()),
                chain_id=command.chain_id,
                program_id=command.program_id,
                terms=terms,
                deleted=False,
                created_at=now,
                updated_at=now,
                version=1,
            )
            await storage.insert(conn, definition)
            await _keep(conn, definition, actor=command.actor)
            return str(definition.id).encode()

        definition_id = DefinitionId(UUID((await idempotency.once(conn, claim, effect)).decode()))
        first = await storage.find_version(
            conn, chain_id=command.chain_id, definition_id=definition_id, version=1
        )
        if first is None:
            raise InvariantViolated("a reward definition has no first version")
        return first

    return await in_transaction(deps.pool, work)


async def update_definition(deps: Deps, command: UpdateDefinition) -> RewardDefinition:
    """Change the terms of a definition; rewards already taken keep theirs (SQ-49).

    Repeatable: the same terms again make no new version. Locks the definition.

    Refuses with:
      - NotFound: the chain has no such definition.
      - DefinitionRetired: it was deleted.
      - InvalidValue: the terms are outside their limits.
    """
    changes = checked_changes(command.changes)
    now = deps.clock.now(command.chain_id)

    async def work(conn: Connection) -> RewardDefinition:
        currency = await copies.find_currency(conn, chain_id=command.chain_id)
        check_currency(changes.discount, chain_currency=currency)
        changed = await storage.update(
            conn,
            chain_id=command.chain_id,
            definition_id=command.definition_id,
            changes=changes,
            now=now,
        )
        if changed is not None:
            await _keep(conn, changed, actor=command.actor)
            return changed
        present = await storage.find(
            conn, chain_id=command.chain_id, definition_id=command.definition_id
        )
        if present is None:
            raise NotFound(field="definition_id")
        if present.deleted:
            raise DefinitionRetired(field="definition_id")
        return present

    return await in_transaction(deps.pool, work)


async def delete_definition(
    deps: Deps, *, chain_id: ChainId, definition_id: DefinitionId, actor: Actor
) -> None:
    """Offer it no more; rewards already taken stay usable. Its place is free again (SQ-50).

    Repeatable. Locks the definition, then the chain's count. Refuses with `NotFound` when the
    chain has none such.
    """
    now = deps.clock.now(chain_id)

    async def work(conn: Connection) -> None:
        retired = await storage.retire(
            conn, chain_id=chain_id, definition_id=definition_id, now=now
        )
        if retired is not None:
            await _keep(conn, retired, actor=actor)
            await storage.free_place(conn, chain_id=chain_id)
        elif await storage.find(conn, chain_id=chain_id, definition_id=definition_id) is None:
            raise NotFound(field="definition_id")

    await in_transaction(deps.pool, work)


async def _keep(conn: Connection, definition: RewardDefinition, *, actor: Actor) -> None:
    """Write the new version down, and tell of it."""
    await storage.keep_version(conn, definition, actor=actor)
    await outbox.append(conn, [events.definition_changed(definition, actor=actor)])


async def list_definitions(
    deps: Deps, *, chain_id: ChainId, program_id: ProgramId | None
) -> list[RewardDefinition]:
    """The living definitions, cheapest first; a member's balance says which she can take."""

    async def work(conn: Connection) -> list[RewardDefinition]:
        return await storage.list_living(conn, chain_id=chain_id, program_id=program_id)

    return await in_transaction(deps.pool, work)
