"""The one-time code: proof that a phone number or an e-mail is hers (D34).

What the code page must know between two requests lies sealed in a short cookie of hers.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict, dataclass, replace

import orjson
from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import (
    GetMemberRequest,
    RequestCodeRequest,
    VerifyCodeRequest,
)
from loyalty.types.v1.types_pb2 import CHANNEL_EMAIL

from services.chassis.errors import RemoteRefusal, Unavailable
from services.chassis.signing import Unsealable
from services.gateway.auth import clear_cookie, set_cookie
from services.gateway.errors import ApiError
from services.gateway.member.door import MemberDep, PageRoute, Visit, VisitDep
from services.gateway.member.offered import offer_at, take, taken_path
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Contact,
    Problems,
    contact_of,
    problems_of,
    read_fields,
)
from services.gateway.web.i18n import language_value

router = APIRouter(route_class=PageRoute, include_in_schema=False)

CODE_COOKIE = "meche_code"
# A little longer than a code lives, so that a late one is told as late.
CODE_COOKIE_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeStep:
    """A code is under way to this address."""

    challenge_id: str
    masked_address: str
    by_email: bool
    phone: str
    email: str
    next_path: str
    # The address is not hers yet: she wishes to add it.
    adds: bool = False
    # She pressed "Prendre": with the right code this offer is hers.
    offer_id: str = ""


def _keep(visit: Visit, response: Response, step: CodeStep) -> None:
    sealed = visit.deps.sealer("code-step").seal(orjson.dumps(asdict(step)))
    set_cookie(
        response,
        visit.deps,
        CODE_COOKIE,
        base64.urlsafe_b64encode(sealed).decode(),
        path=visit.base,
        max_age_seconds=CODE_COOKIE_SECONDS,
    )


def _held(visit: Visit) -> CodeStep | None:
    try:
        sealed = base64.urlsafe_b64decode(visit.request.cookies.get(CODE_COOKIE, ""))
        return CodeStep(**orjson.loads(visit.deps.sealer("code-step").open(sealed)))
    except (binascii.Error, ValueError, TypeError, Unsealable):
        return None


async def send_code(
    visit: Visit, contact: Contact, *, next_path: str, adds: bool = False, offer_id: str = ""
) -> Response:
    """Send a code to this address and go to the page that asks for it. Raises refusals.

    `adds`: the signed-in member wishes to add the address to hers. `offer_id`: she takes it.
    Where one has just left at the wish of this phone, its page says so; where at the wish of
    another, raises ApiError.
    """
    limits = visit.deps.limits
    network = limits.network_of(visit.request)
    await limits.check("code_request_network", visit.chain.id, network)
    request = RequestCodeRequest(
        chain_id=visit.chain.id,
        phone=contact.phone,
        email=contact.email,
        language=language_value(visit.language),
        member_id=visit.member_id if adds else "",
    )
    try:
        answer = await visit.deps.clients.enrollment.RequestCode(request)
    except RemoteRefusal as refusal:
        if refusal.code != "RATE_LIMITED":
            raise
        # Codes for one address are enrollment's to count: she waits for one that has left.
        told = ApiError.of("CODE_SENT_ALREADY", retry_after_seconds=refusal.retry_after_seconds)
        held = _held(visit)
        if held is None or (held.phone, held.email, held.adds) != (
            contact.phone,
            contact.email,
            adds,
        ):
            raise told from None
        held = replace(held, next_path=visit.own_path(next_path), offer_id=offer_id)
        response = visit.show("code.html", problems=problems_of(told, visit.language), step=held)
        _keep(visit, response, held)
        return response
    response = visit.go("/code")
    step = CodeStep(
        challenge_id=answer.challenge_id,
        masked_address=answer.masked_address,
        by_email=answer.channel == CHANNEL_EMAIL,
        phone=contact.phone,
        email=contact.email,
        next_path=visit.own_path(next_path),
        adds=adds,
        offer_id=offer_id,
    )
    _keep(visit, response, step)
    return response


@router.get("/m/{slug}/signin")
async def sign_in_page(visit: VisitDep) -> Response:
    """For a member on a new phone: where shall the code go?"""
    return await _sign_in(visit, visit.request.query_params.get("next", ""))


async def _sign_in(
    visit: Visit, next_path: str, *, typed: str = "", problems: Problems = NO_PROBLEMS
) -> Response:
    own = visit.own_path(next_path)
    return visit.show(
        "signin.html",
        problems=problems,
        typed=typed,
        next_path=own,
        offer=await offer_at(visit, own),
        farewell=await visit.farewell(),
    )


@router.post("/m/{slug}/signin")
async def sign_in(visit: VisitDep) -> Response:
    """Send the code; the answer is the same whether or not the address is known."""
    fields = await read_fields(visit.request)
    typed = fields.text("contact")
    try:
        return await send_code(visit, contact_of(typed), next_path=fields["next"])
    except (RemoteRefusal, ApiError) as refusal:
        problems = problems_of(
            refusal, visit.language, shown={"phone": "contact", "email": "contact"}
        )
        return await _sign_in(visit, fields["next"], typed=typed, problems=problems)


@router.post("/m/{slug}/verify")
async def verify_self(visit: MemberDep) -> Response:
    """Send the code to her own address: the first take asks for it."""
    fields = await read_fields(visit.request)
    answer = await visit.deps.clients.enrollment.GetMember(
        GetMemberRequest(chain_id=visit.chain.id, member_id=visit.member_id)
    )
    member = answer.member
    by_email = member.registered_by == CHANNEL_EMAIL or not member.phone
    contact = Contact(email=member.email) if by_email else Contact(phone=member.phone)
    return await send_code(visit, contact, next_path=fields["next"], offer_id=fields["offer_id"])


@router.get("/m/{slug}/code")
async def code_page(visit: VisitDep) -> Response:
    """Where she types or pastes the code."""
    step = _held(visit)
    if step is None:
        return visit.go("/signin")
    return visit.show("code.html", step=step)


@router.post("/m/{slug}/code")
async def check_code(visit: VisitDep) -> Response:
    """The right code: this phone is hers from now on, and she goes back to where she was."""
    fields = await read_fields(visit.request)
    step = _held(visit)
    if step is None:
        return visit.go("/signin")
    await visit.deps.limits.check("code_verify", visit.chain.id, step.challenge_id)
    try:
        answer = await visit.deps.clients.enrollment.VerifyCode(
            VerifyCodeRequest(
                chain_id=visit.chain.id,
                challenge_id=step.challenge_id,
                code="".join(fields["code"].split()),
                session_token=visit.token,
            )
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, visit.language, shown={"code": "code"})
        return visit.show("code.html", problems=problems, step=step)
    visit.deps.authenticator.forget(answer.session_token)
    next_path = step.next_path.removeprefix(visit.base)
    if step.offer_id:
        next_path = await _taken(visit, step, answer.session_token) or next_path
    response = visit.go(next_path)
    visit.sign_in(response, answer.session_token)
    clear_cookie(response, visit.deps, CODE_COOKIE, path=visit.base)
    return response


async def _taken(visit: Visit, step: CodeStep, token: str) -> str:
    """Where she sees the coupon that she pressed "Prendre" for; empty where it cannot be hers.

    The offer's own page, to which she goes back then, tells why.
    """
    try:
        principal = await visit.deps.authenticator.principal(token)
        if principal is None:
            return ""
        key = step.challenge_id
        return taken_path(before=await take(visit, step.offer_id, actor=principal.actor, key=key))
    except (RemoteRefusal, Unavailable):
        return ""


@router.post("/m/{slug}/code/again")
async def send_code_again(visit: VisitDep) -> Response:
    """A new code to the same address; the older one is dead."""
    step = _held(visit)
    if step is None:
        return visit.go("/signin")
    contact = Contact(phone=step.phone, email=step.email)
    try:
        return await send_code(
            visit, contact, next_path=step.next_path, adds=step.adds, offer_id=step.offer_id
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, visit.language)
        return visit.show("code.html", problems=problems, step=step)


@router.get("/m/{slug}/verify")
@router.get("/m/{slug}/code/again")
async def nothing_to_see(visit: VisitDep) -> Response:
    """These addresses only take forms."""
    return visit.go("/code")
