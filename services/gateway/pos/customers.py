"""Customers: the members' entries in the chain's directory."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, NotRequired

from fastapi import APIRouter, Query
from loyalty.enrollment.v1 import enrollment_pb2
from loyalty.points.v1.points_pb2 import OpenAccountRequest
from loyalty.types.v1 import types_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.pos import cursors
from services.gateway.pos.caller import Caller, CustomerReader, CustomerWriter
from services.gateway.pos.fields import (
    Cursor,
    Email,
    Flag,
    Key,
    Language,
    Line,
    Note,
    Part,
    Phone,
    SoughtCursor,
    TimeRange,
    Whole,
)
from services.gateway.pos.found import member_of
from services.gateway.pos.shapes import CustomerShape, customer_shape, language_value

router = APIRouter(prefix="/customers", tags=["Customers"])

PAGE_MAX = 100

Sort = enrollment_pb2.SearchMembersRequest.Sort
_SORTS: Final[dict[tuple[str, str], Sort.ValueType]] = {
    ("CREATED_AT", "ASC"): enrollment_pb2.SearchMembersRequest.SORT_OLDEST,
    ("CREATED_AT", "DESC"): enrollment_pb2.SearchMembersRequest.SORT_NEWEST,
    ("DEFAULT", "ASC"): enrollment_pb2.SearchMembersRequest.SORT_NAME,
}
_FIELDS: Final = {
    "phone": "phone_number",
    "email": "email_address",
    "given_name": "given_name",
    "family_name": "family_name",
    "birthday": "birthday",
    "note": "note",
    "reference_id": "reference_id",
    "language": "language_code",
    "member_id": "",
    "": "phone_number",
}


class CustomerAnswer(TypedDict):
    """One customer."""

    customer: CustomerShape


class CustomersAnswer(TypedDict):
    """A page of customers."""

    customers: list[CustomerShape]
    cursor: NotRequired[str]
    count: NotRequired[int]


Birthday = Annotated[str, Field(strict=True, max_length=10)]


class CustomerIn(Part):
    """What is said of a customer. A field that is left out stays; `null` empties it."""

    given_name: Annotated[Line, Field(max_length=120)] | None = None
    family_name: Annotated[Line, Field(max_length=120)] | None = None
    email_address: Email | None = None
    phone_number: Phone | None = None
    birthday: Birthday | None = None
    reference_id: Annotated[Line, Field(max_length=100)] | None = None
    note: Note | None = None
    language_code: Language | None = None


class CreateCustomer(CustomerIn):
    """A new entry in the directory."""

    idempotency_key: Key | None = None


class UpdateCustomer(CustomerIn):
    """A change of an entry; with `version` only if nobody has changed it since."""

    version: Whole | None = None


class TextFilter(Part):
    """The whole text, or a part of it."""

    exact: Line | None = None
    fuzzy: Line | None = None


class CustomerFilter(Part):
    """By phone, e-mail, or any part of name, phone or e-mail (`text`)."""

    phone_number: TextFilter | None = None
    email_address: TextFilter | None = None
    text: TextFilter | None = None
    reference_id: TextFilter | None = None
    created_at: TimeRange | None = None
    updated_at: TimeRange | None = None


class CustomerSort(Part):
    """In which order."""

    field: Literal["DEFAULT", "CREATED_AT"] | None = None
    order: Literal["ASC", "DESC"] | None = None


class CustomerQuery(Part):
    """Which customers, in which order."""

    filter: CustomerFilter | None = None
    sort: CustomerSort | None = None


class SearchCustomers(Part):
    """A search in the directory."""

    query: CustomerQuery | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=PAGE_MAX)] | None = None
    cursor: Cursor | None = None
    count: Flag | None = None


def _birthday(text: str) -> str:
    """Square's ways of writing a birthday without its year, as services know it."""
    if re.fullmatch(r"\d{2}-\d{2}", text):
        return f"--{text}"
    if re.fullmatch(r"0000-\d{2}-\d{2}", text):
        return f"--{text[5:]}"
    return text


@router.post("", response_model=CustomerAnswer, operation_id="CreateCustomer")
async def create_customer(caller: CustomerWriter, body: CreateCustomer) -> Response:
    """Enter a member into the directory. She needs a phone or an e-mail address of her own."""
    clients = caller.deps.clients
    with api_fields(_FIELDS):
        answer = await clients.enrollment.EnrollMember(
            enrollment_pb2.EnrollMemberRequest(
                idempotency_key=caller.key_or_new(body.idempotency_key),
                chain_id=caller.chain_id,
                phone=body.phone_number or "",
                email=body.email_address or "",
                given_name=body.given_name or "",
                family_name=body.family_name or "",
                birthday=_birthday(body.birthday or ""),
                language=language_value(body.language_code),
                source=types_pb2.ENROLLMENT_SOURCE_PANEL,
                salon_id=caller.only_salon,
                actor=caller.actor,
                note=body.note or "",
                reference_id=body.reference_id or "",
                refuse_existing=True,
            )
        )
    await clients.points.OpenAccount(
        OpenAccountRequest(chain_id=caller.chain_id, member_id=answer.member.id)
    )
    return Json({"customer": customer_shape(answer.member)})


@router.get("", response_model=CustomersAnswer, operation_id="ListCustomers")
async def list_customers(
    caller: CustomerReader,
    limit: Annotated[int | None, Query(ge=1, le=PAGE_MAX)] = None,
    cursor: SoughtCursor | None = None,
    sort_field: Literal["DEFAULT", "CREATED_AT"] | None = None,
    sort_order: Literal["ASC", "DESC"] | None = None,
    count: bool | None = None,
) -> Response:
    """All customers of the chain, in pages (SQ-74)."""
    body = SearchCustomers(
        query=CustomerQuery(sort=CustomerSort(field=sort_field, order=sort_order)),
        limit=limit,
        cursor=cursor,
        count=count,
    )
    return await _search(caller, body)


@router.post("/search", response_model=CustomersAnswer, operation_id="SearchCustomers")
async def search_customers(caller: CustomerReader, body: SearchCustomers) -> Response:
    """Find by whole phone or e-mail (`exact`), or by any part of name, phone or e-mail (`fuzzy`).

    Case and accents are ignored; last digits of a phone are enough (SQ-74).
    """
    return await _search(caller, body)


async def _search(caller: Caller, body: SearchCustomers) -> Response:
    query = body.query or CustomerQuery()
    sought = query.filter or CustomerFilter()
    _refuse_unknown(sought)
    exact = _exact(caller.chain_id, sought)
    if exact is not None:
        with api_fields({"phones": "query.filter.phone_number.exact"}):
            found = await caller.deps.clients.enrollment.FindMembers(exact)
        page: CustomersAnswer = {"customers": [customer_shape(one) for one in found.members]}
        if body.count:
            page["count"] = len(found.members)
        return Json(page)
    filters = query.model_dump(mode="json", exclude_none=True)
    deps = caller.deps
    position = cursors.read(deps, caller.chain_id, "customers", filters, body.cursor)
    answer = await deps.clients.enrollment.SearchMembers(
        enrollment_pb2.SearchMembersRequest(
            chain_id=caller.chain_id,
            query=_fuzzy(sought),
            limit=body.limit or PAGE_MAX,
            cursor=position[0] if position else "",
            sort=_sort(query.sort),
        )
    )
    page = {"customers": [customer_shape(member) for member in answer.members]}
    if answer.cursor:
        page["cursor"] = cursors.give(deps, caller.chain_id, "customers", filters, [answer.cursor])
    if body.count:
        page["count"] = answer.total
    return Json(page)


def _refuse_unknown(sought: CustomerFilter) -> None:
    for name in ("reference_id", "created_at", "updated_at"):
        if getattr(sought, name) is not None:
            raise ApiError.of(
                "NOT_SUPPORTED",
                field=f"query.filter.{name}",
                params={"what": f"a search by {name}"},
            )
    given = [
        name
        for name in ("phone_number", "email_address", "text")
        if getattr(sought, name) is not None
    ]
    if len(given) > 1:
        names = ", ".join(f"query.filter.{name}" for name in given)
        raise ApiError.of("CONFLICTING_PARAMETERS", field="query.filter", params={"fields": names})


def _exact(chain_id: str, sought: CustomerFilter) -> enrollment_pb2.FindMembersRequest | None:
    """The request for a whole phone or e-mail; None when only a part is given."""
    request = enrollment_pb2.FindMembersRequest(chain_id=chain_id)
    if sought.phone_number is not None and sought.phone_number.exact:
        request.phones.append(sought.phone_number.exact)
    elif sought.email_address is not None and sought.email_address.exact:
        request.emails.append(sought.email_address.exact)
    else:
        return None
    return request


def _fuzzy(sought: CustomerFilter) -> str:
    for part in (sought.phone_number, sought.email_address, sought.text):
        if part is not None:
            return part.fuzzy or part.exact or ""
    return ""


def _sort(sort: CustomerSort | None) -> Sort.ValueType:
    wanted = sort or CustomerSort()
    key = (wanted.field or "DEFAULT", wanted.order or "ASC")
    if key not in _SORTS:
        raise ApiError.of(
            "NOT_SUPPORTED",
            field="query.sort",
            params={"what": "names in descending order"},
        )
    return _SORTS[key]


@router.get("/{customer_id}", response_model=CustomerAnswer, operation_id="RetrieveCustomer")
async def get_customer(caller: CustomerReader, customer_id: str) -> Response:
    """One customer."""
    return Json({"customer": customer_shape(await member_of(caller, customer_id))})


@router.put("/{customer_id}", response_model=CustomerAnswer, operation_id="UpdateCustomer")
async def update_customer(
    caller: CustomerWriter, customer_id: str, body: UpdateCustomer
) -> Response:
    """Change a customer's entry; fields that are left out stay, `null` empties one."""
    present = await member_of(caller, customer_id)
    if body.version is not None and body.version != present.version:
        raise ApiError.of("CONFLICT", field="version")
    said = body.model_fields_set - {"version"}

    def new(name: str) -> str | None:
        return (getattr(body, name) or "") if name in said else None

    birthday = new("birthday")
    request = enrollment_pb2.UpdateMemberRequest(
        chain_id=caller.chain_id,
        member_id=present.id,
        given_name=new("given_name"),
        family_name=new("family_name"),
        birthday=None if birthday is None else _birthday(birthday),
        phone=new("phone_number"),
        email=new("email_address"),
        note=new("note"),
        reference_id=new("reference_id"),
        actor=caller.actor,
    )
    if body.language_code is not None:
        request.language = language_value(body.language_code)
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.enrollment.UpdateMember(request)
    return Json({"customer": customer_shape(answer.member)})


@router.delete("/{customer_id}", response_model=CustomerAnswer, operation_id="DeleteCustomer")
async def delete_customer(caller: CustomerWriter, customer_id: str) -> Response:
    """Erasing a person is not offered yet, and nothing less is called so."""
    await member_of(caller, customer_id)
    raise ApiError.of("ERASURE_NOT_OFFERED")
