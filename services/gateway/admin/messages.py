""" "Messagerie": the number for texts, and the journal of what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Final

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import FindMembersRequest
from loyalty.messaging.v1 import messaging_pb2
from loyalty.messaging.v1.messaging_pb2 import GetSenderNumberRequest, ListDeliveriesRequest
from loyalty.types.v1 import types_pb2

from services.gateway.admin.desk import DeskDep
from services.gateway.web.i18n import N_

router = APIRouter()

PAGE_SIZE = 50

KINDS: Final[Mapping[int, str]] = {
    messaging_pb2.MESSAGE_KIND_ONE_TIME_CODE: N_("Code à usage unique"),
    messaging_pb2.MESSAGE_KIND_KEYWORD_ANSWER: N_("Réponse à un mot-clé"),
    messaging_pb2.MESSAGE_KIND_WELCOME: N_("Bienvenue"),
}
STATUSES: Final[Mapping[int, str]] = {
    messaging_pb2.DELIVERY_STATUS_QUEUED: N_("En file"),
    messaging_pb2.DELIVERY_STATUS_SENT: N_("Envoyé"),
    messaging_pb2.DELIVERY_STATUS_DELIVERED: N_("Livré"),
    messaging_pb2.DELIVERY_STATUS_FAILED: N_("Échec"),
    messaging_pb2.DELIVERY_STATUS_BLOCKED: N_("Retenu faute de consentement"),
    messaging_pb2.DELIVERY_STATUS_EXPIRED: N_("Trop tard pour servir"),
    messaging_pb2.DELIVERY_STATUS_UNKNOWN: N_("Sort inconnu"),
}


@router.get("/admin/text-to-join")
async def text_to_join(desk: DeskDep) -> Response:
    """The number from which the chain's texts come; a dedicated one is for plan Pro (LS-18)."""
    answer = await desk.deps.clients.messaging.GetSenderNumber(
        GetSenderNumberRequest(chain_id=desk.chain_id)
    )
    is_pro = desk.chain.plan == types_pb2.PLAN_PRO
    return desk.show("text_to_join.html", here="text-to-join", number=answer.number, is_pro=is_pro)


@router.get("/admin/scheduled")
async def scheduled(desk: DeskDep) -> Response:
    """What goes out by itself today."""
    return desk.show("scheduled.html", here="scheduled")


@router.get("/admin/deliveries")
async def deliveries(desk: DeskDep) -> Response:
    """The journal: each message with what became of it, newest first."""
    clients = desk.deps.clients
    answer = await clients.messaging.ListDeliveries(
        ListDeliveriesRequest(
            chain_id=desk.chain_id,
            limit=PAGE_SIZE,
            cursor=desk.request.query_params.get("cursor", ""),
        )
    )
    ids = sorted({delivery.member_id for delivery in answer.deliveries if delivery.member_id})
    found = await clients.enrollment.FindMembers(
        FindMembersRequest(chain_id=desk.chain_id, member_ids=ids)
    )
    lines = [
        {
            "at": delivery.created_at.ToDatetime(UTC),
            "member": next((m for m in found.members if m.id == delivery.member_id), None),
            "kind": desk.say(KINDS.get(delivery.kind, "")) if delivery.kind else "",
            "by_text": delivery.channel == types_pb2.CHANNEL_SMS,
            "status": desk.say(STATUSES.get(delivery.status, "")) if delivery.status else "",
            "attempts": delivery.attempts,
            "reason": delivery.reason,
        }
        for delivery in answer.deliveries
    ]
    return desk.show("deliveries.html", here="deliveries", lines=lines, cursor=answer.cursor)
