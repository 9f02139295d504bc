"""What happened to rewards; append-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import asyncpg

from services.chassis.postgres import Connection
from services.chassis.recording import recorded_at
from services.rewards.domain.ids import (
    AccountId,
    ChainId,
    DefinitionId,
    MemberId,
    ProgramId,
    RewardEventId,
    RewardId,
    SaleId,
    SalonId,
)
from services.rewards.domain.rewards import RewardEvent, RewardEventKind
from services.rewards.domain.searches import EventSearch
from services.rewards.storage.columns import actor_from

_INSERT = f"""
INSERT INTO reward_event (
    chain_id, id, reward_id, member_id, account_id, program_id, definition_id, kind, points,
    salon_id, actor_kind, actor_id, reward_name, occurred_at, sale_id, recorded_at)
SELECT chain_id, id, reward_id, member_id, account_id, program_id, definition_id, kind, points,
       salon_id, actor_kind, actor_id, reward_name, occurred_at, sale_id,
       {recorded_at("new.chain_id")}
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[],
            $8::text[], $9::bigint[], $10::uuid[], $11::text[], $12::text[], $13::text[],
            $14::timestamptz[], $15::uuid[])
     AS new (chain_id, id, reward_id, member_id, account_id, program_id, definition_id, kind,
             points, salon_id, actor_kind, actor_id, reward_name, occurred_at, sale_id)
RETURNING id, recorded_at
"""  # noqa: S608


async def insert_many(conn: Connection, events: Sequence[RewardEvent]) -> list[RewardEvent]:
    """Write facts down; returns them with the moment of it, which the database says."""
    if not events:
        return []
    rows = [
        (
            event.chain_id,
            event.id,
            event.reward_id,
            event.member_id,
            event.account_id,
            event.program_id,
            event.definition_id,
            event.kind.value,
            event.points,
            event.salon_id,
            event.actor.kind.value,
            event.actor.id,
            event.reward_name,
            event.occurred_at,
            event.sale_id,
        )
        for event in events
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    moments = {row["id"]: row["recorded_at"] for row in await conn.fetch(_INSERT, *columns)}
    return [replace(event, recorded_at=moments[event.id]) for event in events]


async def search(conn: Connection, wanted: EventSearch, *, limit: int) -> list[RewardEvent]:
    """Facts of a chain, newest first, strictly older than the last of the page before."""
    values: list[object] = [wanted.chain_id, limit]
    conditions = ["chain_id = $1"]

    def keep(condition: str, value: object) -> None:
        values.append(value)
        conditions.append(condition.format(f"${len(values)}"))

    for column, ids in (
        ("account_id", wanted.account_ids),
        ("member_id", wanted.member_ids),
        ("salon_id", wanted.salon_ids),
    ):
        if ids:
            keep(column + " = ANY({}::uuid[])", list(ids))
    if wanted.kinds:
        keep("kind = ANY({}::text[])", [kind.value for kind in wanted.kinds])
    if wanted.reward_id is not None:
        keep("reward_id = {}", wanted.reward_id)
    if wanted.sale_id is not None:
        keep("sale_id = {}", wanted.sale_id)
    moment = "recorded_at" if wanted.by_recording else "occurred_at"
    if wanted.since is not None:
        keep(moment + " >= {}", wanted.since)
    if wanted.until is not None:
        keep(moment + " < {}", wanted.until)
    before = wanted.before
    if before is not None:
        values.append(before.event_id)
        keep(f"({moment}, id) < ({{}}::timestamptz, ${len(values)}::uuid)", before.at)
    # Only fixed words and numbered places are put together here.
    statement = f"""
        SELECT chain_id, id, reward_id, member_id, account_id, program_id, definition_id, kind,
               points, salon_id, actor_kind, actor_id, reward_name, occurred_at, sale_id,
               recorded_at
        FROM reward_event WHERE {" AND ".join(conditions)}
        ORDER BY {moment} DESC, id DESC LIMIT $2
    """  # noqa: S608
    return [_event(row) for row in await conn.fetch(statement, *values)]


def _event(row: asyncpg.Record) -> RewardEvent:
    account_id, program_id, definition_id, salon_id, sale_id = (
        row["account_id"],
        row["program_id"],
        row["definition_id"],
        row["salon_id"],
        row["sale_id"],
    )
    return RewardEvent(
        id=RewardEventId(row["id"]),
        chain_id=ChainId(row["chain_id"]),
        reward_id=RewardId(row["reward_id"]),
        member_id=MemberId(row["member_id"]),
        account_id=None if account_id is None else AccountId(account_id),
        program_id=None if program_id is None else ProgramId(program_id),
        definition_id=None if definition_id is None else DefinitionId(definition_id),
        kind=RewardEventKind(row["kind"]),
        points=row["points"],
        salon_id=None if salon_id is None else SalonId(salon_id),
        actor=actor_from(row),
        occurred_at=row["occurred_at"],
        reward_name=row["reward_name"],
        sale_id=None if sale_id is None else SaleId(sale_id),
        recorded_at=row["recorded_at"],
    )
