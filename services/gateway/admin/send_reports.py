""" "Envois aux clients": what was sent, what became of it, and "Arrêter" (LS-60, LS-63)."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Response
from loyalty.messaging.v1 import messaging_pb2
from loyalty.messaging.v1.messaging_pb2 import (
    GetMessageSettingsRequest,
    GetSendRequest,
    ListDeliveriesRequest,
    ListSendsRequest,
    Send,
    StopSendRequest,
)
from loyalty.offers.v1.offers_pb2 import ListOffersRequest

from services.gateway.admin.desk import Desk, DeskDep, ManagerDesk
from services.gateway.admin.preview import Preview, Words, previews_of
from services.gateway.admin.sending import WARNINGS, Subject, offer_of
from services.gateway.web.i18n import N_

router = APIRouter()

SENDS_SHOWN: Final = 50
STATUSES: Final = {
    messaging_pb2.SEND_STATUS_SCHEDULED: N_("Planifié"),
    messaging_pb2.SEND_STATUS_SENDING: N_("En cours"),
    messaging_pb2.SEND_STATUS_DONE: N_("Terminé"),
    messaging_pb2.SEND_STATUS_STOPPED: N_("Arrêté"),
}
UNDER_WAY: Final = (messaging_pb2.SEND_STATUS_SCHEDULED, messaging_pb2.SEND_STATUS_SENDING)
# Of what still waits, so many tell what they wait for.
QUEUED_READ: Final = 20
WAITS: Final = {
    "daily_cap": N_(
        "La limite de %(cap)s textos par jour est atteinte: "
        "le reste part demain matin, de lui-même."
    ),
    "quiet_hours": N_(
        "Ce sont les heures de silence: ce qui attend part à %(until)s, à l'heure de chaque client."
    ),
}


@router.get("/admin/sends")
async def sends(desk: DeskDep) -> Response:
    """Every send, the newest first, with what became of it."""
    clients = desk.deps.clients
    answer = await clients.messaging.ListSends(
        ListSendsRequest(
            chain_id=desk.chain_id,
            limit=SENDS_SHOWN,
            cursor=desk.request.query_params.get("cursor", ""),
        )
    )
    offers = await clients.offers.ListOffers(ListOffersRequest(chain_id=desk.chain_id))
    return desk.show(
        "sends.html",
        here="sends",
        sends=answer.sends,
        cursor=answer.cursor,
        titles={offer.id: offer.title for offer in offers.offers},
        statuses=_statuses(desk),
    )


def _statuses(desk: Desk) -> dict[int, str]:
    return {status: desk.say(words) for status, words in STATUSES.items()}


@router.get("/admin/sends/{send_id}")
async def send_page(desk: DeskDep, send_id: str) -> Response:
    """The report of one send; it renews itself while messages leave."""
    request = GetSendRequest(chain_id=desk.chain_id, send_id=send_id)
    send = (await desk.deps.clients.messaging.GetSend(request)).send
    warning = WARNINGS.get(desk.request.query_params.get("warning", ""), "")
    offer, wait, previews = await asyncio.gather(
        offer_of(desk, send.offer_id), _wait(desk, send), _said(desk, send)
    )
    return desk.show(
        "send_report.html",
        here="sends",
        send=send,
        offer=offer,
        wait=wait,
        previews=previews,
        planned=send.status == messaging_pb2.SEND_STATUS_SCHEDULED,
        state=_statuses(desk).get(send.status, ""),
        under_way=send.status in UNDER_WAY,
        # What a provider had in hand when the send was stopped is told a moment later.
        moves=send.status in UNDER_WAY or send.report.queued > 0,
        gone=_gone(send),
        warning=desk.say(warning) if warning else "",
    )


async def _wait(desk: Desk, send: Send) -> str:
    """In words, what the rest of a send waits for, and till when; empty = for nothing."""
    if not send.report.queued:
        return ""
    messaging = desk.deps.clients.messaging
    queued = await messaging.ListDeliveries(
        ListDeliveriesRequest(
            chain_id=desk.chain_id,
            send_id=send.id,
            statuses=[messaging_pb2.DELIVERY_STATUS_QUEUED],
            limit=QUEUED_READ,
        )
    )
    reason = next((one.reason for one in queued.deliveries if one.reason in WAITS), "")
    if not reason:
        return ""
    answer = await messaging.GetMessageSettings(GetMessageSettingsRequest(chain_id=desk.chain_id))
    return desk.say(
        WAITS[reason],
        cap=desk.number(answer.settings.daily_sms_cap),
        until=answer.settings.quiet_until,
    )


async def _said(desk: Desk, send: Send) -> list[Preview]:
    """What was written, as it reads."""
    kind = Subject(offer_id=send.offer_id).kind
    words, english = (
        Words(sms_body=one.sms_body, email_subject=one.email_subject, email_body=one.email_body)
        for one in (send, send.english)
    )
    return (await previews_of(desk, kind, words, english, offer_id=send.offer_id))[0]


def _gone(send: Send) -> int:
    """How many of the chosen had their turn, whatever became of it."""
    return max(0, send.report.chosen - send.report.queued - send.report.stopped)


@router.get("/admin/sends/{send_id}/stop")
async def ask_stop(desk: ManagerDesk, send_id: str) -> Response:
    """The question before "Arrêter", in numbers."""
    request = GetSendRequest(chain_id=desk.chain_id, send_id=send_id)
    send = (await desk.deps.clients.messaging.GetSend(request)).send
    if send.status not in UNDER_WAY:
        return desk.go(f"sends/{send_id}")
    report = send.report
    planned = send.status == messaging_pb2.SEND_STATUS_SCHEDULED
    return desk.show(
        "send_stop.html",
        here="sends",
        send=send,
        left=report.chosen if planned else report.queued,
        gone=report.sent + report.delivered,
    )


@router.post("/admin/sends/{send_id}/stop")
async def stop_send(desk: ManagerDesk, send_id: str) -> Response:
    """ "Arrêter": what has not left does not leave."""
    await desk.deps.clients.messaging.StopSend(
        StopSendRequest(chain_id=desk.chain_id, send_id=send_id, actor=desk.principal.actor)
    )
    return desk.go(f"sends/{send_id}")
