"""The OpenAPI 3.1 document, and a page that shows it without anything from elsewhere."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.responses import Response

from services.gateway.errors import ApiError
from services.gateway.examples import EXAMPLES
from services.gateway.field_list import Field, fields_of, kind_of
from services.gateway.web import render

router = APIRouter(include_in_schema=False)

VERSION: Final = "2026-11-21"
_DESCRIPTION: Final = """\
Loyalty for salon chains, shaped like Square's Loyalty API: a till that speaks that API changes its
base URL and its token; what is not there yet is refused in words.

Every request carries `Authorization: Bearer …`. Every answer carries a `request-id` header. A key
belongs to one chain; what is another chain's is not found. POSTs take an `idempotency_key` (or the
header `Idempotency-Key`): the same key and body give the first answer again, another body is
refused. A refusal is `{"errors": [{"category", "code", "detail", "field"}]}`; `Accept-Language`
picks the language of `detail`.

Lists come in pages: an answer with a `cursor` goes on, one without is the last. Times are RFC 3339
with their zone, money is in cents of the chain's currency, ids are opaque.

408, 409, 429 and 5xx may be sent again with the same key, and Square's SDK does so twice by itself:
nothing has a second effect. A 409 that stays one means that it was used before or that a limit is
reached; 429 says in `Retry-After` when to come back.

A till keeps its sale with `POST /v2/orders`, shows what it would bring with `…/calculate`, and
counts it with `…/accumulate` and its `order_id`; payments are the till's own. A sandbox chain is
like a live one, with a clock that moves forward (`POST /v2/sandbox/clock`) and a mailbox that shows
what would have been sent (`GET /v2/sandbox/messages`).
"""

# What any call may answer besides success, by status, with the code of its example.
_REFUSALS: Final = {
    "400": ("MISSING_REQUIRED_PARAMETER", "idempotency_key", "The request is wrong."),
    "401": ("UNAUTHORIZED", "", "No key, or a dead one."),
    "403": ("INSUFFICIENT_SCOPES", "", "The key may not do this."),
    "404": ("NOT_FOUND", "", "Nothing with this id in the key's chain."),
    "408": ("REQUEST_TIMEOUT", "", "The body did not arrive in time."),
    "409": ("CONFLICT", "", "The state has changed, or a limit is reached."),
    "413": ("REQUEST_ENTITY_TOO_LARGE", "", "A body of more than a megabyte."),
    "429": ("RATE_LIMITED", "", "Too many requests; see `Retry-After`."),
    "503": ("SERVICE_UNAVAILABLE", "", "Out of reach for a moment; send it again by its key."),
}
_ERROR_SCHEMA: Final = {
    "type": "object",
    "required": ["errors"],
    "properties": {
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["category", "code", "detail"],
                "properties": {
                    "category": {
                        "type": "string",
                        "enum": [
                            "API_ERROR",
                            "AUTHENTICATION_ERROR",
                            "INVALID_REQUEST_ERROR",
                            "RATE_LIMIT_ERROR",
                            "MERCHANT_SUBSCRIPTION_ERROR",
                        ],
                    },
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "field": {"type": "string"},
                },
            },
        }
    },
}
_HEADERS: Final = [
    {
        "name": "Square-Version",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}$"},
        "description": "Accepted for clients of Square; a malformed one is refused.",
    }
]
_KEY_HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"},
    "description": "Another way to send `idempotency_key`.",
}


# Where a rule is written down is for those who build Mèche.
_ROWS: Final = re.compile(r" ?\((?:[A-Z]{1,2}-?[0-9]+(?: to |, )?)+\)|, [A-Z]{2}-[0-9]+(?=\))")


def scopes_of(dependant: Dependant) -> tuple[str, ...]:
    """The scopes that a route's key must have."""
    found: list[str] = list(getattr(dependant.call, "scopes", ()))
    for inner in dependant.dependencies:
        found += scopes_of(inner)
    return tuple(dict.fromkeys(found))


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document, made from the routes, their types and the examples."""
    made = get_openapi(title="Mèche", version=VERSION, description=_DESCRIPTION, routes=app.routes)
    made["openapi"] = "3.1.0"
    made["servers"] = [{"url": app.state.deps.settings.public_url.rstrip("/")}]
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Errors"] = _ERROR_SCHEMA
    components["securitySchemes"] = {
        "apiKey": {"type": "http", "scheme": "bearer", "description": "A chain's API key."},
        "operatorKey": {"type": "http", "scheme": "bearer", "description": "The operator's key."},
    }
    components["responses"] = {
        f"Refused{status}": _refusal(code, field, meaning)
        for status, (code, field, meaning) in _REFUSALS.items()
    }
    by_id = {
        context.original_route.operation_id: context.original_route
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute)
    }
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _complete(operation, path, method, by_id[operation["operationId"]])
    return made


def _refusal(code: str, field: str, meaning: str) -> dict[str, Any]:
    example = {"errors": [ApiError.of(code, field=field).as_dict("en")]}
    return {
        "description": meaning,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Errors"},
                "example": example,
            }
        },
    }


def _complete(operation: dict[str, Any], path: str, method: str, route: APIRoute) -> None:
    example = EXAMPLES[operation["operationId"]]
    scopes = scopes_of(route.dependant)
    is_operators = path.startswith("/v2/operator/")
    operation["description"] = _ROWS.sub("", operation["description"])
    operation["summary"] = operation["description"].partition("\n")[0].rstrip(".")
    operation["security"] = [{"operatorKey" if is_operators else "apiKey": []}]
    if scopes:
        operation["description"] += f"\n\nThe key needs {' and '.join(scopes)}."
    operation["x-scopes"] = list(scopes)
    parameters = operation.setdefault("parameters", [])
    parameters += _HEADERS
    if method == "post":
        parameters.append(_KEY_HEADER)
    for parameter in parameters:
        if parameter["in"] == "path":
            parameter["schema"] |= {"type": "string", "minLength": 1, "maxLength": 64}
    operation["responses"].pop("422", None)
    answer = operation["responses"]["200"]["content"]["application/json"]
    answer["example"] = example.answer
    for status in _REFUSALS:
        operation["responses"][status] = {"$ref": f"#/components/responses/Refused{status}"}
    if "requestBody" in operation:
        operation["requestBody"]["content"]["application/json"]["example"] = example.request


def _document_bytes(app: FastAPI) -> bytes:
    """The document, made once for each application."""
    known: bytes | None = getattr(app.state, "openapi_document", None)
    if known is None:
        known = orjson.dumps(document(app), option=orjson.OPT_INDENT_2)
        app.state.openapi_document = known
    return known


@router.get("/openapi.json")
async def openapi_json(request: Request) -> Response:
    """The OpenAPI document."""
    return Response(
        _document_bytes(request.app),
        media_type="application/json",
        headers={"Cache-Control": "no-cache"},
    )


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The document as a page to read."""
    made = orjson.loads(_document_bytes(request.app))
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            shown = _shown(path, method, operation, made["components"]["schemas"])
            groups.setdefault(operation["tags"][0], []).append(shown)
    return render.page(request, "api/docs.html", language="en", about=made["info"], groups=groups)


def _shown(
    path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]
) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    answer = operation["responses"]["200"]["content"]["application/json"]
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "text": operation["description"],
        "query": [
            Field(
                name=part["name"],
                kind=kind_of(part["schema"], schemas),
                needed=part.get("required", False),
                meaning=part.get("description", ""),
            )
            for part in operation["parameters"]
            if part["in"] == "query"
        ],
        "fields": fields_of(body["schema"], schemas) if body else [],
        "request": _pretty(body["example"]) if body.get("example") else "",
        "answer": _pretty(answer["example"]),
    }


def _pretty(example: object) -> str:
    return orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()
