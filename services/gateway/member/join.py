"""Becoming a member, from any source, and earning at once (LS-10, LS-21, LS-85, D24, D34)."""

from __future__ import annotations

import base64
import contextlib
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import (
    ConsentGrant,
    EnrollMemberRequest,
    EnrollMemberResponse,
    SignOutRequest,
)
from loyalty.points.v1.points_pb2 import (
    EarnItem,
    OpenAccountRequest,
    ReadEarnTokenRequest,
    ScanOrigin,
)
from loyalty.types.v1 import types_pb2
from loyalty.types.v1.types_pb2 import Actor

from services.chassis.errors import RemoteRefusal, Unavailable
from services.chassis.signing import Unsealable
from services.gateway.errors import ApiError
from services.gateway.member import holdings
from services.gateway.member.codes import send_code
from services.gateway.member.door import PageRoute, Visit, VisitDep
from services.gateway.member.earns import earn
from services.gateway.member.install import phone_kind
from services.gateway.member.offered import offer_at
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Contact,
    Fields,
    Problems,
    is_plausible,
    new_key,
    own_birthday,
    problems_of,
    read_fields,
)
from services.gateway.web.i18n import language_value, translate

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# Changes when the words beside the boxes change: the ledger of consents keeps it as evidence.
CONSENT_WORDING: Final = "join-1"
SOURCES: Final[Mapping[str, types_pb2.EnrollmentSource.ValueType]] = {
    "qr": types_pb2.ENROLLMENT_SOURCE_JOIN_QR,
    "sms": types_pb2.ENROLLMENT_SOURCE_SMS,
    "web": types_pb2.ENROLLMENT_SOURCE_WEB,
    "mail": types_pb2.ENROLLMENT_SOURCE_EMAIL,
    "social": types_pb2.ENROLLMENT_SOURCE_SOCIAL,
    "tablet": types_pb2.ENROLLMENT_SOURCE_TABLET,
    "receipt": types_pb2.ENROLLMENT_SOURCE_RECEIPT,
}
# Longer than any token of a texted link.
TOKEN_LENGTH_MAX: Final = 200
# Form fields by the names that enrollment uses in its refusals.
JOIN_FIELDS: Final = {
    "phone": "phone",
    "email": "email",
    "given_name": "given_name",
    "family_name": "family_name",
    "birthday": "birthday",
}


def source_of(mark: str, *, earn_token: str) -> types_pb2.EnrollmentSource.ValueType:
    """The source that a link's mark names; without one, an earn QR or a typed address (D24)."""
    if mark in SOURCES:
        return SOURCES[mark]
    if earn_token:
        return types_pb2.ENROLLMENT_SOURCE_EARN_QR
    return types_pb2.ENROLLMENT_SOURCE_TYPED


async def join_page(
    visit: Visit,
    *,
    fields: Fields | None = None,
    problems: Problems = NO_PROBLEMS,
    earn_token: str = "",
    first_visit: bool = False,
) -> Response:
    """The form that makes a visitor a member; both boxes of consent start unticked."""
    query = visit.request.query_params
    texted = (fields or query).get("t", "")[:TOKEN_LENGTH_MAX]
    said = fields or Fields(phone=texted_phone(visit, texted))
    next_path = visit.own_path(said["next"] or query.get("next", ""))
    return visit.show(
        "join.html",
        problems=problems,
        said=said,
        key=new_key(),
        earn_token=earn_token,
        texted=texted,
        mark=said["s"] or visit.mark,
        next_path=next_path,
        offer=await offer_at(visit, next_path),
        farewell=await visit.farewell(),
        done=query.get("done", ""),
        first_visit=first_visit,
        phone=phone_kind(visit.request),
        contact=await _contact(visit),
    )


def texted_phone(visit: Visit, token: str) -> str:
    """The phone that a texted link carries, sealed for this chain (LS-21); empty when it is over.

    The token holds its end in seconds, 4 bytes big-endian, then the phone.
    """
    sealer = visit.deps.sealer(f"join-phone/{visit.chain.id}")
    try:
        sealed = base64.urlsafe_b64decode(token[:TOKEN_LENGTH_MAX] + "=" * (-len(token) % 4))
        opened = sealer.open(sealed)
        (end,) = struct.unpack(">I", opened[:4])
        phone = opened[4:].decode("ascii")
    except (ValueError, struct.error, Unsealable):
        return ""
    return phone if visit.deps.clock.now().timestamp() < end else ""


async def _contact(visit: Visit) -> str:
    """Who asks for the consent and where to reach them: it stands beside the boxes."""
    salons = await holdings.salons_of(visit.deps, visit.chain.id)
    known = next((salon for salon in salons if salon.address or salon.phone), None)
    parts = [visit.chain.name, known.address, known.phone] if known else [visit.chain.name]
    return ", ".join(part for part in parts if part)


@router.get("/m/{slug}/join")
async def join_form(visit: VisitDep) -> Response:
    """The form by itself; a member has no need of it."""
    return visit.go() if visit.principal else await join_page(visit)


@router.post("/m/{slug}/join")
async def join(visit: VisitDep) -> Response:
    """Enrol. A new member is signed in and earns at once; a known one is asked for a code."""
    fields = await read_fields(visit.request)
    earn_token = fields["g"]
    limits = visit.deps.limits
    await limits.check("join", visit.chain.id, limits.network_of(visit.request))
    problems = missing_contact(fields, visit.language)
    if problems:
        return await join_page(visit, fields=fields, problems=problems, earn_token=earn_token)
    try:
        answer = await _enroll(visit, fields, earn_token)
        if not answer.created:
            contact = Contact(phone=fields.text("phone"))
            if not contact.phone:
                contact = Contact(email=fields.text("email"))
            back = f"{visit.base}/g/{earn_token}" if earn_token else fields["next"]
            return await send_code(visit, contact, next_path=back)
    except (RemoteRefusal, ApiError) as refusal:
        problems = problems_of(refusal, visit.language, shown=JOIN_FIELDS)
        if "phone" in problems.fields and fields.text("email"):
            problems = with_bad_email(fields, problems, visit.language)
        return await join_page(visit, fields=fields, problems=problems, earn_token=earn_token)
    await _open_account(visit, answer.member.id)
    next_path = visit.own_path(fields["next"]).removeprefix(visit.base)
    if earn_token and not await _earned_first_point(visit, answer, earn_token, fields.key):
        next_path = f"/g/{earn_token}"
    response = visit.go(next_path or "?done=welcome")
    visit.sign_in(response, answer.session_token)
    return response


def missing_contact(fields: Fields, language: str) -> Problems:
    """What the form itself can tell: an address is needed, and one for each ticked box."""
    wrong = {}
    if not fields.text("phone") and not fields.text("email"):
        wrong["phone"] = translate(language, "Entrez votre numéro de téléphone ou votre courriel.")
    elif fields["consent_sms"] and not fields.text("phone"):
        wrong["phone"] = translate(
            language, "Pour recevoir des textos, entrez votre numéro de téléphone."
        )
    elif fields["consent_email"] and not fields.text("email"):
        wrong["email"] = translate(language, "Pour recevoir des courriels, entrez votre courriel.")
    return Problems(fields=wrong)


def with_bad_email(fields: Fields, problems: Problems, language: str) -> Problems:
    """The same, and that the e-mail is none either: enrollment tells what it meets first."""
    if is_plausible(Contact(email=fields.text("email"))):
        return problems
    told = ApiError.of("EMAIL_INVALID").told(language)
    return replace(problems, fields={**problems.fields, "email": told})


def consents_of(fields: Fields) -> list[ConsentGrant]:
    """The boxes that she ticked, with the version of the words beside them."""
    boxes = {
        "consent_sms": types_pb2.CHANNEL_SMS,
        "consent_email": types_pb2.CHANNEL_EMAIL,
    }
    return [
        ConsentGrant(channel=channel, wording_version=CONSENT_WORDING)
        for box, channel in boxes.items()
        if fields[box]
    ]


async def _enroll(visit: Visit, fields: Fields, earn_token: str) -> EnrollMemberResponse:
    salon_id = ""
    if earn_token:
        read = ReadEarnTokenRequest(chain_id=visit.chain.id, earn_token=earn_token)
        salon_id = (await visit.deps.clients.points.ReadEarnToken(read)).salon_id
    return await visit.deps.clients.enrollment.EnrollMember(
        EnrollMemberRequest(
            idempotency_key=fields.key,
            chain_id=visit.chain.id,
            phone=fields.text("phone"),
            email=fields.text("email"),
            given_name=fields.text("given_name"),
            family_name=fields.text("family_name"),
            birthday=own_birthday(fields["birth_day"], fields["birth_month"]),
            language=language_value(visit.language),
            source=source_of(fields["s"], earn_token=earn_token),
            salon_id=salon_id,
            consents=consents_of(fields),
            actor=Actor(kind=Actor.KIND_MEMBER),
            start_session=True,
            # The link came by a text to this phone: who opened it holds it (D18).
            proven_phone=texted_phone(visit, fields["t"]) if fields["t"] else "",
        )
    )


async def _open_account(visit: Visit, member_id: str) -> None:
    """Her account in the default program: a till that knows her phone finds it at once.

    Where it cannot be opened now, the event of her enrolment opens it.
    """
    request = OpenAccountRequest(chain_id=visit.chain.id, member_id=member_id, program_id="main")
    with contextlib.suppress(RemoteRefusal, Unavailable):
        await visit.deps.clients.points.OpenAccount(request)


async def _earned_first_point(
    visit: Visit, answer: EnrollMemberResponse, earn_token: str, key: str
) -> bool:
    """The scan that brought her counts; where it does not, its own page tells why."""
    principal = await visit.deps.authenticator.principal(answer.session_token)
    item = EarnItem(
        idempotency_key=key,
        chain_id=visit.chain.id,
        member_id=answer.member.id,
        actor=Actor(kind=Actor.KIND_MEMBER, id=answer.member.id),
        session_id=principal.session_id if principal else "",
        scan=ScanOrigin(earn_token=earn_token),
    )
    try:
        await earn(visit.deps, item)
    except (RemoteRefusal, Unavailable):
        return False
    return True


@router.post("/m/{slug}/signout")
async def sign_out(visit: VisitDep) -> Response:
    """End the session of this phone; repeatable."""
    if visit.token:
        await visit.deps.clients.enrollment.SignOut(SignOutRequest(token=visit.token))
        visit.deps.authenticator.forget(visit.token)
    response = visit.go("?done=bye")
    visit.sign_out(response)
    return response


@router.get("/m/{slug}/signout")
async def sign_out_takes_a_form(visit: VisitDep) -> Response:
    """A link signs nobody out."""
    return visit.go()
