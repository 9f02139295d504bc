"""Reward definitions, their versions and their count."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import asyncpg

from services.chassis.errors import InvariantViolated
from services.chassis.postgres import Connection
from services.rewards.domain.actors import Actor
from services.rewards.domain.definitions import (
    DEFINITIONS_MAX,
    Changes,
    RewardDefinition,
    Terms,
)
from services.rewards.domain.ids import ChainId, DefinitionId, ProgramId
from services.rewards.storage.columns import discount_from, discount_values


async def claim_place(conn: Connection, *, chain_id: ChainId) -> bool:
    """Take one of the chain's fifteen places; False when all are taken.

    Locks the chain's count until the transaction ends.
    """
    living = await conn.fetchval(
        """
        INSERT INTO definition_count AS count (chain_id, living) VALUES ($1, 1)
        ON CONFLICT (chain_id) DO UPDATE SET living = count.living + 1 WHERE count.living < $2
        RETURNING living
        """,
        chain_id,
        DEFINITIONS_MAX,
    )
    return living is not None


async def free_place(conn: Connection, *, chain_id: ChainId) -> None:
    """Give a place back. Locks the chain's count until the transaction ends."""
    await conn.execute(
        "UPDATE definition_count SET living = living - 1 WHERE chain_id = $1", chain_id
    )


async def insert(conn: Connection, definition: RewardDefinition) -> None:
    """Write a new definition."""
    await conn.execute(
        """
        INSERT INTO reward_definition (
            chain_id, id, program_id, name, description, points, discount_kind,
            discount_percentage, discount_minor, discount_currency, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        definition.chain_id,
        definition.id,
        definition.program_id,
        definition.terms.name,
        definition.terms.description,
        definition.terms.points,
        *discount_values(definition.terms.discount),
        definition.created_at,
        definition.updated_at,
    )


async def update(
    conn: Connection,
    *,
    chain_id: ChainId,
    definition_id: DefinitionId,
    changes: Changes,
    now: datetime,
) -> RewardDefinition | None:
    """Give a living definition new terms; None when it is not there or nothing would change.

    Locks the definition until the transaction ends.
    """
    row = await conn.fetchrow(
        """
        UPDATE reward_definition AS d
        SET name = wanted.name, description = wanted.description, points = wanted.points,
            discount_kind = wanted.discount_kind,
            discount_percentage = wanted.discount_percentage,
            discount_minor = wanted.discount_minor,
            discount_currency = wanted.discount_currency,
            updated_at = $10, version = d.version + 1
        FROM (
            SELECT chain_id, id,
                   coalesce($3, name) AS name,
                   coalesce($4, description) AS description,
                   coalesce($5, points) AS points,
                   coalesce($6, discount_kind) AS discount_kind,
                   CASE WHEN $6::text IS NULL THEN discount_percentage ELSE $7::numeric END
                       AS discount_percentage,
                   CASE WHEN $6::text IS NULL THEN discount_minor ELSE $8::bigint END
                       AS discount_minor,
                   CASE WHEN $6::text IS NULL THEN discount_currency ELSE $9::text END
                       AS discount_currency
            FROM reward_definition
            WHERE chain_id = $1 AND id = $2 AND deleted_at IS NULL
            FOR UPDATE
        ) AS wanted
        WHERE d.chain_id = wanted.chain_id AND d.id = wanted.id
          AND (d.name, d.description, d.points, d.discount_kind, d.discount_percentage,
               d.discount_minor, d.discount_currency)
              IS DISTINCT FROM
              (wanted.name, wanted.description, wanted.points, wanted.discount_kind,
               wanted.discount_percentage, wanted.discount_minor, wanted.discount_currency)
        RETURNING d.chain_id, d.id, d.program_id, d.name, d.description, d.points,
                  d.discount_kind, d.discount_percentage, d.discount_minor, d.discount_currency,
                  d.created_at, d.updated_at, d.deleted_at, d.version
        """,
        chain_id,
        definition_id,
        changes.name,
        changes.description,
        changes.points,
        *discount_values(changes.discount),
        now,
    )
    return None if row is None else _definition(row)


async def retire(
    conn: Connection, *, chain_id: ChainId, definition_id: DefinitionId, now: datetime
) -> RewardDefinition | None:
    """Delete a living definition; None when there is none. Locks it."""
    row = await conn.fetchrow(
        """
        UPDATE reward_definition SET deleted_at = $3, updated_at = $3, version = version + 1
        WHERE chain_id = $1 AND id = $2 AND deleted_at IS NULL
        RETURNING chain_id, id, program_id, name, description, points, discount_kind,
                  discount_percentage, discount_minor, discount_currency, created_at, updated_at,
                  deleted_at, version
        """,
        chain_id,
        definition_id,
        now,
    )
    return None if row is None else _definition(row)


async def keep_version(conn: Connection, definition: RewardDefinition, *, actor: Actor) -> None:
    """Write down what the definition says now and who made it say so."""
    await conn.execute(
        """
        INSERT INTO reward_definition_version (
            chain_id, definition_id, version, program_id, name, description, points,
            discount_kind, discount_percentage, discount_minor, discount_currency, created_at,
            updated_at, deleted_at, actor_kind, actor_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        """,
        definition.chain_id,
        definition.id,
        definition.version,
        definition.program_id,
        definition.terms.name,
        definition.terms.description,
        definition.terms.points,
        *discount_values(definition.terms.discount),
        definition.created_at,
        definition.updated_at,
        definition.updated_at if definition.deleted else None,
        actor.kind.value,
        actor.id,
    )


async def find(
    conn: Connection, *, chain_id: ChainId, definition_id: DefinitionId
) -> RewardDefinition | None:
    """A definition, deleted or not."""
    row = await conn.fetchrow(
        """
        SELECT chain_id, id, program_id, name, description, points, discount_kind,
               discount_percentage, discount_minor, discount_currency, created_at, updated_at,
               deleted_at, version
        FROM reward_definition WHERE chain_id = $1 AND id = $2
        """,
        chain_id,
        definition_id,
    )
    return None if row is None else _definition(row)


async def find_many(
    conn: Connection, wanted: Collection[tuple[ChainId, DefinitionId]]
) -> dict[tuple[ChainId, DefinitionId], RewardDefinition]:
    """Definitions, deleted or not."""
    rows = await conn.fetch(
        """
        SELECT chain_id, id, program_id, name, description, points, discount_kind,
               discount_percentage, discount_minor, discount_currency, created_at, updated_at,
               deleted_at, version
        FROM unnest($1::uuid[], $2::uuid[]) AS wanted (chain_id, id)
        JOIN reward_definition USING (chain_id, id)
        """,
        [chain_id for chain_id, _ in wanted],
        [definition_id for _, definition_id in wanted],
    )
    found = [_definition(row) for row in rows]
    return {(definition.chain_id, definition.id): definition for definition in found}


async def find_version(
    conn: Connection, *, chain_id: ChainId, definition_id: DefinitionId, version: int
) -> RewardDefinition | None:
    """What a definition said in one version."""
    row = await conn.fetchrow(
        """
        SELECT chain_id, definition_id AS id, program_id, name, description, points,
               discount_kind, discount_percentage, discount_minor, discount_currency, created_at,
               updated_at, deleted_at, version
        FROM reward_definition_version
        WHERE chain_id = $1 AND definition_id = $2 AND version = $3
        """,
        chain_id,
        definition_id,
        version,
    )
    return None if row is None else _definition(row)


async def list_living(
    conn: Connection, *, chain_id: ChainId, program_id: ProgramId | None
) -> list[RewardDefinition]:
    """The living definitions of a chain or of one of its programs, cheapest first."""
    rows = await conn.fetch(
        """
        SELECT chain_id, id, program_id, name, description, points, discount_kind,
               discount_percentage, discount_minor, discount_currency, created_at, updated_at,
               deleted_at, version
        FROM reward_definition
        WHERE chain_id = $1 AND deleted_at IS NULL AND ($2::uuid IS NULL OR program_id = $2)
        ORDER BY points, created_at, id
        """,
        chain_id,
        program_id,
    )
    return [_definition(row) for row in rows]


def _definition(row: asyncpg.Record) -> RewardDefinition:
    discount = discount_from(row)
    if discount is None:
        raise InvariantViolated("a reward definition gives nothing")
    return RewardDefinition(
        id=DefinitionId(row["id"]),
        chain_id=ChainId(row["chain_id"]),
        program_id=ProgramId(row["program_id"]),
        terms=Terms(
            name=row["name"],
            description=row["description"],
            points=row["points"],
            discount=discount,
        ),
        deleted=row["deleted_at"] is not None,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
    )
