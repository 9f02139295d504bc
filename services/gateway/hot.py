"""The short way to the routes that tills call all day: earn, look at an account, take, use.

A request that is plainly well-formed is checked by the documented route's own body model, let in by
its own dependency and answered by its own function, without the framework's work between them.
Anything else goes the documented way, body and all, so that each refusal has one place.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis.errors import RateLimited, RemoteRefusal, Unavailable
from services.gateway.errors import ApiError

OPERATIONS: Final = frozenset(
    {
        "AccumulateLoyaltyPoints",
        "RetrieveLoyaltyAccount",
        "CreateLoyaltyReward",
        "RedeemLoyaltyReward",
    }
)

# What becomes an answer; every other exception is nobody's answer on either way.
REFUSALS: Final = (ApiError, RemoteRefusal, RateLimited, Unavailable)

# Shorter answers do not become shorter by it.
ZIPPED_BYTES_MIN: Final = 1000

_JSON_TYPES: Final = frozenset({b"application/json", b"application/json; charset=utf-8"})

Refused = Callable[[Request, Exception], Awaitable[Response]]


class NotHot(Exception):
    """A route has grown a parameter that the short way does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HotRoute:
    """One documented route, taken apart."""

    method: str
    path: re.Pattern[str]
    route: Any
    admit: Callable[[Request], Awaitable[object]]
    # The names under which the function takes caller and body.
    caller_name: str
    body_name: str
    validate: Callable[[object], tuple[Any, Any]] | None
    call: Callable[..., Awaitable[Response]]


def routes_of(app: FastAPI) -> tuple[HotRoute, ...]:
    """The hot routes of the application; raises `NotHot` when one has changed its form."""
    found = tuple(_hot(app))
    if len(found) != len(OPERATIONS):
        raise NotHot(f"{len(found)} of {len(OPERATIONS)} routes are there")
    return found


def _hot(app: FastAPI) -> Iterator[HotRoute]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or route.operation_id not in OPERATIONS:
            continue
        whole = route.dependant
        method = next(iter(sorted(route.methods or ())))
        (caller,) = whole.dependencies
        if caller.call is None or caller.name is None or _asks_more(caller) or whole.query_params:
            raise NotHot(route.operation_id)
        body = whole.body_params[0] if len(whole.body_params) == 1 else None
        if (route.body_field is None) != (body is None) or route.body_field is not body:
            raise NotHot(route.operation_id)
        yield HotRoute(
            method=method,
            path=re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", str(context.path))),
            route=route,
            admit=caller.call,
            caller_name=caller.name,
            body_name=body.name if body is not None else "",
            validate=body.validate if body is not None else None,
            call=route.endpoint,
        )


def _asks_more(caller: Dependant) -> bool:
    return bool(
        caller.dependencies
        or caller.path_params
        or caller.query_params
        or caller.header_params
        or caller.cookie_params
        or caller.body_params
        or caller.request_param_name != "request"
    )


def zipped(app: ASGIApp) -> ASGIApp:
    """Long answers in a short form for whoever takes them so, on either way."""
    return GZipMiddleware(app, minimum_size=ZIPPED_BYTES_MIN, compresslevel=6)


class HotDoor:
    """The innermost middleware but the zipping: what stands around it holds for both ways."""

    def __init__(self, app: ASGIApp, *, refused: Refused) -> None:
        self._app = app
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a well-formed request to a hot route; pass on everything else."""
        hot, names = _match(scope) if scope["type"] == "http" else (None, {})
        if hot is None:
            await self._app(scope, receive, send)
            return
        if hot.validate is not None:
            # `BodyLimit` has read it: it is here, and whole.
            message = await receive()
            body = _well_formed(scope, message, hot.validate)
            if body is None:
                await self._app(scope, _again(message, receive), send)
                return
            names[hot.body_name] = body
        scope["route"] = hot.route
        request = Request(scope, receive)
        try:
            names[hot.caller_name] = await hot.admit(request)
            response = await hot.call(**names)
        except REFUSALS as error:
            response = await self._refused(request, error)
        answer = response if len(response.body) < ZIPPED_BYTES_MIN else zipped(response)
        await answer(scope, receive, send)


def _match(scope: Scope) -> tuple[HotRoute | None, dict[str, Any]]:
    for hot in scope["app"].state.hot_routes:
        if hot.method == scope["method"] and (found := hot.path.fullmatch(scope["path"])):
            return hot, found.groupdict()
    return None, {}


def _well_formed(
    scope: Scope, message: Message, validate: Callable[[object], tuple[Any, Any]]
) -> object | None:
    """The body as the route's function takes it; None when there is anything to say about it."""
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    if len(kinds) != 1 or kinds[0].lower() not in _JSON_TYPES or message.get("more_body"):
        return None
    try:
        # What it refuses, the documented way may take. It makes floats of numbers beyond 64 bits,
        # which no field of ours takes either.
        value = orjson.loads(message["body"])
    except (KeyError, ValueError):
        return None
    if not isinstance(value, dict):
        return None
    body, faults = validate(value)
    return None if faults else body


def _again(message: Message, receive: Receive) -> Receive:
    """A `receive` that gives what was taken out of it once more."""
    waiting = [message]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
