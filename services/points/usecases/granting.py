"""The green bar: staff type how many and the multi-point code, then the member scans (LS-25)."""

from __future__ import annotations

from uuid import uuid4

from services.chassis.postgres import Connection, in_transaction
from services.points.domain import grants
from services.points.domain.codes import CodeKind, CodeTry
from services.points.domain.errors import CodeInvalid, CodesLocked
from services.points.domain.grants import AuditLine, Grant, GrantRequest, MultiPointWay
from services.points.domain.ids import GrantId, member_account_id
from services.points.domain.programs import named, require_serving
from services.points.storage import code_failures
from services.points.storage import grants as grant_rows
from services.points.storage import programs as program_rows
from services.points.usecases import code_guard
from services.points.usecases.code_guard import Guesser
from services.points.usecases.deps import Deps


async def grant_multi_point(deps: Deps, request: GrantRequest, *, multi_point_code: str) -> Grant:
    """Open a grant of two minutes of real time, used by the next scan of that session.

    Refuses with CodeInvalid, CodesLocked, CodesUnavailable, ProgramUnknown or ProgramInactive, and
    with `RateLimited` after five wrong codes. A refusal opens nothing (M3); it is counted.
    """
    kinds = [CodeKind.MULTI_POINT]
    guesser = Guesser(
        chain_id=request.chain_id,
        holder_id=request.member_id,
        session_id=request.session_id,
    )
    barred = await code_guard.reserve(deps, kinds, guesser)
    if barred is not None:
        raise barred

    async def work(conn: Connection) -> Grant | None:
        return await _grant(deps, conn, request, multi_point_code=multi_point_code)

    grant = await in_transaction(deps.pool, work)
    # Out here, so that the wrong code is counted for good.
    if grant is None:
        raise CodeInvalid(field=CodeKind.MULTI_POINT.field)
    await code_guard.forgive(deps, kinds, guesser)
    return grant


async def _grant(
    deps: Deps, conn: Connection, request: GrantRequest, *, multi_point_code: str
) -> Grant | None:
    """The grant that a right code opens; a wrong one is counted and gives None."""
    view = await program_rows.chain_view(conn, request.chain_id)
    program = named(view.programs, request.program_id)
    require_serving(program, None)
    code_try = CodeTry(
        chain_id=request.chain_id,
        account_id=member_account_id(member_id=request.member_id, program_id=program.id),
        program_id=program.id,
        kind=CodeKind.MULTI_POINT,
    )
    account = (code_try.chain_id, code_try.account_id)
    if code_try.name in await code_failures.locked(conn, [account]):
        raise CodesLocked
    if not code_guard.typed_right(
        deps, CodeKind.MULTI_POINT, typed=multi_point_code, sealed=view.codes[program.id]
    ):
        await code_guard.record(deps, conn, failed=[code_try], right=[])
        return None
    grant = grants.opened(
        request,
        program_id=program.id,
        grant_id=GrantId(uuid4()),
        now=deps.clock.real_now(),
    )
    await grant_rows.insert_grant(conn, grant)
    await code_guard.record(deps, conn, failed=[], right=[code_try])
    await grant_rows.audit(
        conn,
        [
            AuditLine(
                chain_id=grant.chain_id,
                program_id=grant.program_id,
                member_id=grant.member_id,
                session_id=grant.session_id,
                way=MultiPointWay.GRANT,
                points=grant.points,
                subject_id=grant.id,
            )
        ],
    )
    return grant
