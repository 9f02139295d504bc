"""What the earn QR of a program and salon carries: signed, and the same for ever (LS-07, LS-23)."""

from __future__ import annotations

from uuid import UUID

from services.chassis.postgres import ACQUIRE_TIMEOUT_SECONDS
from services.points.domain.errors import EarnTokenInvalid
from services.points.domain.ids import ChainId, ProgramId, SalonId
from services.points.domain.programs import named, require_serving
from services.points.storage import programs as program_rows
from services.points.usecases.deps import Deps

# Chain, program, salon: three ids of 16 bytes, and nothing of the codes.
_PAYLOAD_BYTES = 48


async def get_earn_token(
    deps: Deps, *, chain_id: ChainId, program_id: ProgramId | None, salon_id: SalonId
) -> str:
    """The token of a program and salon; the same each time, whatever becomes of the codes.

    Refuses with ProgramUnknown, ProgramInactive, SalonUnknown, SalonInactive, SalonNotInProgram.
    """
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        view = await program_rows.chain_view(conn, chain_id, salon_id)
    program = named(view.programs, program_id)
    require_serving(program, view.standing(salon_id))
    return deps.earn_tokens.sign(chain_id.bytes + program.id.bytes + salon_id.bytes)


def read_earn_token(deps: Deps, *, chain_id: ChainId, earn_token: str) -> tuple[ProgramId, SalonId]:
    """Program and salon of a scanned token; refuses with EarnTokenInvalid, another chain's too."""
    payload = deps.earn_tokens.verify(earn_token)
    if payload is None or len(payload) != _PAYLOAD_BYTES or payload[:16] != chain_id.bytes:
        raise EarnTokenInvalid
    return ProgramId(UUID(bytes=payload[16:32])), SalonId(UUID(bytes=payload[32:]))
