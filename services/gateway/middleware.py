"""What every request passes through, as plain ASGI: id, metrics, headers, body limit, same site."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import structlog
from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis import context
from services.chassis.patience import Patience
from services.gateway import metrics
from services.gateway.errors import ApiError
from services.gateway.headers import header

log = structlog.get_logger(__name__)

BODY_BYTES_MAX = 1024 * 1024
# A phone's photo of a QR and an owner's logo, sent by a form as the camera made them.
PHOTO_BYTES_MAX = 8 * 1024 * 1024
_PHOTO_PATH = re.compile(
    r"/m/[^/]+/decode|/admin/design/logo|/admin/offers/[^/]+|/v2/loyalty/offers/[^/]+/image"
)
# What is thrown away of a larger body, so that its sender hears why instead of a broken connection.
DISCARDED_BYTES_MAX = 16 * 1024 * 1024
# A body of a megabyte over a slow phone; longer is somebody who holds a connection.
BODY_SECONDS_MAX = 20.0

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_SECURITY_HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS: Final = _READING | {"POST", "PUT", "PATCH", "DELETE"}

Respond = Callable[[Request, ApiError], Awaitable[Response]]


class RequestEnvelope:
    """Gives each request its id, security headers, metrics and, at the worst, an honest 500."""

    def __init__(self, app: ASGIApp, *, respond: Respond, strict_transport: bool) -> None:
        self._app = app
        self._respond = respond
        wanted = dict(_SECURITY_HEADERS)
        if strict_transport:
            wanted["strict-transport-security"] = "max-age=31536000"
        self._headers = [(name.encode(), value.encode()) for name, value in wanted.items()]
        self._names = frozenset(name for name, _ in self._headers)
        self._in_flight = 0
        metrics.HTTP_IN_FLIGHT.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = context.accepted_request_id(header(scope, b"x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                message["headers"] = self._with_headers(message["headers"], scope, request_id)
            await send(message)

        begun = time.perf_counter()
        self._in_flight += 1
        bound = context.REQUEST_ID.set(request_id)
        try:
            if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
                # No database keeps it and no address of ours has it.
                response = await self._respond(Request(scope), ApiError.of("INVALID_TEXT"))
                await response(scope, receive, send_with_headers)
                return
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            log.exception("request_failed", route=_route(scope), fault=type(error).__name__)
            if not started:
                broken = ApiError.of("INTERNAL_SERVER_ERROR")
                response = await self._respond(Request(scope), broken)
                await response(scope, receive, send_with_headers)
        finally:
            context.REQUEST_ID.reset(bound)
            self._in_flight -= 1
            metrics.request_seconds(_method(scope), _route(scope), status // 100).observe(
                time.perf_counter() - begun
            )

    def _with_headers(
        self, told: list[tuple[bytes, bytes]], scope: Scope, request_id: str
    ) -> list[tuple[bytes, bytes]]:
        """The answer's headers and ours; a route's own word on a security header stands."""
        already = {name for name, _ in told}
        name = request_id.encode()
        # `request-id` for people, `request_id` for clients that were written for Square.
        headers = [*told, (b"request-id", name), (b"request_id", name)]
        if already.isdisjoint(self._names):
            headers += self._headers
        else:
            headers += [own for own in self._headers if own[0] not in already]
        allowance = scope["state"].get("rate_limit")
        if allowance is not None:
            headers += [
                (b"ratelimit-limit", b"%d" % allowance.limit),
                (b"ratelimit-remaining", b"%d" % allowance.remaining),
                (b"ratelimit-reset", b"%d" % allowance.reset_seconds),
            ]
        return headers


def _route(scope: Scope) -> str:
    """The route's template, never the path: paths hold ids."""
    app = scope.get("app")
    templates = app.state.route_templates if app is not None else {}
    return str(templates.get(id(scope.get("route")), "none"))


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in _METHODS else "OTHER"


class _Reading:
    """A body that is on its way, read by the current task, for so long and no longer."""

    __slots__ = ("_given_up", "_task", "is_over", "until")

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._given_up = False
        self.is_over = False
        self.until = asyncio.get_running_loop().time() + BODY_SECONDS_MAX

    def end(self) -> None:
        """It is read, or nobody reads it any more."""
        self.is_over, self._task = True, None

    def give_up(self) -> None:
        """Interrupt the task that reads it."""
        if self._task is not None:
            self._given_up = True
            self._task.cancel()

    def was_given_up(self) -> bool:
        """Whether only we have cancelled the task, which goes on then."""
        return self._given_up and self._task is not None and self._task.uncancel() == 0


class BodyLimit:
    """Reads the whole body before the route does, up to its size and within its time."""

    def __init__(self, app: ASGIApp, *, respond: Respond) -> None:
        self._app = app
        self._respond = respond
        self._patience: Patience[_Reading] = Patience()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request whose body is small enough; refuse the others with 413 or 408."""
        if scope["type"] != "http" or scope["method"] in _READING:
            await self._app(scope, receive, send)
            return
        bytes_max = PHOTO_BYTES_MAX if _PHOTO_PATH.fullmatch(scope["path"]) else BODY_BYTES_MAX
        reading, body, refusal = _Reading(), None, None
        self._patience.add(reading)
        try:
            body = await _read(receive, bytes_max)
        except ApiError as error:
            refusal = error
        except asyncio.CancelledError:
            if not reading.was_given_up():
                raise
            refusal = ApiError.of("REQUEST_TIMEOUT")
        finally:
            reading.end()
        if refusal is not None:
            await self._refuse(refusal, scope, receive, send)
            return
        if body is None:
            return
        replayed = False

        async def receive_body() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, receive_body, send)

    async def _refuse(self, error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope), error)
        # Some of the body may be unread, so the connection cannot serve another request.
        response.headers["connection"] = "close"
        await response(scope, receive, send)


def _too_large(bytes_max: int) -> ApiError:
    return ApiError.of("REQUEST_ENTITY_TOO_LARGE", params={"bytes_max": str(bytes_max)})


async def _read(receive: Receive, bytes_max: int) -> bytes | None:
    """The body, or None when the caller has gone; raises that it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size <= bytes_max:
            parts.append(part)
        elif size > DISCARDED_BYTES_MAX:
            raise _too_large(bytes_max)
        if not message.get("more_body", False):
            if size > bytes_max:
                raise _too_large(bytes_max)
            return b"".join(parts)


class SameSite:
    """Refuses a change that another site makes a browser send with our cookies.

    Cookies are SameSite=Lax already; this holds for browsers and subdomains where that does not.
    """

    def __init__(self, app: ASGIApp, *, respond: Respond) -> None:
        self._app = app
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on reads, requests without cookies and requests from our own pages."""
        if (
            scope["type"] == "http"
            and scope["method"] not in _READING
            and header(scope, b"cookie") is not None
            and not _is_same_site(scope)
        ):
            response = await self._respond(Request(scope), ApiError.of("CROSS_SITE"))
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_same_site(scope: Scope) -> bool:
    site = header(scope, b"sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    source = header(scope, b"origin") or header(scope, b"referer")
    if not source:
        return False
    try:
        netloc = urlsplit(source).netloc
    except ValueError:
        return False
    return bool(netloc) and netloc.lower() == (header(scope, b"host") or "").lower()
