""" "Historique": what happened to a member's points and rewards, in her own words (SQ-01)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import GetMemberRequest
from loyalty.points.v1.points_pb2 import GetLedgerRequest

from services.gateway import feed
from services.gateway.feed import Item, What, reason_words, worth_of
from services.gateway.member import holdings
from services.gateway.member.door import MemberDep, PageRoute, Visit
from services.gateway.member.holdings import PointsCard
from services.gateway.pos.ledger import sentence
from services.gateway.web.i18n import N_

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_WHAT: Final[Mapping[What, str]] = {
    What.ENROLLED: N_("Votre inscription"),
    What.EARNED: N_("Points gagnés"),
    What.EXCHANGED: N_("Points gagnés par un échange"),
    What.PROMOTION: N_("Points d'une promotion"),
    What.ADJUSTED: N_("Points changés par le salon"),
    What.TAKEN: N_("Récompense prise"),
    What.COUPON: N_("Offre prise"),
    What.RETURNED: N_("Récompense annulée, points rendus"),
    What.REFUNDED: N_("Remboursement ou échange"),
    What.EXPIRED: N_("Points expirés"),
    What.USED: N_("Récompense utilisée"),
    What.RESTORED: N_("Récompense rendue"),
    What.VOIDED: N_("Récompense annulée"),
    What.REWARD_EXPIRED: N_("Récompense expirée"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened, as she reads it: no name of staff, no note of theirs."""

    at: datetime
    what: str
    name: str
    worth: str
    salon: str
    reason: str


@router.get("/m/{slug}/history")
async def history_page(visit: MemberDep) -> Response:
    """The feed of her points and rewards, and the sum that proves each balance (N3)."""
    clients = visit.deps.clients
    mark = feed.read_mark(visit.request.query_params.get("before", ""))
    request = GetMemberRequest(chain_id=visit.chain.id, member_id=visit.member_id)
    member = (await clients.enrollment.GetMember(request)).member
    async with asyncio.TaskGroup() as group:
        page = group.create_task(feed.page_of(clients, member, mark))
        cards = group.create_task(holdings.points_cards(clients, visit.chain.id, member.id))
        salons = group.create_task(visit.deps.salons.of(visit.chain.id))
    sums = await asyncio.gather(*(_sum_of(visit, card) for card in cards.result()))
    terms = {
        card.program.id: (card.program.term_one, card.program.term_other) for card in cards.result()
    }
    names = {salon.id: salon.name for salon in salons.result()}
    return visit.show(
        "history.html",
        cards=list(zip(cards.result(), sums, strict=True)),
        lines=[_line(visit, item, names, terms) for item in page.result().items],
        older=page.result().older,
        is_newest=mark is None,
        zone=visit.zone,
    )


async def _sum_of(visit: Visit, card: PointsCard) -> str:
    if card.account is None:
        return ""
    request = GetLedgerRequest(chain_id=visit.chain.id, account_id=card.account.id, limit=1)
    return sentence(await visit.deps.clients.points.GetLedger(request), visit.language)


def _line(
    visit: Visit, item: Item, salons: Mapping[str, str], terms: Mapping[str, tuple[str, str]]
) -> Line:
    why = reason_words(item.reason)
    return Line(
        at=item.instant,
        what=visit.say(_WHAT[item.what]),
        name=item.reward_name,
        worth=worth_of(item, visit.language, terms=terms.get(item.program_id)),
        salon=salons.get(item.salon_id, ""),
        reason=visit.say(why) if why else "",
    )
