"""What points keeps of chains, salons and members, as enrollment tells it."""

from __future__ import annotations

import structlog

from services.chassis.postgres import Connection
from services.points.domain.errors import ProgramInactive, ProgramUnknown
from services.points.domain.ids import ChainId, MemberId, SalonId
from services.points.storage import chains as chain_rows
from services.points.usecases.accounts import open_account_within
from services.points.usecases.deps import Deps

log = structlog.get_logger(__name__)


async def keep_chain(
    conn: Connection,
    *,
    chain_id: ChainId,
    sandbox: bool,
    home_time_zone: str,
    currency: str | None,
    version: int,
) -> None:
    """Keep a chain as told; an older version than the kept one changes nothing. Repeatable."""
    await chain_rows.put_chain(
        conn,
        chain_id=chain_id,
        sandbox=sandbox,
        home_time_zone=home_time_zone,
        currency=currency,
        version=version,
    )


async def keep_salon(
    conn: Connection,
    *,
    chain_id: ChainId,
    salon_id: SalonId,
    time_zone: str,
    active: bool,
    version: int,
) -> None:
    """Keep a salon as told; an older version than the kept one changes nothing. Repeatable."""
    await chain_rows.put_salon(
        conn,
        chain_id=chain_id,
        salon_id=salon_id,
        time_zone=time_zone,
        active=active,
        version=version,
    )


async def welcome_member(
    deps: Deps, conn: Connection, *, chain_id: ChainId, member_id: MemberId
) -> None:
    """Open the account of a new member in the chain's default program. Repeatable.

    A chain without an active program opens none now: her first earn does.
    """
    try:
        await open_account_within(
            deps, conn, chain_id=chain_id, member_id=member_id, program_id=None
        )
    except (ProgramUnknown, ProgramInactive):
        log.info("member_waits_for_a_program", chain_id=str(chain_id))
