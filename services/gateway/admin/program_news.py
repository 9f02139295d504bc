"""What the members have not been told of a program's changes; telling is the owner's (SQ-51)."""

from __future__ import annotations

import asyncio
from typing import Final

from loyalty.messaging.v1.messaging_pb2 import (
    ListProgramNoticesRequest,
    ProgramNotice,
    ReadProgramNoticeRequest,
)

from services.chassis.errors import Unavailable
from services.gateway.admin.desk import Desk

# News of a save travels by event and is there within a moment; a slower one is shown at the next
# look.
WAIT_SECONDS_MAX: Final = 1.0
POLL_SECONDS: Final = 0.04


async def untold(desk: Desk, program_id: str = "") -> ProgramNotice | None:
    """The newest change that members do not know of, of one program or of any.

    Only for those who may tell them. Right after a save it is waited for.
    """
    if not desk.manages:
        return None
    loop = asyncio.get_running_loop()
    was_saved = bool(desk.request.query_params.get("news")) and desk.request.method == "GET"
    end = loop.time() + (WAIT_SECONDS_MAX if was_saved else 0)
    while True:
        try:
            answer = await desk.deps.clients.messaging.ListProgramNotices(
                ListProgramNoticesRequest(chain_id=desk.chain_id)
            )
        except Unavailable:
            # The program's page works without messaging.
            return None
        for notice in answer.notices:
            if notice.program_id == program_id or not program_id:
                return notice
        if not answer.has_members or loop.time() > end:
            return None
        await asyncio.sleep(POLL_SECONDS)


async def mark_told(desk: Desk, program_id: str, *, up_to: int) -> None:
    """The members know it, or the owner tells them by other ways."""
    await desk.deps.clients.messaging.ReadProgramNotice(
        ReadProgramNoticeRequest(chain_id=desk.chain_id, program_id=program_id, up_to=up_to)
    )
