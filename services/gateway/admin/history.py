"""What happened to a member's points and rewards, in words that staff know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from loyalty.enrollment.v1.enrollment_pb2 import Salon
from loyalty.points.v1 import points_pb2
from loyalty.rewards.v1 import rewards_pb2
from loyalty.types.v1 import types_pb2
from loyalty.types.v1.types_pb2 import Actor

from services.gateway.admin.desk import Desk
from services.gateway.web.i18n import N_

# LS-72, D17: the first is preselected.
REASONS: Final[Mapping[points_pb2.AdjustmentReason.ValueType, str]] = {
    points_pb2.ADJUSTMENT_REASON_SALON: N_("Ajustement au salon"),
    points_pb2.ADJUSTMENT_REASON_PHONE_FORGOTTEN: N_("Téléphone oublié"),
    points_pb2.ADJUSTMENT_REASON_ERROR: N_("Erreur"),
    points_pb2.ADJUSTMENT_REASON_GOODWILL: N_("Geste commercial"),
    points_pb2.ADJUSTMENT_REASON_SOCIAL: N_("Réseaux sociaux"),
    points_pb2.ADJUSTMENT_REASON_OTHER: N_("Autre raison"),
}

_EARNED_BY: Final[Mapping[int, str]] = {
    points_pb2.EARN_SOURCE_SCAN: N_("Code QR scanné"),
    points_pb2.EARN_SOURCE_MULTI_POINT_SCAN: N_("Multi-points et code QR"),
    points_pb2.EARN_SOURCE_MANUAL_CODE: N_("Code numérique"),
    points_pb2.EARN_SOURCE_TABLET: N_("Tablette"),
    points_pb2.EARN_SOURCE_TILL: N_("Caisse"),
}

_KINDS: Final[Mapping[int, str]] = {
    points_pb2.ENTRY_KIND_EARN: N_("Points gagnés"),
    points_pb2.ENTRY_KIND_ADJUSTMENT: N_("Points manuellement ajoutés/retirés"),
    points_pb2.ENTRY_KIND_REWARD: N_("Récompense prise"),
    points_pb2.ENTRY_KIND_REWARD_RETURN: N_("Points rendus"),
}

_EVENTS: Final[Mapping[int, str]] = {
    rewards_pb2.REWARD_EVENT_KIND_TAKEN: N_("Récompense prise"),
    rewards_pb2.REWARD_EVENT_KIND_USED: N_("Récompense échangée"),
    rewards_pb2.REWARD_EVENT_KIND_RESTORED: N_("Récompense remise à gagné"),
    rewards_pb2.REWARD_EVENT_KIND_VOIDED: N_("Récompense annulée"),
    rewards_pb2.REWARD_EVENT_KIND_EXPIRED: N_("Récompense expirée"),
}

# D24, LS-40 to LS-45: by which way a member came.
SOURCES: Final[Mapping[int, str]] = {
    types_pb2.ENROLLMENT_SOURCE_JOIN_QR: N_("Affiche avec code QR"),
    types_pb2.ENROLLMENT_SOURCE_SMS: N_("Message texte"),
    types_pb2.ENROLLMENT_SOURCE_WEB: N_("Site web du salon"),
    types_pb2.ENROLLMENT_SOURCE_EMAIL: N_("Courriel"),
    types_pb2.ENROLLMENT_SOURCE_SOCIAL: N_("Médias sociaux"),
    types_pb2.ENROLLMENT_SOURCE_TYPED: N_("Adresse tapée"),
    types_pb2.ENROLLMENT_SOURCE_TABLET: N_("Tablette"),
    types_pb2.ENROLLMENT_SOURCE_TILL: N_("Caisse"),
    types_pb2.ENROLLMENT_SOURCE_RECEIPT: N_("Reçu"),
    types_pb2.ENROLLMENT_SOURCE_PANEL: N_("Panneau ou répertoire"),
    types_pb2.ENROLLMENT_SOURCE_IMPORT: N_("Importation"),
    types_pb2.ENROLLMENT_SOURCE_STATUS_PAGE: N_("Page de statut"),
    types_pb2.ENROLLMENT_SOURCE_EARN_QR: N_("Code QR pour gagner des points"),
}

_ACTORS: Final[Mapping[int, str]] = {
    Actor.KIND_MEMBER: N_("le client"),
    Actor.KIND_STAFF: N_("le personnel"),
    Actor.KIND_DEVICE: N_("la tablette"),
    Actor.KIND_API_KEY: N_("la caisse"),
    Actor.KIND_OPERATOR: N_("l'exploitant"),
    Actor.KIND_SYSTEM: N_("le système"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened."""

    at: datetime
    what: str
    detail: str
    points: int
    # Only of an entry of the ledger.
    balance_after: int | None
    salon: str
    who: str


def names_of(salons: Iterable[Salon]) -> dict[str, str]:
    """Salon names by id."""
    return {salon.id: salon.name for salon in salons}


def who_did(desk: Desk, actor: Actor, staff: Mapping[str, str]) -> str:
    """The name of a staff member, else in which role it was done."""
    if actor.id in staff:
        return staff[actor.id]
    words = _ACTORS.get(actor.kind, "")
    return desk.say(words) if words else ""


def entry_line(
    desk: Desk,
    entry: points_pb2.Entry,
    salons: Iterable[Salon],
    staff: Mapping[str, str] | None = None,
) -> Line:
    """An entry of the ledger in words."""
    if entry.kind == points_pb2.ENTRY_KIND_ADJUSTMENT:
        said = [desk.say(REASONS.get(entry.reason, "")) if entry.reason else "", entry.note]
    else:
        how = _EARNED_BY.get(entry.source, "")
        said = [desk.say(how) if how else ""]
    return Line(
        at=entry.occurred_at.ToDatetime(UTC),
        what=desk.say(_KINDS.get(entry.kind, "")) if entry.kind else "",
        detail=" · ".join(words for words in said if words),
        points=entry.points,
        balance_after=entry.balance_after,
        salon=names_of(salons).get(entry.salon_id, ""),
        who=who_did(desk, entry.actor, staff or {}),
    )


def event_line(
    desk: Desk,
    event: rewards_pb2.RewardEvent,
    salons: Iterable[Salon],
    staff: Mapping[str, str] | None = None,
) -> Line:
    """A reward's event in words."""
    return Line(
        at=event.occurred_at.ToDatetime(UTC),
        what=desk.say(_EVENTS.get(event.kind, "")) if event.kind else "",
        detail=event.reward_name,
        points=event.points,
        balance_after=None,
        salon=names_of(salons).get(event.salon_id, ""),
        who=who_did(desk, event.actor, staff or {}),
    )
