"""Programs, their sealed codes and their own accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from services.chassis.postgres import Connection
from services.points.domain.ids import ChainId, ProgramId, SalonId, Side, side_account_id
from services.points.domain.programs import AccrualType, Program, SalonStanding

_COLUMNS = """
program.chain_id, program.id, program.name, program.term_one, program.term_other, program.active,
program.accrual_type, program.visit_points, program.salon_ids, program.cool_down_seconds,
program.points_code_digits, program.created_at, program.updated_at, program.version
"""

# Programs of the chains at hand with what is known of the salons at hand: one trip for a batch.
_WITH_SALONS = f"""
SELECT {_COLUMNS}, program.points_code, program.multi_point_code,
    ARRAY(SELECT salon.id FROM salon
          WHERE salon.chain_id = program.chain_id AND salon.id = ANY($2::uuid[])) AS known_salons,
    ARRAY(SELECT salon.id FROM salon
          WHERE salon.chain_id = program.chain_id AND salon.id = ANY($2::uuid[])
            AND salon.active) AS active_salons
FROM program WHERE program.chain_id = ANY($1::uuid[])
"""  # noqa: S608

_INSERT = """
INSERT INTO program (
    chain_id, id, name, term_one, term_other, active, accrual_type, visit_points, salon_ids,
    cool_down_seconds, points_code_digits, created_at, updated_at, version, points_code,
    multi_point_code)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""

_INSERT_SIDES = """
INSERT INTO program_account (chain_id, id, program_id, side)
SELECT $1, id, $2, side FROM unnest($3::uuid[], $4::text[]) AS own (id, side)
"""

_UPDATE = """
UPDATE program
SET name = $3, term_one = $4, term_other = $5, active = $6, accrual_type = $7, visit_points = $8,
    salon_ids = $9, cool_down_seconds = $10, points_code_digits = $11, updated_at = $12,
    version = $13, points_code = coalesce($14, points_code),
    multi_point_code = coalesce($15, multi_point_code)
WHERE chain_id = $1 AND id = $2 AND version = $13 - 1
RETURNING 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedCodes:
    """Both codes as they rest in the database."""

    points_code: bytes = field(repr=False)
    multi_point_code: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainView:
    """A chain's programs and what is known of some of its salons."""

    programs: dict[ProgramId, Program]
    codes: dict[ProgramId, SealedCodes] = field(repr=False)
    known_salons: frozenset[SalonId]
    active_salons: frozenset[SalonId]

    def standing(self, salon_id: SalonId | None) -> SalonStanding | None:
        """What is known of a salon that was asked for; None where none was."""
        if salon_id is None:
            return None
        return SalonStanding(
            id=salon_id,
            known=salon_id in self.known_salons,
            active=salon_id in self.active_salons,
        )


NOTHING_KNOWN = ChainView(
    programs={}, codes={}, known_salons=frozenset(), active_salons=frozenset()
)


async def chain_views(
    conn: Connection, *, chain_ids: Sequence[ChainId], salon_ids: Sequence[SalonId] = ()
) -> dict[ChainId, ChainView]:
    """Programs of some chains, with the standing of some salons. A chain without is left out."""
    rows = await conn.fetch(_WITH_SALONS, chain_ids, salon_ids)
    by_chain: dict[ChainId, list[asyncpg.Record]] = {}
    for row in rows:
        by_chain.setdefault(ChainId(row["chain_id"]), []).append(row)
    return {chain_id: _chain_view(found) for chain_id, found in by_chain.items()}


async def chain_view(conn: Connection, chain_id: ChainId, *salon_ids: SalonId) -> ChainView:
    """One chain's programs, with the standing of the salons named; empty where there are none."""
    found = await chain_views(conn, chain_ids=[chain_id], salon_ids=salon_ids)
    return found.get(chain_id, NOTHING_KNOWN)


async def lock_chain_programs(conn: Connection, chain_id: ChainId) -> None:
    """Let only one program of a chain be created at a time, until the transaction ends.

    There may be no row yet to lock, so the lock is on the chain's id itself.
    """
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))", str(chain_id))


async def lock_program(
    conn: Connection, chain_id: ChainId, program_id: ProgramId
) -> Program | None:
    """Lock one program until the transaction ends."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM program WHERE chain_id = $1 AND id = $2 FOR UPDATE",  # noqa: S608
        chain_id,
        program_id,
    )
    return program_of(row) if row else None


async def insert_program(conn: Connection, program: Program, codes: SealedCodes) -> None:
    """Add a program and its own accounts."""
    await conn.execute(
        _INSERT,
        program.chain_id,
        program.id,
        program.name,
        program.term_one,
        program.term_other,
        program.active,
        program.accrual_type.value,
        program.visit_points,
        program.salon_ids,
        program.cool_down_seconds,
        program.points_code_digits,
        program.created_at,
        program.updated_at,
        program.version,
        codes.points_code,
        codes.multi_point_code,
    )
    await conn.execute(
        _INSERT_SIDES,
        program.chain_id,
        program.id,
        [side_account_id(program.id, side) for side in Side],
        [side.value for side in Side],
    )


async def update_program(
    conn: Connection,
    program: Program,
    *,
    points_code: bytes | None,
    multi_point_code: bytes | None,
) -> bool:
    """Replace the version before this one; codes that are None stay. False when it is gone."""
    changed = await conn.fetchval(
        _UPDATE,
        program.chain_id,
        program.id,
        program.name,
        program.term_one,
        program.term_other,
        program.active,
        program.accrual_type.value,
        program.visit_points,
        program.salon_ids,
        program.cool_down_seconds,
        program.points_code_digits,
        program.updated_at,
        program.version,
        points_code,
        multi_point_code,
    )
    return changed is not None


def _chain_view(rows: Sequence[asyncpg.Record]) -> ChainView:
    programs = [program_of(row) for row in rows]
    return ChainView(
        programs={program.id: program for program in programs},
        codes={
            program.id: SealedCodes(
                points_code=row["points_code"], multi_point_code=row["multi_point_code"]
            )
            for program, row in zip(programs, rows, strict=True)
        },
        known_salons=frozenset(rows[0]["known_salons"]),
        active_salons=frozenset(rows[0]["active_salons"]),
    )


def program_of(row: asyncpg.Record) -> Program:
    """A program from a row with its columns."""
    return Program(
        chain_id=ChainId(row["chain_id"]),
        id=ProgramId(row["id"]),
        name=row["name"],
        term_one=row["term_one"],
        term_other=row["term_other"],
        active=row["active"],
        accrual_type=AccrualType(row["accrual_type"]),
        visit_points=row["visit_points"],
        salon_ids=tuple(SalonId(salon_id) for salon_id in row["salon_ids"]),
        cool_down_seconds=row["cool_down_seconds"],
        points_code_digits=row["points_code_digits"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
    )
