""" "Ajouter un courriel": a member who joined by phone adds an address and proves it (D34)."""

from __future__ import annotations

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import GetMemberRequest

from services.chassis.errors import RemoteRefusal
from services.gateway.errors import ApiError
from services.gateway.member.codes import send_code
from services.gateway.member.door import MemberDep, PageRoute, Visit
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Contact,
    Problems,
    is_plausible,
    problems_of,
    read_fields,
)

router = APIRouter(route_class=PageRoute, include_in_schema=False)


async def _has_email(visit: Visit) -> bool:
    request = GetMemberRequest(chain_id=visit.chain.id, member_id=visit.member_id)
    return bool((await visit.deps.clients.enrollment.GetMember(request)).member.email)


def _form(visit: Visit, typed: str = "", problems: Problems = NO_PROBLEMS) -> Response:
    return visit.show("email.html", problems=problems, typed=typed)


def _verify_first(visit: Visit) -> Response:
    """A number alone is no proof: whoever joined with hers must not add an address to it."""
    return visit.show(
        "verify.html",
        next_path=f"{visit.base}/account/email",
        cancel_path=f"{visit.base}/account",
        reason=visit.say(
            "Avant d'ajouter un courriel, nous vérifions une seule fois que ce téléphone est bien "
            "le vôtre. Nous vous envoyons un code."
        ),
    )


@router.get("/m/{slug}/account/email")
async def email_page(visit: MemberDep) -> Response:
    """Where she types the address; her phone is proven first."""
    if await _has_email(visit):
        return visit.go("/account")
    return _form(visit) if visit.signed_in.verified else _verify_first(visit)


@router.post("/m/{slug}/account/email")
async def add_email(visit: MemberDep) -> Response:
    """Send the code to the address. Of an address of somebody else nothing is said."""
    fields = await read_fields(visit.request)
    if await _has_email(visit):
        return visit.go("/account")
    if not visit.signed_in.verified:
        return visit.go("/account/email")
    contact = Contact(email=fields.text("email"))
    if "@" not in contact.email or not is_plausible(contact):
        words = visit.say("Ce n'est pas une adresse courriel. Vérifiez-la.")
        return _form(visit, contact.email, Problems(fields={"email": words}))
    try:
        next_path = f"{visit.base}/account?done=email"
        return await send_code(visit, contact, next_path=next_path, adds=True)
    except (RemoteRefusal, ApiError) as refusal:
        problems = problems_of(refusal, visit.language, shown={"email": "email"})
        return _form(visit, contact.email, problems)
