"""What of programs is new: for the staff at a till, and for members when the owner tells them."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from fastapi import APIRouter
from loyalty.messaging.v1 import messaging_pb2
from loyalty.points.v1.points_pb2 import ListProgramsRequest, Program
from loyalty.types.v1.types_pb2 import ProgramSection
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.admin.program_words import parts_of, prepared
from services.gateway.errors import Json, api_fields
from services.gateway.pos.caller import Caller, LoyaltyReader, LoyaltyWriter
from services.gateway.pos.fields import Id, Part, known_id
from services.gateway.pos.message_shapes import NothingAnswer, WordsShape
from services.gateway.pos.shapes import moment
from services.gateway.web.speaker import Voice

router = APIRouter(prefix="/loyalty/program-notices", tags=["Loyalty programs"])


class ChangeShape(TypedDict):
    """One section that changed, as it is now."""

    section: str
    lines_fr: list[str]
    lines_en: list[str]


class MessageShape(WordsShape):
    """A message that is prepared for members in French, and in English."""

    english: WordsShape


class NoticeShape(TypedDict):
    """What of one program is new."""

    program_id: str
    changes: list[ChangeShape]
    up_to: int
    changed_at: str
    # Of a notice to members alone.
    proposed_message: NotRequired[MessageShape]


class NoticesAnswer(TypedDict):
    """For the staff who work with this key, and for members, until each was read."""

    staff: list[NoticeShape]
    members: list[NoticeShape]


class ReadNotice(Part):
    """Who knows it now: the staff at this key's tills, or the members."""

    program_id: Id
    audience: Literal["STAFF", "MEMBERS"]
    up_to: Annotated[int, Field(strict=True, ge=1, lt=2**63)]


@router.get("", response_model=NoticesAnswer, operation_id="ListProgramNotices")
async def list_notices(caller: LoyaltyReader) -> Response:
    """What of programs was changed and is not known yet (SQ-51). Nothing is sent by itself.

    A till shows `staff` until somebody has read it. `proposed_message` fits `CreateSend`.
    """
    clients, chain_id = caller.deps.clients, caller.chain_id
    listed = await clients.points.ListPrograms(ListProgramsRequest(chain_id=chain_id))
    programs = {program.id: program for program in listed.programs}
    found: list[list[NoticeShape]] = []
    for reader_id in (caller.actor.id, ""):
        answer = await clients.messaging.ListProgramNotices(
            messaging_pb2.ListProgramNoticesRequest(chain_id=chain_id, reader_id=reader_id)
        )
        found.append(
            [
                await _shape(caller, programs[one.program_id], one, for_members=not reader_id)
                for one in answer.notices
                if one.program_id in programs
            ]
        )
    return Json({"staff": found[0], "members": found[1]})


async def _shape(
    caller: Caller, program: Program, notice: messaging_pb2.ProgramNotice, *, for_members: bool
) -> NoticeShape:
    chain = await caller.chain()
    french, english = (
        Voice(deps=caller.deps, chain=chain, language=language) for language in ("fr", "en")
    )
    known = [one for one in notice.sections if one in ProgramSection.values()]
    said = zip(
        known,
        await parts_of(french, program, known),
        await parts_of(english, program, known),
        strict=True,
    )
    shape: NoticeShape = {
        "program_id": program.id,
        "changes": [
            {
                "section": ProgramSection.Name(section).removeprefix("PROGRAM_SECTION_"),
                "lines_fr": list(in_french.lines),
                "lines_en": list(in_english.lines),
            }
            for section, in_french, in_english in said
        ],
        "up_to": notice.up_to,
        "changed_at": moment(notice.changed_at),
    }
    if for_members:
        words, others = [await prepared(voice, program, known) for voice in (french, english)]
        shape["proposed_message"] = {
            "sms_body": words.sms_body,
            "email_subject": words.email_subject,
            "email_body": words.email_body,
            "english": {
                "sms_body": others.sms_body,
                "email_subject": others.email_subject,
                "email_body": others.email_body,
            },
        }
    return shape


@router.post("/read", response_model=NothingAnswer, operation_id="ReadProgramNotice")
async def read_notice(caller: LoyaltyWriter, body: ReadNotice) -> Response:
    """The staff at this key's tills have read a notice, or the members were told. Repeatable."""
    with api_fields({"program_id": "program_id"}):
        await caller.deps.clients.messaging.ReadProgramNotice(
            messaging_pb2.ReadProgramNoticeRequest(
                chain_id=caller.chain_id,
                program_id=known_id(body.program_id, field="program_id"),
                reader_id=caller.actor.id if body.audience == "STAFF" else "",
                up_to=body.up_to,
            )
        )
    return Json({})
