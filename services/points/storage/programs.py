"""Programs, their sealed codes and their own accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import asyncpg

from services.chassis.postgres import Connection
from services.points.domain.chains import UNHEARD
from services.points.domain.ids import ChainId, ProgramId, SalonId, Side, side_account_id
from services.points.domain.programs import Program, RefundSettings, SalonStanding
from services.points.domain.terms import DebtRule, RewardOnRefund, VisitRefundBasis
from services.points.domain.tiers import Ladder
from services.points.storage.sale_documents import rule_document, rule_from
from services.points.storage.tier_documents import tier_document, tier_from

_COLUMNS = """
program.chain_id, program.id, program.name, program.term_one, program.term_other, program.active,
program.accrual_rules, program.visit_points, program.expiry_policy, program.tiers,
program.tiers_launched_at, program.visit_refund_basis, program.debt_rule, program.reward_on_refund,
program.salon_ids, program.cool_down_seconds, program.points_code_digits, program.created_at,
program.updated_at, program.version
"""

# Programs of the chains at hand with what is known of the salons at hand: one trip for a batch.
_WITH_SALONS = f"""
SELECT {_COLUMNS}, program.points_code, program.multi_point_code,
    ARRAY(SELECT salon.id FROM salon
          WHERE salon.chain_id = program.chain_id AND salon.id = ANY($2::uuid[])
          ORDER BY salon.id) AS known_salons,
    ARRAY(SELECT salon.time_zone FROM salon
          WHERE salon.chain_id = program.chain_id AND salon.id = ANY($2::uuid[])
          ORDER BY salon.id) AS salon_zones,
    ARRAY(SELECT salon.id FROM salon
          WHERE salon.chain_id = program.chain_id AND salon.id = ANY($2::uuid[])
            AND salon.active) AS active_salons,
    (SELECT chain.home_time_zone FROM chain WHERE chain.chain_id = program.chain_id) AS home_zone
FROM program WHERE program.chain_id = ANY($1::uuid[])
"""  # noqa: S608

_INSERT = """
INSERT INTO program (
    chain_id, id, name, term_one, term_other, active, accrual_rules, visit_points, expiry_policy,
    tiers, tiers_launched_at, visit_refund_basis, debt_rule, reward_on_refund, salon_ids,
    cool_down_seconds, points_code_digits, updated_at, version, created_at, points_code,
    multi_point_code)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21, $22)
"""

_INSERT_SIDES = """
INSERT INTO program_account (chain_id, id, program_id, side)
SELECT $1, id, $2, side FROM unnest($3::uuid[], $4::text[]) AS own (id, side)
"""

_UPDATE = """
UPDATE program
SET name = $3, term_one = $4, term_other = $5, active = $6, accrual_rules = $7, visit_points = $8,
    expiry_policy = $9, tiers = $10, tiers_launched_at = $11, visit_refund_basis = $12,
    debt_rule = $13, reward_on_refund = $14, salon_ids = $15, cool_down_seconds = $16,
    points_code_digits = $17, updated_at = $18, version = $19,
    points_code = coalesce($20, points_code), multi_point_code = coalesce($21, multi_point_code)
WHERE chain_id = $1 AND id = $2 AND version = $19 - 1
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
    # Of the salons that are known.
    salon_zones: dict[SalonId, str]
    active_salons: frozenset[SalonId]
    home_zone: str = UNHEARD.home_time_zone

    @property
    def known_salons(self) -> frozenset[SalonId]:
        """Salons that were asked for and that enrollment has told of."""
        return frozenset(self.salon_zones)

    def zone(self, salon_id: SalonId | None) -> ZoneInfo:
        """The zone of a salon, of the chain where none is named or it is unknown (D8, D38)."""
        name = self.salon_zones.get(salon_id) if salon_id is not None else None
        return ZoneInfo(name or self.home_zone)

    def standing(self, salon_id: SalonId | None) -> SalonStanding | None:
        """What is known of a salon that was asked for; None where none was."""
        if salon_id is None:
            return None
        return SalonStanding(
            id=salon_id,
            known=salon_id in self.salon_zones,
            active=salon_id in self.active_salons,
        )


NOTHING_KNOWN = ChainView(programs={}, codes={}, salon_zones={}, active_salons=frozenset())


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
        *_columns(program),
        program.created_at,
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
    changed = await conn.fetchval(_UPDATE, *_columns(program), points_code, multi_point_code)
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
        salon_zones=dict(zip(rows[0]["known_salons"], rows[0]["salon_zones"], strict=True)),
        active_salons=frozenset(rows[0]["active_salons"]),
        home_zone=rows[0]["home_zone"] or UNHEARD.home_time_zone,
    )


def _columns(program: Program) -> tuple[object, ...]:
    """A program's values in the order in which both statements take them."""
    ladder, refunds = program.ladder, program.refunds
    return (
        program.chain_id,
        program.id,
        program.name,
        program.term_one,
        program.term_other,
        program.active,
        [rule_document(rule) for rule in program.rules],
        program.visit_points,
        program.expiry_policy,
        [tier_document(tier) for tier in ladder.tiers] if ladder else [],
        ladder.launched_at if ladder else None,
        refunds.visit_refund_basis.value,
        refunds.debt_rule.value,
        refunds.reward_on_refund.value,
        program.salon_ids,
        program.cool_down_seconds,
        program.points_code_digits,
        program.updated_at,
        program.version,
    )


def program_of(row: asyncpg.Record) -> Program:
    """A program from a row with its columns."""
    launched_at = row["tiers_launched_at"]
    return Program(
        chain_id=ChainId(row["chain_id"]),
        id=ProgramId(row["id"]),
        name=row["name"],
        term_one=row["term_one"],
        term_other=row["term_other"],
        active=row["active"],
        rules=tuple(rule_from(rule) for rule in row["accrual_rules"]),
        visit_points=row["visit_points"],
        expiry_policy=row["expiry_policy"],
        ladder=Ladder(
            tiers=tuple(tier_from(tier) for tier in row["tiers"]), launched_at=launched_at
        )
        if launched_at
        else None,
        refunds=RefundSettings(
            visit_refund_basis=VisitRefundBasis(row["visit_refund_basis"]),
            debt_rule=DebtRule(row["debt_rule"]),
            reward_on_refund=RewardOnRefund(row["reward_on_refund"]),
        ),
        salon_ids=tuple(SalonId(salon_id) for salon_id in row["salon_ids"]),
        cool_down_seconds=row["cool_down_seconds"],
        points_code_digits=row["points_code_digits"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
    )
