"""Who comes to a chain's pages: the chain of the address, the language, the signed-in member."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote, urlencode
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from loyalty.enrollment.v1.enrollment_pb2 import Chain, Principal

from services.gateway.auth import MEMBER_COOKIE, clear_cookie, member_or_none, set_cookie
from services.gateway.deps import Deps, DepsDep
from services.gateway.errors import ApiError
from services.gateway.member.brand import Look, look_of
from services.gateway.web import i18n
from services.gateway.web.forms import NO_PROBLEMS, Problems, wants_json
from services.gateway.web.render import page

# She stays signed in on her phone; enrollment ends the session earlier if it must.
MEMBER_COOKIE_SECONDS = 400 * 24 * 3600
NEXT_LENGTH_MAX = 512
# The short word in a link that says where it stood.
MARK_LENGTH_MAX = 20
_PARTS: Final = re.compile("[/?#]")


class Elsewhere(Exception):
    """The visitor must go to another page first."""

    def __init__(self, location: str, *, status: int = 303) -> None:
        super().__init__(location)
        self.location = location
        self.status = status


class NothingHere(Exception):
    """There is no chain, or nothing of hers, under this address."""


class PageRoute(APIRoute):
    """A route of pages: sends visitors elsewhere, and says kindly when there is nothing."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler with these two exceptions turned into answers."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except Elsewhere as elsewhere:
                return RedirectResponse(elsewhere.location, status_code=elsewhere.status)
            except NothingHere:
                return nothing_here(request)
            except ExceptionGroup as group:
                # Reads that ran side by side: what stopped them is told as if it had run alone.
                raise _first_of(group) from group

        return handler


def _first_of(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first


def nothing_here(request: Request) -> Response:
    """The page for an address that leads nowhere."""
    language = i18n.language_of(request)
    return page(
        request,
        "layout/problem.html",
        status=404,
        language=language,
        title=i18n.translate(language, "Cette page n'existe pas"),
        text=i18n.translate(
            language,
            "Vérifiez l'adresse, ou scannez de nouveau le code QR affiché dans votre salon.",
        ),
        links=[],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visitor on one chain's pages."""

    request: Request
    deps: Deps
    chain: Chain
    language: str
    look: Look
    # The session's token and whom it speaks for; None for a visitor who is not signed in.
    token: str = ""
    principal: Principal | None = None

    @property
    def base(self) -> str:
        """The chain's own address: its mobile URL without scheme and host."""
        return f"/m/{self.chain.slug}"

    @property
    def signed_in(self) -> Principal:
        """Whom the session speaks for; a visitor without one is asked in."""
        if self.principal is None:
            raise Elsewhere(self.base)
        return self.principal

    @property
    def member_id(self) -> str:
        """The signed-in member's id."""
        return self.signed_in.actor.id

    @property
    def zone(self) -> ZoneInfo:
        """The chain's home zone (D38)."""
        return ZoneInfo(self.chain.home_time_zone)

    def show(
        self, template: str, *, problems: Problems = NO_PROBLEMS, **context: object
    ) -> Response:
        """A page of this chain, wearing its colours, with what stands in the way of its form."""
        response = page(
            self.request,
            f"member/{template}",
            status=problems.status if problems else 200,
            language=self.language,
            chain=self.chain,
            base=self.base,
            look=self.look,
            member=self.principal,
            errors=problems.fields,
            problem=problems.form,
            **context,
        )
        if problems.retry_after_seconds:
            response.headers["retry-after"] = str(problems.retry_after_seconds)
        return response

    def go(self, path: str = "") -> RedirectResponse:
        """To another page of this chain, by GET."""
        return RedirectResponse(self.base + path, status_code=303)

    def say(self, words: str, **params: object) -> str:
        """French words in the visitor's language."""
        return i18n.translate(self.language, words, **params)

    @property
    def mark(self) -> str:
        """The short word in the link that brought her: where it stood (D24)."""
        return self.request.query_params.get("s", "")[:MARK_LENGTH_MAX]

    async def farewell(self) -> str:
        """Why she is signed in no more on this phone, where that may surprise her; else nothing."""
        if self.principal is not None:
            return ""
        token = self.request.cookies.get(MEMBER_COOKIE, "")
        told = await self.deps.authenticator.farewell(token)
        return told.told(self.language) if told else ""

    def asked_in(self) -> Elsewhere:
        """A visitor must become a member or sign in first; she comes back to this page after.

        The mark of the link that brought her stays with her (D24).
        """
        here = ""
        if self.request.method in {"GET", "HEAD"}:
            here = self.own_path(self.request.url.path)
        query = {"next": here, "s": self.mark}
        said = urlencode({name: value for name, value in query.items() if value}, safe="/")
        return Elsewhere(f"{self.base}?{said}" if here else self.base)

    def own_path(self, path: str) -> str:
        """A path to return to if it is one of this chain's own, else nothing."""
        fits = len(path) <= NEXT_LENGTH_MAX and "\\" not in path and path.isprintable()
        # Browsers climb out of the chain's pages by ".." and "%2e%2e".
        climbs = {".", ".."} & set(_PARTS.split(unquote(path)))
        stays = path.startswith(f"{self.base}/") and "//" not in path and not climbs
        return path if fits and stays else ""

    def sign_in(self, response: Response, token: str) -> None:
        """Keep the member's session on this phone."""
        set_cookie(
            response,
            self.deps,
            MEMBER_COOKIE,
            token,
            path=self.base,
            max_age_seconds=MEMBER_COOKIE_SECONDS,
        )

    def sign_out(self, response: Response) -> None:
        """Forget the session on this phone."""
        clear_cookie(response, self.deps, MEMBER_COOKIE, path=self.base)


async def visit(request: Request, deps: DepsDep, slug: str) -> Visit:
    """The visitor and the chain of the address; another spelling goes to the right one (LS-45)."""
    chain = await deps.chains.by_slug(slug)
    if chain is None:
        raise NothingHere
    if slug != chain.slug and request.method in {"GET", "HEAD"}:
        rest = request.url.path.split("/", 3)[3:]
        path = "/".join(["", "m", chain.slug, *rest]).rstrip("/")
        query = f"?{request.url.query}" if request.url.query else ""
        raise Elsewhere(quote(path, safe="/-_.~") + query, status=308)
    principal = await member_or_none(request, deps, chain.id)
    own = i18n.language_name(principal.language) if principal and principal.language else ""
    return Visit(
        request=request,
        deps=deps,
        chain=chain,
        language=i18n.language_of(request, i18n.language_name(chain.language), own=own),
        look=look_of(chain),
        token=request.cookies.get(MEMBER_COOKIE, "") if principal else "",
        principal=principal,
    )


VisitDep = Annotated[Visit, Depends(visit)]


async def member_visit(visit: VisitDep) -> Visit:
    """A visit of a signed-in member; others are asked in first and come back after."""
    if visit.principal is None:
        if wants_json(visit.request):
            raise ApiError.of("UNAUTHORIZED")
        raise visit.asked_in()
    return visit


MemberDep = Annotated[Visit, Depends(member_visit)]
