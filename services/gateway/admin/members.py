""" "Données": every member of the chain, found by name or phone; points by hand (LS-72, SQ-74)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import (
    EnrollMemberRequest,
    GetMemberRequest,
    Member,
    SearchMembersRequest,
    UpdateMemberRequest,
)
from loyalty.messaging.v1.messaging_pb2 import GetConsentsRequest
from loyalty.points.v1.points_pb2 import (
    Account,
    ExpiringPoints,
    GetLedgerRequest,
    ListProgramsRequest,
    OpenAccountRequest,
    Program,
    SearchAccountsRequest,
)
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.gateway import feed
from services.gateway.admin.desk import Desk, DeskDep
from services.gateway.admin.history import SOURCES, lines_of
from services.gateway.feed import REASONS
from services.gateway.ladder import Rung, rung_of
from services.gateway.pos.ledger import sentence
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    contact_of,
    new_key,
    problems_of,
    read_fields,
)

router = APIRouter()

PAGE_SIZE = 50
SEARCH_LENGTH_MAX = 100
_SORTS = {
    "name": SearchMembersRequest.SORT_NAME,
    "newest": SearchMembersRequest.SORT_NEWEST,
    "oldest": SearchMembersRequest.SORT_OLDEST,
}


async def balances_of(desk: Desk, members: list[Member]) -> dict[str, list[Account]]:
    """The accounts of these members, by member."""
    if not members:
        return {}
    answer = await desk.deps.clients.points.SearchAccounts(
        SearchAccountsRequest(
            chain_id=desk.chain_id, member_ids=[member.id for member in members], limit=200
        )
    )
    found: dict[str, list[Account]] = {}
    for account in answer.accounts:
        found.setdefault(account.member_id, []).append(account)
    return found


async def _list(
    desk: Desk, *, query: str, sort: str, cursor: str, problems: Problems = NO_PROBLEMS
) -> Response:
    request = SearchMembersRequest(
        chain_id=desk.chain_id,
        query=query[:SEARCH_LENGTH_MAX],
        limit=PAGE_SIZE,
        cursor=cursor,
        sort=_SORTS.get(sort, SearchMembersRequest.SORT_NEWEST),
    )
    clients = desk.deps.clients
    found, programs = await asyncio.gather(
        clients.enrollment.SearchMembers(request),
        clients.points.ListPrograms(ListProgramsRequest(chain_id=desk.chain_id)),
    )
    members = list(found.members)
    return desk.show(
        "members.html",
        here="members",
        problems=problems,
        members=members,
        balances=await balances_of(desk, members),
        programs={program.id: program for program in programs.programs},
        total=found.total,
        cursor=found.cursor,
        query=query,
        sort=sort if sort in _SORTS else "newest",
        key=new_key(),
    )


@router.get("/admin/members")
async def members(desk: DeskDep) -> Response:
    """All members, page by page."""
    asked = desk.request.query_params
    return await _list(desk, query="", sort=asked.get("sort", ""), cursor=asked.get("cursor", ""))


@router.post("/admin/members")
async def search(desk: DeskDep) -> Response:
    """Those whose name or phone matches. Posted, so that no name stands in an address."""
    fields = await read_fields(desk.request)
    return await _list(
        desk, query=fields.text("query"), sort=fields["sort"], cursor=fields["cursor"]
    )


@router.get("/admin/members/new")
async def new_member(desk: DeskDep) -> Response:
    """An empty form, for a client at the desk."""
    return desk.show("member_new.html", here="members", fields=Fields(), key=new_key())


@router.post("/admin/members/new")
async def enrol(desk: DeskDep) -> Response:
    """A member by phone or e-mail; one who is there already is shown. Consent is not asked here."""
    fields = await read_fields(desk.request)
    contact = contact_of(fields["contact"])
    try:
        answer = await desk.deps.clients.enrollment.EnrollMember(
            EnrollMemberRequest(
                idempotency_key=fields.key,
                chain_id=desk.chain_id,
                phone=contact.phone,
                email=contact.email,
                given_name=fields.text("given_name"),
                family_name=fields.text("family_name"),
                language=desk.chain.language,
                source=types_pb2.ENROLLMENT_SOURCE_PANEL,
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        shown = {"phone": "contact", "email": "contact", "given_name": "given_name"}
        problems = problems_of(refusal, desk.language, shown=shown)
        return desk.show(
            "member_new.html", here="members", problems=problems, fields=fields, key=new_key()
        )
    await desk.deps.clients.points.OpenAccount(
        OpenAccountRequest(chain_id=desk.chain_id, member_id=answer.member.id, program_id="main")
    )
    return desk.go(f"members/{answer.member.id}", done="created" if answer.created else "known")


def member_name(desk: Desk, member: Member) -> str:
    """How a page calls her."""
    name = f"{member.given_name} {member.family_name}".strip()
    return name or desk.say("Sans nom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One program with the member's account in it."""

    program: Program
    account: Account | None
    # Where she stands on the program's ladder (SQ-05).
    rung: Rung | None

    @property
    def balance(self) -> int:
        """Points on this card."""
        return self.account.balance if self.account else 0

    @property
    def expiring(self) -> Sequence[ExpiringPoints]:
        """What will end, soonest first (SQ-68)."""
        return self.account.expiring if self.account else ()

    @property
    def expiring_total(self) -> int:
        """All points that have an end."""
        return sum(part.points for part in self.expiring)


async def cards_of(desk: Desk, member_id: str) -> list[Card]:
    """Every program of the chain with the member's account, the default one first."""
    clients = desk.deps.clients
    programs, accounts = await asyncio.gather(
        clients.points.ListPrograms(ListProgramsRequest(chain_id=desk.chain_id)),
        clients.points.SearchAccounts(
            SearchAccountsRequest(chain_id=desk.chain_id, member_ids=[member_id], limit=200)
        ),
    )
    held = {account.program_id: account for account in accounts.accounts}
    return [
        Card(
            program=program,
            account=held.get(program.id),
            rung=rung_of(held.get(program.id), language=desk.language, zone=desk.zone),
        )
        for program in programs.programs
    ]


async def member_of(desk: Desk, member_id: str) -> Member:
    """The member, if she is one of this chain's."""
    request = GetMemberRequest(chain_id=desk.chain_id, member_id=member_id)
    return (await desk.deps.clients.enrollment.GetMember(request)).member


async def _sum_of(desk: Desk, card: Card) -> str:
    """The sum that proves her balance: "solde 57 = 120 gagnés − 50 échangés − 13 expirés" (N3)."""
    if card.account is None:
        return ""
    request = GetLedgerRequest(chain_id=desk.chain_id, account_id=card.account.id, limit=1)
    return sentence(await desk.deps.clients.points.GetLedger(request), desk.language)


async def show_member(
    desk: Desk,
    member_id: str,
    *,
    fields: Fields | None = None,
    problems: Problems = NO_PROBLEMS,
) -> Response:
    """Her page, with a form that was refused as it was sent."""
    member = await member_of(desk, member_id)
    clients = desk.deps.clients
    mark = feed.read_mark(desk.request.query_params.get("before", ""))
    cards, page, consents = await asyncio.gather(
        cards_of(desk, member.id),
        feed.page_of(clients, member, mark),
        clients.messaging.GetConsents(
            GetConsentsRequest(chain_id=desk.chain_id, member_id=member.id)
        ),
    )
    sums, history = await asyncio.gather(
        asyncio.gather(*(_sum_of(desk, card) for card in cards)), lines_of(desk, page.items)
    )
    return desk.show(
        "member.html",
        here="members",
        problems=problems,
        member=member,
        cards=list(zip(cards, sums, strict=True)),
        came_by=desk.say(SOURCES[member.source]) if member.source in SOURCES else "",
        history=history,
        older=page.older,
        is_newest=mark is None,
        consents=consents.consents,
        reasons=[(value, desk.say(words)) for value, words in REASONS.items()],
        fields=fields or Fields(),
        key=new_key(),
        asked_program=desk.request.query_params.get("program", ""),
    )


@router.get("/admin/members/{member_id}")
async def member_page(desk: DeskDep, member_id: str) -> Response:
    """One member: her cards, "Faire gagner des points", her "flux d'activité" (SQ-01)."""
    return await show_member(desk, member_id)


@router.post("/admin/members/{member_id}/profile")
async def save_profile(desk: DeskDep, member_id: str) -> Response:
    """Name, phone and e-mail. Consent is hers alone: no field of this form changes it (LS-77)."""
    fields = await read_fields(desk.request)
    try:
        await desk.deps.clients.enrollment.UpdateMember(
            UpdateMemberRequest(
                chain_id=desk.chain_id,
                member_id=member_id,
                given_name=fields.text("given_name"),
                family_name=fields.text("family_name"),
                phone=fields.text("phone"),
                email=fields.text("email"),
                note=fields.text("member_note"),
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        shown = {
            name: name for name in ("given_name", "family_name", "phone", "email", "birthday")
        } | {"note": "member_note"}
        problems = problems_of(refusal, desk.language, shown=shown)
        return await show_member(desk, member_id, fields=fields, problems=problems)
    return desk.go(f"members/{member_id}", done="saved")
