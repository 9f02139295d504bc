"""Loyalty accounts: create, search, retrieve, adjust by hand."""

from __future__ import annotations

from typing import Annotated, NotRequired

from fastapi import APIRouter
from loyalty.enrollment.v1.enrollment_pb2 import (
    EnrollMemberRequest,
    FindMembersRequest,
    Member,
)
from loyalty.points.v1 import points_pb2
from loyalty.types.v1 import types_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.chassis.errors import RemoteRefusal
from services.gateway.errors import ApiError, Json, api_fields, from_remote
from services.gateway.pos import cursors
from services.gateway.pos.account_shapes import AccountShape, account_shape
from services.gateway.pos.caller import Caller, LoyaltyReader, LoyaltyWriter
from services.gateway.pos.event_shapes import EventShape, entry_event, reason_of
from services.gateway.pos.fields import (
    POINTS_MAX,
    Cursor,
    Flag,
    Id,
    Key,
    Line,
    Moment,
    Part,
    Phone,
    id_or_none,
    known_id,
)
from services.gateway.pos.found import account_of, member_of, program_of

router = APIRouter(prefix="/loyalty/accounts", tags=["Loyalty accounts"])

MAPPINGS_MAX = 30
PAGE_MAX = 200
PAGE = 30


class AccountAnswer(TypedDict):
    """One account."""

    loyalty_account: AccountShape


class AccountsAnswer(TypedDict):
    """A page of accounts."""

    loyalty_accounts: list[AccountShape]
    cursor: NotRequired[str]


class AdjustedAnswer(TypedDict):
    """What an adjustment made."""

    event: EventShape


class MappingIn(Part):
    """The phone by which a till finds the account."""

    phone_number: Phone


class NewAccount(Part):
    """A new account: the program (or `main`) and the member's phone."""

    program_id: Id
    mapping: MappingIn | None = None
    customer_id: Id | None = None
    enrolled_at: Moment | None = None


class CreateAccount(Part):
    """Enrolls a member by her phone and opens her account."""

    loyalty_account: NewAccount
    idempotency_key: Key | None = None


class AccountQuery(Part):
    """By phones or by customers, not both."""

    mappings: Annotated[list[MappingIn], Field(max_length=MAPPINGS_MAX)] | None = None
    customer_ids: Annotated[list[Id], Field(max_length=MAPPINGS_MAX)] | None = None


class SearchAccounts(Part):
    """Accounts by phone or customer, or all of them; `created_at` ascending."""

    query: AccountQuery | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=PAGE_MAX)] | None = None
    cursor: Cursor | None = None


class AdjustPart(Part):
    """Points to give (+) or take (−), and why."""

    points: Annotated[int, Field(strict=True, ge=-POINTS_MAX, le=POINTS_MAX)]
    reason: Annotated[Line, Field(max_length=255)]
    loyalty_program_id: Id | None = None


class Adjust(Part):
    """An adjustment by hand."""

    adjust_points: AdjustPart
    allow_negative_balance: Flag | None = None
    idempotency_key: Key | None = None
    location_id: Id | None = None


@router.post("", response_model=AccountAnswer, operation_id="CreateLoyaltyAccount")
async def create_account(caller: LoyaltyWriter, body: CreateAccount) -> Response:
    """Enroll a member by her phone and open her account.

    A phone that has an account already is refused with CONFLICT; search for it instead. The same
    idempotency key gives the first answer again.
    """
    key = caller.key(body.idempotency_key)
    wanted = body.loyalty_account
    if wanted.mapping is None:
        raise ApiError.of(
            "MISSING_REQUIRED_PARAMETER", field="loyalty_account.mapping.phone_number"
        )
    if not wanted.mapping.phone_number:
        raise ApiError.of("VALUE_EMPTY", field="loyalty_account.mapping.phone_number")
    program = await program_of(caller, wanted.program_id, field="loyalty_account.program_id")
    member = await _enroll(caller, key, wanted, program.id)
    clients = caller.deps.clients
    opened = await clients.points.OpenAccount(
        points_pb2.OpenAccountRequest(
            chain_id=caller.chain_id, member_id=member.id, program_id=program.id
        )
    )
    account = opened.account
    # As it was at its opening, whenever this answer is given again.
    account.balance, account.lifetime_points = 0, 0
    account.ClearField("expiring")
    account.ClearField("tier")
    account.updated_at.CopyFrom(account.opened_at)
    return Json({"loyalty_account": account_shape(account, member)})


async def _enroll(caller: Caller, key: str, wanted: NewAccount, program_id: str) -> Member:
    """The new member, or a known one who has no account in this program yet."""
    phone_field = "loyalty_account.mapping.phone_number"
    enrollment = caller.deps.clients.enrollment
    phone = wanted.mapping.phone_number if wanted.mapping else ""
    if wanted.customer_id is not None:
        return await _named_customer(caller, wanted.customer_id, phone, program_id)
    request = EnrollMemberRequest(
        idempotency_key=key,
        chain_id=caller.chain_id,
        phone=phone,
        source=types_pb2.ENROLLMENT_SOURCE_TILL,
        salon_id=caller.only_salon,
        actor=caller.actor,
        refuse_existing=True,
    )
    if wanted.enrolled_at is not None:
        request.enrolled_at.FromDatetime(wanted.enrolled_at)
    try:
        return (await enrollment.EnrollMember(request)).member
    except RemoteRefusal as refusal:
        if refusal.code != "member_exists":
            names = {"phone": phone_field, "enrolled_at": "loyalty_account.enrolled_at"}
            raise from_remote(refusal, names) from None
    member = await _member_of_phone(caller, phone)
    if member is not None and await _may_open(caller, member, program_id):
        return member
    raise ApiError.of("ACCOUNT_EXISTS", field=phone_field)


async def _named_customer(caller: Caller, customer_id: str, phone: str, program_id: str) -> Member:
    """The member whose id the caller gives; the phone must be hers."""
    field = "loyalty_account.customer_id"
    wanted_id = known_id(customer_id, field=field)
    found = await caller.deps.clients.enrollment.FindMembers(
        FindMembersRequest(chain_id=caller.chain_id, member_ids=[wanted_id])
    )
    if not found.members:
        raise ApiError.of("NOT_FOUND", field=field)
    by_phone = await _member_of_phone(caller, phone)
    if by_phone is None or by_phone.id != found.members[0].id:
        raise ApiError.of("PHONE_OF_ANOTHER", field="loyalty_account.mapping.phone_number")
    if not await _may_open(caller, by_phone, program_id):
        raise ApiError.of("ACCOUNT_EXISTS", field=field)
    return by_phone


async def _member_of_phone(caller: Caller, phone: str) -> Member | None:
    found = await caller.deps.clients.enrollment.FindMembers(
        FindMembersRequest(chain_id=caller.chain_id, phones=[phone])
    )
    return found.members[0] if found.members else None


async def _may_open(caller: Caller, member: Member, program_id: str) -> bool:
    """Whether a till may still open this known member's account in the program.

    It may where there is none, and where she stands in the directory by staff's own entry and has
    not earned yet: every member has an account from the start, and nobody has opened hers so far.
    """
    found = await caller.deps.clients.points.SearchAccounts(
        points_pb2.SearchAccountsRequest(
            chain_id=caller.chain_id, member_ids=[member.id], program_id=program_id, limit=1
        )
    )
    if not found.accounts:
        return True
    in_directory = member.source == types_pb2.ENROLLMENT_SOURCE_PANEL
    return in_directory and found.accounts[0].sequence == 0


@router.post("/search", response_model=AccountsAnswer, operation_id="SearchLoyaltyAccounts")
async def search_accounts(caller: LoyaltyReader, body: SearchAccounts) -> Response:
    """Accounts by phone or customer, or all of them, oldest first."""
    query = body.query or AccountQuery()
    if query.mappings and query.customer_ids:
        raise ApiError.of(
            "CONFLICTING_PARAMETERS",
            field="query",
            params={"fields": "query.mappings, query.customer_ids"},
        )
    filters = query.model_dump(mode="json", exclude_none=True)
    deps = caller.deps
    position = cursors.read(deps, caller.chain_id, "accounts", filters, body.cursor)
    request = points_pb2.SearchAccountsRequest(
        chain_id=caller.chain_id,
        limit=body.limit or PAGE,
        cursor=position[0] if position else "",
    )
    known: dict[str, Member] = {}
    if query.mappings or query.customer_ids:
        members = await _members_of(caller, query)
        if not members:
            return Json({"loyalty_accounts": []})
        known = {member.id: member for member in members}
        request.member_ids.extend(known)
    answer = await deps.clients.points.SearchAccounts(request)
    missing = [account.member_id for account in answer.accounts if account.member_id not in known]
    known |= await _members_by_id(caller, missing)
    body_out: AccountsAnswer = {
        "loyalty_accounts": [
            account_shape(account, known.get(account.member_id)) for account in answer.accounts
        ]
    }
    if answer.cursor:
        body_out["cursor"] = cursors.give(
            deps, caller.chain_id, "accounts", filters, [answer.cursor]
        )
    return Json(body_out)


async def _members_of(caller: Caller, query: AccountQuery) -> list[Member]:
    """The members that the query names; phones and ids that are nobody's match nothing."""
    phones = [mapping.phone_number for mapping in query.mappings or () if mapping.phone_number]
    ids = [found for text in query.customer_ids or () if (found := id_or_none(text))]
    if not phones and not ids:
        return []
    with api_fields({"phones": "query.mappings.phone_number", "phone": "query.mappings"}):
        answer = await caller.deps.clients.enrollment.FindMembers(
            FindMembersRequest(chain_id=caller.chain_id, phones=phones, member_ids=ids)
        )
    return list(answer.members)


async def _members_by_id(caller: Caller, member_ids: list[str]) -> dict[str, Member]:
    if not member_ids:
        return {}
    found = await caller.deps.clients.enrollment.FindMembers(
        FindMembersRequest(chain_id=caller.chain_id, member_ids=sorted(set(member_ids)))
    )
    return {member.id: member for member in found.members}


@router.get("/{account_id}", response_model=AccountAnswer, operation_id="RetrieveLoyaltyAccount")
async def get_account(caller: LoyaltyReader, account_id: str) -> Response:
    """One account with its balance."""
    account = await account_of(caller, account_id)
    member = await member_of(caller, account.member_id)
    return Json({"loyalty_account": account_shape(account, member)})


@router.post(
    "/{account_id}/adjust", response_model=AdjustedAnswer, operation_id="AdjustLoyaltyPoints"
)
async def adjust(caller: LoyaltyWriter, account_id: str, body: Adjust) -> Response:
    """Give or take points by hand, with a reason (LS-72, LS-73, SQ-30).

    Below zero only where `allow_negative_balance` says so (D3).
    """
    wanted = body.adjust_points
    key = caller.key(body.idempotency_key)
    if wanted.points == 0:
        raise ApiError.of("POINTS_ZERO", field="adjust_points.points")
    if not wanted.reason:
        raise ApiError.of("VALUE_EMPTY", field="adjust_points.reason")
    salon_id = caller.only_salon
    if body.location_id is not None:
        salon_id = (await caller.salon(body.location_id)).id
    reason, note = reason_of(wanted.reason)
    names = {
        "account_id": "",
        "points": "adjust_points.points",
        "reason": "adjust_points.reason",
        "note": "adjust_points.reason",
        "salon_id": "location_id",
    }
    with api_fields(names):
        answer = await caller.deps.clients.points.AdjustPoints(
            points_pb2.AdjustPointsRequest(
                idempotency_key=key,
                chain_id=caller.chain_id,
                account_id=known_id(account_id),
                points=wanted.points,
                reason=reason,
                note=note,
                allow_negative_balance=bool(body.allow_negative_balance),
                salon_id=salon_id,
                actor=caller.actor,
            )
        )
    await caller.deps.live.publish(caller.chain_id, answer.entry.member_id, "points")
    return Json({"event": entry_event(answer.entry)})
