"""Which tablet this is, and which member stands before it.

The tablet is known by its cookie. The member is bound to the page by a short signed text in its
forms: never in an address, and of no use on another tablet or ten minutes later.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from typing import Annotated
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from loyalty.enrollment.v1.enrollment_pb2 import (
    Chain,
    FindMembersRequest,
    Member,
    Principal,
)
from loyalty.types.v1.types_pb2 import Actor

from services.gateway.auth import DEVICE_COOKIE, require_tablet, set_cookie
from services.gateway.deps import Deps, DepsDep
from services.gateway.errors import ApiError
from services.gateway.member.brand import Look, look_of
from services.gateway.member.door import Elsewhere, PageRoute
from services.gateway.web import i18n
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Contact,
    Fields,
    Problems,
    new_key,
    read_fields,
)
from services.gateway.web.render import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)

TABLET_COOKIE_SECONDS = 400 * 24 * 3600
# A member who stands at the counter; the page goes back to the start long before.
PRESENCE_SECONDS = 10 * 60
# Changes with each "Terminer": pages of the one before lead nowhere, also by the back button.
TURN_COOKIE = "meche_turn"
START = "/t"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """One request of one tablet."""

    request: Request
    deps: Deps
    tablet: Principal
    chain: Chain
    language: str
    look: Look
    fields: Fields
    member_id: str = ""

    @property
    def salon_id(self) -> str:
        """Where the tablet stands."""
        return self.tablet.salon_ids[0] if self.tablet.salon_ids else ""

    @property
    def zone(self) -> ZoneInfo:
        """The chain's home zone (D38)."""
        return ZoneInfo(self.chain.home_time_zone)

    @property
    def presence(self) -> str:
        """What binds the next page to this member; empty at the start."""
        if not self.member_id:
            return ""
        until = int(time.time()) + PRESENCE_SECONDS
        said = orjson.dumps([self.member_id, self.tablet.session_id, self.turn, until])
        return self.deps.signer("tablet-presence").sign(said)

    @property
    def turn(self) -> str:
        """Whose turn at this counter it is; every "Terminer" begins another."""
        return self.request.cookies.get(TURN_COOKIE, "")

    def say(self, words: str) -> str:
        """French words in the visitor's language."""
        return i18n.translate(self.language, words)

    def show(
        self, template: str, *, problems: Problems = NO_PROBLEMS, **context: object
    ) -> Response:
        """A page of the counter."""
        response = page(
            self.request,
            f"tablet/{template}",
            status=problems.status if problems else 200,
            language=self.language,
            chain=self.chain,
            look=self.look,
            presence=self.presence,
            turn=self.turn,
            key=new_key(),
            errors=problems.fields,
            problem=problems.form,
            **context,
        )
        if problems.retry_after_seconds:
            response.headers["retry-after"] = str(problems.retry_after_seconds)
        return response

    def start(self) -> RedirectResponse:
        """Back to the start."""
        return RedirectResponse(START, status_code=303)

    def finish(self) -> RedirectResponse:
        """Back to the start for the next member, who finds nothing of this one."""
        response = self.start()
        response.delete_cookie(i18n.LANGUAGE_COOKIE, path="/")
        set_cookie(
            response,
            self.deps,
            TURN_COOKIE,
            secrets.token_urlsafe(9),
            path=START,
            max_age_seconds=TABLET_COOKIE_SECONDS,
        )
        return response


async def counter(
    request: Request, deps: DepsDep, tablet: Annotated[Principal, Depends(require_tablet)]
) -> Counter:
    """This tablet, its chain, and what was posted."""
    chain = await deps.chains.by_id(tablet.chain_id)
    if chain is None:
        raise ApiError.of("TABLET_UNKNOWN")
    is_form = request.method == "POST"
    return Counter(
        request=request,
        deps=deps,
        tablet=tablet,
        chain=chain,
        language=i18n.language_of(request, own=i18n.language_name(chain.language)),
        look=look_of(chain),
        fields=await read_fields(request) if is_form else Fields(),
    )


CounterDep = Annotated[Counter, Depends(counter)]


async def present_member(counter: CounterDep) -> Counter:
    """The member who is bound to the posted page; without one the tablet is at its start."""
    if counter.request.method == "POST":
        await counter.deps.limits.check("tablet", counter.tablet.session_id)
    said = counter.deps.signer("tablet-presence").verify(counter.fields["presence"])
    if said is None:
        raise Elsewhere(START)
    member_id, session_id, turn, until = orjson.loads(said)
    here = (counter.tablet.session_id, counter.turn)
    if (session_id, turn) != here or until < time.time():
        raise Elsewhere(START)
    return replace(counter, member_id=str(member_id))


PresentDep = Annotated[Counter, Depends(present_member)]


async def in_turn(counter: CounterDep) -> Counter:
    """A form of the start, sent in the turn in which it was shown; an older one starts anew."""
    await counter.deps.limits.check("tablet", counter.tablet.session_id)
    if counter.fields["turn"] != counter.turn:
        raise Elsewhere(START)
    return counter


InTurnDep = Annotated[Counter, Depends(in_turn)]


async def find_member(counter: Counter, contact: Contact) -> Member | None:
    """The living member with this phone or e-mail; refuses what is neither."""
    answer = await counter.deps.clients.enrollment.FindMembers(
        FindMembersRequest(
            chain_id=counter.chain.id,
            phones=[contact.phone] if contact.phone else [],
            emails=[contact.email] if contact.email else [],
        )
    )
    return answer.members[0] if answer.members else None


async def member_of(counter: Counter) -> Member:
    """Who stands at the counter; somebody who was merged or erased meanwhile starts anew."""
    answer = await counter.deps.clients.enrollment.FindMembers(
        FindMembersRequest(chain_id=counter.chain.id, member_ids=[counter.member_id])
    )
    if not answer.members:
        raise Elsewhere(START)
    return answer.members[0]


def masked_name(member: Member) -> str:
    """Enough for her to know herself, too little for whoever stands behind her (D34)."""
    names = [name for name in (member.given_name, member.family_name) if name]
    return " ".join(f"{name[0]}…" for name in names)


def masked_address(member: Member) -> str:
    """The last four digits of the phone, or the first letters of the e-mail."""
    if member.phone:
        return f"•••• {member.phone[-4:]}"
    name, _, domain = member.email.partition("@")
    return f"{name[:1]}…@{domain[:1]}…" if domain else ""


@router.get("/t/{link_token}")
async def open_tablet(request: Request, deps: DepsDep, link_token: str) -> Response:
    """The tablet URL: this browser is the tablet from now on, and the secret leaves the address."""
    principal = await deps.authenticator.principal(link_token)
    if principal is None or principal.actor.kind != Actor.KIND_DEVICE:
        await deps.limits.check("unknown_token", deps.limits.network_of(request))
        raise ApiError.of("TABLET_UNKNOWN")
    response = RedirectResponse(START, status_code=303, headers={"referrer-policy": "no-referrer"})
    set_cookie(
        response,
        deps,
        DEVICE_COOKIE,
        link_token,
        path=START,
        max_age_seconds=TABLET_COOKIE_SECONDS,
    )
    return response
