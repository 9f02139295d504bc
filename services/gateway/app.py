"""The application: every router, what each request passes through, and how refusals are told."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from redis.asyncio import Redis
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import compile_path
from starlette.types import ASGIApp

from services.chassis.clock import Clock
from services.chassis.signing import Sealer, Signer
from services.gateway import (
    admin,
    confirm,
    errors,
    front,
    hot,
    member,
    metrics,
    openapi,
    operator,
    pos,
    sandbox,
    tablet,
    unsubscribe,
    validation,
    webhooks,
)
from services.gateway.auth import Authenticator, SignInNeeded, wants_page
from services.gateway.clients import Clients
from services.gateway.countdown import Countdowns
from services.gateway.deps import Chains, Deps, Salons
from services.gateway.errors import ApiError
from services.gateway.gathering import Gathered
from services.gateway.limits import Limits
from services.gateway.live import LiveHub
from services.gateway.middleware import BodyLimit, RequestEnvelope, SameSite
from services.gateway.settings import Settings
from services.gateway.web import assets, i18n, render

ROUTERS: Final[tuple[APIRouter, ...]] = (
    pos.router,
    operator.router,
    sandbox.router,
    openapi.router,
    front.router,
    assets.router,
    member.router,
    tablet.router,
    admin.router,
    unsubscribe.router,
    confirm.router,
    webhooks.router,
)

_BY_HTTP_STATUS: Final = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "PAGE_NOT_FOUND",
    413: "REQUEST_ENTITY_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}


def open_deps(settings: Settings, redis: Redis, clock: Clock) -> Deps:
    """Everything that routes need; connects to nothing before the first use."""
    secret = settings.secret_key.get_secret_value()
    clients = Clients.connect(settings)
    live = LiveHub(redis)
    return Deps(
        settings=settings,
        clients=clients,
        gathered=Gathered.over(clients),
        authenticator=Authenticator(clients, live),
        limits=Limits(
            redis,
            secret=secret,
            api_requests_per_second=settings.api_requests_per_second_max,
            trusted=settings.proxy_networks,
        ),
        live=live,
        countdowns=Countdowns(redis, clients),
        chains=Chains(clients),
        salons=Salons(clients),
        redis=redis,
        clock=clock,
        signer=lambda purpose: Signer(secret, purpose),
        sealer=lambda purpose: Sealer(secret, purpose),
    )


class Application(FastAPI):
    """FastAPI without its outermost nets: `RequestEnvelope` catches what nobody else does."""

    def build_middleware_stack(self) -> ASGIApp:
        """What a request passes through, from our own outermost layer on."""
        layer: Any = super().build_middleware_stack()
        while not isinstance(layer, RequestEnvelope):
            layer = layer.app
        return layer


def create_app(deps: Deps) -> FastAPI:
    """The ASGI application over these dependencies."""
    strict_transport = deps.settings.is_https and deps.settings.environment == "production"
    app = Application(
        title="Mèche",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # Metrics and logs are our own; the framework would look for others at each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        middleware=[
            Middleware(RequestEnvelope, respond=respond, strict_transport=strict_transport),
            Middleware(BodyLimit, respond=respond),
            Middleware(SameSite, respond=respond),
            Middleware(hot.HotDoor, refused=_refused),
            Middleware(hot.zipped),
        ],
    )
    app.state.deps = deps
    for router in ROUTERS:
        app.include_router(router)
    # Included routers keep routes without their prefix; metrics and logs want the whole template.
    app.state.route_templates = {
        id(context.original_route): context.path for context in iter_route_contexts(app.routes)
    }
    app.state.methods_by_path = [
        (compile_path(context.path)[0], context.methods)
        for context in iter_route_contexts(app.routes)
        if context.path and context.methods
    ]
    app.state.hot_routes = hot.routes_of(app)
    for refusal in hot.REFUSALS:
        app.add_exception_handler(refusal, _refused)
    app.add_exception_handler(HTTPException, _http_refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(SignInNeeded, _sign_in)
    return app


async def respond(request: Request, error: ApiError) -> Response:
    """Tell a refusal: a page in the visitor's language, or Square's error body."""
    metrics.HTTP_REFUSALS_TOTAL.labels(error.code).inc()
    if not wants_page(request):
        return errors.answer(request, [error])
    language = i18n.language_of(request)
    response = render.page(
        request,
        "layout/problem.html",
        status=error.status,
        language=language,
        title=_TITLES[language].get(error.status, _TITLES[language][400]),
        text=error.told(language),
        links=[],
    )
    if error.retry_after_seconds:
        response.headers["retry-after"] = str(error.retry_after_seconds)
    return response


_TITLES: Final = {
    "fr": {
        400: "Cette demande n’a pas abouti",
        401: "Connexion nécessaire",
        403: "Accès refusé",
        404: "Page introuvable",
        429: "Un instant, s’il vous plaît",
        500: "Un problème de notre côté",
        503: "Un instant, s’il vous plaît",
    },
    "en": {
        400: "This request did not work",
        401: "Please sign in",
        403: "Not allowed",
        404: "Page not found",
        429: "One moment, please",
        500: "A problem on our side",
        503: "One moment, please",
    },
}


async def _refused(request: Request, error: Exception) -> Response:
    return await respond(request, errors.from_exception(error))


async def _http_refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        # The framework names the methods of one of the address's routes only (RFC 9110, 15.5.6).
        allowed = ", ".join(sorted(_methods_at(request)))
        told = ApiError.of("METHOD_NOT_ALLOWED", params={"allowed": allowed})
        response = await respond(request, told)
        response.headers["Allow"] = allowed
        return response
    if status == 400 and request.headers.get("content-type", "").startswith("application/json"):
        # Not in UTF-8, or nested without end.
        return await respond(request, ApiError.of("EXPECTED_JSON_BODY"))
    if status == 404 and request.url.path.startswith("/v2/"):
        return await respond(request, ApiError.of("CALL_NOT_FOUND"))
    return await respond(request, ApiError.of(_BY_HTTP_STATUS.get(status, "INTERNAL_SERVER_ERROR")))


def _methods_at(request: Request) -> set[str]:
    """What the routes of this address answer to."""
    path = request.url.path
    found: set[str] = set()
    for pattern, methods in request.app.state.methods_by_path:
        if pattern.match(path):
            found |= methods
    return found


async def _invalid(request: Request, error: Exception) -> Response:
    findings = error.errors() if isinstance(error, RequestValidationError) else []
    told = validation.errors_of(findings)
    if wants_page(request):
        return await respond(request, told[0])
    metrics.HTTP_REFUSALS_TOTAL.labels(told[0].code).inc()
    return errors.answer(request, told)


async def _sign_in(_request: Request, error: Exception) -> Response:
    location = error.location if isinstance(error, SignInNeeded) else "/signin"
    return RedirectResponse(location, status_code=303)
