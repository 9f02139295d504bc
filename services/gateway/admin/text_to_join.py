""" "Programmes Texter pour entrer": the chain's own number and its keyword (LS-18, LS-19)."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from loyalty.messaging.v1.messaging_pb2 import (
    GetSenderNumberRequest,
    GetTextToJoinRequest,
    SetKeywordRequest,
)

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.desk import Desk, DeskDep, ManagerDesk
from services.gateway.web.forms import NO_PROBLEMS, Problems, problems_of, read_fields

router = APIRouter()


async def _page(
    desk: Desk, *, keyword: str | None = None, problems: Problems = NO_PROBLEMS
) -> Response:
    messaging = desk.deps.clients.messaging
    sender, join = await asyncio.gather(
        messaging.GetSenderNumber(GetSenderNumberRequest(chain_id=desk.chain_id)),
        messaging.GetTextToJoin(GetTextToJoinRequest(chain_id=desk.chain_id)),
    )
    return desk.show(
        "text_to_join.html",
        here="text-to-join",
        problems=problems,
        sender=sender.number,
        join=join.text_to_join,
        allowed=join.allowed,
        keyword=join.text_to_join.keyword if keyword is None else keyword,
    )


@router.get("/admin/text-to-join")
async def text_to_join(desk: DeskDep) -> Response:
    """The dedicated number top left with its keyword, or how to get one (LS-19)."""
    return await _page(desk)


@router.post("/admin/text-to-join")
async def set_keyword(desk: ManagerDesk) -> Response:
    """ "Sauvegarder" of another keyword."""
    fields = await read_fields(desk.request)
    try:
        await desk.deps.clients.messaging.SetKeyword(
            SetKeywordRequest(
                chain_id=desk.chain_id,
                keyword=fields.text("keyword"),
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language, shown={"keyword": "keyword"})
        return await _page(desk, keyword=fields["keyword"], problems=problems)
    return desk.go("text-to-join", done="saved")
