"""Who is knocking: bearer keys, cookies of members, staff and tablets, and what they may do."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

from fastapi import Request
from loyalty.enrollment.v1.enrollment_pb2 import AuthenticateRequest, Principal, Staff
from loyalty.types.v1.types_pb2 import Actor
from starlette.responses import Response

from services.chassis.errors import RemoteRefusal
from services.chassis.signing import token_digest
from services.gateway.clients import Clients
from services.gateway.deps import Deps, DepsDep, get_deps
from services.gateway.errors import ApiError, from_remote
from services.gateway.headers import header
from services.gateway.live import LiveHub

MEMBER_COOKIE: Final = "meche_member"
STAFF_COOKIE: Final = "meche_staff"
DEVICE_COOKIE: Final = "meche_tablet"

# A revocation is heard at once; one that is not heard is obeyed after this.
CACHE_SECONDS = 5.0
CACHE_MAX = 20_000
# Real tokens are about 50 characters.
TOKEN_LENGTH_MAX = 256

# The scope of an owner's key: it reads codes back and manages staff, devices and keys.
OWNER_SCOPE: Final = "MERCHANT_PROFILE_WRITE"


class Authenticator:
    """Token → principal, remembered for five seconds by the token's digest."""

    def __init__(self, clients: Clients, live: LiveHub) -> None:
        self._clients = clients
        self._known: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()
        self._asked: dict[bytes, asyncio.Future[Principal | None]] = {}
        self._epoch = 0
        live.on_revoked(self._revoked)

    async def principal(self, token: str) -> Principal | None:
        """Who this token speaks for; None for an unknown, expired or revoked one.

        Raises `Unavailable` when enrollment is out of reach and the token is not remembered.
        """
        if not token or len(token) > TOKEN_LENGTH_MAX:
            return None
        digest = token_digest(token)
        known = self._known.get(digest)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        asked = self._asked.get(digest)
        if asked is None:
            asked = asyncio.ensure_future(self._ask(digest, token))
            self._asked[digest] = asked
            asked.add_done_callback(lambda _: self._asked.pop(digest, None))
        # Shielded: a visitor who leaves must not cancel the others who wait for the same answer.
        return await asyncio.shield(asked)

    async def farewell(self, token: str) -> ApiError | None:
        """Why a member's session of this token is no more, where she should be told; else None."""
        if not token or len(token) > TOKEN_LENGTH_MAX:
            return None
        try:
            await self._clients.enrollment.Authenticate(AuthenticateRequest(token=token))
        except RemoteRefusal as refusal:
            if refusal.code == "session_superseded":
                return from_remote(refusal)
        return None

    async def _ask(self, digest: bytes, token: str) -> Principal | None:
        epoch = self._epoch
        principal: Principal | None
        try:
            answer = await self._clients.enrollment.Authenticate(AuthenticateRequest(token=token))
            principal = answer.principal
        except RemoteRefusal:
            principal = None
        if epoch == self._epoch:
            self._known[digest] = (time.monotonic() + CACHE_SECONDS, principal)
            while len(self._known) > CACHE_MAX:
                self._known.popitem(last=False)
        return principal

    def forget(self, token: str) -> None:
        """Ask again at the next use: this process has just changed or ended the session."""
        self._epoch += 1
        self._known.pop(token_digest(token), None)

    def _revoked(self, _what: str) -> None:
        # Revocations are rare; forgetting everyone costs one call each and cannot miss.
        self._epoch += 1
        self._known.clear()


def set_cookie(
    response: Response, deps: Deps, name: str, value: str, *, path: str, max_age_seconds: int
) -> None:
    """Keep a session in a cookie that scripts cannot read and other sites cannot send."""
    response.set_cookie(
        name,
        value,
        max_age=max_age_seconds,
        path=path,
        httponly=True,
        samesite="lax",
        secure=deps.settings.is_https,
    )


def clear_cookie(response: Response, deps: Deps, name: str, *, path: str) -> None:
    """Take the session's cookie away."""
    response.delete_cookie(
        name, path=path, httponly=True, samesite="lax", secure=deps.settings.is_https
    )


class SignInNeeded(Exception):
    """A page for staff was opened without a session: the visitor goes to the sign-in page."""

    def __init__(self, next_path: str) -> None:
        super().__init__(next_path)
        self.location = f"/signin?next={quote(next_path, safe='/')}"


def wants_page(request: Request) -> bool:
    """Whether the answer is for a person's browser (a page), not for a program (JSON)."""
    if request.url.path.startswith("/v2/") or request.url.path == "/v2":
        return False
    return "text/html" in request.headers.get("accept", "")


async def _of_cookie(
    request: Request, deps: Deps, cookie: str, kind: Actor.Kind.ValueType
) -> Principal | None:
    token = request.cookies.get(cookie)
    principal = await deps.authenticator.principal(token) if token else None
    return principal if principal is not None and principal.actor.kind == kind else None


async def member_or_none(request: Request, deps: Deps, chain_id: str) -> Principal | None:
    """The member who is signed in on this phone with this chain, if any."""
    principal = await _of_cookie(request, deps, MEMBER_COOKIE, Actor.KIND_MEMBER)
    return principal if principal is not None and principal.chain_id == chain_id else None


async def staff_or_none(request: Request, deps: Deps) -> Principal | None:
    """The staff member who is signed in in this browser, if any."""
    return await _of_cookie(request, deps, STAFF_COOKIE, Actor.KIND_STAFF)


def require_staff(*roles: Staff.Role.ValueType) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency: the signed-in staff member, who has one of `roles` (none named = any).

    Without a session a page goes to the sign-in page and a program gets 401; another role is 403.
    """

    async def staff(request: Request) -> Principal:
        principal = await staff_or_none(request, get_deps(request))
        if principal is None:
            if wants_page(request):
                query = f"?{request.url.query}" if request.url.query else ""
                is_get = request.method in {"GET", "HEAD"}
                raise SignInNeeded(request.url.path + query if is_get else "/admin")
            raise ApiError.of("UNAUTHORIZED")
        if roles and principal.role not in roles:
            raise ApiError.of("FORBIDDEN")
        return principal

    return staff


async def require_tablet(request: Request, deps: DepsDep) -> Principal:
    """A dependency: the registered tablet that this browser is (LS-09)."""
    principal = await _of_cookie(request, deps, DEVICE_COOKIE, Actor.KIND_DEVICE)
    if principal is None:
        raise ApiError.of("TABLET_UNKNOWN")
    return principal


def bearer(request: Request) -> str | None:
    """The token of the Authorization header, if it has the right form."""
    scheme, _, token = (header(request.scope, b"authorization") or "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token else None


def require_key(*scopes: str) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency: the API key that calls, which has all of `scopes` and its rate left."""

    async def key(request: Request) -> Principal:
        deps = get_deps(request)
        token = bearer(request)
        principal = await deps.authenticator.principal(token) if token else None
        if principal is None or principal.actor.kind != Actor.KIND_API_KEY:
            if token:
                await deps.limits.check("unknown_token", deps.limits.network_of(request))
            raise ApiError.of("UNAUTHORIZED")
        request.state.rate_limit = deps.limits.count_api_key(principal.session_id)
        missing = [scope for scope in scopes if scope not in principal.scopes]
        if missing:
            raise ApiError.of("INSUFFICIENT_SCOPES", params={"scopes": ", ".join(missing)})
        return principal

    return key
