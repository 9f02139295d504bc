"""Notices to the staff: what of a program is new, until each has read it (SQ-51)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Response
from loyalty.messaging.v1.messaging_pb2 import (
    ListProgramNoticesRequest,
    ReadProgramNoticeRequest,
)
from loyalty.points.v1.points_pb2 import ListProgramsRequest

from services.chassis.errors import RemoteRefusal, Unavailable
from services.gateway.admin import program_news
from services.gateway.admin.desk import DeskDep, ManagerDesk
from services.gateway.admin.program_words import Part, parts_of
from services.gateway.web.forms import Fields, read_fields
from services.gateway.web.speaker import Speaker

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What of one program is new to a reader, in her words."""

    program_id: str
    program_name: str
    parts: Sequence[Part]
    up_to: int
    changed_at: datetime


async def notices_for(speaker: Speaker, reader_id: str) -> list[Notice]:
    """What a staff member or a tablet has not read; nothing while messaging is out of reach."""
    clients, chain_id = speaker.deps.clients, speaker.chain_id
    try:
        answer = await clients.messaging.ListProgramNotices(
            ListProgramNoticesRequest(chain_id=chain_id, reader_id=reader_id)
        )
        if not answer.notices:
            return []
        listed = await clients.points.ListPrograms(ListProgramsRequest(chain_id=chain_id))
        programs = {program.id: program for program in listed.programs}
        return [
            Notice(
                program_id=one.program_id,
                program_name=programs[one.program_id].name,
                parts=await parts_of(speaker, programs[one.program_id], one.sections),
                up_to=one.up_to,
                changed_at=one.changed_at.ToDatetime(UTC),
            )
            for one in answer.notices
            if one.program_id in programs
        ]
    except Unavailable:
        return []


async def mark_read(speaker: Speaker, reader_id: str, fields: Fields) -> None:
    """ "J'ai lu": what her page showed, and nothing that was changed since."""
    up_to = fields.text("up_to")
    if not (up_to.isascii() and up_to.isdecimal() and len(up_to) < 19 and int(up_to)):
        return
    try:
        await speaker.deps.clients.messaging.ReadProgramNotice(
            ReadProgramNoticeRequest(
                chain_id=speaker.chain_id,
                program_id=fields.text("program_id"),
                reader_id=reader_id,
                up_to=int(up_to),
            )
        )
    except RemoteRefusal:
        # A form that was altered by hand: nothing is read by it.
        return


@router.post("/admin/notices/read")
async def read_notice(desk: DeskDep) -> Response:
    """ "J'ai lu" of one staff member; the others still see it."""
    await mark_read(desk, desk.principal.actor.id, await read_fields(desk.request))
    return desk.go("")


@router.post("/admin/programs/{program_id}/told")
async def leave_untold(desk: ManagerDesk, program_id: str) -> Response:
    """ "Ne pas envoyer": she tells her clients by other ways; it is proposed no more."""
    notice = await program_news.untold(desk, program_id)
    if notice is not None:
        await program_news.mark_told(desk, program_id, up_to=notice.up_to)
    return desk.go(f"programs/{program_id}")
