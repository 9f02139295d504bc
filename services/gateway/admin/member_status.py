""" "Envoyer le statut": the balance of now to one client, who did not stop her messages (SQ-32)."""

from __future__ import annotations

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import GetMemberRequest
from loyalty.messaging.v1.messaging_pb2 import SendStatusRequest

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.desk import Desk, DeskDep
from services.gateway.web.forms import NO_PROBLEMS, Problems, new_key, problems_of, read_fields

router = APIRouter()


async def _page(desk: Desk, member_id: str, *, problems: Problems = NO_PROBLEMS) -> Response:
    request = GetMemberRequest(chain_id=desk.chain_id, member_id=member_id)
    member = (await desk.deps.clients.enrollment.GetMember(request)).member
    return desk.show(
        "member_status.html", here="members", member=member, problems=problems, key=new_key()
    )


@router.get("/admin/members/{member_id}/status")
async def ask_status(desk: DeskDep, member_id: str) -> Response:
    """What will be sent to whom, before it is."""
    return await _page(desk, member_id)


@router.post("/admin/members/{member_id}/status")
async def send_status(desk: DeskDep, member_id: str) -> Response:
    """ "Envoyer"; where a STOP is in force the reason is told and nothing leaves (D18)."""
    fields = await read_fields(desk.request)
    try:
        await desk.deps.clients.messaging.SendStatus(
            SendStatusRequest(
                idempotency_key=fields.key,
                chain_id=desk.chain_id,
                member_id=member_id,
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return await _page(desk, member_id, problems=problems_of(refusal, desk.language))
    return desk.go(f"members/{member_id}", done="status_sent")
