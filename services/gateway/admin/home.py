"""The panel's first page: how the programme does, and what to do first."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from loyalty.enrollment.v1.enrollment_pb2 import SearchMembersRequest
from loyalty.offers.v1.offers_pb2 import ListOffersRequest
from loyalty.points.v1.points_pb2 import ListEntriesRequest, ListProgramsRequest
from loyalty.rewards.v1.rewards_pb2 import ListRewardDefinitionsRequest

from services.gateway.admin import program_news
from services.gateway.admin.desk import DeskDep
from services.gateway.admin.history import lines_of
from services.gateway.admin.member_names import member_names
from services.gateway.admin.program_notices import notices_for
from services.gateway.feed import items_of

router = APIRouter()

NEWEST_ENTRIES = 10


@router.get("/admin/")
async def home_with_slash() -> RedirectResponse:
    """The same page by its one address."""
    return RedirectResponse("/admin", status_code=308)


@router.get("/admin")
async def home(desk: DeskDep) -> Response:
    """Members, the newest points, and the steps that a new salon has still to take."""
    clients, chain_id = desk.deps.clients, desk.chain_id
    members, programs, definitions, offers, entries = await asyncio.gather(
        clients.enrollment.SearchMembers(SearchMembersRequest(chain_id=chain_id, limit=1)),
        clients.points.ListPrograms(ListProgramsRequest(chain_id=chain_id)),
        clients.rewards.ListRewardDefinitions(ListRewardDefinitionsRequest(chain_id=chain_id)),
        clients.offers.ListOffers(ListOffersRequest(chain_id=chain_id, visible_only=True)),
        clients.points.ListEntries(
            ListEntriesRequest(chain_id=chain_id, by_recording=True, limit=NEWEST_ENTRIES)
        ),
    )
    items = await items_of(clients, chain_id, entries.entries)
    lines = await lines_of(desk, items)
    return desk.show(
        "home.html",
        here="home",
        members_total=members.total,
        programs=programs.programs,
        definitions=definitions.definitions,
        offers=offers.offers,
        lines=lines,
        names=await member_names(desk, [line.member_id for line in lines]),
        notices=await notices_for(desk, desk.principal.actor.id),
        untold=await program_news.untold(desk),
    )
