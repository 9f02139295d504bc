"""What happened to a member's points and rewards, in words that staff know."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from loyalty.enrollment.v1.enrollment_pb2 import ListStaffRequest, Salon
from loyalty.types.v1 import types_pb2
from loyalty.types.v1.types_pb2 import Actor

from services.gateway.admin.desk import Desk
from services.gateway.feed import EARNED_BY, Item, What, reason_words, worth_of
from services.gateway.web.i18n import N_

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

_WHAT: Final[Mapping[What, str]] = {
    What.ENROLLED: N_("Inscription"),
    What.EARNED: N_("Points gagnés"),
    What.EXCHANGED: N_("Points gagnés par un échange"),
    What.PROMOTION: N_("Points d'une promotion"),
    What.ADJUSTED: N_("Points manuellement ajoutés/retirés"),
    What.TAKEN: N_("Récompense prise"),
    What.COUPON: N_("Coupon pris"),
    What.RETURNED: N_("Récompense annulée, points rendus"),
    What.REFUNDED: N_("Remboursement ou échange"),
    What.EXPIRED: N_("Points expirés"),
    What.USED: N_("Récompense échangée"),
    What.RESTORED: N_("Récompense remise à gagné"),
    What.VOIDED: N_("Récompense annulée"),
    What.REWARD_EXPIRED: N_("Récompense expirée"),
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
    """One thing that happened, as staff read it."""

    at: datetime
    what: str
    # "12 points, Plateau"
    worth: str
    # How, why, and by whom.
    details: Sequence[str]
    points: int
    # Only of an entry of the ledger.
    balance_after: int | None
    sale_id: str
    member_id: str


def names_of(salons: Iterable[Salon]) -> dict[str, str]:
    """Salon names by id."""
    return {salon.id: salon.name for salon in salons}


async def staff_names(desk: Desk) -> dict[str, str]:
    """Who is who on the staff, by id."""
    answer = await desk.deps.clients.enrollment.ListStaff(ListStaffRequest(chain_id=desk.chain_id))
    return {person.id: person.name or person.email for person in answer.staff}


async def lines_of(desk: Desk, items: Iterable[Item]) -> list[Line]:
    """Items of a feed in words."""
    salons, staff = await asyncio.gather(desk.salons(), staff_names(desk))
    return [_line(desk, item, names_of(salons), staff) for item in items]


def _line(desk: Desk, item: Item, salons: Mapping[str, str], staff: Mapping[str, str]) -> Line:
    worth = [item.reward_name, worth_of(item, desk.language), salons.get(item.salon_id, "")]
    how = SOURCES.get(item.enrolled_by) or EARNED_BY.get(item.earned_by, "")
    why = reason_words(item.reason)
    # Where the way is told, who else stood there is no news; a name is.
    who = staff.get(item.actor.id, "") if how else who_did(desk, item.actor, staff)
    details = [desk.say(how) if how else "", desk.say(why) if why else "", item.note, who]
    return Line(
        at=item.instant,
        what=desk.say(_WHAT[item.what]),
        worth=", ".join(part for part in worth if part),
        details=[part for part in details if part],
        points=item.points,
        balance_after=item.balance_after,
        sale_id=item.sale_id,
        member_id=item.member_id,
    )


def who_did(desk: Desk, actor: Actor, staff: Mapping[str, str]) -> str:
    """The name of a staff member, else in which role it was done."""
    if actor.id in staff:
        return staff[actor.id]
    words = _ACTORS.get(actor.kind, "")
    return desk.say(words) if words else ""
