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

from services.gateway.admin.desk import Desk, DeskDep
from services.gateway.web.i18n import N_

router = APIRouter()

PAGE_SIZE = 25

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

# Why a message waits or was not sent; what is not listed is a matter of the provider's.
REASONS: Final[Mapping[str, str]] = {
    "quiet_hours": N_("Attend la fin des heures de silence"),
    "daily_cap": N_("La limite de textos du jour est atteinte: attend demain"),
    "stopped": N_("A demandé de ne plus recevoir de messages"),
    "not_consented": N_("N'a pas accepté les messages"),
    "not_verified": N_("N'a pas encore confirmé son adresse"),
    "erased": N_("A demandé à être oublié"),
    "address_changed": N_("Cette adresse n'est plus la sienne"),
    "send_stopped": N_("Retenu par « Arrêter »"),
    "message_withdrawn": N_("Le message a été supprimé"),
    "plan_required": N_("Le forfait ne l'envoie pas"),
    "offer_gone": N_("L'offre a été supprimée"),
    "no_words": N_("Aucun mot à dire sur ce canal"),
    "too_late": N_("Trop tard pour servir"),
    "address_impossible": N_("L'adresse n'existe pas"),
    "answer_lost": N_("Le fournisseur n'a pas répondu"),
    "provider_busy": N_("Le fournisseur n'arrive pas à suivre: nouvel essai bientôt"),
    "provider_unreachable": N_("Le fournisseur est hors d'atteinte: nouvel essai bientôt"),
    "provider_refuses_credentials": N_(
        "Le fournisseur refuse la plateforme: l'hébergeur doit agir"
    ),
    "no_provider": N_("Aucun fournisseur n'est réglé pour ce canal"),
}
_BY_PROVIDER: Final = N_("Le fournisseur dit: %(code)s")
# What the journal can be narrowed to.
FILTERS: Final[Mapping[str, tuple[str, tuple[messaging_pb2.DeliveryStatus.ValueType, ...]]]] = {
    "": (N_("Tous"), ()),
    "waiting": (N_("En file"), (messaging_pb2.DELIVERY_STATUS_QUEUED,)),
    "gone": (
        N_("Partis"),
        (messaging_pb2.DELIVERY_STATUS_SENT, messaging_pb2.DELIVERY_STATUS_DELIVERED),
    ),
    "held": (N_("Retenus faute de consentement"), (messaging_pb2.DELIVERY_STATUS_BLOCKED,)),
    "failed": (
        N_("Échecs"),
        (
            messaging_pb2.DELIVERY_STATUS_FAILED,
            messaging_pb2.DELIVERY_STATUS_EXPIRED,
            messaging_pb2.DELIVERY_STATUS_UNKNOWN,
        ),
    ),
}


def reason_words(desk: Desk, reason: str) -> str:
    """Why, for people; a code of the provider's as it is, for whoever asks the provider."""
    if not reason:
        return ""
    words = REASONS.get(reason)
    return desk.say(words) if words else desk.say(_BY_PROVIDER, code=reason)


@router.get("/admin/deliveries")
async def deliveries(desk: DeskDep) -> Response:
    """The journal: each message, newest first, with what became of it and when."""
    clients, asked = desk.deps.clients, desk.request.query_params
    shown = asked.get("show", "") if asked.get("show", "") in FILTERS else ""
    answer = await clients.messaging.ListDeliveries(
        ListDeliveriesRequest(
            chain_id=desk.chain_id,
            limit=PAGE_SIZE,
            cursor=asked.get("cursor", ""),
            send_id=asked.get("send", ""),
            statuses=FILTERS[shown][1],
        )
    )
    ids = sorted({delivery.member_id for delivery in answer.deliveries if delivery.member_id})
    found = await clients.enrollment.FindMembers(
        FindMembersRequest(chain_id=desk.chain_id, member_ids=ids)
    )
    lines = [
        {
            "at": delivery.updated_at.ToDatetime(UTC),
            "member": next((m for m in found.members if m.id == delivery.member_id), None),
            "kind": desk.say(KINDS.get(delivery.kind, "")) if delivery.kind else "",
            "by_text": delivery.channel == types_pb2.CHANNEL_SMS,
            "status": desk.say(STATUSES.get(delivery.status, "")) if delivery.status else "",
            "attempts": delivery.attempts,
            "reason": reason_words(desk, delivery.reason),
        }
        for delivery in answer.deliveries
    ]
    return desk.show(
        "deliveries.html",
        here="deliveries",
        lines=lines,
        cursor=answer.cursor,
        send_id=asked.get("send", ""),
        filters=[(name, desk.say(words)) for name, (words, _statuses) in FILTERS.items()],
        shown=shown,
    )
