"""The sign-in page, before every page of the panel (LS-81)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from loyalty.enrollment.v1.enrollment_pb2 import SignInStaffRequest, SignOutRequest

from services.chassis.errors import RemoteRefusal
from services.gateway.auth import STAFF_COOKIE, clear_cookie, set_cookie, staff_or_none
from services.gateway.deps import DepsDep
from services.gateway.web import i18n
from services.gateway.web.forms import NO_PROBLEMS, Problems, problems_of, read_fields
from services.gateway.web.render import page

router = APIRouter()

# Enrollment ends an idle session much earlier; the cookie only must not outlive the longest.
STAFF_COOKIE_SECONDS = 7 * 24 * 3600
NEXT_LENGTH_MAX = 512


def _next_path(path: str) -> str:
    """A page of the panel to go on to; anything else is not followed."""
    fits = len(path) <= NEXT_LENGTH_MAX and "\\" not in path and path.isprintable()
    is_ours = path == "/admin" or path.startswith(("/admin/", "/admin?"))
    return path if fits and is_ours and "//" not in path else "/admin"


def _form(
    request: Request, *, next_path: str, email: str = "", problems: Problems = NO_PROBLEMS
) -> Response:
    response = page(
        request,
        "panel/signin.html",
        status=problems.status if problems else 200,
        language=i18n.language_of(request),
        next_path=next_path,
        email=email,
        errors=problems.fields,
        problem=problems.form,
    )
    if problems.retry_after_seconds:
        response.headers["retry-after"] = str(problems.retry_after_seconds)
    return response


@router.get("/signin")
async def sign_in_page(request: Request, deps: DepsDep) -> Response:
    """E-mail and password; whoever is signed in goes straight on."""
    next_path = _next_path(request.query_params.get("next", ""))
    if await staff_or_none(request, deps) is not None:
        return RedirectResponse(next_path, status_code=303)
    return _form(request, next_path=next_path)


@router.post("/signin")
async def sign_in(request: Request, deps: DepsDep) -> Response:
    """Right: a session, and on to the page that was wanted. Wrong: one answer for all causes."""
    fields = await read_fields(request)
    email, next_path = fields.text("email"), _next_path(fields["next"])
    await deps.limits.check("sign_in_network", deps.limits.network_of(request))
    try:
        answer = await deps.clients.enrollment.SignInStaff(
            SignInStaffRequest(email=email, password=fields["password"])
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, i18n.language_of(request))
        return _form(request, next_path=next_path, email=email, problems=problems)
    response = RedirectResponse(next_path, status_code=303)
    set_cookie(
        response,
        deps,
        STAFF_COOKIE,
        answer.session_token,
        path="/",
        max_age_seconds=STAFF_COOKIE_SECONDS,
    )
    return response


@router.post("/signout")
async def sign_out(request: Request, deps: DepsDep) -> Response:
    """Ends the session here and at enrollment. Repeatable."""
    if token := request.cookies.get(STAFF_COOKIE):
        await deps.clients.enrollment.SignOut(SignOutRequest(token=token))
        deps.authenticator.forget(token)
    response = RedirectResponse("/signin", status_code=303)
    clear_cookie(response, deps, STAFF_COOKIE, path="/")
    return response
