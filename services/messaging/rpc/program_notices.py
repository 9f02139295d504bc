"""What of programs was changed, and who knows it."""

from __future__ import annotations

from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.messaging.domain import errors
from services.messaging.domain.program_change import ProgramNotice
from services.messaging.domain.standing import ProgramId
from services.messaging.rpc import reading, writing
from services.messaging.rpc.door import Door
from services.messaging.usecases import program_changes

READER_LENGTH_MAX = 64


class ProgramNoticesServicer(Door):
    """Notices for the staff, proposals for the members."""

    async def ListProgramNotices(
        self, request: pb.ListProgramNoticesRequest, context: object
    ) -> pb.ListProgramNoticesResponse:
        """`program_changes.unread`."""
        found = await program_changes.unread(
            self._deps, reading.chain_id(request.chain_id), _reader(request.reader_id)
        )
        return pb.ListProgramNoticesResponse(
            notices=[_notice(one) for one in found.notices], has_members=found.has_members
        )

    async def ReadProgramNotice(
        self, request: pb.ReadProgramNoticeRequest, context: object
    ) -> pb.ReadProgramNoticeResponse:
        """`program_changes.mark_read`."""
        await program_changes.mark_read(
            self._deps,
            reading.chain_id(request.chain_id),
            ProgramId(reading.uuid(request.program_id, field="program_id")),
            _reader(request.reader_id),
            up_to=max(0, request.up_to),
        )
        return pb.ReadProgramNoticeResponse()


def _reader(text: str) -> str:
    if len(text) > READER_LENGTH_MAX or not text.isprintable():
        raise errors.IdInvalid(field="reader_id")
    return text


def _notice(notice: ProgramNotice) -> pb.ProgramNotice:
    return pb.ProgramNotice(
        program_id=str(notice.program_id),
        sections=[
            types_pb2.ProgramSection.Value(f"PROGRAM_SECTION_{one.value}")
            for one in notice.sections
        ],
        up_to=notice.up_to,
        changed_at=writing.timestamp(notice.changed_at),
    )
