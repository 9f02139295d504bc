""" "Messagerie" → "Journal des envois": each message and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Final

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import FindMembersRequest
from loyalty.messaging.v1 import messaging_pb2
from loyalty.messaging.v1.messaging_pb2 import ListDeliveriesRequest
from loyalty.types.v1 import types_pb2

from services.gateway.admin.desk import DeskDep
from services.gateway.web.i18n import N_

router = APIRouter()

PAGE_SIZE = 50

KINDS: Final[Mapping[int, str]] = {
    messaging_pb2.MESSAGE_KIND_ONE_TIME_CODE: N_("Code à usage unique"),
    messaging_pb2.MESSAGE_KIND_KEYWORD_ANSWER: N_("Réponse à un mot-clé"),
    messaging_pb2.MESSAGE_KIND_WELCOME: N_("Bienvenue"),
    messaging_pb2.MESSAGE_KIND_RECEIPT: N_("Reçu de points"),
    messaging_pb2.MESSAGE_KIND_STATUS: N_("Statut du compte"),
    messaging_pb2.MESSAGE_KIND_DEDUCTION: N_("Points retirés"),
    messaging_pb2.MESSAGE_KIND_TIER_CHANGE: N_("Changement de niveau"),
    messaging_pb2.MESSAGE_KIND_EXPIRY_WARNING: N_("Points qui expirent bientôt"),
    messaging_pb2.MESSAGE_KIND_COLLECT_EMAIL: N_("Points contre un courriel"),
    messaging_pb2.MESSAGE_KIND_TEXT_TO_JOIN: N_("Texter pour entrer"),
    messaging_pb2.MESSAGE_KIND_OFFER: N_("Offre"),
    messaging_pb2.MESSAGE_KIND_BIRTHDAY: N_("Anniversaire"),
    messaging_pb2.MESSAGE_KIND_ANNOUNCEMENT: N_("Annonce"),
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

# Why, in words; what only an engineer understands shows as its code.
REASONS: Final[Mapping[str, str]] = {
    "stopped": N_("A dit STOP ou s'est désabonné"),
    "not_consented": N_("N'a pas accepté de tels messages"),
    "not_verified": N_("N'a pas encore confirmé son adresse"),
    "send_stopped": N_("L'envoi a été arrêté"),
    "answer_lost": N_("Le fournisseur n'a pas répondu"),
    "provider_busy": N_("Le fournisseur est occupé: nouvel essai bientôt"),
    "provider_unreachable": N_("Le fournisseur est hors d'atteinte: nouvel essai bientôt"),
    "provider_refuses_credentials": N_(
        "Le fournisseur refuse la plateforme: l'hébergeur doit agir"
    ),
    "no_provider": N_("Aucun fournisseur n'est réglé pour ce canal"),
    "address_impossible": N_("Cette adresse ne peut rien recevoir"),
    "message_withdrawn": N_("Le message a été retiré entre-temps"),
    "offer_gone": N_("L'offre a été supprimée entre-temps"),
    "plan_required": N_("Le forfait ne comprend pas ce message"),
    "quiet_hours": N_("Attend la fin du silence"),
    "daily_cap": N_("Attend demain: la limite du jour est atteinte"),
    # The state says it all.
    "too_late": "",
}


@router.get("/admin/deliveries")
async def deliveries(desk: DeskDep) -> Response:
    """The journal: each message with what became of it, newest first."""
    clients = desk.deps.clients
    answer = await clients.messaging.ListDeliveries(
        ListDeliveriesRequest(
            chain_id=desk.chain_id,
            limit=PAGE_SIZE,
            cursor=desk.request.query_params.get("cursor", ""),
            send_id=desk.request.query_params.get("send", ""),
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
            "why": desk.say(REASONS.get(delivery.reason, delivery.reason)),
        }
        for delivery in answer.deliveries
    ]
    return desk.show(
        "deliveries.html",
        here="deliveries",
        lines=lines,
        cursor=answer.cursor,
        send_id=desk.request.query_params.get("send", ""),
    )
