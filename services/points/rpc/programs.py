"""Programs over gRPC."""

from __future__ import annotations

from typing import Any

from loyalty.points.v1 import points_pb2 as pb

from services.points.domain.errors import SalonUnknown
from services.points.domain.ids import SalonId
from services.points.domain.programs import ProgramChange
from services.points.rpc import reading, rules, writing
from services.points.rpc.door import Context, Door
from services.points.usecases import earn_tokens, programs
from services.points.usecases.programs import NewProgram, ProgramSave


class ProgramsServicer(Door):
    """Programs, their codes and their earn tokens."""

    async def CreateProgram(
        self, request: pb.CreateProgramRequest, context: Context
    ) -> pb.CreateProgramResponse:
        """See `usecases.programs.create_program`."""
        optional = request.HasField("cool_down_seconds")
        created = await programs.create_program(
            self._deps,
            NewProgram(
                idempotency_key=request.idempotency_key,
                chain_id=reading.chain_id(request.chain_id),
                name=request.name,
                term_one=request.term_one,
                term_other=request.term_other,
                accrual_type=reading.accrual_type(request.accrual_type),
                visit_points=request.visit_points,
                salon_ids=_salon_ids(request.salon_ids),
                points_code=request.points_code,
                multi_point_code=request.multi_point_code,
                cool_down_seconds=request.cool_down_seconds if optional else None,
                rules=rules.draft(request.rules),
                actor=reading.actor(request.actor),
            ),
        )
        return pb.CreateProgramResponse(program=writing.program(created))

    async def UpdateProgram(
        self, request: pb.UpdateProgramRequest, context: Context
    ) -> pb.UpdateProgramResponse:
        """See `usecases.programs.update_program`."""

        def given(name: str) -> Any:
            return getattr(request, name) if request.HasField(name) else None  # type: ignore[arg-type]

        change = ProgramChange(
            name=given("name"),
            term_one=given("term_one"),
            term_other=given("term_other"),
            active=given("active"),
            visit_points=given("visit_points"),
            cool_down_seconds=given("cool_down_seconds"),
            salon_ids=_salon_ids(request.salon_ids) if request.replace_salon_ids else None,
        )
        saved = await programs.update_program(
            self._deps,
            ProgramSave(
                idempotency_key=request.idempotency_key,
                chain_id=reading.chain_id(request.chain_id),
                program_id=reading.program_id(request.program_id),
                change=change,
                rules=rules.draft(request.rules),
                accrual_type=reading.accrual_type(given("accrual_type") or 0),
                points_code=given("points_code"),
                multi_point_code=given("multi_point_code"),
                actor=reading.actor(request.actor),
            ),
        )
        return pb.UpdateProgramResponse(program=writing.program(saved))

    async def GetProgram(
        self, request: pb.GetProgramRequest, context: Context
    ) -> pb.GetProgramResponse:
        """See `usecases.programs.get_program`."""
        found = await programs.get_program(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            program_id=reading.program_id(request.program_id),
        )
        return pb.GetProgramResponse(program=writing.program(found))

    async def ListPrograms(
        self, request: pb.ListProgramsRequest, context: Context
    ) -> pb.ListProgramsResponse:
        """See `usecases.programs.list_programs`."""
        found = await programs.list_programs(
            self._deps, chain_id=reading.chain_id(request.chain_id)
        )
        return pb.ListProgramsResponse(programs=[writing.program(each) for each in found])

    async def GetProgramCodes(
        self, request: pb.GetProgramCodesRequest, context: Context
    ) -> pb.GetProgramCodesResponse:
        """See `usecases.programs.get_program_codes`. The only answer that holds a code."""
        view = await programs.get_program_codes(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            program_id=reading.program_id(request.program_id),
        )
        return pb.GetProgramCodesResponse(
            codes=pb.ProgramCodes(
                points_code=view.codes.points_code,
                multi_point_code=view.codes.multi_point_code,
            ),
            code_failures=view.code_failures,
        )

    async def GetEarnToken(
        self, request: pb.GetEarnTokenRequest, context: Context
    ) -> pb.GetEarnTokenResponse:
        """See `usecases.earn_tokens.get_earn_token`."""
        salon_id = reading.salon_id(request.salon_id)
        if salon_id is None:
            raise SalonUnknown
        token = await earn_tokens.get_earn_token(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            program_id=reading.program_id(request.program_id),
            salon_id=salon_id,
        )
        return pb.GetEarnTokenResponse(earn_token=token)

    async def ReadEarnToken(
        self, request: pb.ReadEarnTokenRequest, context: Context
    ) -> pb.ReadEarnTokenResponse:
        """See `usecases.earn_tokens.read_earn_token`."""
        program_id, salon_id = earn_tokens.read_earn_token(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            earn_token=request.earn_token,
        )
        return pb.ReadEarnTokenResponse(program_id=str(program_id), salon_id=str(salon_id))


def _salon_ids(texts: Any) -> tuple[SalonId, ...]:
    found = (reading.salon_id(text) for text in texts)
    return tuple(dict.fromkeys(salon_id for salon_id in found if salon_id is not None))
