"""A changed program is news: to the staff at once, to the members when their owner says (SQ-51)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.chain import ChainId
from services.messaging.domain.program_change import (
    ProgramChange,
    ProgramNotice,
    oldest_for,
    sections_for,
)
from services.messaging.domain.standing import ProgramId
from services.messaging.storage import program_changes as rows
from services.messaging.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What a reader does not know yet, and whether the chain has members at all."""

    notices: Sequence[ProgramNotice]
    has_members: bool


async def take_change(conn: Connection, change: ProgramChange) -> None:
    """Keep a change; while nobody has joined, a program is made and not changed."""
    if change.sections and await rows.has_members(conn, change.chain_id):
        await rows.insert(conn, change)


async def unread(deps: Deps, chain_id: ChainId, reader_id: str) -> Unread:
    """What a reader, or the members, have not heard of; nothing is sent by this (SQ-31)."""

    async def work(conn: Connection) -> Unread:
        return Unread(
            notices=await rows.unread(
                conn,
                chain_id,
                reader_id,
                sections=sections_for(reader_id),
                since=oldest_for(reader_id, now=deps.clock.now(chain_id)),
            ),
            has_members=await rows.has_members(conn, chain_id),
        )

    return await in_transaction(deps.pool, work)


async def mark_read(
    deps: Deps, chain_id: ChainId, program_id: ProgramId, reader_id: str, *, up_to: int
) -> None:
    """She has read it, or the members were told. Repeatable; 0 = everything up to now."""

    async def work(conn: Connection) -> None:
        await rows.mark_read(conn, chain_id, program_id, reader_id, up_to=up_to or None)

    await in_transaction(deps.pool, work)
